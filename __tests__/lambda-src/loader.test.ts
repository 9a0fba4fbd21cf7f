import { gzipSync } from "node:zlib";
import { CopyObjectCommand, DeleteObjectCommand, ListObjectsV2Command, PutObjectCommand } from "@aws-sdk/client-s3";
import { z } from "zod";
import { stagedKey } from "../../contract/answers-bucket";
import type { StoredFailure } from "../../contract/failure-table";
import { factsOf, type JobCounts, jobCounts, requestIdOf, runOf } from "../../contract/job";
import { lineOf, type Outcome } from "../../contract/outcome";
import type { Prediction } from "../../contract/prediction-table";
import type { LocalFunction } from "../../local/lambda";
import type { OnTheWay } from "../../local/passage";
import { s3Error } from "../../local/s3";
import { AwsError, ConnectionCut } from "../../local/stand-in";
import { within } from "../../pipeline/clients";
import { newId } from "../../pipeline/ids";
import { Jobs } from "../../pipeline/jobs";
import { operationOf } from "../faults/faults";
import { tellLate } from "../faults/late-counts";
import { modelOf } from "../setup/contract";
import { type Desk, startDesk } from "../setup/desk";

let desk: Desk;
let loader: LocalFunction;
beforeAll(async () => {
  desk = await startDesk({ model: modelOf((cities) => cities) });
  loader = desk.loader();
});
afterAll(() => desk.stop());
afterEach(async () => {
  desk.unhinder();
  await loader.invoke({}).catch(() => undefined); // what a test leaves is not the next one's
});

const runSchema = z.object({
  objects: z.number(),
  answers: z.number(),
  failures: z.number(),
  rejected: z.array(z.object({ key: z.string(), reason: z.string() })),
  newer: z.number(),
  more: z.boolean(),
  paused: z.boolean(),
  oldestSeconds: z.number(),
});

const load = async () => runSchema.parse(await loader.invoke({}));

const at = (second: number) => new Date(Date.UTC(2026, 0, 31, 12, 0, second, 123));

const answer = (requestId: string, more: Partial<Prediction> = {}): Prediction => ({
  requestId,
  inputId: "7",
  output: "yes",
  endpoint: "classifier",
  variant: "first",
  modelRelease: "2026-01",
  requestedAt: at(0),
  predictedAt: at(1),
  ...more,
});

const failure = (requestId: string, more: Partial<StoredFailure> = {}): StoredFailure => ({
  requestId,
  inputId: "7",
  code: "refused_by_model",
  reason: "the model refused the input (400)",
  requestedAt: at(0),
  failedAt: at(1),
  ...more,
});

const stage = (...outcomes: Outcome[]) => desk.staged.put(outcomes, within(60_000));

/** Stages an object of any content. */
const stageBytes = async (content: Buffer, version = 1) => {
  const Key = stagedKey([newId()], version, newId(), new Date());
  await desk.s3.send(new PutObjectCommand({ Bucket: desk.answersBucket, Key, Body: content }));
  return Key;
};

const keysIn = async (prefix: string) => {
  const { Contents = [] } = await desk.s3.send(
    new ListObjectsV2Command({ Bucket: desk.answersBucket, Prefix: prefix }),
  );
  return Contents.map(({ Key }) => Key);
};

const rowsOf = (requestId: string) => desk.rows("SELECT * FROM prediction_results WHERE request_id = $1", [requestId]);
const failuresOf = (requestId: string) =>
  desk.rows(
    "SELECT input_id, job_id, code, reason FROM prediction_failures WHERE request_id = $1 ORDER BY code, input_id",
    [requestId],
  );
const jobOf = async (jobId: string) =>
  (await desk.rows("SELECT answered::int, failed::int FROM prediction_jobs WHERE job_id = $1", [jobId]))[0];

test("asks the warehouse nothing where nothing is staged", async () => {
  desk.calls.length = 0;
  expect(await load()).toEqual({
    objects: 0,
    answers: 0,
    failures: 0,
    rejected: [],
    newer: 0,
    more: false,
    paused: false,
    oldestSeconds: 0,
  });
  expect(desk.calls.every((call) => call.startsWith("S3 "))).toBe(true);
});

test.each([
  ["ValidationException", "The cluster warehouse is paused."],
  ["ValidationException", "Redshift endpoint doesn't exist in this region."],
  ["InvalidClusterStateFault", "The cluster is resuming."],
])("waits while the warehouse is paused, and sets nothing aside: %s, %s", async (name, words) => {
  const [one, byOthers] = [newId(), `order-${newId()}`];
  await stage(answer(one));
  await stage(answer(byOthers));
  const staged = await keysIn("staged/");
  desk.hindrances.REDSHIFT_DATA = () => {
    throw new AwsError(name, 400, words);
  };
  for (const _ of [1, 2]) {
    expect(await load()).toMatchObject({ objects: 0, rejected: [], more: false, paused: true });
  }
  expect(await keysIn("staged/")).toEqual(staged);
  for (const folder of ["manifests/", "rejected/"]) expect(await keysIn(folder)).toEqual([]);
  desk.unhinder();
  expect(await load()).toMatchObject({ objects: 2, answers: 2, paused: false });
  expect(await rowsOf(one)).toHaveLength(1);
});

test("moves answers and failures into their tables, and leaves nothing in the bucket", async () => {
  const [one, other] = [newId(), newId()];
  await stage(answer(one, { jobId: "job-7", output: 'it\'s "quoted"\n😀 \\ $1 :v0' }), failure(other));
  expect(await load()).toMatchObject({ objects: 1, answers: 1, failures: 1, more: false });
  const [row] = await desk.rows(
    "SELECT *, requested_at::text AS requested, predicted_at::text AS predicted FROM prediction_results WHERE request_id = $1",
    [one],
  );
  expect(row).toMatchObject({
    input_id: "7",
    job_id: "job-7",
    output: 'it\'s "quoted"\n😀 \\ $1 :v0',
    endpoint: "classifier",
    variant: "first",
    model_release: "2026-01",
    requested: "2026-01-31 12:00:00.123",
    predicted: "2026-01-31 12:00:01.123",
  });
  expect(await failuresOf(other)).toEqual([
    { input_id: "7", job_id: null, code: "refused_by_model", reason: "the model refused the input (400)" },
  ]);
  for (const folder of ["staged/", "manifests/", "rejected/"]) expect(await keysIn(folder)).toEqual([]);
});

test("keeps an empty answer, and no input and no job for none", async () => {
  const [one, other] = [newId(), newId()];
  await stage(answer(one, { output: "" }), failure(other, { inputId: undefined }));
  await load();
  expect(await rowsOf(one)).toEqual([expect.objectContaining({ output: "", job_id: null })]);
  expect(await failuresOf(other)).toEqual([expect.objectContaining({ input_id: null, job_id: null })]);
});

test("keeps the first answer to a request, of one load and of several, whoever made its id", async () => {
  for (const id of [newId(), "an id of theirs", "original-1-1"]) {
    await stage(answer(id, { output: "second", predictedAt: at(9) }), answer(id, { output: "first" }));
    await stage(answer(id, { output: "third", predictedAt: at(10) }));
    await load();
    await stage(answer(id, { output: "earlier, but loaded later", predictedAt: at(0) }));
    expect(await load()).toMatchObject({ answers: 0, failures: 0 });
    expect((await rowsOf(id)).map(({ output }) => output)).toEqual(["first"]);
  }
});

test("tells of an answer to another input or job under a stored id: a conflict, also within one load", async () => {
  const ids = [newId(), newId()] as const;
  await stage(answer(ids[0], { jobId: "a" }));
  await load();
  await stage(answer(ids[0]), answer(ids[0], { inputId: "8", jobId: "a" }), answer(ids[0], { jobId: "a" }));
  await stage(answer(ids[1]), answer(ids[1], { inputId: "8", predictedAt: at(2) }));
  await load();
  const reason = "a request of the same requestId was answered that has another id or jobId";
  expect(await failuresOf(ids[0])).toEqual([
    { input_id: "7", job_id: null, code: "conflict", reason },
    { input_id: "8", job_id: "a", code: "conflict", reason },
  ]);
  expect(await failuresOf(ids[1])).toEqual([{ input_id: "8", job_id: null, code: "conflict", reason }]);
  expect(await rowsOf(ids[0])).toHaveLength(1);
});

test("keeps one failure of each code, the first, however often it is loaded", async () => {
  const id = newId();
  await stage(failure(id, { failedAt: at(5), reason: "later" }), failure(id), failure(id, { code: "expired" }));
  await load();
  await stage(failure(id, { failedAt: at(0) }));
  expect(await load()).toMatchObject({ failures: 0 });
  expect(await failuresOf(id)).toEqual([
    expect.objectContaining({ code: "expired" }),
    expect.objectContaining({ code: "refused_by_model", reason: "the model refused the input (400)" }),
  ]);
});

test("counts each job's answered and failed requests, those that were answered after all just once", async () => {
  const [ok, bad, saved] = [newId(), newId(), newId()];
  const jobId = "counted";
  await stage(answer(ok, { jobId }), failure(bad, { jobId }), failure(saved, { jobId, code: "not_answered" }));
  await load();
  expect(await jobOf(jobId)).toEqual({ answered: 1, failed: 2 });
  await stage(
    failure(bad, { jobId, code: "endpoint_failed", failedAt: at(2) }),
    answer(saved, { jobId }),
    answer(ok, { jobId }),
  );
  await load();
  expect(await jobOf(jobId)).toEqual({ answered: 2, failed: 1 });
  const both = newId();
  await stage(failure(both, { jobId, code: "not_answered" }), answer(both, { jobId }));
  await load();
  expect(await jobOf(jobId)).toEqual({ answered: 3, failed: 1 });
});

test("loads an object once that comes back after its load", async () => {
  const [id, jobId] = [newId(), "again"];
  await stage(answer(id, { jobId }), failure(newId(), { jobId }));
  const [key = ""] = await keysIn("staged/");
  const copy = { Bucket: desk.answersBucket, CopySource: `${desk.answersBucket}/${key}`, Key: "kept" };
  await desk.s3.send(new CopyObjectCommand(copy));
  await load();
  await desk.s3.send(new CopyObjectCommand({ ...copy, CopySource: `${desk.answersBucket}/kept`, Key: key }));
  expect(await load()).toMatchObject({ objects: 1, answers: 0, failures: 0 });
  expect(await jobOf(jobId)).toEqual({ answered: 1, failed: 1 });
});

test("two at once load everything once", async () => {
  const ids = Array.from({ length: 60 }, () => newId());
  for (const id of ids) await stage(answer(id, { jobId: "two loaders" }));
  const others = [desk.loader(), desk.loader()];
  const runs = await Promise.all(others.map((one) => one.invoke({})));
  const sum = runs.map((run) => runSchema.parse(run).answers).reduce((total, count) => total + count, 0);
  expect(sum).toBe(ids.length);
  expect(await jobOf("two loaders")).toEqual({ answered: 60, failed: 0 });
  expect(await keysIn("rejected/")).toEqual([]);
  expect(await keysIn("staged/")).toEqual([]);
});

describe("of a job", () => {
  let made = 0;
  /** A job, and the ids of the requests for its rows. */
  const startJob = async (id = `job-${++made}`, createdAt = new Date(Date.UTC(2026, 0, 31, 11, 0, made))) => {
    const input = { key: "inputs/rows.csv", etag: '"1"', bytes: 1 };
    const settings = { format: "csv", columns: {}, deadlineSeconds: 60, result: "ndjson" };
    const request = { v: 1, id, fingerprint: "1", createdAt, deadline: at(59), input, settings };
    await putFact(factsOf(id).request, JSON.stringify(request));
    const run = runOf({ id, createdAt });
    return { jobId: id, run, row: (row: number) => requestIdOf(run, row) };
  };
  const putFact = (Key: string, Body: string) =>
    desk.s3.send(new PutObjectCommand({ Bucket: desk.answersBucket, Key, Body }));
  const countsOf = async (jobId: string) => {
    const fact = await new Jobs(desk.answersBucket, desk.s3).read(factsOf(jobId).counts, jobCounts, within(60_000));
    return fact?.value;
  };
  /** What the table says of a job's rows. */
  const tableOf = async ({ jobId, run }: { jobId: string; run: string }) => {
    const [row] = await desk.rows(
      `SELECT answered::int, failed::int, expired::int, cancelled::int, commits::int FROM prediction_jobs WHERE job_id = $1 AND run = $2`,
      [jobId, run],
    );
    return row;
  };

  test("counts its rows by how they ended, with the number of the commit, and says when the first and the last did", async () => {
    const { jobId, row, run } = await startJob();
    await stage(answer(row(1), { jobId }), answer(row(2), { jobId, predictedAt: at(3) }), failure(row(3), { jobId }));
    await stage(failure(row(4), { jobId, code: "expired" }), failure(row(5), { jobId, code: "cancelled" }));
    await load();
    const counts = { answered: 2, failed: 1, expired: 1, cancelled: 1, commits: 1 };
    expect(await countsOf(jobId)).toEqual({ v: 1, ...counts, firstAt: at(1), lastAt: at(3), open: [] });
    await stage(answer(row(6), { jobId, predictedAt: at(9) }));
    await load();
    expect(await countsOf(jobId)).toMatchObject({ answered: 3, commits: 2, lastAt: at(9) });
    expect(await tableOf({ jobId, run })).toEqual({ ...counts, answered: 3, commits: 2 });
  });

  test("a request has one fate, which moves: its answer, else its first failure", async () => {
    const { jobId, row } = await startJob();
    await stage(failure(row(1), { jobId, failedAt: at(5) }), failure(row(2), { jobId, code: "expired" }));
    await load();
    expect(await countsOf(jobId)).toMatchObject({ answered: 0, failed: 1, expired: 1 });
    await stage(failure(row(1), { jobId, code: "cancelled", failedAt: at(4) }));
    await stage(failure(row(2), { jobId, code: "refused_by_model", failedAt: at(6) }));
    await load();
    expect(await countsOf(jobId)).toMatchObject({ answered: 0, failed: 0, expired: 1, cancelled: 1 });
    await stage(answer(row(1), { jobId }), answer(row(2), { jobId }), failure(row(2), { jobId, code: "conflict" }));
    await load();
    expect(await countsOf(jobId)).toMatchObject({ answered: 2, failed: 0, expired: 0, cancelled: 0 });
    await stage(answer(row(1), { jobId, inputId: "8" }), failure(row(2), { jobId, inputId: "8", code: "conflict" }));
    await load();
    expect(await countsOf(jobId)).toMatchObject({ answered: 2, failed: 0, expired: 0, cancelled: 0 });
  });

  test("what was not answered at first ends by what is known of it later, in one load or in two", async () => {
    const { jobId, row } = await startJob();
    const notAnswered = (number: number) => failure(row(number), { jobId, code: "not_answered", failedAt: at(1) });
    const later = (number: number, code: string) => failure(row(number), { jobId, code, failedAt: at(2) });
    await stage(notAnswered(1), notAnswered(2), later(2, "cancelled"), later(3, "expired"));
    await load();
    expect(await countsOf(jobId)).toMatchObject({ failed: 1, expired: 1, cancelled: 1 });
    await stage(later(1, "expired"), notAnswered(3));
    await load();
    expect(await countsOf(jobId)).toMatchObject({ failed: 0, expired: 2, cancelled: 1 });
  });

  test("what was not answered lately is open by the minute, until it is answered or fails for good", async () => {
    const { jobId, row } = await startJob();
    const anHourAgo = new Date(Math.floor(Date.now() / 60_000) * 60_000 - 3_600_000);
    const ago = (seconds: number) => new Date(anHourAgo.getTime() - 1_000 * seconds);
    const notAnswered = (number: number, failedAt: Date) =>
      failure(row(number), { jobId, code: "not_answered", failedAt });
    await stage(notAnswered(1, ago(1)), notAnswered(2, ago(60)), notAnswered(3, ago(61)), notAnswered(4, at(1)));
    await load();
    const open = [
      { minute: ago(60), count: 2 },
      { minute: ago(120), count: 1 },
    ];
    const inOrder = (counts: JobCounts | undefined) =>
      counts?.open.toSorted((one, other) => other.minute.getTime() - one.minute.getTime());
    const before = await countsOf(jobId);
    expect(before).toMatchObject({ answered: 0, failed: 4 });
    expect(inOrder(before)).toEqual(open);
    await stage(answer(row(1), { jobId, predictedAt: ago(0) }), failure(row(3), { jobId, failedAt: ago(0) }));
    await load();
    expect(await countsOf(jobId)).toMatchObject({ answered: 1, failed: 3, open: [{ minute: ago(60), count: 1 }] });
  });

  test("what others send under its name is none of its rows, and nothing that is no job has counts", async () => {
    const { jobId, row, run } = await startJob();
    const earlier = runOf({ id: jobId, createdAt: at(0) });
    await stage(answer(row(1), { jobId }), answer(newId(), { jobId }), answer("theirs", { jobId }));
    await stage(answer(requestIdOf(earlier, 1), { jobId }), answer(row(1).toUpperCase(), { jobId }));
    await stage(answer(row(7), { jobId: "no job of ours" }), answer(row(8), { jobId: "not-asked-for" }));
    await load();
    expect(await countsOf(jobId)).toMatchObject({ answered: 1, failed: 0 });
    expect(await tableOf({ jobId, run })).toMatchObject({ answered: 1 });
    expect(await tableOf({ jobId, run: "" })).toMatchObject({ answered: 3 });
    expect(await tableOf({ jobId, run: earlier })).toMatchObject({ answered: 1 });
    const [facts] = await Promise.all([keysIn("jobs/")]);
    expect(facts.filter((key) => key?.includes("no job") || key?.includes("not-asked-for"))).toEqual([]);
  });

  test("counts are never those of an earlier commit, and what is no counts is written over", async () => {
    const { jobId, row } = await startJob();
    await stage(answer(row(1), { jobId }));
    await load();
    const newer = JSON.stringify({ ...(await countsOf(jobId)), answered: 9, commits: 9 });
    await putFact(factsOf(jobId).counts, newer);
    await stage(answer(row(2), { jobId }));
    await load();
    expect(await countsOf(jobId)).toMatchObject({ answered: 9, commits: 9 });
    await putFact(factsOf(jobId).counts, "no counts");
    await stage(answer(row(3), { jobId }));
    await load();
    expect(await countsOf(jobId)).toMatchObject({ answered: 3, commits: 3 });
    await putFact(factsOf(jobId).request, "no job");
    await stage(answer(row(4), { jobId }));
    expect(await load()).toMatchObject({ objects: 1 });
    expect(await countsOf(jobId)).toMatchObject({ answered: 3, commits: 3 });
  });

  test("counts that cannot be written leave what is staged, and every other job's are written", async () => {
    const [one, other] = [await startJob(), await startJob()];
    desk.hindrances.S3 = (request, forward) => {
      const isTheirs = request.method === "PUT" && request.url.pathname.endsWith(factsOf(one.jobId).counts);
      return isTheirs ? Promise.resolve(s3Error(403, "AccessDenied", "Access Denied")) : forward();
    };
    await stage(answer(one.row(1), { jobId: one.jobId }), answer(other.row(1), { jobId: other.jobId }));
    await expect(load()).rejects.toMatchObject({ errorType: "AccessDenied" });
    expect(await countsOf(one.jobId)).toBeUndefined();
    expect(await countsOf(other.jobId)).toMatchObject({ answered: 1 });
    expect(await keysIn("staged/")).toHaveLength(1);
    desk.unhinder();
    expect(await load()).toMatchObject({ objects: 1, answers: 0 });
    expect(await countsOf(one.jobId)).toMatchObject({ answered: 1, commits: 1 });
    expect(await keysIn("staged/")).toEqual([]);
  });

  test("a loader that is killed at any call from its commit on leaves what the next one tells", async () => {
    const { jobId, run, row } = await startJob();
    let rows = 0;
    for (const when of ["before", "after"] as const) {
      // The result of its last statement, request.json, counts.json and again, the staged objects
      for (let call = 1; call <= 5; call++) {
        await stage(answer(row(++rows), { jobId }), failure(row(++rows), { jobId }));
        const victim = desk.loader();
        let calls = Number.NEGATIVE_INFINITY;
        const killing: OnTheWay = async (request, forward) => {
          const isLast = ++calls === call;
          if (isLast && when === "before") victim.kill();
          const answered = isLast && when === "before" ? undefined : await forward();
          if (isLast) victim.kill();
          if (["BatchExecuteStatement", "DescribeStatement"].includes(operationOf(request))) calls = 0;
          if (answered === undefined) throw new ConnectionCut();
          return answered;
        };
        desk.hindrances.S3 = killing;
        desk.hindrances.REDSHIFT_DATA = killing;
        await expect(victim.invoke({})).rejects.toMatchObject({});
        desk.unhinder();
        await victim.stop();
        const table = await tableOf({ jobId, run });
        expect(table).toMatchObject({ answered: rows / 2, failed: rows / 2, commits: rows / 2 });
        const { answered = 0, failed = 0, commits = 0 } = (await countsOf(jobId)) ?? {};
        expect([answered, failed]).toEqual([commits, commits]);
        await load();
        expect(await countsOf(jobId)).toMatchObject({ ...table });
        expect(await keysIn("staged/")).toEqual([]);
      }
    }
  });

  test("a loader that tells late takes no counts back", async () => {
    expect(await tellLate(desk)).toBe(2);
  });

  test("two loaders at once leave the counts of the last commit", async () => {
    const { jobId, run, row } = await startJob();
    const two = [desk.loader(), desk.loader()];
    let rows = 0;
    for (let round = 0; round < 5; round++) {
      for (let object = 0; object < 5; object++) await stage(answer(row(++rows), { jobId }));
      const loads = two.map((one) => one.invoke({}));
      for (let object = 0; object < 5; object++) await stage(answer(row(++rows), { jobId }));
      await Promise.all(loads);
      await load();
      expect(await countsOf(jobId)).toMatchObject({ answered: rows });
      expect(await countsOf(jobId)).toMatchObject({ ...(await tableOf({ jobId, run })) });
    }
  });
});

describe("of an object whose data is at fault", () => {
  const lines = (...outcomes: Outcome[]) => outcomes.map((outcome) => `${lineOf(outcome)}\n`).join("");
  const bad = {
    "is no JSON": () => gzipSync("no JSON\n"),
    "lacks what a row needs": () => gzipSync('{"v":1,"request_id":"x","input_id":"7"}\n'),
    "has a value that is too long": () => gzipSync(lines(answer("i".repeat(129)))),
    "is not UTF-8": () => gzipSync(Buffer.from('{"request_id":"\xff"}\n', "latin1")),
    "is cut": () => gzipSync(lines(...Array.from({ length: 50 }, () => answer(newId())))).subarray(0, 200),
    "has an answer without an output": () => gzipSync(lines(answer(newId())).replace(/"output":"yes",/, "")),
  };

  test.each(Object.entries(bad))("it is set aside, and its neighbours are loaded: it %s", async (_what, content) => {
    const ids = [newId(), newId(), newId()];
    for (const id of ids.slice(0, 2)) await stage(answer(id));
    const key = await stageBytes(content());
    await stage(answer(ids[2] ?? ""));
    const run = await load();
    expect(run.rejected).toEqual([{ key, reason: expect.stringMatching(/./) }]);
    expect(run).toMatchObject({ objects: 3, answers: 3 });
    for (const id of ids) expect(await rowsOf(id)).toHaveLength(1);
    const aside = key.replace("staged/", "rejected/");
    expect(await keysIn("rejected/")).toContain(aside);
    expect(await keysIn("staged/")).toEqual([]);
    await desk.s3.send(new DeleteObjectCommand({ Bucket: desk.answersBucket, Key: aside }));
  });

  test("a run sets ten aside at most, and the next goes on", async () => {
    for (let count = 0; count < 12; count++) await stageBytes(gzipSync("no JSON\n"));
    const failing = desk.loader();
    await expect(failing.invoke({})).rejects.toMatchObject({ errorType: "StatementFailed" });
    await failing.stop();
    expect(desk.log()).toContain('"RejectedObjects":10');
    expect(await keysIn("rejected/")).toHaveLength(10);
    expect(await load()).toMatchObject({ rejected: [expect.anything(), expect.anything()] });
    for (const Key of await keysIn("rejected/")) {
      await desk.s3.send(new DeleteObjectCommand({ Bucket: desk.answersBucket, Key }));
    }
  });
});

test("leaves what a newer version wrote, and says so", async () => {
  const key = await stageBytes(gzipSync('{"v":2}\n'), 2);
  const id = newId();
  await stage(answer(id));
  expect(await load()).toMatchObject({ objects: 1, answers: 1, newer: 1, rejected: [] });
  expect(await keysIn("staged/")).toEqual([key]);
  await desk.s3.send(new DeleteObjectCommand({ Bucket: desk.answersBucket, Key: key }));
});

test("sets nothing aside while the warehouse refuses, and loads it all afterwards", async () => {
  const id = newId();
  await stage(answer(id));
  for (const [sql, undo] of [
    ["REVOKE INSERT ON prediction_results FROM", "GRANT INSERT ON prediction_results TO"],
    ["REVOKE SELECT ON prediction_jobs FROM", "GRANT SELECT ON prediction_jobs TO"],
  ] as const) {
    const user = `"IAMR:${desk.roles.loader}"`;
    await desk.rows(`${sql} ${user}`);
    await expect(load()).rejects.toMatchObject({ message: expect.stringContaining("permission denied") });
    await desk.rows(`${undo} ${user}`);
  }
  expect(await keysIn("rejected/")).toEqual([]);
  expect(await load()).toMatchObject({ objects: 1, answers: 1 });
});

test("its database user may neither delete nor change what is stored", async () => {
  const id = newId();
  await stage(answer(id));
  await load();
  for (const sql of [
    "DELETE FROM prediction_results",
    "UPDATE prediction_results SET output = ''",
    "DROP TABLE prediction_results",
    "DELETE FROM prediction_failures",
    "UPDATE prediction_failures SET code = ''",
  ]) {
    const { status, error } = await desk.runAs(desk.roles.loader, sql);
    expect(status).toBe("FAILED");
    expect(error).toMatch(/permission denied|must be owner/);
  }
  expect(await rowsOf(id)).toHaveLength(1);
});

test("measures what it loads, and logs what it sets aside", async () => {
  const measured = desk.loader();
  await stage(answer(newId()), failure(newId()));
  const key = await stageBytes(gzipSync("no JSON\n"));
  await measured.invoke({});
  await measured.stop();
  const lines = desk.log().trim().split("\n");
  const metrics = lines.flatMap((line) => (line.includes("CloudWatchMetrics") ? [JSON.parse(line)] : [])).at(-1);
  expect(metrics).toMatchObject({ LoadedRows: 2, RejectedObjects: 1, NewerObjects: 0, StagedAge: expect.any(Number) });
  expect(desk.log()).toContain(key);
  await desk.s3.send(new DeleteObjectCommand({ Bucket: desk.answersBucket, Key: key.replace("staged/", "rejected/") }));
});

describe("the canary", () => {
  const canary = () => desk.loader().invoke({ canary: true });
  test("says what it has tried, and leaves nothing behind", async () => {
    await stage(answer(newId()));
    const before = await keysIn("manifests/"); // of loads that failed
    expect(await canary()).toEqual({
      passed: [
        "the loader writes to the bucket and owns its tables.",
        "the loader loads an answer and a failure.",
        "the same again writes nothing.",
        "an object at fault is refused, and Redshift names it.",
        "people may UNLOAD to the bucket.",
        "people may not COPY from it.",
      ],
    });
    expect(await keysIn("manifests/")).toEqual(before);
    expect(await keysIn("staged/")).toHaveLength(1);
    for (const table of ["results", "failures", "jobs"]) {
      expect(await desk.rows(`SELECT 1 FROM canary_${table}`)).toEqual([]);
    }
  });

  /** What the stand-in keeps for `GRANT ASSUMEROLE`, and for taking it away. */
  const mayCopy = (user: string) =>
    `INSERT INTO stand_in.assume_role VALUES ('${desk.copyRoleArn}', '"${user}"', 'COPY')`;
  const mayNotCopy = (user: string) =>
    `DELETE FROM stand_in.assume_role WHERE member = '"${user}"'::REGROLE AND command = 'COPY'`;

  test.each([
    {
      what: "the loader may not COPY",
      does: () => mayNotCopy(`IAMR:${desk.roles.loader}`),
      undoes: () => mayCopy(`IAMR:${desk.roles.loader}`),
      says: /^the loader loads an answer and a failure: no\. StatementFailed: .*role/,
    },
    {
      what: "people may COPY",
      does: () => mayCopy(desk.roles.reader),
      undoes: () => mayNotCopy(desk.roles.reader),
      says: /^people may not COPY from it: no\. They may\.$/,
    },
    {
      what: "people may not UNLOAD",
      does: () => `REVOKE SELECT ON prediction_jobs FROM "${desk.roles.reader}"`,
      undoes: () => `GRANT SELECT ON prediction_jobs TO "${desk.roles.reader}"`,
      says: /^people may UNLOAD to the bucket: no\. StatementFailed: .*permission denied/,
    },
  ])("fails with the database's words where $what", async ({ does, undoes, says }) => {
    await desk.rows(does());
    await expect(canary()).rejects.toMatchObject({ errorType: "CanaryFailed", message: expect.stringMatching(says) });
    await desk.rows(undoes());
  });
});
