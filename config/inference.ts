import { limits, type Range } from "../aws/limits";
import { group, nothing, type Rule, ruled, whole } from "./faults";
import { isServerlessIn, naming, type Surroundings } from "./surroundings";

const survivedOutage: Range = {
  min: 0,
  max: 432_000, // a queue allows a message 1000 deliveries at most
  unit: "seconds",
  source: limits.sqs.maxReceiveCount.source,
};

const timeoutSecondsOnDemand: Range = {
  min: 400, // of which the share between the last call's beginning and the end of all is a minute
  max: 900,
  unit: "seconds",
  source: `while an endpoint on demand starts, a call may take ${limits.sagemaker.callSeconds.max} seconds, and is paid: ${limits.sagemaker.callSeconds.source}`,
};

const timeoutSeconds: Range = {
  min: 10,
  max: 120,
  unit: "seconds",
  source: "the queue hides a message for six timeouts, and what a dead function had shall come back within 12 minutes",
};

const { largestBatchWithoutWindow } = limits.eventSourceMapping;

const inferenceRules: readonly Rule<
  Record<"batchSize" | "batchWindowSeconds" | "messageRetentionSeconds" | "deadLetterRetentionSeconds", number>
>[] = [
  {
    of: ["batchWindowSeconds", "batchSize"],
    holds: ({ batchSize, batchWindowSeconds }) => batchSize <= largestBatchWithoutWindow || batchWindowSeconds >= 1,
    allowed: ({ batchSize }) =>
      `1 second or more for a batchSize above ${largestBatchWithoutWindow}, here ${batchSize}`,
    source: limits.eventSourceMapping.source,
  },
  {
    of: ["deadLetterRetentionSeconds", "messageRetentionSeconds"],
    holds: ({ messageRetentionSeconds, deadLetterRetentionSeconds }) =>
      deadLetterRetentionSeconds >= messageRetentionSeconds,
    allowed: ({ messageRetentionSeconds }) => `messageRetentionSeconds (${messageRetentionSeconds}) or more`,
    source: `age counts from the first sending, so it would forget too soon: ${limits.sqs.maxReceiveCount.source}`,
  },
];

/** The request queue, the dead-letter queue and the worker that asks the model. */
export const inferenceSection = (around: Surroundings) => {
  const named = naming(around);
  const isServerless = isServerlessIn(around);
  return ruled(
    group({
      /** The worker's name. @default `model.name` and `-worker` */
      functionName: named(around.names.worker, limits.lambda.functionName),
      /** The worker's role. @default `model.name` and `-worker` */
      roleName: named(around.names.workerRole, limits.iam.roleName),
      /** The request queue's name; that of the dead-letter queue has `-dead-letters` behind it. @default inference_queue */
      queueName: named("inference_queue", limits.sqs.queueName, "-dead-letters"),
      /** The worker's memory in MB, from which its share of a processor follows. @default 512, by `npm run bench` */
      memoryMegabytes: whole(limits.lambda.memoryMegabytes).prefault(512),
      /**
       * What an invocation of the worker may take, in seconds; the queue hides a message six times as long.
       * @default 20, or 400 on demand
       */
      timeoutSeconds: isServerless
        ? whole(timeoutSecondsOnDemand).prefault(timeoutSecondsOnDemand.min)
        : whole(timeoutSeconds).prefault(20),
      /**
       * Messages that an invocation gets at most. @default 50, by `npm run bench`: a batch is one transaction, and with
       * the original's 10 the warehouse is slower than the endpoint
       */
      batchSize: whole(limits.eventSourceMapping.batchSize).prefault(50),
      /** How long a batch may be gathered, in seconds. @default 1, the least that AWS takes for so large a batch */
      batchWindowSeconds: whole(limits.eventSourceMapping.batchWindowSeconds).prefault(1),
      /**
       * Workers that run at once at most. @default 3 for each instance that the endpoint may have, by `npm run bench`: enough
       * to keep an inf1.xlarge busy. While there are fewer instances, workers ask as much as the endpoint takes. On demand it
       * follows from `model.maxConcurrency`
       */
      maximumConcurrency: isServerless
        ? nothing("nothing on demand, where it follows from model.maxConcurrency")
        : whole(limits.eventSourceMapping.maximumConcurrency).optional(),
      /**
       * The longest outage of endpoint, feature store or warehouse in which no request is given up, in seconds. The
       * deliveries that the queue allows a message follow from it. @default 43200, twelve hours
       */
      survivedOutageSeconds: whole(survivedOutage).prefault(43_200),
      /** How long the queue keeps a message, in seconds. @default 345600, four days */
      messageRetentionSeconds: whole(limits.sqs.messageRetentionSeconds).prefault(345_600),
      /** How long the dead-letter queue keeps a message from its first sending on, in seconds. @default 1209600, 14 days */
      deadLetterRetentionSeconds: whole(limits.sqs.messageRetentionSeconds).prefault(1_209_600),
    }),
    inferenceRules,
  );
};

/** Workers that keep so many instances busy. */
export const workersFor = (instances: number): number =>
  Math.min(limits.eventSourceMapping.maximumConcurrency.max, 3 * instances);
