import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { ExecuteStatementCommand, RedshiftDataClient } from "@aws-sdk/client-redshift-data";
import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { GetParameterCommand, SSMClient } from "@aws-sdk/client-ssm";
import { parse } from "csv-parse/sync";
import { createMakeValues, makeValues } from "../../../constructs/prediction-schema";
import { namesSchema } from "../../../contract/names";
import { operator } from "../../../local/credentials";
import { typedContract as contract } from "../../setup/contract";
import { dev } from "../../setup/dev";
import { type LocalPipeline, startLocalPipeline } from "../../setup/local-pipeline";
import { loadOutcomes } from "../../setup/outcomes";

let pipeline: LocalPipeline;
beforeAll(async () => {
  pipeline = await startLocalPipeline();
  Object.assign(process.env, pipeline.aws.environment);
  await deploy();
  const outputs = {
    whole: '{"label":"yes, \\"no\\"\\n😀","score":1e-7}',
    none: "no JSON",
    numberless: '{"label":"","score":"abc"}',
    large: JSON.stringify({ score: 0.5, label: "x".repeat(60_000) }),
  };
  await loadOutcomes(
    Object.entries(outputs).map(([inputId, output], second) => ({
      requestId: inputId,
      inputId,
      jobId: "typed",
      output,
      endpoint: "e",
      variant: "v",
      modelRelease: "r",
      requestedAt: new Date(0),
      predictedAt: new Date(second * 1_000),
    })),
  );
});
afterAll(() => pipeline.stop());

/** What a deployment does where the contract has become this one. */
async function deploy() {
  const ssm = new SSMClient({});
  const { Parameter } = await ssm.send(new GetParameterCommand({ Name: dev.namesParameter }));
  ssm.destroy();
  const { hostname: Bucket, pathname } = new URL(namesSchema.parse(JSON.parse(Parameter?.Value ?? "")).contract_url);
  const s3 = new S3Client({});
  await s3.send(new PutObjectCommand({ Bucket, Key: pathname.slice(1), Body: JSON.stringify(contract) }));
  s3.destroy();
  const { clusterId: ClusterIdentifier, databaseName: Database } = pipeline.aws;
  const warehouse = new RedshiftDataClient(operator);
  for (const Sql of [createMakeValues(contract), makeValues]) {
    const command = new ExecuteStatementCommand({ ClusterIdentifier, Database, Sql, WaitTimeSeconds: 30 });
    expect(await warehouse.send(command)).toMatchObject({ Status: "FINISHED" });
  }
  warehouse.destroy();
}

const results = async (...args: string[]) => {
  const { status, stdout, stderr } = await pipeline.run("results", "--job", "typed", ...args);
  expect({ status, stderr }).toMatchObject({ status: 0, stderr: expect.stringMatching(/^4 results/) });
  return stdout;
};
const label = 'yes, "no"\n😀';
const typed = [
  { id: "whole", label, score: 1e-7 },
  { id: "none", label: null, score: null },
  { id: "numberless", label: "", score: null },
  { id: "large", label: "x".repeat(60_000), score: 0.5 },
];

test("CSV has the outputs of the contract beside the output, even those that no row of the Data API has room for", async () => {
  const rows: Record<string, string>[] = parse(await results("--format", "csv"), { columns: true });
  expect(Object.keys(rows[0] ?? {}).slice(0, 5)).toEqual(["id", "output", "label", "score", "predicted_at"]);
  expect(rows.map(({ id, label, score }) => ({ id, label, score }))).toEqual(
    typed.map(({ id, label, score }) => ({ id, label: label ?? "", score: String(score ?? "") })),
  );
});

test("NDJSON and JSON have numbers as numbers, and null", async () => {
  const lines = (await results("--format", "ndjson")).trimEnd().split("\n");
  const expected = typed.map((row) => expect.objectContaining(row));
  expect(lines.map((line) => JSON.parse(line))).toEqual(expected);
  expect(JSON.parse(await results("--format", "json"))).toEqual(expected);
});

test("Parquet has doubles and texts, and what has no value has none", async () => {
  const file = join(pipeline.folder, "typed.parquet");
  await results("--format", "parquet", "--output", file);
  const { stdout } = await promisify(execFile)(process.execPath, ["__tests__/setup/parquet.mjs", file], {
    maxBuffer: 10_000_000,
  });
  const rows: Record<string, unknown>[] = JSON.parse(stdout);
  expect(rows.map(({ id, label = null, score = null }) => ({ id, label, score }))).toEqual(typed);
});

test("a table shows them", async () => {
  const table = await results();
  expect(table).toMatch(/^id +output +label +score +predicted_at +job_id$/m);
  expect(table).toMatch(/^whole +.* yes, "no" 😀 +1e-7 +/m);
});

describe("--shares", () => {
  const shares = (...args: string[]) => pipeline.run("results", "--shares", ...args);

  test("gives each answer's count and share by day and release, and one row to all that have none of their own", async () => {
    const { status, stdout, stderr } = await shares("--format", "json");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "3 rows.\n" });
    const day = { day: "1970-01-01", model_release: "r" };
    expect(JSON.parse(stdout)).toEqual([
      { ...day, answer: null, predictions: 2, share: 0.5 },
      { ...day, answer: "", predictions: 1, share: 0.25 },
      { ...day, answer: label, predictions: 1, share: 0.25 },
    ]);
    const table = (await shares("--since", "1970-01-01T23:59:59Z")).stdout;
    expect(table).toMatch(/^day +model_release +answer +predictions +share$/m);
    expect(table).toMatch(/^1970-01-01 +r +\(all others\) +2 +0\.5000$/m);
  });

  test("leaves earlier days out, and says where there is nothing", async () => {
    expect(await shares("--since", "1970-01-02", "--format", "csv")).toMatchObject({
      status: 0,
      stdout: "day,model_release,answer,predictions,share\n",
      stderr: "There is no answer.\n",
    });
  });

  test("is of all inputs and jobs", async () => {
    for (const some of [["7"], ["--job", "typed"]]) {
      expect(await shares(...some)).toMatchObject({
        status: 1,
        stderr: expect.stringContaining("--shares counts the answers of all inputs and jobs: only --since narrows it."),
      });
    }
  });
});
