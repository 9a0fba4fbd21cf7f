import { setTimeout } from "node:timers/promises";
import type { JobState } from "../../contract/job";
import type { Pipeline } from "../shared/connection";
import { whole } from "../shared/numbers";
import { ownEscape } from "../shared/printing";
import { type Progress, progressOf } from "../shared/progress";
import { loaderOf, running, writerOf } from "../shared/warehouse";
import type { JobsApi, ShownJob } from "./jobs-api";
import { waitingOn } from "./waiting";

const ends: readonly JobState[] = ["completed", "failed", "expired", "cancelled"];

/** Whether nothing more becomes of a job. */
export const hasEnded = ({ state }: Pick<ShownJob, "state">) => ends.includes(state);

/** How far a job is, in words. */
export function inWords({ state, counts }: Pick<ShownJob, "state" | "counts">): string {
  if (counts === undefined) return state === "failed" ? "failed" : "its input is being checked";
  const { total, answered } = counts;
  const others = (["waiting", "failed", "expired", "cancelled"] as const).flatMap((name) => {
    return counts[name] > 0 ? [`${whole(counts[name])} ${name}`] : [];
  });
  return [`${whole(answered)} of ${whole(total)} answered`, ...others].join(", ");
}

/** What can be done with a job that goes on. */
function howToGoOn({ commandFor }: Pipeline, id: string): string {
  const ways = {
    [commandFor(`job ${id} --wait`)]: "follows it",
    [commandFor(`results --job ${id}`)]: "has its result when it has ended",
    [commandFor(`job cancel ${id}`)]: "ends it",
  };
  const width = Math.max(...Object.keys(ways).map(({ length }) => length));
  return ["The job goes on.", ...Object.entries(ways).map(([way, what]) => `  ${way.padEnd(width)}  ${what}`)].join(
    "\n",
  );
}

const pause = { shortest: 300, longest: 3_000 };

/**
 * Says of a job whose answers are loaded at its end alone whether it may be there: nothing lies on the queue, look after
 * look. After each time that was not the end, twice as many looks tell it.
 */
function mayBeAtEnd(pipeline: Pipeline, signal: AbortSignal): () => Promise<boolean> {
  let [looks, needed] = [0, 2];
  return async () => {
    looks = (await waitingOn(pipeline, signal)) === 0 ? looks + 1 : 0;
    if (looks < needed) return false;
    [looks, needed] = [0, 2 * needed];
    return true;
  };
}

const isOpen = ({ state, counts }: ShownJob) =>
  state === "in_progress" ||
  state === "cancelling" ||
  (state === "finalizing" && counts !== undefined && counts.waiting > 0);

/**
 * Follows a job to its end, however long that is. What can be done sooner than by a schedule is done meanwhile. Where each
 * load wakes the warehouse, one is asked for at the job's end alone.
 */
export async function followJob(
  pipeline: Pipeline,
  api: JobsApi,
  started: ShownJob,
  signal: AbortSignal,
): Promise<ShownJob> {
  const ended = new AbortController();
  const until = AbortSignal.any([signal, ended.signal]);
  const say = (text: string) => {
    if (process.stderr.isTTY) process.stderr.write(`${ownEscape()}[G${ownEscape()}[2K`); // the bar is drawn anew below
    console.error(text);
  };
  const load = running(loaderOf(pipeline), say, until);
  const write = running(writerOf(pipeline), say, until);
  const isOnDemand = "workgroupName" in pipeline.warehouse;
  const isLoadDue = isOnDemand ? mayBeAtEnd(pipeline, until) : async () => true;
  if (isOnDemand && !hasEnded(started))
    say("Its rows are counted once they are loaded, at its end or by the schedule: each load wakes the warehouse.");
  let progress: Progress | undefined;
  let rest = pause.shortest;
  let job = started;
  try {
    while (!hasEnded(job)) {
      if (job.counts !== undefined) {
        progress ??= progressOf("rows", job.counts.total);
        progress.update(job.counts.total - job.counts.waiting);
      }
      if (isOpen(job) && (await isLoadDue())) await load();
      if (job.state === "finalizing" || job.state === "cancelling") await write();
      await setTimeout(rest, undefined, { signal });
      rest = Math.min(pause.longest, rest * 1.2);
      job = (await api.get(job.id, signal)) ?? job;
    }
    return job;
  } catch (error) {
    progress?.stop();
    if (signal.aborted) console.error(`${inWords(job)}.\n${howToGoOn(pipeline, job.id)}`);
    throw error;
  } finally {
    ended.abort();
    progress?.stop();
  }
}
