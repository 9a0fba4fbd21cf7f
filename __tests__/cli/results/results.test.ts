import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { parse } from "csv-parse/sync";
import { z } from "zod";
import { widthOf } from "../../../cli/shared/text-table";
import { holdFile } from "../../../config/file-lock";
import { startPassage } from "../../../local/passage";
import { ModelError } from "../../../local/sagemaker-runtime";
import { AwsError } from "../../../local/stand-in";
import type { Prediction } from "../../../pipeline/results";
import { lexicalModel } from "../../../samples";
import { gate } from "../../setup/gate";
import { type LocalPipeline, startLocalPipeline } from "../../setup/local-pipeline";
import { answered, failed, loadOutcomes } from "../../setup/outcomes";
import { atTerminal, runProgram } from "../../setup/program";

/** Where the endpoint's calls wait, while a test wants them to. */
let held: ReturnType<typeof gate> | undefined;
let pipeline: LocalPipeline;
beforeAll(async () => {
  pipeline = await startLocalPipeline(async (call) => {
    await held?.pass();
    if (call.body.includes("refuses")) throw new ModelError(400, "it is refused");
    return lexicalModel(call);
  });
  Object.assign(process.env, pipeline.aws.environment);
});
afterAll(() => pipeline.stop());

const prediction = (more: Partial<Prediction>) => answered({ jobId: undefined, ...more });
const rowsOfParquet = async (file: string) => {
  const { stdout } = await promisify(execFile)(process.execPath, ["__tests__/setup/parquet.mjs", file], {
    maxBuffer: 100_000_000,
  });
  return z.array(z.looseObject({ request_id: z.string() })).parse(JSON.parse(stdout));
};
const rowsOfRun = (run: string, count: number, more: Partial<Prediction> = {}) =>
  Array.from({ length: count }, (_, n) => prediction({ requestId: `${run}.${n + 1}`, inputId: String(n), ...more }));

describe("of inputs", () => {
  const awkward = 'says "no",\nand more 😀';
  beforeAll(() =>
    loadOutcomes([
      prediction({ requestId: "first", inputId: "first", jobId: "awkward, job", output: awkward }),
      prediction({ requestId: "second", inputId: "second" }),
    ]),
  );
  const row = {
    id: "first",
    output: awkward,
    predicted_at: "2026-01-31T12:00:01.003Z",
    job_id: "awkward, job",
    request_id: "first",
    endpoint: "cities",
    variant: "first",
    model_release: "2026-01",
    requested_at: "2026-01-31T12:00:00.120Z",
  };

  test("a table shows them", async () => {
    const { status, stdout, stderr } = await pipeline.run("results", "first", "second");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "2 results.\n" });
    expect(stdout).toMatch(/^first +says "no", and more 😀 +2026-01-31T12:00:01.003Z +awkward, job$/m);
    expect(stdout).toMatch(/^second +a city +/m);
  });

  test("CSV, JSON and NDJSON have them whole", async () => {
    const csv = await pipeline.run("results", "first", "--format", "csv");
    expect(parse(csv.stdout, { columns: true })).toEqual([row]);
    const json = await pipeline.run("results", "first", "second", "--format", "json");
    expect(JSON.parse(json.stdout)).toEqual([row, expect.objectContaining({ id: "second", job_id: null })]);
    const ndjson = await pipeline.run("results", "first", "second", "--format", "ndjson");
    expect(
      ndjson.stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line).id),
    ).toEqual(["first", "second"]);
  });

  test("a file's format follows its name", async () => {
    for (const [name, start] of [
      ["named.json", "[\n"],
      ["named.ndjson", '{"id"'],
      ["named.CSV", "id,output,"],
    ] as const) {
      const file = join(pipeline.folder, name);
      expect(await pipeline.run("results", "first", "--output", file)).toMatchObject({ status: 0 });
      expect(await readFile(file, "utf8")).toMatch(new RegExp(`^${start.replace("[", "\\[")}`));
    }
  });

  test("--safe writes no live formula, and leaves numbers as they are", async () => {
    const outputs = ["=1+1", "+cmd|' /C calc'!A0", "-7", "-7e3", "@SUM(A1)", "\t=1", "7-3"];
    await loadOutcomes(outputs.map((output, n) => prediction({ requestId: `safe ${n}`, jobId: "safe", output })));
    const outputIn = (text: string) =>
      parse(text, { columns: true, cast: false }).map(
        (one: unknown) => z.object({ output: z.string() }).parse(one).output,
      );
    const safe = await pipeline.run("results", "--job", "safe", "--format", "csv", "--safe");
    expect(outputIn(safe.stdout).sort()).toEqual(
      ["'=1+1", "'+cmd|' /C calc'!A0", "-7", "-7e3", "'@SUM(A1)", "'\t=1", "7-3"].sort(),
    );
    const plain = await pipeline.run("results", "--job", "safe", "--format", "csv");
    expect(outputIn(plain.stdout).sort()).toEqual([...outputs].sort());
  });

  test("two commands never write one file: the second is told who is at work", async () => {
    const file = join(pipeline.folder, "held.csv");
    const release = holdFile(file);
    const { status, stderr } = await pipeline.run("results", "first", "--output", file);
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: expect.stringContaining(`${file} is being worked at by process ${process.pid} on `),
    });
    release();
    expect(await pipeline.run("results", "first", "--output", file)).toMatchObject({ status: 0 });
  });

  test("Parquet has them whole, with times as times", async () => {
    const file = join(pipeline.folder, "first.parquet");
    const ran = await pipeline.run("results", "first", "second", "--output", file);
    expect(ran).toMatchObject({ status: 0, stdout: "", stderr: `2 results in ${file}.\n` });
    expect(await rowsOfParquet(file)).toEqual([
      { ...row, predicted_at: { time: row.predicted_at }, requested_at: { time: row.requested_at } },
      expect.not.objectContaining({ job_id: expect.anything() }),
    ]);
  });

  test("an input without one is named, with why its request failed if it did", async () => {
    await loadOutcomes([failed({ inputId: "lost" })]);
    expect(await pipeline.run("results", "first", "lost", "nobody")).toMatchObject({
      status: 2,
      stdout: expect.stringContaining("first"),
      stderr: [
        "1 result.",
        'No result: "nobody"',
        "Their requests wait, or there are none.",
        "Failed: 1",
        "  1 × unknown_input: the feature group has no such input (lost)",
        "What can go back to the queue lies among the dead letters: npx offline-inference failed --env dev",
        "",
      ].join("\n"),
    });
  });
});

describe("of a time", () => {
  test("there are those made since", async () => {
    const ago = (minutes: number) => new Date(Date.now() - minutes * 60_000);
    await loadOutcomes([
      prediction({ inputId: "old", jobId: "timed", predictedAt: ago(119) }),
      prediction({ inputId: "older", jobId: "timed", predictedAt: ago(121) }),
    ]);
    const { stdout } = await pipeline.run("results", "--job", "timed", "--since", "2h", "--format", "ndjson");
    expect(stdout).toContain('"id":"old"');
    expect(stdout).not.toContain('"id":"older"');
    const since = ago(120).toISOString();
    expect((await pipeline.run("results", "--since", since, "--format", "csv")).stdout).toContain("\nold,");
  });
});

test.each([60, 80, 140])("no table is wider than a terminal of %i columns", async (columns) => {
  await loadOutcomes([prediction({ requestId: `wide-${columns}`, inputId: "wide 日本語 ".repeat(9), jobId: "wide" })]);
  const environment = { ...pipeline.aws.environment, COLUMNS: String(columns) };
  for (const command of ["results --job wide", "results --shares", "job list", "failed", "cost"]) {
    const { stdout } = await runProgram(command.split(" "), { environment });
    const ofTables = stdout.split("\n").filter((line) => !line.endsWith("."));
    const tooWide = ofTables.filter((line) => widthOf(line) > columns);
    expect([command, ...tooWide]).toEqual([command]);
  }
});

describe("of a job", () => {
  test("there are all of them, over the pages of the Data API and the rows of a row group", async () => {
    const run = randomUUID();
    await loadOutcomes(rowsOfRun(run, 2_345, { jobId: "paged" }));
    const file = join(pipeline.folder, "paged.parquet");
    expect(await pipeline.run("results", "--job", "paged", "--format", "parquet", "--output", file)).toMatchObject({
      status: 0,
      stderr: `2,345 results in ${file}.\n`,
    });
    const rows = await rowsOfParquet(file);
    expect(new Set(rows.map(({ request_id }) => request_id)).size).toBe(2_345);

    const { stdout } = await pipeline.run("results", "--job", "paged");
    const lines = stdout.trimEnd().split("\n");
    expect(lines).toHaveLength(2_346);
    expect(lines.filter((line) => line.startsWith("id "))).toHaveLength(1);
  });

  test("those that failed are said, with why", async () => {
    await loadOutcomes([
      prediction({ requestId: "ok", jobId: "mixed" }),
      prediction({ requestId: "both", jobId: "mixed" }),
      failed({ inputId: "gone", jobId: "mixed" }),
      failed({ requestId: "both", inputId: "7", jobId: "mixed" }), // was answered after all
    ]);
    expect(await pipeline.run("results", "--job", "mixed", "--format", "ndjson")).toMatchObject({
      status: 2,
      stderr: expect.stringContaining(
        "2 results.\nFailed: 1\n  1 × unknown_input: the feature group has no such input (gone)\n",
      ),
    });
  });

  test("that nobody knows there is none", async () => {
    expect(await pipeline.run("results", "--job", "unknown", "--format", "json")).toMatchObject({
      status: 0,
      stdout: "[]\n",
      stderr: "There is no result.\n",
    });
  });
});

describe("of a job that was run", () => {
  const features = (id: string) => `${id},"One, said ""so"".",One.`;
  /** Starts a job, whose program is interrupted. */
  const start = async (job: string, rows: readonly string[]) => {
    const file = join(pipeline.folder, `${job}.csv`);
    await writeFile(file, ["id,seq_0,seq_1", ...rows, ""].join("\n"));
    const running = pipeline.start(["run", "--csv", file, "--job", job]);
    await running.printed("stderr", `The job is ${job}.`);
    running.child.kill("SIGINT");
    await running.ended;
  };
  const ids = (run: string, count: number) => Array.from({ length: count }, (_, n) => `${run} ${n}`);

  test("each row is there in the input's order, with its features, in every format", async () => {
    await start("formats", ids("formats", 30).map(features));
    const results = ["results", "--job", "formats"];
    const csv = await pipeline.run(...results, "--watch", "--format", "csv");
    expect({ status: csv.status, stderr: csv.stderr }).toEqual({
      status: 0,
      stderr: expect.stringContaining("30 rows.\n30 of 30 answered.\n"),
    });
    const rows = parse(csv.stdout, { columns: true });
    expect(rows.map((row: unknown) => z.looseObject({ id: z.string() }).parse(row).id)).toEqual(ids("formats", 30));
    const told = { row: 1, id: "formats 0", status: "answered", seq_0: 'One, said "so".', seq_1: "One." };
    expect(rows[0]).toMatchObject({ ...told, row: "1", code: "", reason: "" });
    const ndjson = await pipeline.run(...results, "--format", "ndjson");
    expect(JSON.parse(ndjson.stdout.split("\n")[0] ?? "")).toMatchObject({ ...told, code: null, reason: null });
    const file = join(pipeline.folder, "formats.parquet");
    expect(await pipeline.run(...results, "--output", file)).toMatchObject({ status: 0, stdout: "" });
    const { stdout } = await promisify(execFile)(process.execPath, ["__tests__/setup/parquet.mjs", file]);
    expect(z.array(z.unknown()).parse(JSON.parse(stdout))).toHaveLength(30);
    expect((await pipeline.run(...results)).stdout).toMatch(/^formats 0 +answered +/m);
  });

  test("a row that has no answer says why, and the command ends with 2", async () => {
    await start("refused", [features("one"), "two,The model refuses this.,One.", features("three")]);
    const file = join(pipeline.folder, "refused.result.csv");
    const { status, stderr } = await pipeline.run("results", "--job", "refused", "--watch", "--output", file);
    expect(status).toBe(2);
    expect(stderr).toContain("2 of 3 answered, 1 failed.\n  1 × refused_by_model\nThe column reason says why.");
    const rows = parse(await readFile(file, "utf8"), { columns: true });
    expect(rows[1]).toMatchObject({ row: "2", id: "two", status: "failed", code: "refused_by_model" });
  });

  test("at a terminal how far it is is shown", async () => {
    await start("terminal", ids("terminal", 9).map(features));
    const watched = await pipeline.start(["results", "--job", "terminal", "--watch"], { on: atTerminal }).ended;
    expect(watched.status).toBe(0);
    expect(watched.stdout).toContain("9 of 9 answered.");
    expect(watched.stdout).toMatch(/^terminal 8 +answered +/m);
  });

  test("that has not ended is none yet; interrupted, --watch says how to go on", async () => {
    held = gate();
    await start("held", ids("held", 3).map(features));
    await held.arrived;
    expect(await pipeline.run("results", "--job", "held")).toMatchObject({
      status: 1,
      stdout: "",
      stderr: "The job held has not ended: 0 of 3 answered, 3 waiting. Wait for it by --watch.\n",
    });
    const loading = gate();
    const passage = await startPassage(pipeline.aws.environment.AWS_ENDPOINT_URL_LAMBDA ?? "", async (_, forward) => {
      await loading.pass();
      return forward();
    });
    const environment = { AWS_ENDPOINT_URL_LAMBDA: passage.url };
    const { child, ended } = pipeline.start(["results", "--job", "held", "--watch"], { environment });
    await loading.arrived;
    child.kill("SIGINT");
    expect(await ended).toMatchObject({
      status: 130,
      stdout: "",
      stderr: expect.stringContaining("The job goes on.\n  npx offline-inference job held --wait --env dev"),
    });
    loading.release();
    held.release();
    held = undefined;
    expect(await pipeline.run("results", "--job", "held", "--watch")).toMatchObject({ status: 0 });
    await passage.stop();
  });

  test("that breaks off leaves no file, and the one that was there", async () => {
    await start("cut", ids("cut", 3).map(features));
    expect(await pipeline.run("job", "cut", "--wait")).toMatchObject({ status: 0 });
    const passage = await startPassage(pipeline.aws.environment.AWS_ENDPOINT_URL_S3 ?? "", async (request, forward) => {
      const answer = await forward();
      if (!request.url.pathname.includes("part-")) return answer;
      const body = Buffer.from(answer.body ?? "").subarray(0, 30);
      return { ...answer, headers: {}, body };
    });
    const environment = { AWS_ENDPOINT_URL_S3: passage.url };
    const file = join(pipeline.folder, "cut.result.csv");
    await writeFile(file, "an older one");
    const { status, stderr } = await pipeline.start(["results", "--job", "cut", "--output", file], { environment })
      .ended;
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining("read the result in") });
    expect(await readFile(file, "utf8")).toBe("an older one");
    await passage.stop();
  });
});

describe("what goes wrong", () => {
  test.each([
    [[], "Results of what?"],
    [["7", "--job", "job"], "Name either inputs, or a job by --job."],
    [["7", "--watch"], "--watch waits for a whole job: name it by --job."],
    [["--job", "job", "--since", "2h", "--watch"], "--watch waits for a whole job: name it by --job."],
    [["7", "--format", "parquet"], "Parquet is no text: name a file by --output."],
    [["7", "--format", "csv", "--output", "x.parquet"], "x.parquet is parquet by its name, and csv by --format"],
    [["7", "--safe", "--output", "x.ndjson"], "--safe is for CSV, and this is ndjson"],
    [["7", "--since", "yesterday"], "It is a time ago, such as 30s, 15m, 2h or 7d"],
  ])("%j is refused", async (args, why) => {
    expect(await pipeline.run("results", ...args)).toMatchObject({
      status: 1,
      stdout: "",
      stderr: expect.stringContaining(why),
    });
  });

  test("a result that breaks off leaves no file, and the one that was there", async () => {
    await loadOutcomes(rowsOfRun(randomUUID(), 1_500, { jobId: "broken" }));
    let pages = 0;
    const passage = await startPassage(
      pipeline.aws.environment.AWS_ENDPOINT_URL_REDSHIFT_DATA ?? "",
      (request, forward) => {
        const isPage = String(request.headers["x-amz-target"]).endsWith("GetStatementResult");
        if (isPage && ++pages > 1) throw new AwsError("ResourceNotFoundException", 404, "no such statement");
        return forward();
      },
    );
    const environment = { AWS_ENDPOINT_URL_REDSHIFT_DATA: passage.url };
    for (const format of ["csv", "parquet"]) {
      const file = join(pipeline.folder, `broken.${format}`);
      if (format === "csv") await writeFile(file, "an older one");
      pages = 0;
      const args = ["results", "--job", "broken", "--format", format, "--output", file];
      expect(await pipeline.start(args, { environment }).ended).toMatchObject({
        status: 1,
        stderr: expect.stringContaining("no such statement"),
      });
      if (format === "csv") expect(await readFile(file, "utf8")).toBe("an older one");
      else expect(existsSync(file)).toBe(false);
    }
    await passage.stop();
  });
});
