import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { parse } from "csv-parse/sync";
import { z } from "zod";
import { readReceipt, receiptHeader, receiptLine } from "../../../cli/jobs/receipt";
import { holdFile } from "../../../config/file-lock";
import { startPassage } from "../../../local/passage";
import { AwsError } from "../../../local/stand-in";
import { FeatureStore } from "../../../pipeline/features";
import { RequestQueue } from "../../../pipeline/requests";
import type { Prediction } from "../../../pipeline/results";
import { type LocalPipeline, startLocalPipeline } from "../../setup/local-pipeline";
import { answered, failed, loadOutcomes } from "../../setup/outcomes";
import { atTerminal } from "../../setup/program";

let pipeline: LocalPipeline;
beforeAll(async () => {
  pipeline = await startLocalPipeline();
  Object.assign(process.env, pipeline.aws.environment);
});
afterAll(() => pipeline.stop());

const prediction = (more: Partial<Prediction>) => answered({ jobId: undefined, ...more });
const writeReceipt = async (requestIds: readonly string[], jobId = "job", inputIds?: readonly string[]) => {
  const path = join(pipeline.folder, `${randomUUID()}.csv`);
  const lines = requestIds.map((requestId, n) => receiptLine({ id: inputIds?.[n] ?? String(n), requestId, jobId }));
  await writeFile(path, [receiptHeader, ...lines].join(""));
  return path;
};
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
    expect(stdout).toMatch(/│ first +│ says "no", and more 😀 +│ 2026-01-31T12:00:01.003Z +│ awkward, job +│/);
    expect(stdout).toMatch(/│ second +│ a city +│/);
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
        "What can go back to the queue lies among the dead letters: offline-inference failed",
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
    expect(lines.filter((line) => line.startsWith("│"))).toHaveLength(2_346);
    expect(lines.filter((line) => /^[┌├└]/.test(line)).map((line) => line[0])).toEqual(["┌", "├", "└"]);
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

describe("of a receipt", () => {
  test("there are those of its requests alone, and how far the others are", async () => {
    const run = randomUUID();
    await loadOutcomes([
      ...rowsOfRun(run, 3),
      prediction({ requestId: "own id", inputId: "4" }),
      prediction({ requestId: `${run}x.9`, inputId: "not ours" }),
      failed({ requestId: `${run}.4`, inputId: "2" }),
    ]);
    const receipt = await writeReceipt([`${run}.1`, `${run}.2`, `${run}.4`, `${run}.5`, "own id"]);
    const { status, stdout, stderr } = await pipeline.run("results", "--receipt", receipt, "--format", "ndjson");
    const ids = stdout
      .trimEnd()
      .split("\n")
      .map((line) => z.looseObject({ request_id: z.string() }).parse(JSON.parse(line)).request_id);
    expect(ids.sort()).toEqual([`${run}.1`, `${run}.2`, "own id"].sort());
    expect({ status, stderr }).toEqual({
      status: 2,
      stderr: expect.stringContaining(
        "3 of 5 answered, 1 waiting, 1 failed.\n  1 × unknown_input: the feature group has no such input (2)\n",
      ),
    });
  });

  test("that is none, its line is named", async () => {
    const path = join(pipeline.folder, "no-receipt.csv");
    await writeFile(path, "a,b\n1,2\n");
    expect(await pipeline.run("results", "--receipt", path)).toMatchObject({
      status: 1,
      stdout: "",
      stderr: expect.stringContaining(`${path}:1:1: the header lacks id, request_id, job_id`),
    });
  });

  const publish = async (ids: readonly string[]) => {
    const run = randomUUID();
    const requests = ids.map((id, n) => ({ id, requestId: `${run}.${n + 1}`, jobId: "watched" }));
    const { refused } = await new RequestQueue(pipeline.aws.queueUrl).send(requests);
    expect(refused).toEqual([]);
    return writeReceipt(
      requests.map(({ requestId }) => requestId),
      "watched",
      ids,
    );
  };
  const write = (ids: readonly string[]) =>
    new FeatureStore(pipeline.aws.featureGroup).write(ids.map((id) => ({ id, values: ["A cat sat.", "A cat sat."] })));

  test("it is waited for until all are answered", async () => {
    const ids = Array.from({ length: 30 }, (_, n) => `watched ${n}`);
    await write(ids);
    const { status, stdout, stderr } = await pipeline.run(
      ...["results", "--receipt", await publish(ids), "--watch", "--format", "csv"],
    );
    expect({ status, stderr }).toEqual({
      status: 0,
      stderr: expect.stringContaining("30 results.\n30 of 30 answered.\n"),
    });
    expect(parse(stdout, { columns: true })).toHaveLength(30);
  });

  test("it is waited for until all have ended, and at a terminal how far they are is shown", async () => {
    const ids = Array.from({ length: 9 }, (_, n) => `terminal ${n}`);
    await write(ids);
    const receipt = await publish([...ids, "never written"]);
    for await (const { id, requestId } of readReceipt(receipt)) {
      if (id === "never written") await loadOutcomes([failed({ requestId, inputId: id, jobId: "watched" })]);
    }
    const { status, stdout } = await pipeline.start(["results", "--receipt", receipt, "--watch"], { on: atTerminal })
      .ended;
    expect(status).toBe(2);
    expect(stdout).toContain("10/10 outcomes");
    expect(stdout).toContain("9 of 10 answered, 1 failed.");
    expect(stdout).toContain("1 × unknown_input: the feature group has no such input (never written)");
    expect(stdout).toMatch(/│ terminal 8 +│ It's a paraphrase/);
  });

  test("interrupted, it says how far they are and how to go on", async () => {
    const receipt = await writeReceipt([`${randomUUID()}.1`]);
    let asked = () => {};
    const isAsked = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const passage = await startPassage(
      pipeline.aws.environment.AWS_ENDPOINT_URL_REDSHIFT_DATA ?? "",
      (request, forward) => {
        if (String(request.headers["x-amz-target"]).endsWith("GetStatementResult")) asked();
        return forward();
      },
    );
    const environment = { AWS_ENDPOINT_URL_REDSHIFT_DATA: passage.url };
    const { child, ended } = pipeline.start(["results", "--receipt", receipt, "--watch"], { environment });
    await isAsked;
    child.kill("SIGINT");
    expect(await ended).toMatchObject({
      status: 130,
      stdout: "",
      stderr: expect.stringContaining(
        `The requests go on. To follow them again: offline-inference results --receipt ${receipt} --watch\n`,
      ),
    });
    await passage.stop();
  });
});

describe("what goes wrong", () => {
  test.each([
    [[], "Results of what?"],
    [["7", "--job", "job"], "Name either inputs, or a job by --job, or a receipt by --receipt."],
    [["7", "--watch"], "--watch follows a receipt: name it by --receipt."],
    [["7", "--format", "parquet"], "Parquet is no text: name a file by --output."],
    [["7", "--format", "csv", "--output", "x.parquet"], "x.parquet is parquet by its name, and csv by --format"],
    [["7", "--safe", "--output", "x.ndjson"], "--safe is for CSV, and this is ndjson"],
    [["7", "--since", "yesterday"], "It is a time ago, such as 30s, 15m, 2h or 7d"],
    [["--receipt", "no-such.csv"], "cannot read no-such.csv: there is no such file"],
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
