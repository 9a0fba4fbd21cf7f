import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import { modelPython } from "../local/model-server";
import { tracedModel } from "./model-archive";

const run = promisify(execFile);
const failure = z.object({ stderr: z.string().min(1) });

/**
 * Traces the Hugging Face model in a folder, unless that has been done.
 * @throws with what model/trace.py said, when it cannot
 */
export async function traceModel(folder: string): Promise<void> {
  if (existsSync(join(folder, tracedModel))) {
    console.error(`${join(folder, tracedModel)} is there already.`);
    return;
  }
  const python = await modelPython();
  console.error(`Tracing the model in ${folder} ...`);
  try {
    await run(python, [join("model", "trace.py"), folder], { maxBuffer: 1 << 26 });
  } catch (error) {
    const { data } = failure.safeParse(error);
    throw new Error(`The model in ${folder} could not be traced. ${data?.stderr.trim() ?? error}`);
  }
}
