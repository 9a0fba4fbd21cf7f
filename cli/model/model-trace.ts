import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import type { ModelContract } from "../../contract/model-contract";
import { modelPython } from "../../local/model-server";
import { tracedModel } from "./model-archive";
import { isPytorch1, type RecipeName } from "./model-recipes";

const run = promisify(execFile);
const failure = z.object({ stderr: z.string().min(1) });

/**
 * Traces the Hugging Face model in a folder for a contract, unless that has been done.
 * @param recipe what is to compile it, if anything
 * @throws with what model/trace.py said, when it cannot
 */
export async function traceModel(
  folder: string,
  { features, answer }: ModelContract,
  recipe?: RecipeName,
): Promise<void> {
  if (existsSync(join(folder, tracedModel))) {
    console.error(`${join(folder, tracedModel)} is there already.`);
    return;
  }
  const python = await modelPython();
  console.error(`Tracing the model in ${folder} ...`);
  try {
    const asked = ["--features", ...features.map(({ name }) => name)];
    const answered = ["--answer", answer === "text" ? "label" : "scores"];
    const attention = recipe !== undefined && isPytorch1(recipe) ? ["--eager-attention"] : [];
    const args = [join("model", "trace.py"), folder, ...asked, ...answered, ...attention];
    const { stdout, stderr } = await run(python, args, { maxBuffer: 1 << 26 });
    console.error(`${stderr}${stdout}`.trim());
  } catch (error) {
    const { data } = failure.safeParse(error);
    throw new Error(`The model in ${folder} could not be traced. ${data?.stderr.trim() ?? error}`);
  }
}
