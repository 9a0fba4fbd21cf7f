import { limits, type NameLimit } from "../aws/limits";
import { group, oneOf, text, whole } from "./faults";
import { naming, type Surroundings } from "./surroundings";

const description: NameLimit = {
  pattern: /^\P{Cc}+$/u,
  maximumLength: 1024,
  allowed: "any but control characters",
  source: "https://docs.aws.amazon.com/apigateway/latest/api/API_CreateRestApi.html",
};

/** The REST API. */
export const apiSection = (around: Surroundings) => {
  const named = naming(around);
  return group({
    /** The REST API's name. @default what `model.name` is */
    name: named(around.names.api, limits.tags.value),
    /** @default "API for" and the model's name */
    description: text(description).prefault(around.names.apiDescription),
    /** The name of the function behind the API. @default prediction-api */
    functionName: named("prediction-api", limits.lambda.functionName),
    /** That function's role. @default PredictionApiRole */
    roleName: named("PredictionApiRole", limits.iam.roleName),
    /**
     * The last part of the API's address.
     * @default the environment's name, or dev where `takeOver` is set: the original calls it so in every environment
     */
    stageName: text(limits.apiGateway.stageName).prefault(around.takeOver ? "dev" : around.name),
    /** AWS_IAM asks for signed requests, NONE lets everyone in. @default AWS_IAM */
    authorization: oneOf(["AWS_IAM", "NONE"], limits.apiGateway.stageName.source).prefault("AWS_IAM"),
    /** What the API takes before it answers 429. */
    throttle: group({
      /** Requests a second, in the long run. @default 50 */
      ratePerSecond: whole(limits.apiGateway.ratePerSecond).prefault(50),
      /** Requests at once. @default 100 */
      burst: whole(limits.apiGateway.burst).prefault(100),
    }).prefault({}),
  });
};
