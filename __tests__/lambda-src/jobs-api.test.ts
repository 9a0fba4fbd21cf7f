import { createHash } from "node:crypto";
import { DeleteObjectCommand, GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from "@aws-sdk/client-s3";
import { z } from "zod";
import {
  factsOf,
  type JobChecked,
  type JobCounts,
  type JobFailed,
  type JobManifest,
  openMark,
} from "../../contract/job";
import { startApiGateway } from "../../local/api-gateway";
import type { LocalFunction } from "../../local/lambda";
import type { OnTheWay } from "../../local/passage";
import { s3Error } from "../../local/s3";
import type { StandIn } from "../../local/stand-in";
import { limiter } from "../../pipeline/flow";
import { modelOf } from "../setup/contract";
import { type Desk, startDesk } from "../setup/desk";

let desk: Desk;
let api: LocalFunction;
let gateway: StandIn;
/** How often the starter was invoked. */
const started = () => desk.calls.filter((one) => one.startsWith("LAMBDA")).length;

const dayAhead = 86_400;

beforeAll(async () => {
  desk = await startDesk({ model: modelOf((cities) => cities.map((city) => `of ${city}`)) });
  api = desk.api();
  gateway = await startApiGateway({
    stageName: "dev",
    routes: ["/", "/jobs", "/jobs/{id}", "/jobs/{id}/cancel", "/{proxy+}"].map((resourcePath) => ({
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
beforeEach(async () => {
  await empty();
  desk.calls.length = 0;
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
const post = (body: unknown) => call("POST", "/jobs", body);
const errorOf = ({ body }: Awaited<ReturnType<typeof call>>) =>
  z.object({ error: z.object({ code: z.string(), message: z.string() }) }).parse(body).error;

const put = (Key: string, Body: string) =>
  desk.s3.send(new PutObjectCommand({ Bucket: desk.answersBucket, Key, Body }));
const putFact = (key: string, fact: JobChecked | JobCounts | JobFailed | JobManifest) => put(key, JSON.stringify(fact));
const remove = (Key: string) => desk.s3.send(new DeleteObjectCommand({ Bucket: desk.answersBucket, Key }));
const textAt = async (Key: string) => {
  const { Body } = await desk.s3.send(new GetObjectCommand({ Bucket: desk.answersBucket, Key }));
  return (await Body?.transformToString()) ?? "";
};
const keys = async () => {
  const { Contents = [] } = await desk.s3.send(new ListObjectsV2Command({ Bucket: desk.answersBucket }));
  return Contents.map(({ Key = "" }) => Key);
};
const empty = async () => {
  for (const key of await keys()) await remove(key);
};

/** Lets writes to S3 go through until this one, which an error meets instead: what a kill before it leaves. */
const killedBefore = (key: string): OnTheWay => {
  return (request, forward) =>
    request.method === "PUT" && request.url.pathname.endsWith(`/${key}`)
      ? s3Error(400, "Killed", "killed here")
      : forward();
};

/** A hundred calls, as many at a time as this machine has room for processes. */
const atOnce = <T>(one: (n: number) => Promise<T>) => {
  const limited = limiter(16);
  return Promise.all(Array.from({ length: 100 }, (_, n) => limited(() => one(n))));
};

const csv = "id,city\n1,Köln\n";
const nightly = { id: "nightly", input: { key: "inputs/rows.csv" } };
const mark = openMark("nightly");
const { request, checked, counts, failed, cancel, manifest } = factsOf("nightly");
const at = new Date("2026-11-28T00:00:00Z");
const soundly = { v: 1, rows: 10, carriesFeatures: true, checkedAt: at } as const;
const ended = { answered: 8, failed: 1, expired: 1, cancelled: 0 };
const whole: JobManifest = {
  v: 1,
  id: "nightly",
  outcome: "completed",
  format: "ndjson",
  rows: 10,
  ...ended,
  lost: 0,
  parts: [{ key: "results/nightly/1/part-1.ndjson", rows: 10, bytes: 100, sha256: "ab" }],
  releases: ["2026-01"],
  contract: "cd",
  asOf: at,
  endedAt: at,
};

describe("POST /jobs", () => {
  test("makes a job of a file, says where it is, and has its rows sent", async () => {
    await put("inputs/rows.csv", csv);
    const { status, headers, body } = await post(nightly);
    expect(status).toBe(201);
    expect(headers.get("location")).toBe("jobs/nightly");
    expect(body).toEqual({
      id: "nightly",
      state: "validating",
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      deadline: expect.any(String),
      input: { key: "inputs/rows.csv", etag: expect.stringMatching(/^"/), bytes: Buffer.byteLength(csv) },
      settings: { format: "csv", columns: {}, deadlineSeconds: 3 * dayAhead, result: "ndjson" },
    });
    expect(Date.parse(String(body.deadline)) - Date.parse(String(body.createdAt))).toBe(3_000 * dayAhead);
    expect(await keys()).toEqual(["inputs/rows.csv", request, mark]);
    expect(JSON.parse(await textAt(request))).toMatchObject({ v: 1, id: "nightly", createdAt: body.createdAt });
    expect(started()).toBe(1);
  });

  test("keeps what is asked for beside the file", async () => {
    await put("inputs/rows", csv);
    const settings = { format: "csv", columns: { city: "town" }, limit: 5, tenant: "team a", result: "parquet" };
    const { status, body } = await post({ id: "j", input: { key: "inputs/rows" }, ...settings, deadline: 3_600 });
    expect(status).toBe(201);
    expect(body.settings).toEqual({ ...settings, deadlineSeconds: 3_600 });
  });

  test("writes rows that come with the call as a file, to the digit, and names the job by its fingerprint", async () => {
    const rows =
      '[{"id":"7","features":{"age":9007199254740993,\r\n"income":1.50,"city":"K\\nöln"}},\n{"id":"8"\n,"features":{"age":1,"city":""}}]';
    const { status, headers, body } = await post(`{"input":{"rows":${rows}}}`);
    expect(status).toBe(201);
    expect(body.id).toMatch(/^[0-9a-f]{32}$/);
    expect(headers.get("location")).toBe(`jobs/${body.id}`);
    const text =
      '{"id":"7","features":{"age":9007199254740993, "income":1.50,"city":"K\\nöln"}}\n{"id":"8" ,"features":{"age":1,"city":""}}\n';
    const key = `inputs/${createHash("sha256").update(text).digest("hex")}.ndjson`;
    expect(await textAt(key)).toBe(text);
    expect(body.input).toEqual({ key, etag: expect.any(String), bytes: Buffer.byteLength(text) });
    expect(body.settings).toMatchObject({ format: "ndjson" });
    const again = await post(`{"input":{"rows":${rows}}}`);
    expect(again).toMatchObject({ status: 200, body: { id: body.id } });
  });

  test.each([
    ["inputs/rows.csv", "csv"],
    ["inputs/a b/ROWS.CSV.gz", "csv"],
    ["inputs/rows.ndjson", "ndjson"],
    ["inputs/rows.jsonl.gz", "ndjson"],
  ])("knows the format of %s", async (key, format) => {
    await put(key, csv);
    expect((await post({ input: { key } })).body.settings).toMatchObject({ format });
  });

  test.each([
    [345_600, 259_200],
    [172_800, 86_400],
    [172_799, 86_399],
    [60, 60],
  ])("with a queue that keeps a message for %d s, gives a job %d s at most", async (retention, longest) => {
    await put("inputs/rows.csv", csv);
    const other = desk.api({}, { MESSAGE_RETENTION_SECONDS: String(retention) });
    const event = (deadline?: number) => ({
      httpMethod: "POST",
      resource: "/jobs",
      path: "/jobs",
      body: JSON.stringify({ ...nightly, deadline }),
    });
    expect(await other.invoke(event(longest + 1))).toMatchObject({ statusCode: 400 });
    expect(await other.invoke(event(longest))).toMatchObject({ statusCode: 201 });
    expect(await other.invoke(event())).toMatchObject({ statusCode: 200 }); // the same, by default
  });

  const none = 'a job must be a JSON object such as {"input": {"key": "inputs/rows.csv"}}, got';
  const either = "input must be a JSON object with either key or rows, got";
  const key = "the key of an object below inputs/, of at most 1,024 UTF-8 bytes and without . and .. between slashes";
  const text = "Unicode text of 1 to 128 UTF-8 bytes, without NUL and without a space at its end";
  const name = "1 to 100 letters, digits, dots, hyphens and underscores, of which the first is a letter or a digit";
  const rows = [{ id: "7" }];
  test.each([
    [undefined, `${none} nothing`],
    ["{oops", `${none} text that is no JSON`],
    [[], `${none} an empty list`],
    ['"secret"', `${none} a string`],
    [{}, `${either} nothing`],
    [{ input: null }, `${either} a null value`],
    [{ input: "inputs/rows.csv" }, `${either} a string`],
    [{ input: {} }, `${either} neither`],
    [{ input: { rows, key: "inputs/rows.csv" } }, `${either} both`],
    [{ input: { rows, more: 1 } }, 'input has no "more", only key or rows'],
    ['{"input":{"rows":[{}],"rows":[{}]}}', 'input has "rows" twice'],
    [{ input: { key: 7 } }, `input.key must be ${key}, got 7`],
    [{ input: { key: "rows.csv" } }, `input.key must be ${key}, got "rows.csv"`],
    [{ input: { key: "inputs/" } }, `input.key must be ${key}, got "inputs/"`],
    [{ input: { key: "inputs/../jobs/x.csv" } }, `input.key must be ${key}, got "inputs/../jobs/x.csv"`],
    [{ input: { key: "inputs/\ud800.csv" } }, `input.key must be ${key}, got "inputs/\\ud800.csv"`],
    [{ input: { key: `inputs/${"é".repeat(509)}` } }, `input.key must be ${key}, got "inputs/${"é".repeat(72)}…`],
    [
      { input: { key: "inputs/gone.csv" } },
      'input.key must be the key of an object that is there, below inputs/ of the bucket for answers, got "inputs/gone.csv"',
    ],
    [
      { input: { key: "inputs/rows.txt" } },
      "format must be csv or ndjson where the key does not end in .csv or .ndjson, got nothing",
    ],
    [{ input: { rows: {} } }, "input.rows must be an array of 1 to 1,000 JSON objects, got an object"],
    [{ input: { rows: [] } }, "input.rows must be an array of 1 to 1,000 JSON objects, got 0"],
    [
      { input: { rows: Array.from({ length: 1_001 }, () => ({ id: "7" })) } },
      "input.rows must be an array of 1 to 1,000 JSON objects, got 1,001",
    ],
    [
      { input: { rows: [{ id: "7" }, "secret", ["secret"]] } },
      'input.rows must be JSON objects such as {"id": "7"}: input.rows[1] is a string, input.rows[2] is a list of 1 string',
    ],
    [
      { input: { rows: [{ id: "7".repeat(2_000_000) }] } },
      "input.rows must have at most 2,000,000 UTF-8 bytes as lines, got 2,000,010: put more into an object below inputs/",
    ],
    [{ input: { rows }, id: "-x" }, `id must be ${name}, got "-x"`],
    [{ input: { rows }, id: "a/b" }, `id must be ${name}, got "a/b"`],
    [{ input: { rows }, id: "a".repeat(101) }, `id must be ${name}, got "${"a".repeat(79)}…`],
    [{ input: { rows }, id: 7 }, `id must be ${name}, got 7`],
    [{ input: { rows }, format: "tsv" }, 'format must be csv or ndjson, got "tsv"'],
    [{ input: { rows }, format: "csv" }, 'format must be ndjson for rows in the call, got "csv"'],
    [{ input: { rows }, columns: { age: "Age" } }, "columns is for csv alone: a row of ndjson names its features"],
    [{ input: { rows }, columns: ["Age"] }, "columns must be a JSON object of columns' names by feature, got"],
    [
      { input: { key: "inputs/rows.csv" }, columns: { age: "x".repeat(500_000) } },
      "columns must have at most 500,000 UTF-8 bytes",
    ],
    [{ input: { rows }, limit: 0 }, "limit must be a whole number of 1 or more, got 0"],
    [{ input: { rows }, limit: "5" }, 'limit must be a whole number of 1 or more, got "5"'],
    ['{"input":{"rows":[{}]},"limit":1e999}', "limit must be a whole number of 1 or more, got 1e999"],
    [{ input: { rows }, tenant: "" }, `tenant must be ${text}, got ""`],
    [{ input: { rows }, tenant: null }, `tenant must be ${text}, got null`],
    [
      { input: { rows }, deadline: 59 },
      "deadline must be a whole number of seconds from 60 to 259,200, for which the queue is sure to keep a message, got 59",
    ],
    [{ input: { rows }, deadline: 60.5 }, "got 60.5"],
    [{ input: { rows }, result: "xlsx" }, 'result must be ndjson, csv or parquet, got "xlsx"'],
    [
      { input: { rows }, jobId: "x" },
      'a job has no "jobId", only id, input, format, columns, limit, tenant, deadline and result',
    ],
    ['{"input":{"rows":[{}]},"id":"a","id":"b"}', 'a job has "id" twice'],
  ])("refuses what is no job, and writes nothing: %#", async (body, message) => {
    const answer = await post(body);
    expect(answer.status).toBe(400);
    expect(errorOf(answer)).toEqual({ code: "invalid_request", message: expect.stringContaining(message) });
    expect(await keys()).toEqual([]);
  });

  test("says all that is wrong at once, and nothing of a row's content", async () => {
    const answer = await post({
      id: "",
      input: { rows: ["secret"] },
      limit: 0,
      tenant: 7,
      deadline: 1,
      result: 1,
      x: 1,
    });
    const { message } = errorOf(answer);
    const faults = ["id must", "input.rows must", "limit must", "tenant must", "deadline must", "result must"];
    for (const fault of [...faults, 'a job has no "x"']) expect(message).toContain(fault);
    expect(message).not.toContain("secret");
  });

  test("takes no body above 5,000,000 bytes", async () => {
    expect((await post(" ".repeat(5_000_001))).status).toBe(413);
  });

  test("of a hundred senders of one job one makes it, and all get the same", async () => {
    await put("inputs/rows.csv", csv);
    const answers = await atOnce(() => post(nightly));
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses).toEqual([...Array.from({ length: 99 }, () => 200), 201]);
    expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
    expect(await keys()).toEqual(["inputs/rows.csv", request, mark]);
  }, 120_000);

  test("of a hundred that mean other jobs by one name one makes its own", async () => {
    await put("inputs/rows.csv", csv);
    const answers = await atOnce((n) => post({ ...nightly, limit: n + 1 }));
    const made = answers.filter(({ status }) => status === 201);
    expect(made).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(99);
    expect(JSON.parse(await textAt(request)).settings).toEqual(made[0]?.body.settings);
  }, 120_000);

  test("the same content under another key is the same job", async () => {
    await put("inputs/rows.csv", csv);
    await put("inputs/copy.csv", csv);
    const first = await post(nightly);
    const second = await post({ ...nightly, input: { key: "inputs/copy.csv" } });
    expect(second).toMatchObject({ status: 200, body: first.body });
  });

  const today = new Date().toISOString().slice(0, 10);
  test.each([
    ["limit", { limit: 5 }, "its limit is none, here 5"],
    ["tenant", { tenant: "a" }, 'its tenant is none, here "a"'],
    ["deadline", { deadline: 60 }, "its deadline is 259200, here 60"],
    ["result", { result: "csv" }, "its result is ndjson, here csv"],
    ["columns", { columns: { city: "town" } }, "its columns are others"],
    ["format", { format: "ndjson" }, "its format is csv, here ndjson"],
    [
      "input",
      { input: { key: "inputs/other.csv" } },
      'its input had another content ("inputs/rows.csv" with 16 bytes; here "inputs/other.csv" with 8 bytes)',
    ],
    ["two", { limit: 5, result: "csv" }, "its limit is none, here 5; its result is ndjson, here csv"],
  ])("refuses another job by the same name, and says what differs: %s", async (_, other, difference) => {
    await put("inputs/rows.csv", csv);
    await put("inputs/other.csv", "id\n1234\n");
    await post(nightly);
    const answer = await post({ ...nightly, ...other });
    expect(answer.status).toBe(409);
    expect(errorOf(answer)).toEqual({
      code: "other_job",
      message: `there is another job "nightly": ${difference}. Give this one another name, such as nightly-${today}`,
    });
  });

  test("takes nothing that is left of a lapsed job for its own, and proposes another name", async () => {
    await put("inputs/rows.csv", csv);
    const { checked, manifest } = factsOf("nightly");
    for (const leave of [() => putFact(checked, soundly), () => putFact(manifest, whole)]) {
      await leave();
      const answer = await post(nightly);
      expect(answer.status).toBe(409);
      expect(errorOf(answer)).toEqual({
        code: "other_job",
        message: `what is known of a job "nightly" of before is about to be deleted. Give this one another name, such as nightly-${today}`,
      });
      await empty();
      await put("inputs/rows.csv", csv);
    }
    expect((await post(nightly)).status).toBe(201);
  });

  test.each([
    ["nightly-2026-01-31", `nightly-${today}`],
    [`nightly-${today}`, `nightly-${today}-2`],
    ["a".repeat(100), `${"a".repeat(87)}-${today}`],
  ])("proposes a name that may be had in the place of %s", async (id, other) => {
    await put("inputs/rows.csv", csv);
    await post({ ...nightly, id });
    const { message } = errorOf(await post({ ...nightly, id, limit: 1 }));
    expect(message).toContain(`such as ${other}`);
  });

  test.each([
    ["before the mark", mark, ["inputs/rows.csv"]],
    ["before the job", request, ["inputs/rows.csv", mark]],
  ])("killed %s, the second sending makes the job", async (_, key, left) => {
    await put("inputs/rows.csv", csv);
    desk.hindrances.S3 = killedBefore(key);
    expect((await post(nightly)).status).toBe(500);
    expect(await keys()).toEqual(left);
    desk.unhinder();
    expect((await post(nightly)).status).toBe(201);
    expect(await keys()).toEqual(["inputs/rows.csv", request, mark]);
  });

  test("makes no job of an input that S3 deletes before its result is written, but for a shorter deadline", async () => {
    await put("inputs/rows.csv", csv);
    const days = (count: number) => new Date(Date.now() + 86_400_000 * count);
    let lapses = days(2);
    desk.hindrances.S3 = async ({ method }, forward) => {
      const answer = await forward();
      const expiry = { "x-amz-expiration": `expiry-date="${lapses.toUTCString()}", rule-id="inputs"` };
      return method === "HEAD" ? { ...answer, headers: { ...answer.headers, ...expiry } } : answer;
    };
    const refused = await post(nightly);
    expect(refused.status).toBe(400);
    expect(errorOf(refused).message).toMatch(
      /^input\.key must be an object that is there until a day after the job's deadline \(.*\), got "inputs\/rows\.csv", which is deleted on .*: put it there again, or set a shorter deadline$/,
    );
    expect(await keys()).toEqual(["inputs/rows.csv"]);
    expect((await post({ ...nightly, deadline: 3_600 })).status).toBe(201);
    lapses = days(0);
    expect((await post({ ...nightly, deadline: 3_600 })).status).toBe(200); // it is there
    lapses = days(30);
    expect((await post({ ...nightly, id: "other" })).status).toBe(201);
  });

  test("a second sending puts the mark of an open job again, and has its rows sent again", async () => {
    await put("inputs/rows.csv", csv);
    await post(nightly);
    await remove(mark);
    expect((await post(nightly)).status).toBe(200);
    expect(await keys()).toEqual(["inputs/rows.csv", request, mark]);
    expect(started()).toBe(2);
  });

  test.each([
    ["completed", () => putFact(manifest, whole)],
    ["failed", () => putFact(failed, { v: 1, failedAt: at, errors: ["line 2: no id"], more: 0 })],
  ])("a second sending of a job that is %s shows it, and opens nothing", async (state, end) => {
    await put("inputs/rows.csv", csv);
    await post(nightly);
    await end();
    await remove(mark);
    expect(await post(nightly)).toMatchObject({ status: 200, body: { state } });
    expect(await keys()).not.toContain(mark);
    expect(started()).toBe(1);
  });

  test("makes the job where the starter cannot be invoked, which the log says", async () => {
    await put("inputs/rows.csv", csv);
    const alone = desk.api({}, { STARTER_FUNCTION_NAME: "nobody" });
    const event = { httpMethod: "POST", resource: "/jobs", path: "/jobs", body: JSON.stringify(nightly) };
    expect(await alone.invoke(event)).toMatchObject({ statusCode: 201 });
    await alone.stop();
    expect(desk.log()).toContain("starter not invoked");
  });
});

describe("GET /jobs/{id}", () => {
  const get = (id = "nightly") => call("GET", `/jobs/${id}`);

  test("says that there is none, and that no job can have a name", async () => {
    expect(await get()).toMatchObject({ status: 404, body: { error: { code: "no_job" } } });
    expect(errorOf(await get("a%2Fb")).message).toContain('got "a/b"');
    expect(errorOf(await get("%ff")).message).toContain("percent-encoded");
    expect(errorOf(await call("GET", "/jobs/nightly?wait=1")).message).toBe('there is no parameter "wait"');
  });

  test("puts the job together from its facts, and asks no database", async () => {
    await put("inputs/rows.csv", csv);
    await post(nightly);
    await putFact(checked, soundly);
    await putFact(counts, { v: 1, ...ended, answered: 4, commits: 3, firstAt: at, lastAt: at, open: [] });
    desk.calls.length = 0;
    const running = await get();
    expect(running.body).toMatchObject({
      state: "in_progress",
      counts: { total: 10, waiting: 4, answered: 4, failed: 1, expired: 1, cancelled: 0 },
      cost: { usd: 0.000025, isAtLeast: true },
    });
    expect(new Set(desk.calls.map((one) => one.split(" ")[0]))).toEqual(new Set(["S3"]));
    await putFact(manifest, whole);
    await putFact(counts, {
      v: 1,
      ...ended,
      answered: 10,
      failed: 0,
      expired: 0,
      commits: 5,
      firstAt: at,
      lastAt: at,
      open: [],
    });
    const { body } = await get();
    expect(body).toMatchObject({
      state: "completed",
      endedAt: at.toISOString(),
      counts: { total: 10, waiting: 0, ...ended },
      result: { manifest, format: "ndjson", changedSince: 2, parts: whole.parts, asOf: at.toISOString() },
      releases: ["2026-01"],
      contract: "cd",
    });
    expect(Object.keys(body).length).toBeLessThanOrEqual(15);
  });

  test("shows what an input is at fault for", async () => {
    await put("inputs/rows.csv", csv);
    await post(nightly);
    await putFact(failed, { v: 1, failedAt: at, errors: ["line 2: no id"], more: 3 });
    const { body } = await get();
    expect(body).toMatchObject({ state: "failed", errors: ["line 2: no id", "and 3 more"] });
  });

  test("says that it broke where a fact is no such thing, and the log says which", async () => {
    await put("inputs/rows.csv", csv);
    await post(nightly);
    await put(checked, "{}");
    expect(await get()).toMatchObject({ status: 500, body: { error: { code: "internal_error" } } });
    const alone = desk.api();
    const event = {
      httpMethod: "GET",
      resource: "/jobs/{id}",
      path: "/jobs/nightly",
      pathParameters: { id: "nightly" },
    };
    await alone.invoke(event);
    await alone.stop();
    expect(desk.log()).toContain(`${checked} is not as it was written`);
  });

  test("says when to come again while S3 is away", async () => {
    desk.hindrances.S3 = () => s3Error(503, "SlowDown", "Please reduce your request rate.");
    const { status, headers, body } = await get();
    expect({ status, body }).toMatchObject({ status: 503, body: { error: { code: "busy" } } });
    expect(headers.get("retry-after")).toBe("5");
  });
});

describe("GET /jobs", () => {
  const pageSchema = z.object({
    jobs: z.array(
      z.object({ id: z.string(), state: z.string(), createdAt: z.string(), counts: z.unknown().optional() }),
    ),
    next: z.string().optional(),
  });
  const list = async (query = "") => pageSchema.parse((await call("GET", `/jobs${query}`)).body);

  test("shows no job where there is none", async () => {
    expect(await list()).toEqual({ jobs: [] });
  });

  test("shows jobs page by page, each once, with state and counts", async () => {
    await put("inputs/rows.csv", csv);
    for (const id of ["a", "b", "c", "d", "e"]) await post({ ...nightly, id });
    await putFact(factsOf("a").checked, soundly);
    const seen: string[] = [];
    let query = "?limit=2";
    for (let pages = 1; ; pages++) {
      const { jobs, next } = await list(query);
      seen.push(...jobs.map(({ id }) => id));
      if (next === undefined) {
        expect(pages).toBe(3);
        break;
      }
      query = `?limit=2&next=${next}`;
    }
    expect(seen.sort()).toEqual(["a", "b", "c", "d", "e"]);
    const { jobs } = await list();
    expect(jobs.find(({ id }) => id === "a")).toEqual({
      id: "a",
      state: "in_progress",
      createdAt: expect.any(String),
      counts: { total: 10, waiting: 10, answered: 0, failed: 0, expired: 0, cancelled: 0 },
    });
    expect(jobs.find(({ id }) => id === "b")).toEqual({ id: "b", state: "validating", createdAt: expect.any(String) });
  });

  test("leaves out a job that cannot be read, and tells of it in the log", async () => {
    await put("inputs/rows.csv", csv);
    for (const id of ["sound", "broken"]) await post({ ...nightly, id });
    await put(factsOf("broken").cancel, "oops");
    await put("jobs/torn/cancel.json", "{}");
    expect((await list()).jobs.map(({ id }) => id)).toEqual(["sound"]);
  });

  test.each([
    ["limit=0", "limit must be a whole number from 1 to 100"],
    ["limit=101", "limit must be a whole number from 1 to 100"],
    ["next=oops", "next must be what an answer gave as its next"],
    ["state=failed", 'there is no parameter "state", only limit and next'],
  ])("refuses %s", async (query, message) => {
    const answer = await call("GET", `/jobs?${query}`);
    expect(answer.status).toBe(400);
    expect(errorOf(answer).message).toContain(message);
  });
});

describe("POST /jobs/{id}/cancel", () => {
  const stop = () => call("POST", "/jobs/nightly/cancel");
  beforeEach(async () => {
    await put("inputs/rows.csv", csv);
    await post(nightly);
  });

  test("writes that it is cancelled before it lets nothing more be asked", async () => {
    const { status, body } = await stop();
    expect({ status, state: body.state }).toEqual({ status: 200, state: "cancelling" });
    expect(await keys()).toEqual(expect.arrayContaining([cancel, "open/nightly/stop"]));
  });

  test("twice is once, and the second puts what a kill left out", async () => {
    desk.hindrances.S3 = killedBefore("open/nightly/stop");
    expect((await stop()).status).toBe(500);
    desk.unhinder();
    const first = await textAt(cancel);
    expect(await stop()).toMatchObject({ status: 200, body: { state: "cancelling" } });
    expect(await textAt(cancel)).toBe(first);
    expect(await keys()).toContain("open/nightly/stop");
  });

  test.each([
    ["completed", () => putFact(manifest, whole)],
    ["expired", () => putFact(manifest, { ...whole, outcome: "expired" })],
    ["failed", () => putFact(failed, { v: 1, failedAt: at, errors: ["line 2: no id"], more: 0 })],
  ])("refuses for a job that is %s", async (state, end) => {
    await end();
    const answer = await stop();
    expect(answer.status).toBe(409);
    expect(errorOf(answer)).toEqual({ code: "job_ended", message: `the job "nightly" has ended already: ${state}` });
    expect(await keys()).not.toContain("open/nightly/stop");
  });

  test("of a job that is cancelled shows that it is", async () => {
    await putFact(manifest, { ...whole, outcome: "cancelled" });
    expect(await stop()).toMatchObject({ status: 200, body: { state: "cancelled" } });
  });

  test("says that there is no such job", async () => {
    expect((await call("POST", "/jobs/nobody/cancel")).status).toBe(404);
  });
});

test("what is no route of jobs is told so", async () => {
  expect((await call("DELETE", "/jobs/nightly")).body).toMatchObject({
    error: { code: "not_found", message: "there is no DELETE /jobs/nightly here" },
  });
});
