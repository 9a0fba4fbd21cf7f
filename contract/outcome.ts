import { type Column, definitionsOf, listOf, timestamp } from "./columns";
import { failureColumns, type StoredFailure } from "./failure-table";
import { type Prediction, predictionColumns } from "./prediction-table";

/** What became of a request for good: the one record that travels from the worker on. */
export type Outcome = Prediction | StoredFailure;

/** The version of the format that outcomes are written in. Every one that was ever written is loaded. */
export const outcomeVersion = 1;

/** When an outcome was made: `predicted_at` of an answer, `failed_at` of a failure. */
const endedAt: Column = { name: "ended_at", type: "time", maxBytes: 23 };

const optional = (column: Column): Column => ({ ...column, optional: true });

/** The columns of a line, and of the table that lines are copied into. A line has an output or a code. */
const columns: readonly Column[] = [
  predictionColumns.requestId,
  failureColumns.inputId,
  predictionColumns.jobId,
  predictionColumns.requestedAt,
  endedAt,
  optional(predictionColumns.output),
  optional(predictionColumns.endpoint),
  optional(predictionColumns.variant),
  optional(predictionColumns.modelRelease),
  optional(failureColumns.code),
  optional(failureColumns.reason),
];

/** The names of the columns, as COPY lists them. */
export const incomingColumnNames = listOf(columns);

/** The temporary table of a load: what its targets refuse is refused here already. */
export const createIncoming = `CREATE TEMP TABLE incoming (
${definitionsOf(columns)}
) DISTKEY(request_id) SORTKEY(request_id)`;

/** An outcome as a line of a staged object: JSON by the names of the columns, which COPY reads. */
export const lineOf = (outcome: Outcome): string => {
  const { requestId, inputId, jobId, requestedAt } = outcome;
  const asked = { v: outcomeVersion, request_id: requestId, input_id: inputId, job_id: jobId };
  const times = (ended: Date) => ({ requested_at: timestamp(requestedAt), ended_at: timestamp(ended) });
  if ("code" in outcome) {
    return JSON.stringify({ ...asked, ...times(outcome.failedAt), code: outcome.code, reason: outcome.reason });
  }
  const { output, endpoint, variant, modelRelease, predictedAt } = outcome;
  return JSON.stringify({ ...asked, ...times(predictedAt), output, endpoint, variant, model_release: modelRelease });
};
