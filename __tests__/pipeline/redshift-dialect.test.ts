import { RedshiftDataClient } from "@aws-sdk/client-redshift-data";
import { Parser } from "node-sql-parser/build/redshift";
import { createMakeValues, createShares, createView, makeValues } from "../../constructs/prediction-schema";
import { createTables, tables } from "../../contract/load-tables";
import { unloadOf } from "../../local/redshift-unload";
import { loadStatements } from "../../pipeline/load-statements";
import { Results, type Selection } from "../../pipeline/results";
import { Unloads } from "../../pipeline/unloads";
import { typedContract as contract } from "../setup/contract";

/** Whether Redshift's grammar knows a statement; PostgreSQL, which the stand-in runs, knows more. */
const parse = (sql: string) => new Parser().parse(sql, { database: "Redshift" });

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

test("what makes the tables and the view at deploy is Redshift's, but for keys, which the parser does not know", () => {
  for (const sql of [...createTables(tables), makeValues])
    expect(() => parse(sql.replace(/ (DISTKEY|DISTSTYLE|SORTKEY).*/, ""))).not.toThrow();
});

test.each([
  ["JSON", contract],
  ["JSON of one", { ...contract, outputs: contract.outputs.slice(0, 1) }],
  ["CSV", { ...contract, answer: "text" } as const],
  ["no output", { ...contract, outputs: [] }],
])("the views of %s are Redshift's, but for the words that the parser does not know", (_, contract) => {
  const sql = createView(contract) + createShares(contract);
  for (const view of [createView(contract), createShares(contract)])
    expect(() => parse(view.replace("\nWITH NO SCHEMA BINDING", "").replaceAll("TRY_CAST(", "CAST("))).not.toThrow();
  expect(createMakeValues(contract)).not.toMatch(/[\\:]/); // which Redshift or the Data API may take for more than they are
  for (const [, table] of sql.matchAll(/FROM (\w\S*)/g)) expect(table).toMatch(/^public\./); // or it has no binding
});

test("what reads who may read the view is Redshift's", () => {
  const [, sql = ""] = /FOR reader IN\n(.*)\n {2}LOOP/s.exec(createMakeValues(contract)) ?? [];
  expect(() => parse(sql)).not.toThrow();
});

test("what finds and writes new rows is Redshift's; of LOCK, COPY and temporary tables the parser knows nothing", () => {
  const load = {
    manifestUrl: "s3://b/m",
    copyRoleArn: "arn",
    range: ["00000000", "ffffffff"] as const,
    tables,
    now: new Date(),
  };
  const unknown = ["lock", "createIncoming", "copy"];
  for (const [name, sql] of Object.entries(loadStatements(load)))
    if (!unknown.includes(name)) expect(() => parse(sql.replace(/^CREATE TEMP TABLE \w+ AS /, ""))).not.toThrow();
});

test.each([
  ["an input's predictions", (results: Results) => results.ofInput("7")],
  [
    "a page of them",
    (results: Results) => results.ofInput("7", { after: { predictedAt: new Date(0), requestId: "r" } }),
  ],
  ["a request's outcome", (results: Results) => results.ofRequest("r", "7", ever)],
  ["all predictions", (results: Results) => results.select({}, ever).next()],
  ["a selection", (results: Results) => results.select({ ...selection, inputIds: ["7", "8"] }, ever).next()],
  [
    "answered ones",
    (results: Results) => results.requests("answered", { ...selection, requestIds: ["a"] }, ever).next(),
  ],
  ["failed ones", (results: Results) => results.requests("failed", selection, ever).next()],
  ["failures", (results: Results) => results.failures(selection, ever).next()],
  ["counts", (results: Results) => results.counts(selection, ever)],
  ["groups of failures", (results: Results) => results.groups(selection, 20, ever)],
  ["how old requests were", (results: Results) => results.ages(selection, 60, ever)],
  ["shares of answers", (results: Results) => results.shares(new Date(0), ever).next()],
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

test("what is unloaded is encrypted with the bucket's key where it has one of the customer's: by itself Redshift takes S3's own", () => {
  const unloads = new Unloads({
    bucket: "answers",
    roleArn: "arn:aws:iam::000000000000:role/unload",
    kmsKeyId: "mrk-1",
  });
  const sql = unloads.statement(["1"], "FROM prediction_results", "unloads/1/", "request_id");
  expect(sql).toMatch(/ FORMAT JSON GZIP MANIFEST VERBOSE PARALLEL OFF KMS_KEY_ID 'mrk-1' ENCRYPTED$/);
  expect(unloadOf(sql)).toMatchObject({ isSerial: true, to: "s3://answers/unloads/1/" });
});

test("what is unloaded is Redshift's; of UNLOAD itself the parser knows nothing", () => {
  const unloads = new Unloads({ bucket: "answers", roleArn: "arn:aws:iam::000000000000:role/unload" });
  const sql = unloads.statement(["request_id", "'it''s'"], "FROM prediction_results", "unloads/1/");
  expect(sql).toBe(
    "UNLOAD ('SELECT request_id AS c0, ''it''''s'' AS c1 FROM prediction_results') TO 's3://answers/unloads/1/' IAM_ROLE 'arn:aws:iam::000000000000:role/unload' FORMAT JSON GZIP MANIFEST VERBOSE",
  );
  const [, inner = ""] = /^UNLOAD \('((?:[^']|'')*)'\) /.exec(sql) ?? [];
  expect(() => parse(inner.replaceAll("''", "'"))).not.toThrow();
});

test.each([
  "INSERT INTO prediction_results VALUES (1) ON CONFLICT DO NOTHING",
  "CREATE TEMP TABLE incoming (id INT) ON COMMIT DROP",
])("PostgreSQL's own words are told apart: %s", (sql) => {
  expect(() => parse(sql)).toThrow();
});
