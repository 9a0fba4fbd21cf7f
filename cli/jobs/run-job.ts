import { existsSync } from "node:fs";
import type { Pipeline } from "../connection";
import { whole } from "../numbers";
import { columnsOf, readCsv } from "./csv";
import { openFeatures } from "./feature-rows";
import { ingestFeatures, rejectsOf } from "./features-ingest";
import { journalOf } from "./journal";
import type { OutputFormat } from "./output";
import { receiptOf } from "./receipt";
import { newJobName, publishRequests, resumePublishing } from "./requests-publish";
import { printReceipt } from "./results-print";

export interface RunOptions {
  readonly pipeline: Pipeline;
  /** The CSV file of the inputs. */
  readonly file: string;
  /** What columns are called that are not called as their features, by feature. */
  readonly columns: ReadonlyMap<string, string>;
  /** @default a new name, made of the time */
  readonly job?: string;
  readonly format: OutputFormat;
  readonly output: string;
  readonly signal: AbortSignal;
}

/**
 * Takes the rows of a file all the way to their predictions. A job of the same name is gone on with where it ended: its
 * receipt and the journals beside the files say what is done.
 * @returns whether every row has its prediction
 * @throws at the first step that fails, and when it is interrupted
 */
export async function runJob({ job = newJobName(), ...options }: RunOptions): Promise<boolean> {
  const { pipeline, format, output, signal } = options;
  const receipt = receiptOf(job);
  console.error(`The job is ${job}. After an interruption, give the same command with --job ${job}`);
  const isSent = await send(job, receipt, options);
  signal.throwIfAborted();
  const isAnswered = await printReceipt(pipeline, { receipt, watch: true, format, output }, signal);
  return isSent && isAnswered;
}

/** Puts a request on the queue for each row that is written to the feature store, and says whether those are all. */
async function send(job: string, receipt: string, options: RunOptions): Promise<boolean> {
  const { pipeline, file, columns, signal } = options;
  const { queueUrl, featureGroup } = pipeline;
  const rejectsFile = rejectsOf(file);
  if (existsSync(journalOf(receipt))) {
    const { rejected } = await resumePublishing(receipt, queueUrl, signal);
    return rejected === 0 && !existsSync(rejectsFile);
  }
  if (existsSync(receipt)) {
    console.error(`${receipt} says what has been asked for already.`);
    return !existsSync(rejectsFile);
  }
  const resume = existsSync(journalOf(rejectsFile));
  const written = await ingestFeatures({ file, featureGroup, columns, resume, signal });
  console.error(`${whole(written.accepted)} of ${whole(written.rows)} rows are written to ${featureGroup.name}.`);
  if (written.rejectsFile !== undefined) {
    console.error(`${whole(written.rejected)} are not; ${written.rejectsFile} says why.`);
  }
  if (written.accepted === 0) throw new Error(`There is nothing to ask for: no row of ${file} could be written.`);
  const { rows } = await openFeatures(file, featureGroup, columns);
  const ids = (async function* () {
    const rejected = written.rejectsFile === undefined ? undefined : linesIn(written.rejectsFile);
    let next = (await rejected?.next())?.value ?? undefined;
    for await (const { features, source } of rows) {
      if (source.line !== next) yield features.id;
      else next = (await rejected?.next())?.value ?? undefined;
    }
  })();
  const { rejected } = await publishRequests({ source: { ids }, queueUrl, job, receiptFile: receipt, signal });
  return written.rejected === 0 && rejected === 0;
}

/** The lines that the rows of a rejects file had in their own, in its order. */
async function* linesIn(rejectsFile: string): AsyncGenerator<number, void, undefined> {
  const rows = readCsv(rejectsFile);
  const header = (await rows.next()).value ?? undefined;
  const valueIn = columnsOf(rejectsFile, header, { required: ["line"] });
  for await (const row of rows) yield Number(valueIn(row, "line"));
}
