import { reasonOf, type Until } from "../../pipeline/clients";
import { type FeatureStore, type SentencePair, Unreadable } from "../../pipeline/features";
import { type Answer, InputRefused, type ModelEndpoint } from "../../pipeline/predictions";
import {
  bodyOf,
  bodyOfInvalid,
  type DeadLetterQueue,
  InvalidRequest,
  type Message,
  type PredictionRequest,
  parseRequest,
} from "../../pipeline/requests";
import { type Prediction, type Results, unstorable } from "../../pipeline/results";

/** What the worker works with. */
export interface Parts {
  readonly features: Pick<FeatureStore, "read">;
  readonly endpoint: Pick<ModelEndpoint, "predict">;
  readonly results: Pick<Results, "save">;
  readonly deadLetters: Pick<DeadLetterQueue, "send">;
  readonly model: Pick<Prediction, "endpoint" | "modelRelease">;
}

/** What became of a request, and of every message of the batch that asked for it. */
export type Outcome = {
  readonly requestId: string;
  readonly messageIds: readonly string[];
} & (
  | { readonly kind: "answered"; readonly pair: SentencePair; readonly answer: Answer; readonly prediction: Prediction }
  /** Can never be answered: it goes to the dead-letter queue as `body`. */
  | { readonly kind: "refused"; readonly reason: string; readonly body: string }
  /** May be answered later: it goes back to the queue. */
  | { readonly kind: "returned"; readonly reason: string }
);

/** The requests of a batch: those to answer, each once, and those that are none. */
const requestsOf = (messages: readonly Message[]) => {
  const requests = new Map<string, { request: PredictionRequest; messageIds: string[] }>();
  const invalid: Outcome[] = [];
  for (const message of messages) {
    try {
      const request = parseRequest(message);
      const same = requests.get(request.requestId);
      if (same) same.messageIds.push(message.messageId);
      else requests.set(request.requestId, { request, messageIds: [message.messageId] });
    } catch (error) {
      if (!(error instanceof InvalidRequest)) throw error;
      invalid.push({
        requestId: message.messageId,
        messageIds: [message.messageId],
        kind: "refused",
        reason: error.message,
        body: bodyOfInvalid(message),
      });
    }
  }
  return { requests: [...requests.values()], invalid };
};

/**
 * Answers the requests of a batch and saves the answers in one transaction. Every message has its outcome, and one
 * that cannot be answered never harms another.
 * @param until when to stop asking for answers, and when to stop writing them; what is not done by then is returned
 */
export const answerAll = async (
  messages: readonly Message[],
  { features, endpoint, results, deadLetters, model }: Parts,
  until: { readonly asking: Until; readonly writing: Until },
): Promise<Outcome[]> => {
  const { requests, invalid } = requestsOf(messages);
  const inputs = await features.read(
    requests.map(({ request }) => request.inputId),
    until.asking,
  );

  const ask = async ({ request, messageIds }: (typeof requests)[number]): Promise<Outcome> => {
    const { requestId, inputId } = request;
    const refused = (reason: string): Outcome => {
      return { requestId, messageIds, kind: "refused", reason, body: bodyOf(request) };
    };
    const pair = inputs.get(inputId);
    if (pair === undefined) return { requestId, messageIds, kind: "returned", reason: "its features were not read" };
    if (pair instanceof Unreadable) {
      return pair.final ? refused(pair.reason) : { requestId, messageIds, kind: "returned", reason: pair.reason };
    }
    try {
      const answer = await endpoint.predict(pair, until.asking);
      const { output, variant } = answer;
      const prediction = { ...request, ...model, output, variant, predictedAt: new Date() };
      const fault = unstorable(prediction);
      return fault ? refused(fault) : { requestId, messageIds, kind: "answered", pair, answer, prediction };
    } catch (error) {
      if (error instanceof InputRefused) return refused(error.message);
      return { requestId, messageIds, kind: "returned", reason: `the endpoint failed: ${reasonOf(error)}` };
    }
  };
  const outcomes = [...invalid, ...(await Promise.all(requests.map(ask)))];

  const save = async () => {
    const predictions = outcomes.flatMap((outcome) => (outcome.kind === "answered" ? [outcome.prediction] : []));
    if (predictions.length > 0) await results.save(predictions, until.writing);
  };
  const letters = outcomes.flatMap((outcome) => (outcome.kind === "refused" ? [outcome] : []));
  const [saved, undelivered] = await Promise.all([
    save().then(
      () => undefined,
      (error: unknown) => `the warehouse failed: ${reasonOf(error)}`,
    ),
    letters.length > 0 ? deadLetters.send(letters, until.writing) : [],
  ]);

  const failureOf = (outcome: Outcome) => {
    if (outcome.kind === "answered") return saved;
    if (outcome.kind === "refused") return undelivered[letters.indexOf(outcome)];
    return undefined;
  };
  return outcomes.map((outcome) => {
    const reason = failureOf(outcome);
    const { requestId, messageIds } = outcome;
    return reason === undefined ? outcome : { requestId, messageIds, kind: "returned", reason };
  });
};
