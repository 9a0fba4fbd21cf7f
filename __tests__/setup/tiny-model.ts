import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { modelPython } from "../../local/model-server";

const run = promisify(execFile);

/**
 * Makes what `save_pretrained` and model/trace.py leave: a tiny classifier that knows the golden pairs, with the
 * project's own inference.py beside it.
 */
export async function tinyModel() {
  const folder = await mkdtemp(join(tmpdir(), "tiny-model-"));
  const python = await modelPython();
  await run(python, [join("model", "tests", "tiny.py"), folder]);
  await run(python, [join("model", "trace.py"), folder, "--batch", "4", "--answer", "label"]);
  await mkdir(join(folder, "code"));
  await cp(join("model", "inference.py"), join(folder, "code", "inference.py"));
  return { folder, remove: () => rm(folder, { recursive: true }) };
}
