import type { Endpoint } from "./model-endpoint";
import type { PredictionApi } from "./prediction-api";
import type { QueueWorker } from "./queue-worker";
import type { ScheduledFunction } from "./scheduled-function";

/** What of a pipeline alarms and the dashboard watch. */
export interface Watched {
  readonly inference: QueueWorker;
  readonly model: Endpoint;
  readonly loader: ScheduledFunction;
  readonly starter: ScheduledFunction;
  readonly writer: ScheduledFunction;
  readonly api: PredictionApi;
}

/** The names of its functions, by what they do. */
export const functionNames = ({ inference, loader, starter, writer, api }: Watched) => ({
  worker: inference.worker.function.functionName,
  loader: loader.function.function.functionName,
  starter: starter.function.function.functionName,
  writer: writer.function.function.functionName,
  api: api.function.function.functionName,
});
