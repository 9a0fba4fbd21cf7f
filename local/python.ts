import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/**
 * A folder with what a file of requirements asks for, made the first time. Its name ends with that file's hash: another
 * version of the file has a folder of its own.
 * @param stem the folder's path, but for the hash
 * @param make fills an empty folder, which takes its place once it is whole
 * @throws what `make` throws; nothing is left of the folder then
 */
export async function madeOnce(
  stem: string,
  requirements: string,
  make: (folder: string) => Promise<unknown>,
): Promise<string> {
  const key = createHash("sha256")
    .update(await readFile(requirements))
    .digest("hex")
    .slice(0, 12);
  const folder = resolve(`${stem}-${key}`);
  if (existsSync(folder)) return folder;
  await mkdir(dirname(folder), { recursive: true });
  const fresh = await mkdtemp(join(dirname(folder), "new-"));
  try {
    await make(fresh);
    await rename(fresh, folder).catch((error) => {
      if (!existsSync(folder)) throw error; // another process was as quick
    });
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
  return folder;
}

/**
 * The Python of a virtual environment in .venv that holds just what a file of requirements says, made the first time.
 * @param talk is said before it is made, on standard error. @default nothing is
 * @throws the error of the process that failed: when there is no Python 3 in PATH, or something cannot be installed
 */
export async function pythonWith(name: string, requirements: string, talk?: string): Promise<string> {
  const folder = await madeOnce(join(".venv", name), requirements, async (fresh) => {
    if (talk !== undefined) console.error(talk);
    await run("python3", ["-m", "venv", fresh]);
    const install = ["-m", "pip", "install", "--quiet", "--no-compile", "--requirement", requirements];
    await run(pythonOf(fresh), install, { maxBuffer: 1 << 26 });
  });
  return pythonOf(folder);
}

const pythonOf = (folder: string) => join(folder, "bin", "python");
