import { Client } from "pg";
import { createResults, createTakeOver, takeOverResults } from "../../constructs/prediction-schema";
import { createDatabase } from "../setup/database";

let database: Client;
beforeEach(async () => {
  database = new Client(await createDatabase());
  await database.connect();
});
afterEach(() => database.end());

/** What a deployment does to the tables of a database, each time that it runs the statements. */
const deploy = async () => {
  for (const sql of [createTakeOver, takeOverResults, createResults]) await database.query(sql);
};
const rows = async (sql: string) => (await database.query(sql)).rows;

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
