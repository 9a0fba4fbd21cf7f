import Table from "cli-table3";
import { DeadLetters, type LyingLetter } from "../../pipeline/dead-letters";
import type { JobFigures, Results } from "../../pipeline/results";
import type { Pipeline } from "../connection";
import { whole } from "../numbers";
import { FailureGroups, Following, type Standing } from "./following";
import { receiptsOfJob } from "./job-receipts";
import { cellOf } from "./output";
import { cannot, failedHint, follow, sayWhy, withoutAnswered } from "./results-print";
import { resultsOf } from "./warehouse";

const recentMilliseconds = 60_000;
const jobsShown = 50;

/** How many predictions a second there were of late; none where there were none. */
function rateOf({ recent, first, last }: JobFigures): number {
  if (recent === 0 || first === undefined || last === undefined) return 0;
  const since = Math.max(first.getTime(), Date.now() - recentMilliseconds);
  return recent / Math.max(1, (Date.now() - since) / 1000);
}

/** How a job stands, where no receipt says how much it is. */
async function lookWithoutReceipts(
  jobId: string,
  figures: JobFigures,
  results: Results,
  deadLetters: DeadLetters,
  signal: AbortSignal,
): Promise<Pick<Standing, "done" | "failed" | "reasons">> {
  const groups = new FailureGroups();
  const visit = (letters: readonly LyingLetter[]) => {
    for (const letter of letters) if (letter.jobId === jobId && letter.requestId !== undefined) groups.add(letter);
  };
  await deadLetters.look(visit, { signal });
  const reasons = await withoutAnswered(groups, results, signal);
  return { done: figures.predictions, failed: reasons.reduce((sum, { requests }) => sum + requests.size, 0), reasons };
}

export interface JobOptions {
  /** Receipts that name the job's requests. @default those in `receipts/` */
  readonly receipts?: readonly string[];
  /** Whether to wait until no request waits. */
  readonly wait: boolean;
}

/**
 * Says how far a job is.
 * @returns whether all of its requests are done, as far as it is known how many they are
 * @throws when there is no such job, or when it is to be waited for and no receipt says how much it is
 */
export async function showJob(
  pipeline: Pipeline,
  jobId: string,
  { receipts, wait }: JobOptions,
  signal: AbortSignal,
): Promise<boolean> {
  const results = resultsOf(pipeline);
  const deadLetters = new DeadLetters(pipeline.deadLetterQueueUrl);
  const following = new Following({ results, deadLetters, signal });
  for (const { path, cancelled } of await receiptsOfJob(jobId, receipts))
    await following.add(path, { jobId, cancelled });
  const isKnown = following.asked.size > 0;
  if (wait && !isKnown) {
    throw new Error(
      `How much is the job ${JSON.stringify(jobId)}? No receipt here names a request of it: name one by --receipt.`,
    );
  }

  const figuresOf = () => results.figuresOfJob(jobId, new Date(Date.now() - recentMilliseconds), { signal });
  const look = async () => {
    if (!isKnown) {
      const figures = await figuresOf();
      return { figures, ...(await lookWithoutReceipts(jobId, figures, results, deadLetters, signal)) };
    }
    const standing: Standing = wait
      ? await follow(following, `offline-inference job ${jobId} --wait`)
      : await following.look(true);
    return { figures: await figuresOf(), ...standing };
  };
  const found: Pick<Standing, "done" | "failed" | "reasons"> & Partial<Standing> & { figures: JobFigures } =
    await look().catch(cannot(`look at the job ${JSON.stringify(jobId)}`, signal));

  const { figures, done, failed, reasons, total, waiting = 0, cancelled = 0 } = found;
  if (total === undefined && done + failed === 0) {
    throw new Error(
      `Nobody knows a job ${JSON.stringify(jobId)}: it has no prediction, no dead letter, and no receipt here.`,
    );
  }
  const rate = rateOf(figures);
  const seconds = Math.ceil(waiting / rate);
  const others = figures.predictions - done;
  const lines = [
    ["done", whole(done)],
    ...(total === undefined ? [] : [["waiting", whole(waiting)]]),
    ["failed", whole(failed)],
    ...(cancelled > 0 ? [["cancelled", whole(cancelled)]] : []),
    ...(total === undefined ? [] : [["total", whole(total)]]),
    ...(figures.first ? [["first", figures.first.toISOString()]] : []),
    ...(figures.last ? [["last", figures.last.toISOString()]] : []),
    ...(rate > 0 ? [["rate", `${rate < 10 ? rate.toFixed(1) : whole(Math.round(rate))}/s in the last minute`]] : []),
    ...(rate > 0 && waiting > 0 ? [["time left", `${whole(seconds)} s`]] : []),
  ];
  for (const [name = "", value = ""] of lines) console.log(`${name.padEnd(10)} ${value}`);

  if (total === undefined) {
    console.error("How many wait is not known here: no receipt names a request of this job. Name one by --receipt.");
  } else if (others > 0) {
    console.error(`The job has ${whole(others)} more predictions, of requests that no receipt here names.`);
  }
  if (waiting > 0 && rate === 0) console.error("There was no prediction in the last minute.");
  if (failed > 0) {
    sayWhy(reasons);
    console.error(failedHint);
  }
  return failed + waiting + cancelled === 0;
}

/** Lists the jobs that have predictions, the latest first. */
export async function listJobs(pipeline: Pipeline, signal: AbortSignal): Promise<void> {
  const jobs = await resultsOf(pipeline)
    .jobs(jobsShown + 1, { signal })
    .catch(cannot("list the jobs", signal));
  if (jobs.length === 0) {
    console.error("No job has a prediction.");
    return;
  }
  const table = new Table({
    head: ["job", "done", "first", "last"],
    style: { head: [], border: [], compact: true },
  });
  for (const { jobId, predictions, first, last } of jobs.slice(0, jobsShown)) {
    table.push([cellOf(jobId), whole(predictions), first.toISOString(), last.toISOString()]);
  }
  console.log(table.toString());
  if (jobs.length > jobsShown) console.error(`These are the latest ${jobsShown}; there are more.`);
}
