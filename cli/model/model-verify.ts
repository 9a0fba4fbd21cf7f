import { existsSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { startModelServer, unpackArchive } from "../../local/model-server";
import { checkArchive, digestOf, goldenFile, mustBeFile } from "./model-archive";
import { noteVerification } from "./verified-models";

/** The project's own, where a model comes with none. */
const usualGolden = join("model", "golden", "predictions.json");

const json = z.string().transform((text, context): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    context.addIssue("is no JSON");
    return z.NEVER;
  }
});
const goldenAnswers = z.array(z.object({ request: z.string(), response: json })).min(1);

/**
 * Runs an archive as SageMaker does, on this machine and without a network, and compares its answers with the golden
 * ones.
 * @param golden a file of requests and answers. @default the archive's own, or else the project's
 * @returns the answers that differ, as lines; none where the archive is right
 * @throws when it cannot be run, or there are no golden answers
 */
export async function verifyModel(archive: string, golden?: string): Promise<{ asked: number; faults: string[] }> {
  await checkArchive(archive);
  const { sha256 } = await digestOf(archive);
  const modelDir = await unpackArchive(archive);
  try {
    const own = join(modelDir, goldenFile);
    const pairs = await readGolden(golden ?? (existsSync(own) ? own : usualGolden));
    await noteVerification(sha256, false); // until it has run
    const server = await startModelServer({ modelDir });
    const faults: string[] = [];
    try {
      for (const { request, response } of pairs) {
        const answer = await fetch(`${server.url}/invocations`, {
          method: "POST",
          headers: { "content-type": "application/json", accept: "application/json" },
          body: request,
        });
        const text = await answer.text();
        const given = json.safeParse(text);
        if (answer.ok && given.success && isAlike(given.data, response)) continue;
        const got = `${answer.ok ? "" : `HTTP ${answer.status} `}${text}`;
        faults.push(`${request}\n    expected ${JSON.stringify(response)}\n    got      ${got}`);
      }
    } finally {
      await server.stop();
    }
    await noteVerification(sha256, faults.length === 0);
    return { asked: pairs.length, faults };
  } finally {
    await rm(modelDir, { recursive: true, force: true });
  }
}

/** How far a number may be from the golden one, as a part of it or of 1: to compile or to pad changes the last digits. */
const tolerance = 1e-3;

/** Whether a JSON value is the golden one but for the last digits of its numbers. */
function isAlike(given: unknown, golden: unknown): boolean {
  if (typeof given === "number" && typeof golden === "number") {
    return Math.abs(given - golden) <= tolerance * Math.max(1, Math.abs(golden));
  }
  if (typeof given !== "object" || typeof golden !== "object" || given === null || golden === null) {
    return given === golden;
  }
  const [ones, others] = [Object.entries(given), new Map<string, unknown>(Object.entries(golden))];
  const isSame = Array.isArray(given) === Array.isArray(golden) && ones.length === others.size;
  return isSame && ones.every(([name, value]) => others.has(name) && isAlike(value, others.get(name)));
}

async function readGolden(file: string) {
  await mustBeFile(file);
  const { data, error } = z.pipe(json, goldenAnswers).safeParse(await readFile(file, "utf8"));
  if (data === undefined) {
    throw new Error(
      `${file} is no list of { "request": "...", "response": "..." } in JSON:\n${z.prettifyError(error)}`,
    );
  }
  return data;
}
