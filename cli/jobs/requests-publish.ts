import { randomUUID } from "node:crypto";
import { createWriteStream, existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { pipeline } from "node:stream/promises";
import { z } from "zod";
import { whileHolding } from "../../config/file-lock";
import { jsonObjectOf } from "../../contract/feature-values";
import type { Feature } from "../../contract/model-contract";
import { type CsvRow, columnsOf, csvLine, InvalidCsv, placeOf, trimmed } from "../../pipeline/csv";
import { FeatureStore, patienceMilliseconds } from "../../pipeline/features";
import { Patience } from "../../pipeline/flow";
import { newId } from "../../pipeline/ids";
import { faultOf, type NewRequest, RequestQueue } from "../../pipeline/requests";
import { awsError } from "../aws-error";
import type { Pipeline } from "../connection";
import { whole } from "../numbers";
import { progressOf } from "../progress";
import { type CsvFile, withCsv } from "./csv";
import { type InputRow, type InputRules, Notes, openInputs, reasonOf, tellPassedOver } from "./feature-rows";
import { Journal, journalOf } from "./journal";
import { beforeAnything, type JobOutcome, type JobRow, workThrough } from "./long-job";
import { fileNameOf, receiptFolder, receiptHeader, receiptLine } from "./receipt";
import { Seen } from "./seen";

/** Whom requests are for: the rows of a CSV file, or ids as they come. */
export type RequestSource = { readonly csv: CsvFile } | { readonly ids: AsyncIterable<string> | Iterable<string> };

/**
 * What a command line names besides a file: ids, standard input or all records of the feature store.
 * @throws when one of the ids can be none, with all that are, and when there is no feature store that knows them
 */
export function sourceOf(
  ids: readonly string[],
  all: boolean,
  featureGroup: Pipeline["featureGroup"] | undefined,
  signal: AbortSignal,
): RequestSource {
  if (featureGroup === undefined) {
    throw new Error(
      "This environment has no feature group (`features: false` in config.ts): requests carry their features, so name a file of them by --csv.",
    );
  }
  if (all) return { ids: allIds(featureGroup, signal) };
  if (ids[0] === "-") return { ids: linesOf(process.stdin) };
  const faults = ids.flatMap((id) => faultOf({ id }) ?? []);
  if (faults.length > 0) throw new Error(faults.join("\n"));
  return { ids };
}

async function* allIds(featureGroup: NonNullable<Pipeline["featureGroup"]>, signal: AbortSignal) {
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
  /** What the source is read by. */
  readonly rules: InputRules;
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
  /** What is told of the source, and is no fault. */
  readonly notes: readonly string[];
}

/** Who says what the source does not. Request n of a run is `<run>.<n>`, whenever it is sent; the run begins with its time. */
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
  const rules = rulesOf(source, options.rules);
  const naming = namingOf(options.job);
  const receiptFile = options.receiptFile ?? join(receiptFolder, `${fileNameOf(naming.job)}-${naming.run}.csv`);
  await mkdir(dirname(receiptFile), { recursive: true });
  return whileHolding(journalOf(receiptFile), async () => {
    if ("csv" in source) await mustNotBeUnfinished(source.csv, dirname(receiptFile));
    const there = [receiptFile, rejectsFileOf(receiptFile)].find(existsSync);
    if (there !== undefined) throw new Error(`${there} is there already: a receipt is never written over`);
    try {
      return await onFile(source, idsFileOf(receiptFile), signal, async (file) => {
        const requests = await openRequests(file, naming, rules);
        requests.tellPassedOver();
        const { rows, notes } = await beforeAnything(look(requests, signal), signal);
        const journal = await Journal.begin(journalOf(receiptFile), {
          source: file.identity,
          settings: {
            ...naming,
            queue: queueUrl,
            columns: JSON.stringify([...rules.columns]),
            delimiter: file.delimiter,
          },
          outputs: [
            { file: receiptFile, header: receiptHeader },
            { file: rejectsFileOf(receiptFile), header: requests.rejectsHeader },
          ],
        });
        return { ...(await send(journal, requests, receiptFile, rows, signal)), notes };
      });
    } finally {
      const isUnfinished = existsSync(journalOf(receiptFile));
      if (!isUnfinished) await rm(idsFileOf(receiptFile), { force: true });
    }
  });
}

/**
 * Goes on with what did not come to its end. Requests that may be on the queue already go there again under the same
 * request ids: they are the same requests.
 */
export function resumePublishing(
  receiptFile: string,
  { queueUrl, contract, featureGroup }: Pick<Pipeline, "queueUrl" | "contract" | "featureGroup">,
  signal: AbortSignal,
): Promise<PublishOutcome> {
  return whileHolding(journalOf(receiptFile), async () => {
    const journal = await Journal.find(journalOf(receiptFile));
    if (journal === undefined) {
      throw new Error(`There is nothing to resume: ${journalOf(receiptFile)} does not exist`);
    }
    const { delimiter } = journal.settings;
    const columns = new Map(columnsSchema.parse(JSON.parse(journal.settings.columns ?? "[]")));
    const outcome = await withCsv(journal.source, { delimiter, signal }, async (file) => {
      await journal.resume(file.identity, { queue: queueUrl });
      const requests = await openRequests(file, namingIn(journal), { contract, featureGroup, columns });
      const { rows, notes } = await beforeAnything(look(requests, signal), signal);
      return { ...(await send(journal, requests, receiptFile, rows, signal)), notes };
    });
    await rm(idsFileOf(receiptFile), { force: true });
    return outcome;
  });
}

const columnsSchema = z.array(z.tuple([z.string(), z.string()]));

/** What {@link publishRequests} would do. */
export interface DryRun {
  readonly rows: number;
  readonly refused: number;
  /** Why the first of them would be refused, with their places. */
  readonly faults: readonly string[];
  readonly notes: readonly string[];
}

/** Looks at requests as {@link publishRequests} does, and sends none. */
export async function dryRun({
  source,
  rules: given,
  job,
  signal,
}: Pick<PublishOptions, "source" | "rules" | "job" | "signal">): Promise<DryRun> {
  const rules = rulesOf(source, given);
  const naming = namingOf(job);
  const folder = await mkdtemp(join(tmpdir(), "requests-"));
  try {
    return await onFile(source, join(folder, "ids.csv"), signal, async (file) => {
      const requests = await openRequests(file, naming, rules);
      requests.tellPassedOver();
      const { rows, refused, faults, notes } = await look(requests, signal);
      const where = ({ number, place }: Look["faults"][number]) =>
        "csv" in source ? `${source.csv.name}:${place}` : `input ${number}`;
      return { rows, refused, notes, faults: faults.map((fault) => `${where(fault)}: ${fault.reason}`) };
    });
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A name that no other job has, made of the time. */
export const newJobName = () =>
  `${new Date().toISOString().slice(0, 19).replace(/[T:]/g, "-")}-${randomUUID().slice(0, 4)}`;

function namingOf(job: string | undefined): Naming {
  const run = newId();
  const named = job ?? newJobName();
  const fault = faultOf({ id: "1", jobId: named });
  if (fault !== undefined) throw new Error(`--job: ${fault}`);
  return { job: named, run };
}

const namingIn = ({ settings: { job = "", run = "" } }: Journal): Naming => ({ job, run });
const baseOf = (receiptFile: string) => receiptFile.replace(/\.csv$/, "");
const rejectsFileOf = (receiptFile: string) => `${baseOf(receiptFile)}.rejects.csv`;
const idsFileOf = (receiptFile: string) => `${baseOf(receiptFile)}.ids.csv`;

/** What a source is read by: ids that are put into a file here have the columns of that. */
const rulesOf = (source: RequestSource, rules: InputRules): InputRules =>
  "csv" in source ? rules : { ...rules, columns: new Map() };

/** Works with a source as a file that stays. What comes by a pipe, and ids, are first put into one. */
async function onFile<Result>(
  source: RequestSource,
  idsFile: string,
  signal: AbortSignal,
  work: (file: CsvFile) => Promise<Result>,
): Promise<Result> {
  if ("csv" in source) {
    const { csv } = source;
    if (!csv.isPipe) return work(csv);
    await csv.copyTo(idsFile);
    return withCsv(idsFile, { delimiter: csv.delimiter }, work);
  }
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
  return withCsv(idsFile, {}, work);
}

/** @throws when an earlier run of the same file can be gone on with */
async function mustNotBeUnfinished(csv: CsvFile, folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.endsWith(journalOf(".csv"))) continue;
    const file = join(folder, name);
    const journal = await Journal.find(file);
    if (journal?.source !== csv.identity.file) continue;
    throw new Error(
      `${csv.name} did not come to its end: ${whole(journal.done.rows)} of its rows are through. Go on with --resume ${file.replace(/\.journal$/, "")}, or delete ${file} to begin again`,
    );
  }
}

interface Look {
  readonly rows: number;
  readonly refused: number;
  readonly faults: readonly { readonly number: number; readonly place: string; readonly reason: string }[];
  readonly notes: readonly string[];
}

/** Reads all requests once: how many there are, and what is wrong with them. */
async function look({ file, rules, requests }: Requests, signal: AbortSignal): Promise<Look> {
  const progress = progressOf("rows checked");
  const faults: Look["faults"][number][] = [];
  const notes = rules.featureGroup === undefined ? new Notes(rules) : undefined;
  let [rows, refused] = [0, 0];
  try {
    for await (const { number, source, input, fault } of requests()) {
      rows++;
      if (rows % 1_000 === 0) {
        progress.update(rows);
        signal.throwIfAborted();
      }
      if (fault === undefined) {
        if (input !== undefined) notes?.look(input);
        continue;
      }
      refused++;
      if (faults.length < faultsShown)
        faults.push({ number, place: placeOf(source, fault.value), reason: fault.reason });
    }
  } finally {
    progress.stop();
  }
  if (rows === 0) throw new InvalidCsv(`${file.name}: no row follows the header`);
  return { rows, refused, faults, notes: notes?.lines() ?? [] };
}

interface NumberedRequest {
  /** Its place in the source, from 1. */
  readonly number: number;
  readonly source: CsvRow;
  /** The row as an input, where the request carries its features. */
  readonly input?: InputRow;
  readonly request: NewRequest & { readonly requestId: string; readonly jobId: string };
  /** All that is wrong with it, and where the first of that is. */
  readonly fault?: { readonly value: number; readonly reason: string };
}

/** A file of requests, whose header is right. */
interface Requests {
  readonly file: CsvFile;
  readonly rules: InputRules;
  requests(): AsyncGenerator<NumberedRequest, void, undefined>;
  tellPassedOver(): void;
  readonly rejectsHeader: string;
  rejectLine(request: NumberedRequest, reason: string): string;
}

/** Opens a file of requests: of ids, or of whole inputs where there is no feature store. @throws as {@link openInputs} */
async function openRequests(file: CsvFile, naming: Naming, rules: InputRules): Promise<Requests> {
  const also = ["request_id", "job_id"] as const;
  if (rules.featureGroup === undefined) {
    const inputs = await openInputs(file, { ...rules, also });
    return {
      file,
      rules,
      requests: () =>
        numbered(
          inputs.rows(),
          naming,
          (row) => also.map((column) => inputs.alsoIn(row, column)),
          rules.contract.features,
        ),
      tellPassedOver: () => tellPassedOver(inputs),
      rejectsHeader: inputs.rejectsHeader,
      rejectLine: ({ source }, reason) => inputs.rejectLine(source, reason),
    };
  }
  const { name } = rules.featureGroup.recordIdentifier;
  const isThere = (column: string) => file.header?.values.some((value) => trimmed(value) === column) ?? false;
  const id = rules.columns.get(name) ?? (!isThere("id") && isThere(name) ? name : "id");
  const found = columnsOf(file.name, file.header, { required: [id], optional: also });
  const rows = async function* (): AsyncGenerator<InputRow> {
    for await (const source of file.rows()) {
      const given = found.valueIn(source, id) ?? "";
      yield { features: { id: given, values: [] }, key: given, faults: [], source };
    }
  };
  return {
    file,
    rules,
    requests: () => numbered(rows(), naming, (row) => also.map((column) => found.valueIn(row, column))),
    tellPassedOver: () => tellPassedOver({ file, passedOver: found.others.filter((column) => !ours.includes(column)) }),
    rejectsHeader: csvLine(["id", ...also, "row", "reason"]),
    rejectLine: ({ request: { id: input, requestId, jobId }, number }, reason) =>
      csvLine([input, requestId, jobId, String(number), reason]),
  };
}

/** Columns of files that this program wrote itself. */
const ours = ["number", "row", "reason", "code", "requested_at", "body"];

/**
 * Makes a request of each row. One whose request id stands for another request already is refused.
 * @param carried the features that requests carry @default they carry none
 */
async function* numbered(
  rows: AsyncIterable<InputRow>,
  { job, run }: Naming,
  namesIn: (row: CsvRow) => readonly (string | undefined)[],
  carried?: readonly Feature[],
): AsyncGenerator<NumberedRequest, void, undefined> {
  let seen: Seen | undefined;
  let number = 0;
  for await (const input of rows) {
    number++;
    const { features, source } = input;
    const [named, jobId] = namesIn(source);
    const { id, values } = features;
    const request = {
      id,
      requestId: named || `${run}.${number}`,
      jobId: jobId || job,
      ...(carried && { features: jsonObjectOf(carried, values) }),
    };
    const faults = [...input.faults];
    const fault = faultOf(request);
    if (fault !== undefined && !faults.some(({ reason }) => fault.includes(reason)))
      faults.push({ value: 0, reason: fault });
    if (named && faults.length === 0) {
      seen ??= new Seen();
      const earlier = seen.add(named, JSON.stringify([id, request.jobId, values]), source.line);
      if (earlier?.isSame === false) {
        const reason = `request_id ${JSON.stringify(named)} stands for another request in line ${earlier.line}: another input or job`;
        faults.push({ value: 0, reason });
      }
    }
    yield {
      number,
      source,
      ...(carried && { input }),
      request,
      ...(faults[0] && { fault: { value: faults[0].value, reason: reasonOf({ faults }) ?? "" } }),
    };
  }
}

async function* rowsToSend({ requests, rejectLine }: Requests): AsyncGenerator<JobRow<NumberedRequest["request"]>> {
  for await (const row of requests()) {
    const { request, source, fault } = row;
    yield {
      ...(fault === undefined ? { item: request } : { fault: fault.reason }),
      characters: source.text.length,
      rejectLine: (reason) => rejectLine(row, reason),
    };
  }
}

/** Sends what is left of a journal's source. */
async function send(
  journal: Journal,
  source: Requests,
  receiptFile: string,
  rows: number,
  signal: AbortSignal,
): Promise<Omit<PublishOutcome, "notes">> {
  const { queue: queueUrl = "" } = journal.settings;
  const naming = namingIn(journal);
  const queue = new RequestQueue(queueUrl);
  const outcome = await workThrough({
    journal,
    what: "requests",
    total: rows,
    rows: rowsToSend(source),
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
