import {
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  type SQSClient,
  type Message as SqsMessage,
} from "@aws-sdk/client-sqs";
import { type Until, within } from "./clients";
import { Queue, sqsClient } from "./queues";
import type { Message } from "./request-reader";

/** A message that was received, and is hidden from others for now. */
export interface Received extends Message {
  readonly receiptHandle: string;
  /** The message attributes that are text, by name. */
  readonly attributes: Readonly<Record<string, string>>;
}

/** Messages of a queue, as SQS counts them: near enough, and up to a minute late. */
export interface QueueCounts {
  readonly visible: number;
  /** Received by someone, or given back to come again later. */
  readonly hidden: number;
}

/** How far a walk came. */
export interface Walked {
  /** Different messages that were seen. */
  readonly seen: number;
  /** Whether it went through all that was to be had; else it ended at the most that SQS lets be hidden at once. */
  readonly whole: boolean;
  /** About how many there were that it could not see, since they were hidden. */
  readonly hidden: number;
}

export interface WalkOptions {
  /** How long a receive waits for messages, in seconds. With none SQS may leave some out. @default 1 */
  readonly waitSeconds?: number;
}

/** How long a message stays hidden when a walk ends without giving it back, in seconds. */
const hiddenSeconds = 60;

const receivesAtOnce = 10;
const messagesPerReceive = 10;
/** SQS lets 120,000 of a queue's messages be hidden at once, and whoever works the queue needs some. */
const mostHeld = 100_000;
/** How long a walk that was interrupted has to give back what it holds, in milliseconds. */
const givingBack = 10_000;

const receivedOf = ({ MessageId = "", Body = "", ReceiptHandle = "", ...message }: SqsMessage): Received => ({
  messageId: MessageId,
  body: Body,
  receiptHandle: ReceiptHandle,
  sentAt: new Date(Number(message.Attributes?.SentTimestamp ?? 0)),
  attributes: Object.fromEntries(
    Object.entries(message.MessageAttributes ?? {}).map(([name, { StringValue = "" }]) => [name, StringValue]),
  ),
});

/** A queue that is looked through: what lies in it is seen, and stays. */
export class QueueWalk {
  private readonly queue: Queue;

  constructor(
    private readonly url: string,
    private readonly client: SQSClient = sqsClient(),
  ) {
    this.queue = new Queue(url, client);
  }

  async counts(until?: Until): Promise<QueueCounts> {
    const { Attributes = {} } = await this.client.send(
      new GetQueueAttributesCommand({
        QueueUrl: this.url,
        AttributeNames: [
          "ApproximateNumberOfMessages",
          "ApproximateNumberOfMessagesNotVisible",
          "ApproximateNumberOfMessagesDelayed",
        ],
      }),
      { abortSignal: until?.signal },
    );
    const {
      ApproximateNumberOfMessages: visible = 0,
      ApproximateNumberOfMessagesNotVisible: received = 0,
      ApproximateNumberOfMessagesDelayed: delayed = 0,
    } = Attributes;
    return { visible: Number(visible), hidden: Number(received) + Number(delayed) };
  }

  /**
   * Shows `visit` each message once, some at a time. A message is hidden from others while the walk goes on, so that
   * none comes twice and the walk has an end; then it is given back, also when the walk fails or is interrupted. Where
   * the process is killed it comes again by itself, after {@link hiddenSeconds}.
   * @param visit takes messages away if it likes, and returns those that stay
   */
  async walk(
    visit: (messages: readonly Received[]) => Promise<readonly Received[]>,
    until?: Until,
    { waitSeconds = 1 }: WalkOptions = {},
  ): Promise<Walked> {
    const before = await this.counts(until);
    const held = new Map<string, string>();
    let taken = 0;
    try {
      for (let width = 1; held.size < mostHeld; ) {
        const receives = Array.from({ length: width }, () => this.receive(waitSeconds, until));
        const outcomes = await Promise.allSettled(receives);
        const received = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? outcome.value : []));
        // One that comes again has been hidden for its time: it is held on to, and no news.
        const news = received.filter(({ messageId }) => !held.has(messageId));
        for (const { messageId, receiptHandle } of received) held.set(messageId, receiptHandle);
        for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
        if (received.length === 0 && width === 1) break;
        width = Math.max(1, Math.min(receivesAtOnce, Math.floor((2 * received.length) / messagesPerReceive)));
        const stay = new Set((await visit(news)).map(({ messageId }) => messageId));
        const gone = news.filter(({ messageId }) => !stay.has(messageId));
        for (const { messageId } of gone) held.delete(messageId);
        taken += gone.length;
      }
      const seen = held.size + taken;
      const hidden = Math.max(0, before.visible + before.hidden - seen);
      return { seen, whole: held.size < mostHeld, hidden };
    } finally {
      const messages = [...held.values()].map((receiptHandle) => ({ receiptHandle, delaySeconds: 0 }));
      await this.queue.giveBack(messages, within(givingBack));
    }
  }

  private async receive(waitSeconds: number, until?: Until): Promise<Received[]> {
    const { Messages = [] } = await this.client.send(
      new ReceiveMessageCommand({
        QueueUrl: this.url,
        MaxNumberOfMessages: messagesPerReceive,
        VisibilityTimeout: hiddenSeconds,
        WaitTimeSeconds: waitSeconds,
        MessageAttributeNames: ["All"],
        MessageSystemAttributeNames: ["SentTimestamp"],
      }),
      { abortSignal: until?.signal },
    );
    return Messages.map(receivedOf);
  }
}
