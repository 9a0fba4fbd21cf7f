import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { credentialsOf, operator } from "../../local/credentials";
import { startFunction } from "../../local/lambda";
import { startPassage } from "../../local/passage";
import { startRedshiftData } from "../../local/redshift-data";
import { AwsError } from "../../local/stand-in";
import { createDatabase } from "../setup/database";

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

/** The function, at a database of its own. The first calls of the Data API are refused, as many as are said. */
const startSchema = async (refusals = 0, workgroupName?: string) => {
  const postgresUrl = await createDatabase();
  const warehouse = await startRedshiftData({ postgresUrl, workgroupName });
  stops.push(() => warehouse.stop());
  let calls = 0;
  const passage = await startPassage(warehouse.url, (_, forward) => {
    if (++calls <= refusals) throw new AwsError("AccessDeniedException", 400, "not authorized to perform this");
    return forward();
  });
  stops.push(() => passage.stop());
  const schema = startFunction({
    name: "schema",
    bundle: "dist/schema/index.cjs",
    timeoutSeconds: 30,
    memoryMegabytes: 256,
    logFile: join(mkdtempSync(join(tmpdir(), "schema-")), "log"),
    environment: {
      AWS_REGION: operator.region,
      AWS_ACCESS_KEY_ID: "schema",
      AWS_SECRET_ACCESS_KEY: credentialsOf("schema").secretAccessKey,
      AWS_ENDPOINT_URL_REDSHIFT_DATA: passage.url,
      DB_NAME: "predictions",
      ...(workgroupName === undefined
        ? { CLUSTER_ID: "warehouse", ADMIN_USER: "admin" }
        : {
            WORKGROUP_NAME: workgroupName,
            ADMIN_SECRET_ARN: "arn:aws:secretsmanager:us-east-1:000000000000:secret:admin",
          }),
    },
  });
  stops.push(() => schema.stop());
  return (...statements: string[]) => schema.invoke({ statements });
};

test("runs the statements in their order, and again where it is invoked again", async () => {
  const make = await startSchema();
  const statements = [
    "CREATE TABLE IF NOT EXISTS one (id INT)",
    "ALTER TABLE one ADD COLUMN IF NOT EXISTS more INT",
    "DELETE FROM one",
    "INSERT INTO one VALUES (1)",
  ];
  expect(await make(...statements)).toEqual({ statements: 4 });
  expect(await make(...statements)).toEqual({ statements: 4 });
});

test("signs in at a workgroup by the administrator's secret", async () => {
  const make = await startSchema(0, "poc-dev");
  expect(await make(`CREATE USER "IAMR:made-${process.pid}"`)).toEqual({ statements: 1 });
});

test("ends with the database's words at the first statement that is refused", async () => {
  const make = await startSchema();
  await expect(make("SELECT 1", "SELECT * FROM nowhere", "CREATE TABLE never (id INT)")).rejects.toMatchObject({
    errorType: "StatementFailed",
    message: expect.stringContaining('relation "nowhere" does not exist'),
  });
  await expect(make("SELECT * FROM never")).rejects.toThrow('relation "never" does not exist');
});

test("waits until AWS knows what its role may do, which is made in the same deployment", async () => {
  const make = await startSchema(3);
  expect(await make("SELECT 1")).toEqual({ statements: 1 });
});
