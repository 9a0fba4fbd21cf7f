import { Logger } from "@aws-lambda-powertools/logger";
import { beginningOf } from "../contract/bytes";
import { runsOf } from "../pipeline/flow";

/**
 * The most bytes of a text in a log. An event of CloudWatch Logs has at most 1 MB
 * (https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_InputLogEvent.html), and an error has its text twice.
 */
const textBytes = 16_384;

/** A function's log. A text in it that is long, as what a service said may be, is cut. */
export const newLogger = (serviceName: string | undefined): Logger =>
  new Logger({
    serviceName,
    jsonReplacerFn: (_, value: unknown) => (typeof value === "string" ? beginningOf(value, textBytes) : value),
  });

/** The ids on a line of a log. An id has at most 128 bytes. */
const idsOfLine = 500;

/**
 * Says which requests something is about, those of a job together, on as many lines as it takes: `logs --request` follows
 * one, `logs --job` all of a job.
 */
export const logRequests = (
  logger: Logger,
  message: string,
  requests: readonly { readonly requestId: string; readonly jobId?: string }[],
  more: Readonly<Record<string, string>> = {},
): void => {
  const byJob = new Map<string | undefined, string[]>();
  for (const { requestId, jobId } of requests) {
    const ids = byJob.get(jobId);
    if (ids === undefined) byJob.set(jobId, [requestId]);
    else ids.push(requestId);
  }
  for (const [job, ids] of byJob) {
    for (const requestIds of runsOf(ids, { count: idsOfLine })) logger.info(message, { ...more, job, requestIds });
  }
};
