import { RedshiftDataClient } from "@aws-sdk/client-redshift-data";
import { createMakeValues, createShares, createView } from "../../constructs/prediction-schema";
import { unloadOf } from "../../local/redshift-unload";
import { Results } from "../../pipeline/results";
import { Unloads } from "../../pipeline/unloads";
import { typedContract as contract } from "../setup/contract";

const ever = { signal: new AbortController().signal };

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
  ["JSON", contract],
  ["CSV", { ...contract, answer: "text" } as const],
  ["no output", { ...contract, outputs: [] }],
])("the views of %s name each table's schema, or they have no binding", (_, contract) => {
  const sql = createView(contract) + createShares(contract);
  for (const [, table] of sql.matchAll(/FROM (\w\S*)/g)) expect(table).toMatch(/^public\./);
  expect(createMakeValues(contract)).not.toMatch(/[\\:]/); // which Redshift or the Data API may take for more than they are
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

test("what is unloaded is selected with its quotes doubled", () => {
  const unloads = new Unloads({ bucket: "answers", roleArn: "arn:aws:iam::000000000000:role/unload" });
  const sql = unloads.statement(["request_id", "'it''s'"], "FROM prediction_results", "unloads/1/");
  expect(sql).toBe(
    "UNLOAD ('SELECT request_id AS c0, ''it''''s'' AS c1 FROM prediction_results') TO 's3://answers/unloads/1/' IAM_ROLE 'arn:aws:iam::000000000000:role/unload' FORMAT JSON GZIP MANIFEST VERBOSE",
  );
});
