import type { APIGatewayProxyResult, Context } from "aws-lambda";
import { apiEnvironment } from "../../contract/environment";
import { type Until, within } from "../../pipeline/clients";
import { Jobs } from "../../pipeline/jobs";
import { LambdaFunction } from "../../pipeline/lambda";
import { isBusy } from "../../pipeline/redshift";
import { InvalidRequest } from "../../pipeline/request-reader";
import { RequestQueue } from "../../pipeline/requests";
import { Results } from "../../pipeline/results";
import { databaseIn, once, readContract, readEnvironment } from "../environment";
import { newLogger } from "../logger";
import { getPredictions } from "./get-predictions";
import { Fault, json, type Request, requestSchema, retryLater } from "./http";
import { jobRoutes } from "./jobs";
import { postRequests } from "./post-requests";

const logger = once(() => newLogger("api"));

const api = once(() => {
  const { FEATURE_GROUP_NAME, QUEUE_URL, ...told } = readEnvironment(apiEnvironment);
  return {
    carried: { features: readContract().features, required: FEATURE_GROUP_NAME === undefined },
    queue: new RequestQueue(QUEUE_URL),
    results: new Results(databaseIn(told)),
    jobs: new Jobs(told.ANSWERS_BUCKET),
    starter: new LambdaFunction(told.STARTER_FUNCTION_NAME),
    retentionSeconds: told.MESSAGE_RETENTION_SECONDS,
    visibilitySeconds: told.VISIBILITY_TIMEOUT_SECONDS,
    millionRows: { usd: told.MILLION_ROWS_USD, isAtLeast: told.MILLION_ROWS_USD_IS_AT_LEAST },
    logger: logger(),
  };
});

const routes: Record<string, (request: Request, until: Until) => Promise<APIGatewayProxyResult>> = {
  "GET /predict/{id}": (request, until) => getPredictions(request, api().results, until),
  "POST /predict": (request, until) => postRequests(request, api(), logger(), until),
  ...jobRoutes(api, logger),
};

const faultOf = (error: unknown): Fault => {
  if (error instanceof Fault) return error;
  if (error instanceof InvalidRequest) return new Fault(400, "invalid_request", error.message);
  logger().error("request failed", { error });
  if (isBusy(error)) return new Fault(503, "busy", "the warehouse is busy; try again", retryLater);
  return new Fault(500, "internal_error", "something went wrong here; it has been logged");
};

/** Answers a request to the REST API: an error, too, is an answer. */
export const handler = async (event: unknown, context: Context): Promise<APIGatewayProxyResult> => {
  try {
    logger().addContext(context);
    const request = requestSchema.parse(event);
    const route = routes[`${request.httpMethod} ${request.resource}`];
    if (!route) throw new Fault(404, "not_found", `there is no ${request.httpMethod} ${request.path} here`);
    return await route(request, within(context.getRemainingTimeInMillis() * 0.9));
  } catch (error) {
    const { statusCode, code, message, headers } = faultOf(error);
    return json(statusCode, { error: { code, message } }, headers);
  }
};
