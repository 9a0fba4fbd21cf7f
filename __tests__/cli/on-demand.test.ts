import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { type Connection, connect } from "../../cli/shared/connection";
import { inRole } from "../../cli/shared/reader-role";
import { reportOf } from "../../cli/status/status-attention";
import { StatusReader } from "../../cli/status/status-read";
import { within } from "../../pipeline/clients";
import { newId } from "../../pipeline/ids";
import { Outcomes } from "../../pipeline/outcomes";
import { lexicalModel } from "../../samples";
import { type LocalPipeline, startLocalPipeline } from "../setup/local-pipeline";
import { settings } from "../setup/settings";

const usual = { ...process.env };
let pipeline: LocalPipeline;
let connection: Connection;
beforeAll(async () => {
  pipeline = await startLocalPipeline(lexicalModel, {
    ...settings(),
    environments: { dev: { capacity: "on-demand" } },
  });
  Object.assign(process.env, pipeline.aws.environment);
  connection = await connect({ env: "dev" });
});
afterAll(async () => {
  process.env = usual;
  await pipeline.stop();
});

const { signal } = new AbortController();

/** Invokes a function as its schedule does. */
const tick = (name: string) => pipeline.aws.functions.get(name)?.invoke({});

test("a file of rows is asked, answered, loaded once, at its end, and read in the role of people", async () => {
  const before = pipeline.aws.statements;
  const file = join(pipeline.folder, "rows.csv");
  const rows = ["id,seq_0,seq_1", "1,It rains.,It rains.", "2,It rains.,The sun shines.", ""];
  await writeFile(file, rows.join("\n"));
  const output = join(pipeline.folder, "rows.ndjson");
  const ran = await pipeline.run("run", "--csv", file, "--job", "small", "--format", "ndjson", "--output", output);
  expect(ran).toMatchObject({ status: 0 });
  expect(ran.stderr).toContain("each load wakes the warehouse");
  const result = (await readFile(output, "utf8")).trimEnd().split("\n");
  expect(
    result.map((line) => z.looseObject({ id: z.string(), status: z.string() }).parse(JSON.parse(line))),
  ).toMatchObject([
    { id: "1", status: "answered" },
    { id: "2", status: "answered" },
  ]);
  expect(pipeline.aws.statements - before).toBe(3); // a load, an UNLOAD of the result, and a look at the ages for the report

  const read = await pipeline.run("results", "1", "--format", "ndjson");
  expect(read).toMatchObject({ status: 0 });
  expect(JSON.parse(read.stdout)).toMatchObject({ id: "1", job_id: "small" });
});

test("whoever has not taken on that role reads nothing", async () => {
  if (!("workgroupName" in connection.pipeline.warehouse)) throw new Error("the warehouse is no workgroup");
  const { readerRoleArn } = connection.pipeline.warehouse;
  expect(await inRole(readerRoleArn)()).toMatchObject({ accessKeyId: readerRoleArn.split("/").at(-1) });
  await expect(inRole(readerRoleArn.replace(/[^/]+$/, "poc-dev-other"))()).rejects.toThrow("sts:AssumeRole");
});

test("an hour of looking at it, with an answer that is not loaded, asks the warehouse nothing", async () => {
  const { loaderFunctionName, writerFunctionName } = connection.pipeline;
  const at = new Date();
  const said = { output: "yes", endpoint: "classifier", variant: "first", modelRelease: "2026-01" };
  const answer = { requestId: newId(), inputId: "7", requestedAt: at, predictedAt: at, ...said };
  await new Outcomes(connection.pipeline.answers.bucket).put([answer], within(60_000));
  const reader = new StatusReader(connection);
  const before = pipeline.aws.statements;
  for (let minute = 0; minute < 60; minute++) {
    const report = reportOf(await reader.read(signal), { connection, local: true });
    expect(report).toMatchObject({ predictions: null, jobs: { open: 0 } });
    await Promise.all([tick(loaderFunctionName), tick(writerFunctionName)]);
  }
  reader.close();
  expect(await pipeline.run("job", "list")).toMatchObject({ status: 0 });
  expect(pipeline.aws.statements).toBe(before);
  await pipeline.aws.functions.get(loaderFunctionName)?.invoke({ now: true });
  expect(pipeline.aws.statements).toBe(before + 1);
});

test("one person's data is taken out of it, by who has the administrator's secret", async () => {
  const erased = await pipeline.run("erase", "--id", "2", "--yes");
  expect(erased).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/Taken out:\n +1 {2}answers in the warehouse/),
  });
  expect(await pipeline.run("results", "2")).toMatchObject({ status: 2 });
});
