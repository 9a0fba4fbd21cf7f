import { execFile } from "node:child_process";
import { cp, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const file = "__tests__/constructs/queue-worker.test.ts";

test("any npm script of tests takes the path of a test file", async () => {
  const { stdout } = await run("npm", ["test", "--silent", "--", "--listTests", file]);
  expect(stdout.trim().split("\n").at(-1)).toBe(resolve(file));
  expect(stdout.match(/\.test\.ts$/gm)).toHaveLength(1);
});

test("a test file runs alone in a clone that nothing has been built in", async () => {
  const clone = await mkdtemp(join(tmpdir(), "clone-"));
  const made = [".git", ".cli", ".local", ".venv", "cdktf.out", "coverage", "dist", "node_modules"];
  await cp(resolve(), clone, { recursive: true, filter: (path) => !made.includes(relative(resolve(), path)) });
  await symlink(resolve("node_modules"), join(clone, "node_modules"));
  const { stderr } = await run(
    process.execPath,
    ["node_modules/jest/bin/jest.js", "--cacheDirectory", ".local/jest", file],
    { cwd: clone },
  );
  await rm(clone, { recursive: true });
  expect(stderr).toContain(`PASS unit ${file}`);
});
