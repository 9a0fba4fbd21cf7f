import { setTimeout } from "node:timers/promises";

/**
 * Runs at most so many tasks at once; the others wait in the order they came. The limit follows what is taken: half of it after
 * each task that was turned away, and one more, up to `most`, after as many as it is that were not.
 */
export const followingLimiter = (most: number) => {
  const waiting: (() => void)[] = [];
  let running = 0;
  let limit = most;
  const startWaiting = () => {
    while (running + 1 <= limit) {
      const next = waiting.shift();
      if (next === undefined) return;
      running++;
      next();
    }
  };
  return async <T>(task: () => Promise<T>, wasTurnedAway: (result: T) => boolean): Promise<T> => {
    await new Promise<void>((resolve) => {
      waiting.push(resolve);
      startWaiting();
    });
    try {
      const result = await task();
      limit = wasTurnedAway(result) ? Math.max(1, limit / 2) : Math.min(most, limit + 1 / limit);
      return result;
    } finally {
      running--;
      startWaiting();
    }
  };
};

/** Runs at most `limit` tasks at once; the others wait in the order they came. */
export const limiter = (limit: number) => {
  const run = followingLimiter(limit);
  return <T>(task: () => Promise<T>): Promise<T> => run(task, () => false);
};

/** Waits before the next attempt: up to 100 ms after the first, up to twice as long after each further one. */
export const backOff = (attempt: number, signal?: AbortSignal) =>
  setTimeout(Math.random() * 100 * 2 ** (attempt - 1), undefined, { signal });

/** With each attempt the wait doubles, up to 6.4 s. */
const longestBackOff = 7;

/**
 * What a long job tries again with: for as long as anything of it goes through now and then. Its tasks share one, so
 * that none of them gives up while others get on.
 */
export class Patience {
  private renewed = performance.now();

  /** @param milliseconds how long nothing at all may go through */
  constructor(private readonly milliseconds: number) {}

  /** Something has gone through. */
  renew(): void {
    this.renewed = performance.now();
  }

  /** Waits before the next attempt. @throws the failure, when nothing has gone through for too long */
  async wait(attempt: number, failure: unknown, signal?: AbortSignal): Promise<void> {
    if (performance.now() - this.renewed > this.milliseconds) throw failure;
    await backOff(Math.min(attempt, longestBackOff), signal);
  }
}

/** Splits a list into runs, each of at most `count` items and `size` in all; an item larger than that stands alone. */
export const runsOf = <T>(
  items: readonly T[],
  limits: { count: number; size?: number },
  sizeOf: (item: T) => number = () => 0,
): T[][] => {
  const runs: T[][] = [];
  let size = 0;
  for (const item of items) {
    const run = runs.at(-1);
    size += sizeOf(item);
    if (run && run.length < limits.count && size <= (limits.size ?? Number.POSITIVE_INFINITY)) run.push(item);
    else {
      runs.push([item]);
      size = sizeOf(item);
    }
  }
  return runs;
};
