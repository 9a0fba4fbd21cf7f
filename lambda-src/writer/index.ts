import type { Context } from "aws-lambda";
import * as z from "zod";
import { writerEnvironment } from "../../contract/environment";
import { within } from "../../pipeline/clients";
import { Events } from "../../pipeline/events";
import { InputFiles } from "../../pipeline/input-file";
import { JobOutcomes } from "../../pipeline/job-outcomes";
import { JobResults } from "../../pipeline/job-results";
import { askedRows } from "../../pipeline/job-rows";
import { JobWriter, type Written } from "../../pipeline/job-writer";
import { Jobs } from "../../pipeline/jobs";
import { Outcomes } from "../../pipeline/outcomes";
import { RedshiftData } from "../../pipeline/redshift";
import { Unloads } from "../../pipeline/unloads";
import { tryOutWriter } from "../../pipeline/writer-canary";
import { databaseIn, once, readContract, readEnvironment } from "../environment";
import { reports } from "../reports";

const parts = once(() => {
  const environment = readEnvironment(writerEnvironment);
  const contract = readContract();
  const { ANSWERS_BUCKET: bucket } = environment;
  const { RECORD_IDENTIFIER_NAME: name, RECORD_IDENTIFIER_TYPE: type } = environment;
  const database = new RedshiftData(databaseIn(environment));
  const unloads = new Unloads({
    bucket,
    roleArn: environment.UNLOAD_ROLE_ARN,
    kmsKeyId: environment.UNLOAD_KMS_KEY_ID,
  });
  const outcomes = new JobOutcomes({ database, unloads, outputs: contract.outputs });
  const recordIdentifier = name === undefined || type === undefined ? undefined : { name, type };
  const rules = { features: contract.features, recordIdentifier };
  const files = new InputFiles(bucket);
  return {
    database,
    outcomes,
    writer: new JobWriter({
      jobs: new Jobs(bucket),
      results: new JobResults(bucket),
      staged: new Outcomes(bucket),
      outcomes,
      events: new Events(),
      contract,
      input: (request, from, until) => askedRows(files, rules, request, from, until),
      visibilitySeconds: environment.VISIBILITY_TIMEOUT_SECONDS,
      workerSeconds: environment.WORKER_TIMEOUT_SECONDS,
      retentionSeconds: environment.MESSAGE_RETENTION_SECONDS,
    }),
  };
});

const eventSchema = z.object({
  /** Whether nothing is written, and it is tried out whether outcomes can be read. @default false */
  canary: z.boolean().default(false),
});

/** What did not go well for some jobs, after all others were done. */
class JobsFailed extends Error {
  override readonly name = "JobsFailed";
}

/**
 * Writes the results of jobs that are finished, and tells that they have ended. With `{"canary": true}` it tries out
 * instead what AWS does not document.
 * @throws JobsFailed where that did not go well for some of them: nothing is lost, and the next run tries again
 */
export const handler = async (event: unknown, context: Context): Promise<Written | { passed: string[] }> => {
  const { logger, metrics, measure } = reports();
  logger.addContext(context);
  const milliseconds = context.getRemainingTimeInMillis() - 5_000;
  const { writer, outcomes, database } = parts();
  if (eventSchema.parse(event).canary) return { passed: await tryOutWriter(outcomes, database, within(milliseconds)) };
  const run = await writer.run(milliseconds);
  for (const job of run.ended) logger.info("a job has ended", { job });
  for (const { id: job, reason } of run.failed) logger.error("a job was not ended", { job, reason });
  measure("EndedJobs", run.ended.length);
  metrics.publishStoredMetrics();
  const [first, ...others] = run.failed;
  if (first === undefined) return run;
  const more = others.length > 0 ? `, and ${others.length} other jobs failed` : "";
  throw new JobsFailed(`${first.id}: ${first.reason}${more}`);
};
