import { bytesOf } from "../contract/bytes";
import { featureText } from "../contract/feature-values";
import { listed } from "../contract/listed";
import type { Feature } from "../contract/model-contract";

/** The file cannot be used. The message says where and why, a line a fault: `file:line:column: what is wrong`. */
export class InvalidCsv extends Error {
  override readonly name = "InvalidCsv";

  /** @param fault the one fault that it is about, where it is of one line */
  constructor(
    message: string,
    readonly fault?: { readonly line: number; readonly reason: string },
  ) {
    super(message);
  }
}

/** @param place `line:column` */
const invalidAt = (name: string, place: string, reason: string) =>
  new InvalidCsv(`${name}:${place}: ${reason}`, { line: Number.parseInt(place, 10), reason });

/** A place between two rows. */
export interface RowPlace {
  /** In bytes, from the file's start. */
  readonly offset: number;
  /** The line that starts there, from 1. */
  readonly line: number;
}

export const fileStart: RowPlace = { offset: 0, line: 1 };

/** A row of a CSV file. */
export interface CsvRow {
  /** The line that it starts in, from 1. */
  readonly line: number;
  /** Where it starts in the file, in bytes. */
  readonly offset: number;
  readonly values: readonly string[];
  /** Its text, and where in that each value starts. */
  readonly text: string;
  readonly starts: readonly number[];
}

const delimiters = [",", ";", "\t", "|"];
export const mebibyte = 1024 * 1024;
/** No row that anything here takes is longer. Without a limit, a quote that is never closed takes the whole file. */
const rowCharacters = 4 * mebibyte;
/** What is looked at to know the encoding and the delimiter. */
export const headBytes = mebibyte;

const syntaxReasons = {
  unclosed: "the quote that opens here is never closed",
  closed: 'the quoted field that starts here goes on after its closing quote; write " inside it as ""',
  opened:
    'the field that starts here has a quote after other text or a space; put the whole field in quotes, and write " in it as ""',
  endless: "the row that starts here does not end within 4 MB; is a quote of it never closed?",
};

const signatures: readonly { readonly starts: string; readonly is: string; readonly instead?: string }[] = [
  { starts: "fffe0000", is: "UTF-32 LE" },
  { starts: "0000feff", is: "UTF-32 BE" },
  { starts: "fffe", is: "UTF-16 LE" },
  { starts: "feff", is: "UTF-16 BE" },
  { starts: "504b0304", is: "a workbook or another ZIP archive", instead: "save it as CSV in UTF-8" },
  { starts: "1f8b", is: "compressed by gzip", instead: "unpack it first" },
  { starts: "50415231", is: "Parquet", instead: "save it as CSV in UTF-8" },
];

/** @throws InvalidCsv when a file begins as no text in UTF-8 does */
export function mustBeText(name: string, head: Buffer): void {
  const found = signatures.find(({ starts }) => head.toString("hex", 0, 4).startsWith(starts)) ?? utf16In(head);
  if (found === undefined) return;
  throw invalidAt(name, "1:1", `the file is ${found.is}; ${found.instead ?? "save it as UTF-8"}`);
}

/** UTF-16 without a byte order mark: every other byte of what is mostly Latin is NUL. */
function utf16In(head: Buffer): (typeof signatures)[number] | undefined {
  const start = head.subarray(0, 1000);
  const nulsAt = (parity: number) => start.filter((byte, place) => byte === 0 && place % 2 === parity).length;
  const [even, odd] = [nulsAt(0), nulsAt(1)];
  if (even + odd === 0 || Math.max(even, odd) < start.length / 8 || Math.min(even, odd) > Math.max(even, odd) / 8)
    return undefined;
  return { starts: "", is: odd > even ? "UTF-16 LE" : "UTF-16 BE" };
}

/** How a file is CSV. */
export interface Dialect {
  readonly delimiter: string;
  /** How long a first line is that only names the delimiter, with its end. */
  readonly skipped: number;
}

/**
 * Looks at the first bytes of a file, of which {@link headBytes} are enough.
 * @param delimiter what is between two values @default what a line `sep=` says, else that by which the header has the most columns
 * @throws InvalidCsv where it begins as no text in UTF-8 does
 */
export function dialectOf(name: string, head: Buffer, delimiter?: string): Dialect {
  mustBeText(name, head);
  const text = head.toString("utf8").replace(/^\uFEFF/, "");
  const [line = "", named] = /^"?sep=([^"\r\n])"?(?:\r\n|\n|\r|$)/i.exec(text) ?? [];
  const rest = text.slice(line.length).replace(/^\s*?[\r\n]+/, "");
  const columnsBy = (delimiter: string) => firstRowOf(rest, delimiter)?.length ?? 0;
  const [most = ","] = delimiters.toSorted((one, other) => columnsBy(other) - columnsBy(one));
  return { delimiter: delimiter ?? named ?? most, skipped: line.length };
}

/** What is read of a row. It needs more text where it has no end. */
type Scanned =
  | {
      readonly values: string[];
      readonly starts: number[];
      readonly end: number;
      readonly hasBreaks: boolean;
    }
  | { readonly reason: "more" | keyof typeof syntaxReasons; readonly at: number };

/** Reads the row that starts at a place of a text. */
function scan(text: string, start: number, delimiter: string, isLast: boolean): Scanned {
  const between = delimiter.charCodeAt(0);
  const values: string[] = [];
  const starts: number[] = [];
  let hasBreaks = false;
  for (let at = start; ; at++) {
    const begin = at;
    if (text.charCodeAt(at) === quote) {
      let value = "";
      for (let from = at + 1; ; ) {
        const close = text.indexOf('"', from);
        if (close === -1) return { reason: isLast ? "unclosed" : "more", at: begin };
        if (close + 1 === text.length && !isLast) return { reason: "more", at: begin };
        at = close + 1;
        if (text.charCodeAt(at) !== quote) {
          value += text.slice(from, close);
          break;
        }
        value += text.slice(from, at);
        from = at + 1;
      }
      hasBreaks ||= /[\r\n]/.test(value);
      values.push(value);
    } else {
      for (; at < text.length; at++) {
        const code = text.charCodeAt(at);
        if (code === between || code === newline || code === carriageReturn) break;
        if (code === quote) return { reason: "opened", at: begin };
      }
      values.push(text.slice(begin, at));
    }
    starts.push(begin - start);
    if (at === text.length) return isLast ? { values, starts, end: at, hasBreaks } : { reason: "more", at };
    const code = text.charCodeAt(at);
    if (code === between) continue;
    if (code === newline) return { values, starts, end: at + 1, hasBreaks };
    if (code !== carriageReturn) return { reason: "closed", at: begin };
    if (at + 1 === text.length && !isLast) return { reason: "more", at };
    return { values, starts, end: text.charCodeAt(at + 1) === newline ? at + 2 : at + 1, hasBreaks };
  }
}

const [quote, newline, carriageReturn] = [34, 10, 13];

/** The values of a text's first row; undefined where that is no CSV. */
export function firstRowOf(text: string, delimiter = ","): readonly string[] | undefined {
  const row = scan(text, 0, delimiter, true);
  return "reason" in row ? undefined : row.values;
}

/**
 * Reads rows, the header among them. Rows without any value are left out.
 * @param chunks all bytes of the file from that place on
 * @param from where a row starts @default the start of the file
 * @throws InvalidCsv where the file stops to be CSV
 */
export async function* rowsIn(
  name: string,
  chunks: AsyncIterable<Buffer>,
  { delimiter, skipped }: Dialect,
  from = fileStart,
): AsyncGenerator<CsvRow, void, undefined> {
  let text = "";
  let { offset, line } = from;
  let isStart = offset === 0;
  let toSkip = isStart ? skipped : 0;

  function* take(more: string, isLast: boolean): Generator<CsvRow> {
    text += more;
    let start = 0;
    if (isStart && text !== "") {
      isStart = false;
      if (text.startsWith("\uFEFF")) {
        offset += bytesOf("\uFEFF");
        text = text.slice(1);
      }
    }
    if (toSkip > 0 && text.length >= toSkip) {
      offset += bytesOf(text.slice(0, toSkip));
      [start, toSkip] = [toSkip, 0];
      line++;
    }
    while (start < text.length && toSkip === 0) {
      const row = scan(text, start, delimiter, isLast);
      if ("reason" in row) {
        const isEndless = row.reason === "more" && text.length - start > rowCharacters;
        if (row.reason === "more" && !isEndless) break;
        const at = isEndless ? start : row.at;
        const reason = syntaxReasons[row.reason === "more" ? "endless" : row.reason];
        throw invalidAt(name, placeAfter(line, text.slice(start, at)), reason);
      }
      const { values, starts, end, hasBreaks } = row;
      const ofRow = text.slice(start, end);
      if (values.some((value) => value.trim() !== "")) yield { line, offset, values, text: ofRow, starts };
      line += hasBreaks ? breaksIn(ofRow) : 1;
      offset += bytesOf(ofRow);
      start = end;
    }
    text = text.slice(start);
  }

  const decoded = textIn(chunks, (bytes) => notUtf8(name, line, text, bytes));
  for await (const more of decoded) yield* take(more, false);
  yield* take("", true);
}

/** The text of a file as its bytes come. @param faultOf what is wrong with bytes that are no UTF-8 */
async function* textIn(
  chunks: AsyncIterable<Buffer>,
  faultOf: (bytes: Buffer) => InvalidCsv,
): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let held: Buffer = Buffer.alloc(0); // what the decoder may hold of the chunk before
  for await (const chunk of chunks) {
    let more: string;
    try {
      more = decoder.decode(chunk, { stream: true });
    } catch {
      throw faultOf(Buffer.concat([held, chunk]));
    }
    held = chunk.subarray(-3).subarray(incompleteAt(chunk.subarray(-3)));
    yield more;
  }
  try {
    decoder.decode();
  } catch {
    throw faultOf(held);
  }
}

/** Where, in the last bytes of a chunk, a character starts that the next chunk goes on with. */
function incompleteAt(bytes: Buffer): number {
  for (let place = bytes.length - 1; place >= 0; place--) {
    const byte = bytes[place] ?? 0;
    if (byte < 0x80) return bytes.length;
    if (byte < 0xc0) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    return place + length > bytes.length ? place : bytes.length;
  }
  return bytes.length;
}

/** The first byte that is no UTF-8, where it is, and what the file may be. */
function notUtf8(name: string, line: number, before: string, bytes: Buffer): InvalidCsv {
  const decoded = Buffer.from(bytes.toString("utf8"));
  const place = bytes.findIndex((byte, index) => byte !== decoded[index]);
  const at = place === -1 ? bytes.length - 1 : place;
  const byte = bytes[at] ?? 0;
  const encoding = byte >= 0x80 && byte < 0xa0 ? "Windows-1252" : "Windows-1252 or Latin-1";
  const where = placeAfter(line, before + bytes.toString("utf8", 0, at).replace(/^\uFEFF/, ""));
  const [hexadecimal, reason] = [byte.toString(16).toUpperCase(), `the file may be ${encoding}; save it as UTF-8`];
  return invalidAt(name, where, `the byte ${hexadecimal} is no UTF-8; ${reason}`);
}

const lineEnd = /\r\n|\n|\r/g;
const breaksIn = (text: string) => text.match(lineEnd)?.length ?? 0;

/** `line:column` after a text that starts with a line, as an editor counts them. */
function placeAfter(line: number, text: string): string {
  const lines = text.split(lineEnd);
  return `${line + lines.length - 1}:${(lines.at(-1) ?? "").length + 1}`;
}

/** `line:column` of a value of a row; of the row's start where it has no such value. */
export const placeOf = ({ line, text, starts }: CsvRow, value = 0) =>
  placeAfter(line, text.slice(0, starts[value] ?? 0));

/** A text without what nobody sees around it. */
export const trimmed = (text: string) => text.replace(/^[\s\p{DI}\p{Cc}]+|[\s\p{DI}\p{Cc}]+$/gu, "");

/** Whether a text shows nothing: it is empty, or has only spaces of any kind. */
export const isBlank = (text: string) => text === "" || trimmed(text) === "";

/** The value of a feature in a field; null where it has none and may have none, undefined where it must have another. */
export function featureOfField({ type, optional }: Feature, text: string): string | null | undefined {
  if (isBlank(text)) return optional ? null : undefined;
  return featureText(type, type === "String" ? text : trimmed(text));
}

/** Names as a sentence lists them: the first of many. */
export const someOf = (names: readonly string[]): string => listed(names, 20, (count) => count.toLocaleString("en"));

/** What a header must have, and what it may have. */
export interface Columns<Required extends string, Optional extends string> {
  readonly required: readonly Required[];
  readonly optional?: readonly Optional[];
}

/** Where columns are in a file. */
export interface FoundColumns<Column extends string> {
  /** What a row has in a column; undefined where the file has no such column. */
  valueIn(row: CsvRow, column: Column): string | undefined;
  /** The number of a column, from 0. */
  placeOf(column: Column): number | undefined;
  /** How many columns have a name. Those behind them may have no value. */
  readonly width: number;
  /** The names of all others. */
  readonly others: readonly string[];
}

/** What is wrong with a header. */
export class InvalidHeader extends InvalidCsv {}

/**
 * Finds columns in a header, in any order.
 * @throws InvalidHeader with all that is wrong with it
 */
export function columnsOf<Required extends string, Optional extends string = never>(
  name: string,
  header: CsvRow | undefined,
  { required, optional = [] }: Columns<Required, Optional>,
): FoundColumns<Required | Optional> {
  const may = optional.length > 0 ? `; ${someOf(optional)} may be there too` : "";
  const allowed = `the columns are ${someOf(required)}${may}`;
  if (header === undefined) throw new InvalidHeader(`${name}:1:1: the file is empty; ${allowed}`);
  const names = header.values.map((value) => trimmed(value).normalize("NFC"));
  const width = names.findLastIndex((column) => column !== "") + 1;
  const known = new Set<string>([...required, ...optional]);
  const places = new Map<string, number>();
  const faults: { value: number; reason: string }[] = [];
  for (const [value, column] of names.entries()) {
    if (!places.has(column)) places.set(column, value);
    else if (known.has(column)) faults.push({ value, reason: `column ${JSON.stringify(column)} is named twice` });
  }
  const missing = required.filter((column) => !places.has(column));
  if (missing.length > 0) faults.push({ value: 0, reason: `the header lacks ${someOf(missing)}` });
  if (faults.length > 0) {
    const lines = faults.map(({ value, reason }) => `${name}:${placeOf(header, value)}: ${reason}; ${allowed}`);
    throw new InvalidHeader(lines.join("\n"));
  }
  return {
    valueIn: ({ values }, column) => {
      const place = places.get(column);
      return place === undefined ? undefined : (values[place] ?? "");
    },
    placeOf: (column) => places.get(column),
    width,
    others: names.slice(0, width).flatMap((column, place) => {
      if (known.has(column)) return [];
      return [column === "" ? `column ${place + 1}, which has no name` : column];
    }),
  };
}

/** What is wrong with how many values a row has; undefined where nothing is. */
export function widthFault({ values }: CsvRow, width: number): { value: number; reason: string } | undefined {
  const count = Math.max(width, values.findLastIndex((value) => !isBlank(value)) + 1);
  const reason = `the row has ${Math.min(values.length, count)} values, the header ${width}`;
  if (values.length < width) return { value: 0, reason };
  if (count > width) return { value: width, reason: `${reason}; a text with the delimiter in it must stand in quotes` };
  return undefined;
}

/** A line of CSV, with its end. A value is in quotes where it must be. */
export const csvLine = (values: readonly string[]) =>
  `${values.map((value) => (/[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value)).join(",")}\n`;
