import { type ExecFileOptionsWithStringEncoding, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, cp, mkdir, mkdtemp, readdir, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";

/** A program of one line in a checkout of its own, whose launcher is the project's. */
let checkout: string;
beforeEach(async () => {
  checkout = await mkdtemp(join(tmpdir(), "bundle-"));
  for (const folder of ["cli", "scripts"]) await mkdir(join(checkout, folder));
  for (const file of ["cli/offline-inference.mjs", "scripts/bundle-cli.mjs"]) await cp(file, join(checkout, file));
  await symlink(resolve("node_modules"), join(checkout, "node_modules"));
  await write("package.json", "{}");
  await write("tsconfig.json", "{}");
  await write("config.ts", 'export const greeting: string = "hello";');
  await write("cli/main.ts", 'import { greeting } from "../config";\nconsole.log(greeting);');
});
afterEach(() => rm(checkout, { recursive: true, force: true }));

const write = (file: string, content: string) => writeFile(join(checkout, file), content);

const run = (...args: string[]) => runAs({}, ...args);

const runAs = (options: ExecFileOptionsWithStringEncoding | object, ...args: string[]) =>
  new Promise<{ status: number | null; stdout: string; stderr: string }>((ended) => {
    const child = execFile(
      process.execPath,
      [join(checkout, "cli/offline-inference.mjs"), ...args],
      { encoding: "utf8", ...options },
      (_error, stdout, stderr) => ended({ status: child.exitCode, stdout, stderr }),
    );
  });
const prints = (text: string) => ({ status: 0, stdout: `${text}\n`, stderr: "" });
const bundles = async () => (await readdir(join(checkout, ".cli"))).filter((name) => !name.endsWith(".json"));

test("a bundle is made once, and made anew at once when a source has changed, however old it claims to be", async () => {
  expect(await run()).toEqual(prints("hello"));
  expect(await run()).toEqual(prints("hello"));
  expect(await bundles()).toHaveLength(1);

  await write("config.ts", 'export const greeting: string = "other";');
  await utimes(join(checkout, "config.ts"), 0, 0);
  expect(await run()).toEqual(prints("other"));

  await write("config.ts", 'export { greeting } from "./more";');
  await write("more.ts", 'export const greeting = "more";');
  expect(await run()).toEqual(prints("more"));

  await rm(join(checkout, "more.ts"));
  const { status, stdout, stderr } = await run();
  expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  expect(stderr).toContain('Could not resolve "./more"');
});

test("what is back as it was needs no new bundle, and of the old ones only some are kept", async () => {
  for (const greeting of ["1", "2", "1"]) {
    await write("config.ts", `export const greeting = "${greeting}";`);
    expect(await run()).toEqual(prints(greeting));
  }
  expect(await bundles()).toHaveLength(2);
  for (const greeting of ["3", "4", "5", "6", "7"]) {
    await write("config.ts", `export const greeting = "${greeting}";`);
    expect(await run()).toEqual(prints(greeting));
  }
  expect(await bundles()).toHaveLength(5);
});

test("a fault in what is edited is said with its place, without a stack", async () => {
  await write("config.ts", "export const greeting = {;\n");
  const { status, stdout, stderr } = await run();
  expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  expect(stderr).toContain('found ";"');
  expect(stderr).toContain("config.ts:1:25:");
  expect(stderr).not.toMatch(/^ +at /m);
  expect(stderr).not.toContain("\x1b[");
});

test("who may not write into the checkout uses its bundle, and has one of their own where a source has changed", async () => {
  const home = await mkdtemp(join(tmpdir(), "home-"));
  const nobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}; // root may write anywhere
  if (nobody.uid !== undefined) await chown(home, nobody.uid, nobody.gid);
  const other = { ...nobody, env: { PATH: process.env.PATH, HOME: home } };
  const own = () => readdir(join(home, ".cache", "offline-inference")).catch(() => []);
  expect(await run()).toEqual(prints("hello"));
  await chmod(checkout, 0o555);
  await chmod(join(checkout, ".cli"), 0o555);
  try {
    expect(await runAs(other)).toEqual(prints("hello"));
    expect(await own()).toEqual([]);
    await write("config.ts", 'export const greeting: string = "other";');
    for (const _ of ["made", "used"]) expect(await runAs(other)).toEqual(prints("other"));
    expect(await own()).toHaveLength(1);
    expect(await bundles()).toHaveLength(1);
  } finally {
    for (const folder of [checkout, join(checkout, ".cli")]) await chmod(folder, 0o755);
    await rm(home, { recursive: true });
  }
});

test("first runs at the same time all work", async () => {
  expect(await Promise.all([run(), run(), run(), run()])).toEqual(Array(4).fill(prints("hello")));
  expect(await bundles()).toHaveLength(1);
});

test("a program that runs while its sources change goes on as it was started", async () => {
  await write("late.ts", 'export const text = "as it was";');
  const late = 'console.log((await import("../late")).text)';
  await write(
    "cli/main.ts",
    `if (process.argv[2] === "now") ${late};
    else process.stdin.once("data", async () => ${late}) && console.log("ready");`,
  );
  const child = spawn(process.execPath, [join(checkout, "cli/offline-inference.mjs")]);
  expect(String(await once(child.stdout, "data"))).toBe("ready\n");
  await write("late.ts", 'export const text = "as it is";');
  expect(await run("now")).toEqual(prints("as it is"));
  child.stdin.end("go on\n");
  expect(String(await once(child.stdout, "data"))).toBe("as it was\n");
});

test("--debug shows where in the sources an error comes from", async () => {
  await write("cli/main.ts", '\n\nfunction fails(): never { throw new Error("broken"); }\nfails();');
  const { stderr } = await run("--debug");
  expect(stderr).toContain(`${relative("/", join(checkout, "cli/main.ts"))}:3:`);
});
