/** What makes requests succeed that failed so, by code; a redrive alone fails again. */
const remedies: Readonly<Record<string, readonly [what: string, command: string]>> = {
  unknown_input: ["write their features first", "features ingest FILE"],
  missing_feature: ["write their features first", "features ingest FILE"],
  malformed: ["mend them, and ask again", "failed export FILE"],
  conflict: ["ask under another request id", "failed export FILE"],
  refused_by_model: ["mend their features, and ask again", "failed export FILE"],
  too_large: ["make them smaller, and ask again", "failed export FILE"],
  feature_store_failed: ["see that all works again", "status"],
  endpoint_failed: ["see that the endpoint works again", "status"],
  unexpected_answer: ["see what the model answers", "model verify --endpoint NAME"],
  not_answered: ["see why the worker ended", "status"],
  expired: ["ask for them in a job with more time", "run --csv FILE --job NAME"],
  cancelled: ["ask for them in another job", "run --csv FILE --job NAME"],
  lost: ["ask for them in another job", "run --csv FILE --job NAME"],
};

/** What is to be done before requests with a failure's code go back to the queue. @returns undefined where that is not known */
export function remedyOf(code: string) {
  const [what, command] = (Object.hasOwn(remedies, code) && remedies[code]) || [];
  return what === undefined || command === undefined ? undefined : { what, command };
}
