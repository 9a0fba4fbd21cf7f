import { randomUUID } from "node:crypto";
import { CreateQueueCommand, GetQueueAttributesCommand, type QueueAttributeName, SQSClient } from "@aws-sdk/client-sqs";
import { operator } from "../../local/credentials";

/** Address of the run's SQS. */
export function sqsUrl(): string {
  const url = process.env.TEST_SQS_URL;
  if (url === undefined) throw new Error("TEST_SQS_URL is not set: run the tests with jest");
  return url;
}

/** A client for an SQS. @default the run's */
export const sqsClient = (endpoint = sqsUrl()) =>
  new SQSClient({ ...operator, endpoint, useQueueUrlAsEndpoint: false });

/** A new queue with a name of its own. */
export async function createQueue(
  attributes: Partial<Record<QueueAttributeName, string>> = {},
): Promise<{ url: string; arn: string }> {
  const client = sqsClient();
  const { QueueUrl: url = "" } = await client.send(
    new CreateQueueCommand({ QueueName: randomUUID(), Attributes: attributes }),
  );
  const { Attributes } = await client.send(
    new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ["QueueArn"] }),
  );
  client.destroy();
  return { url, arn: Attributes?.QueueArn ?? "" };
}
