import { GetQueueAttributesCommand, ReceiveMessageCommand, type SQSClient } from "@aws-sdk/client-sqs";
import { AwsError, serve } from "../../local/stand-in";
import { Patience } from "../../pipeline/flow";
import { Queue } from "../../pipeline/queues";
import { createQueue, sqsClient } from "../setup/queues";

let client: SQSClient;
let url: string;
let queue: Queue;
beforeEach(async () => {
  client = sqsClient();
  ({ url } = await createQueue({ VisibilityTimeout: "600" }));
  queue = new Queue(url, client);
});
afterEach(() => client.destroy());

/** Receives so many messages, as they come. */
const receive = async (count: number) => {
  const received: { body: string; receiptHandle: string }[] = [];
  while (received.length < count) {
    const { Messages = [] } = await client.send(
      new ReceiveMessageCommand({ QueueUrl: url, MaxNumberOfMessages: 10, WaitTimeSeconds: 20 }),
    );
    for (const { Body: body = "", ReceiptHandle: receiptHandle = "" } of Messages)
      received.push({ body, receiptHandle });
  }
  return received;
};

const bodies = Array.from({ length: 23 }, (_, n) => `body ${n}`);
const done = bodies.map(() => undefined);
const send = () => queue.send(bodies.map((body) => ({ body })));

/** How many messages are on the queue, received or not. */
const left = async () => {
  const { Attributes = {} } = await client.send(
    new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ["All"] }),
  );
  return Number(Attributes.ApproximateNumberOfMessages) + Number(Attributes.ApproximateNumberOfMessagesNotVisible);
};

test("takes more messages than a call holds", async () => {
  expect(await send()).toEqual(done);
  expect((await receive(23)).map(({ body }) => body).sort()).toEqual([...bodies].sort());
});

test("lets what was received come again when it is told to", async () => {
  await send();
  const received = await receive(23);
  expect(await queue.giveBack(received.map((one) => ({ ...one, delaySeconds: 0 })))).toEqual(done);
  expect((await receive(23)).map(({ body }) => body).sort()).toEqual([...bodies].sort());
});

test("deletes what was received", async () => {
  await send();
  expect(await queue.delete(await receive(23))).toEqual(done);
  expect(await left()).toBe(0);
});

test("says of each message why it could not be given back, and does the rest", async () => {
  await queue.send([{ body: "one" }, { body: "two" }]);
  const [one, two] = await receive(2);
  const messages = [one, { receiptHandle: "unknown" }, two].map((message) => {
    return { receiptHandle: message?.receiptHandle ?? "", delaySeconds: 0 };
  });
  expect(await queue.giveBack(messages)).toEqual([
    undefined,
    expect.stringMatching(/^the queue refused it: \w+$/),
    undefined,
  ]);
  expect(await receive(2)).toHaveLength(2);
});

test.each([
  ["is throttled for longer than patience lasts", new AwsError("ThrottlingException", 400, "Rate exceeded")],
  ["may not be used at all", new AwsError("AccessDeniedException", 403, "not allowed")],
])("with patience, sending ends with the reason where the queue %s", async (_, error) => {
  const { url: endpoint, stop } = await serve(() => {
    throw error;
  });
  const throttled = sqsClient(endpoint);
  const sending = new Queue(url, throttled).send([{ body: "a" }], undefined, new Patience(200));
  await expect(sending).rejects.toThrow(error.message);
  throttled.destroy();
  await stop();
});
