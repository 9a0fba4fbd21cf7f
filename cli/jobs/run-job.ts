import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline as connected } from "node:stream/promises";
import { csvLine, InvalidCsv, trimmed } from "../../pipeline/csv";
import { FeatureStore } from "../../pipeline/features";
import { checkInputs, openInputs, tellPassedOver } from "../features/feature-rows";
import { ingestFeatures, rejectsOf } from "../features/features-ingest";
import { type ReportOptions, reporting } from "../results/report-facts";
import { failedTo } from "../shared/aws-error";
import type { Connection, Pipeline, Target } from "../shared/connection";
import { type CsvFile, nameOf, withCsv } from "../shared/csv";
import { messageOf } from "../shared/findings";
import { whole } from "../shared/numbers";
import type { OutputFormat } from "../shared/output";
import { progressOf } from "../shared/progress";
import { type Bounds, estimate } from "./estimate";
import { followJob } from "./job-follow";
import { fetchResult } from "./job-result";
import { uploadInput } from "./job-upload";
import { jobJson, withApi } from "./jobs-api";

/** The rows that a job asks about. */
export interface JobRows {
  readonly file: CsvFile;
  /** What columns are called that are not called as their features, by feature. */
  readonly columns: ReadonlyMap<string, string>;
}

export interface RunOptions extends JobRows {
  readonly pipeline: Pipeline;
  /** @default made of the rows and the settings: the same file is the same job */
  readonly job?: string;
  /** Rows that are asked, from the first on. @default all */
  readonly limit?: number;
  readonly tenant?: string;
  /** How long it may take, in seconds. @default the longest there is */
  readonly deadline?: number;
  /** What it may take and cost by the configuration of its environment. @default whatever it does */
  readonly within?: Target & Bounds;
  /** Whether the rows are written to the feature store first. @default they are not */
  readonly ingest?: boolean;
  readonly format: OutputFormat;
  /** @default standard output */
  readonly output?: string;
  /** Whether CSV is written without live formulas. */
  readonly safe: boolean;
  /** The page that is written of it. */
  readonly report: Omit<ReportOptions, "file">;
  /** Whether the job is printed for machines once it has ended. @default it is not */
  readonly json?: boolean;
  readonly signal: AbortSignal;
}

/**
 * Takes the rows of a file all the way to their predictions: a job of the pipeline's own, which goes on without this
 * process. The same rows under the same name are the same job.
 * @returns whether every row has its prediction
 * @throws before anything is asked, when a row is at fault, it cannot be done by the deadline, or costs more than it may
 */
export async function runJob(options: RunOptions): Promise<boolean> {
  const { pipeline, file, columns, limit, within, signal, report: about, ...how } = options;
  if (within === undefined) await checkRows(pipeline, { file, columns }, signal);
  else await foreseen({ pipeline, ...within }, { file, columns }, { limit, ...within }, signal);
  if (options.ingest) await ingest(pipeline, { file, columns }, signal);
  const key = await uploadInput(file, pipeline.answers.bucket, signal);
  return withApi(pipeline, async (api) => {
    const { job: id, tenant, deadline } = options;
    const settings = { format: "csv", columns: Object.fromEntries(columns), limit, tenant, deadline } as const;
    const { job, isNew } = await api.start({ id, input: { key }, ...settings }, signal);
    console.error(isNew ? `The job is ${job.id}.` : `The job ${job.id} was started ${job.createdAt.toISOString()}.`);
    const ended = await followJob(pipeline, api, job, signal);
    if (options.json) console.log(jobJson(ended));
    const report = reporting(pipeline, api, ended, { ...about, file }, signal);
    const isWhole = await fetchResult(pipeline, ended, how, signal, report.add);
    await report.write().then(
      () => console.error(`To look at: ${about.path}`),
      (error: unknown) => {
        signal.throwIfAborted();
        console.error(`There is no report: ${messageOf(error)}`); // the result is there without
      },
    );
    return isWhole;
  });
}

/** Whether a file has a column of any feature. */
const hasFeatures = ({ contract }: Pipeline, { file, columns }: JobRows) => {
  const names = new Set(file.header?.values.map(trimmed));
  return contract.features.some(({ name }) => names.has(columns.get(name) ?? name));
};

/** What would be asked, for people. @throws when a row is at fault, with the first faults */
async function checkRows(pipeline: Pipeline, rows: JobRows, signal: AbortSignal): Promise<number | undefined> {
  const { contract, featureGroup } = pipeline;
  const { file, columns } = rows;
  if (featureGroup !== undefined && !hasFeatures(pipeline, rows)) return undefined; // ids alone: the starter checks them
  const inputs = await openInputs(file, { contract, featureGroup, columns });
  tellPassedOver(inputs);
  const { rows: count, refused, faults, notes } = await checkInputs(inputs, signal);
  if (refused > 0) {
    const told = `${whole(refused)} of ${whole(count)} rows are at fault: nothing is asked.`;
    throw new InvalidCsv([...faults, told].join("\n"));
  }
  for (const note of notes) console.error(note);
  return count;
}

/** How many rows would be asked. Those that are ids alone are counted, and checked by the starter. */
async function rowsOf(pipeline: Pipeline, rows: JobRows, limit: number | undefined, signal: AbortSignal) {
  let count = await checkRows(pipeline, rows, signal);
  if (count === undefined) {
    count = 0;
    for await (const _ of rows.file.rows()) if (count++ === limit) break;
  }
  return Math.min(count, limit ?? count);
}

/**
 * What would be asked, how long that takes and what it costs, in sentences.
 * @param waiting messages that lie on the queue already @default none
 * @throws when a row is at fault, it cannot be done by the deadline, or costs more than it may
 */
export async function foreseen(
  { pipeline, shared, environment }: Connection,
  rows: JobRows,
  { limit, waiting = 0, ...bounds }: Bounds & { readonly limit?: number; readonly waiting?: number },
  signal: AbortSignal,
): Promise<readonly string[]> {
  const count = await rowsOf(pipeline, rows, limit, signal);
  const said = estimate({ rows: count, waiting, shared, environment, ...bounds });
  return [`${whole(count)} would be asked about.`, ...said];
}

async function ingest({ contract, featureGroup }: Pipeline, { file, columns }: JobRows, signal: AbortSignal) {
  if (featureGroup === undefined) {
    throw new Error(
      "This environment has no feature group to write to (`features: false` in config.ts): leave out --ingest.",
    );
  }
  const inputs = await openInputs(file, { contract, featureGroup, columns });
  const rejectsFile = rejectsOf(nameOf(file.name));
  const { accepted, rejected, rows } = await ingestFeatures({ inputs, featureGroup, rejectsFile, signal });
  console.error(`${whole(accepted)} of ${whole(rows)} rows are written to ${featureGroup.name}.`);
  if (rejected > 0) console.error(`${whole(rejected)} are not; ${rejectsFile} says why.`);
}

/** Works with a file of all ids that the feature store has. @throws when there is none */
export async function withAllIds<Result>(
  { featureGroup }: Pipeline,
  signal: AbortSignal,
  work: (file: CsvFile) => Promise<Result>,
): Promise<Result> {
  if (featureGroup === undefined) {
    throw new Error("This environment has no feature group (`features: false` in config.ts): name a file by --csv.");
  }
  const { name, features, recordIdentifier } = featureGroup;
  const store = new FeatureStore({ featureGroupName: name, features, recordIdentifierType: recordIdentifier.type });
  const folder = await mkdtemp(join(tmpdir(), "offline-inference-"));
  const progress = progressOf("ids read");
  try {
    const path = join(folder, "ids.csv");
    let count = 0;
    const lines = async function* () {
      yield csvLine([recordIdentifier.name]);
      for await (const ids of store.list({ signal })) {
        count += ids.length;
        progress.update(count);
        yield ids.map((id) => csvLine([id])).join("");
      }
    };
    await connected(lines, createWriteStream(path), { signal }).catch(
      failedTo(`list the records of the feature group ${name}`, signal),
    );
    progress.stop();
    if (count === 0) throw new Error(`The feature group ${name} has no record.`);
    return await withCsv(path, { delimiter: "," }, work);
  } finally {
    progress.stop();
    await rm(folder, { recursive: true, force: true });
  }
}
