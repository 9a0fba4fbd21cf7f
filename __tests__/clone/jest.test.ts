import { execFile } from "node:child_process";
import { cp, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** What a clone does not have after `npm ci`, and the packages, which it has from here. */
const left = [".git", ".cli", ".local", ".venv", "cdktf.out", "coverage", "dist", "node_modules"];

/** A clone in which nothing has been built. */
let clone: string;
beforeEach(async () => {
  clone = await mkdtemp(join(tmpdir(), "clone-"));
  await cp(resolve(), clone, { recursive: true, filter: (path) => !left.includes(relative(resolve(), path)) });
  await symlink(resolve("node_modules"), join(clone, "node_modules"));
});
afterEach(() => rm(clone, { recursive: true, force: true }));

test.each([
  ["unit", "__tests__/constructs/queue-worker.test.ts"],
  ["cli", "__tests__/cli/deployment/cost.test.ts"],
])("a file of %s tests runs alone: %s", async (project, file) => {
  const jest = ["node_modules/jest/bin/jest.js", "--cacheDirectory", ".local/jest"];
  const { stderr } = await run(process.execPath, [...jest, file], { cwd: clone });
  expect(stderr).toContain(`PASS ${project} ${file}`);
});

test("npm test takes the path of a test file, and runs no other", async () => {
  const file = "__tests__/constructs/queue-worker.test.ts";
  const { stdout } = await run("npm", ["test", "--silent", "--", "--listTests", file], { cwd: clone });
  expect(stdout.match(/^.*\.test\.ts$/gm)).toEqual([join(clone, file)]);
});
