import type { Context } from "aws-lambda";
import * as z from "zod";
import { starterEnvironment } from "../../contract/environment";
import { InputFiles } from "../../pipeline/input-file";
import { type Started, Starter } from "../../pipeline/job-sending";
import { Jobs } from "../../pipeline/jobs";
import { QueueWalk } from "../../pipeline/queue-walk";
import { RequestQueue } from "../../pipeline/requests";
import { once, readContract, readEnvironment } from "../environment";
import { reports } from "../reports";

const starter = once(() => {
  const environment = readEnvironment(starterEnvironment);
  const { ANSWERS_BUCKET: bucket, QUEUE_URL: queueUrl, MAX_ROWS: maxRows } = environment;
  const { RECORD_IDENTIFIER_NAME: name, RECORD_IDENTIFIER_TYPE: type } = environment;
  return new Starter({
    jobs: new Jobs(bucket),
    inputs: new InputFiles(bucket),
    requests: new RequestQueue(queueUrl),
    queue: new QueueWalk(queueUrl),
    features: readContract().features,
    ...(name !== undefined && type !== undefined && { recordIdentifier: { name, type } }),
    maxRows,
    sent: (job, rows) => reports().logger.info("rows are sent", { job, rows }),
    unsent: (rows) => {
      if (rows === 0) return; // a metric is paid for by the hour in which it is written
      const { metrics, measure } = reports();
      measure("UnsentRows", rows);
      metrics.publishStoredMetrics(); // at once: a run may take minutes
    },
  });
});

const eventSchema = z.object({
  /** The job that it is about. @default all that have not ended */
  job: z.string().optional(),
});

/**
 * Checks the inputs of jobs, and puts their rows on the queue as it drains.
 * @throws when something stood in the way of a job: the next run goes on with it
 */
export const handler = async (event: unknown, context: Context): Promise<Started> => {
  const { logger, metrics, measure } = reports();
  logger.addContext(context);
  const started = await starter().run(eventSchema.parse(event).job, context.getRemainingTimeInMillis() - 5_000);
  for (const { job, reason } of started.failed) logger.warn("a job has failed", { job, reason });
  for (const { job, reason } of started.errors) logger.error("a job does not get on", { job, reason });
  measure("SentRows", started.sent);
  metrics.publishStoredMetrics();
  if (started.errors.length > 0) {
    throw new Error(`${started.errors.length} jobs do not get on: ${started.errors.map(({ job }) => job).join(", ")}`);
  }
  return started;
};
