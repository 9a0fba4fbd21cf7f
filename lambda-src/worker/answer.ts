import type { FeatureValues } from "../../contract/feature-values";
import { reasonOf, type Until } from "../../pipeline/clients";
import { Failure, type FailureCode } from "../../pipeline/failures";
import type { FeatureStore } from "../../pipeline/features";
import { unstorable } from "../../pipeline/outcomes";
import type { Answer, AskingTime, ModelEndpoint } from "../../pipeline/predictions";
import {
  bodyOfInvalid,
  type CarriedFeatures,
  InvalidRequest,
  type Message,
  type PredictionRequest,
  parseRequest,
} from "../../pipeline/request-reader";
import type { DeadLetterQueue } from "../../pipeline/requests";
import type { Prediction, Results } from "../../pipeline/results";

/** What the worker works with. */
export interface Parts {
  /** The features that a request may carry itself. */
  readonly carried: CarriedFeatures;
  /** Where those of the others are. @default every request carries its features */
  readonly features?: Pick<FeatureStore, "read">;
  readonly endpoint: Pick<ModelEndpoint, "ask">;
  readonly results: Pick<Results, "save">;
  readonly deadLetters: Pick<DeadLetterQueue, "send">;
  readonly model: {
    readonly endpoint: string;
    /** Says which model answers there now, or why that is not known. */
    readonly release: (until?: Until) => Promise<string | Failure>;
  };
}

/** A message as the queue delivered it. */
export interface Delivery extends Message {
  readonly receiptHandle: string;
  /** How often it was delivered, this time included. */
  readonly receiveCount: number;
}

/** When to be done with what. What is not done by then is returned. */
export interface Time extends Required<AskingTime> {
  /** When predictions are saved, and what is given up is in the dead-letter queue. */
  readonly writing: Until;
}

/** Deliveries after which a request is given up, if it fails by itself while the service answers others. */
const individualAttempts = 5;

/** What the deliveries of a batch ask for: those with one request id are one request. */
interface Asked {
  readonly requestId: string;
  readonly requestedAt: Date;
  /** The message that says the same under any message id. */
  readonly body: string;
  readonly deliveries: readonly Delivery[];
}

/** What became of a request, and of every message of the batch that asked for it. */
export type Outcome = Asked &
  (
    | /** Its prediction is saved. */ {
        readonly kind: "answered";
        readonly values: FeatureValues;
        readonly answer: Answer;
        readonly prediction: Prediction;
      }
    /** It lies in the dead-letter queue. */
    | { readonly kind: "given up"; readonly failure: Failure }
    /** It may be answered later. */
    | { readonly kind: "returned"; readonly failure: Failure }
  );

/** Whether two requests of one id ask for the same. */
const isSame = (one: PredictionRequest, other: PredictionRequest) =>
  one.inputId === other.inputId &&
  one.jobId === other.jobId &&
  one.features?.length === other.features?.length &&
  (one.features ?? []).every((value, place) => value === other.features?.[place]);

const conflict = new Failure(
  "conflict",
  "a request before it in its batch has the same requestId, and another id, jobId or features",
  "final",
);

/** The requests of a batch: those to answer, each once, and those that are none. */
const requestsOf = (deliveries: readonly Delivery[], carried: CarriedFeatures) => {
  const requests = new Map<string, { request: PredictionRequest; deliveries: Delivery[] }>();
  const invalid: { asked: Asked; failure: Failure }[] = [];
  for (const delivery of deliveries) {
    try {
      const request = parseRequest(delivery, carried);
      const same = requests.get(request.requestId);
      if (!same) requests.set(request.requestId, { request, deliveries: [delivery] });
      else if (isSame(same.request, request)) same.deliveries.push(delivery);
      else invalid.push({ asked: askedOf(request, [delivery]), failure: conflict });
    } catch (error) {
      if (!(error instanceof InvalidRequest)) throw error;
      const { messageId: requestId, sentAt: requestedAt } = delivery;
      invalid.push({
        asked: { requestId, requestedAt, body: bodyOfInvalid(delivery), deliveries: [delivery] },
        failure: new Failure(error.code, error.message, "final"),
      });
    }
  }
  const valid = [...requests.values()].map(({ request, deliveries }) => {
    return { asked: askedOf(request, deliveries), request };
  });
  return { valid, invalid };
};

const askedOf = ({ requestId, requestedAt, body }: PredictionRequest, deliveries: readonly Delivery[]): Asked => {
  return { requestId, requestedAt, body, deliveries };
};

const receiveCountOf = ({ deliveries }: Asked) => Math.max(...deliveries.map(({ receiveCount }) => receiveCount));

/** Says that a service answered none of those that asked it, and why; undefined where it answered one, or none asked. */
const outageOf = (service: string, answers: readonly unknown[]): string | undefined => {
  const failures = answers.flatMap((answer) => (answer instanceof Failure && answer.kind !== "final" ? [answer] : []));
  const [first] = failures;
  if (first === undefined || failures.length < answers.length) return undefined;
  return `${service} answered none of ${failures.length} requests: ${first.reason}`;
};

/**
 * A model that refuses this many inputs and answers none is itself at fault: it speaks another contract, say, or was
 * released broken. Its refusals are then no reason to give a request up.
 */
const refusalsOfItsOwn = 10;

const unlessAllRefused = <Answered>(answers: readonly (Answered | Failure)[]): readonly (Answered | Failure)[] => {
  const refused = answers.filter((answer) => answer instanceof Failure && answer.code === "refused_by_model");
  if (refused.length < refusalsOfItsOwn || refused.length < answers.length) return answers;
  return answers.map(() => new Failure("refused_by_model", "the model refuses every input", "shared"));
};

const undone = new Failure("out_of_time", "it was left undone", "shared");

const isNot = (code: FailureCode) => (answer: unknown) => !(answer instanceof Failure && answer.code === code);

/** Gives a request up where it can never be answered, or where it alone has failed for too often. */
const failed = (asked: Asked, failure: Failure, outage: string | undefined): Outcome => {
  const isCulprit = failure.kind === "own" && outage === undefined && receiveCountOf(asked) >= individualAttempts;
  return { ...asked, kind: failure.kind === "final" || isCulprit ? "given up" : "returned", failure };
};

/**
 * Answers the requests of a batch and saves the answers in one transaction. Every message has its outcome, and one
 * that cannot be answered never harms another.
 * @returns the outcomes, and the services that failed for all that needed them, each with why
 */
export const answerAll = async (
  deliveries: readonly Delivery[],
  { carried, features, endpoint, results, deadLetters, model }: Parts,
  time: Time,
): Promise<{ outcomes: Outcome[]; outages: string[] }> => {
  const { valid, invalid } = requestsOf(deliveries, carried);
  const outcomes = invalid.map(({ asked, failure }) => failed(asked, failure, undefined));

  const unknown = valid.flatMap(({ request }) => (request.features ? [] : [request.inputId]));
  const inputs = (unknown.length > 0 && (await features?.read(unknown, time.beginning))) || new Map<string, Failure>();
  const unread = outageOf("the feature store", [...inputs.values()].filter(isNot("malformed")));
  const readable: ((typeof valid)[number] & { values: FeatureValues })[] = [];
  for (const { asked, request } of valid) {
    const values = request.features ?? inputs.get(request.inputId) ?? undone;
    if (values instanceof Failure) outcomes.push(failed(asked, values, unread));
    else readable.push({ asked, request, values });
  }

  const modelRelease = readable.length > 0 ? await model.release(time.beginning) : "";
  const questions = readable.map(({ asked, values }) => ({
    values,
    alone: receiveCountOf(asked) >= individualAttempts,
  }));
  const answers =
    modelRelease instanceof Failure
      ? questions.map(() => modelRelease)
      : unlessAllRefused(await endpoint.ask(questions, time));
  const unasked = outageOf("the endpoint", answers.filter(isNot("out_of_time")));
  for (const [place, { asked, request, values }] of readable.entries()) {
    const answer = answers[place] ?? undone;
    if (answer instanceof Failure) outcomes.push(failed(asked, answer, unasked));
    else if (modelRelease instanceof Failure) outcomes.push(failed(asked, modelRelease, unasked));
    else {
      const { output, variant } = answer;
      const { requestId, inputId, jobId, requestedAt } = request;
      const said = { output, endpoint: model.endpoint, variant, modelRelease };
      const prediction = { requestId, inputId, jobId, requestedAt, ...said, predictedAt: new Date() };
      const fault = unstorable(prediction);
      outcomes.push(fault ? failed(asked, fault, unasked) : { ...asked, kind: "answered", values, answer, prediction });
    }
  }

  const predictions = outcomes.flatMap((outcome) => (outcome.kind === "answered" ? [outcome.prediction] : []));
  const letters = outcomes.flatMap((outcome) => (outcome.kind === "given up" ? [outcome] : []));
  const [unsaved, undelivered] = await Promise.all([
    save(results, predictions, time.writing),
    deadLetters.send(
      letters.map(({ body, deliveries, failure: { code, reason } }) => ({
        body,
        text: deliveries[0]?.body,
        code,
        reason,
      })),
      time.writing,
    ),
  ]);
  const lost = new Map(letters.map((letter, place): [Outcome, string | undefined] => [letter, undelivered[place]]));
  const settled = outcomes.map((outcome): Outcome => {
    const { requestId, requestedAt, body, deliveries } = outcome;
    const reason = lost.get(outcome);
    const failure =
      outcome.kind === "answered" ? unsaved : reason && new Failure("dead_letter_queue_failed", reason, "shared");
    return failure ? { requestId, requestedAt, body, deliveries, kind: "returned", failure } : outcome;
  });
  const unwritten = unsaved && `the warehouse saved none of ${predictions.length} predictions: ${unsaved.reason}`;
  return { outcomes: settled, outages: [unread, unasked, unwritten].flatMap((outage) => outage ?? []) };
};

/** Saves predictions, all or none as far as is known, and says why not. */
const save = async (results: Parts["results"], predictions: readonly Prediction[], until: Until) => {
  if (predictions.length === 0) return undefined;
  try {
    await results.save(predictions, until);
    return undefined;
  } catch (error) {
    return new Failure("warehouse_failed", reasonOf(error), "shared");
  }
};
