import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { DeleteObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { z } from "zod";
import {
  factsOf,
  type JobRequest,
  type JobSettings,
  jobChecked,
  jobCursor,
  jobFailed,
  openMark,
  requestIdOf,
  runOf,
} from "../../contract/job";
import { contractFile } from "../../contract/model-contract";
import { credentialsOf, operator } from "../../local/credentials";
import { type FunctionOptions, type LocalFunction, startFunction } from "../../local/lambda";
import { type OnTheWay, startPassage } from "../../local/passage";
import { startS3 } from "../../local/s3";
import { json, type Request, type StandIn, serve } from "../../local/stand-in";
import { within } from "../../pipeline/clients";
import { Jobs } from "../../pipeline/jobs";
import { contract } from "../setup/contract";

const bucket = "answers";
const until = within(3_600_000);

const batch = z.object({
  Entries: z.array(z.object({ Id: z.string(), MessageBody: z.string(), MessageGroupId: z.string().optional() })),
});
const message = z.strictObject({
  id: z.string(),
  requestId: z.string(),
  jobId: z.string(),
  tenant: z.string().optional(),
  requestedAt: z.string(),
  deadline: z.string(),
  features: z.unknown().optional(),
});
type Sent = z.infer<typeof message> & { group?: string };

/** A queue that counts, and keeps what it is sent. */
let queue: {
  depth: number;
  deepest: number;
  sent: Sent[];
  /** Calls that it has counted: one whose answer was late comes again under its id. */
  calls: Set<unknown>;
  looks: number;
  onLook?: () => void;
  refuses?: boolean;
};
let hindrance: OnTheWay | undefined;
let s3: S3Client;
let jobs: Jobs;
let starters: LocalFunction[];
let start: (options?: Partial<FunctionOptions>, environment?: Record<string, string>) => LocalFunction;
let log: string;
let standIns: StandIn[];

const answerQueue = ({ headers, body }: Request) => {
  const target = String(headers["x-amz-target"]);
  if (target === "AmazonSQS.GetQueueAttributes") {
    queue.looks++;
    queue.onLook?.();
    return json({ Attributes: { ApproximateNumberOfMessages: String(queue.depth) } });
  }
  if (target !== "AmazonSQS.SendMessageBatch") throw new Error(`the starter called ${target}`);
  const { Entries } = batch.parse(JSON.parse(body.toString()));
  if (queue.refuses) {
    const Failed = Entries.map(({ Id }) => ({ Id, Code: "InvalidMessageContents", SenderFault: true }));
    return json({ Successful: [], Failed });
  }
  const call = headers["amz-sdk-invocation-id"];
  if (!queue.calls.has(call)) {
    queue.calls.add(call);
    queue.sent.push(
      ...Entries.map(({ MessageBody, MessageGroupId }) => {
        return { ...message.parse(JSON.parse(MessageBody)), group: MessageGroupId };
      }),
    );
    queue.depth += Entries.length;
    queue.deepest = Math.max(queue.deepest, queue.depth);
  }
  const md5 = (text: string) => createHash("md5").update(text).digest("hex");
  return json({
    Successful: Entries.map(({ Id, MessageBody }) => ({ Id, MessageId: Id, MD5OfMessageBody: md5(MessageBody) })),
    Failed: [],
  });
};

beforeEach(async () => {
  queue = { depth: 0, deepest: 0, sent: [], calls: new Set(), looks: 0 };
  hindrance = undefined;
  starters = [];
  const s3StandIn = await startS3({ buckets: [bucket] });
  const s3OnTheWay = await startPassage(s3StandIn.url, (call, forward) => hindrance?.(call, forward) ?? forward());
  const sqs = await serve(answerQueue);
  const sqsOnTheWay = await startPassage(sqs.url, (call, forward) => hindrance?.(call, forward) ?? forward());
  standIns = [s3OnTheWay, sqsOnTheWay, s3StandIn, sqs];
  s3 = new S3Client({ ...operator, endpoint: s3StandIn.url });
  jobs = new Jobs(bucket, s3);
  const folder = mkdtempSync(join(tmpdir(), "starter-"));
  writeFileSync(join(folder, contractFile), JSON.stringify(contract));
  log = join(folder, "log");
  start = (options = {}, environment = {}) => {
    const started = startFunction({
      name: "starter",
      bundle: "dist/starter/index.cjs",
      timeoutSeconds: 900,
      memoryMegabytes: 512,
      logFile: log,
      environment: {
        AWS_REGION: operator.region,
        AWS_ACCESS_KEY_ID: "starter",
        AWS_SECRET_ACCESS_KEY: credentialsOf("starter").secretAccessKey,
        AWS_ENDPOINT_URL_S3: s3OnTheWay.url,
        AWS_ENDPOINT_URL_SQS: sqsOnTheWay.url,
        LAMBDA_TASK_ROOT: folder,
        ANSWERS_BUCKET: bucket,
        QUEUE_URL: `${sqsOnTheWay.url}/000000000000/requests`,
        MAX_ROWS: "30000",
        ...environment,
      },
      ...options,
    });
    starters.push(started);
    return started;
  };
});
afterEach(async () => {
  await Promise.all(starters.map((one) => one.stop()));
  s3.destroy();
  for (const one of standIns) await one.stop();
});

const lineOf = (id: number | string) =>
  `${JSON.stringify({ id: String(id), features: { age: 36, city: `of ${id}` } })}\n`;
const ndjson = (rows: number) => Array.from({ length: rows }, (_, at) => lineOf(at + 1)).join("");

const createdAt = new Date("2026-11-28T00:00:00.123Z");

/** Makes a job as the API does. */
const make = async (
  id: string,
  content: string | Buffer,
  settings: Partial<JobSettings> = {},
  { key = `inputs/${id}.ndjson`, deadline = new Date(Date.now() + 3_600_000) } = {},
): Promise<JobRequest> => {
  const { ETag: etag = "" } = await s3.send(
    new PutObjectCommand({ Bucket: bucket, Key: key, Body: Buffer.from(content) }),
  );
  const request: JobRequest = {
    v: 1,
    id,
    fingerprint: "f",
    createdAt,
    deadline,
    input: { key, etag, bytes: content.length },
    settings: { format: "ndjson", columns: {}, deadlineSeconds: 3_600, result: "ndjson", ...settings },
  };
  await jobs.mark(openMark(id), until);
  await jobs.create(factsOf(id).request, request, until);
  return request;
};

const read = async (id: string) => ({
  checked: (await jobs.read(factsOf(id).checked, jobChecked, until))?.value,
  failed: (await jobs.read(factsOf(id).failed, jobFailed, until))?.value,
  cursor: (await jobs.read(factsOf(id).cursor, jobCursor, until))?.value,
  isStopped: (await jobs.open(until)).get(id)?.stopped,
});

/** Has the claim on a job be over, as a minute later. */
const lapse = async (id: string) => {
  const found = await jobs.read(factsOf(id).cursor, jobCursor, until);
  if (found?.value.claimedUntil === undefined) return;
  await jobs.replace(factsOf(id).cursor, { ...found.value, claimedUntil: createdAt }, found.etag, until);
};

const numberOf = ({ requestId }: Sent) => Number.parseInt(requestId.slice(-12), 16);
const numbers = () => queue.sent.map(numberOf);
const of = (job: string) => queue.sent.filter(({ jobId }) => jobId === job);
const upTo = (rows: number) => Array.from({ length: rows }, (_, at) => at + 1);
const sorted = (values: readonly number[]) => values.toSorted((one, other) => one - other);

test("each row of a job is sent once, as a request of its own, with the job's time, deadline and group", async () => {
  const request = await make("nightly", ndjson(2_500));
  expect(await start().invoke({})).toEqual({ checked: ["nightly"], failed: [], sent: 2_500, errors: [] });
  expect(sorted(numbers())).toEqual(upTo(2_500));
  for (const ranged of [0, 1_000, 2_000]) {
    const range = upTo(2_500).slice(ranged, ranged + 1_000);
    expect(sorted(numbers().slice(ranged, ranged + 1_000))).toEqual(range);
  }
  for (const sent of queue.sent) {
    const row = numberOf(sent);
    expect(sent).toEqual({
      id: String(row),
      requestId: requestIdOf(runOf(request), row),
      jobId: "nightly",
      requestedAt: createdAt.toISOString(),
      deadline: request.deadline.toISOString(),
      features: { age: 36, income: null, city: `of ${row}` },
      group: "nightly",
    });
  }
  const { checked, cursor, isStopped } = await read("nightly");
  expect(checked).toMatchObject({ rows: 2_500, carriesFeatures: true });
  expect(cursor).toMatchObject({ next: 2_501 });
  expect(cursor).not.toHaveProperty("claimedUntil");
  expect(isStopped).toBe(false);
  expect(await start().invoke({})).toEqual({ checked: [], failed: [], sent: 0, errors: [] });
  expect(queue.sent).toHaveLength(2_500);
});

test("rows of CSV are sent for a tenant, those of what is compressed up to a limit, and ids that are looked up", async () => {
  const csv = `city;age;key\n${upTo(1_500)
    .map((row) => `"a\n${row}";${row};${row}\n`)
    .join("")}`;
  await make("csv", csv, { format: "csv", tenant: "é" }, { key: "inputs/rows.csv" });
  await make("gz", gzipSync(csv), { format: "csv", limit: 1_200 }, { key: "inputs/rows.csv.gz" });
  await make("ids", `key\n${upTo(3).join("\n")}`, { format: "csv" }, { key: "inputs/ids.csv" });
  await start({}, { RECORD_IDENTIFIER_NAME: "key", RECORD_IDENTIFIER_TYPE: "Integral" }).invoke({});
  expect(sorted(of("csv").map(numberOf))).toEqual(upTo(1_500));
  const group = createHash("sha256").update("é").digest("hex");
  expect(of("csv").find((sent) => numberOf(sent) === 7)).toMatchObject({
    id: "7",
    tenant: "é",
    group,
    features: { age: 7, income: null, city: "a\n7" },
  });
  expect(sorted(of("gz").map(numberOf))).toEqual(upTo(1_200));
  expect((await read("gz")).checked).toMatchObject({ rows: 1_200 });
  expect((await read("gz")).cursor).not.toHaveProperty("offset");
  expect((await read("ids")).checked).toMatchObject({ rows: 3, carriesFeatures: false });
  expect(of("ids").map(({ id, features }) => [id, features])).toEqual(upTo(3).map((id) => [String(id), undefined]));
});

describe("an input of which a row or all is wrong is never asked:", () => {
  const bad = Array.from({ length: 150 }, (_, at) => `{"id":"${at}","features":{"age":"secret","city":"secret"}}\n`);

  test.each<[string, string | Buffer, Partial<JobSettings>, string, unknown[]]>([
    [
      "a line that is no request",
      `${lineOf(1)}nonsense\n`,
      {},
      "rows",
      ['line 2: a row must be a JSON object such as {"id": "7"}'],
    ],
    ["nothing", "", {}, "rows", ["the input is empty"]],
    [
      "no CSV",
      'id,age,city\n1,2,"x\n',
      { format: "csv" },
      "rows",
      ["line 2: the quote that opens here is never closed"],
    ],
    ["a header that lacks a feature", "id,age\n", { format: "csv" }, "rows", ["line 1: the header lacks city"]],
    [
      "Latin-1",
      Buffer.from("id,age,city\n1,2,K\xf6ln\n", "latin1"),
      { format: "csv" },
      "rows",
      ["line 2: the byte F6 is no UTF-8; the file may be Windows-1252 or Latin-1; save it as UTF-8"],
    ],
    ["UTF-16", Buffer.from(lineOf(1), "utf16le"), {}, "rows", ["line 1: the file is UTF-16 LE; save it as UTF-8"]],
    ["no gzip", lineOf(1), {}, "rows.gz", ["the input's key ends in .gz, and it is no whole gzip (Z_DATA_ERROR)"]],
    [
      "half a gzip",
      gzipSync(ndjson(5_000)).subarray(0, 9_000),
      {},
      "rows.gz",
      ["the input's key ends in .gz, and it is no whole gzip (Z_BUF_ERROR)"],
    ],
    [
      "more rows than a job may have",
      ndjson(30_001),
      {},
      "rows",
      ["line 30,001: the input has more than 30,000 rows, which jobs.maxRows allows"],
    ],
    [
      "a row that no message holds",
      lineOf("x").replace("of x", "\\u0001".repeat(358_400)),
      {},
      "rows",
      [expect.stringMatching(/^line 1: a request must be at most 1,040,384 UTF-8 bytes as a message, got 2,150,\d+$/)],
    ],
  ])("%s", async (_, content, settings, key, errors) => {
    await make("bad", content, settings, { key: `inputs/${key}` });
    expect(await start().invoke({ job: "bad" })).toMatchObject({ checked: [], failed: [{ job: "bad" }], sent: 0 });
    const { failed, isStopped, cursor } = await read("bad");
    expect(failed).toMatchObject({ errors, more: 0 });
    expect({ isStopped, isClaimed: cursor?.claimedUntil !== undefined }).toEqual({ isStopped: true, isClaimed: false });
    expect(queue.sent).toEqual([]);
  });

  test("a hundred faults are told, and all are counted", async () => {
    await make("bad", bad.join(""));
    await make("good", ndjson(3));
    await start().invoke({});
    const { failed } = await read("bad");
    expect(failed?.errors).toHaveLength(100);
    expect(failed?.errors[99]).toBe("line 100: features: age must be a whole number of 64 bits, got a string");
    expect(failed?.more).toBe(50);
    expect(JSON.stringify(failed) + readFileSync(log, "utf8")).not.toContain("secret");
    expect(of("good")).toHaveLength(3);
  });
});

test("a job of no rows is checked, and nothing is sent", async () => {
  await make("none", "id,age,city\n", { format: "csv" });
  expect(await start().invoke({})).toMatchObject({ checked: ["none"], sent: 0 });
  expect((await read("none")).checked).toMatchObject({ rows: 0 });
});

test.each([
  ["has changed since the job was made", () => make("other", ndjson(7), {}, { key: "inputs/rows" })],
  ["is gone", () => s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: "inputs/rows" }))],
])("an input that %s is never asked, or asked no further", async (why, spoil) => {
  await make("early", ndjson(3), {}, { key: "inputs/rows" });
  await make("late", ndjson(15_000), {}, { key: "inputs/late" });
  await start().invoke({ job: "late" });
  expect(of("late")).toHaveLength(10_000);
  await spoil();
  await jobs.mark(openMark("late"), until);
  const errors = [`the input s3://${bucket}/inputs/rows ${why}`];
  await start().invoke({ job: "early" });
  expect((await read("early")).failed).toMatchObject({ errors });
  expect(of("early")).toEqual([]);
  await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: "inputs/late" }));
  queue.depth = 0;
  await start().invoke({ job: "late" });
  expect(await read("late")).toMatchObject({
    failed: { errors: [`the input s3://${bucket}/inputs/late is gone`] },
    isStopped: true,
  });
  expect(of("late")).toHaveLength(10_000);
});

test("a job that is cancelled or past its deadline is checked and not sent, and a stop mark that is missing is put", async () => {
  await make("cancelled", ndjson(3));
  await jobs.create(factsOf("cancelled").cancel, { v: 1, cancelledAt: createdAt }, until);
  await make("late", ndjson(3), {}, { deadline: new Date(Date.now() - 1_000) });
  await make("failed", ndjson(3));
  await jobs.create(factsOf("failed").failed, { v: 1, failedAt: createdAt, errors: ["no"], more: 0 }, until);
  expect(await start().invoke({})).toMatchObject({ sent: 0, failed: [] });
  const stopped = async (id: string) => (await read(id)).isStopped;
  expect([await stopped("cancelled"), await stopped("late"), await stopped("failed")]).toEqual([true, false, true]);
  expect((await read("cancelled")).checked).toMatchObject({ rows: 3 });
  expect((await read("late")).checked).toMatchObject({ rows: 3 });
});

test("sending stops where there is no more room on the queue, and goes on as it drains", async () => {
  await make("long", ndjson(25_000));
  await make("other", ndjson(2_000));
  let waits = 0;
  queue.onLook = () => {
    if (queue.depth < 10_000) return;
    waits++;
    queue.depth -= 7_000;
  };
  await start().invoke({});
  expect(waits).toBeGreaterThan(0);
  expect(queue.deepest).toBeLessThanOrEqual(12_000); // the first has 10,000 of its own
  expect(sorted(of("long").map(numberOf))).toEqual(upTo(25_000));
  expect(sorted(of("other").map(numberOf))).toEqual(upTo(2_000));
  const last = queue.sent.findLastIndex(({ jobId }) => jobId === "other");
  expect(last).toBeLessThan(6_000); // a range each in turn
});

test("a starter that is told of a job leaves when there is no room, and the next goes on where it was", async () => {
  await make("long", ndjson(12_000));
  await start().invoke({ job: "long" });
  expect((await read("long")).cursor).toEqual({ v: 1, next: 10_001, line: 10_001, offset: ndjson(10_000).length });
  queue.depth = 0;
  const calls: string[] = [];
  hindrance = ({ headers, url }, forward) => {
    if (url.pathname.endsWith("/inputs/long.ndjson")) calls.push(String(headers.range));
    return forward();
  };
  await start().invoke({ job: "long" });
  expect(calls).toEqual(["bytes=0-1048575", `bytes=${ndjson(10_000).length}-`]);
  expect(sorted(numbers())).toEqual(upTo(12_000));
});

test("how many rows are yet to come is measured before they are sent, and nothing is where there are none", async () => {
  const unsent = () =>
    [...readFileSync(log, "utf8").matchAll(/"UnsentRows":\[?(\d+)/g)].map(([, rows]) => Number(rows));
  await make("nightly", ndjson(2_500));
  await start().invoke({});
  expect(unsent()).toEqual([2_500]);
  await start().invoke({});
  expect(unsent()).toEqual([2_500]);
});

test("a fast job may have ten minutes of its work on the queue", async () => {
  await make("fast", ndjson(13_000));
  const [firstAt, lastAt] = [createdAt, new Date(createdAt.getTime() + 100_000)];
  const ended = { answered: 1_900, failed: 50, expired: 25, cancelled: 25 };
  await jobs.create(factsOf("fast").counts, { v: 1, ...ended, commits: 1, firstAt, lastAt, open: [] }, until);
  expect(await start().invoke({ job: "fast" })).toMatchObject({ sent: 13_000 });
  expect(queue.deepest).toBe(13_000); // 12,000 are ten minutes of its work, and 2,000 have ended
});

test("of starters that run at once, one has the job", async () => {
  await make("shared", ndjson(5_000));
  const answers = await Promise.all([1, 2, 3].map(() => start().invoke({ job: "shared" })));
  expect(answers.map((answer) => z.object({ sent: z.number() }).parse(answer).sent).sort()).toEqual([0, 0, 5_000]);
  expect(sorted(numbers())).toEqual(upTo(5_000));
});

test("a starter that has lost a job to another sends nothing more of it", async () => {
  await make("lost", ndjson(5_000));
  let ranges = 0;
  hindrance = async ({ method, url, body }, forward) => {
    if (method === "PUT" && url.pathname.endsWith("/cursor.json") && body.toString().includes('"next":2001')) {
      ranges++;
      const found = await jobs.read(factsOf("lost").cursor, jobCursor, until);
      await jobs.replace(factsOf("lost").cursor, { ...found?.value, line: 7 }, found?.etag, until);
    }
    return forward();
  };
  expect(await start().invoke({ job: "lost" })).toMatchObject({ sent: 2_000, errors: [] });
  expect(ranges).toBe(1);
  expect((await read("lost")).cursor).toMatchObject({ next: 1_001, line: 7 });
});

test("what the queue refuses fails the job, with its line", async () => {
  await make("refused", ndjson(3));
  queue.refuses = true;
  await start().invoke({});
  expect((await read("refused")).failed?.errors).toEqual(["line 1: the queue refused it: InvalidMessageContents"]);
});

test("what is wrong with one job is told, and is no other's", async () => {
  await make("broken", ndjson(3));
  await s3.send(new PutObjectCommand({ Bucket: bucket, Key: factsOf("broken").cursor, Body: "nonsense" }));
  await make("good", ndjson(3));
  await expect(start().invoke({})).rejects.toThrow("1 jobs do not get on: broken");
  expect(of("good")).toHaveLength(3);
  expect(readFileSync(log, "utf8")).toContain("jobs/broken/cursor.json is not as it was written");
});

test("killed before or after anything that it writes, the next run goes on, and at most a range is sent again", async () => {
  const started = start();
  let [writes, batches, killAt] = [0, 0, 0];
  let kill: "before" | "after" | undefined;
  hindrance = async ({ method, headers }, forward) => {
    const target = String(headers["x-amz-target"]);
    const isWrite = method === "PUT" || (target.endsWith("SendMessageBatch") && batches++ % 60 === 30);
    if (!isWrite || writes++ !== killAt || kill === undefined) return forward();
    if (kill === "after") await forward();
    kill = undefined;
    started.kill();
    return { status: 500 };
  };
  const isKilled = async (when: "before" | "after") => {
    const id = `killed-${when}-${killAt}`;
    await make(id, ndjson(1_200));
    [writes, batches, kill] = [0, 0, when];
    await started.invoke({ job: id }).catch(() => undefined);
    const wasKilled = kill === undefined;
    kill = undefined;
    await lapse(id);
    await started.invoke({ job: id });
    const sent = of(id).map(numberOf);
    expect(sorted([...new Set(sent)])).toEqual(upTo(1_200));
    expect(sent.length).toBeLessThanOrEqual(2_200);
    expect((await read(id)).cursor).toMatchObject({ next: 1_201 });
    queue.depth = 0;
    return wasKilled;
  };
  for (; await isKilled("before"); killAt++) await isKilled("after");
  expect(killAt).toBeGreaterThan(7);
});

test("ten thousand rows of ten kilobytes go through a small heap", async () => {
  const rows = upTo(10_000).map(
    (row) => `${JSON.stringify({ id: `${row}`, features: { age: 1, city: "x".repeat(10_000) } })}\n`,
  );
  const content = gzipSync(rows.join(""), { level: 1 });
  rows.length = 0;
  await make("large", content, {}, { key: "inputs/large.gz" });
  hindrance = (request, forward) => {
    if (request.method !== "POST") return forward();
    return answerQueue(request); // without a second copy
  };
  expect(await start({ memoryMegabytes: 64 }).invoke({ job: "large" })).toMatchObject({
    checked: ["large"],
    sent: 10_000,
  });
});
