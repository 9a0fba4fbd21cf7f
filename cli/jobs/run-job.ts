import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { columnsOf } from "../../pipeline/csv";
import type { Pipeline } from "../connection";
import { whole } from "../numbers";
import { type CsvFile, nameOf, openCsv } from "./csv";
import { type Inputs, openInputs } from "./feature-rows";
import { type IngestOutcome, ingestFeatures, rejectsOf } from "./features-ingest";
import { journalOf } from "./journal";
import type { OutputFormat } from "./output";
import { receiptOf } from "./receipt";
import { newJobName, publishRequests, resumePublishing } from "./requests-publish";
import { printReceipt } from "./results-print";

export interface RunOptions {
  readonly pipeline: Pipeline;
  /** The CSV file of the inputs, and as what it was named. */
  readonly file: CsvFile;
  readonly path: string;
  /** What columns are called that are not called as their features, by feature. */
  readonly columns: ReadonlyMap<string, string>;
  /** @default a new name, made of the time */
  readonly job?: string;
  readonly format: OutputFormat;
  readonly output: string;
  /** Whether CSV is written without live formulas. */
  readonly safe: boolean;
  /** The folder for the receipt and the refused rows. @default receipts/, and beside the file */
  readonly folder?: string;
  readonly signal: AbortSignal;
}

/**
 * Takes the rows of a file all the way to their predictions. A job of the same name is gone on with where it ended: its
 * receipt and the journals beside the files say what is done.
 * @returns whether every row has its prediction
 * @throws at the first step that fails, and when it is interrupted
 */
export async function runJob({ job = newJobName(), ...options }: RunOptions): Promise<boolean> {
  const { pipeline, format, output, safe, folder, signal } = options;
  const receipt = folder === undefined ? receiptOf(job) : join(folder, "receipt.csv");
  if (folder === undefined) {
    console.error(`The job is ${job}. After an interruption, give the same command with --job ${job}`);
  }
  const isSent = await send(job, receipt, options);
  signal.throwIfAborted();
  const isAnswered = await printReceipt(pipeline, { receipt, watch: true, format, output, safe }, signal);
  return isSent && isAnswered;
}

/** Puts a request on the queue for each row that is right, and says whether those are all. */
async function send(job: string, receipt: string, options: RunOptions): Promise<boolean> {
  const { pipeline, file, path, columns, folder, signal } = options;
  const { queueUrl, contract, featureGroup } = pipeline;
  const rejectsFile = rejectsOf(folder === undefined ? path : join(folder, basename(nameOf(path))));
  const areRowsRefused = () => featureGroup !== undefined && existsSync(rejectsFile);
  if (existsSync(journalOf(receipt))) {
    const { rejected } = await resumePublishing(receipt, pipeline, signal);
    return rejected === 0 && !areRowsRefused();
  }
  if (existsSync(receipt)) {
    console.error(`${receipt} says what has been asked for already.`);
    return !areRowsRefused();
  }
  const rules = { contract, featureGroup, columns };
  const publish = { rules, queueUrl, job, receiptFile: receipt, signal };
  if (featureGroup === undefined) {
    const sent = await publishRequests({ ...publish, source: { csv: file } });
    tellOutcome("sent", sent);
    if (sent.accepted === 0) throw new Error(`There is nothing to follow: no row of ${nameOf(path)} could be sent.`);
    return sent.rejected === 0;
  }
  const inputs = await openInputs(file, rules);
  const resume = existsSync(journalOf(rejectsFile));
  const written = await ingestFeatures({ inputs, featureGroup, rejectsFile, resume, signal });
  tellOutcome(`written to ${featureGroup.name}`, written);
  if (written.accepted === 0)
    throw new Error(`There is nothing to ask for: no row of ${nameOf(path)} could be written.`);
  const ids = idsWritten(inputs, written.rejectsFile);
  const { rejected } = await publishRequests({ ...publish, source: { ids } });
  return written.rejected === 0 && rejected === 0;
}

function tellOutcome(what: string, { rows, accepted, rejected, rejectsFile, notes }: IngestOutcome): void {
  console.error(`${whole(accepted)} of ${whole(rows)} rows are ${what}.`);
  if (rejectsFile !== undefined) console.error(`${whole(rejected)} are not; ${rejectsFile} says why.`);
  for (const note of notes) console.error(note);
}

/** The ids of all rows but the rejected ones, in their order. */
async function* idsWritten(inputs: Inputs, rejectsFile: string | undefined): AsyncGenerator<string, void, undefined> {
  const rejected = rejectsFile === undefined ? undefined : linesIn(rejectsFile, inputs.rejectColumns[0]);
  try {
    let next = (await rejected?.next())?.value ?? undefined;
    for await (const { features, source } of inputs.rows()) {
      if (source.line !== next) yield features.id;
      else next = (await rejected?.next())?.value ?? undefined;
    }
  } finally {
    await rejected?.return();
  }
}

/** The lines that the rows of a rejects file had in their own, in its order. */
async function* linesIn(rejectsFile: string, column: string): AsyncGenerator<number, void, undefined> {
  const file = await openCsv(rejectsFile);
  try {
    const { valueIn } = columnsOf(rejectsFile, file.header, { required: [column] });
    for await (const row of file.rows()) yield Number(valueIn(row, column));
  } finally {
    await file.close();
  }
}
