import type { FeatureValues } from "./feature-values";
import { type Ended, endingOf } from "./job";
import type { ModelContract } from "./model-contract";
import type { OutputValue } from "./prediction-table";

/** What the model said of a row. */
interface RowAnswer {
  readonly output: string;
  /** Of the contract's outputs, in their order. */
  readonly values: readonly OutputValue[];
  readonly modelRelease: string;
  readonly predictedAt: Date;
}

/** Why a row has no answer. */
export interface RowFailure {
  readonly code: string;
  readonly reason: string;
}

/** What became of a row. */
export type Fate = RowAnswer | RowFailure;

export const isRowFailure = (fate: Fate): fate is RowFailure => "code" in fate;

/** A row of an input. */
export interface InputRow {
  /** Its number. The first is 1. */
  readonly row: number;
  readonly id: string;
  /** The features that it carries, as the text of a JSON object. @default the rows of its input are ids alone */
  readonly features?: string;
}

/** A row of a result. */
export interface ResultRow extends InputRow {
  readonly fate: Fate;
}

/** How a row has ended. */
export const endingOfRow = ({ fate }: ResultRow): keyof Ended =>
  isRowFailure(fate) ? endingOf(fate.code) : "answered";

/** Why a row has no outcome that ever came. */
export const withoutOutcome = {
  cancelled: { code: "cancelled", reason: "the job was cancelled before it was answered" },
  expired: { code: "expired", reason: "it was not answered before the job's deadline" },
  lost: { code: "lost", reason: "the queue no longer keeps it, and it was not answered" },
} as const satisfies Record<string, RowFailure>;

/** The types of a result's columns: as they are in Parquet. */
export type ResultType = "text" | "integer" | "number" | "time";

/** What Parquet calls these types. */
export const parquetTypes = { text: "STRING", integer: "INT64", number: "DOUBLE", time: "TIMESTAMP" } as const;

/** A value as it is written to Parquet. Numbers may be given in their digits. */
export const parquetValues: Readonly<
  Record<ResultType, (value: string | number | Date) => string | number | bigint | Date>
> = {
  text: (value) => value.toString(),
  integer: (value) => BigInt(value.toString()),
  number: Number,
  time: (value) => value,
};

/** A column of a result that is a table. */
export interface ResultColumn {
  readonly name: string;
  readonly type: ResultType;
  /** Its value in a row with these features, whose numbers are in their digits. */
  of(row: ResultRow, features: FeatureValues | undefined): string | number | Date | undefined;
}

const featureTypes = { String: "text", Integral: "integer", Fractional: "number" } as const;

/** What an answer says, of a row that has one. */
const answerOf = ({ fate }: ResultRow) => (isRowFailure(fate) ? undefined : fate);
const failureOf = ({ fate }: ResultRow) => (isRowFailure(fate) ? fate : undefined);

/**
 * The columns of a result, in their order: the input, then what was said of it. A feature whose name is taken, whatever
 * the case, is `features.<name>`, an output `values.<name>`.
 * @param carriesFeatures whether rows of the input have features
 */
export const resultColumns = (
  { features, outputs }: Pick<ModelContract, "features" | "outputs">,
  carriesFeatures: boolean,
): ResultColumn[] => {
  const input: ResultColumn[] = [
    { name: "row", type: "integer", of: ({ row }) => row },
    { name: "id", type: "text", of: ({ id }) => id },
    { name: "status", type: "text", of: endingOfRow },
  ];
  const output: ResultColumn = { name: "output", type: "text", of: (row) => answerOf(row)?.output };
  const about: ResultColumn[] = [
    { name: "model_release", type: "text", of: (row) => answerOf(row)?.modelRelease },
    { name: "predicted_at", type: "time", of: (row) => answerOf(row)?.predictedAt },
    { name: "code", type: "text", of: (row) => failureOf(row)?.code },
    { name: "reason", type: "text", of: (row) => failureOf(row)?.reason },
  ];
  const taken = new Set([...input, output, ...about].map(({ name }) => name));
  const named = (name: string, folder: "features" | "values") => {
    const isTaken = taken.has(name.toLowerCase());
    taken.add(name.toLowerCase());
    return isTaken ? `${folder}.${name}` : name;
  };
  const ofFeatures = (carriesFeatures ? features : []).map(
    ({ name, type }, place): ResultColumn => ({
      name: named(name, "features"),
      type: featureTypes[type],
      of: (_, values) => values?.[place] ?? undefined,
    }),
  );
  const ofOutputs = outputs.map(
    ({ name, type }, place): ResultColumn => ({
      name: named(name, "values"),
      type,
      of: (row) => answerOf(row)?.values[place],
    }),
  );
  return [...input, ...ofFeatures, output, ...ofOutputs, ...about];
};
