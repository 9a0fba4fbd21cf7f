import { createHash } from "node:crypto";
import * as z from "zod";
import type { failureCodes } from "./failure-table";

/** A job's name, which stands as it is in keys of S3 and in addresses. */
export const jobName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

export const jobNameRule =
  "1 to 100 letters, digits, dots, hyphens and underscores, of which the first is a letter or a digit";

/** What the rows of an input are: a record of CSV, or a JSON object as `POST /predict` takes it. */
export const inputFormats = ["csv", "ndjson"] as const;

/** What a result is written in. */
export const resultFormats = ["ndjson", "csv", "parquet"] as const;
export type ResultFormat = (typeof resultFormats)[number];

/** The folders of the answers bucket that jobs have. All lapse after `jobs.keepDays`. */
export const jobFolders = {
  /** Files of rows, a file a job or more. */
  inputs: "inputs/",
  /** A folder of facts a job. */
  jobs: "jobs/",
  /** A folder for each job that has not ended: what functions list, however many have. */
  open: "open/",
  /** A folder a job. */
  results: "results/",
} as const;

/** Rows that are handed over in a call. Whoever makes this job finds them here, written once. */
export const inlineInputKey = (sha256: string) => `${jobFolders.inputs}${sha256}.ndjson`;

/** The facts of a job, each an object that one function writes. Only `cursor`, `counts` and `merge` are written over. */
export const factsOf = (id: string) => ({
  /** What was asked for. By the API, with If-None-Match. */
  request: `${jobFolders.jobs}${id}/request.json`,
  /** That the whole input is sound, and how many rows it has. By the starter. */
  checked: `${jobFolders.jobs}${id}/checked.json`,
  /** Why nothing more comes of it. By the starter or the writer, with If-None-Match. */
  failed: `${jobFolders.jobs}${id}/failed.json`,
  /** That it was cancelled. By the API, with If-None-Match. */
  cancel: `${jobFolders.jobs}${id}/cancel.json`,
  /** How far its rows are sent. By the starter, with If-Match. */
  cursor: `${jobFolders.jobs}${id}/cursor.json`,
  /** How many rows have ended, and how. By the loader, with If-Match. */
  counts: `${jobFolders.jobs}${id}/counts.json`,
  /** How far its result is written. By the writer, with If-Match. */
  merge: `${jobFolders.jobs}${id}/merge.json`,
  /** Its result, whose parts are whole. By the writer, with If-None-Match. */
  manifest: `${jobFolders.results}${id}/manifest.json`,
});

/** That a job has not ended: an empty object that the API writes before `request.json`, and the writer deletes last. */
export const openMark = (id: string) => `${jobFolders.open}${id}/job`;

/** That nothing more of a job is to be asked: an empty object beside, after `cancel.json` or `failed.json`. */
export const stopMark = (id: string) => `${jobFolders.open}${id}/stop`;

/** What a mark says. @returns undefined for a key that is none */
export const parseMark = (key: string): { readonly id: string; readonly mark: "job" | "stop" } | undefined => {
  const [, id, mark] = /^open\/([^/]+)\/(job|stop)$/.exec(key) ?? [];
  return id !== undefined && jobName.test(id) && (mark === "job" || mark === "stop") ? { id, mark } : undefined;
};

const time = z.iso
  .datetime()
  .transform((text) => new Date(text))
  .pipe(z.date());
const count = z.int().min(0);
const version = z.literal(1);

/** The settings of a job: what else than its input makes it another one. */
export const jobSettings = z.strictObject({
  format: z.enum(inputFormats),
  /** What columns are called that are not called as their features, by feature. @default all are */
  columns: z.record(z.string(), z.string()).prefault({}),
  /** Rows that are asked, from the first on. @default all */
  limit: z.int().min(1).optional(),
  /** For whom it is asked: no tenant makes the others wait. @default the job's own */
  tenant: z.string().optional(),
  /** How long it may take, in seconds. @default as long as the queue keeps a message, less a day */
  deadlineSeconds: z.int().min(60),
  result: z.enum(resultFormats).prefault("ndjson"),
});
export type JobSettings = z.output<typeof jobSettings>;

/** `request.json`. */
export const jobRequest = z.object({
  v: version,
  id: z.string().regex(jobName),
  fingerprint: z.string(),
  createdAt: time,
  deadline: time,
  input: z.object({ key: z.string(), etag: z.string(), bytes: count }),
  settings: jobSettings,
});
export type JobRequest = Readonly<z.output<typeof jobRequest>>;

/** `checked.json`. */
export const jobChecked = z.object({
  v: version,
  /** Rows that are asked. */
  rows: count,
  /** Whether rows carry their features. They are looked up where not. */
  carriesFeatures: z.boolean(),
  checkedAt: time,
});
export type JobChecked = Readonly<z.output<typeof jobChecked>>;

/** The most faults that are told of an input. */
export const faultsTold = 100;

/** `failed.json`. */
export const jobFailed = z.object({
  v: version,
  failedAt: time,
  /** Each a sentence, with its line where it is of one. */
  errors: z.array(z.string()).min(1).max(faultsTold),
  /** How many there are beside those. */
  more: count,
});
export type JobFailed = Readonly<z.output<typeof jobFailed>>;

/** `cancel.json`. */
export const jobCancel = z.object({ v: version, cancelledAt: time });
type JobCancel = Readonly<z.output<typeof jobCancel>>;

/** `cursor.json`. */
export const jobCursor = z.object({
  v: version,
  /** Rows before it are sent. The first is 1. */
  next: z.int().min(1),
  /** Where that row starts in the input, in bytes. @default it is compressed: rows are counted from its start */
  offset: count.optional(),
  /** The line that it starts in. */
  line: z.int().min(1),
  /** Until when its holder alone sends. @default nobody does */
  claimedUntil: time.optional(),
});
export type JobCursor = Readonly<z.output<typeof jobCursor>>;

/** How rows have ended. */
const ended = { answered: count, failed: count, expired: count, cancelled: count };
export type Ended = Readonly<Record<keyof typeof ended, number>>;

/** `counts.json`. */
export const jobCounts = z.object({
  v: version,
  ...ended,
  /** Rises with each commit that changes them: counts with a lower one are older. */
  commits: count,
  /** When the first of them ended, and the last. */
  firstAt: time,
  lastAt: time,
  /** Of `failed`, those that may be answered yet: `not_answered` was said before their last delivery, by the minute of that. */
  open: z.array(z.object({ minute: time, count })),
});
export type JobCounts = Readonly<z.output<typeof jobCounts>>;

/** A part of a result: rows in the input's order. */
const part = z.object({
  key: z.string(),
  rows: count,
  bytes: count,
  /** Of the object's bytes, in hexadecimal. */
  sha256: z.string(),
});

/** What became of rows that are written. */
const tally = {
  ...ended,
  /** Of `failed`, rows that the queue lost: they were sent, and it no longer keeps them. */
  lost: count,
  /** Which releases answered. */
  releases: z.array(z.string()),
};
export type Tally = Ended & { readonly lost: number; readonly releases: string[] };

/** `merge.json`. */
export const jobMerge = z.object({
  v: version,
  /** What became of all rows, as it was unloaded under a contract. @default it is not unloaded yet */
  unload: z
    .object({
      folder: z.string(),
      asOf: time,
      contract: z.string(),
      /** The statement that writes it. @default it is written */
      statement: z.string().optional(),
    })
    .optional(),
  /** Parts that are written, whole. */
  parts: z.array(part),
  ...tally,
  /** Where rows start that are in no part. @default all are in one */
  next: z
    .object({
      row: z.int().min(1),
      line: z.int().min(1),
      offset: count,
      /** Outcomes that are of rows before, all or but for the last of them. */
      outcomes: count,
    })
    .optional(),
  /** Until when its holder alone writes. @default nobody does */
  claimedUntil: time.optional(),
});
export type JobMerge = Readonly<z.output<typeof jobMerge>>;

/** `manifest.json`. */
export const jobManifest = z.object({
  v: version,
  id: z.string(),
  outcome: z.enum(["completed", "cancelled", "expired"]),
  format: z.enum(resultFormats),
  rows: count,
  ...tally,
  /** In the input's order. Where rows were erased since, these have fewer. */
  parts: z.array(part),
  /** When rows were erased, and how many: with those of the parts they are `rows`. @default none was */
  erased: z.array(z.object({ at: time, rows: count })).optional(),
  /** The contract's hash: {@link hashOf} its JSON. */
  contract: z.string(),
  /** When the outcomes were read. What comes later is in the table. */
  asOf: time,
  endedAt: time,
});
export type JobManifest = Readonly<z.output<typeof jobManifest>>;

/** All that is known of a job. */
export interface JobFacts {
  readonly request: JobRequest;
  readonly checked?: JobChecked;
  readonly failed?: JobFailed;
  readonly cancel?: JobCancel;
  readonly counts?: JobCounts;
  readonly manifest?: JobManifest;
}

export const jobStates = [
  "validating",
  "in_progress",
  "finalizing",
  "completed",
  "failed",
  "expired",
  "cancelling",
  "cancelled",
] as const;
export type JobState = (typeof jobStates)[number];

/** How many rows of a job there are by what became of them: `total` is their sum. */
export const rowCounts = z.object({
  total: count,
  /** In the file, on the queue, in hand, or staged. */
  waiting: count,
  ...ended,
});
export type RowCounts = Readonly<z.output<typeof rowCounts>>;

/** How rows end, and requests. Each has one fate: its answer, else its first failure. */
export const endings = ["answered", "failed", "expired", "cancelled"] as const satisfies readonly (keyof Ended)[];

/**
 * Counts the rows of a job.
 * @param visibilitySeconds how long the queue hides a message that was received
 * @returns undefined until its input is checked
 */
export const rowCountsOf = (
  { checked, counts, manifest }: JobFacts,
  visibilitySeconds: number,
  now: Date,
): RowCounts | undefined => {
  if (checked === undefined) return undefined;
  const { rows: total } = checked;
  if (manifest !== undefined) {
    const { answered, failed, expired, cancelled } = manifest;
    return { total, waiting: 0, answered, failed, expired, cancelled };
  }
  const since = now.getTime() - 1_000 * visibilitySeconds;
  const open = (counts?.open ?? []).reduce((sum, one) => sum + (one.minute.getTime() > since ? one.count : 0), 0);
  const of = (ending: keyof Ended) => Math.max(0, (counts?.[ending] ?? 0) - (ending === "failed" ? open : 0));
  const [answered = 0, failed = 0, expired = 0, cancelled = 0] = endings.map(of);
  const waiting = Math.max(0, total - answered - failed - expired - cancelled);
  return { total, waiting, answered, failed, expired, cancelled };
};

const sumOf = (numbers: readonly number[]) => numbers.reduce((sum, one) => sum + one, 0);

/**
 * What its facts say of a job's rows that cannot all be so.
 * @returns undefined where all agree
 */
const contradictionOf = ({ checked, counts, manifest }: JobFacts): string | undefined => {
  if (checked === undefined) return undefined;
  const { rows } = checked;
  const ended = sumOf(endings.map((ending) => counts?.[ending] ?? 0));
  if (ended > rows) return `the input has ${rows} rows, and ${ended} are counted to have ended`;
  if (manifest === undefined) return undefined;
  const written = sumOf(endings.map((ending) => manifest[ending]));
  const inParts = sumOf([...manifest.parts, ...(manifest.erased ?? [])].map((some) => some.rows));
  return written === rows && inParts === rows
    ? undefined
    : `the input has ${rows} rows, the result's parts have ${inParts}, and ${written} are counted in it`;
};

/** The state of a job. */
export const stateOf = (facts: JobFacts, visibilitySeconds: number, now: Date): JobState => {
  const { request, failed, cancel, manifest } = facts;
  if (contradictionOf(facts) !== undefined) return "failed";
  if (manifest !== undefined) return manifest.outcome;
  if (failed !== undefined) return "failed";
  if (cancel !== undefined) return "cancelling";
  const counts = rowCountsOf(facts, visibilitySeconds, now);
  if (counts === undefined) return "validating";
  return counts.waiting === 0 || request.deadline <= now ? "finalizing" : "in_progress";
};

/** A hash of a value's JSON, in hexadecimal. */
export const hashOf = (value: unknown): string => createHash("sha256").update(JSON.stringify(value)).digest("hex");

/**
 * What tells a job from another: the content of its input, and its settings. The same file under another key is the same
 * input.
 */
export const fingerprintOf = (input: Pick<JobRequest["input"], "etag" | "bytes">, settings: JobSettings): string => {
  const { format, columns, limit = null, tenant = null, deadlineSeconds, result } = settings;
  const sorted = Object.entries(columns).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return hashOf([input.etag, input.bytes, format, sorted, limit, tenant, deadlineSeconds, result]);
};

/** The name of a job that was given none. */
export const unnamed = (fingerprint: string): string => fingerprint.slice(0, 32);

/**
 * What all ids of a job's requests begin with, a UUID of version 8 but for the row's number
 * (https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-8): the milliseconds of the job's time, and a hash of its name.
 */
export const runOf = ({ id, createdAt }: Pick<JobRequest, "id" | "createdAt">): string => {
  const hash = createHash("sha256").update(id).digest("hex");
  const milliseconds = createdAt.getTime().toString(16).padStart(12, "0");
  return `${milliseconds.slice(0, 8)}-${milliseconds.slice(8)}-8${hash.slice(0, 3)}-8${hash.slice(3, 6)}`;
};

/** The id of the request for a row, the first of which is 1: ids sort as rows do. */
export const requestIdOf = (run: string, row: number): string => `${run}-${row.toString(16).padStart(12, "0")}`;

/** The id of a row's request, as SQL reads a pattern too. */
export const rowPattern = /^([0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3})-([0-9a-f]{12})$/;

/** The run and the row of a request's id. @returns undefined where it is of no job's row */
export const parseRequestId = (requestId: string): { readonly run: string; readonly row: number } | undefined => {
  const [, run, row] = rowPattern.exec(requestId) ?? [];
  return run !== undefined && row !== undefined ? { run, row: Number.parseInt(row, 16) } : undefined;
};

/** Codes that are no failure of a request's: they ring no alarm, and leave no dead letter. */
export const quietCodes: readonly string[] = [
  "expired",
  "cancelled",
  "conflict",
] satisfies (typeof failureCodes)[number][];

/** How rows with a failure's code are counted. */
export const endingOf = (code: string): keyof Ended => (code === "expired" || code === "cancelled" ? code : "failed");

/** The event of EventBridge that a job has ended. */
export const endedEvent = {
  source: "offline-inference",
  detailType: "Job ended",
  detail: z.object({
    jobId: z.string(),
    state: z.enum(jobStates),
    /** @default it has failed, and there is no result */
    manifest: z.object({ url: z.string(), sha256: z.string() }).optional(),
  }),
} as const;

/** A job as the API shows it. */
export interface Job {
  readonly id: string;
  readonly state: JobState;
  readonly createdAt: Date;
  /** @default it has not ended */
  readonly endedAt?: Date;
  readonly deadline: Date;
  readonly input: JobRequest["input"];
  readonly settings: JobSettings;
  /** @default its input is not checked */
  readonly counts?: RowCounts;
  readonly result?: Pick<JobManifest, "format" | "parts" | "asOf"> & {
    readonly manifest: string;
    /** Rows that were answered after the result was written. */
    readonly changedSince: number;
  };
  readonly errors?: readonly string[];
  readonly releases?: readonly string[];
  readonly contract?: string;
  /** @default its input is not checked */
  readonly cost?: JobCost;
}

/** What a job costs, beside what its environment costs at rest: once it has ended that of the rows that were asked. */
export const jobCost = z.object({
  /** US dollars. */
  usd: z.number().min(0),
  /** Whether something in it has no price that is known. */
  isAtLeast: z.boolean(),
});
export type JobCost = Readonly<z.output<typeof jobCost>>;

const costOf = ({ total, ...ended }: RowCounts, isOver: boolean, { usd, isAtLeast }: JobCost): JobCost => {
  const rows = isOver ? ended.answered + ended.failed : total;
  return { usd: Number(((rows * usd) / 1_000_000).toFixed(6)), isAtLeast };
};

/**
 * A job as its facts show it.
 * @param ofMillion what a million rows cost
 */
export const jobOf = (facts: JobFacts, visibilitySeconds: number, ofMillion: JobCost, now: Date): Job => {
  const { request, failed, counts, manifest } = facts;
  const { id, createdAt, deadline, input, settings } = request;
  const contradiction = contradictionOf(facts);
  const rows = rowCountsOf(facts, visibilitySeconds, now);
  const rest = manifest && {
    endedAt: manifest.endedAt,
    result: {
      manifest: factsOf(id).manifest,
      format: manifest.format,
      parts: manifest.parts,
      asOf: manifest.asOf,
      changedSince: Math.max(0, (counts?.answered ?? 0) - manifest.answered),
    },
    releases: manifest.releases,
    contract: manifest.contract,
  };
  return {
    id,
    state: stateOf(facts, visibilitySeconds, now),
    createdAt,
    deadline,
    input,
    settings,
    counts: rows,
    cost: rows && costOf(rows, manifest !== undefined, ofMillion),
    ...(failed && {
      endedAt: failed.failedAt,
      errors: failed.more > 0 ? [...failed.errors, `and ${failed.more} more`] : failed.errors,
    }),
    ...rest,
    ...(contradiction !== undefined && { errors: [contradiction] }),
  };
};
