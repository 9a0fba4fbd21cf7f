import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { holdFile, whileHolding } from "../../config/file-lock";
import { reviewedFile } from "../../config/json-file";

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lock-"));
  file = join(folder, "results.csv");
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Another process that works at the file, until it is ended. */
async function another(script = "process.stdin.resume(); console.log('held')") {
  const hold = `require("./config/file-lock.ts").holdFile(${JSON.stringify(file)})`;
  const code = `try { ${hold}; ${script} } catch ({ message }) { console.log(message) }`;
  const child = spawn(process.execPath, ["--import", "tsx", "-e", code], { stdio: ["pipe", "pipe", "inherit"] });
  const [said] = await once(child.stdout, "data");
  return { child, said: String(said), ended: once(child, "close") };
}

test("a second process is told who is at work, since when and where", async () => {
  const { child, ended } = await another();
  expect(() => holdFile(file)).toThrow(
    new RegExp(
      `^${file} is being worked at by process ${child.pid} on ${hostname()}, since \\d{4}-\\d\\d-.*Z\\. Wait for its end; if there is no such process any more, delete ${file}\\.lock$`,
    ),
  );
  child.kill("SIGKILL");
  await ended;
  expect(existsSync(`${file}.lock`)).toBe(true);
  holdFile(file)();
  expect(existsSync(`${file}.lock`)).toBe(false);
});

test("it is let go when the work ends, fails, or its process does", async () => {
  await whileHolding(file, async () => {
    expect((await another()).said).toContain(`is being worked at by process ${process.pid} on`);
  });
  await expect(whileHolding(file, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  const { ended } = await another("console.log('held'); process.exit(1)");
  await ended;
  expect(existsSync(`${file}.lock`)).toBe(false);
});

test("of many that find what a dead process left, one alone goes on at a time", async () => {
  const { child, ended } = await another();
  child.kill("SIGKILL");
  await ended;
  const takers = await Promise.all(Array.from({ length: 4 }, () => another()));
  expect(takers.filter(({ said }) => said === "held\n")).toHaveLength(1);
  for (const taker of takers) taker.child.kill("SIGKILL");
  await Promise.all(takers.map((taker) => taker.ended));
});

test.each([
  [
    "of another machine",
    JSON.stringify({ pid: 1, host: "elsewhere", since: "2026", key: crypto.randomUUID() }),
    "on elsewhere",
  ],
  ["that nobody can read", "", "by another process"],
])("a lock %s is never taken over", (_, lock, who) => {
  writeFileSync(`${file}.lock`, lock);
  expect(() => holdFile(file)).toThrow(who);
  expect(readFileSync(`${file}.lock`, "utf8")).toBe(lock);
});

test("a file beside config.ts is not changed while another process changes it", async () => {
  const { child, ended } = await another();
  expect(() => reviewedFile(file, z.unknown()).change(() => ({}))).toThrow(`by process ${child.pid}`);
  expect(existsSync(file)).toBe(false);
  child.kill();
  await ended;
});
