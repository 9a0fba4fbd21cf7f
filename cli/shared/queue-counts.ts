import { GetQueueAttributesCommand, type SQSClient } from "@aws-sdk/client-sqs";
import { z } from "zod";

const digits = z.string().regex(/^\d+$/).transform(Number);
const attributes = z
  .object({
    ApproximateNumberOfMessages: digits,
    ApproximateNumberOfMessagesNotVisible: digits,
    ApproximateNumberOfMessagesDelayed: digits,
  })
  .transform((found) => ({
    waiting: found.ApproximateNumberOfMessages,
    inFlight: found.ApproximateNumberOfMessagesNotVisible,
    delayed: found.ApproximateNumberOfMessagesDelayed,
  }));

/** About how many messages a queue has: those that wait, that are in flight, and that are delayed. */
export async function queueCounts(client: SQSClient, QueueUrl: string, abortSignal?: AbortSignal) {
  const command = new GetQueueAttributesCommand({ QueueUrl, AttributeNames: attributes.in.keyof().options });
  const { Attributes } = await client.send(command, { abortSignal });
  return attributes.parse(Attributes);
}
