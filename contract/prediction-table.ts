import * as z from "zod";
import { type Column, definitionsOf, inUtc, listOf, nothing, textField, timeOf } from "./columns";
import type { Output } from "./model-contract";
import { identifier } from "./sql-text";

export const predictionSchema = z.object({
  requestId: z.string(),
  inputId: z.string(),
  jobId: z.string().optional(),
  output: z.string(),
  /** The endpoint, its production variant, and the release of the artifact that answered. */
  endpoint: z.string(),
  variant: z.string(),
  modelRelease: z.string(),
  requestedAt: z.date(),
  predictedAt: z.date(),
});

/** An answered request, as the warehouse keeps it. */
export type Prediction = Readonly<z.infer<typeof predictionSchema>>;

/** The columns of the table by what they hold of a prediction, in their order. */
export const predictionColumns = {
  requestId: { name: "request_id", type: "text", maxBytes: 128 },
  inputId: { name: "input_id", type: "text", maxBytes: 1_024 },
  jobId: { name: "job_id", type: "text", maxBytes: 128, optional: true },
  output: { name: "output", type: "text", maxBytes: 65_535 },
  endpoint: { name: "endpoint", type: "text", maxBytes: 63 },
  variant: { name: "variant", type: "text", maxBytes: 63 },
  modelRelease: { name: "model_release", type: "text", maxBytes: 64 },
  requestedAt: { name: "requested_at", type: "time", maxBytes: 23 },
  predictedAt: { name: "predicted_at", type: "time", maxBytes: 23 },
} as const satisfies Record<keyof Prediction, Column>;

const properties = predictionSchema.keyof().options;
const columns: readonly Column[] = properties.map((property) => predictionColumns[property]);

/** The names of the columns, as an INSERT and a SELECT list them. */
export const columnNames = listOf(columns);

/**
 * The table. Its keys are what a request is found by: ids that this project makes begin with their time, and a sort key
 * knows the first 8 bytes of a text (https://docs.aws.amazon.com/redshift/latest/dg/t_Sorting_data.html).
 */
export const createResults = (table: string) => `CREATE TABLE IF NOT EXISTS ${table} (
${definitionsOf(columns)}
) DISTKEY(request_id) SORTKEY(request_id)`;

/** What an output of the contract is in a row of `prediction_values`; undefined is NULL. */
export type OutputValue = string | number | undefined;

const readSchema = predictionSchema.extend({
  values: z.array(z.union([z.string(), z.number(), z.undefined()])).optional(),
});

/** A prediction as it is read: with the values of the contract's outputs in their order, where it has any. */
export type ReadPrediction = Readonly<z.infer<typeof readSchema>>;

export const doubleField = z.object({ doubleValue: z.number() }).transform(({ doubleValue }) => doubleValue);
/** A value of an output. */
export const valueField = z.union([textField, doubleField, nothing]);

const readCell = ({ type }: Column, value: OutputValue) =>
  type === "time" && typeof value === "string" ? timeOf(value) : value;

/** A row of {@link predictionExpressions}. */
export const predictionRow = z
  .array(valueField)
  .transform((row) => ({
    ...Object.fromEntries(
      properties.map((property, place) => [property, readCell(predictionColumns[property], row[place])]),
    ),
    ...(row.length > properties.length && { values: row.slice(properties.length) }),
  }))
  .pipe(readSchema);

/**
 * The most UTF-8 bytes of an output that leave room for as many again in a row of the Data API, which has 64 KB. Above,
 * the texts that stand in it are read by a query of their own.
 */
export const roomyOutputBytes = 30_000;

/** Where predictions are read with the values of these outputs. */
export const sourceOf = (outputs: readonly Output[]) =>
  outputs.length === 0 ? "prediction_results" : "prediction_values";

/**
 * What is selected of predictions with the values of these outputs, as {@link predictionRow} reads it.
 * @param isRoomy whether a row may be larger than one of the Data API
 */
export const predictionExpressions = (outputs: readonly Output[], isRoomy: boolean): string[] => {
  const own = columns.map(({ name, type }) => (type === "time" ? inUtc(name) : name));
  const values = outputs.map(({ name, type }) =>
    type === "text" && !isRoomy
      ? `CASE WHEN OCTET_LENGTH(output) <= ${roomyOutputBytes} THEN ${identifier(name)} END`
      : identifier(name),
  );
  return [...own, ...values];
};

/** A column as results show it. */
export interface ShownColumn {
  readonly name: string;
  readonly type: "text" | "time" | "number";
  /** Its value of a prediction. */
  of(prediction: ReadPrediction): OutputValue | Date;
}

/** The columns of results in their order: the input first, then what was said of it. */
export const shownColumns = (outputs: readonly Output[]): ShownColumn[] => {
  const own = (property: keyof Prediction, as?: string): ShownColumn => {
    const { name, type } = predictionColumns[property];
    return { name: as ?? name, type, of: (prediction) => prediction[property] };
  };
  return [
    own("inputId", "id"),
    own("output"),
    ...outputs.map(({ name, type }, place) => ({
      name,
      type,
      of: ({ values }: ReadPrediction) => values?.[place],
    })),
    own("predictedAt"),
    own("jobId"),
    own("requestId"),
    own("endpoint"),
    own("variant"),
    own("modelRelease"),
    own("requestedAt"),
  ];
};
