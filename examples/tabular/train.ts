import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { archivePython } from "../../local/model-server";

const here = join("examples", "tabular");

/** The folder of the archive, with the model trained where that is not done yet. @throws when Python or training fails */
export async function trainedModel(): Promise<string> {
  const folder = join(here, "model");
  if (!["model.joblib", "golden.json"].every((name) => existsSync(join(folder, name)))) {
    console.error("Training the model (once; some seconds) ...");
    const python = await archivePython(folder);
    await promisify(execFile)(python, [join(here, "train.py"), folder]);
  }
  return folder;
}
