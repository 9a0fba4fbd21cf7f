import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { DeleteObjectCommand, GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from "@aws-sdk/client-s3";
import { z } from "zod";
import {
  factsOf,
  type JobManifest,
  jobFailed,
  jobManifest,
  jobMerge,
  openMark,
  runOf,
  stopMark,
} from "../../contract/job";
import type { Outcome } from "../../contract/outcome";
import type { LocalFunction } from "../../local/lambda";
import type { OnTheWay } from "../../local/passage";
import { AwsError } from "../../local/stand-in";
import { within } from "../../pipeline/clients";
import { Jobs } from "../../pipeline/jobs";
import { modelOf, typedContract } from "../setup/contract";
import { type Desk, startDesk } from "../setup/desk";
import { insertOutcomes } from "../setup/outcomes";
import { lapse, type Made, makeJob } from "./finished-job";
import { bundleWith } from "./mutants";
import { numbersOf } from "./random";

let desk: Desk;
let writer: LocalFunction;
let jobs: Jobs;
beforeAll(async () => {
  desk = await startDesk({ model: modelOf((cities) => cities), contract: typedContract });
  writer = desk.writer({}, {}, typedContract);
  jobs = new Jobs(desk.answersBucket, desk.s3);
});
afterAll(() => desk.stop());
afterEach(async () => {
  desk.unhinder();
  desk.eventBridge.fail(0);
  for (const key of await keysIn("open/")) await remove(key);
});

const until = within(3_600_000);
const put = (Key: string, Body: string | Buffer) =>
  desk.s3.send(new PutObjectCommand({ Bucket: desk.answersBucket, Key, Body }));
const remove = (Key: string) => desk.s3.send(new DeleteObjectCommand({ Bucket: desk.answersBucket, Key }));
const get = async (Key: string) => {
  const { Body } = await desk.s3.send(new GetObjectCommand({ Bucket: desk.answersBucket, Key }));
  return Buffer.from((await Body?.transformToByteArray()) ?? "");
};
const keysIn = async (prefix: string) => {
  const command = new ListObjectsV2Command({ Bucket: desk.answersBucket, Prefix: prefix });
  return (await desk.s3.send(command)).Contents?.flatMap(({ Key }) => Key ?? []) ?? [];
};

const day = 86_400_000;
const ago = (milliseconds: number) => new Date(Date.now() - milliseconds);

const store = (...outcomes: Outcome[]) => insertOutcomes(desk.database, outcomes);

const runSchema = z.object({ written: z.array(z.string()), ended: z.array(z.string()), waiting: z.number() });
const run = async (by = writer) => runSchema.parse(await by.invoke({}));

const manifestOf = async (id: string): Promise<JobManifest> =>
  jobManifest.parse(JSON.parse((await get(factsOf(id).manifest)).toString()));

/** The bytes of a result's parts, which are as the manifest says. */
const partsOf = async ({ parts }: JobManifest) => {
  const bodies = await Promise.all(parts.map(({ key }) => get(key)));
  expect(bodies.map((body) => body.length)).toEqual(parts.map(({ bytes }) => bytes));
  expect(bodies.map(sha256)).toEqual(parts.map((part) => part.sha256));
  return bodies;
};
const sha256 = (body: Buffer) => createHash("sha256").update(body).digest("hex");
const linesOf = async (manifest: JobManifest) => {
  const bodies = await partsOf(manifest);
  return bodies.flatMap((body) => gunzipSync(body).toString().split("\n").slice(0, -1));
};
const rowsOf = async (manifest: JobManifest) => (await linesOf(manifest)).map((text) => JSON.parse(text));

const eventsOf = (id: string) =>
  desk.eventBridge.events.filter(({ detail }) => z.object({ jobId: z.string() }).parse(detail).jobId === id);

describe("a finished job", () => {
  test("has each row once in its result, what was said of it, and why nothing was", async () => {
    const job = await makeJob(desk, { counts: { answered: 2, failed: 1 } });
    await store(job.answer(1), job.failure(2, { code: "refused_by_model", reason: "no" }), job.answer(3));
    expect(await run()).toMatchObject({ written: [job.id], ended: [job.id], waiting: 0 });
    const manifest = await manifestOf(job.id);
    expect(manifest).toMatchObject({
      id: job.id,
      outcome: "completed",
      format: "ndjson",
      rows: 3,
      answered: 2,
      failed: 1,
      expired: 0,
      cancelled: 0,
      lost: 0,
      releases: ["2026-01"],
    });
    expect(await linesOf(manifest)).toEqual([
      `{"row":1,"id":"7","status":"answered","features":{"age":36,"income":1.50,"city":"city \\"1\\""},"output":"{\\"label\\":\\"say \\\\\\"1\\\\\\"\\",\\"score\\":0.1}","values":{"label":"say \\"1\\"","score":0.1},"modelRelease":"2026-01","predictedAt":"2026-01-31T12:00:01.003Z"}`,
      `{"row":2,"id":"8","status":"failed","features":{"age":36,"income":null,"city":"city \\"2\\""},"code":"refused_by_model","reason":"no"}`,
      expect.stringContaining('{"row":3,"id":"9","status":"answered"'),
    ]);
    expect(manifest.parts.map(({ key, rows }) => [key.replace(/[0-9a-f-]{36}/, "run"), rows])).toEqual([
      [`results/${job.id}/run/part-00001.ndjson.gz`, 3],
    ]);
    expect(await keysIn("open/")).toEqual([]);
    expect(await keysIn("unloads/")).toEqual([]);
    expect(eventsOf(job.id)).toEqual([
      {
        id: expect.any(String),
        source: "offline-inference",
        detailType: "Job ended",
        detail: {
          jobId: job.id,
          state: "completed",
          manifest: {
            url: `s3://${desk.answersBucket}/results/${job.id}/manifest.json`,
            sha256: sha256(await get(job.facts.manifest)),
          },
        },
      },
    ]);
  });

  test("is written as CSV to the letter: none and the empty text apart", async () => {
    const job = await makeJob(desk, { result: "csv", counts: { answered: 2, failed: 1 } });
    await store(
      job.answer(1),
      job.answer(2, { output: '{"label":"","score":"none"}' }),
      job.failure(3, { reason: 'a "reason",\nof two lines' }),
    );
    await run();
    expect((await linesOf(await manifestOf(job.id))).join("\n")).toBe(
      [
        "row,id,status,age,income,city,output,label,score,model_release,predicted_at,code,reason",
        '1,7,answered,36,1.50,"city ""1""","{""label"":""say \\""1\\"""",""score"":0.1}","say ""1""",0.1,2026-01,2026-01-31T12:00:01.003Z,,',
        '2,8,answered,36,,"city ""2""","{""label"":"""",""score"":""none""}","",,2026-01,2026-01-31T12:00:01.003Z,,',
        '3,9,failed,36,1.50,"city ""3""",,,,,,unknown_input,"a ""reason"",',
        'of two lines"',
      ].join("\n"),
    );
  });

  test("is written as Parquet with the types of the contract", async () => {
    const job = await makeJob(desk, { result: "parquet", counts: { answered: 2, failed: 1 } });
    await store(job.answer(1), job.answer(2), job.failure(3));
    await run();
    const manifest = await manifestOf(job.id);
    const [body] = await partsOf(manifest);
    expect(manifest.parts.map(({ key }) => key)).toEqual([expect.stringMatching(/\/part-00001\.parquet$/)]);
    const file = join(mkdtempSync(join(tmpdir(), "parquet-")), "part.parquet");
    writeFileSync(file, body ?? "");
    const rows = JSON.parse(execFileSync(process.execPath, ["__tests__/setup/parquet.mjs", file]).toString());
    expect(rows[0]).toEqual({
      row: { integer: "1" },
      id: "7",
      status: "answered",
      age: { integer: "36" },
      income: 1.5,
      city: 'city "1"',
      output: '{"label":"say \\"1\\"","score":0.1}',
      label: 'say "1"',
      score: 0.1,
      model_release: "2026-01",
      predicted_at: { time: "2026-01-31T12:00:01.003Z" },
      code: null,
      reason: null,
    });
    expect(rows[1]).toMatchObject({ row: { integer: "2" }, income: null });
    expect(rows[2]).toMatchObject({ status: "failed", output: null, score: null, code: "unknown_input" });
  });

  test("has one fate a row: its answer, or else its first failure, and none of what others asked under its name", async () => {
    const job = await makeJob(desk, { rows: 4, counts: { answered: 2, failed: 2 } });
    const at = (second: number) => new Date(Date.UTC(2026, 0, 31, 12, 0, second));
    await store(
      job.failure(1),
      job.answer(1),
      job.failure(2, { code: "not_answered", failedAt: at(1) }),
      job.failure(2, { code: "too_large", failedAt: at(3) }),
      job.failure(2, { code: "endpoint_failed", failedAt: at(3) }),
      job.failure(3, { jobId: "another" }),
      job.answer(3),
      job.failure(4),
      job.answer(1, { requestId: "of another" }),
      job.answer(1, { requestId: `${runOf(job.request)}-ffffffffffff` }),
    );
    await run();
    const rows = await rowsOf(await manifestOf(job.id));
    expect(rows.map(({ row, status, code }) => [row, status, code])).toEqual([
      [1, "answered", undefined],
      [2, "failed", "endpoint_failed"],
      [3, "answered", undefined],
      [4, "failed", "unknown_input"],
    ]);
  });

  test("of nothing is completed at once", async () => {
    const job = await makeJob(desk, { rows: 0 });
    expect(await run()).toMatchObject({ written: [job.id], ended: [job.id] });
    expect(await manifestOf(job.id)).toMatchObject({ outcome: "completed", rows: 0, parts: [] });
    expect(eventsOf(job.id)).toHaveLength(1);
  });

  test("of ten thousand rows has them all, in their order", async () => {
    const job = await makeJob(desk, { rows: 10_000, counts: { answered: 5_000, failed: 5_000 } });
    await desk.rows(
      `INSERT INTO prediction_results SELECT $1 || '-' || LPAD(TO_HEX(n), 12, '0'), CAST(n + 6 AS VARCHAR), $2, 'yes ' || n, 'e', 'v', 'r', now(), now()
FROM generate_series(1, 10000, 2) AS n`,
      [runOf(job.request), job.id],
    );
    await desk.rows(
      `INSERT INTO prediction_failures SELECT $1 || '-' || LPAD(TO_HEX(n), 12, '0'), CAST(n + 6 AS VARCHAR), $2, 'too_large', 'no ' || n, now(), now()
FROM generate_series(2, 10000, 2) AS n`,
      [runOf(job.request), job.id],
    );
    await run();
    const rows = await rowsOf(await manifestOf(job.id));
    expect(rows.map(({ row, output, reason }) => [row, output ?? reason])).toEqual(
      Array.from({ length: 10_000 }, (_, n) => [n + 1, `${n % 2 === 0 ? "yes" : "no"} ${n + 1}`]),
    );
  });
});

/** Lets S3 say that what it lists below a prefix was written earlier. */
const age = (prefix: string, milliseconds: number) => {
  desk.hindrances.S3 = async ({ url }, forward) => {
    const answer = await forward();
    if (url.searchParams.get("prefix") !== prefix) return answer;
    const older = `<LastModified>${ago(milliseconds).toISOString()}</LastModified>`;
    return { ...answer, body: String(answer.body).replaceAll(/<LastModified>[^<]*<\/LastModified>/g, older) };
  };
};

describe("it is not a job's turn", () => {
  const untouched = async (id: string) => {
    expect(await run()).toEqual({ written: [], ended: [], waiting: 1 });
    expect(await keysIn(`results/${id}/`)).toEqual([]);
    expect(await keysIn("open/")).toContain(openMark(id));
    expect(eventsOf(id)).toEqual([]);
  };

  test("while rows of it wait", async () => {
    const job = await makeJob(desk, { counts: { answered: 2 } });
    await store(job.answer(1), job.answer(2));
    await untouched(job.id);
  });

  test("while an answer of a call before its deadline may be in hand", async () => {
    const job = await makeJob(desk, { deadline: ago(60_000) });
    await untouched(job.id);
  });

  test("while an answer from before its deadline is not loaded, and it is once that is", async () => {
    const job = await makeJob(desk, { deadline: ago(3_600_000), createdAt: ago(7_200_000) });
    await desk.staged.put([job.answer(2)], until);
    age("staged/", 1_800_000 + 1_800_000 - 60_000);
    await untouched(job.id);
    desk.unhinder();
    await desk.loader().invoke({});
    expect(await run()).toMatchObject({ written: [job.id], waiting: 0 });
    const manifest = await manifestOf(job.id);
    expect(manifest).toMatchObject({ outcome: "expired", rows: 3, answered: 1, expired: 2 });
    expect((await rowsOf(manifest)).map(({ status }) => status)).toEqual(["expired", "answered", "expired"]);
  });

  test("while workers may not have seen that it is stopped; the stop mark that a killed API left out is put", async () => {
    const job = await makeJob(desk, { cancelledAt: ago(3_600_000) });
    await untouched(job.id);
    expect(await keysIn("open/")).toContain(stopMark(job.id));
    await untouched(job.id);
    age("open/", 600_000);
    expect(await run()).toMatchObject({ written: [job.id] });
    expect(await manifestOf(job.id)).toMatchObject({ outcome: "cancelled", rows: 3, cancelled: 3 });
  });
});

describe("rows without an outcome", () => {
  test("are cancelled where the job is, and its other rows keep what was said of them", async () => {
    const job = await makeJob(desk, { cancelledAt: ago(3_600_000) });
    await jobs.mark(stopMark(job.id), until);
    age("open/", 600_000);
    await store(job.answer(1), job.failure(3, { code: "cancelled", reason: "seen" }));
    await run();
    const manifest = await manifestOf(job.id);
    expect(manifest).toMatchObject({ outcome: "cancelled", answered: 1, cancelled: 2, lost: 0 });
    expect((await rowsOf(manifest)).map(({ code, reason }) => [code, reason])).toEqual([
      [undefined, undefined],
      ["cancelled", "the job was cancelled before it was answered"],
      ["cancelled", "seen"],
    ]);
    expect(eventsOf(job.id)).toMatchObject([{ detail: { state: "cancelled" } }]);
    // Messages of it may still come: workers must go on to see that it is stopped.
    expect(await keysIn("open/")).toEqual([stopMark(job.id)]);
  });

  test("are lost where the queue no longer keeps what was sent, and expired where nothing was", async () => {
    const job = await makeJob(desk, { sent: 2, createdAt: ago(15 * day), deadline: ago(2 * day) });
    await store(job.answer(1));
    await run();
    const manifest = await manifestOf(job.id);
    expect(manifest).toMatchObject({ outcome: "expired", answered: 1, failed: 1, expired: 1, lost: 1 });
    expect((await rowsOf(manifest)).map(({ status, code }) => [status, code])).toEqual([
      ["answered", undefined],
      ["failed", "lost"],
      ["expired", "expired"],
    ]);
  });

  test("are a fault where each was counted: nothing is written", async () => {
    const job = await makeJob(desk, { counts: { answered: 3 } });
    await store(job.answer(1), job.answer(3));
    await expect(run()).rejects.toThrow(`${job.id}: Error: row 2 of ${job.id} has no outcome, though each was counted`);
    expect(await keysIn(`results/${job.id}/manifest`)).toEqual([]);
  });
});

test("a job is forgotten once its event was taken, and its result is one", async () => {
  const job = await makeJob(desk, { counts: { answered: 3 } });
  await store(job.answer(1), job.answer(2), job.answer(3));
  desk.eventBridge.fail(1);
  await expect(run()).rejects.toThrow("EventBridge did not take the event: InternalFailure for once");
  const manifest = await get(job.facts.manifest);
  expect(await keysIn("open/")).toEqual([openMark(job.id)]);
  expect(eventsOf(job.id)).toEqual([]);
  expect(await run()).toEqual({ written: [], ended: [job.id], waiting: 0 });
  expect(await get(job.facts.manifest)).toEqual(manifest);
  expect(eventsOf(job.id)).toMatchObject([{ detail: { manifest: { sha256: sha256(manifest) } } }]);
  expect(await keysIn("open/")).toEqual([]);
});

describe("an input", () => {
  test.each([
    ["has changed", (key: string) => put(key, "id,age\n"), "has changed since the job was made"],
    ["is gone", (key: string) => remove(key), "is gone"],
  ])("that %s fails its job, which is told", async (_, spoil, why) => {
    const job = await makeJob(desk, { counts: { answered: 3 } });
    await store(job.answer(1), job.answer(2), job.answer(3));
    await spoil(job.request.input.key);
    expect(await run()).toEqual({ written: [], ended: [job.id], waiting: 0 });
    expect(jobFailed.parse(JSON.parse((await get(job.facts.failed)).toString()))).toMatchObject({
      errors: [`the input s3://${desk.answersBucket}/${job.request.input.key} ${why}`],
      more: 0,
    });
    expect(await keysIn(`results/${job.id}/`)).toEqual([]);
    expect(eventsOf(job.id)).toMatchObject([{ detail: { jobId: job.id, state: "failed" } }]);
    expect(await keysIn("open/")).toEqual([stopMark(job.id)]);
  });
});

test("a job that failed is told and forgotten, without a result", async () => {
  const job = await makeJob(desk);
  await jobs.create(job.facts.failed, { v: 1, failedAt: new Date(), errors: ["line 2: no"], more: 0 }, until);
  expect(await run()).toEqual({ written: [], ended: [job.id], waiting: 0 });
  expect(eventsOf(job.id).map(({ detail }) => detail)).toEqual([{ jobId: job.id, state: "failed" }]);
  expect(await keysIn(`results/${job.id}/`)).toEqual([]);
});

test("what is wrong with one job keeps no other from its result, and the function fails in the end", async () => {
  const bad = await makeJob(desk, { counts: { answered: 3 } });
  await put(bad.facts.counts, "{oops");
  const good = await makeJob(desk, { counts: { failed: 3 } });
  await store(good.failure(1), good.failure(2), good.failure(3));
  await expect(run()).rejects.toThrow(`${bad.facts.counts} is not as it was written`);
  expect(await manifestOf(good.id)).toMatchObject({ failed: 3 });
  expect(await keysIn("open/")).toEqual([openMark(bad.id)]);
});

test("while the warehouse is paused a job waits for its result, and no run fails", async () => {
  const job = await makeJob(desk, { counts: { answered: 3 } });
  await store(job.answer(1), job.answer(2), job.answer(3));
  desk.hindrances.REDSHIFT_DATA = () => {
    throw new AwsError("ValidationException", 400, "The cluster warehouse is paused.");
  };
  expect(await run()).toEqual({ written: [], ended: [], waiting: 1 });
  desk.unhinder();
  expect(await run()).toMatchObject({ written: [job.id], ended: [job.id] });
});

test("marks without a job are removed after an hour, and a stop mark that a job left", async () => {
  await jobs.mark(openMark("half"), until);
  await jobs.mark(stopMark("ended"), until);
  age("open/", 3_500_000);
  await run();
  expect(await keysIn("open/")).toEqual([stopMark("ended"), openMark("half")]);
  age("open/", 3_700_000);
  await run();
  expect(await keysIn("open/")).toEqual([]);
});

test("a stop mark stays until the deadline of its job: its messages may be on the queue as long", async () => {
  const kept = await makeJob(desk, { counts: { answered: 3 } });
  const over = await makeJob(desk, { counts: { answered: 3 }, deadline: new Date(Date.now() - 1_000) });
  for (const { id } of [kept, over]) {
    await jobs.mark(stopMark(id), until);
    await desk.s3.send(new DeleteObjectCommand({ Bucket: desk.answersBucket, Key: openMark(id) }));
  }
  age("open/", 3_700_000);
  await run();
  expect(await keysIn("open/")).toEqual([stopMark(kept.id)]);
});

test("two at once leave one result, and no part of another", async () => {
  const job = await makeJob(desk, { counts: { answered: 3 } });
  await store(job.answer(1), job.answer(2), job.answer(3));
  const both = await Promise.all([run(), run()]);
  expect(both.flatMap(({ written }) => written)).toEqual([job.id]);
  const manifest = await manifestOf(job.id);
  expect((await rowsOf(manifest)).map(({ row }) => row)).toEqual([1, 2, 3]);
  expect(await keysIn(`results/${job.id}/`)).toHaveLength(2);
});

test("killed after any call, it leaves a job to the next run: one result, in which each row stands once, and an event", async () => {
  let calls = 0;
  let killedAt = 0;
  const kill = async (_: unknown, forward: () => ReturnType<Parameters<OnTheWay>[1]>) => {
    const answer = await forward();
    if (++calls === killedAt) writer.kill();
    return answer;
  };
  const ways = ["S3", "REDSHIFT_DATA", "EVENTBRIDGE", "COPY"] as const;
  for (let isKilled = true; isKilled; ) {
    calls = 0;
    killedAt++;
    const job = await makeJob(desk, { counts: { answered: 3 } });
    await store(job.answer(1), job.answer(2), job.answer(3));
    for (const way of ways) desk.hindrances[way] = kill;
    isKilled = await writer.invoke({}).then(
      () => false,
      () => true,
    );
    desk.unhinder();
    await lapse(desk, job.id);
    await run();
    const manifest = await manifestOf(job.id);
    expect((await rowsOf(manifest)).map(({ row, status }) => [row, status])).toEqual(
      [1, 2, 3].map((row) => [row, "answered"]),
    );
    expect(await keysIn(`results/${job.id}/`)).toHaveLength(2);
    expect(await keysIn("open/")).toEqual([]);
    const hashes = eventsOf(job.id).map(({ detail }) => detail);
    expect(hashes.length).toBeGreaterThanOrEqual(1);
    expect(new Set(hashes.map((detail) => JSON.stringify(detail))).size).toBe(1);
  }
  expect(killedAt).toBeGreaterThan(15);
});

describe("a result of many parts", () => {
  const rows = 10;
  let bundle: string;
  let inRuns: LocalFunction;
  beforeAll(async () => {
    const original = "rows: 100_000, bytes";
    bundle = await bundleWith("writer", { file: "pipeline/job-result.ts", original, replacement: "rows: 2, bytes" });
    inRuns = desk.writer({ bundle }, {}, typedContract); // half a minute: a part a run
  });

  const makeLarge = async (more: Made = {}) => {
    const job = await makeJob(desk, { rows, counts: { answered: rows - 2, failed: 2 }, ...more });
    const row = (place: number) => (place % 7 === 3 ? job.failure(place) : job.answer(place));
    const others = ["x3", "000000000003x"].map((end) => job.answer(3, { requestId: `${runOf(job.request)}-${end}` }));
    await store(...Array.from({ length: rows }, (_, place) => row(place + 1)), ...others);
    return job;
  };
  const unloads = () => desk.calls.filter((call) => call === "REDSHIFT_DATA RedshiftData.ExecuteStatement").length;

  test("is merged once, though a second run begins meanwhile", async () => {
    const job = await makeLarge();
    desk.calls.length = 0;
    let second: ReturnType<typeof run> | undefined;
    desk.hindrances.S3 = async (call, forward) => {
      if (call.method === "PUT" && call.url.pathname.includes("/part-")) {
        second ??= run(desk.writer({ bundle }, {}, typedContract));
        await second;
      }
      return forward();
    };
    const first = await run(desk.writer({ bundle, timeoutSeconds: 900 }, {}, typedContract));
    expect(first).toEqual({ written: [job.id], ended: [job.id], waiting: 0 });
    expect(await second).toEqual({ written: [], ended: [], waiting: 1 });
    expect(unloads()).toBe(1);
    expect(await keysIn(`results/${job.id}/`)).toHaveLength(1 + rows / 2);
  });

  test("is written by many runs, killed anywhere, as by one: of one UNLOAD, and a kill writes a part again at most", async () => {
    const whole = await makeLarge();
    await run(desk.writer({ bundle, timeoutSeconds: 900 }, {}, typedContract));
    const bodies = await partsOf(await manifestOf(whole.id));
    expect(bodies).toHaveLength(rows / 2);
    const random = numbersOf(7);
    for (const isCompressed of [false, true]) {
      const job = await makeLarge({ isCompressed });
      desk.calls.length = 0;
      let [kills, writings, unloadsLost] = [0, 0, 0];
      while ((await keysIn(job.facts.manifest)).length === 0) {
        let callsLeft = random(35);
        let isUnloaded = false;
        const before = await jobs.read(job.facts.merge, jobMerge, until);
        const kill: OnTheWay = async (call, forward) => {
          const answer = await forward();
          if (call.method === "PUT" && call.url.pathname.includes("/part-")) writings++;
          if (call.headers["x-amz-target"] === "RedshiftData.ExecuteStatement") isUnloaded = true;
          if (callsLeft-- === 0) inRuns.kill();
          return answer;
        };
        for (const way of ["S3", "REDSHIFT_DATA", "EVENTBRIDGE", "COPY"] as const) desk.hindrances[way] = kill;
        const isKilled = await run(inRuns).then(
          () => false,
          () => true,
        );
        desk.unhinder();
        await lapse(desk, job.id);
        const after = await jobs.read(job.facts.merge, jobMerge, until);
        const parts = (value = before?.value) => value?.parts.length ?? 0;
        if (isKilled) kills++;
        else expect(parts(after?.value)).toBe(parts() + 1);
        if (isUnloaded && after?.value.unload === undefined) unloadsLost++;
      }
      expect(kills).toBeGreaterThan(0);
      expect(writings).toBeLessThanOrEqual(rows / 2 + kills);
      expect(unloads()).toBe(1 + unloadsLost);
      await run();
      const manifest = await manifestOf(job.id);
      expect(manifest).toMatchObject({ rows, answered: rows - 2, failed: 2, releases: ["2026-01"] });
      expect(await partsOf(manifest)).toEqual(bodies);
      expect(await keysIn("open/")).toEqual([]);
      expect(await keysIn(`results/${job.id}/`)).toHaveLength(1 + rows / 2);
    }
  });

  test("is read from an UNLOAD that takes longer than a run, and from another one where that has failed", async () => {
    const job = await makeLarge();
    const others = await keysIn("unloads/");
    desk.calls.length = 0;
    const holding: OnTheWay = async (call, forward) => {
      const answer = await forward();
      if (call.headers["x-amz-target"] !== "RedshiftData.DescribeStatement") return answer;
      return { ...answer, body: JSON.stringify({ Id: "any", Status: "STARTED" }) };
    };
    const failing: OnTheWay = async (call, forward) => {
      const answer = await forward();
      if (call.headers["x-amz-target"] !== "RedshiftData.DescribeStatement") return answer;
      return { ...answer, body: JSON.stringify({ Id: "any", Status: "FAILED", Error: "disk full" }) };
    };
    const hurried = desk.writer({ bundle, timeoutSeconds: 8 }, {}, typedContract);
    for (let runs = 0; runs < 2; runs++) {
      desk.hindrances.REDSHIFT_DATA = holding;
      await expect(run(hurried)).rejects.toThrow(job.id);
      expect(unloads()).toBe(1);
    }
    expect(desk.calls).not.toContain("REDSHIFT_DATA RedshiftData.CancelStatement");
    desk.hindrances.REDSHIFT_DATA = failing;
    await expect(run(inRuns)).rejects.toThrow("disk full");
    desk.unhinder();
    await run(desk.writer({ bundle, timeoutSeconds: 900 }, {}, typedContract));
    expect(unloads()).toBe(2);
    expect(await manifestOf(job.id)).toMatchObject({ rows, answered: rows - 2, failed: 2 });
    expect(await keysIn("unloads/")).toEqual(others);
  });

  test("is begun anew where what was unloaded is gone", async () => {
    const job = await makeLarge();
    expect(await run(inRuns)).toEqual({ written: [], ended: [], waiting: 1 });
    for (const key of await keysIn("unloads/")) await remove(key);
    await expect(run(inRuns)).rejects.toThrow(`${job.id}: NoSuchKey`);
    desk.calls.length = 0;
    expect(await run(desk.writer({ bundle, timeoutSeconds: 900 }, {}, typedContract))).toMatchObject({
      written: [job.id],
    });
    expect(unloads()).toBe(1);
    expect((await rowsOf(await manifestOf(job.id))).map(({ row }) => row)).toEqual(
      Array.from({ length: rows }, (_, place) => place + 1),
    );
    expect(await keysIn(`results/${job.id}/`)).toHaveLength(1 + rows / 2);
    expect(await keysIn("unloads/")).toEqual([]);
  });
});

describe("the canary", () => {
  test("tries out the writer's UNLOAD, says what was tried, and leaves nothing behind", async () => {
    const before = await keysIn("unloads/");
    expect(await writer.invoke({ canary: true })).toEqual({
      passed: [
        "the writer may UNLOAD the outcomes of a job in order, and read them to their end.",
        "the writer may change no row.",
      ],
    });
    expect(await keysIn("unloads/")).toEqual(before);
  });

  test("fails with Redshift's own words where it may not", async () => {
    const other = desk.writer({}, { UNLOAD_ROLE_ARN: desk.copyRoleArn }, typedContract);
    await expect(other.invoke({ canary: true })).rejects.toThrow(
      /^the writer may UNLOAD the outcomes .*: no\. StatementFailed: .*permission denied/,
    );
  });
});
