import { createHash } from "node:crypto";

/** What SQS takes as a group: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html */
const group = /^[!-~]{1,128}$/;

/**
 * The group that a request's message belongs to: its tenant, or else its job. SQS lets no group make the messages of
 * others wait (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues-detailed.html).
 * @returns undefined for a request of neither, whose message SQS treats as a group of its own
 */
export const messageGroupOf = ({ tenant, jobId }: { readonly tenant?: string; readonly jobId?: string }) => {
  const name = tenant ?? jobId;
  return name === undefined || group.test(name) ? name : createHash("sha256").update(name).digest("hex");
};
