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

/** Says which requests something is about, on as many lines as it takes: docs/runbook.md has the query that follows one. */
export const logRequests = (
  logger: Logger,
  message: string,
  requestIds: readonly string[],
  more: Readonly<Record<string, string>> = {},
): void => {
  for (const ids of runsOf(requestIds, { count: idsOfLine })) logger.info(message, { ...more, requestIds: ids });
};
