import { bytesOf } from "../../contract/bytes";
import { type FeatureValues, featureBytes, featureForms } from "../../contract/feature-values";
import type { Feature, ModelContract } from "../../contract/model-contract";
import {
  type CsvRow,
  columnsOf,
  csvLine,
  featureOfField,
  InvalidCsv,
  InvalidHeader,
  isBlank,
  placeOf,
  someOf,
  trimmed,
  widthFault,
} from "../../pipeline/csv";
import { type FeatureRow, recordKey } from "../../pipeline/features";
import { faultOf } from "../../pipeline/requests";
import type { Pipeline } from "../shared/connection";
import type { CsvFile } from "../shared/csv";
import { counted, whole } from "../shared/numbers";
import { progressOf } from "../shared/progress";
import { guessContract } from "./guess-contract";
import { Seen } from "./seen";

/** What a file of inputs is read by. */
export interface InputRules {
  readonly contract: ModelContract;
  /** Where the features go. @default nowhere: requests carry them, and the column of the id is `id` */
  readonly featureGroup?: Pipeline["featureGroup"];
  /** What columns are called that are not called as their features, by feature. */
  readonly columns: ReadonlyMap<string, string>;
  /** Columns that may be there besides. */
  readonly also?: readonly string[];
}

/** What is wrong with a row, and with which of its values. */
interface RowFault {
  readonly value: number;
  readonly reason: string;
}

/** A row of a file of inputs. */
export interface InputRow {
  readonly features: FeatureRow;
  /** The record that it is: rows with the same are one. */
  readonly key: string;
  /** All that is wrong with it. */
  readonly faults: readonly RowFault[];
  readonly source: CsvRow;
}

/** A file of inputs, whose header is right. */
export interface Inputs {
  readonly file: CsvFile;
  readonly rules: InputRules;
  /** The columns that are passed over, by name. */
  readonly passedOver: readonly string[];
  /** Whether it has a column of event times. */
  readonly hasEventTimes: boolean;
  rows(): AsyncGenerator<InputRow, void, undefined>;
  /** What a row has in a column of `also`; undefined where it has nothing there. */
  alsoIn(row: CsvRow, column: string): string | undefined;
  /** What the columns of rejects are called that the file has not: the line and the reason. */
  readonly rejectColumns: readonly [string, string];
  readonly rejectsHeader: string;
  /** A refused row's line in a file of rejects. */
  rejectLine(row: CsvRow, reason: string): string;
}

/** Why a row is refused; undefined where nothing is wrong with it. */
export const reasonOf = ({ faults }: Pick<InputRow, "faults">): string | undefined =>
  faults.length === 0 ? undefined : faults.map(({ reason }) => reason).join("; ");

const eventTimeForms = {
  String: {
    pattern: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$/,
    allowed: "a time such as 2026-01-31T12:00:00Z or 2026-01-31T12:00:00.000Z",
  },
  Fractional: { pattern: /^\d+(\.\d+)?$/, allowed: "seconds since 1970" },
};

/** Words for a missing value, which a text may hold as what they are. */
const missingWord = /^(null|nan|na)$/i;

/** Where a file has what a row is made of. */
interface Places {
  readonly width: number;
  readonly id: number;
  /** Undefined where the file has no event times. */
  readonly since: number | undefined;
  /** By the contract's order; undefined where the file lacks an optional one. */
  readonly features: readonly (number | undefined)[];
}

/** What the event times of a feature group are called, where they are no other column. */
const sinceOf = ({ featureGroup }: InputRules): string | undefined =>
  featureGroup?.eventTime.name === featureGroup?.recordIdentifier.name ? undefined : featureGroup?.eventTime.name;

/**
 * Looks at the header of a file of inputs: a column for the id, one for each feature of the contract, perhaps one for
 * the event time. An optional feature may have none.
 * @throws InvalidHeader with all that is wrong, and with the contract that would fit where features are missing
 */
export async function openInputs(file: CsvFile, rules: InputRules): Promise<Inputs> {
  const { contract, featureGroup, columns } = rules;
  const id = featureGroup?.recordIdentifier.name ?? "id";
  const { features } = contract;
  const also = (rules.also ?? []).filter((column) => !features.some(({ name }) => name === column));
  const since = sinceOf(rules);
  const timed = since === undefined ? [] : [since];
  const known = [id, ...features.map(({ name }) => name), ...timed];
  const unknown = [...columns.keys()].filter((feature) => !known.includes(feature));
  if (unknown.length > 0) {
    const whose = featureGroup === undefined ? "The contract" : `The feature group ${featureGroup.name}`;
    throw new Error(`${whose} has no feature ${someOf(unknown)}, only ${someOf(known)}`);
  }
  const columnOf = (feature: string) => columns.get(feature) ?? feature;
  const mayLack = new Set([...features.flatMap(({ name, optional }) => (optional ? [name] : [])), ...timed]);
  const isNeeded = (feature: string) => !mayLack.has(feature) || columns.has(feature);
  const names = [...known.map(columnOf), ...also];
  const rejectColumns: [string, string] = [freeName("line", names), freeName("reason", names)];
  const required = known.filter(isNeeded).map(columnOf);
  const optional = [...known.filter((feature) => !isNeeded(feature)), ...also];
  const others = [id, ...timed, ...also, ...rejectColumns].map(columnOf);
  const found = await columnsIn(file, { required, optional }, others);

  const places: Places = {
    width: found.width,
    id: found.placeOf(columnOf(id)) ?? 0,
    since: since === undefined ? undefined : found.placeOf(columnOf(since)),
    features: features.map(({ name }) => found.placeOf(columnOf(name))),
  };
  const header = file.header?.values ?? [];
  const kept = [...header.slice(0, found.width).keys()].filter(
    (place) => !rejectColumns.includes(trimmed(header[place] ?? "")),
  );
  const keptOf = (values: readonly string[]) => kept.map((place) => values[place] ?? "");
  return {
    file,
    rules,
    passedOver: found.others.filter((name) => !rejectColumns.includes(name)),
    hasEventTimes: places.since !== undefined,
    rows: async function* () {
      for await (const row of file.rows()) yield inputOf(row, places, rules);
    },
    alsoIn: (row, column) => found.valueIn(row, column) || undefined,
    rejectColumns,
    rejectsHeader: csvLine([...keptOf(header), ...rejectColumns]),
    rejectLine: (row, reason) => csvLine([...keptOf(row.values), String(row.line), reason]),
  };
}

/** @param others columns that are no features @throws as {@link openInputs} */
async function columnsIn(file: CsvFile, wanted: Parameters<typeof columnsOf>[2], others: readonly string[]) {
  try {
    return columnsOf(file.name, file.header, wanted);
  } catch (error) {
    if (!(error instanceof InvalidHeader) || file.header === undefined) throw error;
    const guess = await guessContract(file, others);
    throw guess === undefined ? error : new InvalidHeader(`${error.message}\n${guess}`);
  }
}

/** Reads a row, with all that is wrong with it. */
function inputOf(source: CsvRow, places: Places, rules: InputRules): InputRow {
  const { featureGroup } = rules;
  const given = source.values[places.id] ?? "";
  const narrow = widthFault(source, places.width);
  if (narrow !== undefined) {
    return { features: { id: given, values: [] }, key: given, faults: [narrow], source };
  }
  const key = featureGroup === undefined ? given : recordKey(given, featureGroup.recordIdentifier.type);
  const faults: RowFault[] = [];
  const fault = (value: number, reason: string | undefined) => {
    if (reason !== undefined) faults.push({ value, reason });
  };
  fault(places.id, idFault(given, key, rules));
  const values: FeatureValues = rules.contract.features.map((feature, place) => {
    const at = places.features[place];
    const text = at === undefined ? "" : (source.values[at] ?? "");
    const value = featureOfField(feature, text);
    if (value === undefined) fault(at ?? 0, valueFault(feature, text));
    return value ?? null;
  });
  const time = places.since === undefined ? "" : (source.values[places.since] ?? "");
  if (featureGroup !== undefined && places.since !== undefined && !isBlank(time)) {
    const { pattern, allowed } = eventTimeForms[featureGroup.eventTime.type];
    if (!pattern.test(time))
      fault(places.since, `${featureGroup.eventTime.name} must be ${allowed}, got ${shown(time)}`);
  }
  if (faults.length === 0) fault(places.id, sizeFault(values, rules));
  const features = { id: given, values, ...(!isBlank(time) && { since: time }) };
  return { features, key: key ?? given, faults, source };
}

const freeName = (name: string, taken: readonly string[]): string =>
  taken.includes(name) ? freeName(`rejected_${name}`, taken) : name;

const shown = (text: string) => JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);

function idFault(id: string, key: string | undefined, { featureGroup }: InputRules): string | undefined {
  if (featureGroup !== undefined && key === undefined) {
    const { name, type } = featureGroup.recordIdentifier;
    return `${name} must be ${featureForms[type]}, got ${shown(id)}`;
  }
  return faultOf({ id });
}

function valueFault({ name, type, optional }: Feature, text: string): string {
  if (isBlank(text)) return `${name} is empty`;
  if (type === "String") return tooLong(`${name} has`, bytesOf(text), featureBytes);
  const value = trimmed(text);
  const hint = missingWord.test(value)
    ? optional && "leave the field empty where there is no value"
    : /^[+-]?\d+,\d+$/.test(value) && "write a decimal point, and no comma";
  return `${name} must be ${featureForms[type]}, got ${shown(value)}${hint ? `; ${hint}` : ""}`;
}

const tooLong = (what: string, bytes: number, most: number) =>
  `${what} ${whole(bytes)} bytes, at most ${whole(most)} are allowed`;

/** What a message holds (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html), less its other fields. */
const carriedBytes = 1_000_000;

/** A whole record may have no more bytes than one value: https://docs.aws.amazon.com/sagemaker/latest/dg/feature-store-quotas.html */
function sizeFault(values: FeatureValues, { contract: { features }, featureGroup }: InputRules): string | undefined {
  const carried = () =>
    features.reduce((sum, { name }, at) => sum + bytesOf(JSON.stringify([name, values[at] ?? null])), 0);
  const stored = () => values.reduce((sum, value) => sum + bytesOf(value ?? ""), 0);
  const [bytes, most] = featureGroup === undefined ? [carried(), carriedBytes] : [stored(), featureBytes];
  return bytes > most ? tooLong("the features have together", bytes, most) : undefined;
}

/** What is known of a file of inputs that was read once. */
export interface CheckedInputs {
  readonly rows: number;
  readonly refused: number;
  /** The first faults of rows, as `file:line:column: what is wrong`, and how many more there are. */
  readonly faults: readonly string[];
  /** What is no fault and may yet be meant otherwise, a line each. */
  readonly notes: readonly string[];
}

const faultsShown = 20;

/**
 * Reads a file of inputs once.
 * @throws InvalidCsv where it has no rows, and where it stops to be CSV, with the faults before
 */
export async function checkInputs(inputs: Inputs, signal?: AbortSignal): Promise<CheckedInputs> {
  const { file, rules } = inputs;
  const progress = progressOf("rows checked");
  const faults: string[] = [];
  const notes = new Notes(rules, inputs.hasEventTimes);
  let [rows, refused, faultCount] = [0, 0, 0];
  const faultLines = () => [
    ...faults,
    ...(faultCount > faults.length ? [`and ${faultCount - faults.length} more`] : []),
  ];
  try {
    for await (const row of inputs.rows()) {
      rows++;
      if (rows % 1_000 === 0) {
        progress.update(rows);
        signal?.throwIfAborted();
      }
      if (row.faults.length > 0) refused++;
      else notes.look(row);
      for (const { value, reason } of row.faults) {
        faultCount++;
        if (faults.length < faultsShown) faults.push(`${file.name}:${placeOf(row.source, value)}: ${reason}`);
      }
    }
  } catch (error) {
    throw error instanceof InvalidCsv ? new InvalidCsv([...faultLines(), error.message].join("\n")) : error;
  } finally {
    progress.stop();
  }
  if (rows === 0) throw new InvalidCsv(`${file.name}: no row follows the header`);
  return { rows, refused, faults: faultLines(), notes: notes.lines() };
}

/** Rows that were told apart from earlier ones: how many, and where the first of them are. */
class Pairs {
  count = 0;
  private readonly some: string[] = [];

  add(line: number, earlier: number): void {
    this.count++;
    if (this.some.length < 5) this.some.push(`line ${line} and ${earlier}`);
  }

  get places(): string {
    return `${this.some.join(", ")}${this.count > this.some.length ? ", …" : ""}`;
  }
}

/** Gathers what is told of a file's rows, and is no fault. */
class Notes {
  private readonly seen = new Seen();
  private readonly again = new Pairs();
  private readonly spoiled = new Pairs();
  private readonly alike = new Pairs();
  private readonly words = new Map<string, number>();

  constructor(
    private readonly rules: InputRules,
    private readonly hasEventTimes = false,
  ) {}

  look({ features: { values }, key, source: { line } }: InputRow): void {
    const earlier = this.seen.add(visibleOf(key), key, line);
    if (earlier !== undefined) {
      const isSpoiled = /^\d(\.\d+)?e\+\d+$/i.test(key);
      (!earlier.isSame ? this.alike : isSpoiled ? this.spoiled : this.again).add(line, earlier.line);
    }
    for (const [place, { name, type }] of this.rules.contract.features.entries()) {
      const value = values[place];
      if (type !== "String" || value == null || value.length > 8 || !missingWord.test(trimmed(value))) continue;
      const what = `${name} is ${trimmed(value)}`;
      this.words.set(what, (this.words.get(what) ?? 0) + 1);
    }
  }

  private get wins(): string {
    const { featureGroup } = this.rules;
    if (featureGroup === undefined) return "Each is asked about.";
    if (featureGroup.eventTime.name === featureGroup.recordIdentifier.name) return "The first one stays.";
    return this.hasEventTimes
      ? "The one with the latest event time stays."
      : "The last row of an id is the one that stays.";
  }

  lines(): string[] {
    const told = (pairs: Pairs, what: string) =>
      pairs.count === 0 ? [] : [`${counted(pairs.count, "row")} ${what} (${pairs.places}).`];
    return [
      ...told(this.again, `with an id that an earlier row has`).map((line) => `${line} ${this.wins}`),
      ...told(
        this.spoiled,
        "with an id such as 1.23457E+15 that an earlier row has: a spreadsheet may have shortened other ids",
      ),
      ...told(this.alike, "with an id that differs from an earlier one only by what nobody sees"),
      ...(this.seen.isFull ? ["Only the first 1,500,000 ids were compared."] : []),
      ...(this.words.size === 0
        ? []
        : [
            `Taken as text: ${someOf([...this.words].map(([what, count]) => `${what} in ${counted(count, "row")}`))}. A missing value is an empty field.`,
          ]),
    ];
  }
}

/** An id as it looks: composed, without what nobody sees, with one kind of space. */
const visibleOf = (id: string) =>
  /^[!-~]*$/.test(id) ? id : trimmed(id.normalize("NFC").replace(/\p{DI}/gu, "")).replace(/\s/g, " ");

/** Says once which columns of a file are passed over. */
export function tellPassedOver({ file, passedOver }: Pick<Inputs, "file" | "passedOver">): void {
  if (passedOver.length > 0) console.error(`${file.name}: columns that are passed over: ${someOf(passedOver)}`);
}
