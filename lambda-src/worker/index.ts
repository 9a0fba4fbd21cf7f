import { Logger } from "@aws-lambda-powertools/logger";
import { Metrics, MetricUnit } from "@aws-lambda-powertools/metrics";
import type { Context, SQSBatchResponse } from "aws-lambda";
import * as z from "zod";
import { within } from "../../pipeline/clients";
import { FeatureStore, recordIdentifierTypes } from "../../pipeline/features";
import { ModelEndpoint } from "../../pipeline/predictions";
import { DeadLetterQueue } from "../../pipeline/requests";
import { Results } from "../../pipeline/results";
import { once, readEnvironment } from "../environment";
import { answerAll, type Outcome } from "./answer";

const environmentSchema = z.object({
  FEATURE_GROUP_NAME: z.string().min(1),
  RECORD_IDENTIFIER_TYPE: z.enum(recordIdentifierTypes),
  ENDPOINT_NAME: z.string().min(1),
  MODEL_RELEASE: z.string().min(1),
  ENDPOINT_CONCURRENCY: z.coerce.number().int().min(1),
  CLUSTER_ID: z.string().min(1),
  DB_NAME: z.string().min(1),
  DEAD_LETTER_QUEUE_URL: z.string().min(1),
});

const eventSchema = z.object({
  Records: z.array(
    z
      .object({
        messageId: z.string(),
        body: z.string(),
        attributes: z.object({ SentTimestamp: z.coerce.number() }),
      })
      .transform(({ messageId, body, attributes }) => ({
        messageId,
        body,
        sentAt: new Date(attributes.SentTimestamp),
      })),
  ),
});

const worker = once(() => {
  const environment = readEnvironment(environmentSchema);
  return {
    features: new FeatureStore({
      featureGroupName: environment.FEATURE_GROUP_NAME,
      recordIdentifierType: environment.RECORD_IDENTIFIER_TYPE,
    }),
    endpoint: new ModelEndpoint({
      endpointName: environment.ENDPOINT_NAME,
      concurrency: environment.ENDPOINT_CONCURRENCY,
    }),
    results: new Results({ clusterId: environment.CLUSTER_ID, databaseName: environment.DB_NAME }),
    deadLetters: new DeadLetterQueue(environment.DEAD_LETTER_QUEUE_URL),
    model: { endpoint: environment.ENDPOINT_NAME, modelRelease: environment.MODEL_RELEASE },
  };
});

const reports = once(() => ({
  logger: new Logger({ serviceName: "inference" }),
  metrics: new Metrics({ namespace: "SageMaker/CustomModelMetrics", serviceName: "inference" }),
}));

/** Logs what was not answered, and measures the rest. Never shows a feature's text. */
const report = (outcomes: readonly Outcome[], { logger, metrics }: ReturnType<typeof reports>) => {
  for (const outcome of outcomes) {
    const { requestId, messageIds, kind } = outcome;
    if (kind === "answered") {
      metrics.addMetric("ModelLatency", MetricUnit.Milliseconds, outcome.answer.latency);
      metrics.addMetric("InputLengthSeq0", MetricUnit.Count, outcome.pair.seq_0.length);
      metrics.addMetric("InputLengthSeq1", MetricUnit.Count, outcome.pair.seq_1.length);
    } else logger.warn(`request ${kind}`, { requestId, messageIds, reason: outcome.reason });
  }
  const answered = outcomes.filter(({ kind }) => kind === "answered").length;
  metrics.addMetric("Predictions", MetricUnit.Count, answered);
  metrics.addMetric("Failures", MetricUnit.Count, outcomes.length - answered);
  metrics.publishStoredMetrics();
};

/** Answers a batch of requests from the queue, and gives back to it those that may be answered later. */
export const handler = async (event: unknown, context: Context): Promise<SQSBatchResponse> => {
  const { logger, metrics } = reports();
  logger.addContext(context);
  const { Records: messages } = eventSchema.parse(event);
  // What is left of the time after asking is for writing, and what is left after that for this report.
  const remaining = context.getRemainingTimeInMillis();
  const outcomes = await answerAll(messages, worker(), {
    asking: within(remaining * 0.6),
    writing: within(remaining * 0.9),
  });
  report(outcomes, { logger, metrics });
  const returned = outcomes.filter(({ kind }) => kind === "returned").flatMap(({ messageIds }) => messageIds);
  return { batchItemFailures: returned.map((itemIdentifier) => ({ itemIdentifier })) };
};
