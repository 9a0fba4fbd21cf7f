import type { LocalFunction } from "./lambda";

/**
 * Starts a schedule of EventBridge Scheduler's, which invokes a function asynchronously: at each rate, however long the
 * last run takes, for the first time when that is over. What fails is not tried again.
 * @param expression `rate(5 minutes)`
 * @throws for another kind of schedule
 */
export function startSchedule(expression: string, target: LocalFunction): { stop(): Promise<void> } {
  const minutes = Number(/^rate\((\d+) minutes?\)$/.exec(expression)?.[1]);
  if (!(minutes >= 1)) throw new Error(`a schedule must be a rate of 1 minute or more here, got ${expression}`);
  const invoke = () => target.invoke({}).catch(() => {}); // its log says so
  const timer = setInterval(invoke, minutes * 60_000);
  return {
    stop: async () => clearInterval(timer),
  };
}
