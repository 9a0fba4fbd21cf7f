import { randomUUID } from "node:crypto";
import { SendMessageBatchCommand, type SendMessageBatchRequestEntry, SQSClient } from "@aws-sdk/client-sqs";
import * as z from "zod";
import { clientSettings, reasonOf, type Until } from "./clients";
import { backOff, limiter, runsOf } from "./flow";
import { bytesOf, columnBytes } from "./results";

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
  id: idRule(columnBytes.input_id),
  requestId: idRule(columnBytes.request_id),
  jobId: idRule(columnBytes.job_id),
  requestedAt: "an ISO 8601 time from 1970 to 9999, such as 2026-01-31T12:00:00Z",
};

function idRule(maxBytes: number) {
  return `Unicode text of 1 to ${maxBytes.toLocaleString("en")} UTF-8 bytes, without NUL and without a space at its end`;
}

const newRequest = {
  id: identifier(columnBytes.input_id),
  requestId: identifier(columnBytes.request_id).optional(),
  jobId: identifier(columnBytes.job_id).optional(),
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
      return `a request has no ${issue.keys.map(shown).join(", ")}, only id, requestId and jobId`;
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

/** Text that is no JSON is nothing here. */
const readJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/**
 * Reads a request as a client writes it: JSON with `id`, and `requestId` and `jobId` where it has them.
 * @throws InvalidRequest with every fault, what was given and what is allowed.
 */
export const parseNewRequest = (text: string): NewRequest => {
  const given = readJson(text);
  const parsed = newRequestSchema.safeParse(given);
  if (!parsed.success) throw new InvalidRequest(faultsOf(given === undefined ? text : given, parsed.error));
  return parsed.data;
};

/** @throws InvalidRequest when no input can have this id. */
export const parseInputId = (id: string): string => {
  if (!newRequest.id.safeParse(id).success) throw new InvalidRequest(`id must be ${allowed.id}, got ${shown(id)}`);
  return id;
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

/** The body under which a request is put on a queue again: a new message's id and time never become its own. */
export const bodyOf = ({ requestId, inputId, jobId, requestedAt }: PredictionRequest): string =>
  JSON.stringify({ id: inputId, requestId, jobId, requestedAt: requestedAt.toISOString() });

/** The same for what could not be read: all that came, with the id and time of its message where it had none. */
export const bodyOfInvalid = ({ messageId, body, sentAt }: Message): string => {
  const given = readJson(body);
  return JSON.stringify({
    requestId: messageId,
    requestedAt: sentAt.toISOString(),
    ...(isObject(given) ? given : { body }),
  });
};

const sqsClient = () => new SQSClient({ ...clientSettings({ requestTimeout: 5_000 }), useQueueUrlAsEndpoint: false });

type Entry = Omit<SendMessageBatchRequestEntry, "Id"> & { readonly MessageBody: string };

const batchEntries = 10;
const batchBytes = 1_048_576;
const batchesInFlight = 20;
const attempts = 3;

const entryBytes = ({ MessageBody, MessageAttributes = {} }: Entry) =>
  Object.entries(MessageAttributes).reduce(
    (sum, [name, { DataType = "", StringValue = "" }]) =>
      sum + bytesOf(name) + bytesOf(DataType) + bytesOf(StringValue),
    bytesOf(MessageBody),
  );

/** Puts messages on a queue, and says of each, by its place, why it is not there; undefined where it is. */
const sendAll = async (
  client: SQSClient,
  queueUrl: string,
  entries: readonly Entry[],
  until?: Until,
): Promise<(string | undefined)[]> => {
  const reasons: (string | undefined)[] = entries.map(() => undefined);

  const sendOnce = async (places: readonly { place: number; entry: Entry }[]) => {
    const Entries = places.map(({ place, entry }) => ({ ...entry, Id: String(place) }));
    const answer = await client.send(new SendMessageBatchCommand({ QueueUrl: queueUrl, Entries }), {
      abortSignal: until?.signal,
    });
    const successful = new Set(answer.Successful?.map(({ Id }) => Id));
    const failed = new Map(answer.Failed?.map((failure) => [failure.Id, failure]));
    return places.filter(({ place }) => {
      const failure = failed.get(String(place));
      reasons[place] = successful.has(String(place))
        ? undefined
        : `the queue refused it: ${failure?.Code ?? "no answer"}`;
      return reasons[place] && !failure?.SenderFault;
    });
  };

  const send = async (places: readonly { place: number; entry: Entry }[]) => {
    let left = places;
    try {
      for (let attempt = 1; ; attempt++) {
        left = await sendOnce(left);
        if (left.length === 0 || attempt === attempts) return;
        await backOff(attempt, until?.signal);
      }
    } catch (error) {
      for (const { place } of left) reasons[place] = `the queue could not be reached: ${reasonOf(error)}`;
    }
  };

  const places = entries.map((entry, place) => ({ place, entry }));
  const limits = { count: batchEntries, size: batchBytes };
  const inFlight = limiter(batchesInFlight);
  await Promise.all(runsOf(places, limits, ({ entry }) => entryBytes(entry)).map((run) => inFlight(() => send(run))));
  return reasons;
};

/** The queue that requests are put on. */
export class RequestQueue {
  constructor(
    private readonly queueUrl: string,
    private readonly client = sqsClient(),
  ) {}

  /** Puts requests on the queue. Never throws for one of them: each is accepted, or refused with its reason. */
  async send(requests: readonly NewRequest[], until?: Until): Promise<SendOutcome> {
    const requestedAt = new Date();
    const named = requests.map((request) => ({ ...request, requestId: request.requestId ?? randomUUID() }));
    const faults = named.map((request) => {
      const parsed = newRequestSchema.safeParse(request);
      return parsed.success ? undefined : faultsOf(request, parsed.error);
    });
    const valid = named.filter((_, place) => faults[place] === undefined);
    const bodies = valid.map(({ id, requestId, jobId }) => ({
      MessageBody: bodyOf({ requestId, inputId: id, jobId, requestedAt }),
    }));
    const failures = (await sendAll(this.client, this.queueUrl, bodies, until)).values();

    const outcome: SendOutcome = { accepted: [], refused: [] };
    for (const [place, { id, requestId }] of named.entries()) {
      const reason = faults[place] ?? failures.next().value;
      if (reason === undefined) outcome.accepted.push({ id, requestId });
      else outcome.refused.push({ id, requestId, reason });
    }
    return outcome;
  }
}

/** What can never be answered, on its way out of the pipeline. */
export interface DeadLetter {
  /** Made by `bodyOf` or `bodyOfInvalid`, so that it keeps its request id and time when it is sent back. */
  readonly body: string;
  readonly reason: string;
}

/** Where requests are kept that can never be answered, each with the reason in the message attribute `reason`. */
export class DeadLetterQueue {
  constructor(
    private readonly queueUrl: string,
    private readonly client = sqsClient(),
  ) {}

  /** Says of each letter, by its place, why it did not arrive; undefined where it did. Never throws. */
  send(letters: readonly DeadLetter[], until?: Until): Promise<(string | undefined)[]> {
    const entries = letters.map(({ body, reason }) => ({
      MessageBody: body,
      MessageAttributes: { reason: { DataType: "String", StringValue: reason.replace(unsendable, "?") } },
    }));
    return sendAll(this.client, this.queueUrl, entries, until);
  }
}

/** SQS refuses a message attribute with any of these. */
const unsendable = /[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu;
