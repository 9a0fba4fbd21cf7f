import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { type FeatureValues, featureOfJson } from "../contract/feature-values";
import type { Ended, ResultFormat, Tally } from "../contract/job";
import {
  endingOfRow,
  type Fate,
  type InputRow,
  isRowFailure,
  parquetTypes,
  parquetValues,
  type ResultColumn,
  type ResultRow,
  resultColumns,
  withoutOutcome,
} from "../contract/job-result";
import { membersOf } from "../contract/json-text";
import type { ModelContract } from "../contract/model-contract";

/** What became of a row, as the warehouse says. */
export interface RowOutcome {
  readonly row: number;
  readonly fate: Fate;
}

/** Of several fates of one row its answer counts, or else the first. */
const betterOf = (one: Fate | undefined, other: Fate): Fate =>
  one === undefined || (isRowFailure(one) && !isRowFailure(other)) ? other : one;

/**
 * Puts each row of an input together with its outcome. Outcomes of rows that the input has not are passed over.
 * @param outcomes in the rows' order
 * @param missing says what became of a row that has none
 * @throws where outcomes or rows are in another order: nothing is known then of those that came too late
 */
export async function* mergedRows(
  rows: AsyncIterable<InputRow>,
  outcomes: AsyncIterable<RowOutcome>,
  missing: (row: number) => Fate,
): AsyncGenerator<ResultRow, void, undefined> {
  const waiting = inOrder("outcomes", outcomes);
  try {
    let next = await waiting.next();
    for await (const one of inOrder("rows", rows)) {
      while (!next.done && next.value.row < one.row) next = await waiting.next();
      let fate: Fate | undefined;
      while (!next.done && next.value.row === one.row) {
        fate = betterOf(fate, next.value.fate);
        next = await waiting.next();
      }
      yield { ...one, fate: fate ?? missing(one.row) };
    }
    while (!next.done) next = await waiting.next(); // what comes to its end is whole
  } finally {
    await waiting.return();
  }
}

async function* inOrder<T extends { readonly row: number }>(
  what: string,
  items: AsyncIterable<T>,
): AsyncGenerator<T, void, undefined> {
  let last = 0;
  for await (const item of items) {
    if (item.row < last) throw new Error(`${what} must be in order, got row ${item.row} after row ${last}`);
    last = item.row;
    yield item;
  }
}

/** A part of a result, whole. */
export interface ResultPart {
  readonly body: Uint8Array;
  readonly rows: number;
  readonly bytes: number;
  /** Of the body, in hexadecimal. */
  readonly sha256: string;
  /** What became of its rows. */
  readonly tally: Tally;
}

/** Counts rows as they pass. */
class Counting {
  rows = 0;
  private readonly ended: Record<keyof Ended, number> = { answered: 0, failed: 0, expired: 0, cancelled: 0 };
  private lost = 0;
  private readonly releases = new Set<string>();

  add(row: ResultRow): void {
    this.rows++;
    this.ended[endingOfRow(row)]++;
    if (row.fate === withoutOutcome.lost) this.lost++;
    if (!isRowFailure(row.fate)) this.releases.add(row.fate.modelRelease);
  }

  get tally(): Tally {
    return { ...this.ended, lost: this.lost, releases: [...this.releases] };
  }
}

/** The most of a part, which is in memory until it is written. */
export interface PartLimits {
  readonly rows: number;
  /** About so many, before they are compressed. A row that is larger is a part of its own. */
  readonly bytes: number;
}

const partLimits: PartLimits = { rows: 100_000, bytes: 32 * 1024 * 1024 };

/** How the names of parts end. */
export const partEndings: Readonly<Record<ResultFormat, string>> = {
  ndjson: ".ndjson.gz",
  csv: ".csv.gz",
  parquet: ".parquet",
};

/** What a result is written by. */
export interface ResultShape {
  readonly format: ResultFormat;
  readonly contract: Pick<ModelContract, "features" | "outputs">;
  /** Whether rows have features. */
  readonly carriesFeatures: boolean;
}

/**
 * Writes rows as parts, in their order. No row is in memory but those of a part, and the one after it, which is read before
 * the part is given.
 */
export async function* partsOf(
  rows: AsyncIterable<ResultRow>,
  shape: ResultShape,
  limits: PartLimits = partLimits,
): AsyncGenerator<ResultPart, void, undefined> {
  const write = writers[shape.format];
  const all = rows[Symbol.asyncIterator]();
  try {
    let next = await all.next();
    while (!next.done) {
      const counting = new Counting();
      let size = 0;
      async function* part(): AsyncGenerator<ResultRow, void, undefined> {
        while (!next.done && counting.rows < limits.rows) {
          size += sizeOf(next.value);
          if (size > limits.bytes && counting.rows > 0) return;
          counting.add(next.value);
          yield next.value;
          next = await all.next();
        }
      }
      const body = await write(part(), shape);
      const sha256 = createHash("sha256").update(body).digest("hex");
      const { rows, tally } = counting;
      yield { body, rows, bytes: body.byteLength, sha256, tally };
    }
  } finally {
    await all.return?.();
  }
}

/** What a row takes beside its texts of any length, in bytes; about. */
const rowBytes = 200;

/** About how large a row is. */
const sizeOf = ({ id, features = "", fate }: ResultRow) => {
  const said = isRowFailure(fate) ? [fate.reason] : [fate.output, ...fate.values];
  return [id, features, ...said].reduce<number>(
    (sum, value) => sum + (typeof value === "string" ? value.length : 8),
    rowBytes,
  );
};

type Write = (rows: AsyncIterable<ResultRow>, shape: ResultShape) => Promise<Uint8Array>;

const writers: Readonly<Record<ResultFormat, Write>> = {
  ndjson: (rows, { contract }) => zipped(linesOf(rows, (row) => jsonLine(row, contract))),
  csv: (rows, { contract, carriesFeatures }) => {
    const columns = resultColumns(contract, carriesFeatures);
    const line = (row: ResultRow) => {
      const features = featuresOf(row, contract);
      return csvLine(columns.map((column) => csvText(column.of(row, features))));
    };
    return zipped(linesOf(rows, line, csvLine(columns.map(({ name }) => name))));
  },
  parquet: async (rows, { contract, carriesFeatures }) => {
    const { ByteWriter, parquetWriteRows } = await import("hyparquet-writer");
    const columns = resultColumns(contract, carriesFeatures);
    const writer = new ByteWriter();
    await parquetWriteRows({
      writer,
      rows: parquetRows(rows, columns, contract),
      columns: columns.map(({ name, type }) => ({ name, type: parquetTypes[type] })),
      rowGroupSize: 10_000,
    });
    return writer.getBytes();
  },
};

/** The values of a row's features in the contract's order. */
export const featuresOf = (
  { features }: ResultRow,
  contract: Pick<ModelContract, "features">,
): FeatureValues | undefined => {
  if (features === undefined) return undefined;
  const texts = new Map((membersOf(features) ?? []).map(({ name, text }) => [name, text]));
  return contract.features.map(({ name, type }) => featureOfJson(type, texts.get(name) ?? "null") ?? null);
};

/** Texts that are compressed at a time, in UTF-16 code units. */
const chunkLength = 256 * 1024;

async function* linesOf(rows: AsyncIterable<ResultRow>, line: (row: ResultRow) => string, header = "") {
  let lines = header;
  for await (const row of rows) {
    lines += line(row);
    if (lines.length < chunkLength) continue;
    yield lines;
    lines = "";
  }
  if (lines !== "") yield lines;
}

const zipped = async (texts: AsyncIterable<string>): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  await pipeline(Readable.from(texts), createGzip({ level: 1 }), async (zip: AsyncIterable<Buffer>) => {
    for await (const chunk of zip) chunks.push(chunk);
  });
  return Buffer.concat(chunks);
};

const jsonLine = (row: ResultRow, { outputs }: ResultShape["contract"]): string => {
  const { fate, features } = row;
  const said = isRowFailure(fate)
    ? { code: fate.code, reason: fate.reason }
    : {
        output: fate.output,
        ...(outputs.length > 0 && {
          values: Object.fromEntries(outputs.map(({ name }, place) => [name, fate.values[place] ?? null])),
        }),
        modelRelease: fate.modelRelease,
        predictedAt: fate.predictedAt,
      };
  const start = JSON.stringify({ row: row.row, id: row.id, status: endingOfRow(row) }).slice(0, -1);
  const carried = features === undefined ? "" : `,"features":${features}`;
  return `${start}${carried},${JSON.stringify(said).slice(1)}\n`;
};

const csvText = (value: ReturnType<ResultColumn["of"]>): string | undefined =>
  value instanceof Date ? value.toISOString() : value === undefined ? undefined : String(value);

/** A line of CSV, with its end. A text is in quotes where it must be: where it is empty too, which tells it from none. */
const csvLine = (texts: readonly (string | undefined)[]): string =>
  `${texts.map((text = "", place) => (texts[place] !== undefined && /^$|[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)).join(",")}\n`;

async function* parquetRows(
  rows: AsyncIterable<ResultRow>,
  columns: readonly ResultColumn[],
  contract: ResultShape["contract"],
) {
  for await (const row of rows) {
    const features = featuresOf(row, contract);
    const cells = columns.map(({ name, type, of }) => {
      const value = of(row, features);
      return [name, value === undefined ? undefined : parquetValues[type](value)] as const;
    });
    yield Object.fromEntries(cells);
  }
}
