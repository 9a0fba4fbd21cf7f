import { Metrics } from "@aws-lambda-powertools/metrics";
import { type MetricName, measured, metricsNamespace } from "../contract/metrics";
import { once } from "./environment";
import { newLogger } from "./logger";

/** What a function that works through batches says of itself, under its own name. */
export const reports = once(() => {
  const serviceName = process.env.AWS_LAMBDA_FUNCTION_NAME;
  const metrics = new Metrics({ namespace: metricsNamespace, serviceName });
  return {
    logger: newLogger(serviceName),
    metrics,
    /** Adds a value to a metric. */
    measure: (name: MetricName, value: number) => metrics.addMetric(name, measured[name].unit, value),
  };
});
