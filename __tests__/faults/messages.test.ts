import fc from "fast-check";
import { z } from "zod";
import type { LocalFunction } from "../../local/lambda";
import { startSageMaker } from "../../local/sagemaker";
import { AwsError } from "../../local/stand-in";
import { anyBody, anyJson } from "../setup/any-body";
import { contractIn, modelOf, valuesIn } from "../setup/contract";
import { type Desk, delivered, startDesk } from "../setup/desk";

let desk: Desk;
let worker: LocalFunction;
let loader: LocalFunction;
let api: LocalFunction;
/** What the endpoint was sent. */
const sent: string[] = [];

beforeAll(async () => {
  desk = await startDesk({ model: modelOf((cities) => cities.map((city) => `in ${city}`)) });
  worker = desk.worker();
  loader = desk.loader();
  api = desk.api();
});
afterAll(() => desk.stop());
beforeEach(() => {
  sent.length = 0;
  desk.calls.length = 0;
  desk.hindrances.SAGEMAKER_RUNTIME = ({ body }, forward) => {
    sent.push(body.toString());
    return forward();
  };
});

const response = z.object({ batchItemFailures: z.array(z.object({ itemIdentifier: z.string() })) });
const loaded = z.object({ rejected: z.array(z.unknown()).length(0) });
/** Hands messages to a worker, has loaded what comes of them, and gives the ids of those that it returned. */
const deliver = async (messages: ReturnType<typeof delivered>[], by = worker) => {
  const { batchItemFailures } = response.parse(await by.invoke({ Records: messages }));
  loaded.parse(await loader.invoke({}));
  return batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);
};
const outputOf = async (requestId: string) =>
  (await desk.rows("SELECT output FROM prediction_results WHERE request_id = $1", [requestId])).map(
    ({ output }) => output,
  );
const letters = (count: number) => desk.take(desk.deadLetterQueueUrl, count);
const isFeatureStore = (call: string) => call.startsWith("SAGEMAKER_FEATURESTORE_RUNTIME");

describe("a message that carries its features", () => {
  test.each([
    ["json", '{"age":9007199254740993,"income":1.50,"city":"Köln"}'],
    ["instances", '{"instances":[{"age":9007199254740993,"income":1.50,"city":"Köln"}]}'],
    ["jsonlines", '{"age":9007199254740993,"income":1.50,"city":"Köln"}'],
    ["csv", "9007199254740993,1.50,Köln"],
    ["inputs", '{"inputs":[{"age":9007199254740993,"income":1.50,"city":"Köln"}]}'],
  ] as const)("is asked about to the digit in the format %s, and no feature store is", async (request, body) => {
    const message = delivered('{"id":"7","features":{"city":"Köln","income":1.50,"age":9007199254740993}}');
    expect(await deliver([message], desk.worker({}, {}, contractIn(request)))).toEqual([]);
    expect(sent).toEqual([body]);
    expect(desk.calls.filter(isFeatureStore)).toEqual([]);
    expect(await outputOf(message.messageId)).toEqual(["in Köln"]);
  });

  test("stands beside one whose features are looked up", async () => {
    await desk.features.write([{ id: "stored", values: valuesIn("Lyon") }]);
    const [carrying, looked] = [
      delivered({ id: "carrying", features: { age: 1, city: "Köln" } }),
      delivered({ id: "stored" }),
    ];
    expect(await deliver([carrying, looked])).toEqual([]);
    expect(await outputOf(carrying.messageId)).toEqual(["in Köln"]);
    expect(await outputOf(looked.messageId)).toEqual(["in Lyon"]);
    expect(desk.calls.filter(isFeatureStore)).toHaveLength(1);
  });

  test("is given up with its features to the letter where they are not the contract's, and they are not logged", async () => {
    const features = '{ "age" : 36.50, "income" : "secret" , "town": "secret" }';
    const message = delivered(`{"id":"7","features":${features}}`);
    expect(await deliver([message])).toEqual([]);
    const [letter] = await letters(1);
    expect(letter).toMatchObject({ code: "malformed", body: expect.stringContaining(features) });
    expect(letter?.reason).toMatch(/^features must have city; features: age must be .*, income must be .*"town"/);
    expect(desk.log()).not.toContain("secret");
  });

  test("comes back with its features to the letter", async () => {
    desk.hindrances.SAGEMAKER_RUNTIME = () => {
      throw new AwsError("ValidationError", 400, "no such endpoint");
    };
    const features = '{ "age" : 9007199254740993, "city": "Köln" }';
    const old = delivered(`{"id":"7","requestId":"back","features":${features}}`, new Date(Date.now() - 3_000_000));
    const forgetful = desk.worker({}, { MESSAGE_RETENTION_SECONDS: "3600" });
    await expect(deliver([old], forgetful)).rejects.toMatchObject({ errorType: "SystemicFault" });
    const [anew] = await desk.take(desk.queueUrl, 1);
    expect(anew?.body).toContain(`"features":${features}`);
  });

  test("is all that is answered where there is no feature group", async () => {
    const alone = desk.worker({}, { FEATURE_GROUP_NAME: undefined, RECORD_IDENTIFIER_TYPE: undefined });
    const [good, bad] = [delivered({ id: "7", features: { age: 1, city: "Köln" } }), delivered({ id: "7" })];
    expect(await deliver([good, bad], alone)).toEqual([]);
    expect(await outputOf(good.messageId)).toEqual(["in Köln"]);
    expect(await letters(1)).toMatchObject([
      {
        code: "malformed",
        reason: "features is missing: there is no feature group, so every request carries its features",
      },
    ]);
  });
});

test.each([
  [{ id: "8", features: { age: 1, city: "Köln" } }],
  [{ id: "7", jobId: "another", features: { age: 1, city: "Köln" } }],
  [{ id: "7", features: { age: 2, city: "Köln" } }],
  [{ id: "7" }],
])(
  "of two requests with one id in a batch, one with another input, job or features is a conflict: %j",
  async (other) => {
    const requestId = `conflict-${JSON.stringify(other)}`;
    const first = delivered({ id: "7", requestId, features: { age: 1, city: "Köln" } });
    const same = delivered({ features: { city: "Köln", age: 1 }, id: "7", requestId });
    const second = delivered({ ...other, requestId });
    expect(await deliver([first, same, second])).toEqual([]);
    expect(await outputOf(requestId)).toEqual(["in Köln"]);
    const reason = "a request before it in its batch has the same requestId, and another id, jobId or features";
    const sql = "SELECT input_id, code, reason FROM prediction_failures WHERE request_id = $1";
    expect(await desk.rows(sql, [requestId])).toEqual([{ input_id: other.id, code: "conflict", reason }]);
  },
);

const good = { id: "neighbour", features: { age: 1, city: "Köln" } };

describe("whatever comes", () => {
  test.each([
    ["ten kilobytes of brackets", "[".repeat(5_000) + "]".repeat(5_000)],
    ["a megabyte of brackets", "[".repeat(1_048_576)],
    ["an id nested a hundred thousand deep", `{"id":${"[".repeat(100_000)}${"]".repeat(100_000)}}`],
    ["features nested as deep", `{"id":"7","features":{"city":${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}}}`],
    ["a megabyte of quotes", '"'.repeat(1_048_576)],
    ["a megabyte of an id", `{"id":"${"é".repeat(520_000)}"}`],
    ["a hundred thousand fields", `{"id":"7"${Array.from({ length: 80_000 }, (_, n) => `,"f${n}":1`).join("")}}`],
    ["an SNS notification", '{"Type":"Notification","TopicArn":"arn:t","Message":"{\\"id\\":\\"7\\"}"}'],
    ["an id beyond 2^53", '{"id":9007199254740993}'],
    ["a key twice", '{"id":"7","id":"8"}'],
  ])("%s is a failure of its own, with its text, and its neighbours are answered", async (_, body) => {
    const before = delivered(good);
    const after = delivered(good);
    expect(await deliver([before, delivered(body), after])).toEqual([]);
    for (const { messageId } of [before, after]) expect(await outputOf(messageId)).toEqual(["in Köln"]);
    const [letter] = await letters(1);
    expect(letter).toMatchObject({ code: "malformed", reason: expect.stringMatching(/./) });
    const kept = letter?.body ?? "";
    const text = kept.startsWith('{"requestId"') && !body.startsWith("{") ? JSON.parse(kept).body : kept;
    if (letter?.reason?.includes("are kept")) expect(body.startsWith(text)).toBe(true);
    else expect(text).toContain(body.slice(1));
  });

  test("worker and loader end it, and its neighbours are answered", async () => {
    const cities = fc.array(fc.string({ unit: "binary", maxLength: 40_000 }), { maxLength: 2 });
    const property = fc.asyncProperty(
      fc.array(anyBody, { minLength: 1, maxLength: 8 }),
      cities,
      async (bodies, said) => {
        const [before, after] = [delivered(good), delivered(good)];
        const asked = said.map((city) => ({ city, message: delivered({ id: "7", features: { age: 1, city } }) }));
        const messages = [...bodies.map((body) => delivered(body)), ...asked.map(({ message }) => message)];
        await desk.rows("TRUNCATE prediction_results, prediction_failures");
        expect(await deliver([before, ...messages, after])).toEqual([]);
        for (const { messageId } of [before, after]) expect(await outputOf(messageId)).toEqual(["in Köln"]);
        for (const { city, message } of asked) {
          for (const output of await outputOf(message.messageId)) expect(output).toBe(`in ${city}`);
        }
        const answered = await desk.rows("SELECT request_id FROM prediction_results");
        const failed = z
          .array(z.object({ code: z.string(), reason: z.string().min(1) }))
          .parse(await desk.rows("SELECT code, reason FROM prediction_failures"));
        expect(answered.length - 2 + failed.length).toBe(messages.length);
        const found = await letters(failed.length);
        const codesOf = (ends: readonly { code?: string }[]) => ends.map(({ code }) => code).sort();
        expect(found.every(({ reason = "" }) => reason.length > 0)).toBe(true);
        expect(codesOf(found)).toEqual(codesOf(failed));
      },
    );
    await fc.assert(property, { seed: 12, numRuns: 25 });
  });

  const post = async (body: string) => {
    const answer = await api.invoke({ httpMethod: "POST", resource: "/predict", path: "/predict", body });
    const { statusCode, body: text } = z.object({ statusCode: z.number(), body: z.string() }).parse(answer);
    return { status: statusCode, body: JSON.parse(text) };
  };

  test("the API refuses it, and takes its neighbours", async () => {
    const property = fc.asyncProperty(anyJson, anyBody, async (value, body) => {
      const requestId = `taken-${Math.random()}`;
      const { status, body: answer } = await post(`[${value},${JSON.stringify({ ...good, requestId })}]`);
      expect([status, answer.results?.length, answer.results?.[1]?.status]).toEqual([207, 2, 202]);
      expect((await post(body)).status).toBe(400);
    });
    await fc.assert(property, { seed: 12, numRuns: 40 });
  });

  test("the API answers five megabytes of brackets", async () => {
    const { status, body } = await post("[".repeat(2_499_999) + "]".repeat(2_499_999));
    expect([status, body.error?.code]).toEqual([400, "invalid_request"]);
    expect((await post("[".repeat(5_000_000))).status).toBe(400);
  });
});

describe("an endpoint that exists already", () => {
  const described: string[] = [];
  const started: { stop(): Promise<void> }[] = [];
  afterEach(async () => {
    await Promise.all(started.splice(0).map((one) => one.stop()));
  });
  const workerAt = async (endpointName: string, variant?: string) => {
    described.length = 0;
    const sageMaker = await startSageMaker({
      endpointName,
      configurationName: "their-configuration-7",
      variantName: "first",
      instanceCount: 1,
    });
    started.push(sageMaker);
    const { startPassage } = await import("../../local/passage");
    const passage = await startPassage(sageMaker.url, ({ headers }, forward) => {
      described.push(String(headers["x-amz-target"]));
      return forward();
    });
    started.push(passage);
    return desk.worker(
      {},
      { MODEL_RELEASE: undefined, ENDPOINT_VARIANT: variant, AWS_ENDPOINT_URL_SAGEMAKER: passage.url },
    );
  };

  test("names its configuration in each row, looked up once, and is asked at the variant that is named", async () => {
    const existing = await workerAt("classifier", "first");
    const messages = [delivered(good), delivered(good)];
    for (const message of messages) expect(await deliver([message], existing)).toEqual([]);
    const rows = await desk.rows(
      "SELECT model_release FROM prediction_results WHERE request_id = $1 OR request_id = $2",
      [messages[0]?.messageId ?? "", messages[1]?.messageId ?? ""],
    );
    expect(rows).toEqual([{ model_release: "their-configuration-7" }, { model_release: "their-configuration-7" }]);
    expect(described).toEqual(["SageMaker.DescribeEndpoint"]);
  });

  test("whose configuration cannot be looked up is an outage: the request stays, and there is no row", async () => {
    const existing = await workerAt("another");
    const message = delivered(good);
    await expect(deliver([message], existing)).rejects.toMatchObject({
      errorType: "SystemicFault",
      message: expect.stringContaining(
        "the endpoint answered none of 1 requests: the endpoint's configuration could not be looked up: ValidationException",
      ),
    });
    expect(await outputOf(message.messageId)).toEqual([]);
    expect(sent).toEqual([]);
  });
});
