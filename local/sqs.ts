import { CreateQueueCommand, SQSClient } from "@aws-sdk/client-sqs";
import { z } from "zod";
import { ask } from "./ask";
import { operator, standInsSecret } from "./credentials";
import { startServerProcess } from "./server-process";
import { signatureHeaders } from "./signature";
import type { StandIn } from "./stand-in";

export interface Queue {
  readonly name: string;
  /** Attributes as the SQS API names them. @default SQS's own */
  readonly attributes?: Record<string, string>;
}

export interface Sqs extends StandIn {
  /** URLs of the queues, by name. */
  readonly queueUrls: Map<string, string>;
  /** How long the oldest message of a queue has been there, in seconds; 0 where there is none. */
  ageOfOldestMessage(queueName: string): Promise<number>;
}

const oldestMessage = z.object({ age: z.number() });

/**
 * Starts SQS (fauxqs, a process of its own) with these queues; a dead-letter queue comes before the queue that names it.
 * It keeps everything in memory, and knows no expiry and no StartMessageMoveTask.
 */
export async function startSqs({ queues }: { queues: Queue[] }): Promise<Sqs> {
  const { address: url, stop } = await startServerProcess("sqs-process.mjs", {
    environment: { STAND_INS_SECRET: standInsSecret },
  });
  const client = new SQSClient({ endpoint: url, ...operator, useQueueUrlAsEndpoint: false });
  const queueUrls = new Map<string, string>();
  for (const { name, attributes } of queues) {
    const { QueueUrl = "" } = await client.send(new CreateQueueCommand({ QueueName: name, Attributes: attributes }));
    queueUrls.set(name, QueueUrl);
  }
  client.destroy();
  return {
    url,
    queueUrls,
    ageOfOldestMessage: async (name) => {
      const { age } = oldestMessage.parse(await askProcess("GET", `${url}/oldest-message/${encodeURIComponent(name)}`));
      return Math.floor(age / 1000);
    },
    stop,
  };
}

/** Asks the process for what SQS has no operation for. */
async function askProcess(method: "GET" | "POST", address: string): Promise<unknown> {
  const url = new URL(address);
  const headers = signatureHeaders({ method, url }, operator.credentials.accessKeyId);
  const { status, body } = await ask(url, { method, headers });
  if (status !== 200) throw new Error(`${method} ${url} was answered with ${status}: ${body}`);
  return JSON.parse(body.toString());
}

/**
 * Has the fair queues of a stand-in at `url` hold that so many seconds have passed: a group that sends nothing from then
 * on is forgotten so much earlier. Nothing else grows older, so no message that is in hand comes again.
 */
export async function passTimeOfGroups(url: string, seconds: number): Promise<void> {
  await askProcess("POST", `${url}/pass-time-of-groups/${seconds}`);
}
