import { type FeatureValues, featureForms, jsonObjectOf } from "../contract/feature-values";
import type { JobSettings } from "../contract/job";
import { listed } from "../contract/listed";
import type { Feature, FeatureType } from "../contract/model-contract";
import {
  type CsvRow,
  type Dialect,
  dialectOf,
  featureOfField,
  fileStart,
  headBytes,
  InvalidCsv,
  isBlank,
  mebibyte,
  mustBeText,
  type RowPlace,
  rowsIn,
  someOf,
  trimmed,
  widthFault,
} from "./csv";
import { recordKey } from "./features";
import { InvalidRequest, parseRow } from "./request-reader";
import { faultOf } from "./requests";

/** What an input of a job is read by. */
export interface InputRules extends Pick<JobSettings, "format" | "columns"> {
  /** The contract's. */
  readonly features: readonly Feature[];
  /** The feature by which a feature group knows its records. @default there is no group: every row carries its features */
  readonly recordIdentifier?: { readonly name: string; readonly type: FeatureType };
  /** Whether rows of NDJSON carry their features. @default as the first that is read */
  readonly carriesFeatures?: boolean;
}

/** Where a row starts. */
export interface InputPlace extends RowPlace {
  /** Its number. The first is 1. */
  readonly row: number;
}

export const inputStart: InputPlace = { ...fileStart, row: 1 };

/** A row of an input. */
export interface InputRow extends InputPlace {
  readonly id: string;
  /** The features that it carries, as the text of a JSON object. @default they are looked up */
  readonly features?: string;
}

/** What is wrong with an input: nothing of it is asked. */
export interface InputFault {
  /** @default it is of the whole input */
  readonly line?: number;
  /** Without a word of what features hold. */
  readonly reason: string;
}

/** What is wrong with an input, for people. */
export const sentenceOf = ({ line, reason }: InputFault): string =>
  line === undefined ? reason : `line ${line.toLocaleString("en")}: ${reason}`;

export const isFault = (read: InputRow | InputFault): read is InputFault => "reason" in read;

/** An input that cannot be read at all, or not from some line on. */
export class InvalidInput extends Error {
  override readonly name = "InvalidInput";

  constructor(readonly faults: readonly InputFault[]) {
    super(faults.map(sentenceOf).join("; "));
  }
}

/** An input whose head is right. */
export interface JobInput {
  /**
   * Its rows, or what is wrong with each, in their order. Rows without any value are no rows.
   * @param chunks all its bytes, from that place on
   * @param from where a row starts @default the start of the input
   */
  rows(chunks: AsyncIterable<Buffer>, from?: InputPlace): AsyncGenerator<InputRow | InputFault, void, undefined>;
}

/**
 * Looks at the first bytes of an input, all of them where there are no more than {@link headBytes}.
 * @throws InvalidInput where it is of another encoding or format, and where its header is not right
 */
export async function openInput(head: Buffer, rules: InputRules): Promise<JobInput> {
  if (head.length === 0) throw new InvalidInput([{ reason: "the input is empty" }]);
  try {
    if (rules.format === "csv") return await openCsv(head, rules);
    mustBeText("", head);
    return { rows: (chunks, from) => ndjsonRows(chunks, rules, from) };
  } catch (error) {
    throw error instanceof InvalidCsv && error.fault ? new InvalidInput([error.fault]) : error;
  }
}

/** Reads a whole input, its head and its rows: {@link openInput}, {@link JobInput.rows}. What ends it is its last fault. */
export async function* readInput(
  chunks: AsyncIterable<Buffer>,
  rules: InputRules,
): AsyncGenerator<InputRow | InputFault, void, undefined> {
  const source = chunks[Symbol.asyncIterator]();
  const first: Buffer[] = [];
  let bytes = 0;
  try {
    while (bytes < headBytes) {
      const { value, done } = await source.next();
      if (done) break;
      first.push(value);
      bytes += value.length;
    }
    const head = Buffer.concat(first);
    const input = await openInput(head.subarray(0, headBytes), rules);
    yield* input.rows(joined(head, source));
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error;
    yield* error.faults;
  } finally {
    await source.return?.();
  }
}

/** The first bytes of a source that was begun to be read, and the rest. */
export async function* joined(head: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  yield head;
  for (;;) {
    const { value, done } = await rest.next();
    if (done) return;
    yield value;
  }
}

const faultsShown = 10;

/** What rows with an id alone must have. */
const idFault = (id: string, { recordIdentifier }: InputRules): string | undefined => {
  if (recordIdentifier === undefined || recordKey(id, recordIdentifier.type) !== undefined) return undefined;
  return `${recordIdentifier.name} must be ${featureForms[recordIdentifier.type]}, to be looked up`;
};

async function openCsv(head: Buffer, rules: InputRules): Promise<JobInput> {
  const dialect = dialectOf("", head);
  const { value: header } = await rowsIn("", once(head), dialect).next();
  const columns = columnsIn(header || undefined, head, rules);
  const check = checkOf(columns, rules);
  return { rows: (chunks, from) => csvRows(chunks, dialect, check, from) };
}

async function* once(chunk: Buffer): AsyncGenerator<Buffer> {
  yield chunk;
}

/** Where the values of a row are. */
interface InputColumns {
  readonly width: number;
  readonly id: number;
  /** By feature; undefined where it has no column. @default rows are ids to look up */
  readonly features?: readonly (number | undefined)[];
}

/** @throws InvalidInput with all that is wrong with the header */
function columnsIn(header: CsvRow | undefined, head: Buffer, rules: InputRules): InputColumns {
  const { features, recordIdentifier } = rules;
  const line = header?.line ?? 1;
  const invalid = (...reasons: string[]) => new InvalidInput(reasons.map((reason) => ({ line, reason })));
  if (header === undefined) throw invalid("the input has no header");
  if (head.length >= headBytes && header.offset + Buffer.byteLength(header.text) >= head.length) {
    throw invalid("the header does not end within 1 MB");
  }
  const named = new Map(Object.entries(rules.columns));
  const idName = recordIdentifier?.name ?? "id";
  const columnOf = (name: string) => (named.get(name) ?? name).normalize("NFC");
  const known = [idName, ...features.map(({ name }) => name)];
  const ofHeader = header.values.map((value) => trimmed(value).normalize("NFC"));
  const width = ofHeader.findLastIndex((column) => column !== "") + 1;
  const placeOf = (name: string) => {
    const place = ofHeader.indexOf(columnOf(name));
    return place === -1 ? undefined : place;
  };
  const places = features.map(({ name }) => placeOf(name));
  const id = placeOf(idName);
  const needed = features.filter(({ name, optional }) => !optional || named.has(name)).map(({ name }) => name);
  const missing = needed.filter((name) => placeOf(name) === undefined).map(columnOf);
  const hasFeatures = places.some((place) => place !== undefined);
  const isOfIds = recordIdentifier !== undefined && !hasFeatures && width === 1;

  const faults: string[] = [];
  const strangers = [...named.keys()].filter((name) => !known.includes(name));
  if (strangers.length > 0) {
    faults.push(`columns is about ${someOf(strangers)}, and may be about ${someOf(known)}`);
  }
  const twice = [...new Set(known.map(columnOf))].filter(
    (column) => ofHeader.indexOf(column) !== ofHeader.lastIndexOf(column),
  );
  if (twice.length > 0) faults.push(`the header has ${someOf(twice)} twice`);
  const ids =
    recordIdentifier === undefined ? "" : `; a file of ids to look up has the column ${columnOf(idName)} alone`;
  if (id === undefined) faults.push(`the header lacks ${someOf([columnOf(idName), ...missing])}${ids}`);
  else if (missing.length > 0 && !isOfIds) faults.push(`the header lacks ${someOf(missing)}${ids}`);
  else if (recordIdentifier !== undefined && !hasFeatures && !isOfIds) {
    faults.push(`the header has none of ${someOf(features.map(({ name }) => columnOf(name)))}${ids}`);
  }
  if (faults.length > 0 || id === undefined) throw invalid(...faults);
  return { width, id, ...(!isOfIds && { features: places }) };
}

type Checked = { readonly id: string; readonly features?: string } | string;

/** What a row of CSV is, or what is wrong with it. */
const checkOf = (columns: InputColumns, rules: InputRules) => {
  const { features } = rules;
  return (row: CsvRow): Checked => {
    const narrow = widthFault(row, columns.width);
    if (narrow !== undefined) return narrow.reason;
    if (row.text.includes("\0")) return "the row has a NUL, as no text has; the file may be of another encoding";
    const id = row.values[columns.id] ?? "";
    const faults: string[] = [];
    const found = faultOf({ id }) ?? (columns.features === undefined ? idFault(id, rules) : undefined);
    if (found !== undefined) faults.push(found);
    const values: FeatureValues | undefined = columns.features?.map((place, at) => {
      const feature = features[at];
      if (feature === undefined) return null;
      const text = place === undefined ? "" : (row.values[place] ?? "");
      const value = featureOfField(feature, text);
      if (value !== undefined) return value;
      faults.push(isBlank(text) ? `${feature.name} is empty` : `${feature.name} must be ${featureForms[feature.type]}`);
      return null;
    });
    if (faults.length > 0) return listed(faults, faultsShown);
    return { id, ...(values && { features: jsonObjectOf(features, values) }) };
  };
};

async function* csvRows(
  chunks: AsyncIterable<Buffer>,
  dialect: Dialect,
  check: (row: CsvRow) => Checked,
  from = inputStart,
): AsyncGenerator<InputRow | InputFault, void, undefined> {
  let { row } = from;
  let isHeader = from.offset === 0;
  try {
    for await (const read of rowsIn("", chunks, dialect, from)) {
      if (isHeader) {
        isHeader = false;
        continue;
      }
      const checked = check(read);
      const { line, offset } = read;
      yield typeof checked === "string" ? { line, reason: checked } : { row, line, offset, ...checked };
      row++;
    }
  } catch (error) {
    if (!(error instanceof InvalidCsv) || error.fault === undefined) throw error;
    yield error.fault;
  }
}

const lineBytes = 4 * mebibyte;

async function* ndjsonRows(
  chunks: AsyncIterable<Buffer>,
  rules: InputRules,
  from = inputStart,
): AsyncGenerator<InputRow | InputFault, void, undefined> {
  const carried = { features: rules.features, required: rules.recordIdentifier === undefined };
  let { carriesFeatures } = rules;
  let { row } = from;

  const check = (text: string): Checked => {
    const { id, features } = parseRow(text, carried);
    const carries = features !== undefined;
    carriesFeatures ??= carries;
    if (carries !== carriesFeatures) {
      return carries
        ? "the row has features, and rows before have none"
        : "the row has no features, and rows before have";
    }
    if (carries) return { id, features: jsonObjectOf(rules.features, features) };
    return idFault(id, rules) ?? { id };
  };

  for await (const { line, offset, bytes } of linesIn(chunks, from)) {
    const checked = ((): Checked | undefined => {
      if (bytes === undefined) return "the line does not end within 4 MB";
      const text = textOf(offset === 0 ? withoutMark(bytes) : bytes);
      if (text === undefined) return "the line is no UTF-8";
      if (isBlank(text)) return undefined;
      try {
        return check(text);
      } catch (error) {
        if (error instanceof InvalidRequest) return error.message;
        throw error;
      }
    })();
    if (checked === undefined) continue;
    yield typeof checked === "string" ? { line, reason: checked } : { row, line, offset, ...checked };
    row++;
  }
}

const byteOrderMark = Buffer.from("\uFEFF");
const withoutMark = (bytes: Buffer) =>
  bytes.subarray(0, byteOrderMark.length).equals(byteOrderMark) ? bytes.subarray(byteOrderMark.length) : bytes;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const textOf = (bytes: Buffer): string | undefined => {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
};

/** A line without its end. */
interface Line extends RowPlace {
  /** @default it is too long */
  readonly bytes?: Buffer;
}

/** Cuts bytes into lines, which end with LF. */
export async function* linesIn(chunks: AsyncIterable<Buffer>, from: RowPlace): AsyncGenerator<Line, void, undefined> {
  let { offset, line } = from;
  let parts: Buffer[] = [];
  let length = 0;
  const add = (part: Buffer) => {
    length += part.length;
    if (length > lineBytes) parts = [];
    else parts.push(part);
  };
  const ended = (): Line => ({ offset, line, ...(length <= lineBytes && { bytes: Buffer.concat(parts) }) });

  for await (const chunk of chunks) {
    for (let start = 0; ; ) {
      const end = chunk.indexOf(10, start);
      add(chunk.subarray(start, end === -1 ? undefined : end));
      if (end === -1) break;
      yield ended();
      offset += length + 1;
      line++;
      [parts, length] = [[], 0];
      start = end + 1;
    }
  }
  if (length > 0) yield ended();
}
