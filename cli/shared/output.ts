import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { parquetTypes, parquetValues, type ResultType } from "../../contract/job-result";
import { csvLine } from "../../pipeline/csv";
import { tableLayout, terminalWidth } from "./text-table";

/** A column of what a command prints. */
export interface OutputColumn {
  readonly name: string;
  readonly type: ResultType;
  /** How wide it is in a table, which has only columns that say so. @default it is in files alone */
  readonly width?: number;
}

/** A row by the names of its columns. What has no value is left out; numbers may be in their digits. */
type OutputRow = Readonly<Record<string, string | number | Date | undefined>>;

/** What rows can be written as. */
const outputFormats = ["table", "csv", "json", "ndjson", "parquet"] as const;

export type OutputFormat = (typeof outputFormats)[number];

export interface OutputOptions {
  readonly format: OutputFormat;
  /** Whether CSV is written without live formulas. @default false */
  readonly safe?: boolean;
  readonly columns: readonly OutputColumn[];
  /** The file. It has its name once it is whole. @default standard output */
  readonly output?: string;
}

type Pages = AsyncIterable<readonly OutputRow[]>;
type Write = (pages: Pages, columns: readonly OutputColumn[], safe: boolean) => AsyncGenerator<string>;

const textOf = (value: OutputRow[string]) => (value instanceof Date ? value.toISOString() : String(value ?? ""));
/** https://www.rfc-editor.org/rfc/rfc8259#section-6 */
const jsonNumber = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;

const jsonOf = (row: OutputRow, columns: readonly OutputColumn[]) => {
  const members = columns.map(({ name, type }) => {
    const value = row[name] ?? null;
    const isDigits = (type === "integer" || type === "number") && typeof value === "string" && jsonNumber.test(value);
    return `${JSON.stringify(name)}:${isDigits ? value : JSON.stringify(value)}`;
  });
  return `{${members.join(",")}}`;
};

/** What a spreadsheet takes for a formula (https://owasp.org/www-community/attacks/CSV_Injection); a number is none. */
const isFormula = (text: string) => /^[=+\-@\t\r\n]/.test(text) && !/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text);

/** A text that a spreadsheet shows, and never runs. */
const safeText = (text: string) => (isFormula(text) ? `'${text}` : text);

const lines = (page: readonly OutputRow[], line: (row: OutputRow) => string) => page.map(line).join("");

const writers: Record<Exclude<OutputFormat, "parquet">, Write> = {
  async *table(pages, allColumns) {
    const columns = allColumns.filter(({ width }) => width !== undefined);
    const head = columns.map(({ name }) => name);
    const line = tableLayout(
      head,
      columns.map(({ width = 0 }) => width),
      terminalWidth(),
    );
    yield `${line(head)}\n`;
    for await (const page of pages)
      yield lines(page, (row) => `${line(columns.map(({ name }) => textOf(row[name])))}\n`);
  },
  async *csv(pages, columns, safe) {
    const cell = (row: OutputRow, name: string) => (safe ? safeText(textOf(row[name])) : textOf(row[name]));
    yield csvLine(columns.map(({ name }) => name));
    for await (const page of pages) yield lines(page, (row) => csvLine(columns.map(({ name }) => cell(row, name))));
  },
  async *json(pages, columns) {
    let start = "[\n";
    for await (const page of pages) {
      for (const row of page) {
        yield `${start}${jsonOf(row, columns)}`;
        start = ",\n";
      }
    }
    yield start === "[\n" ? "[]\n" : "\n]\n";
  },
  async *ndjson(pages, columns) {
    for await (const page of pages) yield lines(page, (row) => `${jsonOf(row, columns)}\n`);
  },
};

async function* parquetRows(pages: Pages, columns: readonly OutputColumn[]) {
  for await (const page of pages) {
    for (const row of page) {
      const cells = columns.map(({ name, type }) => {
        const value = row[name];
        return [name, value === undefined ? undefined : parquetValues[type](value)] as const;
      });
      yield Object.fromEntries(cells);
    }
  }
}

async function writeParquet(pages: Pages, columns: readonly OutputColumn[], path: string): Promise<void> {
  const { fileWriter, parquetWriteRows } = await import("hyparquet-writer");
  await parquetWriteRows({
    writer: fileWriter(path),
    rows: parquetRows(pages, columns),
    columns: columns.map(({ name, type }) => ({ name, type: parquetTypes[type] })),
    rowGroupSize: 10_000,
  });
}

/**
 * Writes rows as they come, a page at a time. A file is written beside its place and put there once it is whole.
 * @throws when it is Parquet for standard output, or the rows end with an error; then there is no file
 */
export async function writeRows(pages: Pages, { format, safe = false, columns, output }: OutputOptions): Promise<void> {
  if (output === undefined) {
    if (format === "parquet") throw new Error("Parquet is no text: name a file for it by --output");
    for await (const text of writers[format](pages, columns, safe)) {
      if (!process.stdout.write(text)) await once(process.stdout, "drain");
    }
    return;
  }
  const partial = `${output}.${process.pid}.part`;
  try {
    if (format === "parquet") await writeParquet(pages, columns, partial);
    else await pipeline(Readable.from(writers[format](pages, columns, safe)), createWriteStream(partial));
    const file = await open(partial);
    await file.sync();
    await file.close();
    await rename(partial, output);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}
