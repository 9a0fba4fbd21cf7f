import { isUtf8 } from "node:buffer";
import { createReadStream } from "node:fs";
import { pipeline } from "node:stream";
import { CsvError, parse } from "csv-parse";

/** The file cannot be used. The message says where and why, as `file:line: what is wrong`. */
export class InvalidCsv extends Error {
  override readonly name = "InvalidCsv";
}

/** A row of a CSV file, and the line that it starts in, from 1. */
export interface CsvRow {
  readonly line: number;
  readonly values: readonly string[];
}

/** No row that anything here takes is longer. Without a limit, a quote that is never closed takes the whole file. */
const rowBytes = 4 * 1024 * 1024;

/** What is wrong where a file stops to be CSV, by csv-parse's code. */
export const syntaxReasons: Record<string, string> = {
  CSV_QUOTE_NOT_CLOSED: "the quote that opens here is never closed",
  CSV_INVALID_CLOSING_QUOTE:
    'the quoted field that starts here goes on after its closing quote; write " inside it as ""',
  INVALID_OPENING_QUOTE:
    'the field that starts here has a quote after other text or a space; put the whole field in quotes, and write " in it as ""',
  CSV_MAX_RECORD_SIZE: "the row that starts here does not end within 4 MB; is a quote of it never closed?",
};

const readFaults: Record<string, string> = { ENOENT: "there is no such file", EISDIR: "it is a folder" };

/** That a file cannot be read, and why, for people. */
export const unreadable = (path: string, error: NodeJS.ErrnoException) =>
  `cannot read ${path}: ${readFaults[error.code ?? ""] ?? error.message}`;

const isUnreadable = (error: unknown): error is NodeJS.ErrnoException =>
  typeof error === "object" && error !== null && "syscall" in error;

/** As many newlines as a value has: its row takes so many lines more. */
const newlinesIn = (text: string) => (text.includes("\n") ? text.split("\n").length - 1 : 0);

/**
 * Reads the rows of a CSV file, the header as the first of them, as a stream: UTF-8, with a byte order mark or without,
 * blank lines left out.
 * @throws InvalidCsv when it cannot be read, or where it stops to be CSV
 */
export async function* readCsv(path: string): AsyncGenerator<CsvRow, void, undefined> {
  let next = 1;
  const lines: number[] = []; // where the rows start that are parsed and not yet handed out
  const parser = parse({
    bom: true,
    record_delimiter: ["\r\n", "\n"],
    relax_column_count: true,
    max_record_size: rowBytes,
    on_record: (values) => {
      const line = next;
      next = values.reduce((sum, value) => sum + newlinesIn(value), line + 1);
      if (values.length === 1 && values[0]?.trim() === "") return null;
      lines.push(line);
      return values;
    },
  });
  pipeline(
    createReadStream(path),
    (chunks) => mustBeUtf8(path, chunks),
    parser,
    () => {}, // the parser is told, and throws below
  );
  const rows: AsyncIterable<string[]> = parser;
  try {
    for await (const values of rows) yield { line: lines.shift() ?? next, values };
  } catch (error) {
    if (error instanceof CsvError) {
      throw new InvalidCsv(`${path}:${next}: ${syntaxReasons[error.code] ?? error.message}`);
    }
    throw isUnreadable(error) ? new InvalidCsv(unreadable(path, error)) : error;
  }
}

async function* mustBeUtf8(path: string, chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let lines = 0;
  for await (const chunk of chunks) {
    try {
      decoder.decode(chunk, { stream: true });
    } catch {
      const faulty = linesOf(chunk).findIndex((line) => !isUtf8(line));
      throw new InvalidCsv(`${path}:${lines + 1 + Math.max(faulty, 0)}: not UTF-8 text; save the file as UTF-8`);
    }
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) lines++;
    yield chunk;
  }
}

const linesOf = (chunk: Buffer): Buffer[] => {
  const lines: Buffer[] = [];
  let start = 0;
  for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, start)) {
    lines.push(chunk.subarray(start, at));
    start = at + 1;
  }
  return [...lines, chunk.subarray(start)];
};

/** What a header must have, and what it may have. */
export interface Columns<Required extends string, Optional extends string> {
  readonly required: readonly Required[];
  readonly optional?: readonly Optional[];
  /** Those that may be there besides. Any other is refused. @default all others */
  readonly passedOver?: readonly string[] | "all others";
}

/** What a row has in a column; undefined where the file has no such column. */
export type ValueOf<Column extends string> = (row: CsvRow, column: Column) => string | undefined;

/**
 * Finds columns in a header, in any order.
 * @throws InvalidCsv with all that is wrong with it
 */
export function columnsOf<Required extends string, Optional extends string = never>(
  path: string,
  header: CsvRow | undefined,
  { required, optional = [], passedOver = "all others" }: Columns<Required, Optional>,
): ValueOf<Required | Optional> {
  const known: readonly string[] = [...required, ...optional];
  const may = optional.length > 0 ? `; ${optional.join(", ")} may be there too` : "";
  const allowed = `the columns are ${required.join(", ")}${may}`;
  if (header === undefined) throw new InvalidCsv(`${path}:1: the file is empty; ${allowed}`);
  const { line, values: names } = header;
  const mayBeThere = (name: string) => passedOver === "all others" || passedOver.includes(name);
  const faults = names.flatMap((name, place) => {
    if (!known.includes(name)) return mayBeThere(name) ? [] : [`column ${JSON.stringify(name)} is unknown`];
    return names.indexOf(name) === place ? [] : [`column ${JSON.stringify(name)} is named twice`];
  });
  const missing = required.filter((name) => !names.includes(name));
  if (missing.length > 0) faults.push(`the header lacks ${missing.join(", ")}`);
  if (faults.length > 0) {
    throw new InvalidCsv(faults.map((fault) => `${path}:${line}: ${fault}; ${allowed}`).join("\n"));
  }
  const places = new Map(names.map((name, place) => [name, place]));
  return ({ values }, column) => {
    const place = places.get(column);
    return place === undefined ? undefined : (values[place] ?? "");
  };
}

/** A line of CSV, with its end. A value is in quotes where it must be. */
export const csvLine = (values: readonly string[]) =>
  `${values.map((value) => (/[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value)).join(",")}\n`;
