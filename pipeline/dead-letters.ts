import type { SQSClient } from "@aws-sdk/client-sqs";
import { messageGroupOf } from "../contract/message-group";
import type { Until } from "./clients";
import { QueueWalk, type Received, type Walked, type WalkOptions } from "./queue-walk";
import { Queue, sqsClient } from "./queues";
import { idsIn, type PredictionRequest, parseRequest } from "./request-reader";

/** A dead letter as it lies in its queue. */
export interface LyingLetter {
  readonly messageId: string;
  /** The request that it was; undefined where it is none, and sending it again is of no use. */
  readonly request?: PredictionRequest;
  /** The input, the request and the job, as far as they can be read. */
  readonly id?: string;
  readonly requestId?: string;
  readonly jobId?: string;
  /** One of the worker's failure codes, or `deliveries_exhausted` where SQS itself has moved it. */
  readonly code: string;
  readonly reason: string;
  readonly body: string;
}

/** Why a message without a reason is a dead letter. */
const movedByTheQueue = {
  code: "deliveries_exhausted",
  reason: "every delivery that the queue allows has failed; the worker's log says why",
};

/** The request that a message is, or undefined where it is none. */
const requestOf = (message: Received): PredictionRequest | undefined => {
  try {
    return parseRequest(message);
  } catch {
    return undefined;
  }
};

const letterOf = (message: Received): LyingLetter => {
  const { messageId, body, attributes } = message;
  const { code = movedByTheQueue.code, reason = movedByTheQueue.reason } = attributes;
  const request = requestOf(message);
  if (request === undefined) return { messageId, ...idsIn(body), code, reason, body };
  return {
    messageId,
    request,
    id: request.inputId,
    requestId: request.requestId,
    jobId: request.jobId,
    code,
    reason,
    body,
  };
};

/** What became of letters that were to go back to the queue of requests. */
export interface Redriven extends Walked {
  readonly sent: number;
  /** Letters that are no requests. They stay. */
  readonly unreadable: number;
  /** Letters of requests that are among those sent: copies, and what has failed again meanwhile. They stay. */
  readonly again: number;
  /** Why letters could not be sent, each reason with how many. They stay. */
  readonly refused: ReadonlyMap<string, number>;
}

export interface RedriveOptions {
  /** Which letters are to go back. */
  readonly isWanted: (letter: LyingLetter) => boolean;
  /** Told how many have gone back. */
  readonly onProgress?: (sent: number) => void;
}

/** The letters in a dead-letter queue. */
export class DeadLetters {
  private readonly letters: QueueWalk;
  private readonly queue: Queue;

  constructor(
    queueUrl: string,
    private readonly client: SQSClient = sqsClient(),
  ) {
    this.letters = new QueueWalk(queueUrl, client);
    this.queue = new Queue(queueUrl, client);
  }

  /** About how many there are, whether they can be seen or not. */
  async count(until?: Until): Promise<number> {
    const { visible, hidden } = await this.letters.counts(until);
    return visible + hidden;
  }

  /** Shows each letter once, some at a time, and leaves them all where they are. */
  look(
    visit: (letters: readonly LyingLetter[]) => Promise<void> | void,
    until?: Until,
    options?: WalkOptions,
  ): Promise<Walked> {
    const visitAll = async (messages: readonly Received[]) => {
      await visit(messages.map(letterOf));
      return messages;
    };
    return this.letters.walk(visitAll, until, options);
  }

  /** Deletes letters for good, and leaves the others where they are. @throws where one is not deleted */
  async remove(isWanted: (letter: LyingLetter) => boolean, until?: Until): Promise<Walked> {
    const visit = async (messages: readonly Received[]) => {
      const gone = messages.filter((message) => isWanted(letterOf(message)));
      const [reason] = (await this.queue.delete(gone, until)).flatMap((one) => one ?? []);
      if (reason !== undefined) throw new Error(`a dead letter was not deleted: ${reason}`);
      return messages.filter((message) => !gone.includes(message));
    };
    return this.letters.walk(visit, until);
  }

  /**
   * Sends letters back to the queue of requests, each before it is deleted here and under the request id that it has:
   * whatever is cut off in between, nothing is lost, and a request that is then in both queues is still one request.
   */
  async redrive(queueUrl: string, { isWanted, onProgress }: RedriveOptions, until?: Until): Promise<Redriven> {
    const requests = new Queue(queueUrl, this.client);
    /** The messages that were sent, by the request. */
    const sent = new Map<string, string>();
    const refused = new Map<string, number>();
    const counts = { unreadable: 0, again: 0 };

    const visit = async (messages: readonly Received[]) => {
      const goes = new Map<Received, PredictionRequest>();
      const gone: Received[] = [];
      for (const message of messages) {
        const letter = letterOf(message);
        const { request } = letter;
        if (!isWanted(letter)) continue;
        if (request === undefined) counts.unreadable++;
        else if (sent.get(request.requestId) === message.messageId)
          gone.push(message); // its deletion had failed
        else if (sent.has(request.requestId)) counts.again++;
        else {
          goes.set(message, request);
          sent.set(request.requestId, message.messageId);
        }
      }
      const reasons = await requests.send(
        [...goes.values()].map((request) => ({ body: request.body, messageGroup: messageGroupOf(request) })),
        until,
      );
      for (const [place, [message, { requestId }]] of [...goes].entries()) {
        const reason = reasons[place];
        if (reason === undefined) gone.push(message);
        else {
          sent.delete(requestId);
          refused.set(reason, (refused.get(reason) ?? 0) + 1);
        }
      }
      // What was sent is deleted even if an interruption comes now: the call is short, and a copy would be of no use.
      const undeleted = await this.queue.delete(gone);
      onProgress?.(sent.size);
      const deleted = new Set(gone.filter((_, place) => undeleted[place] === undefined));
      until?.signal.throwIfAborted();
      return messages.filter((message) => !deleted.has(message));
    };
    const walked = await this.letters.walk(visit, until);
    return { ...walked, sent: sent.size, ...counts, refused };
  }
}
