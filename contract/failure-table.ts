import * as z from "zod";
import { type Column, definitionsOf, inUtc, listOf, nothing, textField, timeField } from "./columns";
import { predictionColumns } from "./prediction-table";

/** Why a request has no prediction: in logs, metrics, dead letters and `prediction_failures`. */
export const failureCodes = [
  "malformed",
  "conflict",
  "unknown_input",
  "missing_feature",
  "refused_by_model",
  "too_large",
  "feature_store_failed",
  "endpoint_failed",
  "unexpected_answer",
  "answers_failed",
  "dead_letter_queue_failed",
  "out_of_time",
  "not_answered",
  "expired",
  "cancelled",
] as const;

export type FailureCode = (typeof failureCodes)[number];

export const failureSchema = z.object({
  requestId: z.string(),
  /** @default it could not be read */
  inputId: z.string().optional(),
  jobId: z.string().optional(),
  /** One of {@link failureCodes}, or what a later version of this project wrote. */
  code: z.string(),
  reason: z.string(),
  requestedAt: z.date(),
  failedAt: z.date(),
});

/** A request that was given up, as the warehouse keeps it. */
export type StoredFailure = Readonly<z.infer<typeof failureSchema>>;

/** The columns of `prediction_failures` by what they hold, in their order. */
export const failureColumns = {
  requestId: predictionColumns.requestId,
  inputId: { ...predictionColumns.inputId, optional: true },
  jobId: predictionColumns.jobId,
  code: { name: "code", type: "text", maxBytes: 64 },
  reason: { name: "reason", type: "text", maxBytes: 4_096 },
  requestedAt: predictionColumns.requestedAt,
  failedAt: { name: "failed_at", type: "time", maxBytes: 23 },
} as const satisfies Record<keyof StoredFailure, Column>;

const columns: readonly Column[] = failureSchema.keyof().options.map((property) => failureColumns[property]);

/** The names of the columns, as an INSERT and a SELECT list them. */
export const failureColumnNames = listOf(columns);

/** The table. A request has one row for each code that it failed with. */
export const createFailures = (table: string) => `CREATE TABLE IF NOT EXISTS ${table} (
${definitionsOf(columns)}
) DISTKEY(request_id) SORTKEY(request_id)`;

const maybe = z.union([textField, nothing]);

/** A row that {@link selectFailures} reads. */
export const failureRow = z
  .tuple([textField, maybe, maybe, textField, textField, timeField, timeField])
  .transform(([requestId, inputId, jobId, code, reason, requestedAt, failedAt]) => {
    const ids = { requestId, ...(inputId !== undefined && { inputId }), ...(jobId !== undefined && { jobId }) };
    return { ...ids, code, reason, requestedAt, failedAt };
  })
  .pipe(failureSchema);

/** That an answer is the one to a failed request: of the same request, input and job. */
export const isAnswered = (failure: string, answer: string): string =>
  `${answer}.request_id = ${failure}.request_id AND ${answer}.input_id = ${failure}.input_id AND COALESCE(${answer}.job_id, '') = COALESCE(${failure}.job_id, '')`;

/**
 * The failures that are shown: the last one of each request, where that has no answer after all.
 * @param where what holds for them, said of a failure or of its answer
 */
export const shownFailures = (where: (table: "failure" | "answer") => string): string =>
  `(SELECT * FROM (
SELECT failure.*, ROW_NUMBER() OVER (PARTITION BY request_id, COALESCE(input_id, ''), COALESCE(job_id, '') ORDER BY failed_at DESC, code) AS place
FROM prediction_failures AS failure
WHERE ${where("failure")} AND NOT EXISTS (SELECT 1 FROM prediction_results AS answer WHERE ${where("answer")} AND ${isAnswered("failure", "answer")})
) AS latest WHERE place = 1) AS shown`;

/** What is selected of them, as {@link failureRow} reads it. */
export const failureExpressions = columns.map(({ name, type }) => (type === "time" ? inUtc(name) : name));

/** What precedes what was given in a reason: two requests with one rule failed alike. */
const beforeGiven = ", got ";

/** The rule that a request broke: its reason without what was given. */
export const ruleOf = (reason: string): string => reason.split(beforeGiven)[0] ?? reason;

/** The same in SQL. */
export const ruleExpression = `SPLIT_PART(reason, '${beforeGiven}', 1)`;
