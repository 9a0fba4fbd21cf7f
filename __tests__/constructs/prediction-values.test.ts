import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { Client } from "pg";
import { createMakeValues, makeValues } from "../../constructs/prediction-schema";
import { type AnswerContract, countedAnswer } from "../../contract/counted-answer";
import { createTables, tables } from "../../contract/load-tables";
import type { Output } from "../../contract/model-contract";
import { startRedshiftData } from "../../local/redshift-data";
import { toPostgres } from "../../local/redshift-sql";
import type { StandIn } from "../../local/stand-in";
import { createDatabase } from "../setup/database";

let database: Client;
let standIn: StandIn;
beforeAll(async () => {
  const postgresUrl = await createDatabase();
  database = new Client(postgresUrl);
  await database.connect();
  standIn = await startRedshiftData({ postgresUrl });
  await run(...createTables(tables));
});
afterAll(async () => {
  await standIn.stop();
  await database.end();
});

const run = async (...statements: string[]) => {
  for (const sql of statements) await database.query(toPostgres(sql));
};
const deploy = (contract: AnswerContract) => run(createMakeValues(contract), makeValues);
const rows = async (sql: string, values: unknown[] = []) =>
  (await database.query({ text: sql, values, rowMode: "array" })).rows;

const label: Output = { name: "label", type: "text" };
const score: Output = { name: "score", type: "number" };
const json: AnswerContract = { request: "csv", answer: "json", outputs: [label, score] };
const csv: AnswerContract = { request: "csv", answer: "text", outputs: [label, score] };

/** What the view, as it is, has of predictions with these outputs, in their order. */
const valuesOf = async (outputs: readonly string[], names: readonly string[] = ["label", "score"]) => {
  await database.query("DELETE FROM prediction_results");
  await database.query(
    `INSERT INTO prediction_results (request_id, input_id, output, endpoint, variant, model_release, requested_at, predicted_at)
     SELECT CAST(place AS VARCHAR(20)), '7', output, 'e', 'v', 'r', now(), now() FROM unnest($1::text[]) WITH ORDINALITY AS given(output, place)`,
    [outputs],
  );
  const columns = names.map((name) => `"${name}"`).join(", ");
  return rows(`SELECT ${columns} FROM prediction_values ORDER BY CAST(request_id AS INT)`);
};

describe("of JSON", () => {
  beforeAll(() => deploy(json));

  test.each<[string, string | null, number | null]>([
    ['{"label":"yes","score":0.93}', "yes", 0.93],
    ['{ "score" : 1e-7 , "label" : "a\\n\\"b\\" \\u00e9 😀" }', 'a\n"b" é 😀', 1e-7],
    ['[{"label":"first","score":1},{"label":"second","score":2}]', "first", 1],
    ['[\n\t {"label":"first"}]', "first", null],
    ['{"label":null,"score":null}', null, null],
    ["{}", null, null],
    ['{"label":7,"score":"7"}', "7", 7],
    ['{"label":true,"score":true}', "true", null],
    ['{"label":{"a":[1, 2]},"score":[1]}', '{"a":[1, 2]}', null],
    ['{"label":"","score":""}', "", null],
    ['{"Label":"case","LABEL":"counts"}', null, null],
    ['{"label":"once","label":"twice"}', "twice", null],
    ['{"score":"  12.5\\n"}', null, 12.5],
    ...["abc", "1e999", "-1e999", "NaN", "Infinity", "0x1F", "1_000", "1,5", "1e", "--1", " ", "9".repeat(400)].map(
      (text): [string, null, null] => [`{"score":"${text}"}`, null, null],
    ),
    ['{"score":1e999}', null, null],
    ["[1,2]", null, null],
    ['["{\\"label\\":\\"a text is no object\\"}"]', null, null],
    ["[]", null, null],
    ["0.5", null, null],
    ["null", null, null],
    ["", null, null],
    ["{", null, null],
    ["{'label':'x'}", null, null],
    ['{"label":"\\u0000"}', null, null],
    ['{"label":"\\ud800"}', null, null],
  ])("%j gives its fields", async (output, ...expected) => {
    expect(await valuesOf([output])).toEqual([expected]);
  });

  test("neither depth nor size fails a query", async () => {
    const deep = (levels: number) => `{"label":1,"more":${"[".repeat(levels)}${"]".repeat(levels)}}`;
    const large = `{"label":"${"x".repeat(65_520)}"}`;
    const [shallow, , ...others] = await valuesOf([deep(500), deep(30_000), "[".repeat(65_000), large]);
    expect([shallow, ...others]).toEqual([
      ["1", null],
      [null, null],
      ["x".repeat(65_520), null],
    ]);
  });

  test("no text at all fails a query, or another's values", async () => {
    const text = fc.oneof(
      fc.string({ unit: "binary", maxLength: 200 }),
      fc.json(),
      fc.json().map((whole) => whole.slice(0, -1)),
      fc.json().map((value) => `{"label":${value},"score":${value}}`),
      fc.string({ unit: fc.constantFrom(...'{}[]",:\\ \n0e-label'), maxLength: 60 }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 50 }), async (texts) => {
        const storable = texts.filter((one) => !/\0|\p{Surrogate}/u.test(one));
        const found = await valuesOf([...storable, '{"label":"kept","score":1}']);
        expect(found).toHaveLength(storable.length + 1);
        expect(found.at(-1)).toEqual(["kept", 1]);
      }),
      { numRuns: 20 },
    );
  });

  test("every number that a double holds comes back equal, and every text", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.string({ unit: "grapheme" }), fc.double({ noNaN: true, noDefaultInfinity: true })), {
          minLength: 1,
          maxLength: 50,
        }),
        async (pairs) => {
          const found = await valuesOf(pairs.map(([text, number]) => JSON.stringify({ label: text, score: number })));
          expect(found).toEqual(pairs.map(([text, number]) => [text, number + 0])); // JSON knows no -0
        },
      ),
      { numRuns: 20 },
    );
  });
});

describe("of a single output", () => {
  test.each<[string, string | null, number | null]>([
    ["0.25", "0.25", 0.25],
    ["-1.5e3", "-1.5e3", -1500],
    ['"it\'s \\"so\\""', 'it\'s "so"', null],
    ['"12"', "12", 12],
    ["true", "true", null],
    ["null", null, null],
    ['{"only":3}', "3", 3],
    ['[{"only":3}]', "3", 3],
    ["[3]", null, null],
    ["no JSON", null, null],
    ['"no', null, null],
  ])("a JSON value that is no object is the output itself: %s", async (output, text, number) => {
    await deploy({ ...json, outputs: [{ name: "only", type: "text" }] });
    expect(await valuesOf([output], ["only"])).toEqual([[text]]);
    await deploy({ ...json, outputs: [{ name: "only", type: "number" }] });
    expect(await valuesOf([output], ["only"])).toEqual([[number]]);
  });

  test.each([
    ["It's a city", "It's a city", null],
    ["0.5\n", "0.5\n", 0.5],
    ["{", "{", null],
    ["", "", null],
  ])("a text is the output itself: %j", async (output, text, number) => {
    await deploy({ request: "json", answer: "text", outputs: [{ name: "only", type: "text" }] });
    expect(await valuesOf([output], ["only"])).toEqual([[text]]);
    await deploy({ request: "json", answer: "text", outputs: [{ name: "only", type: "number" }] });
    expect(await valuesOf([output], ["only"])).toEqual([[number]]);
  });
});

describe("of CSV", () => {
  beforeAll(() => deploy(csv));

  test.each([
    ["yes,0.93", "yes", 0.93],
    ["yes, 0.93 ,further", "yes", 0.93],
    ['"a, ""b""\n,c",7', 'a, "b"\n,c', 7],
    ['"""a""",1', '"a"', 1],
    ['"",2', "", 2],
    [",3", "", 3],
    [",", "", null],
    ["yes", "yes", null],
    ["", "", null],
    ['a"b,"5"', 'a"b', 5],
    ['"never closed,6', '"never closed', 6],
    ["é😀,1e999", "é😀", null],
  ])("%j gives its fields by their places", async (output, ...expected) => {
    expect(await valuesOf([output])).toEqual([expected]);
  });

  test("no size fails a query", async () => {
    expect(await valuesOf(["x".repeat(65_534), "x".repeat(65_535), '"'.repeat(65_000)])).toEqual([
      ["x".repeat(65_534), null],
      [null, null],
      ['"'.repeat(32_499), null],
    ]);
  });

  test("what is written as CSV comes back", async () => {
    const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
    const text = fc.string({ unit: fc.constantFrom(..."\",\n é'\\a") });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(text, fc.double({ noNaN: true, noDefaultInfinity: true }))), async (pairs) => {
        const found = await valuesOf(pairs.map(([one, number]) => `${quoted(one)},${number}`));
        expect(found).toEqual(pairs.map(([one, number]) => [one, number + 0]));
      }),
      { numRuns: 20 },
    );
  });
});

describe("the shares of answers", () => {
  /** What the view of shares has of these outputs, each of them a release, a day and an output. */
  const sharesOf = async (contract: AnswerContract, given: readonly (readonly [string, string, string])[]) => {
    await deploy(contract);
    await database.query("DELETE FROM prediction_results");
    await database.query(
      `INSERT INTO prediction_results (request_id, input_id, output, endpoint, variant, model_release, requested_at, predicted_at)
       SELECT CAST(place AS VARCHAR(20)), '7', output, 'e', 'v', release, now(), CAST(day AS TIMESTAMP)
       FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS given(release, day, output, place)`,
      [0, 1, 2].map((place) => given.map((one) => one[place])),
    );
    return rows(
      "SELECT model_release, to_char(day, 'YYYY-MM-DD'), answer, predictions, share FROM prediction_shares ORDER BY 1, 2, 4 DESC, 3",
    );
  };
  const text: AnswerContract = { request: "json", answer: "text", outputs: [] };

  test("are of a release and a day, which begins and ends in UTC", async () => {
    expect(
      await sharesOf(text, [
        ["a", "2026-01-31 00:00:00", "yes"],
        ["a", "2026-01-31 23:59:59.999", "yes"],
        ["a", "2026-01-31 12:00:00", "no"],
        ["a", "2026-01-31 12:00:00", 'it\'s\n"so"'],
        ["a", "2026-02-01 00:00:00", "no"],
        ["b", "2026-01-31 12:00:00", "no"],
      ]),
    ).toEqual([
      ["a", "2026-01-31", "yes", "2", 0.5],
      ["a", "2026-01-31", 'it\'s\n"so"', "1", 0.25],
      ["a", "2026-01-31", "no", "1", 0.25],
      ["a", "2026-02-01", "no", "1", 1],
      ["b", "2026-01-31", "no", "1", 1],
    ]);
  });

  test("of free text are the hundred most frequent, and one row of all others", async () => {
    const day = "2026-01-31";
    const often = Array.from({ length: 99 }, (_, n) => `answer ${n}`);
    const once = Array.from({ length: 200 }, (_, n) => `once ${n}`);
    const found = await sharesOf(
      text,
      [...often, ...often, ...once, "x".repeat(257), "x".repeat(256), "x".repeat(256)].map((one) => ["a", day, one]),
    );
    expect(found).toHaveLength(101);
    expect(found[0]).toEqual(["a", day, null, "201", 201 / 401]);
    expect(found.slice(1).map(([, , answer]) => answer)).toEqual([...often, "x".repeat(256)].sort());
    expect(found.reduce((sum, [, , , , share]) => sum + share, 0)).toBeCloseTo(1, 12);
  });

  const named = (names: string) => [...names].map((name): Output => ({ name, type: name === "n" ? "number" : "text" }));
  const fields = ['{"a":"x","b":"y"}', '[{"a":"x"},{"a":"z"}]', '{"a":7.0,"a":1e2}', '{"a":null}', "[]", "{", "[1]"];
  const values = ['"it\'s \\"so\\""', "1.50", "true", "null", "7", '{"a":{"b": [1, 2]}}', '{"a":"\\u00e9"}'];
  const lines = ["x,y,z", '"a, ""b""\n,c",7', '"a"b,5', '"never,6', '"a, b"x,8', ",", "", '""', '""",1', "one"];
  const cases: [string, AnswerContract][] = [
    ["all of a text", text],
    ["all of an answer in JSON", { ...json, outputs: [] }],
    ["all where no output is a text", { ...json, outputs: named("n") }],
    ["the first text of several fields", { ...json, outputs: named("nab") }],
    ["the only field, or the value itself", { ...json, outputs: named("a") }],
    ["all of a text that is the only output", { ...text, outputs: named("a") }],
    ["the second place of CSV", { ...csv, outputs: named("nab") }],
    ["the first place of CSV", { ...csv, outputs: named("an") }],
  ];
  test.each(cases)("count %s, and the worker reads the same", async (_, contract) => {
    const outputs = [...fields, ...values, ...lines];
    const found = await sharesOf(
      contract,
      outputs.map((output, place) => [String(place).padStart(2, "0"), "2026-01-31", output]),
    );
    expect(found.map(([, , answer]) => answer)).toEqual(
      outputs.map((output) => countedAnswer(contract, output) ?? null),
    );
    expect(new Set(found.map(([, , answer]) => answer)).size).toBeGreaterThan(4);
  });
});

describe("a deployment", () => {
  const columnsOf = async () =>
    rows(
      "SELECT column_name, data_type, character_maximum_length FROM information_schema.columns WHERE table_name = 'prediction_values' AND column_name NOT IN (SELECT column_name FROM information_schema.columns WHERE table_name = 'prediction_results') ORDER BY ordinal_position",
    );

  test("has all columns of the table, and the outputs with their types", async () => {
    await deploy(json);
    expect(await columnsOf()).toEqual([
      ["label", "character varying", 65_535],
      ["score", "double precision", null],
    ]);
    const own = await rows("SELECT * FROM prediction_results LIMIT 0");
    expect(own).toEqual([]);
    await deploy({ ...json, outputs: [] });
    expect(await columnsOf()).toEqual([]);
    expect(await valuesOf(["x"], ["output"])).toEqual([["x"]]);
  });

  test("a name is a name, whatever it has", async () => {
    const names = [`it's "quoted"`, "a\\b", "a:b $1", "select", "Größe", "'); DROP VIEW prediction_values; --"];
    await deploy({ ...json, outputs: names.map((name) => ({ name, type: "text" })) });
    const output = JSON.stringify(Object.fromEntries(names.map((name, n) => [name, n])));
    const quoted = names.map((name) => name.replaceAll('"', '""'));
    expect(await valuesOf([output], quoted)).toEqual([names.map((_, n) => String(n))]);
  });

  test("changes the columns and keeps who may read, in one transaction", async () => {
    const [reader, writer, analyst, stranger] = ["reader", "writer", "analyst", "stranger"].map(
      (name) => `${name}-${randomUUID()}`,
    );
    await deploy(json);
    for (const user of [reader, writer, analyst, stranger]) await run(`CREATE USER "${user}"`);
    await run(`GRANT SELECT ON prediction_results TO "${reader}", "${writer}"`);
    await run(`GRANT SELECT ON prediction_values TO "${analyst}", "${reader}", "${writer}"`);
    const mayRead = () =>
      rows(
        // Redshift's administrator is a superuser.
        "SELECT usename FROM pg_user WHERE has_table_privilege(usename, 'prediction_values', 'SELECT') AND NOT usesuper AND usename <> 'admin' ORDER BY 1",
      );
    const before = [[analyst], [reader], [writer]];
    expect(await mayRead()).toEqual(before);

    await deploy({ ...json, outputs: [{ name: "risk", type: "number" }] });
    expect(await columnsOf()).toEqual([["risk", "double precision", null]]);
    expect(await mayRead()).toEqual(before);

    await run(`CREATE VIEW own_view AS SELECT "risk" FROM prediction_values`);
    await expect(deploy(json)).rejects.toThrow("other objects depend on it");
    await expect(rows("SELECT * FROM prediction_shares LIMIT 0")).resolves.toEqual([]);
    expect(await columnsOf()).toEqual([["risk", "double precision", null]]);
    expect(await mayRead()).toEqual(before);
    await run("DROP VIEW own_view");

    await database.query(`SET SESSION AUTHORIZATION "${reader}"`);
    expect(await rows("SELECT risk FROM prediction_values LIMIT 1")).toEqual([[null]]);
    expect(await rows("SELECT DISTINCT model_release FROM prediction_shares LIMIT 1")).toEqual([["r"]]);
    await database.query(`SET SESSION AUTHORIZATION "${stranger}"`);
    for (const view of ["prediction_values", "prediction_shares"])
      await expect(rows(`SELECT 1 FROM ${view}`)).rejects.toThrow("permission denied");
    await database.query("RESET SESSION AUTHORIZATION");
  });
});
