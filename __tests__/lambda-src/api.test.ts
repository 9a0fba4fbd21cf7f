import { z } from "zod";
import { startApiGateway } from "../../local/api-gateway";
import { AwsError, type StandIn } from "../../local/stand-in";
import { type Desk, delivered, startDesk } from "../setup/desk";

let desk: Desk;
let gateway: StandIn;

beforeAll(async () => {
  desk = await startDesk({ model: (body) => `of ${z.object({ seq_0: z.string() }).parse(body).seq_0}` });
  const api = desk.api();
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

  const id = "id must be Unicode text of 1 to 1,024 UTF-8 bytes, without NUL and without a space at its end, got";
  test.each([
    { body: undefined, message: 'a request must be a JSON object such as {"id": "7"}, got ""' },
    { body: "{oops", message: 'a request must be a JSON object such as {"id": "7"}, got "{oops"' },
    { body: ["7"], message: 'a request must be a JSON object such as {"id": "7"}, got ["7"]' },
    { body: {}, message: `${id} nothing` },
    { body: { id: 7 }, message: `${id} 7` },
    { body: { id: "\u0000" }, message: `${id} "\\u0000"` },
    {
      body: { id: "", jobId: 1, requestID: "x" },
      message: `${id} ""; jobId must be Unicode text of 1 to 128 UTF-8 bytes, without NUL and without a space at its end, got 1; a request has no "requestID", only id, requestId and jobId`,
    },
  ])("refuses $body, and says all that is wrong with it", async ({ body, message }) => {
    const answer = await call("POST", "/predict", body);
    expect(answer.status).toBe(400);
    expect(answer.body).toEqual({ error: { code: "invalid_request", message } });
  });

  test("answers 503 when the queue does not take the request", async () => {
    desk.hindrances.SQS = () => {
      throw new AwsError("ServiceUnavailable", 503, "later");
    };
    const { status, headers, body } = await call("POST", "/predict", { id: "7" });
    expect(status).toBe(503);
    expect(headers.get("retry-after")).toBe("5");
    expect(body).toEqual({ error: { code: "busy", message: "the request could not be queued; try again" } });
  });
});

describe("GET /predict/{id}", () => {
  test("answers with the stored predictions of the input alone, newest first", async () => {
    const worker = desk.worker();
    await desk.features.write([
      { id: "a/b é", seq_0: "mine", seq_1: "x" },
      { id: "other", seq_0: "not mine", seq_1: "x" },
    ]);
    for (const requestId of ["first", "second"])
      await worker.invoke({ Records: [delivered({ id: "a/b é", requestId })] });
    await worker.invoke({ Records: [delivered({ id: "other" })] });

    const { status, body } = await call("GET", `/predict/${encodeURIComponent("a/b é")}`);
    expect(status).toBe(200);
    const prediction = {
      inputId: "a/b é",
      output: "of mine",
      model: { endpoint: "paraphrases", variant: "first", release: "2026-01" },
      requestedAt: "2026-01-31T12:00:00.123Z",
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

  test("answers 503 and when to come again while the warehouse is busy", async () => {
    desk.hindrances.REDSHIFT_DATA = () => {
      throw new AwsError("ActiveStatementsExceededException", 400, "500 statements are active");
    };
    const { status, headers, body } = await call("GET", "/predict/7");
    expect(status).toBe(503);
    expect(headers.get("retry-after")).toBe("5");
    expect(body).toEqual({ error: { code: "busy", message: "the warehouse is busy; try again" } });
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
    expect(desk.log()).toContain("no such cluster");
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
