import { randomUUID } from "node:crypto";
import { RedshiftDataClient } from "@aws-sdk/client-redshift-data";
import { ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import fc from "fast-check";
import { Client } from "pg";
import { createTables, tables } from "../../contract/load-tables";
import { textExpression } from "../../contract/sql-text";
import { operator } from "../../local/credentials";
import { startPassage } from "../../local/passage";
import { startRedshiftData } from "../../local/redshift-data";
import { toPostgres } from "../../local/redshift-sql";
import { startS3 } from "../../local/s3";
import { AwsError, ConnectionCut, json, type StandIn, serve } from "../../local/stand-in";
import { isBusy } from "../../pipeline/redshift";
import { Results, type Selection } from "../../pipeline/results";
import { createDatabase } from "../setup/database";
import { answered, failed, insertOutcomes } from "../setup/outcomes";

const clientAt = (url: string) => new RedshiftDataClient({ ...operator, endpoint: url, maxAttempts: 1 });
const props = { clusterId: "warehouse", databaseName: "predictions" };
const ever = { signal: new AbortController().signal };
const day = 24 * 60 * 60 * 1000;

let postgresUrl: string;
let database: Client;
let standIn: StandIn;
let results: Results;
beforeAll(async () => {
  postgresUrl = await createDatabase();
  database = new Client(postgresUrl);
  await database.connect();
  for (const sql of createTables(tables)) await database.query(toPostgres(sql));
  standIn = await startRedshiftData({ postgresUrl });
  results = new Results(props, clientAt(standIn.url));
});
afterAll(async () => {
  await standIn.stop();
  await database.end();
});

const rowsOf = async <Row>(pages: AsyncIterable<readonly Row[]>) => {
  const rows: Row[] = [];
  for await (const page of pages) rows.push(...page);
  return rows;
};
const sorted = (ids: readonly string[]) => [...ids].sort();

test("what is stored is read as it was", async () => {
  const whole = answered({ inputId: "exact", output: "'\"\\ 😀\n" });
  const spare = answered({ inputId: "exact", output: "", jobId: undefined, predictedAt: new Date(0) });
  await insertOutcomes(database, [whole, spare]);
  expect(await results.ofInput("exact")).toEqual([whole, spare]);
  expect(await results.ofInput("exact", { limit: 1 })).toEqual([whole]);
  expect(await results.ofInput("nobody")).toEqual([]);
});

describe("a request", () => {
  test("is answered, or failed for the last reason that it failed for, or neither", async () => {
    const [answer, late] = [answered({ inputId: "one" }), answered({ inputId: "late" })];
    const twice = failed({ inputId: "two" });
    const again = { ...twice, code: "out_of_time", reason: "again", failedAt: new Date("2026-02-01T00:00:00Z") };
    const before = failed({ requestId: late.requestId, inputId: "late" });
    await insertOutcomes(database, [answer, late, twice, again, before]);
    expect(await results.ofRequest(answer.requestId, "one", ever)).toEqual(answer);
    expect(await results.ofRequest(late.requestId, "late", ever)).toEqual(late);
    expect(await results.ofRequest(twice.requestId, "two", ever)).toEqual(again);
    expect(await results.ofRequest("it's: \\ none", "one", ever)).toBeUndefined();
  });

  test("is one for its input: what was stored for another under the same id is not its outcome", async () => {
    const other = answered({ inputId: "another" });
    await insertOutcomes(database, [other]);
    expect(await results.ofRequest(other.requestId, "mine", ever)).toBeUndefined();
    const conflict = failed({ requestId: other.requestId, inputId: "mine", code: "conflict" });
    await insertOutcomes(database, [conflict]);
    expect(await results.ofRequest(other.requestId, "mine", ever)).toEqual(conflict);
  });

  test("whose input could not be read has failed for whichever input is asked about", async () => {
    const unreadable = failed({ inputId: undefined, jobId: undefined, code: "malformed" });
    await insertOutcomes(database, [unreadable]);
    expect(await results.ofRequest(unreadable.requestId, "any", ever)).toEqual(unreadable);
  });
});

test("a selection has what all of it holds for, however many statements and pages that takes", async () => {
  const rows = Array.from({ length: 1_203 }, (_, n) =>
    answered({
      requestId: `run_%.${n}`,
      inputId: `input ${n}`,
      jobId: n % 2 === 0 ? "even" : undefined,
      predictedAt: new Date(n * day),
    }),
  );
  const others = ["runs%.1", "RUN_%.1", "run_%", "run_%-1"].map((requestId) => answered({ requestId }));
  await insertOutcomes(database, [...rows, ...others]);
  const idsOf = async (selection: Selection) => {
    const found = (await rowsOf(results.select(selection, ever))).map(({ requestId }) => requestId);
    const ids = (await rowsOf(results.requests("answered", selection, ever))).map(({ requestId }) => requestId);
    expect(sorted(ids)).toEqual(sorted(found));
    expect(await results.counts(selection, ever)).toEqual({ answered: found.length, failed: 0 });
    return found;
  };
  const all = rows.map(({ requestId }) => requestId);
  expect(await idsOf({ requestPrefix: "run_%." })).toEqual(all);
  expect(await idsOf({ inputIds: rows.map(({ inputId }) => inputId) })).toEqual(all);
  expect(await idsOf({ requestIds: all.slice(0, 777) })).toEqual(all.slice(0, 777));
  expect(await idsOf({ jobId: "even", since: new Date(1_200 * day) })).toEqual(["run_%.1200", "run_%.1202"]);
  expect(await idsOf({ inputIds: [] })).toEqual([]);
  expect(await idsOf({ jobId: "none" })).toEqual([]);
});

describe("failures", () => {
  test("are shown where their request, input and job have no answer, and each request once", async () => {
    const jobId = "failing";
    const after = answered({ jobId, inputId: "after all" });
    const conflict = failed({ requestId: after.requestId, jobId, inputId: "another", code: "conflict" });
    const twice = failed({ jobId, inputId: "twice" });
    const again = { ...twice, code: "out_of_time", reason: "again", failedAt: new Date("2026-02-01T00:00:00Z") };
    const answeredSince = failed({ requestId: after.requestId, jobId, inputId: "after all" });
    await insertOutcomes(database, [after, conflict, twice, again, answeredSince, failed({ jobId: "other job" })]);
    for (const selection of [
      { jobId },
      { requestIds: [after.requestId, twice.requestId] },
      { inputIds: ["twice", "another", "after all"] },
    ]) {
      expect(await rowsOf(results.failures(selection, ever))).toEqual([conflict, again]);
      expect(
        sorted((await rowsOf(results.requests("failed", selection, ever))).map(({ inputId = "" }) => inputId)),
      ).toEqual(["another", "twice"]);
      expect((await results.counts(selection, ever)).failed).toBe(2);
    }
    const since = new Date("2026-02-01T00:00:00Z");
    expect(await rowsOf(results.failures({ jobId, since }, ever))).toEqual([again]);
  });

  test("are grouped by code and rule, whatever was given, the most frequent first", async () => {
    const jobId = "grouped";
    const tooLarge = (inputId: string, got: number) =>
      failed({ jobId, inputId, code: "too_large", reason: `output must be at most 65,535 UTF-8 bytes, got ${got}` });
    await insertOutcomes(database, [
      failed({ jobId, inputId: undefined }),
      tooLarge("7", 65_536),
      tooLarge("8", 70_000),
      tooLarge("9", 80_000),
    ]);
    expect(await results.groups({ jobId }, 10, ever)).toEqual([
      { code: "too_large", rule: "output must be at most 65,535 UTF-8 bytes", count: 3, inputIds: ["7", "9"] },
      { code: "unknown_input", rule: "the feature group has no such input", count: 1, inputIds: [] },
    ]);
    expect(await results.groups({ jobId }, 1, ever)).toHaveLength(1);
  });

  test("of more ids than a statement takes are one group", async () => {
    const all = Array.from({ length: 600 }, (_, n) => failed({ requestId: `many ${n}`, inputId: `many ${n}` }));
    await insertOutcomes(database, all);
    const requestIds = all.map(({ requestId }) => requestId);
    expect(await results.groups({ requestIds }, 10, ever)).toEqual([
      expect.objectContaining({ code: "unknown_input", count: 600 }),
    ]);
    expect(await results.counts({ requestIds }, ever)).toEqual({ answered: 0, failed: 600 });
  });
});

test("counts what was answered since some times, and what failed", async () => {
  const at = (time: string) => new Date(`2031-07-01T${time}Z`);
  const times = ["08:00:00.000", "09:00:00.000", "09:59:59.999", "10:00:00.000"];
  await insertOutcomes(
    database,
    times.flatMap((time) => [answered({ predictedAt: at(time) }), failed({ failedAt: at(time) })]),
  );
  expect(await results.countsSince([at("08:30:00"), at("10:00:00")])).toEqual({ answered: [3, 1], failed: 3 });
  expect(await results.countsSince([at("11:00:00"), at("12:00:00")])).toEqual({ answered: [0, 0], failed: 0 });
});

test("says how long the oldest request had waited of those that were answered in a span, and in no other", async () => {
  const at = (seconds: number) => new Date(`2032-07-01T08:00:${String(seconds).padStart(2, "0")}.400Z`);
  const of = (requestedAt: Date, predictedAt: Date) => answered({ jobId: "ages", requestedAt, predictedAt });
  await insertOutcomes(database, [of(at(1), at(4)), of(at(3), at(9)), of(at(9), at(10)), of(at(30), at(21))]);
  const span = at(0).getTime() / 10_000;
  expect(await results.ages({ jobId: "ages" }, 10, ever)).toEqual(
    new Map([
      [Math.floor(span), 6],
      [Math.floor(span) + 1, 1],
      [Math.floor(span) + 2, 0], // clocks differ
    ]),
  );
});

test("any text stands in a statement as it is, whatever a backslash and a colon mean there", async () => {
  const text = fc.string({ unit: "binary" }).filter((one) => !one.includes("\0"));
  await fc.assert(
    fc.asyncProperty(text, async (value) => {
      const expression = textExpression(value);
      expect(expression).not.toMatch(/[\\:]/);
      for (const isStandard of ["on", "off"]) {
        await database.query(`SET standard_conforming_strings = ${isStandard}`);
        expect((await database.query(`SELECT ${expression} AS value`)).rows).toEqual([{ value }]);
      }
    }),
    { examples: [["'"], ["\\"], ["\\'; DROP TABLE prediction_results; --"], [":name"], ["''"], ["😀\n"]] },
  );
});

describe("a result that the Data API does not hand out", () => {
  const bucket = `answers-${randomUUID()}`;
  const roleArn = "arn:aws:iam::000000000000:role/unload";
  const rows = 3_000;
  const resultBytes = 1_000_000; // the large test has one of more than 500 MB
  let s3: S3Client;
  let s3StandIn: StandIn;
  let large: StandIn;
  const passages: StandIn[] = [];
  beforeAll(async () => {
    s3StandIn = await startS3({ buckets: [bucket] });
    s3 = new S3Client({ ...operator, endpoint: s3StandIn.url });
    large = await startRedshiftData({ postgresUrl, s3Url: s3StandIn.url, unloadPartRows: 250 });
    await database.query(
      `INSERT INTO prediction_results SELECT 'large.' || n, 'large input ' || n % 7, 'large',
      CASE n WHEN 1 THEN '' WHEN 3 THEN E'"\\\\\\n😀' ELSE repeat('x', 1000) END, 'e', 'v', '1', now(), now() + n * INTERVAL '1 second' FROM generate_series(1, ${rows}) AS n`,
    );
  });
  afterAll(async () => {
    await large.stop();
    await s3StandIn.stop();
    s3.destroy();
    await database.query("DELETE FROM prediction_results WHERE request_id LIKE 'large.%'");
  });
  afterEach(async () => {
    await Promise.all(passages.splice(0).map((one) => one.stop()));
  });

  const at = (s3Url: string) => {
    Object.assign(process.env, {
      AWS_ENDPOINT_URL_S3: s3Url,
      AWS_REGION: operator.region,
      AWS_ACCESS_KEY_ID: operator.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: operator.credentials.secretAccessKey,
    });
    return new Results({ ...props, resultBytes, unloads: { bucket, roleArn } }, clientAt(large.url));
  };
  const objects = async () => (await s3.send(new ListObjectsV2Command({ Bucket: bucket }))).Contents ?? [];
  const summary = async (selection: Selection, from = at(s3StandIn.url)) => {
    const ids = new Set<string>();
    const outputs = new Set<string>();
    for await (const page of from.select(selection, ever)) {
      for (const { requestId, output } of page) {
        ids.add(requestId);
        outputs.add(output);
      }
    }
    return { size: ids.size, outputs: sorted([...outputs].map((output) => output.slice(0, 10))) };
  };
  const whole = { size: rows, outputs: sorted(["", '"\\\n😀', "xxxxxxxxxx"]) };

  test("comes through S3 whole, with each value as it is, and leaves nothing there", async () => {
    expect(await summary({ requestPrefix: "large." })).toEqual(whole);
    expect(await objects()).toEqual([]);
  });

  test("is selected by any text", async () => {
    const jobId = "it's: \\large";
    await database.query("UPDATE prediction_results SET job_id = $1 WHERE request_id LIKE 'large.%'", [jobId]);
    expect(await summary({ jobId, since: new Date(0) })).toEqual(whole);
    const inputIds = [
      ...Array.from({ length: 7 }, (_, n) => `large input ${n}`),
      ..."'\\:$".split("").map((one) => one.repeat(1_024)),
    ];
    const many = Array.from({ length: 40 }, (_, n) => `${n}${"'".repeat(1_000)}`); // more than one statement of literals
    expect(await summary({ inputIds: [...inputIds, ...many] })).toEqual(whole);
  });

  test("is read on where a part breaks off", async () => {
    let cuts = 0;
    const passage = await startPassage(s3StandIn.url, async (request, forward) => {
      const answer = await forward();
      if (request.method !== "GET" || !request.url.pathname.endsWith(".gz") || ++cuts % 2 === 0) return answer;
      const body = Buffer.from(answer.body ?? "");
      if (cuts % 3 === 0) throw new ConnectionCut();
      return { ...answer, body: body.subarray(0, body.length / 2), headers: {} };
    });
    passages.push(passage);
    expect(await summary({ requestPrefix: "large." }, at(passage.url))).toEqual(whole);
    expect(cuts).toBeGreaterThan(10);
  });

  test("is none where rows are missing that were written", async () => {
    const passage = await startPassage(s3StandIn.url, async (request, forward) => {
      if (request.method !== "GET" || !request.url.pathname.endsWith("manifest")) return forward();
      const text = String((await forward()).body).replace(/"record_count":250/, '"record_count":251');
      return { body: text, headers: {}, status: 200 };
    });
    passages.push(passage);
    await expect(summary({ requestPrefix: "large." }, at(passage.url))).rejects.toThrow(
      /_part_\d\d\.gz has 250 rows and not the 251 that were written$/,
    );
    expect(await objects()).toEqual([]);
  });

  test("stays in S3 where its reader may not delete, which is no failure", async () => {
    const passage = await startPassage(s3StandIn.url, (request, forward) => {
      if (request.method === "POST") throw new AwsError("AccessDenied", 403, "no");
      return forward();
    });
    passages.push(passage);
    expect(await summary({ requestPrefix: "large." }, at(passage.url))).toEqual(whole);
    expect((await objects()).length).toBeGreaterThan(10);
  });
});

describe("while the warehouse is not well", () => {
  const started: StandIn[] = [];
  afterEach(async () => {
    await Promise.all(started.splice(0).map((one) => one.stop()));
  });

  test.each([
    ["ActiveStatementsExceededException", 400, true],
    ["ThrottlingException", 400, true],
    ["InternalServerException", 500, true],
    ["ValidationException", 400, false],
    ["AccessDeniedException", 400, false],
  ])("%s tells whether to come again", async (name, status, expected) => {
    const standIn = await serve(() => {
      throw new AwsError(name, status, "no");
    });
    started.push(standIn);
    const error = await new Results(props, clientAt(standIn.url)).ofInput("7").catch((caught: unknown) => caught);
    expect(isBusy(error)).toBe(expected);
  });

  test.each(["ECONNREFUSED", "ECONNRESET", "ENOTFOUND"])("a warehouse that cannot be reached is busy: %s", (code) => {
    expect(isBusy(Object.assign(new Error("connect failed"), { code }))).toBe(true);
  });

  test("a statement that takes its time is waited for, and what the database says of one that fails is told", async () => {
    const ends = [{ Status: "STARTED" }, { Status: "STARTED" }, { Status: "FAILED", Error: "ERROR: no such relation" }];
    let described = 0;
    const standIn = await serve(({ headers }) => {
      const isDescribing = String(headers["x-amz-target"]).endsWith("DescribeStatement");
      return json({ Id: "statement-1", ...(isDescribing ? ends[described++] : { Status: "SUBMITTED" }) });
    });
    started.push(standIn);
    await expect(new Results(props, clientAt(standIn.url)).ofInput("7")).rejects.toThrow(
      "statement statement-1 FAILED: ERROR: no such relation",
    );
    expect(described).toBe(3);
  });
});
