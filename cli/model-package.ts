import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { digestOf, goldenFile, modelFiles, tracedModel, writeArchive } from "./model-archive";

const run = promisify(execFile);
const requirements = join("model", "requirements.txt");

/**
 * Writes the archive of a model that lies traced in a folder.
 * @returns the archive's SHA-256
 * @throws with everything that the folder lacks
 */
export async function packageModel(folder: string, archive: string): Promise<string> {
  const golden = existsSync(join(folder, goldenFile)) ? [goldenFile] : [];
  const names = [...modelFiles, ...golden];
  const faults = (await Promise.all(names.map((name) => faultOf(folder, name)))).flat();
  if (faults.length > 0) throw new Error([`${folder} cannot be packaged:`, ...faults].join("\n  "));
  const packages = await unpackedPackages();
  await writeArchive(
    new Map([
      ["code/inference.py", join("model", "inference.py")],
      ["code/requirements.txt", join(packages, "requirements.txt")],
      ...(await packagedFiles(packages)),
      ...names.map((name): [string, string] => [name, join(folder, name)]),
    ]),
    archive,
  );
  return (await digestOf(archive)).sha256;
}

/** What is wrong with a file of the model, if anything. */
async function faultOf(folder: string, name: string): Promise<string[]> {
  const file = join(folder, name);
  const found = await stat(file).catch(() => undefined);
  if (found === undefined) {
    return [name === tracedModel ? `${name} is missing: model/trace.py makes it` : `${name} is missing`];
  }
  if (!found.isFile()) return [`${name} is no file`];
  if (found.size === 0) return [`${name} is empty`];
  if (!name.endsWith(".json")) return [];
  try {
    JSON.parse(await readFile(file, "utf8"));
    return [];
  } catch (error) {
    return [`${name} is no JSON: ${error instanceof Error ? error.message : error}`];
  }
}

/**
 * The packages that `inference.py` needs and an image may lack, as their wheels hold them for SageMaker's machines,
 * beside an empty requirements.txt. Fetched once.
 */
async function unpackedPackages(): Promise<string> {
  const key = createHash("sha256")
    .update(await readFile(requirements))
    .digest("hex")
    .slice(0, 12);
  const folder = join(".local", `model-packages-${key}`);
  if (existsSync(folder)) return folder;
  console.error(`Fetching the packages of ${requirements} ...`);
  await mkdir(".local", { recursive: true });
  const fresh = await mkdtemp(join(".local", "new-"));
  try {
    // The oldest Python of the images, and what its wheels run on: they run on every later one too.
    const machine = ["--platform", "manylinux2014_x86_64", "--python-version", "3.10", "--only-binary=:all:"];
    const options = ["--quiet", "--no-deps", "--no-compile", "--disable-pip-version-check"];
    const target = ["--target", join(fresh, "packages"), "--requirement", requirements];
    await run("python3", ["-m", "pip", "install", ...options, ...machine, ...target]);
    await writeFile(join(fresh, "requirements.txt"), "");
    await rename(fresh, folder).catch((error) => {
      if (!existsSync(folder)) throw error; // another process was as quick
    });
  } catch (error) {
    const said = error instanceof Error ? error.message.trim() : String(error);
    throw new Error(`The packages of ${requirements} could not be fetched with python3's pip. ${said}`);
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
  return folder;
}

/** The files of the packages by their names in the archive, without what pip notes about its own work. */
async function packagedFiles(packages: string): Promise<[string, string][]> {
  const root = join(packages, "packages");
  const names = (await readdir(root, { recursive: true }))
    .map((name) => name.replaceAll("\\", "/"))
    .filter((name) => !/(^|\/)__pycache__\/|^[^/]+\.dist-info\/|^bin\//.test(name));
  const kinds = await Promise.all(names.map((name) => stat(join(root, name))));
  return names
    .filter((_, index) => kinds[index]?.isFile())
    .map((name): [string, string] => [`code/${name}`, join(root, name)]);
}
