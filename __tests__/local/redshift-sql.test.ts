import { bindParameters, sortKeyIndex, toPostgres } from "../../local/redshift-sql";

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
