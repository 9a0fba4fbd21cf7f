import type { SQSClient } from "@aws-sdk/client-sqs";
import { beginningOf, bytesOf } from "../contract/bytes";
import type { FailureCode } from "../contract/failure-table";
import { messageGroupOf } from "../contract/message-group";
import type { Until } from "./clients";
import type { Patience } from "./flow";
import { newId } from "./ids";
import { messageBytes, Queue, roomBeside } from "./queues";
import { faultOfField, quotedId } from "./request-reader";

/** A request for one prediction, as it is put on the queue. */
export interface NewRequest {
  /** The input: its record in the feature store, where it carries no features itself. */
  readonly id: string;
  /** The key of the answer: two messages with one key are one request. @default a new one, which begins with its time */
  readonly requestId?: string;
  /** The job that the request belongs to. @default none */
  readonly jobId?: string;
  /** For whom it is asked: no tenant makes the others wait. @default its job is what makes no other wait */
  readonly tenant?: string;
  /** When it was asked for. @default when it is sent */
  readonly requestedAt?: Date;
  /** When an answer comes too late. @default never */
  readonly deadline?: Date;
  /** The features that it carries, as the text of a JSON object. @default they are looked up */
  readonly features?: string;
}

/** What became of requests put on the queue, in the order they were given. */
export interface SendOutcome {
  readonly accepted: { readonly id: string; readonly requestId: string }[];
  /** Not known to be on the queue. Sending one again with the same request id is safe. */
  readonly refused: { readonly id: string; readonly requestId: string; readonly reason: string }[];
}

/** The message of a request. SQS refuses two characters that JSON leaves as they are. */
const messageOf = ({ features, requestedAt, ...request }: NewRequest, now: Date): string => {
  const { id, requestId, jobId, tenant, deadline } = request;
  const text = JSON.stringify({ id, requestId, jobId, tenant, requestedAt: requestedAt ?? now, deadline });
  const whole = features === undefined ? text : `${text.slice(0, -1)},"features":${features}}`;
  return whole.replace(/[\uFFFE\uFFFF]/g, (character) => `\\u${character.charCodeAt(0).toString(16)}`);
};

const anyTime = new Date(0);
const anyId = "0".repeat(36);

/** As `\uFFFE` has them: no character of a text takes more in a message. */
const mostBytesOfCharacter = 6;
/** A message without its features has fewer bytes, for all that it holds is bounded by what a field may be. */
const envelopeBytes = 65_536;

/** Every fault of a request at once; undefined where it has none. */
export const faultOf = (request: NewRequest): string | undefined => {
  const faults = (["id", "requestId", "jobId", "tenant"] as const).flatMap((name) => {
    const value = request[name];
    return faultOfField(name, value, value === undefined ? "nothing" : quotedId(value)) ?? [];
  });
  const size = sizeFault(request);
  if (size !== undefined) faults.push(size);
  return faults.length === 0 ? undefined : faults.join("; ");
};

/** That a request is too large for a message; undefined where it is not. */
export const sizeFault = (request: NewRequest): string | undefined => {
  const { features = "", requestId = anyId } = request;
  if (features.length * mostBytesOfCharacter + envelopeBytes <= messageBytes) return undefined;
  const bytes = bytesOf(messageOf({ ...request, requestId }, anyTime));
  if (bytes <= messageBytes) return undefined;
  const [most, given] = [messageBytes, bytes].map((count) => count.toLocaleString("en"));
  return `a request must be at most ${most} UTF-8 bytes as a message, got ${given}`;
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
    const named = requests.map((request) => ({ ...request, requestId: request.requestId ?? newId() }));
    const faults = named.map(faultOf);
    const valid = named.filter((_, place) => faults[place] === undefined);
    const messages = valid.map((request) => {
      return { body: messageOf(request, requestedAt), messageGroup: messageGroupOf(request) };
    });
    const failures = (await this.queue.send(messages, until, patience)).values();

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
  /** Keeps the request's id and time when it is sent back. */
  readonly body: string;
  /** What came, to the letter: kept where SQS has no room for the body. @default the body */
  readonly text?: string;
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
    return this.queue.send(letters.map(fitting), until);
  }
}

/** The most of a reason that is kept, in UTF-8 bytes. */
const reasonBytes = 4_000;

/** A letter as SQS can hold it: whole where that is possible, else with the beginning of its text, and told so. */
const fitting = ({ body, text = body, reason: whole, code }: DeadLetter) => {
  const reason = beginningOf(whole, reasonBytes);
  const fits = [body, text].find((one) => bytesOf(one) <= roomBeside({ reason, code }));
  if (fits !== undefined) return { body: fits, attributes: { reason, code } };
  const told = (kept: number) =>
    `${reason}; of its ${bytesOf(text).toLocaleString("en")} UTF-8 bytes the first ${kept.toLocaleString("en")} are kept, for SQS holds no more`;
  const kept = beginningOf(text, roomBeside({ reason: told(bytesOf(text)), code }));
  return { body: kept, attributes: { reason: told(bytesOf(kept)), code } };
};
