import type { Metric } from "../config/alarms";
import { measured, metricsNamespace } from "../contract/metrics";
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

/** Where CloudWatch has a metric. */
export function sourceOf(watched: Watched, source: Metric): { namespace: string; dimensions: Record<string, string> } {
  const { inference, model, api } = watched;
  const functions = functionNames(watched);
  switch (source.of) {
    case "pipeline":
      return { namespace: metricsNamespace, dimensions: { service: functions[measured[source.metric].of] } };
    case "queue":
    case "deadLetterQueue":
      return { namespace: "AWS/SQS", dimensions: { QueueName: inference[source.of].name } };
    case "endpoint": {
      const { endpointName: EndpointName, variantName: VariantName } = model;
      return { namespace: "AWS/SageMaker", dimensions: { EndpointName, ...(VariantName && { VariantName }) } };
    }
    case "restApi":
      return { namespace: "AWS/ApiGateway", dimensions: { ApiName: api.restApi.name, Stage: api.stage.stageName } };
    default:
      return { namespace: "AWS/Lambda", dimensions: { FunctionName: functions[source.of] } };
  }
}
