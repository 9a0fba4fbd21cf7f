/**
 * How long the worker lets a message rest that it returns, in seconds: `first`, twice as long each further time, up to
 * `longest`; of that, a random part of at least half, so that what failed together comes back apart.
 */
export interface ReturnDelay {
  readonly first: number;
  readonly longest: number;
}

/** The longest that a message rests after so many deliveries, in seconds. It rests for at least half of that. */
export const longestRest = (deliveries: number, { first, longest }: ReturnDelay): number =>
  Math.min(longest, first * 2 ** (deliveries - 1));

/** The delay for a queue that keeps messages for so long: a resting one must not expire, and is sent anew at half of its time. */
export const returnDelayFor = (messageRetentionSeconds: number): ReturnDelay => ({
  first: 10,
  longest: Math.min(900, Math.floor(messageRetentionSeconds / 4)),
});

/** The deliveries that a message is given when it is to outlast an outage, even if every rest is as short as it can be. */
export function deliveriesThrough(outageSeconds: number, delay: ReturnDelay): number {
  let deliveries = 1;
  for (let waited = 0; waited < outageSeconds; deliveries++) waited += longestRest(deliveries, delay) / 2;
  return deliveries;
}
