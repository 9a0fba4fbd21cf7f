import type { APIGatewayProxyResult } from "aws-lambda";
import * as z from "zod";
import { bytesOf } from "../../contract/bytes";
import type { Until } from "../../pipeline/clients";
import { runsOf } from "../../pipeline/flow";
import { InvalidRequest, parseInputId, parseRequestId, requestIdSchema } from "../../pipeline/request-reader";
import type { Prediction, PredictionFilter, Results, StoredFailure } from "../../pipeline/results";
import { Fault, json, type Request } from "./http";
import { limitOf, nextOf, parametersOf, pathParameter, placeOf } from "./query";

/** Lambda hands on no answer above 6 MB, and an answer's body counts as the JSON string that it is in there. */
const pageBytes = 5_000_000;

const shownPrediction = ({ endpoint, variant, modelRelease, ...prediction }: Prediction) => ({
  ...prediction,
  model: { endpoint, variant, release: modelRelease },
});

const sizeOf = (prediction: Prediction) => bytesOf(JSON.stringify(JSON.stringify(shownPrediction(prediction))));

const placeSchema = z.tuple([z.int().min(0).max(Date.parse("9999-12-31T23:59:59.999Z")), requestIdSchema]);

const afterOf = (next: string): PredictionFilter["after"] => {
  const [predictedAt, requestId] = placeOf(next, placeSchema);
  return { predictedAt: new Date(predictedAt), requestId };
};

/** What a query asks for: what became of a request, or a page of predictions. */
const queryOf = (request: Request) => {
  const query = parametersOf(request, ["requestId", "limit", "next"]);
  const [requestId, limit, next] = ["requestId", "limit", "next"].map((name) => query.get(name));
  if (requestId === undefined) {
    return { limit: limitOf(limit), after: next === undefined ? undefined : afterOf(next) };
  }
  if ((limit ?? next) !== undefined)
    throw new InvalidRequest("requestId stands alone: it has one outcome, and no pages");
  return { requestId: parseRequestId(requestId) };
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
  const id = parseInputId(pathParameter(request, "id"));
  const query = queryOf(request);
  if (query.requestId !== undefined) return getOutcome(id, query.requestId, results, until);
  const { limit, after } = query;
  const found = await results.ofInput(id, { limit: limit + 1, after }, until); // one more tells whether there are more
  const [page = []] = runsOf(found, { count: limit, size: pageBytes }, sizeOf);
  const last = page.at(-1);
  if (!last && !after) throw new Fault(404, "no_predictions", `input ${JSON.stringify(id)} has no predictions`);
  const next = last && page.length < found.length ? nextOf([last.predictedAt.getTime(), last.requestId]) : undefined;
  return json(200, { id, predictions: page.map(shownPrediction), next });
};
