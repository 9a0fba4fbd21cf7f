import { randomUUID } from "node:crypto";
import type { SQSClient } from "@aws-sdk/client-sqs";
import * as z from "zod";
import { predictionColumns } from "../contract/prediction-table";
import type { Until } from "./clients";
import type { FailureCode } from "./failures";
import type { Patience } from "./flow";
import { Queue } from "./queues";
import { bytesOf } from "./results";

/** A request for one prediction, as a client makes it. */
export interface NewRequest {
  /** The record in the feature store. */
  readonly id: string;
  /** The key of the answer: two messages with one key are one request. @default a random UUID */
  readonly requestId?: string;
  /** The job that the request belongs to. @default none */
  readonly jobId?: string;
}

/** A request as the worker takes it from the queue. */
export interface PredictionRequest {
  readonly requestId: string;
  readonly inputId: string;
  readonly jobId?: string;
  readonly requestedAt: Date;
}

/** What became of requests put on the queue, in the order they were given. */
export interface SendOutcome {
  readonly accepted: { readonly id: string; readonly requestId: string }[];
  /** Not known to be on the queue. Sending one again with the same request id is safe. */
  readonly refused: { readonly id: string; readonly requestId: string; readonly reason: string }[];
}

/** A value as an error message shows it: quoted, and cut where it is long. */
const shown = (value: unknown): string => {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
};

/** An id that the warehouse stores exactly. Redshift holds "a" and "a " to be equal, so none ends in a space. */
const identifier = (maxBytes: number) =>
  z
    .string()
    .min(1)
    .refine((text) => bytesOf(text) <= maxBytes)
    .refine((text) => !text.endsWith(" "))
    .refine((text) => !/\0|\p{Surrogate}/u.test(text));

const allowed = {
  id: idRule(predictionColumns.inputId.maxBytes),
  requestId: idRule(predictionColumns.requestId.maxBytes),
  jobId: idRule(predictionColumns.jobId.maxBytes),
  requestedAt: "an ISO 8601 time from 1970 to 9999, such as 2026-01-31T12:00:00Z",
};

function idRule(maxBytes: number) {
  return `Unicode text of 1 to ${maxBytes.toLocaleString("en")} UTF-8 bytes, without NUL and without a space at its end`;
}

const inputIdSchema = identifier(predictionColumns.inputId.maxBytes);
export const requestIdSchema = identifier(predictionColumns.requestId.maxBytes);

const newRequest = {
  id: inputIdSchema,
  requestId: requestIdSchema.optional(),
  jobId: identifier(predictionColumns.jobId.maxBytes).optional(),
};

const newRequestSchema = z.strictObject(newRequest);

const messageSchema = z.object({
  ...newRequest,
  requestedAt: z.iso
    .datetime({ offset: true })
    .transform((text) => new Date(text))
    .pipe(z.date().min(new Date(0)).max(new Date("9999-12-31T23:59:59.999Z")))
    .optional(),
});

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Every fault of a request at once, each with what was given and what is allowed. */
const faultsOf = (given: unknown, error: z.ZodError): string => {
  if (!isObject(given)) return `a request must be a JSON object such as {"id": "7"}, got ${shown(given)}`;
  const faults = error.issues.map((issue) => {
    if (issue.code === "unrecognized_keys") {
      return `a request has no ${issue.keys.slice(0, 5).map(shown).join(", ")}, only id, requestId and jobId`;
    }
    const name = z.enum(["id", "requestId", "jobId", "requestedAt"]).parse(issue.path[0]);
    return `${name} must be ${allowed[name]}, got ${shown(given[name])}`;
  });
  return [...new Set(faults)].join("; ");
};

/** A request that can never be answered, whoever asks again. */
export class InvalidRequest extends Error {
  override readonly name = "InvalidRequest";
}

/** What a text of JSON holds; text that is no JSON is nothing here. */
export const readJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

const readNewRequest = (given: unknown): NewRequest | InvalidRequest => {
  const parsed = newRequestSchema.safeParse(given);
  return parsed.success ? parsed.data : new InvalidRequest(faultsOf(given, parsed.error));
};

/**
 * Reads what a client asks for: a request in JSON with `id`, and `requestId` and `jobId` where it has them, or an array
 * of up to 1,000 of them. Each is given as it was asked for, or as an InvalidRequest with every fault of it.
 * @throws InvalidRequest for an array that is empty or longer
 */
export const parseNewRequests = (text: string): NewRequest | InvalidRequest | (NewRequest | InvalidRequest)[] => {
  const given = readJson(text);
  if (!Array.isArray(given)) return readNewRequest(given === undefined ? text : given);
  if (given.length >= 1 && given.length <= 1_000) return given.map(readNewRequest);
  throw new InvalidRequest(`an array must hold 1 to 1,000 requests, got ${given.length.toLocaleString("en")}`);
};

/** @throws InvalidRequest when no input can have this id. */
export const parseInputId = (id: string): string => {
  if (!inputIdSchema.safeParse(id).success) throw new InvalidRequest(`id must be ${allowed.id}, got ${shown(id)}`);
  return id;
};

/** @throws InvalidRequest when no request can have this id. */
export const parseRequestId = (id: string): string => {
  if (requestIdSchema.safeParse(id).success) return id;
  throw new InvalidRequest(`requestId must be ${allowed.requestId}, got ${shown(id)}`);
};

/** What is needed of a message of the queue. */
export interface Message {
  readonly messageId: string;
  readonly body: string;
  /** When it was put on the queue. */
  readonly sentAt: Date;
}

/**
 * Reads a request off the queue. Its key is its `requestId`, or else the id of the message.
 * @throws InvalidRequest with every fault, what was given and what is allowed.
 */
export const parseRequest = ({ messageId, body, sentAt }: Message): PredictionRequest => {
  const given = readJson(body);
  const parsed = messageSchema.safeParse(given);
  if (!parsed.success) throw new InvalidRequest(faultsOf(given === undefined ? body : given, parsed.error));
  const { id, requestId = messageId, jobId, requestedAt = sentAt } = parsed.data;
  return { requestId, inputId: id, jobId, requestedAt };
};

/** JSON that SQS takes: these two characters, which JSON.stringify leaves as they are, it refuses. */
const messageOf = (value: object): string =>
  JSON.stringify(value).replace(/[\uFFFE\uFFFF]/g, (character) => `\\u${character.charCodeAt(0).toString(16)}`);

/** The body under which a request is put on a queue again: a new message's id and time never become its own. */
export const bodyOf = ({ requestId, inputId, jobId, requestedAt }: PredictionRequest): string =>
  messageOf({ id: inputId, requestId, jobId, requestedAt: requestedAt.toISOString() });

/** The same for what could not be read: all that came, with the id and time of its message where it had none. */
export const bodyOfInvalid = ({ messageId, body, sentAt }: Message): string => {
  const given = readJson(body);
  return messageOf({
    requestId: messageId,
    requestedAt: sentAt.toISOString(),
    ...(isObject(given) ? given : { body }),
  });
};

/** Every fault of a request at once; undefined where it has none. */
export const faultOf = (request: NewRequest): string | undefined => {
  const parsed = newRequestSchema.safeParse(request);
  return parsed.success ? undefined : faultsOf(request, parsed.error);
};

/** The queue that requests are put on. */
export class RequestQueue {
  private readonly queue: Queue;

  constructor(queueUrl: string, client?: SQSClient) {
    this.queue = new Queue(queueUrl, client);
  }

  /**
   * Puts requests on the queue. Never throws for one of them: each is accepted, or refused with its reason.
   * @param patience with it, only what is at fault itself is refused @default a few attempts, and never throws
   * @throws with patience, when it ends or the queue cannot be used at all
   */
  async send(requests: readonly NewRequest[], until?: Until, patience?: Patience): Promise<SendOutcome> {
    const requestedAt = new Date();
    const named = requests.map((request) => ({ ...request, requestId: request.requestId ?? randomUUID() }));
    const faults = named.map(faultOf);
    const valid = named.filter((_, place) => faults[place] === undefined);
    const bodies = valid.map(({ id, requestId, jobId }) => ({
      body: bodyOf({ requestId, inputId: id, jobId, requestedAt }),
    }));
    const failures = (await this.queue.send(bodies, until, patience)).values();

    const outcome: SendOutcome = { accepted: [], refused: [] };
    for (const [place, { id, requestId }] of named.entries()) {
      const reason = faults[place] ?? failures.next().value;
      if (reason === undefined) outcome.accepted.push({ id, requestId });
      else outcome.refused.push({ id, requestId, reason });
    }
    return outcome;
  }
}

/** A request that is given up, on its way out of the pipeline. */
export interface DeadLetter {
  /** Made by `bodyOf` or `bodyOfInvalid`, so that it keeps its request id and time when it is sent back. */
  readonly body: string;
  readonly reason: string;
  readonly code: FailureCode;
}

/** Where requests are kept that were given up, each with why in the message attributes `reason` and `code`. */
export class DeadLetterQueue {
  private readonly queue: Queue;

  constructor(queueUrl: string, client?: SQSClient) {
    this.queue = new Queue(queueUrl, client);
  }

  /** Says of each letter, by its place, why it did not arrive; undefined where it did. Never throws. */
  send(letters: readonly DeadLetter[], until?: Until): Promise<(string | undefined)[]> {
    const messages = letters.map(({ body, reason, code }) => ({ body, attributes: { reason, code } }));
    return this.queue.send(messages, until);
  }
}
