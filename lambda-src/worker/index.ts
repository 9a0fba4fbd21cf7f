import { S3Client } from "@aws-sdk/client-s3";
import type { Context, SQSBatchResponse } from "aws-lambda";
import * as z from "zod";
import { bytesOf } from "../../contract/bytes";
import { countedAnswer } from "../../contract/counted-answer";
import { workerEnvironment } from "../../contract/environment";
import type { FeatureValues } from "../../contract/feature-values";
import { quietCodes } from "../../contract/job";
import { failuresMetric } from "../../contract/metrics";
import type { Outcome } from "../../contract/outcome";
import { askingShare, beginningShare } from "../../contract/worker-time";
import { clientSettings, type Until, within } from "../../pipeline/clients";
import { FeatureStore } from "../../pipeline/features";
import { Outcomes } from "../../pipeline/outcomes";
import { ModelEndpoint } from "../../pipeline/predictions";
import { Queue } from "../../pipeline/queues";
import { DeadLetterQueue } from "../../pipeline/requests";
import { Sample } from "../../pipeline/sample";
import { StoppedJobs } from "../../pipeline/stopped-jobs";
import { once, readContract, readEnvironment } from "../environment";
import { logRequests } from "../logger";
import { reports } from "../reports";
import { answerAll, type Parts, type Settled } from "./answer";
import { giveBack } from "./give-back";

const eventSchema = z.object({
  Records: z.array(
    z
      .object({
        messageId: z.string(),
        receiptHandle: z.string(),
        body: z.string(),
        attributes: z.object({
          SentTimestamp: z.coerce.number(),
          ApproximateReceiveCount: z.coerce.number(),
          MessageGroupId: z.string().optional(),
        }),
      })
      .transform(({ messageId, receiptHandle, body, attributes }) => ({
        messageId,
        receiptHandle,
        body,
        sentAt: new Date(attributes.SentTimestamp),
        receiveCount: attributes.ApproximateReceiveCount,
        messageGroup: attributes.MessageGroupId,
      })),
  ),
});

/** Says which model answers. Its code is loaded only where that must be looked up. */
const modelOf = (endpoint: string, release: string | undefined): Parts["model"] => {
  if (release !== undefined) return { endpoint, release: async () => release };
  const configuration = once(async () => {
    const { EndpointConfiguration } = await import("../../pipeline/model-release");
    return new EndpointConfiguration(endpoint);
  });
  return { endpoint, release: async (until) => (await configuration()).name(until) };
};

const worker = once(() => {
  const environment = readEnvironment(workerEnvironment);
  const contract = readContract();
  const { features } = contract;
  const s3 = new S3Client(clientSettings({ requestTimeout: 10_000 }));
  const outcomes = new Outcomes(environment.ANSWERS_BUCKET, s3);
  const featureGroupName = environment.FEATURE_GROUP_NAME;
  const recordIdentifierType = environment.RECORD_IDENTIFIER_TYPE;
  const watched = environment.WATCHED_ANSWER;
  return {
    parts: {
      carried: { features, required: featureGroupName === undefined },
      features:
        featureGroupName === undefined || recordIdentifierType === undefined
          ? undefined
          : new FeatureStore({ featureGroupName, features, recordIdentifierType }),
      endpoint: new ModelEndpoint({
        endpointName: environment.ENDPOINT_NAME,
        variantName: environment.ENDPOINT_VARIANT,
        contract,
        instancesPerCall: environment.INSTANCES_PER_CALL,
        concurrency: environment.ENDPOINT_CONCURRENCY,
        callSeconds: environment.ENDPOINT_CALL_SECONDS,
        faultStatuses: environment.ENDPOINT_FAULT_STATUSES,
        largestBodyBytes: environment.LARGEST_BODY_BYTES,
      }),
      outcomes: {
        put: async (ended: readonly Outcome[], until: Until) => {
          const key = await outcomes.put(ended, until);
          logRequests(reports().logger, "outcomes are staged", ended, { key });
          return key;
        },
      },
      sample: new Sample(environment.ANSWERS_BUCKET, features, s3),
      deadLetters: new DeadLetterQueue(environment.DEAD_LETTER_QUEUE_URL),
      stopped: new StoppedJobs(environment.ANSWERS_BUCKET, s3, (reason) =>
        reports().logger.warn("which jobs are stopped could not be listed", { reason }),
      ),
      model: modelOf(environment.ENDPOINT_NAME, environment.MODEL_RELEASE),
      maxReceiveCount: environment.MAX_RECEIVE_COUNT,
    },
    isWatched: watched === undefined ? undefined : (output: string) => countedAnswer(contract, output) === watched,
    returns: {
      queue: new Queue(environment.QUEUE_URL),
      retentionSeconds: environment.MESSAGE_RETENTION_SECONDS,
      firstDelaySeconds: environment.FIRST_RETURN_DELAY_SECONDS,
      longestDelaySeconds: environment.LONGEST_RETURN_DELAY_SECONDS,
    },
  };
});

const bytesIn = (values: FeatureValues) => values.reduce((sum, value) => sum + bytesOf(value ?? ""), 0);

/**
 * Logs what was not answered, and measures the rest. Never shows a feature's value. What is no failure of a request's is
 * just counted: there may be a million of them.
 * @param isWatched whether an output is the answer that is watched @default none is
 */
const report = (
  settled: readonly Settled[],
  { logger, metrics, measure }: ReturnType<typeof reports>,
  isWatched?: (output: string) => boolean,
) => {
  const now = Date.now();
  const ageOf = ({ requestedAt }: Settled) => Math.max(0, now - requestedAt.getTime());
  const failures = new Map<string, number>();
  const quiet: Record<string, number> = {};
  for (const outcome of settled) {
    const { status, requestId, jobId: job, deliveries } = outcome;
    if (status !== "returned" && outcome.values) {
      measure("InputBytes", bytesIn(outcome.values));
    }
    if (status === "answered") {
      measure("ModelLatency", outcome.answer.latency);
      measure("RequestAge", ageOf(outcome));
      if (isWatched) measure("WatchedAnswer", isWatched(outcome.answer.output) ? 1 : 0);
    } else if (quietCodes.includes(outcome.failure.code)) {
      quiet[outcome.failure.code] = (quiet[outcome.failure.code] ?? 0) + 1;
    } else {
      const { code, reason } = outcome.failure;
      failures.set(code, (failures.get(code) ?? 0) + 1);
      const messages = deliveries.map(({ messageId, receiveCount }) => ({ messageId, receiveCount }));
      logger.warn(`request ${status}`, { requestId, job, messages, code, reason });
      if (status === "returned") measure("ReturnedAge", ageOf(outcome) / 1000);
    }
  }
  if (Object.keys(quiet).length > 0) logger.info("requests that were not asked", { requests: quiet });
  measure("Predictions", settled.filter(({ status }) => status === "answered").length);
  metrics.publishStoredMetrics();
  const { name, unit, dimension } = failuresMetric;
  for (const [code, count] of failures) {
    metrics.singleMetric().addDimension(dimension, code).addMetric(name, unit, count);
  }
};

/** What a service's outage ends an invocation with: the queue's mapping slows down, and the function's errors are counted. */
class SystemicFault extends Error {
  override readonly name = "SystemicFault";
}

/**
 * Answers a batch of requests from the queue, and gives back to it those that may be answered later.
 * @throws SystemicFault when a service failed for all that needed it, after all else is done
 */
export const handler = async (event: unknown, context: Context): Promise<SQSBatchResponse> => {
  const { logger } = reports();
  logger.addContext(context);
  const { Records: deliveries } = eventSchema.parse(event);
  const { parts, returns, isWatched } = worker();
  // Each part of the work ends in time for the next; what is left after the last is for ending this call.
  const remaining = context.getRemainingTimeInMillis();
  const returning = within(remaining * 0.92);
  const { settled, outages } = await answerAll(deliveries, parts, {
    beginning: within(remaining * beginningShare),
    asking: within(remaining * askingShare),
    writing: within(remaining * 0.82),
  });
  report(settled, reports(), isWatched);

  const returned = settled.flatMap((one) => {
    if (one.status !== "returned") return [];
    const { body, isUnrecorded, deliveries } = one;
    return deliveries.map((delivery) => ({ ...delivery, body, isUnrecorded }));
  });
  const { renewed, kept, faults } = await giveBack(returned, returns, returning);
  if (renewed.length > 0) {
    logger.info("messages sent anew before they expire", { messageIds: renewed.map(({ messageId }) => messageId) });
  }
  if (faults.length > 0) logger.warn("messages come back later than they should", { faults });
  if (outages.length === 0) return { batchItemFailures: kept.map(({ messageId }) => ({ itemIdentifier: messageId })) };

  const answered = settled.flatMap(({ status, deliveries }) => (status === "returned" ? [] : deliveries));
  const undeleted = await returns.queue.delete([...answered, ...renewed], returning);
  const reasons = undeleted.flatMap((reason) => reason ?? []);
  if (reasons.length > 0) logger.warn("messages that are done with come again", { faults: reasons });
  throw new SystemicFault(outages.join("; "));
};
