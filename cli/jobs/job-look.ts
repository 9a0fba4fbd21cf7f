import { jobFolders } from "../../contract/job";
import type { Pipeline } from "../shared/connection";
import { costInWords, whole } from "../shared/numbers";
import { cellOf, textTable } from "../shared/text-table";
import { followJob, hasEnded, inWords } from "./job-follow";
import { type JobsApi, jobJson, type ShownJob, withApi } from "./jobs-api";

const jobsShown = 50;

/** @throws where there is none of that name */
export async function jobNamed(
  { commandFor }: Pipeline,
  api: JobsApi,
  id: string,
  signal: AbortSignal,
): Promise<ShownJob> {
  const job = await api.get(id, signal);
  if (job !== undefined) return job;
  throw new Error(`There is no job ${JSON.stringify(id)} here. All there are: ${commandFor("job list")}`);
}

/** How a job is shown. */
export interface HowToShow {
  /** Waits until it has ended. */
  readonly wait?: boolean;
  /** Prints it for machines. */
  readonly json?: boolean;
}

/**
 * Says how far a job is.
 * @returns whether every row has its prediction
 */
export const showJob = (pipeline: Pipeline, id: string, how: HowToShow, signal: AbortSignal): Promise<boolean> =>
  withApi(pipeline, async (api) => {
    const found = await jobNamed(pipeline, api, id, signal);
    const job = how.wait ? await followJob(pipeline, api, found, signal) : found;
    if (how.json) console.log(jobJson(job));
    else tell(pipeline, job);
    const { counts } = job;
    return counts !== undefined && counts.answered === counts.total && hasEnded(job);
  });

/** Says of a job to people how far it is. */
function tell(pipeline: Pipeline, job: ShownJob): void {
  const { id, state, counts, createdAt, endedAt, deadline, result, cost, errors = [] } = job;
  const isElsewhere = result !== undefined && result.format !== "ndjson"; // a format that only other programs read
  const rows = Object.entries(counts ?? {}).filter(([name, count]) => count > 0 || name === "answered");
  const lines = [
    ["state", state],
    ...rows.map(([name, count]) => [name, whole(count)]),
    ["created", createdAt.toISOString()],
    ...(endedAt === undefined ? [["deadline", deadline.toISOString()]] : [["ended", endedAt.toISOString()]]),
    ...(cost === undefined ? [] : [["cost", costInWords(cost)]]),
    ...(isElsewhere
      ? [["result", `${result.format}, in s3://${pipeline.answers.bucket}/${jobFolders.results}${id}/`]]
      : []),
  ];
  for (const [name = "", value = ""] of lines) console.log(`${name.padEnd(10)} ${value}`);
  for (const error of errors) console.error(error);
  if (result !== undefined) {
    if (result.changedSince > 0) {
      console.error(`${whole(result.changedSince)} rows were answered after the result was written.`);
    }
    if (!isElsewhere) console.error(`Save it: ${pipeline.commandFor(`results --job ${id} --output FILE`)}`);
  }
}

/** Lists the newest jobs. */
export const listJobs = (pipeline: Pipeline, { json }: Pick<HowToShow, "json">, signal: AbortSignal): Promise<void> =>
  withApi(pipeline, async (api) => {
    const page = await api.list(jobsShown, signal);
    if (json) return console.log(jobJson(page));
    const { jobs, next } = page;
    if (jobs.length === 0) {
      console.error("There is no job yet.");
      return;
    }
    const rows = jobs.map(({ id, state, counts, createdAt }) => {
      const words = counts === undefined ? "" : inWords({ state, counts });
      return [cellOf(id, 40), state, words, createdAt.toISOString()];
    });
    console.log(textTable(["job", "state", "rows", "created"], rows));
    if (next !== undefined) console.error(`These are the newest ${jobsShown}; there are more.`);
  });

/** Ends a job. */
export const cancelJob = (
  pipeline: Pipeline,
  id: string,
  { json }: Pick<HowToShow, "json">,
  signal: AbortSignal,
): Promise<void> =>
  withApi(pipeline, async (api) => {
    await jobNamed(pipeline, api, id, signal);
    const job = await api.cancel(id, signal);
    if (json) console.log(jobJson(job));
    console.error(`Nothing more of the job ${id} is asked: ${inWords(job)}.`);
    console.error(`Its result, with every row in it: ${pipeline.commandFor(`results --job ${id} --watch`)}`);
  });
