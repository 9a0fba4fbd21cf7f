import type { APIGatewayProxyResult } from "aws-lambda";
import * as z from "zod";
import { bytesOf } from "../../contract/bytes";
import { isJson } from "../../contract/json-text";
import type { Until } from "../../pipeline/clients";
import { runsOf } from "../../pipeline/flow";
import { InvalidRequest, parseInputId, parseRequestId, requestIdSchema } from "../../pipeline/request-reader";
import type { Prediction, PredictionFilter, Results, StoredFailure } from "../../pipeline/results";
import { Fault, json, type Request } from "./http";

/** Lambda hands on no answer above 6 MB, and an answer's body counts as the JSON string that it is in there. */
const pageBytes = 5_000_000;
const mostPerPage = 100;

const shownPrediction = ({ endpoint, variant, modelRelease, ...prediction }: Prediction) => ({
  ...prediction,
  model: { endpoint, variant, release: modelRelease },
});

const sizeOf = (prediction: Prediction) => bytesOf(JSON.stringify(JSON.stringify(shownPrediction(prediction))));

/** Where a page ends, as what the caller gives back to have the next one. */
const nextOf = ({ predictedAt, requestId }: Prediction) =>
  Buffer.from(JSON.stringify([predictedAt.getTime(), requestId])).toString("base64url");

const nextSchema = z.tuple([z.int().min(0).max(Date.parse("9999-12-31T23:59:59.999Z")), requestIdSchema]);

/** What a text of JSON holds; nothing where it is none. */
const readJson = (text: string): unknown => (isJson(text) ? JSON.parse(text) : undefined);

const afterOf = (next: string): PredictionFilter["after"] => {
  const parsed = nextSchema.safeParse(readJson(Buffer.from(next, "base64url").toString()));
  if (!parsed.success) {
    throw new InvalidRequest(`next must be what an answer gave as its next, got ${JSON.stringify(next)}`);
  }
  const [predictedAt, requestId] = parsed.data;
  return { predictedAt: new Date(predictedAt), requestId };
};

const limitOf = (limit: string): number => {
  if (/^[1-9]\d*$/.test(limit) && Number(limit) <= mostPerPage) return Number(limit);
  throw new InvalidRequest(`limit must be a whole number from 1 to ${mostPerPage}, got ${JSON.stringify(limit)}`);
};

const parameters = ["requestId", "limit", "next"];

/** What a query asks for: what became of a request, or a page of predictions. */
const queryOf = ({ queryStringParameters, multiValueQueryStringParameters }: Request) => {
  for (const [name, values] of Object.entries(multiValueQueryStringParameters ?? {})) {
    if (values.length > 1) throw new InvalidRequest(`${name} must be given once, got ${JSON.stringify(values)}`);
  }
  const query = new Map(Object.entries(queryStringParameters ?? {}));
  const unknown = [...query.keys()].filter((name) => !parameters.includes(name));
  if (unknown.length > 0) {
    const names = unknown.map((name) => JSON.stringify(name)).join(", ");
    throw new InvalidRequest(`there is no parameter ${names}, only requestId, limit and next`);
  }
  const [requestId, limit, next] = parameters.map((name) => query.get(name));
  if (requestId === undefined) {
    return { limit: limitOf(limit ?? "50"), after: next === undefined ? undefined : afterOf(next) };
  }
  if ((limit ?? next) !== undefined)
    throw new InvalidRequest("requestId stands alone: it has one outcome, and no pages");
  return { requestId: parseRequestId(requestId) };
};

/** A REST API hands path parameters on as they stand in the URL. */
const decoded = (parameter: string) => {
  try {
    return decodeURIComponent(parameter);
  } catch {
    throw new InvalidRequest(`id must be percent-encoded UTF-8, got ${JSON.stringify(parameter)}`);
  }
};

const shownFailure = ({ jobId, code, reason, requestedAt, failedAt }: StoredFailure) => ({
  jobId,
  code,
  reason,
  requestedAt,
  failedAt,
});

/** Answers with what became of a request for an input. */
const getOutcome = async (id: string, requestId: string, results: Results, until: Until) => {
  const outcome = await results.ofRequest(requestId, id, until);
  if (outcome === undefined) {
    throw new Fault(
      404,
      "no_outcome",
      `the request ${JSON.stringify(requestId)} for the input ${JSON.stringify(id)} is neither answered nor failed: it is on its way, or expired in the queue, or was never made`,
    );
  }
  return "code" in outcome
    ? json(200, { id, requestId, status: "failed", failure: shownFailure(outcome) })
    : json(200, { id, requestId, status: "answered", prediction: shownPrediction(outcome) });
};

/** Answers with the stored predictions of an input, newest first, a page of them; or with what became of one request. */
export const getPredictions = async (
  request: Request,
  results: Results,
  until: Until,
): Promise<APIGatewayProxyResult> => {
  const id = parseInputId(decoded(request.pathParameters?.id ?? ""));
  const query = queryOf(request);
  if (query.requestId !== undefined) return getOutcome(id, query.requestId, results, until);
  const { limit, after } = query;
  const found = await results.ofInput(id, { limit: limit + 1, after }, until); // one more tells whether there are more
  const [page = []] = runsOf(found, { count: limit, size: pageBytes }, sizeOf);
  const last = page.at(-1);
  if (!last && !after) throw new Fault(404, "no_predictions", `input ${JSON.stringify(id)} has no predictions`);
  const next = last && page.length < found.length ? nextOf(last) : undefined;
  return json(200, { id, predictions: page.map(shownPrediction), next });
};
