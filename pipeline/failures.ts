/** Why a request has no prediction, for logs, metrics and the dead-letter queue. */
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
  "warehouse_failed",
  "dead_letter_queue_failed",
  "out_of_time",
] as const;

export type FailureCode = (typeof failureCodes)[number];

/** Why a request has no prediction. */
export class Failure {
  constructor(
    readonly code: FailureCode,
    /** The same for a person. It shows no feature's text. */
    readonly reason: string,
    /**
     * What may come of trying again. `final`: nothing else. `own`: perhaps an answer, though it is this request that
     * failed. `shared`: perhaps an answer, for what failed had several requests in it, or none.
     */
    readonly kind: "final" | "own" | "shared",
  ) {}
}
