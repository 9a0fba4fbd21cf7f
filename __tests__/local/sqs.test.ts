import { ReceiveMessageCommand, SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { operator } from "../../local/credentials";
import { type Sqs, startSqs } from "../../local/sqs";

let sqs: Sqs;
let client: SQSClient;

beforeAll(async () => {
  sqs = await startSqs({ queues: [{ name: "requests" }, { name: "empty" }] });
  client = new SQSClient({ endpoint: sqs.url, ...operator, useQueueUrlAsEndpoint: false });
});
afterAll(async () => {
  client.destroy();
  await sqs.stop();
});

test("knows how old the oldest message is, until it was received three times", async () => {
  const QueueUrl = sqs.queueUrls.get("requests");
  const sent = Date.now();
  await client.send(new SendMessageCommand({ QueueUrl, MessageBody: "first" }));
  let age = await sqs.ageOfOldestMessage("requests");
  while (age < 1) age = await sqs.ageOfOldestMessage("requests");
  expect(age).toBeLessThanOrEqual((Date.now() - sent) / 1000);
  for (let received = 0; received < 3; received++) {
    expect(await sqs.ageOfOldestMessage("requests")).toBeGreaterThanOrEqual(1);
    const { Messages } = await client.send(new ReceiveMessageCommand({ QueueUrl, VisibilityTimeout: 0 }));
    expect(Messages).toHaveLength(1);
  }
  expect(await sqs.ageOfOldestMessage("requests")).toBe(0);
});

test("says 0 of an empty queue", async () => {
  expect(await sqs.ageOfOldestMessage("empty")).toBe(0);
});
