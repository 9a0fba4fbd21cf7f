import { createInterface } from "node:readline";
import { pipeline as connected, Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { GetObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { z } from "zod";
import { jobName } from "../../contract/job";
import { isRowFailure, type ResultRow, resultColumns } from "../../contract/job-result";
import { membersOf } from "../../contract/json-text";
import type { ModelContract } from "../../contract/model-contract";
import { clientSettings } from "../../pipeline/clients";
import { featuresOf } from "../../pipeline/job-result";
import { failedHint, inTable, printResults, type ResultsOutput } from "../results/results-print";
import { awsError, namingActions } from "../shared/aws-error";
import type { Pipeline } from "../shared/connection";
import { whole } from "../shared/numbers";
import { writeRows } from "../shared/output";
import { followJob, hasEnded, inWords } from "./job-follow";
import { type ShownJob, withApi } from "./jobs-api";

/** A line of a result. */
const lineSchema = z.object({
  row: z.int(),
  id: z.string(),
  output: z.string().optional(),
  values: z.record(z.string(), z.union([z.string(), z.number(), z.null()])).optional(),
  modelRelease: z.string().optional(),
  predictedAt: z.string().optional(),
  code: z.string().optional(),
  reason: z.string().optional(),
});

/** Reads a line of a result. @throws where it is none */
function readLine(text: string, { outputs }: ModelContract): ResultRow {
  const {
    row,
    id,
    output,
    values = {},
    modelRelease = "",
    predictedAt = "",
    code,
    reason = "",
  } = lineSchema.parse(JSON.parse(text));
  const carried = membersOf(text)?.find(({ name }) => name === "features")?.text;
  return {
    row,
    id,
    ...(carried !== undefined && { features: carried }),
    fate:
      code === undefined
        ? {
            output: output ?? "",
            values: outputs.map(({ name }) => values[name] ?? undefined),
            modelRelease,
            predictedAt: new Date(predictedAt),
          }
        : { code, reason },
  };
}

const linesPerPage = 1_000;

/** The rows of a job's result, a page at a time. */
async function* pagesOf(
  parts: readonly { readonly key: string }[],
  { answers, contract }: Pipeline,
  signal: AbortSignal,
) {
  const client = namingActions(new S3Client(clientSettings({ requestTimeout: 30_000, maxAttempts: 6 })));
  try {
    for (const { key } of parts) {
      const { Body } = await client.send(new GetObjectCommand({ Bucket: answers.bucket, Key: key }), {
        abortSignal: signal,
      });
      const unzipped = connected(z.instanceof(Readable).parse(Body), createGunzip(), () => {}); // its reader is told
      let page: ResultRow[] = [];
      for await (const line of createInterface({ input: unzipped, crlfDelay: Number.POSITIVE_INFINITY })) {
        page.push(readLine(line, contract));
        if (page.length < linesPerPage) continue;
        yield page;
        page = [];
      }
      if (page.length > 0) yield page;
    }
  } catch (error) {
    throw signal.aborted ? error : awsError(`read the result in ${answers.bucket}`, error);
  } finally {
    client.destroy();
  }
}

const widths: Readonly<Record<string, number>> = { id: 16, status: 10, output: 28, code: 20 };

/** The rows of a job's result, a page at a time. @throws where it has none, or failed, with what is wrong with its input */
export function resultPages(pipeline: Pipeline, job: ShownJob, signal: AbortSignal) {
  const { id, errors, result } = job;
  if (!hasEnded(job)) throw new Error(`The job ${id} has not ended: ${inWords(job)}. Wait for it by --watch.`);
  if (errors !== undefined) throw new Error([`The job ${id} has failed:`, ...errors].join("\n"));
  if (result === undefined) throw new Error(`The job ${id} has no result.`);
  if (result.format !== "ndjson") {
    const at = `s3://${pipeline.answers.bucket}/${result.manifest}`;
    throw new Error(`The result of the job ${id} is ${result.format}, which stands as it is below ${at}.`);
  }
  return pagesOf(result.parts, pipeline, signal);
}

/**
 * Writes the result of a job as one file.
 * @param each is shown its rows as they pass
 * @returns how many of its rows have no answer, by code
 */
async function writeResult(
  pipeline: Pipeline,
  job: ShownJob,
  how: ResultsOutput,
  signal: AbortSignal,
  each?: (page: readonly ResultRow[]) => Promise<void>,
): Promise<ReadonlyMap<string, number>> {
  const codes = new Map<string, number>();
  let carries = true;
  const pages = resultPages(pipeline, job, signal);
  const first = await pages.next();
  if (!first.done) carries = first.value[0]?.features !== undefined;
  const all = resultColumns(pipeline.contract, carries);
  const columns = inTable(all, pipeline.contract.outputs, widths);
  async function* rows() {
    for (let page = first; !page.done; page = await pages.next()) {
      await each?.(page.value);
      yield page.value.map((row) => {
        if (isRowFailure(row.fate)) codes.set(row.fate.code, (codes.get(row.fate.code) ?? 0) + 1);
        const features = featuresOf(row, pipeline.contract);
        return Object.fromEntries(all.map(({ name, of }) => [name, of(row, features)]));
      });
    }
  }
  await writeRows(rows(), { ...how, columns });
  const count = job.result?.parts.reduce((sum, part) => sum + part.rows, 0) ?? 0;
  console.error(`${whole(count)} rows${how.output === undefined ? "" : ` in ${how.output}`}.`);
  return codes;
}

/**
 * Writes the result of a job that has ended, and says how it ended.
 * @param each is shown its rows as they pass
 * @returns whether every row has its prediction
 * @throws where the job has failed, with what is wrong with its input
 */
export async function fetchResult(
  pipeline: Pipeline,
  job: ShownJob,
  how: ResultsOutput,
  signal: AbortSignal,
  each?: (page: readonly ResultRow[]) => Promise<void>,
): Promise<boolean> {
  const codes = await writeResult(pipeline, job, how, signal, each);
  console.error(`${inWords(job)}.`);
  for (const [code, count] of [...codes].sort(([, one], [, other]) => other - one)) {
    console.error(`  ${whole(count)} × ${code}`);
  }
  const { failed = 0 } = job.counts ?? {};
  if (failed > 0) console.error(`The column reason says why. ${failedHint(pipeline)}`);
  const changed = job.result?.changedSince ?? 0;
  if (changed > 0) console.error(`${whole(changed)} rows were answered after the result was written.`);
  return codes.size === 0;
}

/**
 * Prints the result of a job; of requests that are no rows of one, but have its name, their predictions.
 * @param watch whether to wait until the job has ended
 * @returns whether every row has its prediction
 */
export const printJob = (
  pipeline: Pipeline,
  jobId: string,
  watch: boolean,
  how: ResultsOutput,
  signal: AbortSignal,
): Promise<boolean> =>
  withApi(pipeline, async (api) => {
    const job = jobName.test(jobId) ? await api.get(jobId, signal) : undefined;
    if (job === undefined) return printResults(pipeline, { jobId }, how, signal);
    return fetchResult(pipeline, watch ? await followJob(pipeline, api, job, signal) : job, how, signal);
  });
