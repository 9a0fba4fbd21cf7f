import * as z from "zod";
import { countField, nothing, textField, timeField } from "../contract/columns";
import { factsOf, type JobCounts, jobCounts, jobName, jobRequest, runOf } from "../contract/job";
import type { Until } from "./clients";
import { backOff, limiter } from "./flow";
import type { Jobs } from "./jobs";

/** A row that a load reads of `prediction_jobs`, with a minute of those in which rows were not answered. */
export const runRow = z
  .tuple([
    textField,
    textField,
    countField,
    countField,
    countField,
    countField,
    countField,
    timeField,
    timeField,
    z.union([timeField, nothing]),
    z.union([countField, nothing]),
  ])
  .transform(([jobId, run, answered, failed, expired, cancelled, commits, firstAt, lastAt, minute, count]) => {
    const v = 1 as const;
    const open = minute === undefined || count === undefined ? [] : [{ minute, count }];
    return { jobId, run, counts: { v, answered, failed, expired, cancelled, commits, firstAt, lastAt, open } };
  });

/** What the warehouse counts of the rows of a job. */
type RunCounts = z.output<typeof runRow>;

/** The same with all minutes of a run in one. */
const runsIn = (rows: readonly RunCounts[]): RunCounts[] => {
  const runs = new Map<string, RunCounts>();
  for (const row of rows) {
    const key = row.run + row.jobId;
    const open = [...(runs.get(key)?.counts.open ?? []), ...row.counts.open];
    runs.set(key, { ...row, counts: { ...row.counts, open } });
  }
  return [...runs.values()];
};

/** Jobs whose counts are written at once. */
const jobsAtOnce = 8;

/**
 * Writes how rows of jobs have ended, unless it is written already, or something newer is. Requests that others sent
 * under the name of a job are none of its rows.
 * @throws when some is not written, after all else is
 */
export const writeCounts = async (
  jobs: Pick<Jobs, "read" | "replace">,
  rows: readonly RunCounts[],
  until: Until,
): Promise<void> => {
  const some = limiter(jobsAtOnce);
  const written = await Promise.allSettled(runsIn(rows).map((run) => some(() => write(jobs, run, until))));
  for (const one of written) if (one.status === "rejected") throw one.reason;
};

const write = async (jobs: Pick<Jobs, "read" | "replace">, { jobId, run, counts }: RunCounts, until: Until) => {
  if (!jobName.test(jobId)) return;
  const keys = factsOf(jobId);
  const request = await jobs.read(keys.request, orNone(jobRequest), until);
  if (request?.value === undefined || runOf(request.value) !== run) return;
  for (let attempt = 1; ; attempt++) {
    const stored = await jobs.read(keys.counts, orNone(jobCounts), until);
    if (isWritten(stored?.value, counts)) return;
    if ((await jobs.replace(keys.counts, counts, stored?.etag, until)) !== undefined) return;
    await backOff(Math.min(attempt, 5), until.signal);
  }
};

const isWritten = (stored: JobCounts | undefined, { commits }: JobCounts) =>
  stored !== undefined && stored.commits >= commits;

/** What is no such thing counts as nothing: what others put there keeps no outcome from being loaded. */
const orNone = <Schema extends z.ZodType>(schema: Schema) => schema.optional().catch(undefined);
