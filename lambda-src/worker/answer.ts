import type { FailureCode, StoredFailure } from "../../contract/failure-table";
import type { FeatureValues } from "../../contract/feature-values";
import { parseRequestId, quietCodes } from "../../contract/job";
import type { Outcome } from "../../contract/outcome";
import type { Prediction } from "../../contract/prediction-table";
import { reasonOf, type Until } from "../../pipeline/clients";
import { Busy, Failure } from "../../pipeline/failures";
import type { FeatureStore } from "../../pipeline/features";
import { type Outcomes, unstorable } from "../../pipeline/outcomes";
import type { Answer, AskingTime, ModelEndpoint } from "../../pipeline/predictions";
import {
  bodyOfInvalid,
  type CarriedFeatures,
  faultOfField,
  InvalidRequest,
  idsIn,
  type Message,
  type PredictionRequest,
  parseRequest,
} from "../../pipeline/request-reader";
import type { DeadLetterQueue } from "../../pipeline/requests";
import type { Sample } from "../../pipeline/sample";
import type { StoppedJobs } from "../../pipeline/stopped-jobs";

/** What the worker works with. */
export interface Parts {
  /** The features that a request may carry itself. */
  readonly carried: CarriedFeatures;
  /** Where those of the others are. @default every request carries its features */
  readonly features?: Pick<FeatureStore, "read">;
  readonly endpoint: Pick<ModelEndpoint, "ask">;
  readonly outcomes: Pick<Outcomes, "put">;
  readonly deadLetters: Pick<DeadLetterQueue, "send">;
  /** The jobs of which nothing more is to be asked. */
  readonly stopped: Pick<StoppedJobs, "ids">;
  /** Tells an input at fault from a model at fault, where nothing else in its batch does. */
  readonly sample: Pick<Sample, "keep" | "read">;
  readonly model: {
    readonly endpoint: string;
    /** Says which model answers there now, or why that is not known. */
    readonly release: (until?: Until) => Promise<string | Failure>;
  };
  /** Deliveries after which SQS itself moves a message to the dead letters. */
  readonly maxReceiveCount: number;
}

/** A message as the queue delivered it. */
export interface Delivery extends Message {
  readonly receiptHandle: string;
  /** How often it was delivered, this time included. */
  readonly receiveCount: number;
  /** Its group, which it keeps where it is sent anew. @default none */
  readonly messageGroup?: string;
}

/** When to be done with what. What is not done by then is returned. */
export interface Time extends Required<AskingTime> {
  /** When outcomes are written, and what is given up is in the dead-letter queue. */
  readonly writing: Until;
}

/** Deliveries after which a request is given up, if it fails by itself while the service answers others. */
const individualAttempts = 5;

/** How long an input may take to be ingested from the sending of its request on, in milliseconds. */
const ingestionTime = 15 * 60_000;

/** What the deliveries of a batch ask for: those with one request id are one request. */
interface Asked {
  readonly requestId: string;
  /** @default it could not be read */
  readonly inputId?: string;
  readonly jobId?: string;
  readonly requestedAt: Date;
  /** The message that says the same under any message id. */
  readonly body: string;
  readonly deliveries: readonly Delivery[];
}

/** What became of a request, and of every message of the batch that asked for it. */
export type Settled = Asked &
  (
    | /** Its prediction is written. */ {
        readonly status: "answered";
        readonly values: FeatureValues;
        readonly answer: Answer;
        readonly prediction: Prediction;
      }
    /** Its failure is written, and it lies in the dead-letter queue, unless its code is among {@link quietCodes}. */
    | {
        readonly status: "failed";
        readonly failure: Failure;
        /** What the model was asked. @default it was not asked */
        readonly values?: FeatureValues;
      }
    /** It may be answered later. */
    | {
        readonly status: "returned";
        readonly failure: Failure;
        /** Whether SQS would move it to the dead letters next, and nothing is written of that. */
        readonly isUnrecorded?: boolean;
      }
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
  "never",
);

const expired = new Failure("expired", "its deadline was over before it was answered", "never");

const cancelled = new Failure("cancelled", "its job was stopped before it was answered", "never");

/** Why a request is not to be asked any more. What names a stopped job and is none of its rows is asked. */
const overOf = async (
  { requestId, jobId, deadline }: PredictionRequest,
  { stopped }: Pick<Parts, "stopped">,
  until: Until,
): Promise<Failure | undefined> => {
  const isRow = jobId !== undefined && parseRequestId(requestId) !== undefined;
  if (isRow && (await stopped.ids(until)).has(jobId)) return cancelled;
  return deadline && deadline.getTime() < Date.now() ? expired : undefined;
};

const isOver = (answer: unknown) => answer === expired || answer === cancelled;

/** The requests of a batch, each once, and those that are none or come too late. */
const requestsOf = (deliveries: readonly Delivery[], carried: CarriedFeatures) => {
  const requests = new Map<string, { request: PredictionRequest; deliveries: Delivery[] }>();
  const invalid: { asked: Asked; failure: Failure }[] = [];
  for (const delivery of deliveries) {
    try {
      const request = parseRequest(delivery, carried);
      const same = requests.get(request.requestId);
      if (same && !isSame(same.request, request)) {
        invalid.push({ asked: askedOf(request, [delivery]), failure: conflict });
      } else if (request.deadline && request.deadline.getTime() < Date.now()) {
        invalid.push({ asked: askedOf(request, [delivery]), failure: expired });
      } else if (same) same.deliveries.push(delivery);
      else requests.set(request.requestId, { request, deliveries: [delivery] });
    } catch (error) {
      if (!(error instanceof InvalidRequest)) throw error;
      const { messageId: requestId, sentAt: requestedAt } = delivery;
      invalid.push({
        asked: { requestId, requestedAt, body: bodyOfInvalid(delivery), deliveries: [delivery] },
        failure: new Failure(error.code, error.message, "never"),
      });
    }
  }
  const valid = [...requests.values()].map(({ request, deliveries }) => {
    return { asked: askedOf(request, deliveries), request };
  });
  return { valid, invalid };
};

const askedOf = (
  { requestId, inputId, jobId, requestedAt, body }: Omit<Asked, "deliveries">,
  deliveries: readonly Delivery[],
): Asked => ({ requestId, inputId, jobId, requestedAt, body, deliveries });

const receiveCountOf = ({ deliveries }: Asked) => Math.max(...deliveries.map(({ receiveCount }) => receiveCount));

/** Says that a service answered none of those that asked it, and why; undefined where it answered one, or none asked. */
const outageOf = (service: string, answers: readonly unknown[]): string | undefined => {
  const failures = answers.flatMap((answer) => (answer instanceof Failure && answer.retry !== "never" ? [answer] : []));
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
  const over = answers.filter(isOver);
  if (refused.length < refusalsOfItsOwn || refused.length + over.length < answers.length) return answers;
  const all = new Failure("refused_by_model", "the model refuses every input", "later");
  return answers.map((answer) => (isOver(answer) ? answer : all));
};

/**
 * Asks for answers, and tells whether the model is at fault for those that failed. Where it answered none, it is asked
 * once more, about an input that it has answered before.
 */
const askAll = async (
  questions: Parameters<ModelEndpoint["ask"]>[0],
  { endpoint, sample }: Pick<Parts, "endpoint" | "sample">,
  time: Time,
): Promise<{ answers: readonly (Answer | Failure)[]; outage?: string }> => {
  const found = await endpoint.ask(questions, time);
  const answers = unlessAllRefused(found);
  const asked = answers.filter((answer) => !isOver(answer));
  const outage = outageOf(
    "the endpoint",
    asked.filter((answer) => isNot("out_of_time")(answer) && !(answer instanceof Busy)),
  );
  const isTheirs = found.some((answer) => answer instanceof Failure && answer.retry !== "later" && !isOver(answer));
  if (outage === undefined || !isTheirs) return { answers, outage };
  const values = await sample.read(time.asking);
  const [again] = values ? await endpoint.ask([{ values, alone: true }], time) : [];
  return again === undefined || again instanceof Failure ? { answers, outage } : { answers: found };
};

/** A request, and the values that the model is to be asked about. */
interface Readable {
  readonly asked: Asked;
  readonly request: PredictionRequest;
  readonly values: FeatureValues;
}

const undone = new Failure("out_of_time", "it was left undone", "later");

const isNot = (code: FailureCode) => (answer: unknown) => !(answer instanceof Failure && answer.code === code);

/** Whether an input that is unknown may be ingested yet. */
const mayBeIngested = ({ deliveries }: Asked, { code }: Failure) =>
  code === "unknown_input" && deliveries.some(({ sentAt }) => Date.now() - sentAt.getTime() < ingestionTime);

/** Gives a request up where it can never be answered, or where it alone has failed for too often. */
const failed = (asked: Asked, failure: Failure, outage: string | undefined): Settled => {
  const isCulprit = failure.retry === "alone" && outage === undefined && receiveCountOf(asked) >= individualAttempts;
  const isOver = isCulprit || (failure.retry === "never" && !mayBeIngested(asked, failure));
  return { ...asked, status: isOver ? "failed" : "returned", failure };
};

/** The failure of a request; of what is no request, as far as its ids can be read. */
const failureOf = (asked: Asked, { code, reason }: Pick<Failure, "code" | "reason">): StoredFailure => {
  const { requestId, inputId, jobId, requestedAt, body } = asked;
  const failed = { requestedAt, code, reason, failedAt: new Date() };
  if (inputId !== undefined) return { requestId, inputId, jobId, ...failed };
  const ids = idsIn(body);
  const readable = (name: "id" | "requestId" | "jobId") =>
    faultOfField(name, ids[name], "") === undefined ? ids[name] : undefined;
  return {
    requestId: readable("requestId") ?? requestId,
    inputId: readable("id"),
    jobId: readable("jobId"),
    ...failed,
  };
};

/** Does something, and gives why it failed. */
const failureIn = async (code: FailureCode, task: () => Promise<unknown>): Promise<Failure | undefined> => {
  try {
    await task();
    return undefined;
  } catch (error) {
    return new Failure(code, reasonOf(error), "later");
  }
};

/** Asks about requests. @returns what became of each, and why the endpoint answered none where that is so */
const settle = async (
  readable: readonly Readable[],
  parts: Parts,
  time: Time,
): Promise<{ settled: Settled[]; outage?: string }> => {
  const { endpoint, release } = parts.model;
  const modelRelease = readable.length > 0 ? await release(time.beginning) : "";
  if (modelRelease instanceof Failure) {
    const outage = outageOf("the endpoint", [modelRelease]);
    return { settled: readable.map(({ asked }) => failed(asked, modelRelease, outage)), outage };
  }
  const questions = readable.map(({ asked, request, values }) => ({
    values,
    alone: receiveCountOf(asked) >= individualAttempts,
    over: () => overOf(request, parts, time.beginning),
  }));
  const { answers, outage } = await askAll(questions, parts, time);
  const settled = readable.map(({ asked, request, values }, place): Settled => {
    const answer = answers[place] ?? undone;
    if (answer instanceof Failure) {
      const settling = failed(asked, answer, outage);
      return settling.status === "failed" && !isOver(answer) ? { ...settling, values } : settling;
    }
    const { requestId, inputId, jobId, requestedAt } = request;
    const said = { output: answer.output, endpoint, variant: answer.variant, modelRelease };
    const prediction = { requestId, inputId, jobId, requestedAt, ...said, predictedAt: new Date() };
    const fault = unstorable(prediction);
    return fault ? failed(asked, fault, outage) : { ...asked, status: "answered", values, answer, prediction };
  });
  return { settled, outage };
};

/**
 * Says of the messages that SQS moves to the dead letters next that they are not answered, before they are worked on: a
 * function that dies of one leaves that behind. An answer that follows wins.
 * @returns the ids of the requests of which that is written
 */
const recordLast = async (valid: readonly { asked: Asked }[], { outcomes, maxReceiveCount }: Parts, time: Time) => {
  const last = valid.flatMap(({ asked }) => (receiveCountOf(asked) >= maxReceiveCount ? [asked] : []));
  if (last.length === 0) return new Set<string>();
  const reason = `it was delivered ${maxReceiveCount} times, and never answered`;
  const failures = last.map((asked) => failureOf(asked, { code: "not_answered", reason }));
  const unwritten = await failureIn("answers_failed", () => outcomes.put(failures, time.beginning));
  return new Set(unwritten ? [] : last.map(({ requestId }) => requestId));
};

/**
 * Writes what became of requests as one object, and then sets aside those that are given up, but for {@link quietCodes}.
 * What could not be written is returned, and so is what could not be set aside.
 * @returns them all, and why nothing was written where that is so
 */
const write = async (
  settled: readonly Settled[],
  { outcomes, deadLetters }: Parts,
  until: Until,
): Promise<{ written: Settled[]; unwritten?: string }> => {
  const ended = settled.filter(({ status }) => status !== "returned");
  const lines = settled.flatMap((one): Outcome[] => {
    if (one.status === "returned") return [];
    return [one.status === "answered" ? one.prediction : failureOf(one, one.failure)];
  });
  const failure = lines.length > 0 ? await failureIn("answers_failed", () => outcomes.put(lines, until)) : undefined;
  if (failure) {
    const unwritten = `S3 took none of ${ended.length} outcomes: ${failure.reason}`;
    return { written: settled.map((one) => (one.status === "returned" ? one : returned(one, failure))), unwritten };
  }
  const given = settled.flatMap((one) =>
    one.status === "failed" && !quietCodes.includes(one.failure.code) ? [one] : [],
  );
  const unsent = await deadLetters.send(
    given.map(({ body, deliveries, failure: { code, reason } }) => ({ body, text: deliveries[0]?.body, code, reason })),
    until,
  );
  const reasons = new Map<Settled, string | undefined>(given.map((one, place) => [one, unsent[place]]));
  const written = settled.map((one) => {
    const reason = reasons.get(one);
    return reason === undefined ? one : returned(one, new Failure("dead_letter_queue_failed", reason, "later"));
  });
  return { written };
};

const returned = (asked: Asked, failure: Failure): Settled => ({
  ...askedOf(asked, asked.deliveries),
  status: "returned",
  failure,
});

/**
 * Answers the requests of a batch, and writes what became of them as one object. Every message is settled, and one
 * that cannot be answered never harms another.
 * @returns what became of them, and the services that failed for all that needed them, each with why
 */
export const answerAll = async (
  deliveries: readonly Delivery[],
  parts: Parts,
  time: Time,
): Promise<{ settled: Settled[]; outages: string[] }> => {
  const { carried, features } = parts;
  const { valid: all, invalid } = requestsOf(deliveries, carried);
  const settled = invalid.map(({ asked, failure }) => failed(asked, failure, undefined));
  const valid: typeof all = [];
  for (const one of all) {
    const failure = await overOf(one.request, parts, time.beginning);
    if (failure) settled.push(failed(one.asked, failure, undefined));
    else valid.push(one);
  }
  const recorded = await recordLast(valid, parts, time);

  const unknown = valid.flatMap(({ request }) => (request.features ? [] : [request.inputId]));
  const inputs = (unknown.length > 0 && (await features?.read(unknown, time.beginning))) || new Map<string, Failure>();
  const unread = outageOf("the feature store", [...inputs.values()].filter(isNot("malformed")));
  const readable: Readable[] = [];
  for (const { asked, request } of valid) {
    const values = request.features ?? inputs.get(request.inputId) ?? undone;
    if (values instanceof Failure) settled.push(failed(asked, values, unread));
    else readable.push({ asked, request, values });
  }

  const { settled: asked, outage: unasked } = await settle(readable, parts, time);
  const { written, unwritten } = await write([...settled, ...asked], parts, time.writing);
  const answered = written.find((one) => one.status === "answered");
  if (answered) await parts.sample.keep(answered.values, time.writing);
  const isUnrecorded = (one: Settled) => receiveCountOf(one) >= parts.maxReceiveCount && !recorded.has(one.requestId);
  return {
    settled: written.map((one) =>
      one.status === "returned" && isUnrecorded(one) ? { ...one, isUnrecorded: true } : one,
    ),
    outages: [unread, unasked, unwritten].flatMap((outage) => outage ?? []),
  };
};
