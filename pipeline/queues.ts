import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  type MessageAttributeValue,
  SendMessageBatchCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { bytesOf } from "../contract/bytes";
import { clientSettings, isTransient, reasonOf, type Until } from "./clients";
import { backOff, limiter, type Patience, runsOf } from "./flow";

export const sqsClient = () =>
  new SQSClient({ ...clientSettings({ requestTimeout: 3_000 }), useQueueUrlAsEndpoint: false });

const batchEntries = 10;
/**
 * The most that SQS holds of a message with its attributes, and of a batch
 * (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html).
 */
const batchBytes = 1_048_576;
const batchesInFlight = 20;
const attempts = 3;

/** What SQS says of the entries of a batch. */
interface BatchAnswer {
  readonly Successful?: readonly { readonly Id?: string }[];
  readonly Failed?: readonly { readonly Id?: string; readonly Code?: string; readonly SenderFault?: boolean }[];
}

/**
 * Hands entries to one of SQS's batch operations, and says of each, by its place, why it did not succeed; undefined
 * where it did. Never throws, but with patience: then it goes on until each has succeeded or is refused for its own
 * fault, and throws when patience ends or another attempt is of no use.
 */
const inBatches = async <Entry>(
  entries: readonly Entry[],
  call: (entries: (Entry & { Id: string })[]) => Promise<BatchAnswer>,
  until?: Until,
  sizeOf?: (entry: Entry) => number,
  patience?: Patience,
): Promise<(string | undefined)[]> => {
  const reasons: (string | undefined)[] = entries.map(() => undefined);
  type Places = readonly { readonly place: number; readonly entry: Entry }[];

  const callOnce = async (places: Places) => {
    const answer = await call(places.map(({ place, entry }) => ({ ...entry, Id: String(place) })));
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

  const callPatiently = async (places: Places, patience: Patience) => {
    let left = places;
    for (let attempt = 1; left.length > 0; attempt++) {
      const before = left;
      let failure: unknown;
      try {
        left = await callOnce(left);
        failure = new Error(left.map(({ place }) => reasons[place])[0]);
      } catch (error) {
        if (!isTransient(error)) throw error;
        failure = error;
      }
      if (left.length < before.length) patience.renew();
      if (left.length > 0) await patience.wait(attempt, failure, until?.signal);
    }
  };

  const callUntilDone = async (places: Places) => {
    let left = places;
    try {
      for (let attempt = 1; ; attempt++) {
        left = await callOnce(left);
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
  const runs = runsOf(places, limits, ({ entry }) => sizeOf?.(entry) ?? 0);
  await Promise.all(runs.map((run) => inFlight(() => (patience ? callPatiently(run, patience) : callUntilDone(run)))));
  return reasons;
};

/** A message to put on a queue. */
export interface Sending {
  readonly body: string;
  readonly attributes?: Readonly<Record<string, string>>;
  /** The group that it belongs to, as `messageGroupOf` names it. @default one of its own */
  readonly messageGroup?: string;
  /** How long it stays hidden, in seconds, 900 at most. @default as the queue has it */
  readonly delaySeconds?: number;
}

/** SQS refuses a message attribute with any of these. */
const unsendable = /[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu;

const entryOf = ({ body, attributes = {}, messageGroup, delaySeconds }: Sending) => ({
  MessageBody: body,
  MessageGroupId: messageGroup,
  MessageAttributes: Object.fromEntries(
    Object.entries(attributes).map(([name, value]): [string, MessageAttributeValue] => [
      name,
      { DataType: "String", StringValue: value.replace(unsendable, "?") },
    ]),
  ),
  DelaySeconds: delaySeconds,
});

const entryBytes = ({ MessageBody, MessageAttributes }: ReturnType<typeof entryOf>) =>
  Object.entries(MessageAttributes).reduce(
    (sum, [name, { DataType = "", StringValue = "" }]) =>
      sum + bytesOf(name) + bytesOf(DataType) + bytesOf(StringValue),
    bytesOf(MessageBody),
  );

/** The most of a message's body that SQS holds beside these attributes, in UTF-8 bytes. */
export const roomBeside = (attributes: Readonly<Record<string, string>>): number =>
  batchBytes - entryBytes(entryOf({ body: "", attributes }));

/** The most bytes of a request's message: some are kept for why it failed, which a dead letter says beside it. */
export const messageBytes = batchBytes - 8_192;

/** A queue of SQS. Each method says of each message, by its place, why it did not succeed; undefined where it did. */
export class Queue {
  constructor(
    private readonly url: string,
    private readonly client = sqsClient(),
  ) {}

  /**
   * Puts messages on the queue.
   * @param patience goes on until each is on the queue or refused for its own fault @default a few attempts, never throws
   * @throws with patience, when it ends or the queue cannot be used at all
   */
  send(messages: readonly Sending[], until?: Until, patience?: Patience): Promise<(string | undefined)[]> {
    return inBatches(
      messages.map(entryOf),
      (Entries) => this.client.send(new SendMessageBatchCommand({ QueueUrl: this.url, Entries }), optionsOf(until)),
      until,
      entryBytes,
      patience,
    );
  }

  /** Lets messages that were received come again after so many seconds from now. */
  giveBack(
    messages: readonly { readonly receiptHandle: string; readonly delaySeconds: number }[],
    until?: Until,
  ): Promise<(string | undefined)[]> {
    return inBatches(
      messages.map(({ receiptHandle, delaySeconds }) => {
        return { ReceiptHandle: receiptHandle, VisibilityTimeout: delaySeconds };
      }),
      (Entries) =>
        this.client.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl: this.url, Entries }), optionsOf(until)),
      until,
    );
  }

  /** Deletes messages that were received. */
  delete(messages: readonly { readonly receiptHandle: string }[], until?: Until): Promise<(string | undefined)[]> {
    return inBatches(
      messages.map(({ receiptHandle }) => ({ ReceiptHandle: receiptHandle })),
      (Entries) => this.client.send(new DeleteMessageBatchCommand({ QueueUrl: this.url, Entries }), optionsOf(until)),
      until,
    );
  }
}

const optionsOf = (until?: Until) => ({ abortSignal: until?.signal });
