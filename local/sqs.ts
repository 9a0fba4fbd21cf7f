import { CreateQueueCommand, SQSClient } from "@aws-sdk/client-sqs";
import { operator } from "./credentials";
import { startServerProcess } from "./server-process";
import type { StandIn } from "./stand-in";

export interface Queue {
  readonly name: string;
  /** Attributes as the SQS API names them. @default SQS's own */
  readonly attributes?: Record<string, string>;
}

export interface Sqs extends StandIn {
  /** URLs of the queues, by name. */
  readonly queueUrls: Map<string, string>;
}

/**
 * Starts SQS (fauxqs, a process of its own) with these queues; a dead-letter queue comes before the queue that names it.
 * It keeps everything in memory, and knows no expiry and no StartMessageMoveTask.
 */
export async function startSqs({ queues }: { queues: Queue[] }): Promise<Sqs> {
  const server = await startServerProcess("sqs-process.mjs");
  const url = `http://127.0.0.1:${server.port}`;
  const client = new SQSClient({ endpoint: url, ...operator, useQueueUrlAsEndpoint: false });
  const queueUrls = new Map<string, string>();
  for (const { name, attributes } of queues) {
    const { QueueUrl = "" } = await client.send(new CreateQueueCommand({ QueueName: name, Attributes: attributes }));
    queueUrls.set(name, QueueUrl);
  }
  client.destroy();
  return { url, queueUrls, stop: server.stop };
}
