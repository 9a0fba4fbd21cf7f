import type { inputFormats } from "../contract/job";
import { dialectOf, headBytes, rowsIn, trimmed } from "./csv";
import { joined, linesIn } from "./job-input";

/** How a file of rows is read. */
export interface RowFormat {
  readonly format: (typeof inputFormats)[number];
  /** What the column of the id may be called in CSV. In NDJSON it is `id`. */
  readonly idColumns: readonly string[];
  /** What is between two values in CSV. @default the header says it */
  readonly delimiter?: string;
}

/** A file whose rows cannot be told from each other. */
export class UnreadableRows extends Error {
  override readonly name = "UnreadableRows";
}

/** What became of the rows of a file. */
export interface Erased {
  /** Rows of the input. */
  rows: number;
  /** Rows that were read. */
  all: number;
}

/**
 * Gives all of a file but the rows of an input. Blank lines may go too.
 * @param erased counts them
 * @throws UnreadableRows, and InvalidCsv where the file stops to be CSV
 */
export async function* withoutInput(
  chunks: AsyncIterable<Buffer>,
  id: string,
  { format, idColumns, delimiter }: RowFormat,
  erased: Erased,
): AsyncGenerator<Buffer, void, undefined> {
  if (format === "ndjson") yield* ndjsonWithout(chunks, id, erased);
  else yield* csvWithout(chunks, id, { idColumns, delimiter }, erased);
}

async function* ndjsonWithout(chunks: AsyncIterable<Buffer>, id: string, erased: Erased) {
  for await (const { line, bytes } of linesIn(chunks, { offset: 0, line: 1 })) {
    if (bytes === undefined) throw new UnreadableRows(`line ${line} does not end within 4 MB`);
    const text = bytes.toString().replace(/^\uFEFF/, "");
    if (text.trim() !== "") {
      erased.all++;
      if (idOf(text, line) === id) {
        erased.rows++;
        continue;
      }
    }
    yield Buffer.concat([bytes, newline]);
  }
}

const newline = Buffer.from("\n");

const idOf = (text: string, line: number): unknown => {
  try {
    return Object(JSON.parse(text)).id;
  } catch {
    throw new UnreadableRows(`line ${line} is no JSON`);
  }
};

async function* csvWithout(
  chunks: AsyncIterable<Buffer>,
  id: string,
  { idColumns, delimiter }: Omit<RowFormat, "format">,
  erased: Erased,
) {
  const source = chunks[Symbol.asyncIterator]();
  let head = Buffer.alloc(0);
  for (let next = await source.next(); !next.done; next = await source.next()) {
    head = Buffer.concat([head, next.value]);
    if (head.length >= headBytes) break;
  }
  const names = new Set(idColumns.map((name) => name.normalize("NFC")));
  let place: number | undefined;
  for await (const { values, text, offset } of rowsIn("", joined(head, source), dialectOf("", head, delimiter))) {
    if (place === undefined) {
      place = values.findIndex((value) => names.has(trimmed(value).normalize("NFC")));
      if (place === -1) throw new UnreadableRows(`the header has no column ${idColumns.join(" or ")}`);
      yield Buffer.concat([head.subarray(0, offset), Buffer.from(text)]); // with what stands before the header
      continue;
    }
    erased.all++;
    if (values[place] === id) erased.rows++;
    else yield Buffer.from(text);
  }
}
