import type { Connection } from "../connection";
import { withCsv } from "./csv";
import { jobNamed, withApi } from "./job-look";
import { resultPages } from "./job-result";
import type { JobsApi, ShownJob } from "./jobs-api";
import { labelColumnOf, type ReportOptions, reporting } from "./report-facts";

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
      if (file && !labelColumnOf(file, pipeline.contract))
        throw new Error(`${file.name} has no column of labels: label, or one that is called as the answer.`);
      const report = reporting(pipeline, api, job, { path, environment, isLocal, file }, signal);
      for await (const page of resultPages(pipeline, job, signal)) await report.add(page);
      await report.write();
      return path;
    };
    return labels === undefined ? write() : withCsv(labels, { signal }, write);
  });

async function newest(api: JobsApi, signal: AbortSignal): Promise<ShownJob> {
  for (const { id } of (await api.list(50, signal)).jobs) {
    const job = await api.get(id, signal);
    if (job?.result !== undefined) return job;
  }
  throw new Error("No job has a result yet.");
}
