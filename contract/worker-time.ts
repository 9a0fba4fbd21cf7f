/** The share of its time that the worker asks the endpoint in. The rest is for features before it and outcomes after it. */
export const askingShare = 0.65;

/** How a function asks the endpoint. */
export interface Calls {
  /** Inputs of a call at most. */
  readonly instancesPerCall: number;
  /** Calls in flight at once. */
  readonly concurrency: number;
}

/** The largest batch whose calls all end while the worker asks, though each takes so long. */
export const largestBatch = (
  { instancesPerCall, concurrency }: Calls,
  callSeconds: number,
  timeoutSeconds: number,
): number => Math.floor((askingShare * timeoutSeconds) / callSeconds) * concurrency * instancesPerCall;

/** The longest that each call of a full batch may take, in seconds, so that all end while the worker asks. */
export const longestCall = (
  { instancesPerCall, concurrency }: Calls,
  batchSize: number,
  timeoutSeconds: number,
): number => (askingShare * timeoutSeconds) / Math.ceil(Math.ceil(batchSize / instancesPerCall) / concurrency);
