import { createHash } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { z } from "zod";
import { startApiGateway } from "../../local/api-gateway";
import type { LocalFunction } from "../../local/lambda";
import { AwsError, json, parseBody, type StandIn } from "../../local/stand-in";
import { modelOf } from "../setup/contract";
import { type Desk, startDesk } from "../setup/desk";

let desk: Desk;
let api: LocalFunction;
let gateway: StandIn;

beforeAll(async () => {
  desk = await startDesk({ model: modelOf((cities) => cities.map((city) => `of ${city}`)) });
  api = desk.api();
  gateway = await startApiGateway({
    stageName: "dev",
    routes: ["/", "/predict", "/predict/{id}", "/{proxy+}"].map((resourcePath) => ({
      resourcePath,
      httpMethod: "ANY",
      function: api,
    })),
  });
});
afterAll(async () => {
  await gateway.stop();
  await desk.stop();
});
afterEach(() => desk.unhinder());

const call = async (method: string, path: string, body?: unknown) => {
  const text = typeof body === "string" || body === undefined ? body : JSON.stringify(body);
  const response = await fetch(gateway.url + path, { method, body: text });
  expect(response.headers.get("content-type")).toBe("application/json");
  return {
    status: response.status,
    headers: response.headers,
    body: z.record(z.string(), z.unknown()).parse(await response.json()),
  };
};

/** Waits until the log says this: it is written beside the answer, and may come after it. */
const logged = async (text: string) => {
  while (!desk.log().includes(text)) await setImmediate();
};

describe("POST /predict", () => {
  test("puts the request on the queue, and answers with its request id", async () => {
    const { status, body } = await call("POST", "/predict", { id: "7" });
    expect({ status, body }).toEqual({
      status: 202,
      body: { id: "7", requestId: expect.stringMatching(/^[0-9a-f-]{36}$/) },
    });
    const [message] = await desk.take(desk.queueUrl, 1);
    expect(JSON.parse(message?.body ?? "")).toEqual({
      id: "7",
      requestId: body.requestId,
      requestedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
    });
  });

  test("keeps the caller's own request id and job id", async () => {
    const { body } = await call("POST", "/predict", { id: "7", requestId: "mine", jobId: "job-1" });
    expect(body).toEqual({ id: "7", requestId: "mine" });
    const [message] = await desk.take(desk.queueUrl, 1);
    expect(JSON.parse(message?.body ?? "")).toMatchObject({ id: "7", requestId: "mine", jobId: "job-1" });
  });

  test("lets the requests of a tenant wait for none of another's", async () => {
    await call("POST", "/predict", [
      { id: "7", requestId: "of a tenant", jobId: "nightly", tenant: "team-a" },
      { id: "7", requestId: "of a job", jobId: "nightly" },
      { id: "7", requestId: "of neither" },
    ]);
    const messages = await desk.take(desk.queueUrl, 3);
    expect(messages.map(({ group }) => group).sort()).toEqual(["nightly", "team-a", undefined]);
    expect(messages.map(({ body }) => JSON.parse(body).tenant).sort()).toEqual(["team-a", undefined, undefined]);
  });

  const id = "id must be Unicode text of 1 to 1,024 UTF-8 bytes, without NUL and without a space at its end, got";
  test.each([
    { body: undefined, message: 'a request must be a JSON object such as {"id": "7"}, got ""' },
    { body: "{oops", message: 'a request must be a JSON object such as {"id": "7"}, got "{oops"' },
    { body: [], message: "an array must hold 1 to 1,000 requests, got 0" },
    {
      body: Array.from({ length: 1_001 }, () => ({ id: "7" })),
      message: "an array must hold 1 to 1,000 requests, got 1,001",
    },
    { body: {}, message: `${id} nothing` },
    { body: { id: 7 }, message: `${id} 7` },
    { body: { id: "\u0000" }, message: `${id} "\\u0000"` },
    {
      body: { id: "", jobId: 1, requestID: "x" },
      message: `${id} ""; jobId must be Unicode text of 1 to 128 UTF-8 bytes, without NUL and without a space at its end, got 1; a request has no "requestID", only id, requestId, jobId, tenant and features`,
    },
  ])("refuses what is no request, and says all that is wrong with it: $message", async ({ body, message }) => {
    const answer = await call("POST", "/predict", body);
    expect(answer.status).toBe(400);
    expect(answer.body).toEqual({ error: { code: "invalid_request", message } });
  });

  test("hands on the features that a request carries, to the digit", async () => {
    const body = '{"id":"7","requestId":"carrying","features":{"city":"Köln","age":9007199254740993,"income":1.50}}';
    expect((await call("POST", "/predict", body)).status).toBe(202);
    const [message] = await desk.take(desk.queueUrl, 1);
    expect(message?.body).toContain('"features":{"age":9007199254740993,"income":1.50,"city":"Köln"}');
  });

  test("refuses features that are not the contract's, and shows none of their content", async () => {
    const { status, body } = await call("POST", "/predict", { id: "7", features: { age: "secret", town: "secret" } });
    expect(status).toBe(400);
    const message =
      'features must have city; features: age must be a whole number of 64 bits, got a string; features has no "town", only age, income, city';
    expect(body).toEqual({ error: { code: "invalid_request", message } });
  });

  test("refuses a request whose message SQS could not hold, with sizes", async () => {
    const features = { age: 1, city: "\u0001".repeat(350_000) };
    const { status, body } = await call("POST", "/predict", { id: "7", features });
    expect(status).toBe(400);
    expect(body).toMatchObject({ error: { message: expect.stringContaining("at most 1,040,384 UTF-8 bytes") } });
  });

  test("asks every request for its features where there is no feature group", async () => {
    const alone = desk.api({}, { FEATURE_GROUP_NAME: undefined });
    const event = { httpMethod: "POST", resource: "/predict", path: "/predict", body: '{"id":"7"}' };
    expect(await alone.invoke(event)).toMatchObject({
      statusCode: 400,
      body: expect.stringContaining("there is no feature group, so every request carries its features"),
    });
  });

  test("reads a body that came in base64", async () => {
    const event = { httpMethod: "POST", resource: "/predict", path: "/predict", isBase64Encoded: true };
    const body = Buffer.from('{"id":"é","requestId":"encoded"}').toString("base64");
    expect(await api.invoke({ ...event, body })).toMatchObject({ statusCode: 202 });
    const [message] = await desk.take(desk.queueUrl, 1);
    expect(JSON.parse(message?.body ?? "")).toMatchObject({ id: "é", requestId: "encoded" });
  });

  test("takes a body of 5,000,000 bytes and none above", async () => {
    const padded = (bytes: number) => '{"id":""}'.padEnd(bytes, " ");
    expect((await call("POST", "/predict", padded(5_000_000))).body).toMatchObject({
      error: { code: "invalid_request" },
    });
    const { status, body } = await call("POST", "/predict", padded(5_000_001));
    expect(status).toBe(413);
    expect(body).toEqual({
      error: { code: "too_large", message: "the body must be at most 5,000,000 UTF-8 bytes, got 5,000,001" },
    });
  });

  test("answers 503 when the queue does not take the request, with the id to send it again under", async () => {
    desk.hindrances.SQS = () => {
      throw new AwsError("ServiceUnavailable", 503, "later");
    };
    const { status, headers, body } = await call("POST", "/predict", { id: "7" });
    expect(status).toBe(503);
    expect(headers.get("retry-after")).toBe("5");
    expect(body).toEqual({
      id: "7",
      requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      error: { code: "busy", message: "the request could not be queued; send it again with this requestId" },
    });
    await logged("ServiceUnavailable");
  });
});

const entriesSchema = z.object({ Entries: z.array(z.object({ Id: z.string(), MessageBody: z.string() })) });
const requestIdSchema = z.object({ requestId: z.string() });
const queuedSchema = z.object({ id: z.string(), requestId: z.string() });

/** A queue that takes every request but those with a request id of these, and all that it was given. */
const queueWithout = (...refused: string[]) => {
  const given: z.infer<typeof queuedSchema>[] = [];
  desk.hindrances.SQS = (request) => {
    const entries = parseBody(request, entriesSchema, "ValidationException").Entries.map(({ Id, MessageBody }) => {
      return { Id, body: MessageBody, ...queuedSchema.parse(JSON.parse(MessageBody)) };
    });
    given.push(...entries.map(({ id, requestId }) => ({ id, requestId })));
    const [failed, taken] = [true, false].map((bad) =>
      entries.filter(({ requestId }) => refused.includes(requestId) === bad),
    );
    return json({
      Successful: taken?.map(({ Id, body }) => ({
        Id,
        MessageId: Id,
        MD5OfMessageBody: createHash("md5").update(body).digest("hex"),
      })),
      Failed: failed?.map(({ Id }) => ({ Id, Code: "InternalError", SenderFault: false })),
    });
  };
  return given;
};

describe("POST /predict with an array", () => {
  test("puts each of its requests on the queue, and answers with their request ids in its order", async () => {
    const asked = [{ id: "7" }, { id: "8", requestId: "b" }, { id: "7", requestId: "c", jobId: "job-1" }];
    const { status, body } = await call("POST", "/predict", asked);
    expect(status).toBe(202);
    expect(body).toEqual({
      results: [
        { index: 0, status: 202, id: "7", requestId: expect.stringMatching(/^[0-9a-f-]{36}$/) },
        { index: 1, status: 202, id: "8", requestId: "b" },
        { index: 2, status: 202, id: "7", requestId: "c" },
      ],
    });
    const { results } = z.object({ results: z.array(requestIdSchema) }).parse(body);
    const taken = (await desk.take(desk.queueUrl, 3)).map((message) => JSON.parse(message.body));
    expect(taken).toHaveLength(3);
    for (const [place, request] of asked.entries()) {
      expect(taken).toContainEqual(
        expect.objectContaining({ ...request, ...(results[place] && { requestId: results[place].requestId }) }),
      );
    }
  });

  test("takes 1,000 at once, by ten a call", async () => {
    const given = queueWithout();
    desk.calls.length = 0;
    const requestIds = Array.from({ length: 1_000 }, (_, n) => `r${n}`);
    const { status } = await call(
      "POST",
      "/predict",
      requestIds.map((requestId) => ({ id: "7", requestId })),
    );
    expect(status).toBe(202);
    expect(given.map(({ requestId }) => requestId).sort()).toEqual(requestIds.sort());
    expect(desk.calls).toHaveLength(100);
  });

  test("takes the good ones among the bad, and says all that is wrong with each of these", async () => {
    const given = queueWithout();
    const { status, headers, body } = await call("POST", "/predict", [
      { id: "7", requestId: "a" },
      { id: "", jobId: 1 },
      "7",
      { id: "8", requestId: "b" },
    ]);
    expect(status).toBe(207);
    expect(headers.get("retry-after")).toBeNull();
    const rule = (bytes: string) =>
      `must be Unicode text of 1 to ${bytes} UTF-8 bytes, without NUL and without a space at its end, got`;
    const invalid = (message: string) => ({ status: 400, error: { code: "invalid_request", message } });
    expect(body).toEqual({
      results: [
        { index: 0, status: 202, id: "7", requestId: "a" },
        { index: 1, ...invalid(`id ${rule("1,024")} ""; jobId ${rule("128")} 1`) },
        { index: 2, ...invalid('a request must be a JSON object such as {"id": "7"}, got "7"') },
        { index: 3, status: 202, id: "8", requestId: "b" },
      ],
    });
    expect(given).toEqual([
      { id: "7", requestId: "a" },
      { id: "8", requestId: "b" },
    ]);
  });

  test("answers 400 where none is good, and calls no queue", async () => {
    desk.calls.length = 0;
    const { status, body } = await call("POST", "/predict", [{}, []]);
    expect(status).toBe(400);
    expect(body).toMatchObject({
      error: { code: "invalid_request" },
      results: [
        { index: 0, status: 400 },
        { index: 1, status: 400 },
      ],
    });
    expect(desk.calls).toEqual([]);
  });

  test("says which of them the queue did not take, and when to send these again", async () => {
    queueWithout("b");
    const { status, headers, body } = await call(
      "POST",
      "/predict",
      ["a", "b", "c"].map((requestId) => ({ id: "7", requestId })),
    );
    expect(status).toBe(207);
    expect(headers.get("retry-after")).toBe("5");
    const message = "the request could not be queued; send it again with this requestId";
    expect(body).toEqual({
      results: [
        { index: 0, status: 202, id: "7", requestId: "a" },
        { index: 1, status: 503, id: "7", requestId: "b", error: { code: "busy", message } },
        { index: 2, status: 202, id: "7", requestId: "c" },
      ],
    });
  });

  test("answers 503 where the queue took none", async () => {
    queueWithout("a", "b");
    const { status, headers, body } = await call(
      "POST",
      "/predict",
      ["a", "b"].map((requestId) => ({ id: "7", requestId })),
    );
    expect(status).toBe(503);
    expect(headers.get("retry-after")).toBe("5");
    expect(body).toMatchObject({
      error: { code: "busy" },
      results: [
        { index: 0, status: 503, requestId: "a" },
        { index: 1, status: 503, requestId: "b" },
      ],
    });
  });

  test("takes two with one request id as the one request that they are", async () => {
    const given = queueWithout();
    const { status, body } = await call("POST", "/predict", [
      { id: "7", requestId: "a" },
      { id: "7", requestId: "a" },
    ]);
    expect(status).toBe(202);
    expect(body).toEqual({
      results: [0, 1].map((index) => ({ index, status: 202, id: "7", requestId: "a" })),
    });
    expect(given).toEqual([{ id: "7", requestId: "a" }]);
  });

  test.each([{ id: "8" }, { id: "7", jobId: "job-1" }, { id: "7", features: { age: 1, city: "Köln" } }])(
    "refuses one that has the request id of another request: %j",
    async (other) => {
      const given = queueWithout();
      const { status, body } = await call("POST", "/predict", [
        { id: "7", requestId: "a" },
        { ...other, requestId: "a" },
      ]);
      expect(status).toBe(207);
      const message = 'requestId "a" is that of an item before, which has another id, jobId or features';
      expect(body).toEqual({
        results: [
          { index: 0, status: 202, id: "7", requestId: "a" },
          { index: 1, status: 400, error: { code: "invalid_request", message } },
        ],
      });
      expect(given).toEqual([{ id: "7", requestId: "a" }]);
    },
  );
});

describe("GET /predict/{id}", () => {
  test("answers with the stored predictions of the input alone, newest first", async () => {
    const requestedAt = "2026-01-31T12:00:00.123Z";
    for (const [requestId, inputId, second] of [
      ["first", "a/b é", "1"],
      ["second", "a/b é", "2"],
      ["third", "other", "3"],
    ] as const) {
      await desk.rows(
        "INSERT INTO prediction_results VALUES ($1, $2, NULL, 'of mine', 'classifier', 'first', '2026-01', '2026-01-31 12:00:00.123', TIMESTAMP '2026-01-31 12:00:01' + CAST($3 AS INT) * INTERVAL '1 second')",
        [requestId, inputId, second],
      );
    }

    const { status, body } = await call("GET", `/predict/${encodeURIComponent("a/b é")}`);
    expect(status).toBe(200);
    const prediction = {
      inputId: "a/b é",
      output: "of mine",
      model: { endpoint: "classifier", variant: "first", release: "2026-01" },
      requestedAt,
      predictedAt: expect.stringMatching(/^\d{4}-.*Z$/),
    };
    expect(body).toEqual({
      id: "a/b é",
      predictions: [
        { requestId: "second", ...prediction },
        { requestId: "first", ...prediction },
      ],
    });
  });

  test("answers 404 when nothing is stored", async () => {
    const { status, body } = await call("GET", "/predict/nobody");
    expect(status).toBe(404);
    expect(body).toEqual({ error: { code: "no_predictions", message: 'input "nobody" has no predictions' } });
  });

  test.each(["%20", "%00", "%E9", "x".repeat(1025)])("answers 400 to an id that no input has: %s", async (id) => {
    const { status, body } = await call("GET", `/predict/${id}`);
    expect(status).toBe(400);
    expect(body).toMatchObject({ error: { code: "invalid_request" } });
  });

  const pageSchema = z.object({
    predictions: z.array(z.object({ requestId: z.string() })),
    next: z.string().optional(),
  });
  const idsOf = ({ predictions }: z.infer<typeof pageSchema>) => predictions.map(({ requestId }) => requestId);
  const pageOf = async (path: string) => {
    const { status, body } = await call("GET", path);
    expect(status).toBe(200);
    return pageSchema.parse(body);
  };

  /** Stores predictions of an input, `r001` and so on, two at each millisecond, the last ones newest. */
  const store = (input: string, count: number, output = "yes") =>
    desk.rows(
      "INSERT INTO prediction_results " +
        "SELECT $1 || '-r' || to_char(n, 'FM000'), $1, NULL, $3, 'e', 'v', '1', TIMESTAMP '2026-01-31', " +
        "TIMESTAMP '2026-01-31' + n / 2 * INTERVAL '1 millisecond' FROM generate_series(1, CAST($2 AS INT)) AS n",
      [input, String(count), output],
    );

  test("answers page by page, each prediction once and in order, also where many have one time", async () => {
    await store("paged", 7);
    const pages = [await pageOf("/predict/paged?limit=3")];
    for (let next = pages[0]?.next; next !== undefined; next = pages.at(-1)?.next) {
      pages.push(await pageOf(`/predict/paged?limit=3&next=${next}`));
    }
    expect(pages.map(idsOf)).toEqual([
      ["paged-r006", "paged-r007", "paged-r004"],
      ["paged-r005", "paged-r002", "paged-r003"],
      ["paged-r001"],
    ]);
  });

  test("answers with 50 unless told, with 100 at most, and names no next page after the last", async () => {
    await store("many", 100);
    expect(idsOf(await pageOf("/predict/many"))).toHaveLength(50);
    const all = await pageOf("/predict/many?limit=100");
    expect(idsOf(all)).toHaveLength(100);
    expect(all.next).toBeUndefined();
  });

  test("ends a page where Lambda would refuse the answer, and goes on in the next", async () => {
    await store("large", 60, '"'.repeat(65_000));
    const ids: string[] = [];
    let next: string | undefined;
    let pages = 0;
    do {
      pages++;
      const answer = z.object({ statusCode: z.literal(200), body: z.string() }).parse(
        await api.invoke({
          httpMethod: "GET",
          resource: "/predict/{id}",
          path: "/predict/large",
          pathParameters: { id: "large" },
          queryStringParameters: { limit: "100", ...(next && { next }) },
        }),
      );
      expect(Buffer.byteLength(JSON.stringify(answer))).toBeLessThan(6_291_456);
      const page = pageSchema.parse(JSON.parse(answer.body));
      ids.push(...idsOf(page));
      next = page.next;
    } while (next !== undefined);
    expect(pages).toBeGreaterThan(1);
    expect(ids).toHaveLength(60);
    expect(new Set(ids).size).toBe(60);
  });

  test("answers what became of one request: its prediction, or why it failed, or 404", async () => {
    await store("asked", 3);
    await desk.rows(
      "INSERT INTO prediction_failures VALUES ('given up', 'asked', 'job-1', 'unknown_input', 'no such input', '2026-01-31', '2026-02-01')",
    );
    const times = { requestedAt: "2026-01-31T00:00:00.000Z" };
    const answer = await call("GET", "/predict/asked?requestId=asked-r002");
    expect({ status: answer.status, body: answer.body }).toEqual({
      status: 200,
      body: {
        id: "asked",
        requestId: "asked-r002",
        status: "answered",
        prediction: {
          requestId: "asked-r002",
          inputId: "asked",
          output: "yes",
          model: { endpoint: "e", variant: "v", release: "1" },
          predictedAt: "2026-01-31T00:00:00.001Z",
          ...times,
        },
      },
    });
    expect((await call("GET", "/predict/asked?requestId=given%20up")).body).toEqual({
      id: "asked",
      requestId: "given up",
      status: "failed",
      failure: {
        jobId: "job-1",
        code: "unknown_input",
        reason: "no such input",
        failedAt: "2026-02-01T00:00:00.000Z",
        ...times,
      },
    });
    await store("another", 1);
    const { status, body } = await call("GET", "/predict/asked?requestId=another-r001");
    expect(status).toBe(404);
    const message =
      'the request "another-r001" for the input "asked" is neither answered nor failed: it is on its way, or expired in the queue, or was never made';
    expect(body).toEqual({ error: { code: "no_outcome", message } });
  });

  const cursor = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  test.each([
    ["limit=0", 'limit must be a whole number from 1 to 100, got "0"'],
    ["limit=101", 'limit must be a whole number from 1 to 100, got "101"'],
    ["limit=1.5", 'limit must be a whole number from 1 to 100, got "1.5"'],
    ["limit=", 'limit must be a whole number from 1 to 100, got ""'],
    ["limit=1&limit=2", 'limit must be given once, got ["1","2"]'],
    ["requestId=a&limit=1", "requestId stands alone: it has one outcome, and no pages"],
    ["requestId=", "requestId must be Unicode text of 1 to 128 UTF-8 bytes"],
    ["requestID=a&x=1", 'there is no parameter "requestID", "x", only requestId, limit and next'],
    ["next=", 'next must be what an answer gave as its next, got ""'],
    ["next=nonsense", 'next must be what an answer gave as its next, got "nonsense"'],
    [`next=${cursor([0])}`, "next must be what an answer gave as its next"],
    [`next=${cursor([0, ""])}`, "next must be what an answer gave as its next"],
    [`next=${cursor([-1, "a"])}`, "next must be what an answer gave as its next"],
    [`next=${cursor([0.5, "a"])}`, "next must be what an answer gave as its next"],
    [`next=${cursor([9e15, "a"])}`, "next must be what an answer gave as its next"],
  ])("answers 400 to a query that makes no sense: %s", async (query, message) => {
    const { status, body } = await call("GET", `/predict/7?${query}`);
    expect(status).toBe(400);
    expect(body).toEqual({ error: { code: "invalid_request", message: expect.stringContaining(message) } });
  });

  test("answers 503 and when to come again while the warehouse is busy", async () => {
    desk.hindrances.REDSHIFT_DATA = () => {
      throw new AwsError("ActiveStatementsExceededException", 400, "500 statements are active");
    };
    const { status, headers, body } = await call("GET", "/predict/7");
    expect(status).toBe(503);
    expect(headers.get("retry-after")).toBe("5");
    expect(body).toEqual({ error: { code: "busy", message: "the warehouse is busy; try again" } });
  });

  test("answers 409 while the warehouse is paused, which no alarm rings for", async () => {
    desk.hindrances.REDSHIFT_DATA = () => {
      throw new AwsError("ValidationException", 400, "The cluster warehouse is paused.");
    };
    const { status, body } = await call("GET", "/predict/7");
    expect(status).toBe(409);
    expect(body).toEqual({
      error: { code: "warehouse_paused", message: expect.stringMatching(/^the warehouse is paused: predictions can /) },
    });
  });

  test("answers 500 without a word of what broke, and logs it", async () => {
    desk.hindrances.REDSHIFT_DATA = () => {
      throw new AwsError("ValidationException", 400, "no such cluster");
    };
    const { status, body } = await call("GET", "/predict/7");
    expect(status).toBe(500);
    expect(body).toEqual({
      error: { code: "internal_error", message: "something went wrong here; it has been logged" },
    });
    await logged("no such cluster");
  });
});

test("has no right to write predictions", async () => {
  const { status, error } = await desk.runAs(
    desk.roles.api,
    "INSERT INTO prediction_results SELECT * FROM prediction_results",
  );
  expect(status).toBe("FAILED");
  expect(error).toContain("permission denied");
});

test.each([
  ["GET", "/"],
  ["GET", "/predict"],
  ["DELETE", "/predict/7"],
  ["POST", "/predict/7"],
  ["PUT", "/nothing/here"],
])("answers %s %s with a JSON 404", async (method, path) => {
  const { status, body } = await call(method, path);
  expect(status).toBe(404);
  expect(body).toEqual({ error: { code: "not_found", message: `there is no ${method} ${path} here` } });
});
