import {
  ChangeMessageVisibilityCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
} from "@aws-sdk/client-sqs";
import { createQueue, sqsClient } from "../setup/queues";

const client = sqsClient();
afterAll(() => client.destroy());

const receive = async (QueueUrl: string, WaitTimeSeconds = 0) => {
  const { Messages = [] } = await client.send(
    new ReceiveMessageCommand({
      QueueUrl,
      WaitTimeSeconds,
      MaxNumberOfMessages: 10,
      MessageSystemAttributeNames: ["All"],
      MessageAttributeNames: ["All"],
    }),
  );
  return Messages;
};
const sendBatch = (QueueUrl: string, bodies: string[]) =>
  client.send(
    new SendMessageBatchCommand({
      QueueUrl,
      Entries: bodies.map((MessageBody, index) => ({ Id: String(index), MessageBody })),
    }),
  );

test("keeps a message with its attributes until it is deleted", async () => {
  const { url: QueueUrl } = await createQueue();
  const reason = { DataType: "String", StringValue: "unknown input" };
  const sent = await client.send(
    new SendMessageCommand({ QueueUrl, MessageBody: '{"id":"1"}', MessageAttributes: { reason } }),
  );
  const [message] = await receive(QueueUrl);
  expect(message).toMatchObject({
    MessageId: sent.MessageId,
    Body: '{"id":"1"}',
    Attributes: { ApproximateReceiveCount: "1" },
    MessageAttributes: { reason },
  });
  expect(await receive(QueueUrl)).toEqual([]);
  await client.send(
    new DeleteMessageBatchCommand({ QueueUrl, Entries: [{ Id: "0", ReceiptHandle: message?.ReceiptHandle }] }),
  );
  const { Attributes } = await client.send(
    new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["ApproximateNumberOfMessagesNotVisible"] }),
  );
  expect(Attributes).toEqual({ ApproximateNumberOfMessagesNotVisible: "0" });
});

describe("groups", () => {
  const sendOf = (QueueUrl: string, MessageGroupId: string | undefined, count: number) =>
    Promise.all(
      Array.from({ length: count }, () =>
        client.send(new SendMessageCommand({ QueueUrl, MessageGroupId, MessageBody: MessageGroupId ?? "none" })),
      ),
    );
  const bodies = async (QueueUrl: string) => (await receive(QueueUrl)).map(({ Body }) => Body);

  test("are told of with their messages", async () => {
    const { url: QueueUrl } = await createQueue();
    const Entries = [{ Id: "0", MessageBody: "x", MessageGroupId: "nightly" }];
    await client.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
    await sendOf(QueueUrl, "daily", 1);
    await sendOf(QueueUrl, undefined, 1);
    const groups = (await receive(QueueUrl)).map(({ Attributes }) => Attributes?.MessageGroupId);
    expect(groups).toEqual(["nightly", "daily", undefined]);
  });

  test("let others go first while much of theirs is in flight", async () => {
    const { url: QueueUrl } = await createQueue();
    await sendOf(QueueUrl, "noisy", 60);
    for (const _ of [1, 2]) expect(await receive(QueueUrl)).toHaveLength(10);
    await sendOf(QueueUrl, "quiet", 2);
    expect(await bodies(QueueUrl)).toEqual(Array(10).fill("noisy")); // 20 in flight are few
    await sendOf(QueueUrl, undefined, 2);
    expect(await bodies(QueueUrl)).toEqual(["quiet", "quiet", "none", "none", ...Array(6).fill("noisy")]);
  });

  test("of which each has much in flight take turns", async () => {
    const { url: QueueUrl } = await createQueue();
    for (const group of ["a", "b"]) {
      await sendOf(QueueUrl, group, 40);
      for (const _ of [1, 2, 3]) expect(await receive(QueueUrl)).toHaveLength(10);
    }
    const found = await bodies(QueueUrl);
    expect(found.filter((body) => body === "a")).toHaveLength(5);
  });

  test.each(["with a space", "", "ü", "x".repeat(129)])(
    "are refused where SQS takes no such name: %j",
    async (name) => {
      const { url: QueueUrl } = await createQueue();
      await expect(sendOf(QueueUrl, name, 1)).rejects.toMatchObject({ name: "InvalidParameterValue" });
    },
  );
});

test("sends ten messages at once and no more", async () => {
  const { url } = await createQueue();
  expect((await sendBatch(url, Array(10).fill("x"))).Successful).toHaveLength(10);
  await expect(sendBatch(url, Array(11).fill("x"))).rejects.toMatchObject({
    name: expect.stringContaining("TooManyEntriesInBatchRequest"),
  });
});

test("delivers a message again as soon as its visibility ends, and counts", async () => {
  const { url: QueueUrl } = await createQueue();
  await client.send(new SendMessageCommand({ QueueUrl, MessageBody: "x" }));
  const [first] = await receive(QueueUrl);
  await client.send(
    new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle: first?.ReceiptHandle, VisibilityTimeout: 0 }),
  );
  const [second] = await receive(QueueUrl, 20);
  expect(second).toMatchObject({ MessageId: first?.MessageId, Attributes: { ApproximateReceiveCount: "2" } });
});

test("moves a message that was received too often to the dead-letter queue, under its own id", async () => {
  const deadLetters = await createQueue();
  const { url: QueueUrl } = await createQueue({
    VisibilityTimeout: "0",
    RedrivePolicy: JSON.stringify({ deadLetterTargetArn: deadLetters.arn, maxReceiveCount: 2 }),
  });
  const sent = await client.send(new SendMessageCommand({ QueueUrl, MessageBody: "x" }));
  expect(await receive(QueueUrl)).toHaveLength(1);
  expect(await receive(QueueUrl)).toHaveLength(1);
  expect(await receive(QueueUrl)).toHaveLength(0);
  expect(await receive(deadLetters.url, 20)).toMatchObject([{ MessageId: sent.MessageId, Body: "x" }]);
});

test("a waiting receive gets what is sent meanwhile", async () => {
  const { url: QueueUrl } = await createQueue();
  const [received] = await Promise.all([
    receive(QueueUrl, 20),
    client.send(new SendMessageCommand({ QueueUrl, MessageBody: "at last" })),
  ]);
  expect(received).toMatchObject([{ Body: "at last" }]);
});
