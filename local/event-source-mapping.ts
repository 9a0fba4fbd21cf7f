import { DeleteMessageBatchCommand, type Message, ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { z } from "zod";
import { operator } from "./credentials";
import type { LocalFunction } from "./lambda";

export interface EventSourceMappingOptions {
  /** Where SQS is. */
  readonly sqsUrl: string;
  readonly queueUrl: string;
  readonly queueArn: string;
  readonly function: Pick<LocalFunction, "invoke">;
  /** Messages in a batch at most. */
  readonly batchSize: number;
  /** How long a batch may wait to fill, in seconds. */
  readonly batchWindowSeconds: number;
  /** Batches worked on at the same time. */
  readonly maximumConcurrency: number;
  /** Whether the function says which messages of a batch failed (ReportBatchItemFailures). */
  readonly reportsBatchItemFailures: boolean;
  /** Told of every invocation that failed. @default nobody is told */
  readonly onError?: (error: unknown) => void;
}

export interface EventSourceMapping {
  /** Takes no more messages, and waits for the batches under way. What they leave returns to the queue by itself. */
  stop(): Promise<void>;
}

const messagesPerReceive = 10;
/** Lambda starts with five pollers (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html). */
const pollers = 5;
const longPollSeconds = 20;
/** After a failed invocation no batch is taken for so long, twice as long after the next, but never longer than `most`. */
const backoff = { firstMilliseconds: 100, mostMilliseconds: 5_000 };

/** Feeds a queue to a function as Lambda's event source mapping does. */
export function startEventSourceMapping(options: EventSourceMappingOptions): EventSourceMapping {
  const mapping = new Mapping(options);
  const running = mapping.run();
  return {
    stop: async () => {
      mapping.stop();
      await running;
    },
  };
}

class Mapping {
  private readonly client: SQSClient;
  private readonly stopping = new AbortController();
  private readonly underWay = new Set<Promise<void>>();
  private failuresInARow = 0;

  constructor(private readonly options: EventSourceMappingOptions) {
    this.client = new SQSClient({ endpoint: options.sqsUrl, ...operator, useQueueUrlAsEndpoint: false });
  }

  stop() {
    this.stopping.abort();
  }

  async run() {
    while (!this.stopping.signal.aborted) {
      if (this.failuresInARow > 0) await this.pause();
      const batch = await this.gather();
      if (batch.length > 0) {
        const work: Promise<void> = this.deliver(batch).finally(() => this.underWay.delete(work));
        this.underWay.add(work);
      }
      if (this.underWay.size >= this.options.maximumConcurrency) await Promise.race(this.underWay);
    }
    await Promise.all(this.underWay);
    this.client.destroy();
  }

  /** As many messages as fit in a batch, or as come within the window after the first. */
  private async gather(): Promise<Message[]> {
    const { batchSize, batchWindowSeconds } = this.options;
    const batch = await this.receive(batchSize, longPollSeconds);
    const deadline = Date.now() + batchWindowSeconds * 1000;
    while (batch.length > 0 && batch.length < batchSize && !this.stopping.signal.aborted) {
      const waitSeconds = Math.max(0, Math.floor((deadline - Date.now()) / 1000));
      const more = await this.poll(batchSize - batch.length, waitSeconds);
      if (more.length === 0) break;
      batch.push(...more);
    }
    return batch;
  }

  /** Up to so many messages, by several pollers. */
  private async poll(most: number, waitSeconds: number): Promise<Message[]> {
    const shares = Array.from({ length: Math.min(pollers, Math.ceil(most / messagesPerReceive)) }, (_, poller) =>
      this.receive(most - poller * messagesPerReceive, waitSeconds),
    );
    return (await Promise.all(shares)).flat();
  }

  private async receive(most: number, waitSeconds: number): Promise<Message[]> {
    const command = new ReceiveMessageCommand({
      QueueUrl: this.options.queueUrl,
      MaxNumberOfMessages: Math.min(messagesPerReceive, most),
      WaitTimeSeconds: waitSeconds,
      MessageSystemAttributeNames: ["All"],
      MessageAttributeNames: ["All"],
    });
    try {
      const { Messages = [] } = await this.client.send(command, { abortSignal: this.stopping.signal });
      return Messages;
    } catch (error) {
      if (!this.stopping.signal.aborted) this.failed(error);
      return [];
    }
  }

  private async deliver(batch: Message[]) {
    try {
      const event = { Records: batch.map((message) => this.toRecord(message)) };
      const done = this.succeeded(batch, await this.options.function.invoke(event));
      await this.delete(done);
      this.failuresInARow = 0;
    } catch (error) {
      this.failed(error);
    }
  }

  /** The messages to delete. An answer that cannot be understood is a failure of the whole batch. */
  private succeeded(batch: Message[], result: unknown): Message[] {
    if (!this.options.reportsBatchItemFailures) return batch;
    const report = batchResponse.safeParse(result);
    const failed = new Set(report.data?.batchItemFailures?.map(({ itemIdentifier }) => itemIdentifier));
    const known = new Set(batch.map(({ MessageId }) => MessageId));
    if (!report.success || [...failed].some((identifier) => !known.has(identifier))) return [];
    return batch.filter(({ MessageId }) => MessageId === undefined || !failed.has(MessageId));
  }

  private async delete(messages: Message[]) {
    for (let start = 0; start < messages.length; start += messagesPerReceive) {
      const Entries = messages
        .slice(start, start + messagesPerReceive)
        .map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle }));
      await this.client.send(new DeleteMessageBatchCommand({ QueueUrl: this.options.queueUrl, Entries }));
    }
  }

  private toRecord(message: Message) {
    const attributes = Object.entries(message.MessageAttributes ?? {}).map(([name, value]) => [
      name,
      {
        dataType: value.DataType,
        stringValue: value.StringValue,
        binaryValue: value.BinaryValue && Buffer.from(value.BinaryValue).toString("base64"),
        stringListValues: [],
        binaryListValues: [],
      },
    ]);
    return {
      messageId: message.MessageId,
      receiptHandle: message.ReceiptHandle,
      body: message.Body,
      attributes: message.Attributes,
      messageAttributes: Object.fromEntries(attributes),
      md5OfBody: message.MD5OfBody,
      eventSource: "aws:sqs",
      eventSourceARN: this.options.queueArn,
      awsRegion: this.options.queueArn.split(":")[3],
    };
  }

  private failed(error: unknown) {
    this.failuresInARow += 1;
    this.options.onError?.(error);
  }

  private async pause() {
    const { firstMilliseconds, mostMilliseconds } = backoff;
    const milliseconds = Math.min(mostMilliseconds, firstMilliseconds * 2 ** (this.failuresInARow - 1));
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.stopping.signal.addEventListener("abort", () => {
        clearTimeout(timer);
        resolve();
      });
      if (this.stopping.signal.aborted) resolve();
    });
  }
}

/** What a function that reports batch item failures may return (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html). */
const batchResponse = z
  .object({ batchItemFailures: z.array(z.object({ itemIdentifier: z.string().min(1) })).nullish() })
  .nullish();
