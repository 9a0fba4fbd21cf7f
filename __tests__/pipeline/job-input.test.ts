import fc from "fast-check";
import type { Feature } from "../../contract/model-contract";
import { headBytes } from "../../pipeline/csv";
import {
  type InputFault,
  type InputRow,
  type InputRules,
  inputStart,
  isFault,
  openInput,
  readInput,
} from "../../pipeline/job-input";

const features: Feature[] = [
  { name: "text", type: "String", optional: false },
  { name: "age", type: "Integral", optional: false },
  { name: "income", type: "Fractional", optional: true },
];
const group = { recordIdentifier: { name: "key", type: "Integral" } } as const;
const rulesOf = (format: InputRules["format"], more: Partial<InputRules> = {}): InputRules => {
  return { format, columns: {}, features, ...more };
};

/** Bytes in chunks, cut at some places. */
async function* chunksOf(bytes: Buffer, cuts: readonly number[] = []): AsyncGenerator<Buffer> {
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((one, other) => one - other);
  let start = 0;
  for (const place of [...places, bytes.length]) {
    yield bytes.subarray(start, place);
    start = place;
  }
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

const read = (content: string | Buffer, rules: InputRules, cuts?: readonly number[]) =>
  all(readInput(chunksOf(Buffer.from(content), cuts), rules));
const rowsIn = (content: string | Buffer, rules: InputRules) =>
  read(content, rules).then((found) =>
    found.map((one) => (isFault(one) ? one : { id: one.id, features: one.features })),
  );
const faultsIn = async (content: string | Buffer, rules: InputRules) =>
  (await read(content, rules))
    .filter(isFault)
    .map(({ line, reason }) => (line === undefined ? reason : `${line}: ${reason}`));

const cuts = fc.array(fc.nat(), { maxLength: 12 });
const text = fc
  .string({
    unit: fc.constantFrom("a", "é", "\u{1F980}", '"', ",", ";", "\n", "\r", " ", "\\", "\uFEFF"),
    minLength: 1,
  })
  .map((value) => `x${value}`);
const rows = fc.array(fc.record({ id: text.map((id) => `${id}.`), text, age: fc.integer() }), { maxLength: 20 });
const end = fc.constantFrom("\n", "\r\n");
const quoted = (value: string | number) => `"${String(value).replaceAll('"', '""')}"`;

/** Any input of these rows, in CSV or NDJSON. */
const input = fc.record({ rows, end, bom: fc.boolean(), blank: fc.boolean(), ended: fc.boolean() }).chain((one) => {
  const csv = ["id,text,age", ...one.rows.map(({ id, text, age }) => [id, text, age].map(quoted).join(","))];
  const ndjson = one.rows.map(({ id, text, age }) => JSON.stringify({ id, features: { age, text } }));
  const content = (lines: readonly string[]) =>
    `${one.bom ? "\uFEFF" : ""}${lines.join(one.blank ? `${one.end}${one.end}` : one.end)}${one.ended ? one.end : ""}`;
  return fc.constantFrom(
    { format: "csv" as const, rows: one.rows, bytes: Buffer.from(content(csv)) },
    { format: "ndjson" as const, rows: one.rows, bytes: Buffer.from(`${content(ndjson)}\n`) },
  );
});

const isRow = (one: InputRow | InputFault): one is InputRow => !isFault(one);

test("an input has the same rows at the same places, however its bytes come", async () => {
  await fc.assert(
    fc.asyncProperty(input, cuts, async ({ format, rows, bytes }, cuts) => {
      const whole = await read(bytes, rulesOf(format));
      expect(whole.filter(isRow).map(({ row, id, features }) => [row, id, JSON.parse(features ?? "")])).toEqual(
        rows.map(({ id, text, age }, at) => [at + 1, id, { text, age, income: null }]),
      );
      expect(await read(bytes, rulesOf(format), cuts)).toEqual(whole);
    }),
    { numRuns: 300 },
  );
});

test("reading goes on at any row, as if all before had been read", async () => {
  await fc.assert(
    fc.asyncProperty(input, cuts, async ({ format, bytes }, cuts) => {
      const whole = (await read(bytes, rulesOf(format))).filter(isRow);
      const opened = await openInput(bytes.subarray(0, headBytes), rulesOf(format));
      for (const [at, { row, line, offset }] of whole.entries()) {
        const rest = await all(opened.rows(chunksOf(bytes.subarray(offset), cuts), { row, line, offset }));
        expect(rest).toEqual(whole.slice(at));
      }
    }),
    { numRuns: 50 },
  );
});

test("a row of CSV carries its features in the contract's order, or is an id that is looked up where there is a group", async () => {
  expect(await rowsIn("age;zip;income;id;text\n07;x;;a;hello\n", rulesOf("csv"))).toEqual([
    { id: "a", features: '{"text":"hello","age":7,"income":null}' },
  ]);
  expect(await rowsIn("key,text,age\na,b,1\n", rulesOf("csv", group))).toEqual([
    { id: "a", features: '{"text":"b","age":1,"income":null}' },
  ]);
  expect(await rowsIn("key\n7\n\n8\n", rulesOf("csv", group))).toEqual([
    { id: "7", features: undefined },
    { id: "8", features: undefined },
  ]);
  const renamed = { columns: { key: "Nr.", text: "Title", age: "Years" } };
  expect(await rowsIn("Years,Title,Nr.\n1,b,a\n", rulesOf("csv", { ...group, ...renamed }))).toEqual([
    { id: "a", features: '{"text":"b","age":1,"income":null}' },
  ]);
});

test("a row of NDJSON is a request of id and features alone, and all are of one kind", async () => {
  expect(await rowsIn('{"id":"7"}\n\n{"id":"8"}', rulesOf("ndjson", group))).toEqual([
    { id: "7", features: undefined },
    { id: "8", features: undefined },
  ]);
  const mixed = '{"id":"7"}\n{"id":"8","features":{"text":"b","age":1}}\n{"id":"x"}\n{"id":"9","jobId":"j"}\n';
  expect(await faultsIn(mixed, rulesOf("ndjson", group))).toEqual([
    "2: the row has features, and rows before have none",
    "3: key must be a whole number of 64 bits, to be looked up",
    '4: a row has no "jobId", only id and features',
  ]);
  expect(await faultsIn('{"id":"7"}', rulesOf("ndjson"))).toEqual([
    "1: features is missing: there is no feature group, so every request carries its features",
  ]);
});

test.each([
  ["id,text\n", {}, "1: the header lacks age"],
  ["text,age\n", {}, "1: the header lacks id"],
  ["a\nb\n", group, "1: the header lacks key, text, age; a file of ids to look up has the column key alone"],
  ["key,zip\n", group, "1: the header lacks text, age; a file of ids to look up has the column key alone"],
  ["key,text\n", group, "1: the header lacks age; a file of ids to look up has the column key alone"],
  ["id,id,text,age\n", {}, "1: the header has id twice"],
  ["id,text,age\n", { columns: { zip: "x" } }, "1: columns is about zip, and may be about id, text, age, income"],
  ["id,text,age\n", { columns: { income: "x" } }, "1: the header lacks x"],
  [
    "id,text,age\n",
    { columns: { constructor: "x" } },
    "1: columns is about constructor, and may be about id, text, age, income",
  ],
  ["\n\n", {}, "1: the input has no header"],
  ["", {}, "the input is empty"],
  [`id,text,age,${"x".repeat(headBytes)}\n`, {}, "1: the header does not end within 1 MB"],
])("a header that is not right is a fault: %#", async (content, more, fault) => {
  expect(await faultsIn(content, rulesOf("csv", more))).toEqual([fault]);
});

test("each faulty row is told with its line, all that is wrong with it, and nothing of what it holds", async () => {
  const content = 'id,text,age\n"a\nb",secret,1\n,secret,secret\nc,,1e9999\nd,secret\ne,sec\0ret,1\n';
  expect(await faultsIn(content, rulesOf("csv"))).toEqual([
    '4: id must be Unicode text of 1 to 1,024 UTF-8 bytes, without NUL and without a space at its end, got "", age must be a whole number of 64 bits',
    "5: text is empty, age must be a whole number of 64 bits",
    "6: the row has 2 values, the header 3",
    "7: the row has a NUL, as no text has; the file may be of another encoding",
  ]);
  const lines = [
    "secret",
    "[1]",
    "7",
    '"secret"',
    '{"id":"7","features":{"text":"secret","age":"secret"}}',
    "{".repeat(100_000),
  ];
  const faults = await faultsIn(lines.join("\n"), rulesOf("ndjson"));
  expect(faults).toHaveLength(lines.length);
  expect(faults.join("\n")).not.toContain("secret");
});

test.each<[string, Buffer, string]>([
  ["UTF-16", Buffer.from("\uFEFFid,text,age\na,b,1\n", "utf16le"), "1: the file is UTF-16 LE; save it as UTF-8"],
  [
    "UTF-16 without a mark",
    Buffer.from("id,text,age\na,b,1\n", "utf16le"),
    "1: the file is UTF-16 LE; save it as UTF-8",
  ],
  [
    "Latin-1",
    Buffer.from("id,text,age\na,caf\xe9,1\n", "latin1"),
    "2: the byte E9 is no UTF-8; the file may be Windows-1252 or Latin-1; save it as UTF-8",
  ],
  [
    "a workbook",
    Buffer.from("504b0304aabb", "hex"),
    "1: the file is a workbook or another ZIP archive; save it as CSV in UTF-8",
  ],
  ["gzip", Buffer.from("1f8b0800aabb", "hex"), "1: the file is compressed by gzip; unpack it first"],
  ["a quote that never closes", Buffer.from('id,text,age\na,"b,1\n'), "2: the quote that opens here is never closed"],
  [
    "a row without an end",
    Buffer.from(`id,text,age\n1,"${"x\n".repeat(3_000_000)}`),
    "2: the row that starts here does not end within 4 MB; is a quote of it never closed?",
  ],
])("what is no CSV in UTF-8 is a fault: %s", async (_, content, fault) => {
  expect((await faultsIn(content, rulesOf("csv"))).at(-1)).toBe(fault);
});

test("a line of NDJSON that is too long, or no UTF-8, is a fault of that line alone", async () => {
  const row = '{"id":"7","features":{"text":"b","age":1}}\n';
  const content = Buffer.concat([
    Buffer.from(`${row}${"x".repeat(5_000_000)}\n`),
    Buffer.from([0xe9, 10]),
    Buffer.from(row),
  ]);
  const found = await read(content, rulesOf("ndjson"));
  expect(found.map((one) => (isFault(one) ? `${one.line}: ${one.reason}` : one.row))).toEqual([
    1,
    "2: the line does not end within 4 MB",
    "3: the line is no UTF-8",
    4,
  ]);
  expect(found.at(-1)).toMatchObject({ line: 4, offset: content.length - row.length });
});

test("an input is left as soon as its reader leaves it", async () => {
  let isLeft = false;
  async function* endless() {
    try {
      for (;;) yield Buffer.from('{"id":"7","features":{"text":"b","age":1}}\n'.repeat(1_000));
    } finally {
      isLeft = true;
    }
  }
  for await (const one of readInput(endless(), rulesOf("ndjson"))) if (!isFault(one) && one.row === 30_000) break;
  expect(isLeft).toBe(true);
  expect(inputStart).toEqual({ row: 1, line: 1, offset: 0 });
});
