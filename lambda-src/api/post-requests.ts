import type { Logger } from "@aws-lambda-powertools/logger";
import type { APIGatewayProxyResult } from "aws-lambda";
import { jsonObjectOf } from "../../contract/feature-values";
import type { Until } from "../../pipeline/clients";
import { newId } from "../../pipeline/ids";
import {
  type AskedRequest,
  type CarriedFeatures,
  InvalidRequest,
  parseNewRequests,
} from "../../pipeline/request-reader";
import { faultOf, type NewRequest, type RequestQueue } from "../../pipeline/requests";
import { logRequests } from "../logger";
import { json, type Request, retryLater, textOf } from "./http";

/** A request whose key is settled, so that the caller can send it again as the same one. */
interface KeyedRequest extends NewRequest {
  readonly requestId: string;
}

/** What a caller is told of one request. */
interface Outcome {
  readonly status: 202 | 400 | 503;
  readonly id?: string;
  readonly requestId?: string;
  readonly error?: { readonly code: string; readonly message: string };
}

const invalid = (message: string): Outcome => ({ status: 400, error: { code: "invalid_request", message } });

/** What postRequests works with. */
interface Parts {
  readonly queue: RequestQueue;
  /** The features that a request may carry. */
  readonly carried: CarriedFeatures;
}

/** Puts requests on the queue, and says what became of each, by its place. Those with one request id are one. */
const queueAll = async (
  asked: readonly (AskedRequest | InvalidRequest)[],
  { queue, carried }: Parts,
  logger: Logger,
  until: Until,
): Promise<Outcome[]> => {
  const first = new Map<string, KeyedRequest>();
  const keyed = asked.map((one) => {
    if (one instanceof InvalidRequest) return one;
    const { id, requestId = newId(), jobId, tenant, features: values } = one;
    const features = values && jsonObjectOf(carried.features, values);
    const request = { id, requestId, jobId, tenant, features };
    const fault = faultOf(request);
    if (fault !== undefined) return new InvalidRequest(fault);
    const same = first.get(requestId);
    if (!same) first.set(requestId, request);
    else if (same.id !== id || same.jobId !== jobId || same.features !== features) {
      return new InvalidRequest(
        `requestId ${JSON.stringify(requestId)} is that of an item before, which has another id, jobId or features`,
      );
    }
    return request;
  });

  const { refused } = await queue.send([...first.values()], until);
  if (refused.length > 0) {
    const reasons = [...new Set(refused.map(({ reason }) => reason))];
    logger.error("requests not queued", { count: refused.length, reasons });
  }
  const notQueued = new Set(refused.map(({ requestId }) => requestId));
  const queued = [...first.values()].filter(({ requestId }) => !notQueued.has(requestId));
  logRequests(logger, "requests are queued", queued);
  return keyed.map((one) => {
    if (one instanceof InvalidRequest) return invalid(one.message);
    const { id, requestId } = one;
    if (!notQueued.has(requestId)) return { status: 202, id, requestId };
    const message = "the request could not be queued; send it again with this requestId";
    return { status: 503, id, requestId, error: { code: "busy", message } };
  });
};

const noneQueued = {
  400: { code: "invalid_request", message: "no item is a valid request; results says what is wrong with each" },
  503: { code: "busy", message: "no request could be queued; send them again with the requestIds in results" },
};

/** Takes a request, or an array of them, each of which is taken or refused by itself. */
export const postRequests = async (
  request: Request,
  parts: Parts,
  logger: Logger,
  until: Until,
): Promise<APIGatewayProxyResult> => {
  const asked = parseNewRequests(textOf(request), parts.carried);
  const outcomes = await queueAll(Array.isArray(asked) ? asked : [asked], parts, logger, until);
  const headers = outcomes.some(({ status }) => status === 503) ? retryLater : {};
  const [first] = outcomes;
  if (first && !Array.isArray(asked)) {
    const { status, ...outcome } = first;
    return json(status, outcome, headers);
  }
  const status = first && outcomes.every((outcome) => outcome.status === first.status) ? first.status : 207;
  const results = outcomes.map((outcome, index) => ({ index, ...outcome }));
  const error = status === 400 || status === 503 ? noneQueued[status] : undefined;
  return json(status, { error, results }, headers);
};
