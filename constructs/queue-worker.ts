import { LambdaEventSourceMapping } from "@cdktf/provider-aws/lib/lambda-event-source-mapping";
import { SqsQueue } from "@cdktf/provider-aws/lib/sqs-queue";
import { SqsQueuePolicy } from "@cdktf/provider-aws/lib/sqs-queue-policy";
import { SqsQueueRedriveAllowPolicy } from "@cdktf/provider-aws/lib/sqs-queue-redrive-allow-policy";
import { Construct } from "constructs";
import { type Access, allow } from "./access";
import { NodeFunction, type NodeFunctionProps } from "./node-function";

export interface QueueWorkerProps extends NodeFunctionProps {
  readonly queueName: string;
  /** Messages handed to the function at once. */
  readonly batchSize: number;
  /** How long a batch may wait to fill, in seconds. */
  readonly batchWindowSeconds: number;
  /** Batches worked on at the same time. */
  readonly maximumConcurrency: number;
  /** Deliveries of one message before it moves to the dead-letter queue. */
  readonly maxReceiveCount: number;
  readonly messageRetentionSeconds: number;
  /** Counted from the first sending, so it must not be shorter than the queue's own. */
  readonly deadLetterRetentionSeconds: number;
}

/** A queue and the one function that empties it. What keeps failing is kept apart, never lost. */
export class QueueWorker extends Construct {
  readonly queue: SqsQueue;
  readonly deadLetterQueue: SqsQueue;
  readonly worker: NodeFunction;

  constructor(scope: Construct, id: string, props: QueueWorkerProps) {
    super(scope, id);
    const { queueName, timeoutSeconds, maxReceiveCount, messageRetentionSeconds, deadLetterRetentionSeconds } = props;
    if (deadLetterRetentionSeconds < messageRetentionSeconds) {
      throw new Error(
        `deadLetterRetentionSeconds must be at least messageRetentionSeconds (${messageRetentionSeconds}), ` +
          `got ${deadLetterRetentionSeconds}: a message's age counts from its first sending`,
      );
    }

    this.deadLetterQueue = new SqsQueue(this, "dead_letter_queue", {
      name: `${queueName}-dead-letters`,
      messageRetentionSeconds: deadLetterRetentionSeconds,
      sqsManagedSseEnabled: true,
    });
    this.queue = new SqsQueue(this, "queue", {
      name: queueName,
      messageRetentionSeconds,
      visibilityTimeoutSeconds: 6 * timeoutSeconds, // what AWS advises: room for throttled retries
      redrivePolicy: JSON.stringify({ deadLetterTargetArn: this.deadLetterQueue.arn, maxReceiveCount }),
      sqsManagedSseEnabled: true,
    });
    new SqsQueueRedriveAllowPolicy(this, "dead_letter_sources", {
      queueUrl: this.deadLetterQueue.url,
      redriveAllowPolicy: JSON.stringify({ redrivePermission: "byQueue", sourceQueueArns: [this.queue.arn] }),
    });
    denyPlainHttp(this, "queue_policy", this.queue);
    denyPlainHttp(this, "dead_letter_queue_policy", this.deadLetterQueue);

    const receive = allow(["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], this.queue.arn);
    const setAside = allow(["sqs:SendMessage"], this.deadLetterQueue.arn, {
      DEAD_LETTER_QUEUE_URL: this.deadLetterQueue.url,
    });
    this.worker = new NodeFunction(this, "worker", { ...props, uses: [...props.uses, receive, setAside] });
    new LambdaEventSourceMapping(this, "delivery", {
      eventSourceArn: this.queue.arn,
      functionName: this.worker.function.arn,
      batchSize: props.batchSize,
      maximumBatchingWindowInSeconds: props.batchWindowSeconds,
      scalingConfig: { maximumConcurrency: props.maximumConcurrency },
      functionResponseTypes: ["ReportBatchItemFailures"],
    });
  }

  /** Lets its holder put work on the queue, which it finds in QUEUE_URL. */
  send(): Access {
    return allow(["sqs:SendMessage"], this.queue.arn, { QUEUE_URL: this.queue.url });
  }
}

function denyPlainHttp(scope: Construct, id: string, queue: SqsQueue) {
  new SqsQueuePolicy(scope, id, {
    queueUrl: queue.url,
    policy: JSON.stringify({
      Version: "2012-10-17",
      Statement: [
        {
          Sid: "DenyPlainHttp",
          Effect: "Deny",
          Principal: "*",
          Action: "sqs:*",
          Resource: queue.arn,
          Condition: { Bool: { "aws:SecureTransport": "false" } },
        },
      ],
    }),
  });
}
