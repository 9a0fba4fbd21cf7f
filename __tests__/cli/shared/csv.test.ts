import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { openCsv, withCsv } from "../../../cli/shared/csv";
import { type CsvRow, csvLine, placeOf } from "../../../pipeline/csv";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "csv-"));
});
afterAll(() => rm(folder, { recursive: true }));

const write = async (content: string | Buffer) => {
  const path = join(folder, "rows.csv");
  await writeFile(path, content);
  return path;
};

const rowsOf = async (content: string | Buffer, delimiter?: string) =>
  withCsv(await write(content), { delimiter }, async (file) => {
    const rows: CsvRow[] = file.header === undefined ? [] : [file.header];
    for await (const row of file.rows()) rows.push(row);
    return rows;
  });

const delimiter = fc.constantFrom(",", ";", "\t", "|");
const value = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 12 }),
  fc.string({
    unit: fc.constantFrom('"', ",", ";", "\t", "|", "\n", "\r", "\r\n", " ", "a", "\u{1F980}"),
    maxLength: 8,
  }),
);
const isThere = (text: string) => text.trim() !== "";
/** A table of several columns, which its header names, and of rows with something in each. */
const table = fc.integer({ min: 2, max: 5 }).chain((width) => {
  const row = fc.array(value, { minLength: width, maxLength: width }).filter((values) => values.some(isThere));
  return fc.record({ header: fc.constant(Array.from({ length: width }, (_, at) => `c${at}`)), rows: fc.array(row) });
});

test("any table reads back as it was written, whatever parts its values and ends its lines", async () => {
  await fc.assert(
    fc.asyncProperty(
      table,
      delimiter,
      fc.constantFrom("\n", "\r\n", "\r"),
      fc.record({
        bom: fc.boolean(),
        sep: fc.boolean(),
        quotes: fc.boolean(),
        ends: fc.boolean(),
        named: fc.boolean(),
      }),
      async ({ header, rows }, between, end, { bom, sep, quotes, ends, named }) => {
        const needsQuotes = (text: string) => quotes || /["\r\n]/.test(text) || text.includes(between);
        const field = (text: string) => (needsQuotes(text) ? `"${text.replaceAll('"', '""')}"` : text);
        const lines = [header, ...rows].map((values) => values.map(field).join(between));
        const text = `${bom ? "\uFEFF" : ""}${sep ? `sep=${between}${end}` : ""}${lines.join(end)}${ends ? end : ""}`;
        const read = await rowsOf(text, named ? between : undefined);
        expect(read.map(({ values }) => values)).toEqual([header, ...rows]);
      },
    ),
    { numRuns: 300 },
  );
});

test("a line that this program writes reads back, across the chunks that a file is read in", async () => {
  const rows = Array.from({ length: 5_000 }, (_, at) => [`${at}`, `"é\u{1F980}", line\n${"x".repeat(at % 97)}`, "\r"]);
  const read = await rowsOf([["a", "b", "c"], ...rows].map(csvLine).join(""));
  expect(read.slice(1).map(({ values }) => values)).toEqual(rows);
  expect(read.slice(1).map(({ line }) => line)).toEqual(rows.map((_, at) => 2 + 3 * at));
});

test("the place of a value is counted as an editor does, through breaks in quotes and a byte order mark", async () => {
  for (const end of ["\n", "\r\n", "\r"]) {
    const rows = await rowsOf(`\uFEFFid,b,c${end}${end}1,"two${end}lines",b${end}2,é\u{1F980},c`);
    expect(rows.map((row) => [placeOf(row), placeOf(row, 2)])).toEqual([
      ["1:1", "1:6"],
      ["3:1", "4:8"],
      ["5:1", "5:7"],
    ]);
  }
});

test("the delimiter is that by which the header has the most columns", async () => {
  for (const [header, expected] of [
    ["id;a,b;c", ";"],
    ["id\ta b\tc", "\t"],
    ['"id;x;y;z",a', ","],
    ["id", ","],
    ["\n\nid|a", "|"],
  ] as const) {
    const file = await openCsv(await write(`${header}\n`));
    expect(file.delimiter).toBe(expected);
    await file.close();
  }
});

test("rows without any value are passed over, and a row that never ends is told where it starts", async () => {
  expect((await rowsOf("a,b\n,\n \n1,2\n,,,\n")).map(({ line }) => line)).toEqual([1, 4]);
  const endless = rowsOf(`a,b\n1,2\n3,"${"x\n".repeat(3_000_000)}`);
  await expect(endless).rejects.toThrow("rows.csv:3:1: the row that starts here does not end within 4 MB");
});

test("a character that a file's end cuts through is told", async () => {
  const cut = Buffer.concat([Buffer.from("a,b\n1,K"), Buffer.from("ö").subarray(0, 1)]);
  await expect(rowsOf(cut)).rejects.toThrow("rows.csv:2:4: the byte C3 is no UTF-8");
});

test("says which file cannot be read, and why", async () => {
  await expect(openCsv(join(folder, "none.csv"))).rejects.toThrow(
    `cannot read ${join(folder, "none.csv")}: there is no such file`,
  );
  await expect(openCsv(folder)).rejects.toThrow(`cannot read ${folder}: it is a folder`);
});
