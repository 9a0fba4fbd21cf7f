import { RedshiftDataClient } from "@aws-sdk/client-redshift-data";
import { Parser } from "node-sql-parser/build/redshift";
import {
  createMakeValues,
  createResults,
  createView,
  createWriteLock,
  grantPredictions,
  makeValues,
} from "../../constructs/prediction-schema";
import { batchesOf, type Prediction, Results, type Selection, unloadStatement } from "../../pipeline/results";
import { typedContract as contract } from "../setup/contract";

/** Whether Redshift's grammar knows a statement; PostgreSQL, which the stand-in runs, knows more. */
const parse = (sql: string) => new Parser().parse(sql, { database: "Redshift" });

const prediction = (requestId: string, jobId?: string): Prediction => ({
  requestId,
  inputId: "7",
  jobId,
  output: "",
  endpoint: "classifier",
  variant: "first",
  modelRelease: "2026-01",
  requestedAt: new Date(0),
  predictedAt: new Date(1),
});

const ever = { signal: new AbortController().signal };
const selection: Selection = { jobId: "job", requestPrefix: "run.", since: new Date(0) };

/** The statements that a call of `Results` reads with. */
async function statementsOf(
  read: (results: Results) => Promise<unknown>,
  outputs = contract.outputs,
): Promise<string[]> {
  const client = new RedshiftDataClient({ region: "us-east-1" });
  const statements: string[] = [];
  client.middlewareStack.add(
    () => async (args) => {
      const { Sql } = Object(args.input);
      statements.push(String(Sql));
      throw new Error("read no further");
    },
    { step: "initialize" },
  );
  await read(new Results({ clusterId: "warehouse", databaseName: "predictions", outputs }, client)).catch(() => {});
  return statements;
}

test.each([
  ["the table", createResults],
  ["the lock", createWriteLock],
  ["the view", makeValues],
  ["a grant", grantPredictions("IAMR:worker-role", true)],
])("what makes %s at deploy is Redshift's", (_, sql) => {
  expect(() => parse(sql)).not.toThrow();
});

test.each([
  ["JSON", contract],
  ["JSON of one", { ...contract, outputs: contract.outputs.slice(0, 1) }],
  ["CSV", { ...contract, answer: "text" } as const],
  ["no output", { ...contract, outputs: [] }],
])("the view of %s is Redshift's, but for the words that the parser does not know", (_, contract) => {
  const sql = createView(contract);
  expect(() => parse(sql.replace("\nWITH NO SCHEMA BINDING", "").replaceAll("TRY_CAST(", "CAST("))).not.toThrow();
  expect(createMakeValues(contract)).not.toMatch(/[\\:]/); // which Redshift or the Data API may take for more than they are
  for (const [, table] of sql.matchAll(/FROM (\w\S*)/g)) expect(table).toMatch(/^public\./); // or it has no binding
});

test("what reads who may read the view is Redshift's", () => {
  const [, sql = ""] = /FOR reader IN\n(.*)\n {2}LOOP/s.exec(createMakeValues(contract)) ?? [];
  expect(() => parse(sql)).not.toThrow();
});

test("what writes a batch is Redshift's", () => {
  const [batch] = batchesOf([prediction("a"), prediction("b", "job")]);
  expect(batch?.Sqls).toHaveLength(2);
  for (const sql of batch?.Sqls ?? []) expect(() => parse(sql)).not.toThrow();
});

test.each([
  ["an input's predictions", (results: Results) => results.ofInput("7")],
  [
    "a page of them",
    (results: Results) => results.ofInput("7", { requestId: "r", after: { predictedAt: new Date(0), requestId: "r" } }),
  ],
  ["a job's predictions", (results: Results) => results.ofJob("job")],
  ["a job's count", (results: Results) => results.countOfJob("job")],
  ["all predictions", (results: Results) => results.select({}, ever).next()],
  ["a selection", (results: Results) => results.select({ ...selection, inputIds: ["7", "8"] }, ever).next()],
  ["the requests of one", (results: Results) => results.requestIds({ ...selection, requestIds: ["a"] }, ever).next()],
  ["its count", (results: Results) => results.count(selection, ever)],
  ["a job's figures", (results: Results) => results.figuresOfJob("job", new Date(0), ever)],
  ["the jobs", (results: Results) => results.jobs(20, ever)],
  ["counts since some times", (results: Results) => results.countsSince([new Date(0), new Date(1)])],
])("what reads %s is Redshift's", async (_, read) => {
  const statements = await statementsOf(read);
  expect(statements).toHaveLength(1);
  for (const sql of statements) expect(() => parse(sql)).not.toThrow();
});

test("predictions are read from the view where the contract has outputs, and else from the table", async () => {
  const select = (results: Results) => results.select({}, ever).next();
  expect(await statementsOf(select)).toEqual([expect.stringMatching(/"label" END, "score" FROM prediction_values /)]);
  expect(await statementsOf(select, [])).toEqual([expect.stringMatching(/ FROM prediction_results /)]);
});

test("what is unloaded is Redshift's; of UNLOAD itself the parser knows nothing", () => {
  const everything: Selection = { ...selection, inputIds: ["7", "it's"], requestIds: ["a"] };
  const how = { to: "s3://lake/results/", format: "parquet" } as const;
  expect(unloadStatement(everything, how)).toContain(" FROM prediction_results ");
  const sql = unloadStatement(everything, how, contract.outputs);
  const [, inner = "", rest] = /^UNLOAD \('((?:[^']|'')*)'\)( .*)$/.exec(sql) ?? [];
  expect(inner).toContain('SELECT input_id AS id, output, "label", "score", predicted_at, ');
  expect(inner).toContain(" FROM prediction_values ");
  expect(() => parse(inner.replaceAll("''", "'"))).not.toThrow();
  expect(rest).toBe(" TO 's3://lake/results/' IAM_ROLE default FORMAT PARQUET");
});

test.each([
  "INSERT INTO prediction_results VALUES (1) ON CONFLICT DO NOTHING",
  "CREATE TEMP TABLE incoming (id INT) ON COMMIT DROP",
])("PostgreSQL's own words are told apart: %s", (sql) => {
  expect(() => parse(sql)).toThrow();
});
