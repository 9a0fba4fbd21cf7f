import { execFile } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import { speaks } from "../../config/spoken-contract";
import type { ModelContract } from "../../contract/model-contract";
import { modelPython } from "../../local/model-server";
import { digestOf, tracedModel } from "./model-archive";
import { type ModelFile, modelFile, readModelFile } from "./model-file";
import { isPytorch1, type RecipeName } from "./model-recipes";

const run = promisify(execFile);
const failure = z.object({ stderr: z.string().min(1) });
const tracer = join("model", "trace.py");

/**
 * Traces the Hugging Face model in a folder for a contract, unless that has been done of the same files and for the same
 * contract, or something else has made what lies there.
 * @param recipe what is to compile it, if anything
 * @returns what the folder's model.json says
 * @throws with what model/trace.py said, when it cannot
 */
export async function traceModel(folder: string, contract: ModelContract, recipe?: RecipeName): Promise<ModelFile> {
  const traced = join(folder, tracedModel);
  const before = await readModelFile(folder);
  if (before !== undefined && before.made?.by !== tracer) {
    console.error(`${join(folder, modelFile)} is not of ${tracer}: what it names is packaged as it is.`);
    return before;
  }
  if (before === undefined) mustHoldModel(folder);
  const eager = recipe !== undefined && isPytorch1(recipe);
  const stale = await whyStale(folder, contract, eager, before);
  if (before !== undefined && stale === undefined) {
    console.error(`${traced} is there already.`);
    return before;
  }
  const python = await modelPython();
  console.error(stale === undefined ? `Tracing the model in ${folder} ...` : `Tracing ${traced} anew: ${stale} ...`);
  try {
    const asked = ["--features", ...contract.features.map(({ name }) => name)];
    const answered = ["--answer", contract.answer === "text" ? "label" : "scores"];
    const args = [tracer, folder, ...asked, ...answered, ...(eager ? ["--eager-attention"] : [])];
    const { stdout, stderr } = await run(python, args, { maxBuffer: 1 << 26 });
    console.error(`${stderr}${stdout}`.trim());
  } catch (error) {
    const { data } = failure.safeParse(error);
    throw new Error(`The model in ${folder} could not be traced. ${data?.stderr.trim() ?? error}`);
  }
  const made = await readModelFile(folder);
  if (made === undefined) throw new Error(`${tracer} has written no ${join(folder, modelFile)}.`);
  return made;
}

/** @throws where a folder is not there, or holds nothing that could be traced */
function mustHoldModel(folder: string): void {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) throw new Error(`There is no folder ${folder}.`);
  if (existsSync(join(folder, "config.json"))) return;
  throw new Error(
    `${folder} holds no model: it has neither a ${modelFile} nor the config.json that save_pretrained leaves.`,
  );
}

/**
 * Why what was traced is not what is wanted now; undefined where it is, and where there is nothing yet.
 * @param eager whether its attention must be of operators that PyTorch 1 has
 * @param model what the folder's model.json says @default there is none
 */
export async function whyStale(
  folder: string,
  contract: ModelContract,
  eager: boolean,
  model?: ModelFile,
): Promise<string | undefined> {
  if (model?.made === undefined) {
    return existsSync(join(folder, tracedModel)) ? `it has no ${modelFile}, as one of an earlier version` : undefined;
  }
  if (!speaks(model.contract, contract)) return "it was traced for another contract than config.ts has now";
  if (eager && model.made.eager_attention !== true) return "the instances need it with --eager-attention";
  for (const [name, sha256] of Object.entries({ ...model.made.of, ...model.made.gave })) {
    const file = join(folder, name);
    if (!existsSync(file)) return `${name} is gone`;
    if ((await digestOf(file)).sha256 !== sha256) return `${name} has changed since`;
  }
  return undefined;
}
