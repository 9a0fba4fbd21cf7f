import { spawn } from "node:child_process";
import { createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, cp, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { parseKey, parsePrivateKey } from "sshpk";
import { z } from "zod";
import { resourcesOf } from "../../setup/synth";

/** A checkout of its own, with a home that has nothing in it. */
let checkout: string;
let home: string;
beforeEach(async () => {
  checkout = await mkdtemp(join(tmpdir(), "checkout-"));
  home = await mkdtemp(join(tmpdir(), "home-"));
  const left = [".git", ".local", ".venv", "__tests__", "cdktf.out", "coverage", "dist", "node_modules"];
  await cp(resolve(), checkout, { recursive: true, filter: (path) => !left.includes(relative(resolve(), path)) });
  for (const name of ["node_modules", "dist"]) await symlink(resolve(name), join(checkout, name));
});
afterEach(async () => {
  await rm(checkout, { recursive: true, force: true });
  await rm(home, { recursive: true, force: true });
});

async function node(...args: string[]) {
  const child = spawn(process.execPath, args, {
    cwd: checkout,
    env: { ...process.env, HOME: home },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].setEncoding("utf8").on("data", (chunk: string) => {
      said[stream] += chunk;
    });
  }
  const [status] = await once(child, "close");
  return { status, ...said };
}

const keypair = (...args: string[]) => node("cli/offline-inference.mjs", "keypair", ...args);

const keyPairs = z.record(z.string(), z.string());
const written = async () => keyPairs.parse(JSON.parse(await readFile(join(checkout, "key-pairs.json"), "utf8")));
const nothingIsWritten = () => !existsSync(join(checkout, "key-pairs.json"));

/** The public half of a private key in OpenSSH's format, as Node derives it. */
function publicHalfOf(text: string): string {
  expect(text).toMatch(/^-----BEGIN OPENSSH PRIVATE KEY-----\n/);
  const key = parsePrivateKey(text, "ssh-private");
  const seed = key.parts.find(({ name }) => name === "k")?.data ?? Buffer.of();
  const ed25519 = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]);
  const derived = createPublicKey(
    key.type === "rsa" ? key.toString("pkcs8") : createPrivateKey({ key: ed25519, format: "der", type: "pkcs8" }),
  );
  const pem = derived.export({ type: "spki", format: "pem" });
  return parseKey(pem, "pem").toString("ssh").split(" ").slice(0, 2).join(" ");
}

const modeOf = async (file: string) => (await stat(file)).mode & 0o7777;

/** A key pair that was made elsewhere. */
function foreignKeyPair(comment = "me@desk") {
  const { privateKey } = generateKeyPairSync("ed25519", {
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  });
  const key = parsePrivateKey(privateKey, "pem");
  return { privateKey, publicKey: `${key.toPublic().toString("ssh").split(" ").slice(0, 2).join(" ")} ${comment}` };
}

async function saved(text: string, name = "id.pub") {
  const file = join(home, name);
  await writeFile(file, text);
  return file;
}

test.each([
  ["ed25519", []],
  ["rsa", ["--type", "rsa"]],
])("a private key is made for its owner alone, and the public half is written down: %s", async (type, options) => {
  const made = await keypair("create", "team", "--env", "dev", ...options);
  const file = join(home, ".ssh", "team");
  expect(made).toMatchObject({ status: 0, stdout: `${file}\n` });
  expect(made.stderr).toContain("npx offline-inference diff inference-dev");
  expect(await modeOf(file)).toBe(0o400);
  expect(await modeOf(join(home, ".ssh"))).toBe(0o700);
  expect(await readdir(join(home, ".ssh"))).toEqual(["team"]);

  const { dev = "", ...others } = await written();
  expect(others).toEqual({});
  expect(dev).toBe(`${publicHalfOf(await readFile(file, "utf8"))} team`);
  expect(parseKey(dev, "ssh")).toMatchObject({ type, size: type === "rsa" ? 4096 : 256 });
});

test("the stack of the environment gets the public key, and no other stack does", async () => {
  const { publicKey } = foreignKeyPair();
  expect(await keypair("import", await saved(publicKey), "--env", "dev")).toMatchObject({ status: 0 });
  expect(await node("--import", "tsx", "main.ts")).toMatchObject({ status: 0 });
  const keysOf = async (stack: string) => {
    const json = await readFile(join(checkout, "cdktf.out", "stacks", stack, "cdk.tf.json"), "utf8");
    return resourcesOf(json).flatMap(({ type, attributes }) => (type === "aws_key_pair" ? [attributes] : []));
  };
  expect(await keysOf("inference-dev")).toEqual([
    expect.objectContaining({ key_name: "poc-dev-key-pair", public_key: publicKey }),
  ]);
  expect(await keysOf("inference-prod")).toEqual([]);
});

test("a private key goes where it is asked for, with a mode that no umask widens", async () => {
  const file = join(home, "safe", "ours");
  const umask = process.umask(0);
  const made = await keypair("create", "team", "--env", "prod", "--output", file);
  process.umask(umask);
  expect(made).toMatchObject({ status: 0, stdout: `${file}\n` });
  expect([await modeOf(file), await modeOf(join(home, "safe"))]).toEqual([0o400, 0o700]);
  expect(Object.keys(await written())).toEqual(["prod"]);
});

test("a file is never overwritten, and the way to use the key in it is told", async () => {
  const file = await saved("what was here", "team");
  await chmod(file, 0o600);
  const refused = await keypair("create", "team", "--env", "dev", "--output", file);
  expect(refused).toMatchObject({ status: 1, stdout: "" });
  expect(refused.stderr).toBe(
    `${file} exists already, and is not overwritten. Name another file with --output; or, if it is the private key\n` +
      "that dev is to have:\n" +
      `  ssh-keygen -y -f ${file} > ${file}.pub\n` +
      `  npx offline-inference keypair import ${file}.pub --env dev\n`,
  );
  expect(await readFile(file, "utf8")).toBe("what was here");
  expect(await modeOf(file)).toBe(0o600);
  expect(nothingIsWritten()).toBe(true);
});

test("a link to nowhere is not followed", async () => {
  const file = join(home, "team");
  await symlink(join(home, "elsewhere"), file);
  expect(await keypair("create", "team", "--env", "dev", "--output", file)).toMatchObject({
    status: 1,
    stderr: expect.stringContaining(`${file} exists already`),
  });
  expect(existsSync(join(home, "elsewhere"))).toBe(false);
});

test("nothing is made where key-pairs.json is at fault", async () => {
  await writeFile(join(checkout, "key-pairs.json"), '{ "prod": "nonsense" }');
  const refused = await keypair("create", "team", "--env", "dev");
  expect(refused).toMatchObject({ status: 1, stdout: "" });
  expect(refused.stderr).toContain("key-pairs.json: prod: got text that is no public key");
  expect(existsSync(join(home, ".ssh"))).toBe(false);
});

test("an environment that has a key pair keeps it, and how to change it on purpose is told", async () => {
  const { publicKey } = foreignKeyPair();
  await writeFile(join(checkout, "key-pairs.json"), JSON.stringify({ dev: publicKey }));
  const attempts = [
    await keypair("create", "team", "--env", "dev"),
    await keypair("import", await saved(foreignKeyPair().publicKey), "--env", "dev"),
  ];
  for (const { status, stdout, stderr } of attempts) {
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toContain("dev has a key pair already, poc-dev-key-pair in key-pairs.json.");
    expect(stderr).toContain("take it out of key-pairs.json, run this again");
  }
  expect(await written()).toEqual({ dev: publicKey });
  expect(existsSync(join(home, ".ssh"))).toBe(false);
});

test("a key pair in config.ts is kept too", async () => {
  const config = join(checkout, "config.ts");
  const text = await readFile(config, "utf8");
  await writeFile(config, text.replace("    dev: {", '    dev: {\n      keyPair: { existing: "ours" },'));
  expect(await keypair("create", "team", "--env", "dev")).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("dev has a key pair already, ours in config.ts."),
  });
  expect(nothingIsWritten()).toBe(true);
});

test("what would be no file of its own in ~/.ssh is no name for a key pair, and what is one is told", async () => {
  const names = ["../team", ".ssh", "team.pub", "authorized_keys", ""];
  const attempts = names.map(async (name) => ({ name, ...(await keypair("create", name, "--env", "dev")) }));
  for (const { name, status, stdout, stderr } of await Promise.all(attempts)) {
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toContain(`NAME: got ${JSON.stringify(name)}; allowed: 1 to 64 characters: letters, digits`);
  }
  expect(existsSync(join(home, ".ssh"))).toBe(false);
});

test("a public key is imported once, and again changes nothing", async () => {
  const { publicKey } = foreignKeyPair();
  const file = await saved(`${publicKey}\n`);
  expect(await keypair("import", file, "--env", "dev")).toMatchObject({ status: 0, stdout: "" });
  expect(await written()).toEqual({ dev: publicKey });
  await writeFile(file, publicKey.replace("me@desk", "another comment"));
  const again = await keypair("import", file, "--env", "dev");
  expect(again).toMatchObject({ status: 0, stderr: expect.stringContaining("dev has this key pair already.") });
  expect(await written()).toEqual({ dev: publicKey });
});

test("a private key is refused and never shown", async () => {
  const { privateKey } = foreignKeyPair();
  const secrets = [privateKey, parsePrivateKey(privateKey, "pem").toString("openssh")];
  for (const secret of secrets) {
    const file = await saved(secret, "id");
    const { status, stdout, stderr } = await keypair("import", file, "--env", "dev");
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toBe(
      `No public key can be read from ${file}: got a private key, which must stay secret: give the public one, the file whose name ends in .pub\n`,
    );
  }
  expect(nothingIsWritten()).toBe(true);
});

test.each([
  ["a file that is not there", undefined, "ENOENT"],
  ["a key that EC2 does not import", "ecdsa-sha2-nistp256 AAAA me", "got a key of type ecdsa-sha2-nistp256"],
  ["a large file", "x".repeat(20_000), "got a file that is too long to be one"],
])("what is no public key is refused: %s", async (_, text, why) => {
  const file = text === undefined ? join(home, "nothing.pub") : await saved(text);
  const refused = await keypair("import", file, "--env", "dev");
  expect(refused).toMatchObject({ status: 1, stdout: "" });
  expect(refused.stderr).toContain(`No public key can be read from ${file}: ${why}`);
  expect(nothingIsWritten()).toBe(true);
});

test("an environment that does not exist is refused before anything is made", async () => {
  expect(await keypair("create", "team", "--env", "staging")).toMatchObject({
    status: 1,
    stderr: 'There is no environment "staging". The environments of config.ts: dev, prod\n',
  });
  expect(existsSync(join(home, ".ssh"))).toBe(false);
});
