import { createHash } from "node:crypto";
import { PutObjectCommand } from "@aws-sdk/client-s3";
import { z } from "zod";
import { requestIdOf, runOf, stopMark } from "../../contract/job";
import type { LocalFunction } from "../../local/lambda";
import { ModelError } from "../../local/sagemaker-runtime";
import { AwsError, json } from "../../local/stand-in";
import { contractIn, modelOf, valuesIn } from "../setup/contract";
import { type Desk, delivered, startDesk } from "../setup/desk";

const calls: string[][] = [];

const model = modelOf((cities) => {
  calls.push(cities);
  return Promise.all(cities.map(answer));
});

/** What becomes of every city while the model is at fault. */
let brokenBy: string | undefined;

/** Says what it was asked, so that a mix-up of inputs shows. A city's first word says what is to become of it. */
const answer = (city: string): unknown => {
  const word = brokenBy ?? city.split(" ")[0];
  if (word === "refuse") throw new ModelError(400, `cannot read ${city}`);
  if (word === "hurry") throw new ModelError(503, "all busy");
  if (word === "break") throw new ModelError(500, "out of memory");
  if (word === "decline") return { error: `cannot read ${city}` };
  if (word === "garbage") return undefined;
  if (word === "ramble") return "é".repeat(40_000);
  if (word === "fill") return "x".repeat(60_000);
  if (word === "witness") return failuresOf("witnessed").then((found) => found.map(({ code }) => code).join());
  if (word === "wait") return new Promise<unknown>(() => {});
  return `in ${city}`;
};

let desk: Desk;
let warm: LocalFunction;

beforeAll(async () => {
  desk = await startDesk({ model });
  warm = desk.worker();
});
afterAll(() => desk.stop());
beforeEach(() => {
  calls.length = 0;
});
afterEach(() => {
  brokenBy = undefined;
  desk.unhinder();
});

/** S3's refusal of every call. */
const refusedByS3 = async () => ({
  status: 403,
  headers: { "content-type": "application/xml" },
  body: "<Error><Code>AccessDenied</Code><Message>not you</Message></Error>",
});

const responseSchema = z.object({ batchItemFailures: z.array(z.object({ itemIdentifier: z.string() })) });
type Delivered = ReturnType<typeof delivered>;

/** Hands messages to a worker, and gives the ids of those that it returned. */
const deliver = async (messages: Delivered[], worker = warm) => {
  const response = responseSchema.parse(await worker.invoke({ Records: messages }));
  return response.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);
};

/** The answers that are staged, the first of each request: the loader takes no other. */
const answers = async () => {
  const first = new Map<unknown, Record<string, unknown>>();
  for (const outcome of await desk.outcomes()) {
    const { request_id: requestId, code } = outcome;
    if (code === undefined && !first.has(requestId)) first.set(requestId, outcome);
  }
  return [...first.values()];
};

/** The answers to inputs whose ids begin so, in the order of these. */
const answersOf = async (prefix: string) =>
  (await answers())
    .filter(({ input_id: id }) => String(id).startsWith(prefix))
    .sort((one, other) => String(one.input_id).localeCompare(String(other.input_id)));

const outputOf = async (requestId: string) =>
  (await answers()).flatMap(({ request_id: id, output }) => (id === requestId ? [output] : []));

/** The failures of a request that are staged. */
const failuresOf = async (requestId: string) =>
  (await desk.outcomes()).filter(({ request_id: id, code }) => id === requestId && code !== undefined);

interface Sent {
  readonly requestId?: string;
  readonly jobId?: string;
  readonly sentAt?: Date;
  readonly receiveCount?: number;
}

/** Writes an input, and gives a message that asks for it. */
const requested = async (id: string, word = "Lyon", { sentAt, receiveCount, ...more }: Sent = {}) => {
  await desk.features.write([{ id, values: valuesIn(`${word} of ${id}`) }]);
  return delivered({ id, ...more }, sentAt, receiveCount);
};

const aWhileAgo = new Date("2026-01-31T12:00:00.123Z");

const queueCallSchema = z.object({
  QueueUrl: z.string(),
  Entries: z.array(z.object({ Id: z.string(), MessageBody: z.string().optional() }).catchall(z.unknown())),
});

/** Does what the worker asks of its queue, but for the operations that fail, and gives the entries of each call. */
const watchQueue = (failing: string[] = []) => {
  const entries: Record<string, Record<string, unknown>[]> = {};
  desk.hindrances.SQS = ({ headers, body }, forward) => {
    const operation = String(headers["x-amz-target"]).replace("AmazonSQS.", "");
    const { QueueUrl, Entries } = queueCallSchema.parse(JSON.parse(body.toString()));
    if (QueueUrl !== desk.queueUrl) return forward();
    if (failing.includes(operation)) throw new AwsError("AccessDenied", 403, "not today");
    entries[operation] = [...(entries[operation] ?? []), ...Entries];
    const Successful = Entries.map(({ Id, MessageBody = "" }) => {
      return { Id, MessageId: Id, MD5OfMessageBody: createHash("md5").update(MessageBody).digest("hex") };
    });
    return json({ Successful, Failed: [] });
  };
  return {
    /** The messages whose visibility was changed, and to how many seconds. */
    rested: () =>
      new Map(entries.ChangeMessageVisibilityBatch?.map((one) => [one.ReceiptHandle, one.VisibilityTimeout])),
    deleted: () => entries.DeleteMessageBatch?.map((one) => one.ReceiptHandle) ?? [],
    sent: () => entries.SendMessageBatch ?? [],
  };
};

const systemic = (message: string | RegExp) =>
  expect.objectContaining({
    errorType: "SystemicFault",
    message: typeof message === "string" ? message : expect.stringMatching(message),
  });

test("asks the model about an input's features", async () => {
  await deliver([await requested("one")]);
  expect(calls).toEqual([["Lyon of one"]]);
});

test("writes the answer with its request, its model and its times", async () => {
  const message = await requested("whole", "Lyon", {
    requestId: "request-whole",
    jobId: "job-7",
    sentAt: aWhileAgo,
  });
  expect(await deliver([message])).toEqual([]);
  const [{ ended_at: endedAt, ...outcome } = {}, ...more] = await answersOf("whole");
  expect(more).toEqual([]);
  expect(outcome).toEqual({
    v: 1,
    request_id: "request-whole",
    input_id: "whole",
    job_id: "job-7",
    output: "in Lyon of whole",
    endpoint: "classifier",
    variant: "first",
    model_release: "2026-01",
    requested_at: "2026-01-31 12:00:00.123",
  });
  expect(Date.parse(`${endedAt}Z`)).toBeGreaterThan(Date.now() - 3_600_000);
});

test("takes the message's id for the key of a request that has none, and no job for no job", async () => {
  const message = await requested("plain");
  await deliver([message]);
  expect(await answersOf("plain")).toEqual([expect.objectContaining({ request_id: message.messageId })]);
  expect((await answersOf("plain"))[0]).not.toHaveProperty("job_id");
});

test("answers two messages with one request id once, and two requests for one input twice", async () => {
  await desk.features.write([{ id: "twice", values: valuesIn("Lyon") }]);
  const same = [1, 2].map(() => delivered({ id: "twice", requestId: "same" }));
  expect(await deliver([...same, delivered({ id: "twice" }), delivered({ id: "twice" })])).toEqual([]);
  const lines = (await desk.outcomes()).filter(({ input_id: id }) => id === "twice");
  expect(new Set(lines.map(({ request_id: id }) => id)).size).toBe(3);
  expect(lines).toHaveLength(3);
});

test("answers a batch with one read and one write", async () => {
  const messages = await Promise.all(Array.from({ length: 12 }, (_, place) => requested(`cheap-${place}`)));
  desk.calls.length = 0;
  await deliver(messages);
  const counts = new Map<string, number>();
  const staged = desk.calls.find((call) => call.includes("/staged/"))?.slice("S3 ".length);
  for (const call of desk.calls) counts.set(call, (counts.get(call) ?? 0) + 1);
  expect(Object.fromEntries(counts)).toEqual({
    "SAGEMAKER_FEATURESTORE_RUNTIME /BatchGetRecord": 1,
    "SAGEMAKER_RUNTIME /endpoints/classifier/invocations": 12,
    [`S3 ${staged}`]: 1,
  });
});

describe("of what can never be answered", () => {
  test.each([
    {
      what: "a body that is no JSON",
      body: "{oops",
      reason: 'a request must be a JSON object such as {"id": "7"}, got "{oops"',
      code: "malformed",
    },
    {
      what: "a body without an id",
      body: {},
      reason: /^id must be Unicode text of 1 to 1,024 UTF-8 bytes.* got nothing$/,
      code: "malformed",
    },
    {
      what: "an unknown input",
      body: { id: "nobody" },
      reason: "the feature group has no such input",
      code: "unknown_input",
    },
    {
      what: "an input that the model refuses",
      word: "refuse",
      reason: "the model refused the input (400)",
      code: "refused_by_model",
    },
    {
      what: "an output longer than its column",
      word: "ramble",
      reason: "output must be at most 65,535 UTF-8 bytes, got 80,000",
      code: "too_large",
    },
  ])(
    "$what goes to the dead-letter queue with its reason, and its neighbours are answered",
    async ({ body, word, reason, code }) => {
      const good = await requested("neighbour");
      const bad =
        word === undefined
          ? delivered(body ?? "", aWhileAgo)
          : await requested(`bad-${word}`, word, { sentAt: aWhileAgo });
      expect(await deliver([bad, good])).toEqual([]);
      expect(await outputOf(good.messageId)).toEqual(["in Lyon of neighbour"]);
      expect(await outputOf(bad.messageId)).toEqual([]);
      const [letter] = await desk.take(desk.deadLetterQueueUrl, 1);
      expect(letter?.reason).toMatch(reason);
      expect(letter?.code).toBe(code);
      expect(await failuresOf(bad.messageId)).toEqual([
        expect.objectContaining({ code, reason: letter?.reason, requested_at: "2026-01-31 12:00:00.123" }),
      ]);
      expect(JSON.parse(letter?.body ?? "")).toMatchObject({
        requestId: bad.messageId,
        requestedAt: "2026-01-31T12:00:00.123Z",
      });
    },
  );

  test("a redrive under a new message id keeps the request id and the time", async () => {
    const bad = delivered({ id: "late", jobId: "job-late" }, aWhileAgo);
    await deliver([bad]);
    const [letter] = await desk.take(desk.deadLetterQueueUrl, 1);
    await desk.features.write([{ id: "late", values: valuesIn("Lyon") }]);
    expect(await deliver([delivered(letter?.body ?? "")])).toEqual([]);
    expect(await answersOf("late")).toEqual([
      expect.objectContaining({
        request_id: bad.messageId,
        job_id: "job-late",
        requested_at: "2026-01-31 12:00:00.123",
      }),
    ]);
  });

  test("what the dead-letter queue does not take goes back to the queue", async () => {
    desk.hindrances.SQS = () => {
      throw new AwsError("AccessDenied", 403, "not today");
    };
    const bad = delivered("{oops");
    const good = await requested("beside");
    expect(await deliver([bad, good])).toEqual([bad.messageId]);
    expect(await outputOf(good.messageId)).toHaveLength(1);
  });
});

describe("of what may be answered later", () => {
  test.each(["break", "garbage"])("only what the model fails at goes back to the queue: %s", async (word) => {
    const [bad, good] = [await requested(`later-${word}`, word), await requested("beside")];
    expect(await deliver([bad, good])).toEqual([bad.messageId]);
    expect(await outputOf(good.messageId)).toHaveLength(1);
  });

  test("only what a throttled endpoint turned away goes back to the queue", async () => {
    desk.hindrances.SAGEMAKER_RUNTIME = ({ body }, forward) => {
      if (body.includes("throttle me")) throw new AwsError("ThrottlingException", 400, "Rate exceeded");
      return forward();
    };
    const messages = await Promise.all(
      ["throttle me", "b", "throttle me", "b"].map((word, n) => requested(`busy-${n}`, word)),
    );
    const turnedAway = [messages[0]?.messageId, messages[2]?.messageId];
    expect(await deliver(messages)).toEqual(turnedAway);
    expect((await answersOf("busy-")).map(({ input_id: id }) => id)).toEqual(["busy-1", "busy-3"]);
  });

  test("an endpoint that turns all away for it has enough to do is no outage: all goes back to the queue", async () => {
    desk.hindrances.SAGEMAKER_RUNTIME = () => {
      throw new AwsError("ThrottlingException", 400, "Rate exceeded");
    };
    const messages = [await requested("full-1"), await requested("full-2")];
    expect(await deliver(messages)).toEqual(messages.map(({ messageId }) => messageId));
    desk.unhinder();
    expect(await deliver(messages)).toEqual([]);
    expect(await answersOf("full-")).toHaveLength(2);
  });

  test("a feature store that fails loses nothing", async () => {
    const message = await requested("unread");
    desk.hindrances.SAGEMAKER_FEATURESTORE_RUNTIME = () => {
      throw new AwsError("ServiceUnavailable", 503, "later");
    };
    await expect(deliver([message])).rejects.toEqual(
      systemic(/^the feature store answered none of 1 requests: the feature store failed: ServiceUnavailable/),
    );
    desk.unhinder();
    expect(await deliver([message])).toEqual([]);
    expect(await outputOf(message.messageId)).toHaveLength(1);
  });

  test("an S3 that fails loses nothing: everything comes back, and is answered once it is well", async () => {
    const messages = [await requested("held-1"), await requested("held-2")];
    const bad = delivered("{oops");
    desk.hindrances.S3 = refusedByS3;
    await expect(deliver([...messages, bad])).rejects.toEqual(systemic(/^S3 took none of 3 outcomes: AccessDenied: /));
    desk.unhinder();
    expect(await answersOf("held-")).toEqual([]);
    expect(await failuresOf(bad.messageId)).toEqual([]);
    expect(await deliver([...messages, bad])).toEqual([]);
    expect(await answersOf("held-")).toHaveLength(2);
    await desk.take(desk.deadLetterQueueUrl, 1);
  });

  test("an input that is not ingested yet is waited for, 15 minutes from its sending on, and is no outage", async () => {
    const early = delivered({ id: "early" }, new Date(Date.now() - 14 * 60_000));
    const never = delivered({ id: "never" }, new Date(Date.now() - 16 * 60_000));
    expect(await deliver([early])).toEqual([early.messageId]);
    expect(await deliver([never, early])).toEqual([early.messageId]);
    expect((await desk.take(desk.deadLetterQueueUrl, 1))[0]?.code).toBe("unknown_input");
    await desk.features.write([{ id: "early", values: valuesIn("Lyon") }]);
    expect(await deliver([early])).toEqual([]);
    expect(await outputOf(early.messageId)).toEqual(["in Lyon"]);
  });

  test("what the model takes too long for goes back to the queue, and the rest is stored", async () => {
    const [slow, good] = [await requested("slow", "wait"), await requested("quick")];
    expect(await deliver([slow, good], desk.worker({ timeoutSeconds: 3 }))).toEqual([slow.messageId]);
    expect(await outputOf(good.messageId)).toHaveLength(1);
  });

  test("what there is no time left for is not begun", async () => {
    const queue = watchQueue();
    const messages = [await requested("slow", "wait"), await requested("late-1"), await requested("late-2")];
    const worker = desk.worker({ timeoutSeconds: 3 }, { ENDPOINT_CONCURRENCY: "1" });
    await expect(deliver(messages, worker)).rejects.toEqual(
      systemic("the endpoint answered none of 1 requests: the endpoint did not answer in time"),
    );
    expect(calls).toHaveLength(1);
    expect([...queue.rested().keys()]).toEqual(messages.map(({ receiptHandle }) => receiptHandle));
  });

  test.each([
    { silent: ["SAGEMAKER_FEATURESTORE_RUNTIME", "SQS"], fault: /^the feature store/ },
    { silent: ["SAGEMAKER_RUNTIME", "SQS"], fault: /^the endpoint/ },
    { silent: ["S3", "SQS"], fault: /^S3 took none/ },
  ] as const)("it ends before its time is over where these never answer: $silent", async ({ silent, fault }) => {
    for (const service of silent) desk.hindrances[service] = () => new Promise<never>(() => {});
    const messages = [await requested("unheard"), await requested("slow", "wait"), delivered("{oops")];
    await expect(deliver(messages, desk.worker({ timeoutSeconds: 3 }))).rejects.toEqual(systemic(fault));
  });
});

describe("of what it returns", () => {
  const patient = () => desk.worker({}, { FIRST_RETURN_DELAY_SECONDS: "10", LONGEST_RETURN_DELAY_SECONDS: "900" });

  test("each rests for at least half of a delay that doubles with every delivery, up to the longest", async () => {
    const queue = watchQueue();
    const counts = [1, 2, 4, 7, 8, 300];
    const messages = await Promise.all(
      counts.map((receiveCount) => requested(`rest-${receiveCount}`, "hurry", { receiveCount })),
    );
    expect(await deliver([...messages, await requested("beside")], patient())).toHaveLength(counts.length);
    const delays = [10, 20, 80, 640, 900, 900];
    for (const [place, { receiptHandle }] of messages.entries()) {
      const [seconds, delay = 0] = [queue.rested().get(receiptHandle), delays[place]];
      expect(Number.isInteger(seconds)).toBe(true);
      expect(seconds).toBeGreaterThanOrEqual(delay / 2);
      expect(seconds).toBeLessThanOrEqual(delay);
    }
  });

  test("those that failed together come back apart", async () => {
    const queue = watchQueue();
    const messages = await Promise.all(
      Array.from({ length: 20 }, (_, n) => requested(`apart-${n}`, "hurry", { receiveCount: 9 })),
    );
    await deliver([...messages, await requested("beside")], patient());
    expect(queue.rested().size).toBe(20);
    expect(new Set(queue.rested().values()).size).toBeGreaterThan(1);
  });

  test("one whose rest the queue refuses comes back all the same", async () => {
    watchQueue(["ChangeMessageVisibilityBatch"]);
    const [bad, good] = [await requested("restless", "break"), await requested("beside")];
    expect(await deliver([bad, good])).toEqual([bad.messageId]);
  });

  const agedSeconds = (seconds: number) => new Date(Date.now() - seconds * 1000);
  const forgetful = () =>
    desk.worker(
      {},
      { MESSAGE_RETENTION_SECONDS: "3600", FIRST_RETURN_DELAY_SECONDS: "10", LONGEST_RETURN_DELAY_SECONDS: "900" },
    );

  test("one that has half of its time behind it is put on the queue anew, with its id and its time", async () => {
    const queue = watchQueue();
    const sentAt = agedSeconds(1_801);
    const old = await requested("old", "break", { sentAt, receiveCount: 3, jobId: "job-old" });
    const young = await requested("young", "break", { sentAt: agedSeconds(1_000) });
    expect(await deliver([old, young, await requested("beside")], forgetful())).toEqual([young.messageId]);
    const [anew, ...more] = queue.sent();
    expect(more).toEqual([]);
    expect(JSON.parse(String(anew?.MessageBody))).toEqual({
      id: "old",
      requestId: old.messageId,
      jobId: "job-old",
      requestedAt: sentAt.toISOString(),
    });
    expect(anew?.DelaySeconds).toBeGreaterThanOrEqual(20);
    expect(anew?.DelaySeconds).toBeLessThanOrEqual(40);
    expect([...queue.rested().keys()]).toEqual([young.receiptHandle]);
  });

  test("one that could not be put on the queue anew comes back as it is", async () => {
    const queue = watchQueue(["SendMessageBatch"]);
    const old = await requested("old", "break", { sentAt: agedSeconds(3_000) });
    expect(await deliver([old, await requested("beside")], forgetful())).toEqual([old.messageId]);
    expect([...queue.rested().keys()]).toEqual([old.receiptHandle]);
  });
});

describe("of what fails time and again", () => {
  test.each([
    ["break", "endpoint_failed"],
    ["garbage", "unexpected_answer"],
  ])("the fifth delivery is the last where others are answered: %s", async (word, code) => {
    const fourth = await requested(`fourth-${word}`, word, { receiveCount: 4 });
    const fifth = await requested(`fifth-${word}`, word, { receiveCount: 5 });
    expect(await deliver([fourth, fifth, await requested("beside")])).toEqual([fourth.messageId]);
    const [letter] = await desk.take(desk.deadLetterQueueUrl, 1);
    expect(letter).toMatchObject({ code, body: expect.stringContaining(fifth.messageId) });
  });

  test("a record that the feature store cannot read is given up, and its neighbours are answered", async () => {
    desk.hindrances.SAGEMAKER_FEATURESTORE_RUNTIME = async (_, forward) => {
      const { body, ...rest } = await forward();
      const { Records } = recordsSchema.parse(JSON.parse(String(body)));
      const isBad = (record: { RecordIdentifierValueAsString: string }) =>
        record.RecordIdentifierValueAsString === "unreadable";
      const Errors = Records.filter(isBad).map(({ Record: _, ...owner }) => ({
        ...owner,
        ErrorCode: "InternalFailure",
        ErrorMessage: "",
      }));
      return { ...rest, body: JSON.stringify({ Records: Records.filter((one) => !isBad(one)), Errors }) };
    };
    const bad = await requested("unreadable", "Lyon", { receiveCount: 5 });
    const good = await requested("readable");
    expect(await deliver([bad, good])).toEqual([]);
    expect(await outputOf(good.messageId)).toHaveLength(1);
    const [letter] = await desk.take(desk.deadLetterQueueUrl, 1);
    expect(letter?.code).toBe("feature_store_failed");
  });

  test("nothing is given up because the endpoint is busy, though it answers others", async () => {
    const message = await requested("patient", "hurry", { receiveCount: 50 });
    expect(await deliver([message, await requested("beside")])).toEqual([message.messageId]);
  });
});

const recordsSchema = z.object({
  Records: z.array(z.looseObject({ RecordIdentifierValueAsString: z.string(), Record: z.unknown() })),
});

describe("while a service fails for all", () => {
  const refusing = (error: AwsError) => (): Promise<never> => Promise.reject(error);
  const outages = [
    {
      service: "SAGEMAKER_FEATURESTORE_RUNTIME",
      error: refusing(new AwsError("AccessForbidden", 403, "not you")),
      fault: "the feature store answered none of 2 requests: the feature store failed: AccessForbidden: not you",
    },
    {
      service: "SAGEMAKER_RUNTIME",
      error: refusing(new AwsError("ValidationError", 400, "Endpoint classifier not found.")),
      fault:
        "the endpoint answered none of 2 requests: the endpoint failed: ValidationError: Endpoint classifier not found.",
    },
    {
      service: "S3",
      error: refusedByS3,
      fault: /^S3 took none of 3 outcomes: AccessDenied: /,
    },
  ] as const;

  test.each(outages)(
    "nothing is given up, what is done is deleted, the rest comes again, and the failure is seen: $service",
    async ({ service, error, fault }) => {
      const queue = watchQueue();
      desk.hindrances[service] = error;
      const good = [1, 2].map((n) => requested(`waits-${n}`, "Lyon", { receiveCount: 50 }));
      const [messages, bad] = [await Promise.all(good), delivered("{oops")];
      await expect(deliver([...messages, bad])).rejects.toEqual(systemic(fault));
      const held = service === "S3" ? [bad, ...messages] : messages;
      expect([...queue.rested().keys()]).toEqual(held.map(({ receiptHandle }) => receiptHandle));
      expect(queue.deleted()).toEqual(service === "S3" ? [] : [bad.receiptHandle]);
      if (service === "S3") return;
      const [letter] = await desk.take(desk.deadLetterQueueUrl, 1);
      expect(letter?.body).toContain(bad.messageId);
    },
  );

  test("a model that breaks at every request is such a failure", async () => {
    const queue = watchQueue();
    const often = { receiveCount: 9 };
    brokenBy = "break";
    const messages = [await requested("b-1", "Lyon", often), await requested("b-2", "Lyon", often)];
    await expect(deliver(messages)).rejects.toEqual(
      systemic("the endpoint answered none of 2 requests: the model failed (500)"),
    );
    expect([...queue.rested().keys()]).toEqual(messages.map(({ receiptHandle }) => receiptHandle));
  });

  const refused = (count: number, name: string) =>
    Promise.all(Array.from({ length: count }, (_, n) => requested(`${name}-${n}`, "refuse")));

  test("a model that refuses ten inputs and answers none is such a failure", async () => {
    const queue = watchQueue();
    brokenBy = "refuse";
    const messages = await refused(10, "misunderstood");
    await expect(deliver(messages)).rejects.toEqual(
      systemic("the endpoint answered none of 10 requests: the model refuses every input"),
    );
    expect(queue.rested().size).toBe(10);
    expect(queue.deleted()).toEqual([]);
  });

  test("nine that are refused are given up, since inputs may be so", async () => {
    expect(await deliver(await refused(9, "unfit"))).toEqual([]);
    const letters = await desk.take(desk.deadLetterQueueUrl, 9);
    expect(new Set(letters.map(({ code }) => code))).toEqual(new Set(["refused_by_model"]));
  });

  test("a status by which the model tells of its own faults refuses no input: the request comes back", async () => {
    const patient = desk.worker({}, { ENDPOINT_FAULT_STATUSES: "400,422" });
    const bad = await requested("not at fault", "refuse");
    expect(await deliver([bad, await requested("beside it")], patient)).toEqual([bad.messageId]);
    const last = { ...bad, attributes: { ...bad.attributes, ApproximateReceiveCount: "5" } };
    expect(await deliver([last, await requested("beside it again")], patient)).toEqual([]);
    const [letter] = await desk.take(desk.deadLetterQueueUrl, 1);
    expect(letter).toMatchObject({
      code: "endpoint_failed",
      reason: expect.stringContaining("the model failed (400)"),
    });
  });

  test("a bad request alone in a quiet queue is none: the model still answers what it has answered before", async () => {
    await deliver([await requested("well")]);
    const bad = await requested("alone", "break", { receiveCount: 4 });
    expect(await deliver([bad], desk.worker())).toEqual([bad.messageId]);
    const [last, ...ten] = [
      { ...bad, attributes: { ...bad.attributes, ApproximateReceiveCount: "5" } },
      ...(await refused(10, "all bad")),
    ];
    expect(await deliver([last], desk.worker())).toEqual([]);
    expect(await deliver(ten)).toEqual([]);
    const letters = await desk.take(desk.deadLetterQueueUrl, 11);
    expect(new Set(letters.map(({ code }) => code))).toEqual(new Set(["endpoint_failed", "refused_by_model"]));
  });

  test("what would expire is put on the queue anew, in its group, and deleted", async () => {
    const queue = watchQueue();
    brokenBy = "break";
    const sent = await requested("old", "Lyon", { sentAt: new Date(Date.now() - 3_000_000) });
    const old = { ...sent, attributes: { ...sent.attributes, MessageGroupId: "nightly" } };
    await expect(deliver([old], desk.worker({}, { MESSAGE_RETENTION_SECONDS: "3600" }))).rejects.toEqual(
      systemic(/^the endpoint/),
    );
    expect(queue.sent()).toEqual([expect.objectContaining({ MessageGroupId: "nightly" })]);
    expect(queue.deleted()).toEqual([old.receiptHandle]);
  });
});

describe("at the last delivery before SQS itself gives a message up", () => {
  const impatient = (options = {}) => desk.worker(options, { MAX_RECEIVE_COUNT: "7" });
  const last = { receiveCount: 7 };
  const notAnswered = expect.objectContaining({
    code: "not_answered",
    reason: "it was delivered 7 times, and never answered",
  });

  test("its failure is written before the model is asked, for a function that dies of it", async () => {
    const message = await requested("deadly", "witness", { ...last, requestId: "witnessed" });
    expect(await deliver([message], impatient())).toEqual([]);
    expect(await outputOf("witnessed")).toEqual(["not_answered"]);
  });

  test("an answer follows the failure, and wins", async () => {
    const message = await requested("saved", "Lyon", last);
    expect(await deliver([message], impatient())).toEqual([]);
    expect(await failuresOf(message.messageId)).toEqual([notAnswered]);
    expect(await outputOf(message.messageId)).toEqual(["in Lyon of saved"]);
  });

  test("it is put on the queue anew where no failure can be written", async () => {
    const queue = watchQueue();
    desk.hindrances.S3 = refusedByS3;
    const [one, other] = [await requested("kept", "Lyon", last), await requested("young")];
    await expect(deliver([one, other], impatient())).rejects.toEqual(systemic(/^S3 took none/));
    expect(queue.sent().map(({ MessageBody }) => JSON.parse(String(MessageBody)).id)).toEqual(["kept"]);
    expect(queue.deleted()).toEqual([one.receiptHandle]);
  });
});

/** Calls of SQS, to which nothing is sent where nothing is given up. */
const callsOfQueues = () => desk.calls.filter((call) => call.startsWith("SQS "));

test("a request whose deadline is over is not asked, and is no dead letter", async () => {
  await desk.features.write([{ id: "dated", values: valuesIn("Lyon") }]);
  const [late, early] = ["2026-01-31T12:00:00Z", "9999-01-01T00:00:00Z"].map((deadline) =>
    delivered({ id: "dated", deadline }),
  );
  desk.calls.length = 0;
  expect(await deliver([late, early].flatMap((one) => one ?? []))).toEqual([]);
  expect(calls).toEqual([["Lyon"]]);
  expect(await failuresOf(late?.messageId ?? "")).toEqual([expect.objectContaining({ code: "expired" })]);
  expect(callsOfQueues()).toEqual([]);
});

test("another request under the id of one in its batch is a conflict, and no dead letter", async () => {
  const [one, other] = [
    await requested("mine", "Lyon", { requestId: "ours" }),
    delivered({ id: "8", requestId: "ours" }),
  ];
  desk.calls.length = 0;
  expect(await deliver([one, other])).toEqual([]);
  expect(await outputOf("ours")).toEqual(["in Lyon of mine"]);
  expect(await failuresOf("ours")).toEqual([expect.objectContaining({ input_id: "8", code: "conflict" })]);
  expect(callsOfQueues()).toEqual([]);
});

describe("of a job", () => {
  const stop = (id: string) => desk.s3.send(new PutObjectCommand({ Bucket: desk.answersBucket, Key: stopMark(id) }));
  const rowOf = (jobId: string, row: number) => ({
    jobId,
    requestId: requestIdOf(runOf({ id: jobId, createdAt: aWhileAgo }), row),
  });
  const listings = () => desk.calls.filter((call) => call === `S3 /${desk.answersBucket}/`).length;

  test("that is stopped, no row is asked or looked up; whatever else names it is asked", async () => {
    await stop("stopped");
    const fresh = desk.worker();
    const rows = [1, 2].map((row) => delivered({ id: `row-${row}`, ...rowOf("stopped", row) }));
    desk.calls.length = 0;
    expect(await deliver(rows, fresh)).toEqual([]);
    expect(desk.calls.every((call) => call.startsWith("S3 "))).toBe(true);
    for (const row of [1, 2]) {
      const { requestId, jobId } = rowOf("stopped", row);
      expect(await failuresOf(requestId)).toEqual([expect.objectContaining({ code: "cancelled", job_id: jobId })]);
    }
    const others = [
      await requested("single", "Lyon", { jobId: "stopped" }),
      await requested("going", "Lyon", rowOf("going", 1)),
    ];
    expect(await deliver(others, fresh)).toEqual([]);
    expect(calls.flat()).toEqual(["Lyon of single", "Lyon of going"]);
  });

  test("the marks are listed for its rows alone, and once in ten seconds at most", async () => {
    const fresh = desk.worker();
    desk.calls.length = 0;
    await deliver([await requested("no-row", "Lyon", { jobId: "listed" })], fresh);
    expect(listings()).toBe(0);
    for (const row of [1, 2]) await deliver([await requested(`listed-${row}`, "Lyon", rowOf("listed", row))], fresh);
    expect(listings()).toBe(1);
  });

  test.each([
    ["are refused", refusedByS3],
    ["are not told", () => new Promise<never>(() => {})],
  ])("its rows are asked where the marks %s", async (how, hindering) => {
    const fresh = desk.worker();
    desk.hindrances.S3 = (request, forward) => (request.url.search.includes("list-type") ? hindering() : forward());
    const row = rowOf("unknown", how.length);
    expect(await deliver([await requested("unlisted", "Lyon", row)], fresh)).toEqual([]);
    expect(await outputOf(row.requestId)).toEqual(["in Lyon of unlisted"]);
    await fresh.stop();
    expect(desk.log()).toContain("which jobs are stopped could not be listed");
  });
});

describe.each(["instances", "jsonlines", "csv", "inputs"] as const)(
  "with several inputs in a call of the format %s",
  (request) => {
    let batched: LocalFunction;
    beforeAll(() => {
      batched = desk.worker({}, { INSTANCES_PER_CALL: "8" }, contractIn(request));
    });

    test("answers a batch in a few calls, each request with its own answer", async () => {
      const ids = Array.from({ length: 24 }, (_, n) => `${request}-many-${String(n).padStart(2, "0")}`);
      const messages = await Promise.all(ids.map((id) => requested(id)));
      expect(await deliver(messages, batched)).toEqual([]);
      expect(calls).toHaveLength(3);
      expect(await answersOf(`${request}-many-`)).toEqual(
        ids.map((id, n) =>
          expect.objectContaining({ input_id: id, request_id: messages[n]?.messageId, output: `in Lyon of ${id}` }),
        ),
      );
    });

    test.each(["refuse", "decline"])("one that the model will not have harms no other: %s", async (word) => {
      const good = await Promise.all([1, 2, 3].map((n) => requested(`beside-${word}-${n}`)));
      const bad = await requested(`bad-${word}`, word);
      expect(await deliver([...good.slice(0, 1), bad, ...good.slice(1)], batched)).toEqual([]);
      for (const { messageId } of good) expect(await outputOf(messageId)).toHaveLength(1);
      const [letter] = await desk.take(desk.deadLetterQueueUrl, 1);
      expect(letter).toMatchObject({ code: "refused_by_model", body: expect.stringContaining(bad.messageId) });
    });

    test("one that breaks the model is found by asking it alone, and no other is given up with it", async () => {
      const last = { receiveCount: 5 };
      const [bad, innocent, young] = [
        await requested("culprit", "break", last),
        await requested("innocent", "Lyon", last),
        await requested("young"),
      ];
      expect(await deliver([bad, innocent, young], batched)).toEqual([]);
      expect(await outputOf(innocent.messageId)).toHaveLength(1);
      expect(await outputOf(young.messageId)).toHaveLength(1);
      const [letter] = await desk.take(desk.deadLetterQueueUrl, 1);
      expect(letter).toMatchObject({ code: "endpoint_failed", body: expect.stringContaining(bad.messageId) });
    });
  },
);

test("asks with one feature as the whole body where that is agreed on", async () => {
  const message = await requested("raw");
  expect(await deliver([message], desk.worker({}, {}, contractIn("raw")))).toEqual([]);
  expect(await outputOf(message.messageId)).toEqual(["in Lyon of raw"]);
});

describe("an answer is no prediction", () => {
  const answered = (body: Buffer | string) => {
    desk.hindrances.SAGEMAKER_RUNTIME = () => {
      const headers = { "content-type": "application/json", "x-amzn-invoked-production-variant": "first" };
      return Promise.resolve({ status: 200, headers, body });
    };
  };

  test.each([
    ["instances", '{"predictions":["a"]}', /got 1: an object with predictions$/],
    ["inputs", '{"label":"secret"}', /got an object with label$/],
    ["inputs", '[{"label":"secret","score":1}]', /got 1: a list of 1 object with label, score$/],
    ["jsonlines", '"a"\n"b"\n"c"', /got 3: text that is no JSON$/],
    ["csv", "a,1\n", /got 1: text that is no JSON$/],
    ["csv", Buffer.from([0x61, 0x0a, 0xff]), /the model must answer in UTF-8, got other bytes$/],
  ] as const)("where it is not one to each, or no text: %s", async (request, body, reason) => {
    const worker = desk.worker({}, { INSTANCES_PER_CALL: "8" }, contractIn(request));
    const messages = [await requested(`${request}-1`), await requested(`${request}-2`)];
    answered(body);
    watchQueue();
    await expect(deliver(messages, worker)).rejects.toEqual(systemic(reason));
    for (const { messageId } of messages) expect(await outputOf(messageId)).toEqual([]);
    expect(desk.log()).not.toContain("secret");
  });
});

test("writes quotes, emoji and SQL exactly as they are", async () => {
  const id = `'; DROP TABLE prediction_results; -- "😀" \\ :v0 $1 \u{1F469}\u200D\u{1F680}`;
  const city = `it's "quoted" '; DROP TABLE prediction_results; -- 😀\n\ttwo\\`;
  await desk.features.write([{ id, values: valuesIn(city) }]);
  const message = delivered({ id, jobId: "'\"; --" });
  expect(await deliver([message])).toEqual([]);
  expect(await answersOf(id)).toEqual([
    expect.objectContaining({ request_id: message.messageId, job_id: "'\"; --", output: `in ${city}` }),
  ]);
});

test("logs each failure by its request and message, and no feature", async () => {
  const worker = desk.worker();
  const bad = await requested("a-secret", "refuse", { requestId: "request-7" });
  await deliver([bad], worker);
  await desk.take(desk.deadLetterQueueUrl, 1);
  await worker.stop();
  expect(desk.log()).toContain('"requestId":"request-7"');
  expect(desk.log()).toContain(bad.messageId);
  expect(desk.log()).not.toContain("of a-secret");
});

/** What CloudWatch is told, a line at a time. */
const measured = () =>
  desk
    .log()
    .trim()
    .split("\n")
    .filter((text) => text.includes("CloudWatchMetrics"))
    .map((text) => JSON.parse(text));

test("measures the bytes of each input that the model was asked and refused too, of many in as few lines as hold them", async () => {
  const worker = desk.worker();
  const words = [...Array(150).fill("Lyon"), "refuse"];
  const messages = await Promise.all(words.map((word, n) => requested(`sized-${n}`, word)));
  const before = measured().length;
  expect(await deliver(messages, worker)).toEqual([]);
  await desk.take(desk.deadLetterQueueUrl, 1);
  await worker.stop();
  const lines = measured().slice(before);
  expect(lines.length).toBeLessThanOrEqual(3); // 100 values a metric, and one of the failure's own
  expect(lines.flatMap(({ InputBytes: bytes = [] }) => bytes).sort()).toEqual(
    words.map((word, n) => `36${word} of sized-${n}`.length).sort(),
  );
  for (const { _aws: about } of lines)
    for (const { Metrics } of about.CloudWatchMetrics) expect(Metrics.length).toBeLessThanOrEqual(100);
});

test("measures of each answer whether it is the one that is watched", async () => {
  const city = 'Lyon, "it\'s"\n${so}';
  const worker = desk.worker({}, { WATCHED_ANSWER: `in ${city}` });
  const messages = [city, "Paris", city, "refuse"].map((city, n) =>
    delivered({ id: `watched-${n}`, features: { age: 36, city } }),
  );
  const before = measured().length;
  expect(await deliver(messages, worker)).toEqual([]);
  await desk.take(desk.deadLetterQueueUrl, 1);
  await worker.stop();
  const found = measured()
    .slice(before)
    .flatMap(({ WatchedAnswer = [] }) => WatchedAnswer);
  expect(found).toEqual([1, 0, 1]);
});

test("measures latency, lengths, age, predictions and failures by their reason", async () => {
  const worker = desk.worker();
  const sentAt = new Date(Date.now() - 60_000);
  const returned = await requested("measured-later", "break", { sentAt });
  await deliver(
    [await requested("measured", "Lyon", { sentAt }), returned, delivered("{oops"), delivered("{")],
    worker,
  );
  await desk.take(desk.deadLetterQueueUrl, 2);
  await worker.stop();
  const [batch, malformed, failed] = measured().slice(-3);
  expect(batch).not.toHaveProperty("WatchedAnswer");
  const dimensions = (...names: string[]) => ({
    _aws: {
      CloudWatchMetrics: [
        expect.objectContaining({
          Namespace: "SageMaker/CustomModelMetrics",
          Dimensions: [expect.arrayContaining(names)],
        }),
      ],
    },
    service: "worker",
  });
  expect(batch).toMatchObject({
    ...dimensions("service"),
    ModelLatency: expect.any(Number),
    InputBytes: "36Lyon of measured".length,
    Predictions: 1,
  });
  expect(batch.RequestAge).toBeGreaterThanOrEqual(60_000);
  expect(batch.ReturnedAge).toBeGreaterThanOrEqual(60);
  expect(batch.ReturnedAge).toBeLessThan(6_000);
  expect(malformed).toMatchObject({ ...dimensions("service", "reason"), reason: "malformed", Failures: 2 });
  expect(failed).toMatchObject({ ...dimensions("service", "reason"), reason: "endpoint_failed", Failures: 1 });
});

test("names every variable that it misses", async () => {
  const worker = desk.worker({ environment: { AWS_REGION: "us-east-1", ENDPOINT_CONCURRENCY: "many" } });
  const missing =
    /ENDPOINT_NAME is missing; .*ENDPOINT_CONCURRENCY is "many".*DEAD_LETTER_QUEUE_URL is missing; .*QUEUE_URL is missing/;
  await expect(worker.invoke({ Records: [delivered({ id: "1" })] })).rejects.toThrow(missing);
});
