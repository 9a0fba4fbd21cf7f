import { z } from "zod";
import type { LocalFunction } from "../../local/lambda";
import { ModelError } from "../../local/sagemaker-runtime";
import { AwsError } from "../../local/stand-in";
import { type Desk, delivered, startDesk } from "../setup/desk";

const pairSchema = z.object({ seq_0: z.string(), seq_1: z.string() });
const asked: unknown[] = [];

/** Says what it was asked, so that a mix-up of sentences or of rows shows. */
const model = (body: unknown) => {
  asked.push(body);
  const { seq_0, seq_1 } = pairSchema.parse(body);
  if (seq_1 === "refuse") throw new ModelError(400, `cannot read ${seq_0}`);
  if (seq_1 === "break") throw new ModelError(500, "out of memory");
  if (seq_1 === "garbage") return { label: 1 };
  if (seq_1 === "ramble") return "é".repeat(40_000);
  if (seq_1 === "fill") return "x".repeat(60_000);
  if (seq_1 === "wait") return new Promise<unknown>(() => {});
  return `${seq_0} | ${seq_1}`;
};

let desk: Desk;
let warm: LocalFunction;

beforeAll(async () => {
  desk = await startDesk({ model });
  warm = desk.worker();
});
afterAll(() => desk.stop());
beforeEach(() => {
  asked.length = 0;
});
afterEach(() => {
  desk.unhinder();
});

const responseSchema = z.object({ batchItemFailures: z.array(z.object({ itemIdentifier: z.string() })) });
type Delivered = ReturnType<typeof delivered>;

/** Hands messages to a worker, and gives the ids of those that it returned. */
const deliver = async (messages: Delivered[], worker = warm) => {
  const response = responseSchema.parse(await worker.invoke({ Records: messages }));
  return response.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);
};

const outputOf = async (requestId: string) => {
  const rows = await desk.rows("SELECT output FROM prediction_results WHERE request_id = $1", [requestId]);
  return rows.map(({ output }) => output);
};

/** Writes an input, and gives a message that asks for it. */
const requested = async (id: string, seq_1 = "second", more: Record<string, string> = {}) => {
  await desk.features.write([{ id, seq_0: `first of ${id}`, seq_1 }]);
  return delivered({ id, ...more });
};

test("asks the model about both sentences", async () => {
  await deliver([await requested("both")]);
  expect(asked).toEqual([{ seq_0: "first of both", seq_1: "second" }]);
});

test("stores the answer with its request, its model and its times", async () => {
  const message = await requested("whole", "second", { requestId: "request-whole", jobId: "job-7" });
  expect(await deliver([message])).toEqual([]);
  const [row] = await desk.rows(
    "SELECT *, requested_at::text AS requested, predicted_at > now() AT TIME ZONE 'UTC' - interval '1 hour' AS fresh FROM prediction_results WHERE request_id = 'request-whole'",
  );
  expect(row).toMatchObject({
    input_id: "whole",
    job_id: "job-7",
    output: "first of whole | second",
    endpoint: "paraphrases",
    variant: "first",
    model_release: "2026-01",
    requested: "2026-01-31 12:00:00.123",
    fresh: true,
  });
});

test("takes the message's id for the key of a request that has none, and no job for no job", async () => {
  const message = await requested("plain");
  await deliver([message]);
  const rows = await desk.rows("SELECT request_id, job_id FROM prediction_results WHERE input_id = 'plain'");
  expect(rows).toEqual([{ request_id: message.messageId, job_id: null }]);
});

test("makes one row of a message that is delivered again", async () => {
  const message = await requested("again");
  await deliver([message]);
  expect(await deliver([message])).toEqual([]);
  expect(await outputOf(message.messageId)).toHaveLength(1);
});

test("makes one row of two messages with one request id, and two of two requests for one input", async () => {
  await desk.features.write([{ id: "twice", seq_0: "a", seq_1: "b" }]);
  const same = [1, 2].map(() => delivered({ id: "twice", requestId: "same" }));
  expect(await deliver([...same, delivered({ id: "twice" }), delivered({ id: "twice" })])).toEqual([]);
  expect(await outputOf("same")).toHaveLength(1);
  expect(await desk.rows("SELECT 1 FROM prediction_results WHERE input_id = 'twice'")).toHaveLength(3);
});

test("makes one row each of a batch that four functions work on at once", async () => {
  const ids = Array.from({ length: 10 }, (_, place) => `raced-${place}`);
  await desk.features.write(ids.map((id) => ({ id, seq_0: id, seq_1: "b" })));
  for (let round = 0; round < 5; round++) {
    const messages = ids.map((id) => delivered({ id, jobId: `race-${round}` }));
    const returned = await Promise.all([1, 2, 3, 4].map(() => deliver(messages)));
    expect(returned.flat()).toEqual([]);
  }
  const rows = await desk.rows(
    "SELECT job_id, count(*)::int AS rows, count(DISTINCT request_id)::int AS requests FROM prediction_results WHERE job_id LIKE 'race-%' GROUP BY job_id ORDER BY job_id",
  );
  expect(rows).toEqual([0, 1, 2, 3, 4].map((round) => ({ job_id: `race-${round}`, rows: 10, requests: 10 })));
});

test("answers a batch with one read and one write", async () => {
  const messages = await Promise.all(Array.from({ length: 12 }, (_, place) => requested(`cheap-${place}`)));
  desk.calls.length = 0;
  await deliver(messages);
  const counts = new Map<string, number>();
  for (const call of desk.calls) counts.set(call, (counts.get(call) ?? 0) + 1);
  expect(Object.fromEntries(counts)).toEqual({
    "SAGEMAKER_FEATURESTORE_RUNTIME /BatchGetRecord": 1,
    "SAGEMAKER_RUNTIME /endpoints/paraphrases/invocations": 12,
    "REDSHIFT_DATA RedshiftData.BatchExecuteStatement": 1,
  });
});

describe("of what can never be answered", () => {
  test.each([
    {
      what: "a body that is no JSON",
      body: "{oops",
      reason: 'a request must be a JSON object such as {"id": "7"}, got "{oops"',
    },
    {
      what: "a body without an id",
      body: {},
      reason: /^id must be Unicode text of 1 to 1,024 UTF-8 bytes.* got nothing$/,
    },
    { what: "an unknown input", body: { id: "nobody" }, reason: "the feature group has no such input" },
    { what: "an input that the model refuses", seq_1: "refuse", reason: "the model refused the input (400)" },
    {
      what: "an output longer than its column",
      seq_1: "ramble",
      reason: "output must be at most 65,535 UTF-8 bytes, got 80,000",
    },
  ])(
    "$what goes to the dead-letter queue with its reason, and its neighbours are answered",
    async ({ body, seq_1, reason }) => {
      const good = await requested("neighbour");
      const bad = seq_1 === undefined ? delivered(body ?? "") : await requested(`bad-${seq_1}`, seq_1);
      expect(await deliver([bad, good])).toEqual([]);
      expect(await outputOf(good.messageId)).toEqual(["first of neighbour | second"]);
      expect(await outputOf(bad.messageId)).toEqual([]);
      const [letter] = await desk.take(desk.deadLetterQueueUrl, 1);
      expect(letter?.reason).toMatch(reason);
      expect(JSON.parse(letter?.body ?? "")).toMatchObject({
        requestId: bad.messageId,
        requestedAt: "2026-01-31T12:00:00.123Z",
      });
    },
  );

  test("a redrive under a new message id keeps the request id and the time", async () => {
    const bad = delivered({ id: "late", jobId: "job-late" });
    await deliver([bad]);
    const [letter] = await desk.take(desk.deadLetterQueueUrl, 1);
    await desk.features.write([{ id: "late", seq_0: "a", seq_1: "b" }]);
    expect(await deliver([delivered(letter?.body ?? "", new Date())])).toEqual([]);
    const rows = await desk.rows(
      "SELECT request_id, job_id, requested_at::text FROM prediction_results WHERE input_id = 'late'",
    );
    expect(rows).toEqual([{ request_id: bad.messageId, job_id: "job-late", requested_at: "2026-01-31 12:00:00.123" }]);
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
  test.each(["break", "garbage"])("only what the model fails at goes back to the queue: %s", async (seq_1) => {
    const [bad, good] = [await requested(`later-${seq_1}`, seq_1), await requested("beside")];
    expect(await deliver([bad, good])).toEqual([bad.messageId]);
    expect(await outputOf(good.messageId)).toHaveLength(1);
  });

  test("only what a throttled endpoint turned away goes back to the queue", async () => {
    desk.hindrances.SAGEMAKER_RUNTIME = ({ body }, forward) => {
      if (body.includes("throttle me")) throw new AwsError("ThrottlingException", 400, "Rate exceeded");
      return forward();
    };
    const messages = await Promise.all(
      ["throttle me", "b", "throttle me", "b"].map((seq_1, n) => requested(`busy-${n}`, seq_1)),
    );
    const turnedAway = [messages[0]?.messageId, messages[2]?.messageId];
    expect(await deliver(messages)).toEqual(turnedAway);
    expect(await desk.rows("SELECT input_id FROM prediction_results WHERE input_id LIKE 'busy-%' ORDER BY 1")).toEqual([
      { input_id: "busy-1" },
      { input_id: "busy-3" },
    ]);
  });

  test("a feature store that fails loses nothing", async () => {
    const message = await requested("unread");
    desk.hindrances.SAGEMAKER_FEATURESTORE_RUNTIME = () => {
      throw new AwsError("ServiceUnavailable", 503, "later");
    };
    expect(await deliver([message])).toEqual([message.messageId]);
    desk.unhinder();
    expect(await deliver([message])).toEqual([]);
    expect(await outputOf(message.messageId)).toHaveLength(1);
  });

  test("a warehouse that fails loses nothing: everything comes back, and is answered once it is well", async () => {
    const messages = [await requested("held-1"), await requested("held-2")];
    desk.hindrances.REDSHIFT_DATA = () => {
      throw new AwsError("InternalServerException", 500, "in maintenance");
    };
    expect(await deliver(messages)).toEqual(messages.map(({ messageId }) => messageId));
    expect(await desk.rows("SELECT 1 FROM prediction_results WHERE input_id LIKE 'held-%'")).toEqual([]);
    desk.unhinder();
    expect(await deliver(messages)).toEqual([]);
    expect(await desk.rows("SELECT 1 FROM prediction_results WHERE input_id LIKE 'held-%'")).toHaveLength(2);
  });

  test("a commit whose answer is lost makes no second row", async () => {
    const message = await requested("lost");
    desk.hindrances.REDSHIFT_DATA = async (_, forward) => {
      await forward();
      throw new AwsError("InternalServerException", 500, "the answer was lost");
    };
    expect(await deliver([message])).toEqual([message.messageId]);
    desk.unhinder();
    expect(await deliver([message])).toEqual([]);
    expect(await outputOf(message.messageId)).toHaveLength(1);
  });

  test("what its time does not suffice for goes back to the queue, and the rest is stored", async () => {
    const [slow, good] = [await requested("slow", "wait"), await requested("quick")];
    expect(await deliver([slow, good], desk.worker({ timeoutSeconds: 3 }))).toEqual([slow.messageId]);
    expect(await outputOf(good.messageId)).toHaveLength(1);
  });
});

test("stores quotes, emoji and SQL exactly as they are", async () => {
  const id = `'; DROP TABLE prediction_results; -- "😀" \\ :v0 $1 \u{1F469}\u200D\u{1F680}`;
  const sentence = `it's "quoted" '; DROP TABLE prediction_results; -- 😀\n\ttwo\\`;
  await desk.features.write([{ id, seq_0: sentence, seq_1: "é" }]);
  const message = delivered({ id, jobId: "'\"; --" });
  expect(await deliver([message])).toEqual([]);
  const rows = await desk.rows("SELECT input_id, job_id, output FROM prediction_results WHERE request_id = $1", [
    message.messageId,
  ]);
  expect(rows).toEqual([{ input_id: id, job_id: "'\"; --", output: `${sentence} | é` }]);
});

test("stores outputs that together are larger than a statement", async () => {
  const messages = await Promise.all([1, 2, 3].map((n) => requested(`large-${n}`, "fill")));
  expect(await deliver(messages)).toEqual([]);
  const rows = await desk.rows("SELECT length(output) AS length FROM prediction_results WHERE input_id LIKE 'large-%'");
  expect(rows).toEqual([{ length: 60_000 }, { length: 60_000 }, { length: 60_000 }]);
});

test("its database user may neither delete nor change what is stored", async () => {
  const message = await requested("kept");
  await deliver([message]);
  for (const sql of [
    "DELETE FROM prediction_results",
    "UPDATE prediction_results SET output = ''",
    "DROP TABLE prediction_results",
  ]) {
    const { status, error } = await desk.runAs(desk.roles.worker, sql);
    expect(status).toBe("FAILED");
    expect(error).toMatch(/permission denied|must be owner/);
  }
  expect(await outputOf(message.messageId)).toHaveLength(1);
});

test("logs each failure by its request and message, and no sentence", async () => {
  const worker = desk.worker();
  const bad = await requested("secret", "refuse", { requestId: "request-secret" });
  await deliver([bad], worker);
  await desk.take(desk.deadLetterQueueUrl, 1);
  await worker.stop();
  expect(desk.log()).toContain('"requestId":"request-secret"');
  expect(desk.log()).toContain(bad.messageId);
  expect(desk.log()).not.toContain("first of secret");
});

test("measures latency, lengths, predictions and failures", async () => {
  const worker = desk.worker();
  await deliver([await requested("measured"), delivered("{oops")], worker);
  await desk.take(desk.deadLetterQueueUrl, 1);
  await worker.stop();
  const line = desk
    .log()
    .trim()
    .split("\n")
    .findLast((text) => text.includes("CloudWatchMetrics"));
  expect(JSON.parse(line ?? "{}")).toMatchObject({
    _aws: { CloudWatchMetrics: [{ Namespace: "SageMaker/CustomModelMetrics" }] },
    ModelLatency: expect.any(Number),
    InputLengthSeq0: "first of measured".length,
    InputLengthSeq1: "second".length,
    Predictions: 1,
    Failures: 1,
  });
});

test("names every variable that it misses", async () => {
  const worker = desk.worker({ environment: { AWS_REGION: "us-east-1", ENDPOINT_CONCURRENCY: "many" } });
  const missing =
    /FEATURE_GROUP_NAME is missing; .*ENDPOINT_NAME is missing; .*ENDPOINT_CONCURRENCY is "many".*DEAD_LETTER_QUEUE_URL is missing/;
  await expect(worker.invoke({ Records: [delivered({ id: "1" })] })).rejects.toThrow(missing);
});
