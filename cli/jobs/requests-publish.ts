import { randomUUID } from "node:crypto";
import { createWriteStream, existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { pipeline } from "node:stream/promises";
import { FeatureStore, patienceMilliseconds } from "../../pipeline/features";
import { Patience } from "../../pipeline/flow";
import { faultOf, type NewRequest, RequestQueue } from "../../pipeline/requests";
import { awsError } from "../aws-error";
import type { Pipeline } from "../connection";
import { whole } from "../numbers";
import { progressOf } from "../progress";
import { columnsOf, csvLine, InvalidCsv, readCsv } from "./csv";
import { Journal, journalOf } from "./journal";
import { beforeAnything, type JobOutcome, type JobRow, workThrough } from "./long-job";
import { fileNameOf, receiptFolder, receiptHeader, receiptLine } from "./receipt";

/** Whom requests are for: the rows of a CSV file, or ids as they come. */
export type RequestSource = { readonly csv: string } | { readonly ids: AsyncIterable<string> | Iterable<string> };

/**
 * What a command line names: ids, a file, standard input or all records of the feature store.
 * @throws when one of the ids can be none, with all that are
 */
export function sourceOf(
  ids: readonly string[],
  { csv, all }: { readonly csv?: string; readonly all?: true },
  featureGroup: Pipeline["featureGroup"],
  signal: AbortSignal,
): RequestSource {
  if (csv !== undefined) return { csv };
  if (all) return { ids: allIds(featureGroup, signal) };
  if (ids[0] === "-") return { ids: linesOf(process.stdin) };
  const faults = ids.flatMap((id) => faultOf({ id }) ?? []);
  if (faults.length > 0) throw new Error(faults.join("\n"));
  return { ids };
}

async function* allIds(featureGroup: Pipeline["featureGroup"], signal: AbortSignal) {
  const { name, features, recordIdentifier } = featureGroup;
  const store = new FeatureStore({ featureGroupName: name, features, recordIdentifierType: recordIdentifier.type });
  try {
    for await (const ids of store.list({ signal })) yield* ids;
  } catch (error) {
    throw awsError(`list the records of the feature group ${name}`, error);
  }
}

async function* linesOf(input: NodeJS.ReadableStream) {
  for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) if (line !== "") yield line;
}

export interface PublishOptions {
  readonly source: RequestSource;
  readonly queueUrl: string;
  /** The job of all requests that the source names none for. @default a name made of the time */
  readonly job?: string;
  /** Where the receipt goes. @default receipts/<job>-<run>.csv */
  readonly receiptFile?: string;
  readonly signal: AbortSignal;
}

export interface PublishOutcome extends JobOutcome {
  readonly job: string;
  readonly receiptFile: string;
}

/** Who says what the source does not. Request n of a run is `<run>.<n>`, whenever it is sent. */
interface Naming {
  readonly job: string;
  readonly run: string;
}

const faultsShown = 20;

/**
 * Puts a request on the queue for each id, and keeps a receipt of them.
 * @throws when the source or the queue cannot be used, and when it is interrupted
 */
export async function publishRequests(options: PublishOptions): Promise<PublishOutcome> {
  const { source, queueUrl, signal } = options;
  const naming = namingOf(options.job);
  const receiptFile = options.receiptFile ?? join(receiptFolder, `${fileNameOf(naming.job)}-${naming.run}.csv`);
  await mkdir(dirname(receiptFile), { recursive: true });
  if ("csv" in source) await mustNotBeUnfinished(source.csv, dirname(receiptFile));
  const there = [receiptFile, rejectsFileOf(receiptFile)].find(existsSync);
  if (there !== undefined) throw new Error(`${there} is there already: a receipt is never written over`);
  try {
    return await onFile(source, idsFileOf(receiptFile), signal, async (file) => {
      const { rows } = await beforeAnything(look(file, naming, signal), signal);
      const journal = await Journal.begin(journalOf(receiptFile), {
        source: resolve(file),
        settings: { ...naming, queue: queueUrl },
        outputs: [
          { file: receiptFile, header: receiptHeader },
          { file: rejectsFileOf(receiptFile), header: rejectsHeader },
        ],
      });
      return send(journal, receiptFile, rows, signal);
    });
  } finally {
    const isUnfinished = existsSync(journalOf(receiptFile));
    if (!isUnfinished) await rm(idsFileOf(receiptFile), { force: true });
  }
}

/**
 * Goes on with what did not come to its end. Requests that may be on the queue already go there again under the same
 * request ids: they are the same requests.
 */
export async function resumePublishing(
  receiptFile: string,
  queueUrl: string,
  signal: AbortSignal,
): Promise<PublishOutcome> {
  const journal = await Journal.find(journalOf(receiptFile));
  if (journal === undefined) {
    throw new Error(`There is nothing to resume: ${journalOf(receiptFile)} does not exist`);
  }
  await journal.resume(journal.source, { queue: queueUrl });
  const { rows } = await beforeAnything(look(journal.source, namingIn(journal), signal), signal);
  const outcome = await send(journal, receiptFile, rows, signal);
  await rm(idsFileOf(receiptFile), { force: true });
  return outcome;
}

/** What {@link publishRequests} would do. */
export interface DryRun {
  readonly rows: number;
  readonly refused: number;
  /** Why the first of them would be refused, with their lines. */
  readonly faults: readonly string[];
}

/** Looks at requests as {@link publishRequests} does, and sends none. */
export async function dryRun({
  source,
  job,
  signal,
}: Pick<PublishOptions, "source" | "job" | "signal">): Promise<DryRun> {
  const naming = namingOf(job);
  const folder = await mkdtemp(join(tmpdir(), "requests-"));
  try {
    const { rows, refused, faults } = await onFile(source, join(folder, "ids.csv"), signal, (file) =>
      look(file, naming, signal),
    );
    const where = (fault: Look["faults"][number]) =>
      "csv" in source ? `${source.csv}:${fault.line}` : `input ${fault.number}`;
    return { rows, refused, faults: faults.map((fault) => `${where(fault)}: ${fault.reason}`) };
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A name that no other job has, made of the time. */
export const newJobName = () =>
  `${new Date().toISOString().slice(0, 19).replace(/[T:]/g, "-")}-${randomUUID().slice(0, 4)}`;

function namingOf(job: string | undefined): Naming {
  const run = randomUUID();
  const named = job ?? newJobName();
  const fault = faultOf({ id: "1", jobId: named });
  if (fault !== undefined) throw new Error(`--job: ${fault}`);
  return { job: named, run };
}

const namingIn = ({ settings: { job = "", run = "" } }: Journal): Naming => ({ job, run });
const baseOf = (receiptFile: string) => receiptFile.replace(/\.csv$/, "");
const rejectsFileOf = (receiptFile: string) => `${baseOf(receiptFile)}.rejects.csv`;
const idsFileOf = (receiptFile: string) => `${baseOf(receiptFile)}.ids.csv`;

/** Works with a source as a file. Ids that come otherwise are first put into one. */
async function onFile<Result>(
  source: RequestSource,
  idsFile: string,
  signal: AbortSignal,
  work: (file: string) => Promise<Result>,
): Promise<Result> {
  if ("csv" in source) return work(source.csv);
  const progress = progressOf("ids read");
  let ids = 0;
  const lines = async function* () {
    yield csvLine(["id", "number"]);
    for await (const id of source.ids) {
      yield csvLine([id, String(++ids)]);
      progress.update(ids);
    }
  };
  try {
    await beforeAnything(pipeline(lines, createWriteStream(idsFile), { signal }), signal);
  } finally {
    progress.stop();
  }
  if (ids === 0) throw new Error("There is no id to send a request for.");
  return work(idsFile);
}

/** @throws when an earlier run of the same file can be gone on with */
async function mustNotBeUnfinished(csv: string, folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.endsWith(journalOf(".csv"))) continue;
    const file = join(folder, name);
    const journal = await Journal.find(file);
    if (journal?.source !== resolve(csv)) continue;
    throw new Error(
      `${csv} did not come to its end: ${whole(journal.done.rows)} of its rows are through. Go on with --resume ${file.replace(/\.journal$/, "")}, or delete ${file} to begin again`,
    );
  }
}

interface Look {
  readonly rows: number;
  readonly refused: number;
  readonly faults: readonly { readonly number: number; readonly line: number; readonly reason: string }[];
}

/** Reads all requests once: how many there are, and what is wrong with them. */
async function look(file: string, naming: Naming, signal: AbortSignal): Promise<Look> {
  const progress = progressOf("rows checked");
  const faults: Look["faults"][number][] = [];
  let [rows, refused] = [0, 0];
  try {
    for await (const { number, line, fault } of requestsIn(file, naming)) {
      rows++;
      if (rows % 1_000 === 0) {
        progress.update(rows);
        signal.throwIfAborted();
      }
      if (fault === undefined) continue;
      refused++;
      if (faults.length < faultsShown) faults.push({ number, line, reason: fault });
    }
  } finally {
    progress.stop();
  }
  if (rows === 0) throw new InvalidCsv(`${file}: no row follows the header`);
  return { rows, refused, faults };
}

interface NumberedRequest {
  /** Its place in the source, from 1. */
  readonly number: number;
  readonly line: number;
  readonly request: NewRequest & { readonly requestId: string; readonly jobId: string };
  readonly fault?: string;
}

async function* requestsIn(file: string, { job, run }: Naming): AsyncGenerator<NumberedRequest, void, undefined> {
  const rows = readCsv(file);
  const header = (await rows.next()).value ?? undefined;
  const valueIn = columnsOf(file, header, { required: ["id"], optional: ["request_id", "job_id"] });
  let number = 0;
  for await (const row of rows) {
    number++;
    const request = {
      id: valueIn(row, "id") ?? "",
      requestId: valueIn(row, "request_id") || `${run}.${number}`,
      jobId: valueIn(row, "job_id") || job,
    };
    const fault = faultOf(request);
    yield { number, line: row.line, request, ...(fault !== undefined && { fault }) };
  }
}

const rejectsHeader = csvLine(["id", "request_id", "job_id", "row", "reason"]);

async function* rowsToSend(file: string, naming: Naming): AsyncGenerator<JobRow<NumberedRequest["request"]>> {
  for await (const { number, request, fault } of requestsIn(file, naming)) {
    const { id, requestId, jobId } = request;
    yield {
      ...(fault === undefined ? { item: request } : { fault }),
      characters: id.length,
      rejectLine: (reason) => csvLine([id, requestId, jobId, String(number), reason]),
    };
  }
}

/** Sends what is left of a journal's source. */
async function send(journal: Journal, receiptFile: string, rows: number, signal: AbortSignal): Promise<PublishOutcome> {
  const { queue: queueUrl = "" } = journal.settings;
  const naming = namingIn(journal);
  const queue = new RequestQueue(queueUrl);
  const outcome = await workThrough({
    journal,
    what: "requests",
    total: rows,
    rows: rowsToSend(journal.source, naming),
    rejectsFile: rejectsFileOf(receiptFile),
    work: async (requests, until) => {
      const patience = new Patience(patienceMilliseconds);
      const { refused } = await queue.send(requests, { signal: until }, patience).catch((error: unknown) => {
        throw awsError(`send to the queue ${basename(queueUrl)}`, error);
      });
      const reasons = new Map(refused.map(({ requestId, reason }) => [requestId, reason]));
      for (const request of requests)
        if (!reasons.has(request.requestId)) journal.add(receiptFile, receiptLine(request));
      return requests.map(({ requestId }) => reasons.get(requestId));
    },
    resumeBy: `offline-inference requests publish --resume ${receiptFile}`,
    signal,
  });
  return { ...outcome, job: naming.job, receiptFile };
}
