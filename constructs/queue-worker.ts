import { LambdaEventSourceMapping } from "@cdktf/provider-aws/lib/lambda-event-source-mapping";
import { SqsQueue } from "@cdktf/provider-aws/lib/sqs-queue";
import { SqsQueuePolicy } from "@cdktf/provider-aws/lib/sqs-queue-policy";
import { SqsQueueRedriveAllowPolicy } from "@cdktf/provider-aws/lib/sqs-queue-redrive-allow-policy";
import { Construct } from "constructs";
import { deliveriesThrough, type ReturnDelay, returnDelayFor } from "../contract/return-delay";
import { type Access, allow, also, encrypt, tlsOnlyPolicy } from "./access";
import { NodeFunction, type NodeFunctionProps } from "./node-function";

export interface QueueWorkerProps extends NodeFunctionProps {
  readonly queueName: string;
  /** Messages handed to the function at once. */
  readonly batchSize: number;
  /** How long a batch may wait to fill, in seconds. */
  readonly batchWindowSeconds: number;
  /** Batches worked on at the same time. */
  readonly maximumConcurrency: number;
  /** The longest outage of what the worker stands on that no request is given up in, in seconds. */
  readonly survivedOutageSeconds: number;
  readonly messageRetentionSeconds: number;
  /** Counted from the first sending. */
  readonly deadLetterRetentionSeconds: number;
  /** Whether requests only wait for now. @default false */
  readonly paused?: boolean;
}

/** A queue and the one function that empties it. What keeps failing is kept apart, never lost. */
export class QueueWorker extends Construct {
  readonly queue: SqsQueue;
  readonly deadLetterQueue: SqsQueue;
  readonly worker: NodeFunction;
  private readonly key?: string;
  private readonly times: { readonly messageRetentionSeconds: number; readonly visibilityTimeoutSeconds: number };

  constructor(scope: Construct, id: string, props: QueueWorkerProps) {
    super(scope, id);
    const { queueName, timeoutSeconds, messageRetentionSeconds, deadLetterRetentionSeconds } = props;
    const returnDelay = returnDelayFor(messageRetentionSeconds);
    this.key = props.kmsKeyArn;
    const encryption = this.key === undefined ? { sqsManagedSseEnabled: true } : { kmsMasterKeyId: this.key };

    this.deadLetterQueue = new SqsQueue(this, "dead_letter_queue", {
      name: `${queueName}-dead-letters`,
      messageRetentionSeconds: deadLetterRetentionSeconds,
      ...encryption,
    });
    const maxReceiveCount = Math.min(1000, deliveriesThrough(props.survivedOutageSeconds, returnDelay)); // SQS knows no more
    // What AWS advises: room for throttled retries.
    this.times = { messageRetentionSeconds, visibilityTimeoutSeconds: 6 * timeoutSeconds };
    this.queue = new SqsQueue(this, "queue", {
      name: queueName,
      ...this.times,
      redrivePolicy: JSON.stringify({ deadLetterTargetArn: this.deadLetterQueue.arn, maxReceiveCount }),
      ...encryption,
    });
    new SqsQueueRedriveAllowPolicy(this, "dead_letter_sources", {
      queueUrl: this.deadLetterQueue.url,
      redriveAllowPolicy: JSON.stringify({ redrivePermission: "byQueue", sourceQueueArns: [this.queue.arn] }),
    });
    for (const [id, { url, arn }] of Object.entries({ queue: this.queue, dead_letter_queue: this.deadLetterQueue })) {
      new SqsQueuePolicy(this, `${id}_policy`, { queueUrl: url, policy: tlsOnlyPolicy("sqs", [arn]) });
    }

    const setAside = allow(["sqs:SendMessage"], this.deadLetterQueue.arn, {
      DEAD_LETTER_QUEUE_URL: this.deadLetterQueue.url,
    });
    this.worker = new NodeFunction(this, "worker", {
      ...props,
      uses: [...props.uses, also(this.consume(maxReceiveCount, returnDelay), encrypt(this.key)), setAside],
    });
    new LambdaEventSourceMapping(this, "delivery", {
      eventSourceArn: this.queue.arn,
      functionName: this.worker.function.arn,
      enabled: !(props.paused ?? false),
      batchSize: props.batchSize,
      maximumBatchingWindowInSeconds: props.batchWindowSeconds,
      scalingConfig: { maximumConcurrency: props.maximumConcurrency },
      functionResponseTypes: ["ReportBatchItemFailures"],
    });
  }

  /** Lets its holder put work on the queue as there is room for it. */
  feed(): Access {
    return this.put(["sqs:SendMessage", "sqs:GetQueueAttributes"]);
  }

  /** Lets its holder know how long the queue keeps a message, and how long it hides one that was received. */
  knowTimes(): Access {
    const { messageRetentionSeconds, visibilityTimeoutSeconds } = this.times;
    return {
      statements: [],
      environment: {
        MESSAGE_RETENTION_SECONDS: String(messageRetentionSeconds),
        VISIBILITY_TIMEOUT_SECONDS: String(visibilityTimeoutSeconds),
      },
    };
  }

  /** The same, and how long the worker takes at most. */
  knowWorker(): Access {
    const { environment, ...access } = this.knowTimes();
    return {
      ...access,
      environment: { ...environment, WORKER_TIMEOUT_SECONDS: String(this.worker.function.timeoutInput) },
    };
  }

  /** Lets its holder put work on the queue, which it finds in QUEUE_URL. */
  send(): Access {
    return this.put(["sqs:SendMessage"]);
  }

  /** Lets the worker empty the queue, and tells it how a message comes again. */
  private consume(maxReceiveCount: number, { first, longest }: ReturnDelay): Access {
    const actions = [
      "sqs:ReceiveMessage",
      "sqs:DeleteMessage",
      "sqs:ChangeMessageVisibility",
      "sqs:SendMessage", // anew, what would expire
      "sqs:GetQueueAttributes",
    ];
    return allow(actions, this.queue.arn, {
      QUEUE_URL: this.queue.url,
      MAX_RECEIVE_COUNT: String(maxReceiveCount),
      MESSAGE_RETENTION_SECONDS: String(this.times.messageRetentionSeconds),
      FIRST_RETURN_DELAY_SECONDS: String(first),
      LONGEST_RETURN_DELAY_SECONDS: String(longest),
    });
  }

  private put(actions: string[]): Access {
    return also(allow(actions, this.queue.arn, { QUEUE_URL: this.queue.url }), encrypt(this.key));
  }
}
