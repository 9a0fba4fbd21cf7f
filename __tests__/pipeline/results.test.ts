import { RedshiftDataClient } from "@aws-sdk/client-redshift-data";
import fc from "fast-check";
import { Client } from "pg";
import { createResults, createWriteLock } from "../../constructs/prediction-schema";
import { operator } from "../../local/credentials";
import { startRedshiftData } from "../../local/redshift-data";
import { toPostgres } from "../../local/redshift-sql";
import { AwsError, json, type StandIn, serve } from "../../local/stand-in";
import {
  type Batch,
  batchesOf,
  isBusy,
  type Prediction,
  Results,
  type Selection,
  unloadStatement,
  unstorable,
} from "../../pipeline/results";
import { createDatabase } from "../setup/database";

const prediction = (more: Partial<Prediction> = {}): Prediction => ({
  requestId: "request-1",
  inputId: "7",
  jobId: "job-1",
  output: "good",
  endpoint: "classifier",
  variant: "blue",
  modelRelease: "2026-01",
  requestedAt: new Date("2026-01-31T12:00:00.120Z"),
  predictedAt: new Date("2026-01-31T12:00:01.003Z"),
  ...more,
});

const clientAt = (url: string) => new RedshiftDataClient({ ...operator, endpoint: url, maxAttempts: 1 });
const props = { clusterId: "warehouse", databaseName: "predictions" };

describe("what is stored", () => {
  test.each([
    [{ inputId: "é".repeat(512) }, undefined],
    [{ inputId: `${"é".repeat(512)}x` }, "input_id must be at most 1,024 UTF-8 bytes, got 1,025"],
    [{ output: "x".repeat(65_000) }, undefined],
    [{ output: "x".repeat(65_536) }, "output must be at most 65,535 UTF-8 bytes, got 65,536"],
    [{ output: "x".repeat(65_535) }, "a row must be at most 65,536 UTF-8 bytes, got 65,617"],
    [{ output: "a\0b" }, "output must be Unicode text without NUL"],
    [{ output: "\ud800" }, "output must be Unicode text without NUL"],
    [{ output: "", jobId: undefined }, undefined],
    [{ variant: "v".repeat(64) }, "variant must be at most 63 UTF-8 bytes, got 64"],
  ])("is checked before it is written: %#", (more, reason) => {
    expect(unstorable(prediction(more))?.reason).toBe(reason);
  });
});

describe("a transaction", () => {
  test("locks before anything else, and has values in parameters alone, each of them used and none empty", () => {
    const [batch] = batchesOf([
      prediction({ output: "'; DROP TABLE", jobId: undefined }),
      prediction({ requestId: "2", output: "" }),
    ]);
    expect(batch?.Sqls[0]).toBe("LOCK prediction_results_lock");
    expect(batch?.Sqls).toHaveLength(2);
    const sql = batch?.Sqls.join("\n") ?? "";
    expect(sql).not.toContain("DROP");
    expect(sql).toContain("CAST(NULL AS VARCHAR(128)) AS job_id");
    expect(sql).toContain("CAST('' AS VARCHAR(65535)) AS output");
    const used = new Set([...sql.matchAll(/:(\w+)/g)].map(([, name]) => name));
    expect(new Set(batch?.Parameters.map(({ name }) => name))).toEqual(used);
    expect(batch?.Parameters.every(({ value }) => value !== undefined && value.length > 0)).toBe(true);
  });

  test("writes one of several predictions of one request", () => {
    const [batch] = batchesOf([prediction(), prediction({ output: "another" })]);
    expect(batch?.Parameters.map(({ value }) => value)).not.toContain("another");
  });

  /** The largest statement, with its values. */
  const largestOf = ({ Sqls, Parameters }: Batch) => {
    const bytes = new Map(Parameters.map(({ name = "", value = "" }) => [name, Buffer.byteLength(value)]));
    const sizes = Sqls.map((sql) =>
      [...sql.matchAll(/:(\w+)/g)].reduce((sum, [, name = ""]) => sum + (bytes.get(name) ?? 0), sql.length),
    );
    return Math.max(...sizes);
  };

  test.each([1, 100, 1_000])(
    "of %i small rows stays within a statement's 100 KB and a batch's 40 statements",
    (count) => {
      const rows = Array.from({ length: count }, (_, n) =>
        prediction({ requestId: `r${n}`.padEnd(128, "x"), inputId: `${n}`.padEnd(1_024, "x") }),
      );
      const [batch, ...more] = batchesOf(rows);
      expect(more).toEqual([]);
      expect(batch?.Sqls.length).toBeLessThanOrEqual(40);
      expect(batch && largestOf(batch)).toBeLessThanOrEqual(100_000);
      const values = new Set(batch?.Parameters.map(({ value }) => value));
      expect(rows.filter(({ requestId }) => !values.has(requestId))).toEqual([]);
    },
  );

  test("goes on in another transaction above 40 statements, and locks there too", () => {
    const rows = Array.from({ length: 79 }, (_, n) =>
      prediction({ requestId: `r${n}`, output: `${n}`.padEnd(60_000, "x") }),
    );
    const batches = batchesOf(rows);
    expect(batches.map(({ Sqls }) => Sqls.length)).toEqual([40, 40, 2]);
    for (const batch of batches) {
      expect(batch.Sqls[0]).toBe("LOCK prediction_results_lock");
      expect(largestOf(batch)).toBeLessThanOrEqual(100_000);
    }
  });
});

describe.each(["repeatable read", "serializable"] as const)("in a warehouse whose isolation is %s", (isolation) => {
  let database: Client;
  let standIn: StandIn;
  let results: Results;
  beforeAll(async () => {
    const postgresUrl = await createDatabase();
    database = new Client(postgresUrl);
    await database.connect();
    for (const sql of [createResults, createWriteLock]) await database.query(toPostgres(sql));
    standIn = await startRedshiftData({ postgresUrl, isolation });
    results = new Results(props, clientAt(standIn.url));
  });
  afterAll(async () => {
    await standIn.stop();
    await database.end();
  });

  test("what was saved is read as it was", async () => {
    const whole = prediction({ inputId: "exact", output: "'\"\\ 😀\n" });
    const spare = prediction({
      requestId: "request-2",
      inputId: "exact",
      output: "",
      jobId: undefined,
      predictedAt: new Date(0),
    });
    await results.save([whole, spare]);
    expect(await results.ofInput("exact")).toEqual([whole, spare]);
    expect(await results.ofInput("exact", { limit: 1 })).toEqual([whole]);
    expect(await results.ofInput("nobody")).toEqual([]);
  });

  test("the first answer to a request stays", async () => {
    await results.save([prediction({ requestId: "once", inputId: "once" })]);
    await results.save([prediction({ requestId: "once", inputId: "once", output: "another" })]);
    expect((await results.ofInput("once")).map(({ output }) => output)).toEqual(["good"]);
  });

  test("a job has all of its predictions, however many pages they take", async () => {
    const rows = Array.from({ length: 2_500 }, (_, n) => prediction({ requestId: `paged-${n}`, jobId: "paged" }));
    await results.save(rows);
    expect(await results.countOfJob("paged")).toBe(2_500);
    const ids = (await results.ofJob("paged")).map(({ requestId }) => requestId);
    expect(ids.sort()).toEqual(rows.map(({ requestId }) => requestId).sort());
    expect(await results.countOfJob("nothing")).toBe(0);
  });

  test("a selection has what all of it holds for, however many statements and pages that takes", async () => {
    const ever = { signal: new AbortController().signal };
    const day = 24 * 60 * 60 * 1000;
    const rows = Array.from({ length: 1_203 }, (_, n) =>
      prediction({
        requestId: `run_%.${n}`,
        inputId: `input ${n}`,
        jobId: n % 2 === 0 ? "even" : undefined,
        predictedAt: new Date(n * day),
      }),
    );
    await results.save([...rows, prediction({ requestId: "runs%.1" }), prediction({ requestId: "RUN_%.1" })]);
    const idsOf = async (selection: Selection) => {
      const found: string[] = [];
      for await (const page of results.select(selection, ever)) found.push(...page.map(({ requestId }) => requestId));
      const ids: string[] = [];
      for await (const page of results.requestIds(selection, ever)) ids.push(...page);
      expect(ids.sort()).toEqual([...found].sort());
      expect(await results.count(selection, ever)).toBe(found.length);
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

  test("a job has figures, and stands among the jobs", async () => {
    const ever = { signal: new AbortController().signal };
    const times = ["2030-01-01T00:00:00Z", "2030-01-01T00:01:00Z", "2030-01-01T00:02:00Z"].map(
      (text) => new Date(text),
    );
    await results.save(
      times.map((predictedAt, n) => prediction({ requestId: `figures-${n}`, jobId: "figures", predictedAt })),
    );
    const [first, second, last] = times;
    expect(await results.figuresOfJob("figures", second ?? new Date(0), ever)).toEqual({
      predictions: 3,
      first,
      last,
      recent: 2,
    });
    expect(await results.figuresOfJob("nothing", new Date(0), ever)).toEqual({ predictions: 0, recent: 0 });
    expect(await results.jobs(1, ever)).toEqual([{ jobId: "figures", predictions: 3, first, last }]);
  });

  test("counts what was predicted since some times", async () => {
    const at = (time: string) => new Date(`2031-07-01T${time}Z`);
    const times = ["08:00:00.000", "09:00:00.000", "09:59:59.999", "10:00:00.000"];
    await results.save(times.map((time) => prediction({ requestId: `at-${time}`, predictedAt: at(time) })));
    expect(await results.countsSince([at("08:30:00"), at("10:00:00")])).toEqual([3, 1]);
    expect(await results.countsSince([at("11:00:00"), at("12:00:00")])).toEqual([0, 0]);
  });

  test("any text stands in a statement within a statement as it is, whatever a backslash and a colon mean there", async () => {
    const text = fc.string({ unit: "binary" }).filter((one) => !one.includes("\0"));
    const whole = /^UNLOAD \(('(?:[^']|'')*')\) TO 's3:\/\/lake\/results\/' IAM_ROLE default FORMAT CSV HEADER$/;
    await fc.assert(
      fc.asyncProperty(text, async (value) => {
        const sql = unloadStatement({ jobId: value }, { to: "s3://lake/results/", format: "csv" });
        const [, literal = ""] = whole.exec(sql) ?? [];
        expect(literal).not.toMatch(/[\\:]/);
        for (const isStandard of ["on", "off"]) {
          await database.query(`SET standard_conforming_strings = ${isStandard}`);
          const { rows } = await database.query(`SELECT ${literal} AS inner_sql`);
          const [, expression = ""] = / WHERE job_id = (.*)$/s.exec(rows[0].inner_sql) ?? [];
          expect((await database.query(`SELECT ${expression} AS value`)).rows).toEqual([{ value }]);
        }
      }),
      { examples: [["'"], ["\\"], ["\\'; DROP TABLE prediction_results; --"], [":name"], ["''"], ["😀\n"]] },
    );
  });

  test.each(["http://lake/x", "s3://lake/it's", "s3://lake", "s3://lake/a b"])("nothing is unloaded to %s", (to) => {
    expect(() => unloadStatement({}, { to, format: "csv" })).toThrow(`"${to}" must be s3://<bucket>/<prefix>`);
  });

  test("writers of the same requests at once write each of them once", async () => {
    for (let round = 0; round < 10; round++) {
      const rows = Array.from({ length: 5 }, (_, n) =>
        prediction({ requestId: `raced-${round}-${n}`, jobId: "raced" }),
      );
      await Promise.all(Array.from({ length: 6 }, () => results.save(rows)));
    }
    expect(await results.countOfJob("raced")).toBe(50);
  });

  test("a prediction that does not fit fails, and that is said", async () => {
    await expect(results.save([prediction({ requestId: "wide", output: "é".repeat(40_000) })])).rejects.toThrow(
      /^statement .* FAILED: /,
    );
  });
});

describe("while the warehouse is not well", () => {
  const started: StandIn[] = [];
  afterEach(async () => {
    await Promise.all(started.splice(0).map((one) => one.stop()));
  });

  /** A Data API whose statements end as they are told, one after the other; what was called stands in `calls`. */
  const resultsWhere = async (ends: { Status: string; Error?: string }[], calls: string[] = []) => {
    let current: { Status: string; Error?: string } | undefined;
    const standIn = await serve(({ headers }) => {
      const operation = String(headers["x-amz-target"]).replace("RedshiftData.", "");
      calls.push(operation);
      if (operation === "BatchExecuteStatement" || current?.Status === "STARTED") current = ends.shift();
      return json({ Id: "statement-1", ...current });
    });
    started.push(standIn);
    return new Results(props, clientAt(standIn.url));
  };

  test.each([
    "ERROR: 1023\nDETAIL: Serializable isolation violation on table in Redshift",
    "could not serialize access due to concurrent update",
    "deadlock detected",
  ])("a conflict with another writer is tried again: %s", async (reason) => {
    const calls: string[] = [];
    const results = await resultsWhere([{ Status: "FAILED", Error: reason }, { Status: "FINISHED" }], calls);
    await results.save([prediction()]);
    expect(calls).toEqual(["BatchExecuteStatement", "DescribeStatement", "BatchExecuteStatement"]);
  });

  test("a Data API that has as much to do as it takes on is asked again", async () => {
    let calls = 0;
    const standIn = await serve(() => {
      if (++calls === 1) throw new AwsError("ActiveStatementsExceededException", 400, "500 statements are active");
      return json({ Id: "statement-1", Status: "FINISHED" });
    });
    started.push(standIn);
    await new Results(props, clientAt(standIn.url)).save([prediction()]);
    expect(calls).toBe(2);
  });

  test("a conflict that does not end is given up", async () => {
    const results = await resultsWhere(Array.from({ length: 9 }, () => ({ Status: "FAILED", Error: "ERROR: 1023" })));
    await expect(results.save([prediction()])).rejects.toThrow("statement statement-1 FAILED: ERROR: 1023");
  });

  test.each(["FAILED", "ABORTED"])("any other end is final: %s", async (Status) => {
    const calls: string[] = [];
    const results = await resultsWhere([{ Status, Error: "relation does not exist" }], calls);
    await expect(results.save([prediction()])).rejects.toThrow(
      `statement statement-1 ${Status}: relation does not exist`,
    );
    expect(calls).toEqual(["BatchExecuteStatement", "DescribeStatement"]);
  });

  test("a statement that takes its time is waited for", async () => {
    const calls: string[] = [];
    const results = await resultsWhere([{ Status: "STARTED" }, { Status: "STARTED" }, { Status: "FINISHED" }], calls);
    await results.save([prediction()]);
    expect(calls).toEqual(["BatchExecuteStatement", "DescribeStatement", "DescribeStatement"]);
  });

  test("a statement that is still running when the time is out is not held to be saved", async () => {
    const stop = new AbortController();
    const standIn = await serve(({ headers }) => {
      if (String(headers["x-amz-target"]).endsWith("DescribeStatement")) stop.abort();
      return json({ Id: "statement-1", Status: "STARTED" });
    });
    started.push(standIn);
    const saved = new Results(props, clientAt(standIn.url)).save([prediction()], { signal: stop.signal });
    await expect(saved).rejects.toMatchObject({ name: "AbortError" });
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
});
