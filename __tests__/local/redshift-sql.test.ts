import { bindParameters, sortKeyIndex, toPostgres } from "../../local/redshift-sql";
import { AwsError } from "../../local/stand-in";

const bind = (sql: string, parameters: Record<string, string>) =>
  bindParameters([sql], new Map(Object.entries(parameters)))[0];

test("numbers parameters in the order of their first use", () => {
  expect(bind("SELECT :b, :a, :b", { a: "1", b: "2" })).toEqual({ sql: "SELECT $1, $2, $1", values: ["2", "1"] });
});

test.each([
  ["text", "SELECT 'at 10:n it''s :n', "],
  ["a quoted name", 'SELECT "a:n" AS "b"":n", '],
  ["a cast", "SELECT 1::n, "],
  ["a comment", "SELECT -- :n\n"],
  ["a block comment", "SELECT /* :n\n:n */ "],
  ["dollar-quoted text", "SELECT $$ :n $$, $body$ ':n $$ $body$, "],
])("finds no parameter in %s", (_, before) => {
  expect(bind(`${before}:n`, { n: "1" })).toEqual({ sql: `${before}$1`, values: ["1"] });
});

test("gives each statement of a batch just the values that it uses", () => {
  const parameters = new Map([
    ["a", "1"],
    ["b", "2"],
  ]);
  expect(bindParameters(["SELECT :a", "SELECT :b", "SELECT 1"], parameters)).toEqual([
    { sql: "SELECT $1", values: ["1"] },
    { sql: "SELECT $1", values: ["2"] },
    { sql: "SELECT 1", values: [] },
  ]);
});

test.each([
  ["indexes: CREATE UNIQUE INDEX", "CREATE UNIQUE INDEX i ON t (a)"],
  ["triggers: CREATE TRIGGER", "CREATE TRIGGER g BEFORE INSERT ON t"],
  ["sequences: nextval(", "SELECT nextval('s')"],
  ["tablespaces, inheritance and partitions: PARTITION BY RANGE", "CREATE TABLE t (a INT) PARTITION BY RANGE (a)"],
  ["constraints that are checked: CHECK (", "CREATE TABLE t (a INT CHECK (a > 0))"],
  ["arrays: ARRAY[", "SELECT ARRAY[1, 2]"],
  ["arrays: T[]", "CREATE TABLE t (a TEXT[])"],
  ["constructors of rows: ROW(", "SELECT ROW(1, 2)"],
  ["VALUES as a table: (VALUES", "SELECT a FROM (VALUES (1), (2)) AS t (a)"],
  ["such types: ::JSONB", "SELECT a::JSONB FROM t"],
  ["such types: d BIGSERIAL", "CREATE TABLE t (id BIGSERIAL)"],
  ["such types: AS uuid)", "SELECT CAST(a AS uuid) FROM t"],
  ["such functions: string_agg(", "SELECT string_agg(a, ',') FROM t"],
  ["IS DISTINCT FROM: IS NOT DISTINCT FROM", "SELECT a IS NOT DISTINCT FROM b FROM t"],
  ["ON CONFLICT: ON CONFLICT", "INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING"],
  ["RETURNING: RETURNING", "INSERT INTO t VALUES (1) RETURNING a"],
  ["DISTINCT ON: DISTINCT ON", "SELECT DISTINCT ON (a) a, b FROM t"],
  ["LATERAL: LATERAL", "SELECT 1 FROM t, LATERAL (SELECT t.a) l"],
  ["FILTER of an aggregate: FILTER (", "SELECT COUNT(*) FILTER (WHERE a) FROM t"],
  ["FOR UPDATE: FOR UPDATE", "SELECT a FROM t FOR UPDATE"],
  [
    "DISTINCT ON: DISTINCT ON",
    "CREATE PROCEDURE p() AS $$ BEGIN SELECT DISTINCT ON (a) a FROM t; END $$ LANGUAGE plpgsql",
  ],
])("refuses what Redshift does not know, %s", (said, sql) => {
  expect(() => toPostgres(sql)).toThrow(new AwsError("ValidationException", 400, `Redshift has no ${said}`));
});

test("finds nothing to refuse in a text, a name or a comment, and names all that it finds elsewhere", () => {
  const sql = `SELECT 'RETURNING', "ON CONFLICT" FROM t -- FOR UPDATE\n/* LATERAL */`;
  expect(toPostgres(sql)).toBe(sql);
  expect(() => toPostgres("SELECT DISTINCT ON (a) a FROM t FOR UPDATE")).toThrow(
    "Redshift has no DISTINCT ON: DISTINCT ON; Redshift has no FOR UPDATE: FOR UPDATE",
  );
});

test("counts a VARCHAR in bytes", () => {
  expect(toPostgres('CREATE TABLE t (a VARCHAR(10) NOT NULL, "b c" INT, d varchar (20))')).toBe(
    'CREATE TABLE t (a VARCHAR(10) CHECK (octet_length(a) <= 10) NOT NULL, "b c" INT, d varchar (20) CHECK (octet_length(d) <= 20))',
  );
});

test("makes users without Redshift's way to say that they have no password", () => {
  expect(toPostgres("EXECUTE 'CREATE USER u WITH PASSWORD DISABLE'")).toBe("EXECUTE 'CREATE USER u'");
});

test("binds a view that Redshift binds to nothing, and casts by a function where TRY_CAST would", () => {
  expect(
    toPostgres("CREATE VIEW v AS SELECT TRY_CAST((a) AS DOUBLE PRECISION) FROM public.t WITH NO SCHEMA BINDING"),
  ).toBe("CREATE VIEW v AS SELECT try_cast_double((a)) FROM public.t ");
});

test.each(["SELECT CAST(a AS VARCHAR(10))", "LOCK t", "INSERT INTO t SELECT 'VARCHAR(3)'"])(
  "leaves %s as it is",
  (sql) => {
    expect(toPostgres(sql)).toBe(sql);
  },
);

test("keys of a table are dropped, and the sort key of one that stays gets an index", () => {
  const columns = "(\n  id VARCHAR(9),\n  n INT\n)";
  const sql = `CREATE TABLE IF NOT EXISTS kept ${columns} DISTKEY(id) SORTKEY(id)`;
  expect(toPostgres(sql)).toBe(
    "CREATE TABLE IF NOT EXISTS kept (\n  id VARCHAR(9) CHECK (octet_length(id) <= 9),\n  n INT\n)",
  );
  expect(sortKeyIndex(sql)).toBe("CREATE INDEX IF NOT EXISTS kept_sort_key ON kept (id)");
  expect(toPostgres(`CREATE TABLE kept (n INT) DISTSTYLE ALL SORTKEY(n)`)).toBe("CREATE TABLE kept (n INT)");
  expect(sortKeyIndex("CREATE TEMP TABLE gone (n INT) DISTKEY(n) SORTKEY(n)")).toBeUndefined();
});
