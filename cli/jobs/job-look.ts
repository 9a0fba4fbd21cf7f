import Table from "cli-table3";
import type { FailureGroup, Job, Results } from "../../pipeline/results";
import type { Pipeline } from "../connection";
import { whole } from "../numbers";
import { Following, groupsRead, type Standing } from "./following";
import { receiptsOfJob } from "./job-receipts";
import { cellOf } from "./output";
import { cannot, failedHint, follow, sayWhy } from "./results-print";
import { resultsOf } from "./warehouse";

const jobsShown = 50;

/** How many requests of a job have no answer, for whatever reason. */
const unanswered = ({ failed, expired, cancelled }: Job) => failed + expired + cancelled;

/** How many requests of a job ended a second, over the whole of it. */
function rateOf(job: Job): number {
  const { answered, first, last } = job;
  return (answered + unanswered(job)) / Math.max(1, (last.getTime() - first.getTime()) / 1000);
}

/** How a job stands, where no receipt says how much it is. */
async function lookWithoutReceipts(
  jobId: string,
  job: Job | undefined,
  results: Results,
  signal: AbortSignal,
): Promise<Pick<Standing, "answered" | "failed" | "reasons">> {
  const { answered, failed } = job ? { answered: job.answered, failed: unanswered(job) } : { answered: 0, failed: 0 };
  const reasons = failed === 0 ? [] : await results.groups({ jobId }, groupsRead, { signal });
  return { answered, failed, reasons };
}

/** How many requests failed by their codes, the most frequent first. */
function codesOf(failed: number, reasons: readonly FailureGroup[]): [code: string, count: number][] {
  const codes = new Map<string, number>();
  for (const { code, count } of reasons) codes.set(code, (codes.get(code) ?? 0) + count);
  const others = failed - [...codes.values()].reduce((sum, count) => sum + count, 0);
  const sorted = [...codes].sort(([, one], [, other]) => other - one);
  return others > 0 ? [...sorted, ["others", others]] : sorted;
}

export interface JobOptions {
  /** Receipts that name the job's requests. @default those in `receipts/` */
  readonly receipts?: readonly string[];
  /** Whether to wait until no request waits. */
  readonly wait: boolean;
}

/**
 * Says how far a job is.
 * @returns whether all of its requests are answered, as far as it is known how many they are
 * @throws when there is no such job, or when it is to be waited for and no receipt says how much it is
 */
export async function showJob(
  pipeline: Pipeline,
  jobId: string,
  { receipts, wait }: JobOptions,
  signal: AbortSignal,
): Promise<boolean> {
  const results = resultsOf(pipeline);
  const following = new Following({ results, signal });
  for (const { path, cancelled } of await receiptsOfJob(jobId, receipts))
    await following.add(path, { jobId, cancelled });
  const isKnown = following.asked.size > 0;
  if (wait && !isKnown) {
    throw new Error(
      `How much is the job ${JSON.stringify(jobId)}? No receipt here names a request of it: name one by --receipt.`,
    );
  }

  const look = async () => {
    const goOn = `offline-inference job ${jobId} --wait`;
    const followed = isKnown
      ? await (wait ? follow(pipeline, following, goOn, signal) : following.look(true))
      : undefined;
    const job = await results.job(jobId, { signal });
    const standing = followed ?? (await lookWithoutReceipts(jobId, job, results, signal));
    return { job, ...standing };
  };
  const found: Pick<Standing, "answered" | "failed" | "reasons"> & Partial<Standing> & { job?: Job } =
    await look().catch(cannot(`look at the job ${JSON.stringify(jobId)}`, signal));

  const { job, answered, failed, reasons, total, waiting = 0, cancelled = 0 } = found;
  if (total === undefined && job === undefined) {
    throw new Error(
      `There is no job ${JSON.stringify(jobId)} here: none of its requests is answered or has failed, and no receipt names one.`,
    );
  }
  const rate = job === undefined ? 0 : rateOf(job);
  const lines = [
    ["answered", whole(answered)],
    ["failed", whole(failed)],
    ...codesOf(failed, reasons).map(([code, count]) => [`  ${code}`, whole(count)]),
    ...(total === undefined ? [] : [["waiting", whole(waiting)]]),
    ...(cancelled > 0 ? [["cancelled", whole(cancelled)]] : []),
    ...(total === undefined ? [] : [["total", whole(total)]]),
    ...(job ? [["first", job.first.toISOString()]] : []),
    ...(job ? [["last", job.last.toISOString()]] : []),
    ...(rate > 0 ? [["rate", `${rate < 10 ? rate.toFixed(1) : whole(Math.round(rate))}/s from first to last`]] : []),
    ...(rate > 0 && waiting > 0 ? [["time left", `${whole(Math.ceil(waiting / rate))} s at that rate`]] : []),
  ];
  for (const [name = "", value = ""] of lines) console.log(`${name.padEnd(10)} ${value}`);

  const others = (job?.answered ?? 0) - answered;
  if (total === undefined) {
    console.error("How many wait is not known here: no receipt names a request of this job. Name one by --receipt.");
  } else if (others > 0) {
    console.error(`The job has ${whole(others)} more predictions, of requests that no receipt here names.`);
  }
  if (failed > 0) {
    sayWhy(reasons);
    console.error(failedHint);
  }
  return failed + waiting + cancelled === 0;
}

/** Lists the jobs of which a request has ended, the latest first. */
export async function listJobs(pipeline: Pipeline, signal: AbortSignal): Promise<void> {
  const jobs = await resultsOf(pipeline)
    .jobs(jobsShown + 1, { signal })
    .catch(cannot("list the jobs", signal));
  if (jobs.length === 0) {
    console.error("No request of a job is answered or has failed.");
    return;
  }
  const table = new Table({
    head: ["job", "answered", "failed", "first", "last"],
    style: { head: [], border: [], compact: true },
  });
  for (const job of jobs.slice(0, jobsShown)) {
    const { jobId, answered, first, last } = job;
    table.push([cellOf(jobId, 40), whole(answered), whole(unanswered(job)), first.toISOString(), last.toISOString()]);
  }
  console.log(table.toString());
  if (jobs.length > jobsShown) console.error(`These are the latest ${jobsShown}; there are more.`);
}
