import { EventEmitter, once } from "node:events";
import { GetQueueAttributesCommand, ReceiveMessageCommand, SendMessageBatchCommand } from "@aws-sdk/client-sqs";
import { z } from "zod";
import {
  type EventSourceMapping,
  type EventSourceMappingOptions,
  startEventSourceMapping,
} from "../../local/event-source-mapping";
import { startFunction } from "../../local/lambda";
import { serve } from "../../local/stand-in";
import { bundleOf } from "../setup/bundle";
import { createQueue, sqsClient, sqsUrl } from "../setup/queues";

const sqsEvent = z.object({
  Records: z.array(
    z.looseObject({ messageId: z.string(), body: z.string(), attributes: z.record(z.string(), z.string()) }),
  ),
});
type Records = z.infer<typeof sqsEvent>["Records"];

const client = sqsClient();
afterAll(() => client.destroy());
const mappings: EventSourceMapping[] = [];
afterEach(() => Promise.all(mappings.splice(0).map((mapping) => mapping.stop())));

/** Feeds a queue to `handler`; `invoked(n)` comes back with the records of the n-th invocation once it is over. */
async function map(
  queue: { url: string; arn: string },
  handler: (records: Records) => unknown,
  options: Partial<EventSourceMappingOptions> = {},
) {
  const invocations: Records[] = [];
  const changes = new EventEmitter();
  const invoke = async (event: unknown) => {
    const { Records } = sqsEvent.parse(event);
    try {
      return await handler(Records);
    } finally {
      invocations.push(Records);
      changes.emit("invoked");
    }
  };
  mappings.push(
    startEventSourceMapping({
      sqsUrl: sqsUrl(),
      queueUrl: queue.url,
      queueArn: queue.arn,
      function: { invoke },
      batchSize: 10,
      batchWindowSeconds: 0,
      maximumConcurrency: 2,
      reportsBatchItemFailures: true,
      ...options,
    }),
  );
  const invoked = async (count: number) => {
    while (invocations.length < count) await once(changes, "invoked");
    return invocations[count - 1] ?? [];
  };
  return { invocations, invoked };
}

async function send(QueueUrl: string, bodies: string[]) {
  for (let start = 0; start < bodies.length; start += 10) {
    const Entries = bodies.slice(start, start + 10).map((MessageBody, index) => ({
      Id: String(index),
      MessageBody,
      MessageAttributes: { reason: { DataType: "String", StringValue: "test" } },
    }));
    await client.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
  }
}

const receive = async (QueueUrl: string) => {
  const { Messages = [] } = await client.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 20 }));
  return Messages.map(({ Body }) => Body);
};

/** Messages of a queue, waiting or in somebody's hands. */
async function messagesIn(QueueUrl: string): Promise<number> {
  const { Attributes } = await client.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["All"] }));
  const { ApproximateNumberOfMessages, ApproximateNumberOfMessagesNotVisible } = Attributes ?? {};
  return Number(ApproximateNumberOfMessages) + Number(ApproximateNumberOfMessagesNotVisible);
}

const stopAll = () => Promise.all(mappings.splice(0).map((mapping) => mapping.stop()));
const failuresOf = (records: Records, bodies: string[]) => ({
  batchItemFailures: records
    .filter(({ body }) => bodies.includes(body))
    .map(({ messageId }) => ({ itemIdentifier: messageId })),
});

test("gives the function records as Lambda does, and deletes what it has done", async () => {
  const queue = await createQueue();
  const { invoked } = await map(queue, () => undefined);
  await send(queue.url, ["hello"]);
  expect(await invoked(1)).toMatchObject([
    {
      body: "hello",
      receiptHandle: expect.any(String),
      md5OfBody: "5d41402abc4b2a76b9719d911017c592",
      attributes: { ApproximateReceiveCount: "1", SentTimestamp: expect.stringMatching(/^\d{13}$/) },
      messageAttributes: { reason: { dataType: "String", stringValue: "test" } },
      eventSource: "aws:sqs",
      eventSourceARN: queue.arn,
      awsRegion: "us-east-1",
    },
  ]);
  await stopAll();
  expect(await messagesIn(queue.url)).toBe(0);
});

test("fills a batch within its window, beyond what one receive gives", async () => {
  const queue = await createQueue();
  await send(
    queue.url,
    Array.from({ length: 25 }, (_, index) => String(index)),
  );
  const { invoked } = await map(queue, () => undefined, { batchSize: 25, batchWindowSeconds: 20 });
  expect(await invoked(1)).toHaveLength(25);
});

test("a batch without a window holds what is there", async () => {
  const queue = await createQueue();
  await send(queue.url, ["a", "b", "c"]);
  const { invoked } = await map(queue, () => undefined);
  expect(await invoked(1)).toHaveLength(3);
});

test("delivers again only the messages that the function says have failed", async () => {
  const queue = await createQueue({ VisibilityTimeout: "1" });
  await send(queue.url, ["good", "bad", "fine"]);
  const { invoked } = await map(queue, (records) =>
    records.length > 1 ? failuresOf(records, ["bad"]) : { batchItemFailures: [] },
  );
  await invoked(1);
  const again = await invoked(2);
  expect(again).toMatchObject([{ body: "bad", attributes: { ApproximateReceiveCount: "2" } }]);
  await stopAll();
  expect(await messagesIn(queue.url)).toBe(0);
});

test.each([
  ["names a message that was not in the batch", { batchItemFailures: [{ itemIdentifier: "unknown" }] }],
  ["names no message", { batchItemFailures: [{ itemIdentifier: "" }] }],
  ["has another key", { batchItemFailures: [{ id: "1" }] }],
  ["is no report", "done"],
])("takes the whole batch for failed when the report %s", async (_, report) => {
  const queue = await createQueue({ VisibilityTimeout: "600" });
  await send(queue.url, ["a", "b"]);
  const { invoked } = await map(queue, () => report);
  await invoked(1);
  await stopAll();
  expect(await messagesIn(queue.url)).toBe(2);
});

test.each([[undefined], [null], [{}], [{ batchItemFailures: null }], [{ batchItemFailures: [] }]])(
  "takes the whole batch for done when the report is %j",
  async (report) => {
    const queue = await createQueue();
    await send(queue.url, ["a", "b"]);
    const { invoked } = await map(queue, () => report);
    await invoked(1);
    await stopAll();
    expect(await messagesIn(queue.url)).toBe(0);
  },
);

test("reads no report where the mapping does not ask for one", async () => {
  const queue = await createQueue();
  await send(queue.url, ["bad"]);
  const { invoked } = await map(queue, (records) => failuresOf(records, ["bad"]), { reportsBatchItemFailures: false });
  await invoked(1);
  await stopAll();
  expect(await messagesIn(queue.url)).toBe(0);
});

test("leaves a batch whose invocation fails in the queue, tells of it, and goes on", async () => {
  const queue = await createQueue({ VisibilityTimeout: "1" });
  await send(queue.url, ["a", "b"]);
  const errors: unknown[] = [];
  const { invoked } = await map(
    queue,
    (records) => {
      if (records.some(({ attributes }) => attributes.ApproximateReceiveCount === "1")) throw new Error("broken");
    },
    { onError: (error) => errors.push(error) },
  );
  expect(await invoked(1)).toHaveLength(2);
  expect((await invoked(2)).map(({ body }) => body).sort()).toEqual(["a", "b"]);
  expect(errors).toEqual([new Error("broken")]);
});

test("has as many batches under way as it may, and never more", async () => {
  const queue = await createQueue();
  await send(
    queue.url,
    Array.from({ length: 12 }, (_, index) => String(index)),
  );
  let underWay = 0;
  let most = 0;
  const threeAtOnce = new EventEmitter();
  const { invoked } = await map(
    queue,
    async () => {
      underWay += 1;
      most = Math.max(most, underWay);
      if (most < 3) await once(threeAtOnce, "reached");
      threeAtOnce.emit("reached");
      await messagesIn(queue.url);
      underWay -= 1;
    },
    { batchSize: 1, maximumConcurrency: 3 },
  );
  await invoked(12);
  expect(most).toBe(3);
});

test("a message that fails at every delivery ends in the dead-letter queue, its neighbours do not", async () => {
  const deadLetters = await createQueue();
  const queue = await createQueue({
    VisibilityTimeout: "1",
    RedrivePolicy: JSON.stringify({ deadLetterTargetArn: deadLetters.arn, maxReceiveCount: 2 }),
  });
  await send(queue.url, ["good", "bad"]);
  const { invocations } = await map(queue, (records) => failuresOf(records, ["bad"]));
  expect(await receive(deadLetters.url)).toEqual(["bad"]);
  await stopAll();
  expect(invocations.flat().filter(({ body }) => body === "bad")).toHaveLength(2);
  expect(await messagesIn(queue.url)).toBe(0);
});

test("redelivers what a function was doing when its time ran out and it was killed", async () => {
  const queue = await createQueue({ VisibilityTimeout: "2" });
  const errors: unknown[] = [];
  const calls = new EventEmitter();
  const done = once(calls, "done");
  const listener = await serve(({ body }) => {
    calls.emit("done", body.toString());
    return { status: 200 };
  });
  const local = startFunction({
    name: "slow-at-first",
    bundle: bundleOf(`
      const [record] = event.Records;
      if (record.attributes.ApproximateReceiveCount === "1") await new Promise(() => setInterval(() => {}, 1000));
      const deliveries = record.attributes.ApproximateReceiveCount;
      await fetch(process.env.DONE_URL, { method: "POST", body: deliveries });`),
    timeoutSeconds: 1,
    memoryMegabytes: 128,
    environment: { AWS_REGION: "us-east-1", DONE_URL: listener.url },
  });
  mappings.push(
    startEventSourceMapping({
      sqsUrl: sqsUrl(),
      queueUrl: queue.url,
      queueArn: queue.arn,
      function: local,
      batchSize: 1,
      batchWindowSeconds: 0,
      maximumConcurrency: 2,
      reportsBatchItemFailures: true,
      onError: (error) => errors.push(error),
    }),
  );
  await send(queue.url, ["slow"]);
  expect(await done).toEqual(["2"]);
  expect(errors).toMatchObject([{ message: "Task timed out after 1 seconds" }]);
  await stopAll();
  await Promise.all([local.stop(), listener.stop()]);
});
