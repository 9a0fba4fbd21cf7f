import {
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  type SQSClient,
} from "@aws-sdk/client-sqs";
import { passTimeOfGroups, type Sqs, startSqs } from "../../local/sqs";
import { sqsClient } from "../setup/queues";

let sqs: Sqs;
let client: SQSClient;

beforeAll(async () => {
  sqs = await startSqs({ queues: [{ name: "requests" }, { name: "empty" }, { name: "fair" }] });
  client = sqsClient(sqs.url);
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

test("forgets a noisy group when it has sent nothing for five minutes, by a clock that is put forward", async () => {
  const QueueUrl = sqs.queueUrls.get("fair");
  const send = (MessageGroupId: string) => {
    const Entries = Array.from({ length: 10 }, (_, place) => ({ Id: `${place}`, MessageBody: "x", MessageGroupId }));
    return client.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
  };
  const groupOfNext = async () => {
    const command = { QueueUrl, MaxNumberOfMessages: 10, MessageSystemAttributeNames: ["MessageGroupId" as const] };
    const { Messages = [] } = await client.send(new ReceiveMessageCommand(command));
    expect(Messages).toHaveLength(10);
    const groups = new Set(Messages.map(({ Attributes }) => Attributes?.MessageGroupId));
    return [...groups].join();
  };
  for (let batch = 0; batch < 9; batch++) await send("noisy");
  for (let batch = 0; batch < 3; batch++) await groupOfNext();

  await passTimeOfGroups(sqs.url, 240);
  await send("quiet");
  expect(await groupOfNext()).toBe("quiet");
  await send("quiet");
  await passTimeOfGroups(sqs.url, 120);
  expect(await groupOfNext()).toBe("noisy"); // it is older, and now as quiet as the other
  await send("noisy");
  expect(await groupOfNext()).toBe("quiet");
});
