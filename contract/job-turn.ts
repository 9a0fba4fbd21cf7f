import type { StagedObject } from "./answers-bucket";
import { type JobFacts, rowCountsOf, runOf } from "./job";

/** How long after a stop mark was put a worker may not have seen it yet, in seconds. */
const stopSeenSeconds = 10;

/** By how much the clocks of S3 and of functions may be apart, in seconds; assumed. S3 also cuts to the second. */
const skewSeconds = 5;

/** What is looked at, beside a job's facts, to know whose turn it is. */
export interface Surroundings {
  /** When the job's stop mark was put, as S3 says. @default it has none */
  readonly stoppedAt?: Date;
  /** All outcomes that wait to be loaded. They were listed before the table is read. */
  readonly staged: readonly StagedObject[];
  /** How long the queue hides a message that was received. */
  readonly visibilitySeconds: number;
  /** The longest that a run of the worker takes. */
  readonly workerSeconds: number;
  readonly now: Date;
}

/**
 * From when on no call of a job is under way, whose outcome is not staged: workers have begun none after its deadline, or
 * after they saw that it was stopped.
 */
const quietSince = ({ request, cancel }: JobFacts, { stoppedAt, workerSeconds }: Surroundings): Date => {
  const stopped =
    cancel === undefined || stoppedAt === undefined
      ? Number.POSITIVE_INFINITY
      : Math.max(cancel.cancelledAt.getTime(), stoppedAt.getTime()) + 1_000 * stopSeenSeconds;
  return new Date(Math.min(stopped, request.deadline.getTime()) + 1_000 * (workerSeconds + skewSeconds));
};

/** Whether a staged object may hold outcomes of a run: its ids begin with the run's time. */
const mayHold = ({ range }: StagedObject, run: string) =>
  range === undefined || (range[0] <= run.slice(0, 8) && run.slice(0, 8) <= range[1]);

/**
 * What is to be done for a job that has not ended.
 * - `wait`: rows of it are asked, or outcomes of them are not in the table.
 * - `write`: its result. Every answer that it was billed for is in the table.
 * - `end`: it has its result, or never gets one. That is to be told.
 */
export type Turn = "wait" | "write" | "end";

export const turnOf = (facts: JobFacts, around: Surroundings): Turn => {
  const { request, failed, manifest } = facts;
  if (manifest !== undefined || failed !== undefined) return "end";
  const { now, staged, visibilitySeconds } = around;
  if (rowCountsOf(facts, visibilitySeconds, now)?.waiting === 0) return "write";
  const quiet = quietSince(facts, around);
  const run = runOf(request);
  const isLoaded = staged.every((object) => object.writtenAt > quiet || !mayHold(object, run));
  return now > quiet && isLoaded ? "write" : "wait";
};
