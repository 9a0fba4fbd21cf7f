import { featureBytes } from "../../contract/feature-values";
import { type FeatureRow, recordKey } from "../../pipeline/features";
import { parseInputId } from "../../pipeline/request-reader";
import { bytesOf } from "../../pipeline/results";
import type { Pipeline } from "../connection";
import { type CsvRow, columnsOf, csvLine, InvalidCsv, readCsv } from "./csv";

type FeatureGroup = Pipeline["featureGroup"];

/** A row of a file of features. */
export interface CheckedRow {
  readonly features: FeatureRow;
  /** The record that it is: rows with the same are one. */
  readonly key: string;
  /** All that is wrong with it; undefined where nothing is. */
  readonly fault?: string;
  readonly source: CsvRow;
}

/** A file of features, whose header is right. */
export interface FeatureFile {
  readonly rows: AsyncIterable<CheckedRow>;
  /** The first line of a file of refused rows. */
  readonly rejectsHeader: string;
  /** A refused row's line. */
  rejectLine(row: CsvRow, reason: string): string;
}

/** What rejects have beside the file's own columns. They are passed over, so that rejects, put right, can be ingested. */
const rejectColumns = ["line", "reason"];

const identifierForms = {
  Integral: "a whole number of 64 bits",
  Fractional: "a number",
};

const eventTimeForms = {
  String: {
    pattern: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$/,
    allowed: "a time such as 2026-01-31T12:00:00Z or 2026-01-31T12:00:00.000Z",
  },
  Fractional: { pattern: /^\d+(\.\d+)?$/, allowed: "seconds since 1970" },
};

/**
 * Opens a file of features: a column for the record's identifier, one for each sentence, perhaps one for the event time.
 * @param columns what columns are called that are not called as their features, by feature. With any, others are passed over
 * @throws InvalidCsv when it cannot be read or its header is wrong
 */
export async function openFeatures(
  file: string,
  featureGroup: FeatureGroup,
  columns: ReadonlyMap<string, string>,
): Promise<FeatureFile> {
  const { recordIdentifier, eventTime } = featureGroup;
  const required = [recordIdentifier.name, "seq_0", "seq_1"];
  const optional = required.includes(eventTime.name) ? [] : [eventTime.name];
  const unknown = [...columns.keys()].filter((feature) => ![...required, ...optional].includes(feature));
  if (unknown.length > 0) {
    throw new Error(
      `The feature group ${featureGroup.name} has no feature ${unknown.join(", ")}, only ${[...required, ...optional].join(", ")}`,
    );
  }
  const columnOf = (feature: string) => columns.get(feature) ?? feature;
  const isNeeded = (feature: string) => required.includes(feature) || columns.has(feature);
  const rows = readCsv(file);
  const header = (await rows.next()).value ?? undefined;
  const valueIn = columnsOf(file, header, {
    required: [...required, ...optional].filter(isNeeded).map(columnOf),
    optional: optional.filter((feature) => !isNeeded(feature)),
    passedOver: columns.size > 0 ? "all others" : rejectColumns,
  });
  const names = header?.values ?? [];

  const check = (row: CsvRow): CheckedRow => {
    const [id = "", seq_0 = "", seq_1 = ""] = required.map((feature) => valueIn(row, columnOf(feature)));
    const since = valueIn(row, columnOf(eventTime.name));
    const key = recordKey(id, recordIdentifier.type);
    const faults: string[] = [];
    if (row.values.length !== names.length) {
      faults.push(`the row has ${row.values.length} values, the header ${names.length}`);
    } else {
      faults.push(...identifierFaults(id, key, featureGroup));
      faults.push(...sentenceFaults({ seq_0, seq_1 }));
      const time = eventTimeForms[eventTime.type];
      if (optional.length > 0 && since !== undefined && !time.pattern.test(since)) {
        faults.push(`${eventTime.name} must be ${time.allowed}, got ${JSON.stringify(since)}`);
      }
    }
    const features = { id, values: [seq_0, seq_1], ...(optional.length > 0 && since !== undefined && { since }) };
    return { features, key: key ?? id, source: row, ...(faults.length > 0 && { fault: faults.join("; ") }) };
  };

  const kept = names.flatMap((name, place) => (rejectColumns.includes(name) ? [] : [place]));
  return {
    rows: checked(file, rows, check),
    rejectsHeader: csvLine([...kept.map((place) => names[place] ?? ""), ...rejectColumns]),
    rejectLine: ({ values, line }, reason) =>
      csvLine([...kept.map((place) => values[place] ?? ""), String(line), reason]),
  };
}

async function* checked(file: string, rows: AsyncIterable<CsvRow>, check: (row: CsvRow) => CheckedRow) {
  let none = true;
  for await (const row of rows) {
    none = false;
    yield check(row);
  }
  if (none) throw new InvalidCsv(`${file}: no row follows the header`);
}

function identifierFaults(id: string, key: string | undefined, { recordIdentifier }: FeatureGroup): string[] {
  const { name, type } = recordIdentifier;
  if (type !== "String" && key === undefined) {
    return [`${name} must be ${identifierForms[type]}, got ${JSON.stringify(id)}`];
  }
  try {
    parseInputId(id);
    return [];
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
}

const tooLong = (what: string, bytes: number) =>
  `${what} ${bytes.toLocaleString("en")} bytes, at most ${featureBytes.toLocaleString("en")} are allowed`;

/** A whole record may have no more bytes than one value: https://docs.aws.amazon.com/sagemaker/latest/dg/feature-store-quotas.html */
function sentenceFaults(sentences: Readonly<Record<string, string>>): string[] {
  const faults = Object.entries(sentences).flatMap(([feature, value]) => {
    if (value === "") return [`${feature} is empty`];
    const bytes = bytesOf(value);
    return bytes > featureBytes ? [tooLong(`${feature} has`, bytes)] : [];
  });
  const together = Object.values(sentences).reduce((sum, value) => sum + bytesOf(value), 0);
  if (faults.length === 0 && together > featureBytes) faults.push(tooLong("the sentences have together", together));
  return faults;
}
