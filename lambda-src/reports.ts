import { Metrics } from "@aws-lambda-powertools/metrics";
import { once } from "./environment";
import { newLogger } from "./logger";

/** What a function that works through batches says of itself, under its own name. */
export const reports = once(() => {
  const serviceName = process.env.AWS_LAMBDA_FUNCTION_NAME;
  return {
    logger: newLogger(serviceName),
    metrics: new Metrics({ namespace: "SageMaker/CustomModelMetrics", serviceName }),
  };
});
