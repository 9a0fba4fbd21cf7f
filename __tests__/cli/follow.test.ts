import { CreateQueueCommand, SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { follow } from "../../cli/follow";
import { operator } from "../../local/credentials";
import { DeadLetters } from "../../pipeline/dead-letters";
import { DeadLetterQueue } from "../../pipeline/requests";
import type { Prediction } from "../../pipeline/results";

const sqs = new SQSClient({ endpoint: process.env.TEST_SQS_URL, ...operator, useQueueUrlAsEndpoint: false });
afterAll(() => sqs.destroy());

let deadLetterQueueUrl: string;
let queues = 0;
beforeEach(async () => {
  const name = `follow-${process.pid}-${queues++}`;
  const { QueueUrl = "" } = await sqs.send(new CreateQueueCommand({ QueueName: name }));
  deadLetterQueueUrl = QueueUrl;
});

const body = (requestId: string) => JSON.stringify({ id: "7", requestId, jobId: "job" });
/** Puts a dead letter where the worker puts it, or, without a reason, where the queue does. */
const bury = async (text: string, reason?: string) => {
  if (reason === undefined) await sqs.send(new SendMessageCommand({ QueueUrl: deadLetterQueueUrl, MessageBody: text }));
  else {
    const letter = { body: text, reason, code: "unknown_input" } as const;
    expect(await new DeadLetterQueue(deadLetterQueueUrl, sqs).send([letter])).toEqual([undefined]);
  }
};

const predictionOf = (requestId: string): Prediction => ({
  requestId,
  inputId: "7",
  jobId: "job",
  output: "It's a paraphrase",
  endpoint: "endpoint",
  variant: "variant",
  modelRelease: "release",
  requestedAt: new Date(0),
  predictedAt: new Date(1),
});

/** Results to which each look adds the next predictions. */
const arriving = (...looks: string[][]) => {
  const stored: Prediction[] = [];
  return {
    countOfJob: async () => stored.push(...(looks.shift() ?? []).map(predictionOf)),
    ofJob: async () => stored,
  };
};

const followed = async (
  requestIds: string[],
  results: ReturnType<typeof arriving>,
  signal = new AbortController().signal,
) => {
  const progress: number[] = [];
  const onProgress = (ended: number) => progress.push(ended);
  const deadLetters = new DeadLetters(deadLetterQueueUrl, sqs);
  const ending = await follow({ jobId: "job", requestIds, results, deadLetters, onProgress, signal });
  return { progress, predicted: [...ending.predictions.keys()], deadLetters: Object.fromEntries(ending.deadLetters) };
};

test("waits until every request has its prediction, and tells how far it is", async () => {
  expect(await followed(["a", "b", "c"], arriving(["a"], [], ["b", "c"]))).toEqual({
    progress: [1, 1, 3],
    predicted: ["a", "b", "c"],
    deadLetters: {},
  });
});

test("gives each dead letter with the worker's reason, or the queue's", async () => {
  await bury(body("b"), "the feature group has no such input");
  await bury(body("c"));
  expect(await followed(["a", "b", "c"], arriving(["a"]))).toEqual({
    progress: [3],
    predicted: ["a"],
    deadLetters: {
      b: "the feature group has no such input",
      c: "every delivery that the queue allows has failed; the worker's log says why",
    },
  });
});

test("counts two copies of a dead letter as one, and none of an answered request or of others", async () => {
  for (const requestId of ["a", "b", "b", "someone else's"]) await bury(body(requestId), "reason");
  await bury("not a request");
  expect(await followed(["a", "b", "c"], arriving(["a"], ["c"]))).toMatchObject({
    predicted: ["a", "c"],
    deadLetters: { b: "reason" },
  });
});

test("reads more dead letters than one call gives", async () => {
  const requestIds = Array.from({ length: 25 }, (_, index) => `request-${index}`);
  for (const requestId of requestIds) await bury(body(requestId), "reason");
  const { deadLetters, progress } = await followed(requestIds, arriving());
  expect(Object.keys(deadLetters).sort()).toEqual([...requestIds].sort());
  expect(progress).toEqual([25]);
});

test("ends when it is told to", async () => {
  const interruption = new AbortController();
  const results = {
    countOfJob: async () => {
      interruption.abort();
      return 0;
    },
    ofJob: async () => [],
  };
  await expect(followed(["a"], results, interruption.signal)).rejects.toThrow("aborted");
});
