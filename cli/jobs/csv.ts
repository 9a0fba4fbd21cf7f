import { createHash, randomUUID } from "node:crypto";
import { type FileHandle, open, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { listed } from "../../contract/listed";
import { whole } from "../numbers";

/** The file cannot be used. The message says where and why, a line a fault: `file:line:column: what is wrong`. */
export class InvalidCsv extends Error {
  override readonly name = "InvalidCsv";
}

/** A row of a CSV file. */
export interface CsvRow {
  /** The line that it starts in, from 1. */
  readonly line: number;
  readonly values: readonly string[];
  /** Its text, and where in that each value starts. */
  readonly text: string;
  readonly starts: readonly number[];
}

/** What tells a file from another, and from itself once it has changed. */
export interface CsvIdentity {
  readonly file: string;
  readonly bytes: number;
  readonly version: string;
}

/** A CSV file whose rows can be read as often as needed. */
export interface CsvFile {
  /** What it is called in errors: its path, or `stdin`. */
  readonly name: string;
  /** Whether it was a pipe, which is there once. */
  readonly isPipe: boolean;
  readonly delimiter: string;
  readonly identity: CsvIdentity;
  /** Undefined where the file is empty. */
  readonly header: CsvRow | undefined;
  /** The rows below the header. Rows without any value are left out. @throws InvalidCsv where the file stops to be CSV */
  rows(): AsyncGenerator<CsvRow, void, undefined>;
  /** Writes all that it holds into another file. */
  copyTo(path: string): Promise<void>;
  close(): Promise<void>;
}

export interface CsvOptions {
  /** What is between two values. @default what a line `sep=` says, else that of , ; tab and | by which the header has the most columns */
  readonly delimiter?: string;
  /** Ends the reading of a pipe. */
  readonly signal?: AbortSignal;
}

const delimiters = [",", ";", "\t", "|"];
const mebibyte = 1024 * 1024;
/** No row that anything here takes is longer. Without a limit, a quote that is never closed takes the whole file. */
const rowCharacters = 4 * mebibyte;
/** What is looked at to know the encoding and the delimiter. */
const headBytes = mebibyte;
const chunkBytes = 64 * 1024;

const syntaxReasons = {
  unclosed: "the quote that opens here is never closed",
  closed: 'the quoted field that starts here goes on after its closing quote; write " inside it as ""',
  opened:
    'the field that starts here has a quote after other text or a space; put the whole field in quotes, and write " in it as ""',
  endless: "the row that starts here does not end within 4 MB; is a quote of it never closed?",
};

const readFaults: Record<string, string> = { ENOENT: "there is no such file", EISDIR: "it is a folder" };

/** That a file cannot be read, and why, for people. */
export const unreadable = (path: string, error: NodeJS.ErrnoException) =>
  `cannot read ${path}: ${readFaults[error.code ?? ""] ?? error.message}`;

const isUnreadable = (error: unknown): error is NodeJS.ErrnoException =>
  typeof error === "object" && error !== null && "code" in error;

/** Whether a file's name means what the program is handed over: `-`, `/dev/stdin`, `<(…)`. */
const isHandedOver = (path: string) => path === "-" || /^\/(dev|proc)\//.test(path);
const isStdin = (path: string) => ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"].includes(path);

/** What files beside a CSV file are named after: its path, or `stdin` for a pipe. */
export const nameOf = (path: string) => (isHandedOver(path) ? "stdin" : path);

/**
 * Opens a CSV file, or a pipe, which is then kept in a temporary file that no one else reads and that goes with the
 * process: UTF-8, with or without a byte order mark; lines end with LF, CR LF or CR.
 * @throws InvalidCsv when it cannot be read, has another encoding, or its header is no CSV
 */
export async function openCsv(path: string, { delimiter, signal }: CsvOptions = {}): Promise<CsvFile> {
  const { handle, isPipe, identity } = await openSource(path, signal);
  const name = path === "-" ? "stdin" : path;
  try {
    const head = Buffer.alloc(headBytes);
    const { bytesRead } = await handle.read(head, 0, headBytes, 0);
    mustBeText(name, head.subarray(0, bytesRead));
    const dialect = dialectOf(head.toString("utf8", 0, bytesRead), delimiter);
    const first = await rowsIn(name, chunksOf(handle), dialect, true).next();
    return {
      name,
      isPipe,
      delimiter: dialect.delimiter,
      identity,
      header: first.value ?? undefined,
      rows: () => rowsIn(name, chunksOf(handle), dialect, false),
      copyTo: (copy) => writeFile(copy, chunksOf(handle)),
      close: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Works with a CSV file, and closes it. @throws as {@link openCsv} and the work do */
export async function withCsv<Result>(
  path: string,
  options: CsvOptions,
  work: (file: CsvFile) => Promise<Result>,
): Promise<Result> {
  const file = await openCsv(path, options);
  try {
    return await work(file);
  } finally {
    await file.close();
  }
}

async function openSource(path: string, signal?: AbortSignal) {
  try {
    if (!isHandedOver(path)) {
      const status = await stat(path);
      if (status.isFile()) {
        const handle = await open(path);
        const { size: bytes, mtimeMs } = await handle.stat();
        return { handle, isPipe: false, identity: { file: resolve(path), bytes, version: String(mtimeMs) } };
      }
      if (status.isDirectory()) throw Object.assign(new Error(), { code: "EISDIR" });
    }
    return { isPipe: true, ...(await spool(path, signal)) };
  } catch (error) {
    if (signal?.aborted || !isUnreadable(error)) throw error;
    throw new InvalidCsv(unreadable(path === "-" ? "stdin" : path, error));
  }
}

/** Keeps what a pipe brings in a temporary file that has lost its name, so that it is gone however the process ends. */
async function spool(path: string, signal?: AbortSignal) {
  const kept = join(tmpdir(), `offline-inference-${randomUUID()}`);
  const source = isStdin(path) ? process.stdin : (await open(path)).createReadStream();
  const handle = await open(kept, "wx+", 0o600);
  const interrupt = () => source.destroy(signal?.reason);
  try {
    await rm(kept);
    signal?.addEventListener("abort", interrupt, { once: true });
    signal?.throwIfAborted();
    const hash = createHash("sha256");
    let bytes = 0;
    const chunks: AsyncIterable<Buffer> = source;
    for await (const chunk of chunks) {
      hash.update(chunk);
      bytes += chunk.length;
      await handle.writeFile(chunk);
    }
    return { handle, identity: { file: nameOf(path), bytes, version: hash.digest("hex") } };
  } catch (error) {
    await handle.close();
    throw error;
  } finally {
    signal?.removeEventListener("abort", interrupt);
  }
}

async function* chunksOf(handle: FileHandle): AsyncGenerator<Buffer> {
  for (let position = 0; ; ) {
    const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(chunkBytes), 0, chunkBytes, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

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
function mustBeText(name: string, head: Buffer): void {
  const found = signatures.find(({ starts }) => head.toString("hex", 0, 4).startsWith(starts)) ?? utf16In(head);
  if (found === undefined) return;
  throw new InvalidCsv(`${name}:1:1: the file is ${found.is}; ${found.instead ?? "save it as UTF-8"}`);
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

interface Dialect {
  readonly delimiter: string;
  /** How long a first line is that only names the delimiter, with its end. */
  readonly skipped: number;
}

function dialectOf(head: string, given: string | undefined): Dialect {
  const text = head.replace(/^\uFEFF/, "");
  const [line = "", named] = /^"?sep=([^"\r\n])"?(?:\r\n|\n|\r|$)/i.exec(text) ?? [];
  const rest = text.slice(line.length).replace(/^\s*?[\r\n]+/, "");
  const columnsBy = (delimiter: string) => {
    const row = scan(rest, 0, delimiter, true);
    return "reason" in row ? 0 : row.values.length;
  };
  const [most = ","] = delimiters.toSorted((one, other) => columnsBy(other) - columnsBy(one));
  return { delimiter: given ?? named ?? most, skipped: line.length };
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

/** Reads all rows, with the header or without. */
async function* rowsIn(
  name: string,
  chunks: AsyncIterable<Buffer>,
  { delimiter, skipped }: Dialect,
  withHeader: boolean,
): AsyncGenerator<CsvRow, void, undefined> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let text = "";
  let line = 1;
  let toSkip = skipped;
  let isBelow = withHeader;
  let held: Buffer = Buffer.alloc(0); // what the decoder may hold of the chunk before

  function* take(more: string, isLast: boolean): Generator<CsvRow> {
    text += more;
    let start = 0;
    if (toSkip > 0 && text.length >= toSkip) {
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
        throw new InvalidCsv(`${name}:${placeAfter(line, text.slice(start, at))}: ${reason}`);
      }
      const { values, starts, end, hasBreaks } = row;
      if (values.some((value) => value.trim() !== "")) {
        if (isBelow) yield { line, values, text: text.slice(start, end), starts };
        isBelow = true;
      }
      line += hasBreaks ? breaksIn(text.slice(start, end)) : 1;
      start = end;
    }
    text = text.slice(start);
  }

  for await (const chunk of chunks) {
    let more: string;
    try {
      more = decoder.decode(chunk, { stream: true });
    } catch {
      throw new InvalidCsv(notUtf8(name, line, text, Buffer.concat([held, chunk])));
    }
    held = chunk.subarray(-3).subarray(incompleteAt(chunk.subarray(-3)));
    yield* take(more, false);
  }
  try {
    decoder.decode();
  } catch {
    throw new InvalidCsv(notUtf8(name, line, text, held));
  }
  yield* take("", true);
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
function notUtf8(name: string, line: number, before: string, bytes: Buffer): string {
  const decoded = Buffer.from(bytes.toString("utf8"));
  const place = bytes.findIndex((byte, index) => byte !== decoded[index]);
  const at = place === -1 ? bytes.length - 1 : place;
  const byte = bytes[at] ?? 0;
  const encoding = byte >= 0x80 && byte < 0xa0 ? "Windows-1252" : "Windows-1252 or Latin-1";
  const where = placeAfter(line, before + bytes.toString("utf8", 0, at).replace(/^\uFEFF/, ""));
  return `${name}:${where}: the byte ${byte.toString(16).toUpperCase()} is no UTF-8; the file may be ${encoding}; save it as UTF-8`;
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

/** Names as a sentence lists them: the first of many. */
export const someOf = (names: readonly string[]): string => listed(names, 20, whole);

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
