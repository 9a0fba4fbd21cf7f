import { Logger } from "@aws-lambda-powertools/logger";
import type { APIGatewayProxyResult, Context } from "aws-lambda";
import * as z from "zod";
import { type Until, within } from "../../pipeline/clients";
import { InvalidRequest, parseInputId, parseNewRequest, RequestQueue } from "../../pipeline/requests";
import { isBusy, type Prediction, Results } from "../../pipeline/results";
import { once, readEnvironment } from "../environment";

const environmentSchema = z.object({
  QUEUE_URL: z.string().min(1),
  CLUSTER_ID: z.string().min(1),
  DB_NAME: z.string().min(1),
});

const eventSchema = z.object({
  httpMethod: z.string(),
  /** The route as the REST API knows it, such as /predict/{id}. */
  resource: z.string(),
  path: z.string(),
  pathParameters: z.record(z.string(), z.string()).nullish(),
  body: z.string().nullish(),
  isBase64Encoded: z.boolean().default(false),
});

type Request = z.infer<typeof eventSchema>;

const api = once(() => {
  const { QUEUE_URL, CLUSTER_ID, DB_NAME } = readEnvironment(environmentSchema);
  return {
    queue: new RequestQueue(QUEUE_URL),
    results: new Results({ clusterId: CLUSTER_ID, databaseName: DB_NAME }),
  };
});

const logger = once(() => new Logger({ serviceName: "api" }));

/** An answer with an error, whose code callers may rely on. */
class Fault extends Error {
  constructor(
    readonly statusCode: number,
    readonly code: string,
    message: string,
    readonly headers: Record<string, string> = {},
  ) {
    super(message);
  }
}

const json = (statusCode: number, body: unknown, headers: Record<string, string> = {}): APIGatewayProxyResult => ({
  statusCode,
  headers: { "content-type": "application/json", ...headers },
  body: JSON.stringify(body),
});

const busy = (message: string) => new Fault(503, "busy", message, { "retry-after": "5" });

const shownPrediction = ({ endpoint, variant, modelRelease, ...prediction }: Prediction) => ({
  ...prediction,
  model: { endpoint, variant, release: modelRelease },
});

/** A REST API hands path parameters on as they stand in the URL. */
const decoded = (parameter: string) => {
  try {
    return decodeURIComponent(parameter);
  } catch {
    throw new InvalidRequest(`id must be percent-encoded UTF-8, got ${JSON.stringify(parameter)}`);
  }
};

const getPredictions = async ({ pathParameters }: Request, until: Until) => {
  const id = parseInputId(decoded(pathParameters?.id ?? ""));
  const predictions = await api().results.ofInput(id, {}, until);
  if (predictions.length === 0)
    throw new Fault(404, "no_predictions", `input ${JSON.stringify(id)} has no predictions`);
  return json(200, { id, predictions: predictions.map(shownPrediction) });
};

const postRequest = async ({ body, isBase64Encoded }: Request, until: Until) => {
  const text = isBase64Encoded ? Buffer.from(body ?? "", "base64").toString("utf8") : (body ?? "");
  const { accepted, refused } = await api().queue.send([parseNewRequest(text)], until);
  const [request] = accepted;
  if (request) return json(202, request);
  logger().error("request not queued", { refused });
  throw busy("the request could not be queued; try again");
};

const routes: Record<string, (request: Request, until: Until) => Promise<APIGatewayProxyResult>> = {
  "GET /predict/{id}": getPredictions,
  "POST /predict": postRequest,
};

const faultOf = (error: unknown): Fault => {
  if (error instanceof Fault) return error;
  if (error instanceof InvalidRequest) return new Fault(400, "invalid_request", error.message);
  logger().error("request failed", { error });
  if (isBusy(error)) return busy("the warehouse is busy; try again");
  return new Fault(500, "internal_error", "something went wrong here; it has been logged");
};

/** Answers a request to the REST API: an error, too, is an answer. */
export const handler = async (event: unknown, context: Context): Promise<APIGatewayProxyResult> => {
  try {
    logger().addContext(context);
    const request = eventSchema.parse(event);
    const route = routes[`${request.httpMethod} ${request.resource}`];
    if (!route) throw new Fault(404, "not_found", `there is no ${request.httpMethod} ${request.path} here`);
    return await route(request, within(context.getRemainingTimeInMillis() * 0.9));
  } catch (error) {
    const { statusCode, code, message, headers } = faultOf(error);
    return json(statusCode, { error: { code, message } }, headers);
  }
};
