import { Logger } from "@aws-lambda-powertools/logger";
import { beginningOf } from "../contract/bytes";

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
