import { execFile } from "node:child_process";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { madeOnce } from "../../local/python";
import { parseGolden } from "./golden";
import { digestOf, hasInstalled, lackingIn, noInstalling, writeArchive } from "./model-archive";
import { installed, modelFile, readModelFile, withoutModelFile } from "./model-file";

const run = promisify(execFile);
const requirements = join("model", "requirements.txt");

/**
 * Writes the archive of a model out of the files of a folder that its model.json names. Where that brings no code for
 * PyTorch, the project's own goes with it, which answers for what model/trace.py makes.
 * @returns the archive's SHA-256
 * @throws with everything that is wrong with the folder
 */
export async function packageModel(folder: string, archive: string): Promise<string> {
  const model = await readModelFile(folder);
  if (model === undefined) throw new Error(`${folder} cannot be packaged:\n  ${withoutModelFile}`);
  const names = [...new Set([modelFile, model.golden, ...model.files])];
  const bringsCode = model.image !== "pytorch" || names.some((name) => name.startsWith("code/"));
  const faults = (await Promise.all(names.map((name) => faultOf(folder, name)))).flat();
  const size = names.includes(installed) ? await stat(join(folder, installed)).catch(() => undefined) : undefined;
  if (hasInstalled(model, size?.size)) faults.push(noInstalling);
  const lacking = lackingIn(model, (name) => names.includes(name) || (!bringsCode && name === projectsProgram));
  faults.push(...lacking.map((name) => `${name} is not among the files of ${modelFile}, and the image needs it`));
  if (faults.length > 0) throw new Error([`${folder} cannot be packaged:`, ...faults].join("\n  "));
  parseGolden(await readFile(join(folder, model.golden), "utf8"), join(folder, model.golden));
  const code = bringsCode ? [] : await projectsCode();
  await writeArchive(new Map([...code, ...names.map((name): [string, string] => [name, join(folder, name)])]), archive);
  return (await digestOf(archive)).sha256;
}

/** What is wrong with a file of the model, if anything. */
async function faultOf(folder: string, name: string): Promise<string[]> {
  const file = join(folder, name);
  const found = await stat(file).catch(() => undefined);
  if (found === undefined) return [`${name} is missing`];
  if (!found.isFile()) return [`${name} is no file`];
  if (found.size === 0 && !name.startsWith("code/")) return [`${name} is empty`];
  if (!name.endsWith(".json")) return [];
  try {
    JSON.parse(await readFile(file, "utf8"));
    return [];
  } catch (error) {
    return [`${name} is no JSON: ${error instanceof Error ? error.message : error}`];
  }
}

const projectsProgram = "code/inference.py";

/** The project's own code with its packages: names in the archive, and where the files are. */
const projectsCode = async (): Promise<[string, string][]> => [
  [projectsProgram, join("model", "inference.py")],
  ...(await packagedFiles(await unpackedPackages())),
];

/** SageMaker's machines by the folder of `code/` that holds what runs on them alone, which inference.py looks into. */
const machines = { ".": "manylinux2014_x86_64", aarch64: "manylinux2014_aarch64" };

/**
 * The packages that `inference.py` needs and an image may lack, as their wheels hold them for SageMaker's machines.
 * Fetched once.
 */
const unpackedPackages = (): Promise<string> =>
  madeOnce(join(".local", "model-code"), requirements, async (made) => {
    console.error(`Fetching the packages of ${requirements} ...`);
    for (const [folder, platform] of Object.entries(machines)) {
      // The oldest Python of the images, and what its wheels run on: they run on every later one too.
      const machine = ["--platform", platform, "--python-version", "3.10", "--only-binary=:all:"];
      const options = ["--quiet", "--no-deps", "--no-compile", "--disable-pip-version-check"];
      const target = ["--target", join(made, "packages", folder), "--requirement", requirements];
      await run("python3", ["-m", "pip", "install", ...options, ...machine, ...target]).catch((error: Error) => {
        throw new Error(
          `The packages of ${requirements} could not be fetched with python3's pip. ${error.message.trim()}`,
        );
      });
    }
  });

/** The files of the packages by their names in the archive, without what pip notes about its own work. */
async function packagedFiles(packages: string): Promise<[string, string][]> {
  const root = join(packages, "packages");
  const names = (await readdir(root, { recursive: true }))
    .map((name) => name.replaceAll("\\", "/"))
    .filter((name) => !/(^|\/)(__pycache__|[^/]+\.dist-info|bin)\//.test(name));
  const kinds = await Promise.all(names.map((name) => stat(join(root, name))));
  return names
    .filter((_, index) => kinds[index]?.isFile())
    .map((name): [string, string] => [`code/${name}`, join(root, name)]);
}
