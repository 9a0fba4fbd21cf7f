import type { Environment } from "../../config";
import { writeWhole } from "../../config/json-file";
import { countedOutput } from "../../contract/counted-answer";
import { runOf } from "../../contract/job";
import { isRowFailure, type ResultRow } from "../../contract/job-result";
import { version } from "../../package.json";
import { columnsOf, type FoundColumns, InvalidCsv, trimmed } from "../../pipeline/csv";
import { endpointInWords } from "../jobs/estimate";
import { jobNamed } from "../jobs/job-look";
import { resultPages } from "../jobs/job-result";
import { type JobsApi, type ShownJob, withApi } from "../jobs/jobs-api";
import { awsError } from "../shared/aws-error";
import type { Connection, Pipeline } from "../shared/connection";
import { type CsvFile, withCsv } from "../shared/csv";
import { resultsOf } from "../shared/warehouse";
import { reportPage } from "./report-page";
import { answerReader, Counted, JobSummary, type Labels } from "./report-summary";

/** What a report is written with. */
export interface ReportOptions {
  /** Where it goes. */
  readonly path: string;
  readonly environment: Environment;
  /** Whether all of it runs on this machine. */
  readonly isLocal: boolean;
  /** The job's own file, which may have a column of labels. @default there are no labels */
  readonly file?: CsvFile;
}

/** A report that is being made: it is shown the rows of the result, and then written. */
export interface Reporting {
  /** Never fails: what goes wrong is told when it is written. */
  add(page: readonly ResultRow[]): Promise<void>;
  /** @throws with what went wrong */
  write(): Promise<void>;
}

/** The most rows of the job before that are read, from the first on: a reader waits for them. */
const mostBefore = 1_000_000;
/** The most spans of time that are counted: a report draws fewer bars. */
const mostSpans = 2_400;
/** How long the warehouse may take to say how long requests waited: one on demand wakes up first. */
const agesMilliseconds = 120_000;
/** The newest jobs, among which the one before is looked for. */
const jobsLooked = 50;

/** Begins the report of a job that has ended. */
export function reporting(
  pipeline: Pipeline,
  api: JobsApi,
  job: ShownJob,
  { path, environment, isLocal, file }: ReportOptions,
  signal: AbortSignal,
): Reporting {
  const { contract, commandFor } = pipeline;
  const { createdAt, endedAt = createdAt, counts, settings } = job;
  const spanSeconds = Math.max(1, Math.ceil((endedAt.getTime() - createdAt.getTime()) / 1_000 / mostSpans));
  const labels = file && labelsIn(file, pipeline, settings);
  const summary = new JobSummary({ contract, rows: counts?.total ?? 0, spanSeconds, labels });
  let failure: unknown;
  return {
    add: async (page) => {
      if (failure !== undefined) return;
      await summary.add(page).catch((error: unknown) => {
        failure = error;
      });
    },
    write: async () => {
      if (failure !== undefined) throw failure;
      const notes: string[] = [];
      const orNote = <Found>(doing: string, finding: Promise<Found>) =>
        finding.catch((error: unknown) => {
          signal.throwIfAborted();
          notes.push(awsError(doing, error).message);
          return undefined;
        });
      const inTime = AbortSignal.any([signal, AbortSignal.timeout(agesMilliseconds)]);
      const selection = { jobId: job.id, requestPrefix: runOf(job) };
      const page = reportPage({
        job,
        summary,
        spanSeconds,
        ages: await orNote(
          "read how long requests waited",
          resultsOf(pipeline).ages(selection, spanSeconds, { signal: inTime }),
        ),
        last: await orNote("read the answers of the job before", lastOf(pipeline, api, job, signal)),
        labelColumn: labels?.column,
        made: madeOf(pipeline, job, environment, isLocal),
        notes,
        commandFor,
      });
      writeWhole(path, page);
    },
  };
}

/**
 * The labels in a job's own file: in the column that is called as the counted answer, or in `label`.
 * @returns undefined where it has neither
 */
function labelsIn(file: CsvFile, { contract, featureGroup }: Pipeline, { columns }: ShownJob["settings"]) {
  const names = file.header?.values.map(trimmed) ?? [];
  const features = contract.features.map(({ name }) => columns[name] ?? name);
  const column = [countedOutput(contract)?.name, "label"].find(
    (name) => name !== undefined && names.includes(name) && !features.includes(name),
  );
  if (column === undefined) return undefined;
  const identifier = featureGroup?.recordIdentifier.name ?? "id";
  const id = columns[identifier] ?? identifier;
  const rows = file.rows();
  let last = 0;
  let found: FoundColumns<string> | undefined;
  const labels: Labels = {
    column,
    of: async (row, expected) => {
      found ??= columnsOf(file.name, file.header, { required: [id, column] });
      let read = await rows.next();
      for (last++; !read.done && last < row; last++) read = await rows.next();
      if (read.done || trimmed(found.valueIn(read.value, id) ?? "") !== trimmed(expected))
        throw new InvalidCsv(`${file.name} is not this job's file, whose row ${row} is ${JSON.stringify(expected)}.`);
      return trimmed(found.valueIn(read.value, column) ?? "") || undefined;
    },
  };
  return labels;
}

/** The answers of the newest job with a result that was made before this one. */
async function lastOf(pipeline: Pipeline, api: JobsApi, job: ShownJob, signal: AbortSignal) {
  for await (const last of jobsWithResult(api, signal, job.createdAt)) {
    if (last.result?.format !== "ndjson") continue;
    const answers = new Counted();
    const answerOf = answerReader(pipeline.contract);
    let read = 0;
    for await (const page of resultPages(pipeline, last, signal)) {
      for (const row of page) if (!isRowFailure(row.fate)) answers.add(answerOf(row));
      read += page.length;
      if (read >= mostBefore) break;
    }
    return { id: last.id, createdAt: last.createdAt, answers };
  }
  return undefined;
}

/** How a job was made, in words. */
function madeOf(
  { contract, answers }: Pipeline,
  { id, createdAt, endedAt, releases = [], input, result, settings }: ShownJob,
  { name, capacity, model }: Environment,
  isLocal: boolean,
): readonly (readonly [string, string])[] {
  const s3 = (key: string) => `s3://${answers.bucket}/${key}`;
  const served = "image" in model && model.image ? [["Image", String(model.image)] as const] : [];
  const { limit, tenant } = settings;
  const asked = [limit && `the first ${limit} rows`, tenant && `for ${tenant}`].filter(Boolean);
  return [
    ["Release", releases.join(", ") || "none is named"],
    ...(isLocal
      ? [["Answered by", "a model on this machine, in the place of the endpoint"] as const]
      : [...served, ["Answered by", endpointInWords(model)] as const]),
    ["Environment", `${name}, ${capacity}`],
    ["Features", contract.features.map(({ name, type }) => `${name} (${type})`).join(", ")],
    ["Asked as", `${contract.request}, answered as ${contract.answer}`],
    ["Outputs", contract.outputs.map(({ name, type }) => `${name} (${type})`).join(", ") || "the whole answer"],
    ["Job", [id, ...asked].join(", ")],
    ["Made", createdAt.toISOString()],
    ...(endedAt ? [["Ended", endedAt.toISOString()] as const] : []),
    ["Input", s3(input.key)],
    ...(result ? [["Result", s3(result.manifest)] as const] : []),
    ["Written", `${new Date().toISOString()} by offline-inference ${version}`],
  ];
}

interface WriteOptions extends Connection, Pick<ReportOptions, "isLocal"> {
  /** @default the newest job with a result */
  readonly id?: string;
  /** The job's own file. */
  readonly labels?: string;
  /** @default the job's name with .report.html */
  readonly output?: string;
}

/** Writes the report of a job that has ended. @returns its path */
export const writeReport = (
  { pipeline, environment, id, labels, output, isLocal }: WriteOptions,
  signal: AbortSignal,
) =>
  withApi(pipeline, async (api) => {
    const job = id === undefined ? await newest(api, signal) : await jobNamed(pipeline, api, id, signal);
    const path = output ?? `${job.id}.report.html`;
    const write = async (file?: ReportOptions["file"]) => {
      if (file && !labelsIn(file, pipeline, job.settings))
        throw new Error(`${file.name} has no column of labels: label, or one that is called as the answer.`);
      const report = reporting(pipeline, api, job, { path, environment, isLocal, file }, signal);
      for await (const page of resultPages(pipeline, job, signal)) await report.add(page);
      await report.write();
      return path;
    };
    return labels === undefined ? write() : withCsv(labels, { signal }, write);
  });

async function newest(api: JobsApi, signal: AbortSignal): Promise<ShownJob> {
  for await (const job of jobsWithResult(api, signal)) return job;
  throw new Error("No job has a result yet.");
}

/** The jobs with a result, the newest first. @param before those that were made before a time @default all */
async function* jobsWithResult(api: JobsApi, signal: AbortSignal, before?: Date) {
  const { jobs } = await api.list(jobsLooked, signal);
  for (const { id } of jobs.filter(({ createdAt }) => before === undefined || createdAt < before)) {
    const job = await api.get(id, signal);
    if (job?.result !== undefined) yield job;
  }
}
