import { randomUUID } from "node:crypto";
import { Client } from "pg";
import { databaseUserOf, schemaStatements } from "../../constructs/prediction-schema";
import { canaryTables, tables } from "../../contract/load-tables";
import { startRedshiftData } from "../../local/redshift-data";
import { toPostgres } from "../../local/redshift-sql";
import type { StandIn } from "../../local/stand-in";
import { typedContract as contract } from "../setup/contract";
import { createDatabase } from "../setup/database";

let database: Client;
let standIn: StandIn;
/** The users of all databases are shared. */
let users: Record<"loader" | "writer" | "api" | "reader", string>;
beforeEach(async () => {
  const postgresUrl = await createDatabase();
  database = new Client(postgresUrl);
  await database.connect();
  standIn = await startRedshiftData({ postgresUrl });
  const unique = randomUUID();
  users = {
    loader: databaseUserOf(`loader-${unique}`),
    writer: databaseUserOf(`writer-${unique}`),
    api: databaseUserOf(`api-${unique}`),
    reader: `reader-${unique}`,
  };
});
afterEach(async () => {
  await standIn.stop();
  await database.end();
});

/** What a deployment does in a database, each time that it runs the statements. */
const deploy = async (takeOver = true) => {
  const statements = schemaStatements({
    contract,
    takeOver,
    loaderRoleName: users.loader.replace("IAMR:", ""),
    writerRoleName: users.writer.replace("IAMR:", ""),
    reader: users.reader,
    readerRoleNames: [users.api.replace("IAMR:", "")],
    copyRoleArn: "arn:aws:iam::123456789012:role/copy",
    unloadRoleArn: "arn:aws:iam::123456789012:role/unload",
  });
  for (const sql of statements) await database.query(toPostgres(sql));
};
const rows = async (sql: string) => (await database.query(sql)).rows;

test("a table of jobs without the columns of later versions gets them, and keeps its rows", async () => {
  for (const table of ["prediction_jobs", "canary_jobs"]) {
    await database.query(
      `CREATE TABLE ${table} (job_id VARCHAR(128) NOT NULL, answered BIGINT NOT NULL, failed BIGINT NOT NULL, first_at TIMESTAMP NOT NULL, last_at TIMESTAMP NOT NULL)`,
    );
    await database.query(`INSERT INTO ${table} VALUES ('nightly', 3, 1, '2026-01-31', '2026-01-31')`);
  }
  for (let time = 0; time < 2; time++) await deploy();
  const kept = { job_id: "nightly", run: "", answered: "3", failed: "1", expired: "0", cancelled: "0", commits: "0" };
  for (const table of ["prediction_jobs", "canary_jobs"])
    expect(await rows(`SELECT * FROM ${table}`)).toEqual([expect.objectContaining(kept)]);
});

describe("over the original's table of results", () => {
  beforeEach(async () => {
    await database.query("CREATE TABLE prediction_results (id INT, input_id INT, output VARCHAR(255))");
    // Two workers that looked for the highest id at once gave out the same one.
    await database.query(`INSERT INTO prediction_results VALUES
      (1, 7, 'It''s a city'), (2, 8, 'No city'), (2, 9, 'It''s a city'), (3, NULL, 'half a row')`);
  });

  test("each of its rows is a prediction of this project's", async () => {
    await deploy();
    expect(await rows("SELECT request_id, input_id, job_id, output FROM prediction_results ORDER BY 1")).toEqual([
      { request_id: "original-1-1", input_id: "7", job_id: "original", output: "It's a city" },
      { request_id: "original-2-1", input_id: "8", job_id: "original", output: "No city" },
      { request_id: "original-2-2", input_id: "9", job_id: "original", output: "It's a city" },
    ]);
  });

  test("says of the model and the time that nobody knows", async () => {
    await deploy();
    const what = "DISTINCT endpoint, variant, model_release, predicted_at::TEXT, requested_at::TEXT";
    expect(await rows(`SELECT ${what} FROM prediction_results`)).toEqual([
      {
        endpoint: "unknown",
        variant: "unknown",
        model_release: "original",
        predicted_at: "1970-01-01 00:00:00",
        requested_at: "1970-01-01 00:00:00",
      },
    ]);
  });

  test("the table itself stays, with what could not be copied", async () => {
    await deploy();
    expect(await rows("SELECT id, input_id FROM original_prediction_results ORDER BY id, input_id")).toEqual([
      { id: 1, input_id: 7 },
      { id: 2, input_id: 8 },
      { id: 2, input_id: 9 },
      { id: 3, input_id: null },
    ]);
  });

  test("another deployment copies nothing twice and keeps what came since", async () => {
    await deploy();
    await database.query(
      "INSERT INTO prediction_results SELECT 'new', '7', NULL, 'x', 'e', 'v', 'r', now(), now() FROM pg_user LIMIT 1",
    );
    await deploy();
    const ids = await rows("SELECT request_id FROM prediction_results ORDER BY 1");
    expect(ids.map(({ request_id }) => request_id)).toEqual(["new", "original-1-1", "original-2-1", "original-2-2"]);
  });

  test("nothing has happened where the rows cannot be copied", async () => {
    await database.query("CREATE TABLE original_prediction_results (in_the_way INT)");
    await expect(deploy()).rejects.toThrow(/already exists/);
    expect(await rows("SELECT count(*)::INT AS rows FROM prediction_results WHERE id IS NOT NULL")).toEqual([
      { rows: 4 },
    ]);
  });
});

test("where the original never answered, there is just the table of this project", async () => {
  await deploy();
  expect(await rows("SELECT * FROM prediction_results")).toEqual([]);
  expect(await rows("SELECT 1 FROM pg_tables WHERE tablename = 'original_prediction_results'")).toEqual([]);
});

describe("the users of the database", () => {
  beforeEach(async () => {
    await deploy(false);
    await deploy(false); // as often as you like
  });

  /** What a user gets of a statement: its rows, or why not. Nothing of it stays. */
  const as = async (user: keyof typeof users, ...statements: string[]) => {
    await database.query("BEGIN");
    await database.query(`SET LOCAL SESSION AUTHORIZATION "${users[user]}"`);
    try {
      for (const sql of statements) await database.query(sql);
      return "allowed";
    } catch (error) {
      return String(error);
    } finally {
      await database.query("ROLLBACK");
    }
  };
  const { lock, results, failures, jobs } = tables;
  const writing = [
    `INSERT INTO ${results} SELECT * FROM ${results}`,
    `INSERT INTO ${failures} SELECT * FROM ${failures}`,
    `INSERT INTO ${jobs} SELECT * FROM ${jobs}`,
    `UPDATE ${jobs} SET answered = 0`,
    `LOCK ${lock}`,
    ...Object.values(canaryTables).map((table) => `DELETE FROM ${table}`),
  ];

  test("are a loader, which locks, makes temporary tables, and adds to each table", async () => {
    expect(await as("loader", `LOCK ${lock}`, "CREATE TEMP TABLE incoming (id INT)", ...writing)).toBe("allowed");
    expect(await as("loader", `LOCK ${canaryTables.lock}`, `TRUNCATE ${canaryTables.results}`)).toBe("allowed");
    for (const sql of [
      `DELETE FROM ${results}`,
      `UPDATE ${results} SET output = ''`,
      `LOCK ${results}`,
      `UPDATE ${failures} SET code = ''`,
      `DELETE FROM ${jobs}`,
      `DROP TABLE ${jobs}`,
    ]) {
      expect(await as("loader", sql)).toMatch(/permission denied|must be owner/);
    }
  });

  test.each(["api", "reader"] as const)("the %s, which reads tables and view, and writes nothing", async (user) => {
    for (const name of [results, failures, jobs, "prediction_values", "prediction_shares"]) {
      expect(await as(user, `SELECT * FROM ${name}`)).toBe("allowed");
    }
    for (const sql of writing) expect(await as(user, sql)).toMatch(/permission denied/);
  });

  test("of which the loader's statements end before its function does", async () => {
    const settings = await rows(`SELECT usename, useconfig FROM pg_user WHERE useconfig IS NOT NULL`);
    expect(settings).toContainEqual({ usename: users.loader, useconfig: ["statement_timeout=240000"] });
    expect(settings.map(({ usename }) => usename)).not.toContain(users.api);
  });
});
