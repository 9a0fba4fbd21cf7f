import type { FailureCode } from "../contract/failure-table";

/** Why a request has no prediction. */
export class Failure {
  constructor(
    readonly code: FailureCode,
    /** The same for a person. It shows no feature's text. */
    readonly reason: string,
    /**
     * When trying again may help. `never`: the answer would be the same. `alone`: it is this request that failed, in a
     * call of its own. `later`: what failed had several requests in it, or none.
     */
    readonly retry: "never" | "alone" | "later",
  ) {}
}

/** That what was asked has enough to do: it is no failure of its own, and it takes more later. */
export class Busy extends Failure {}
