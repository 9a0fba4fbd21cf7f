import { readFile, rm } from "node:fs/promises";
import { contractsOf } from "../../config/spoken-contract";
import { wireFormatOf } from "../../contract/wire-format";
import { startModelServer, unpackArchive } from "../../local/model-server";
import { longestAnswerSeconds } from "../../local/served-model";
import { type Agreement, agreementOf, parseGolden, type Said } from "./golden";
import { checkArchive, digestOf, goldenOf, mustBeFile } from "./model-archive";
import type { ModelFile } from "./model-file";
import { noteVerification } from "./verified-models";

/**
 * Runs an archive as SageMaker does, on this machine and without a network, and compares its answers with the golden
 * ones.
 * @param golden a file of requests and answers. @default the archive's own
 * @throws when it cannot be run, or there are no golden answers
 */
export async function verifyModel(archive: string, golden?: string): Promise<Agreement> {
  const model = await checkArchive(archive);
  const { sha256 } = await digestOf(archive);
  const pairs = golden === undefined ? await goldenOf(archive, model) : await readGolden(golden);
  await noteVerification(sha256); // until it has run
  const modelDir = await unpackArchive(archive);
  try {
    const server = await startModelServer({ modelDir });
    let found: Agreement;
    try {
      const headers = headersOf(model);
      found = await agreementOf(pairs, (body) => ask(`${server.url}/invocations`, body, headers));
    } finally {
      await server.stop();
    }
    const { asked, agreed } = found;
    const at = new Date().toISOString();
    if (agreed === asked) await noteVerification(sha256, { golden: pairs.sha256, at, asked, agreed });
    return found;
  } finally {
    await rm(modelDir, { recursive: true, force: true });
  }
}

async function ask(url: string, body: string, headers: Record<string, string>): Promise<Said> {
  try {
    const signal = AbortSignal.timeout(1000 * longestAnswerSeconds);
    const answer = await fetch(url, { method: "POST", headers, body, signal });
    const text = await answer.text();
    return answer.ok ? { answer: text } : { failure: `HTTP ${answer.status} ${text}` };
  } catch (error) {
    return { failure: `nothing: ${error instanceof Error ? error.message : error}` };
  }
}

/** How golden requests are sent: in the first of the formats that a model speaks. */
export function headersOf({ contract }: Pick<ModelFile, "contract">): { "content-type": string; accept: string } {
  const [first] = contractsOf(contract);
  if (first === undefined) throw new Error("the model speaks no format"); // its schema wants one
  const { contentType, accept } = wireFormatOf(first);
  return { "content-type": contentType, accept };
}

/** @throws when there is no such file, or it holds no golden requests */
export async function readGolden(file: string) {
  await mustBeFile(file);
  const text = await readFile(file, "utf8");
  return { ...parseGolden(text, file), text };
}
