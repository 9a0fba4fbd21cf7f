import { Client } from "pg";
import { startRedshiftData } from "../../local/redshift-data";
import { toPostgres } from "../../local/redshift-sql";
import type { StandIn } from "../../local/stand-in";
import { createDatabase } from "../setup/database";

let database: Client;
let standIn: StandIn;
beforeAll(async () => {
  const postgresUrl = await createDatabase();
  standIn = await startRedshiftData({ postgresUrl });
  database = new Client(postgresUrl);
  await database.connect();
});
afterAll(async () => {
  await database.end();
  await standIn.stop();
});

const resultOf = async (expression: string) =>
  (await database.query({ text: toPostgres(`SELECT ${expression}`), rowMode: "array" })).rows[0]?.[0];

const house = `'{"house":{"address":{"city":"Any Town"},"appliances":{"washing machine":{"brand":"Any Brand","color":"beige"}}}}'`;

// The examples of https://docs.aws.amazon.com/redshift/latest/dg/JSON_EXTRACT_PATH_TEXT.html, but for a path of a number,
// and those of JSON_EXTRACT_ARRAY_ELEMENT_TEXT.html and r_TRY_CAST.html beside it.
test.each([
  [`JSON_EXTRACT_PATH_TEXT('{"f2":{"f3":1},"f4":{"f5":99,"f6":"star"}}','f4', 'f6')`, "star"],
  [`JSON_EXTRACT_PATH_TEXT('{"f2":{"f3":1},"f4":{"f5":99,"f6":"star"}','f4', 'f6',true)`, null],
  [`JSON_EXTRACT_PATH_TEXT('{"farm":{"barn":{"color":"red","feed stocked":true}}}', 'farm', 'barn', 'color')`, "red"],
  [`JSON_EXTRACT_PATH_TEXT('{"farm":{"barn":{}}}', 'farm', 'barn', 'color')`, null],
  [`JSON_EXTRACT_PATH_TEXT(${house}, 'house', 'appliances', 'washing machine', 'brand')`, "Any Brand"],
  [`JSON_EXTRACT_PATH_TEXT('{"f2":{"f3":1}}', 'f2')`, '{"f3":1}'],
  [`JSON_EXTRACT_PATH_TEXT('{"f2":{"f3":1},"f4":{"f5":99,"f6":"star"}}',NULL)`, null],
  [`JSON_EXTRACT_PATH_TEXT('{"f2":{"f3":1},"f4":{"f5":99,"f6":"star"}}','f4',NULL::TEXT)`, null],
  ["JSON_EXTRACT_PATH_TEXT('invalid_json', NULL)", null],
  ["JSON_EXTRACT_PATH_TEXT(NULL, '0', FALSE)", null],
  ["JSON_EXTRACT_PATH_TEXT('invalid_json', '0', TRUE)", null],
  ["JSON_EXTRACT_PATH_TEXT('[null]', '0')", null],
  ["JSON_EXTRACT_PATH_TEXT('{}', 'a')", null],
  ["JSON_EXTRACT_ARRAY_ELEMENT_TEXT('[111,112,113]', 2)", "113"],
  ["JSON_EXTRACT_ARRAY_ELEMENT_TEXT('[111,112,113]', -1)", null],
  ["JSON_EXTRACT_ARRAY_ELEMENT_TEXT('[111,112,113]', 3)", null],
  [`JSON_EXTRACT_ARRAY_ELEMENT_TEXT('["a",["b",1,["c",2,3,null,]]]',1,true)`, null],
  [`JSON_EXTRACT_ARRAY_ELEMENT_TEXT('["a"]', 0)`, "a"],
  [`JSON_EXTRACT_ARRAY_ELEMENT_TEXT('{"0":1}', 0, TRUE)`, null],
  ["TRY_CAST('12.5e-1' AS DOUBLE PRECISION)", 1.25],
  ["TRY_CAST('foo' AS DOUBLE PRECISION)", null],
  ["TRY_CAST('1e999' AS DOUBLE PRECISION)", null],
  ["TRY_CAST(NULL AS DOUBLE PRECISION)", null],
])("%s is what Redshift's documentation says", async (expression, value) => {
  expect(await resultOf(expression)).toBe(value);
});

test.each([
  [`JSON_EXTRACT_PATH_TEXT('{"f2":{"f3":1},"f4":{"f5":99,"f6":"star"}','f4', 'f6')`, "JSON parsing error"],
  ["JSON_EXTRACT_PATH_TEXT('invalid_json', '0', FALSE)", "JSON parsing error"],
  [`JSON_EXTRACT_ARRAY_ELEMENT_TEXT('["a",["b",1,["c",2,3,null,]]]',1)`, "JSON parsing error"],
  ["JSON_EXTRACT_PATH_TEXT(REPEAT('x', 65536), 'a', TRUE)", "larger than 64 KB"],
  ["TRY_CAST('' AS DOUBLE PRECISION)", "no blank text"],
  ["TRY_CAST('  ' AS DOUBLE PRECISION)", "no blank text"],
])("%s is refused, as by Redshift", async (expression, why) => {
  await expect(resultOf(expression)).rejects.toThrow(why);
});

test("they may be made again, and by several at once", async () => {
  const postgresUrl = await createDatabase();
  const several = await Promise.all([1, 2, 3].map(() => startRedshiftData({ postgresUrl })));
  await Promise.all(several.map((one) => one.stop()));
});
