/** The share of its time that the worker asks the endpoint in. The rest is for features before it and outcomes after it. */
export const askingShare = 0.65;

/** The share of its time after which it begins no further call. */
export const beginningShare = 0.5;

/** How a function asks the endpoint. */
export interface Calls {
  /** Inputs of a call at most. */
  readonly instancesPerCall: number;
  /** Calls in flight at once. */
  readonly concurrency: number;
  /** What the first of these may take, in seconds, while the endpoint starts. @default as long as each later one */
  readonly coldSeconds?: number;
}

/** The largest batch whose calls all end while the worker asks, though each takes so long. */
export const largestBatch = (
  { instancesPerCall, concurrency, coldSeconds = 0 }: Calls,
  callSeconds: number,
  timeoutSeconds: number,
): number => Math.floor((askingShare * timeoutSeconds - coldSeconds) / callSeconds) * concurrency * instancesPerCall;

/** The longest that each call of a full batch may take, in seconds, so that all end while the worker asks. */
export const longestCall = (
  { instancesPerCall, concurrency }: Calls,
  batchSize: number,
  timeoutSeconds: number,
): number => (askingShare * timeoutSeconds) / Math.ceil(Math.ceil(batchSize / instancesPerCall) / concurrency);
