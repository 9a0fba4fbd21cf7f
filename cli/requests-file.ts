import { readFile } from "node:fs/promises";
import { CsvError, parse } from "csv-parse/sync";
import { unreadable } from "./jobs/csv";

/** One row of a request file: an input's id and the two sentences to compare. */
export interface RequestRow {
  readonly id: string;
  readonly seq_0: string;
  readonly seq_1: string;
}

/** The file cannot be used. The message names its faults (the first 20), each as `file:line:column: what is wrong`. */
export class InvalidRequestsFile extends Error {
  override readonly name = "InvalidRequestsFile";
}

/** A field of the file, and where it starts, in bytes. */
type Field = { value: string; offset: number };
/** What is wrong, where, and what other place it has to do with. */
type Fault = { reason: string; offset: number; firstOffset?: number };

const columns: readonly string[] = ["id", "seq_0", "seq_1"] satisfies (keyof RequestRow)[];
const allowed = columns.join(", ");
const faultsShown = 20;

/** What is wrong where a file stops to be CSV, by csv-parse's code. */
const syntaxReasons: Record<string, string> = {
  CSV_QUOTE_NOT_CLOSED: "the quote that opens here is never closed",
  CSV_INVALID_CLOSING_QUOTE:
    'the quoted field that starts here goes on after its closing quote; write " inside it as ""',
  INVALID_OPENING_QUOTE:
    'the field that starts here has a quote after other text or a space; put the whole field in quotes, and write " in it as ""',
};

/**
 * Reads a CSV file of requests: UTF-8, a header of `id`, `seq_0` and `seq_1` in any order, no empty value, no id twice.
 * The whole file is held in memory and checked before the first row is returned.
 *
 * @throws InvalidRequestsFile when the file cannot be read or has faults
 */
export async function readRequestsFile(path: string): Promise<RequestRow[]> {
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    throw new InvalidRequestsFile(unreadable(path, error));
  });
  const { rows, faults } = requestsIn(bytes);
  if (faults.length === 0) return rows;

  const lines = faults.slice(0, faultsShown).map(({ reason, offset, firstOffset }) => {
    const { line, column } = positionIn(bytes, offset);
    const first = firstOffset === undefined ? "" : `, first in line ${positionIn(bytes, firstOffset).line}`;
    return `${path}:${line}:${column}: ${reason}${first}`;
  });
  if (faults.length > faultsShown) lines.push(`and ${faults.length - faultsShown} more`);
  throw new InvalidRequestsFile(lines.join("\n"));
}

function requestsIn(bytes: Buffer): { rows: RequestRow[]; faults: Fault[] } {
  const rows: RequestRow[] = [];
  const decoded = Buffer.from(bytes.toString("utf8"));
  const notUtf8 = bytes.findIndex((byte, index) => byte !== decoded[index]);
  if (notUtf8 !== -1) return { rows, faults: [{ reason: "not UTF-8 text; save the file as UTF-8", offset: notUtf8 }] };

  const { records, syntaxFault } = recordsIn(bytes);
  const [header, ...body] = records;
  const faults = header === undefined ? [] : headerFaults(header);
  if (header === undefined && syntaxFault === undefined)
    return { rows, faults: [{ reason: `the file is empty; its first line must be ${allowed}`, offset: 0 }] };

  const names = header?.map(({ value }) => value) ?? [];
  const firstOffsets = new Map<string, number>();
  for (const record of faults.length === 0 ? body : []) {
    const [id, seq_0, seq_1] = columns.map((column) => record[names.indexOf(column)]);
    if (id === undefined || seq_0 === undefined || seq_1 === undefined || record.length > columns.length) {
      const hint = record.length > columns.length ? "; a sentence with a comma must stand in double quotes" : "";
      const reason = `a row has ${columns.length} fields (${allowed}), this one has ${record.length}${hint}`;
      faults.push({ reason, offset: (record[columns.length] ?? record[0])?.offset ?? 0 });
      continue;
    }
    for (const [column, { value, offset }] of Object.entries({ id, seq_0, seq_1 }))
      if (value.trim() === "") faults.push({ reason: `${column} is empty`, offset });
    const firstOffset = firstOffsets.get(id.value);
    if (firstOffset === undefined) firstOffsets.set(id.value, id.offset);
    else if (id.value.trim() !== "")
      faults.push({ reason: `id ${JSON.stringify(id.value)} is used twice`, offset: id.offset, firstOffset });
    rows.push({ id: id.value, seq_0: seq_0.value, seq_1: seq_1.value });
  }
  faults.sort((one, other) => one.offset - other.offset);
  if (syntaxFault !== undefined) faults.push(syntaxFault);
  else if (faults.length === 0 && rows.length === 0)
    faults.push({ reason: "no request follows the header", offset: bytes.length });
  return { rows, faults };
}

/** Splits the file into records, leaving out blank lines, up to the first place that is not CSV. */
function recordsIn(bytes: Buffer): { records: Field[][]; syntaxFault?: Fault } {
  const records: Field[][] = [];
  let fields: Field[] = [];
  let offset = 0;
  try {
    parse(bytes, {
      bom: true,
      record_delimiter: ["\r\n", "\n"],
      relax_column_count: true,
      cast: (value, { bytes: end }) => {
        fields.push({ value, offset });
        offset = end + 1;
        return value;
      },
      on_record: (_record, { bytes: end }) => {
        if (fields.length > 1 || fields[0]?.value.trim() !== "") records.push(fields);
        fields = [];
        offset = end;
        return null;
      },
    });
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    return { records, syntaxFault: { reason: syntaxReasons[error.code] ?? error.message, offset } };
  }
  return { records };
}

function headerFaults(header: Field[]): Fault[] {
  const names = header.map(({ value }) => value);
  const faults: Fault[] = header.flatMap(({ value, offset }, index) => {
    const what = !columns.includes(value) ? "unknown" : names.indexOf(value) !== index ? "named twice" : undefined;
    if (what === undefined) return [];
    return { reason: `column ${JSON.stringify(value)} is ${what}; the columns are ${allowed}`, offset };
  });
  const missing = columns.filter((column) => !names.includes(column));
  if (missing.length > 0)
    faults.push({ reason: `the header lacks ${missing.join(", ")}; the columns are ${allowed}`, offset: 0 });
  return faults;
}

/** Line and column as an editor counts them, from 1. */
function positionIn(bytes: Buffer, offset: number): { line: number; column: number } {
  const lines = bytes
    .subarray(0, offset)
    .toString("utf8")
    .replace(/^\uFEFF/, "")
    .split("\n");
  return { line: lines.length, column: (lines.at(-1) ?? "").length + 1 };
}
