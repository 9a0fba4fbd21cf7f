import type { FailureCode } from "../contract/failure-table";

export { type FailureCode, failureCodes } from "../contract/failure-table";

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
