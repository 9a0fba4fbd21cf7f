import { CloudwatchMetricAlarm } from "@cdktf/provider-aws/lib/cloudwatch-metric-alarm";
import { Construct } from "constructs";
import type { Endpoint } from "./model-endpoint";
import type { PredictionApi } from "./prediction-api";
import type { QueueWorker } from "./queue-worker";
import type { ScheduledFunction } from "./scheduled-function";

export interface AlarmsProps {
  /** Starts the name of every alarm. */
  readonly name: string;
  readonly inference: QueueWorker;
  readonly model: Endpoint;
  readonly loader: ScheduledFunction;
  readonly starter: ScheduledFunction;
  readonly writer: ScheduledFunction;
  readonly api: PredictionApi;
  /** How often the loader runs, in minutes. */
  readonly loadingEveryMinutes: number;
  /** How long the queue keeps a request, in seconds. */
  readonly messageRetentionSeconds: number;
  /** ARN of the SNS topic that is told. @default the alarms are only to be seen in CloudWatch */
  readonly topicArn?: string;
}

interface Alarm {
  /** What is so when it rings, and where to look. */
  readonly description: string;
  readonly namespace: string;
  readonly metric: string;
  readonly statistic: "Maximum" | "Sum";
  readonly dimensions: Record<string, string>;
  /** Rings at this value and above. */
  readonly threshold: number;
  /** Periods, in a row, that it must be reached in. */
  readonly periods: number;
  /** @default five minutes */
  readonly periodSeconds?: number;
  /** Whether it rings where nothing is measured. @default then nothing happened */
  readonly ringsWithout?: boolean;
}

/** Says when requests fail, wait too long, or are given up: all that asks for a person. */
export class Alarms extends Construct {
  constructor(scope: Construct, id: string, props: AlarmsProps) {
    super(scope, id);
    const { inference, model, loader, starter, writer, api, topicArn } = props;
    // Long before a request would expire, and before the worker sends it anew, at half of its time.
    const aQuarter = Math.floor(props.messageRetentionSeconds / 4);
    const worker = inference.worker.function.functionName;
    const loads = loader.function.function.functionName;
    const severalRuns = 60 * Math.max(15, 5 * props.loadingEveryMinutes);

    const alarms: Record<string, Alarm> = {
      dead_letters: {
        description: "Requests were given up. They lie in the dead-letter queue, each with its reason.",
        namespace: "AWS/SQS",
        metric: "ApproximateNumberOfMessagesVisible", // a redrive does not count as sent
        statistic: "Maximum",
        dimensions: { QueueName: inference.deadLetterQueue.name },
        threshold: 1,
        periods: 1,
      },
      requests_wait: {
        description:
          "A request has waited for a quarter of the time that the queue keeps it. Is the worker keeping up?",
        namespace: "AWS/SQS",
        metric: "ApproximateAgeOfOldestMessage",
        statistic: "Maximum",
        dimensions: { QueueName: inference.queue.name },
        threshold: aQuarter,
        periods: 1,
      },
      requests_return: {
        // SQS leaves what was received three times out of the age of the oldest message.
        description:
          "A request keeps failing, for a quarter of the time that the queue keeps it. The worker's log says why.",
        namespace: "SageMaker/CustomModelMetrics",
        metric: "ReturnedAge",
        statistic: "Maximum",
        dimensions: { service: worker },
        threshold: aQuarter,
        periods: 1,
      },
      worker_fails: {
        description: "The worker cannot go on: endpoint, feature store or S3 fails for all. Its log says which.",
        namespace: "AWS/Lambda",
        metric: "Errors",
        statistic: "Sum",
        dimensions: { FunctionName: worker },
        threshold: 1,
        periods: 2,
      },
      loader_fails: {
        description: "Answers do not reach the warehouse: the loader fails. Nothing is lost. Its log says why.",
        namespace: "AWS/Lambda",
        metric: "Errors",
        statistic: "Sum",
        dimensions: { FunctionName: loads },
        threshold: 1,
        periods: 2,
      },
      starter_fails: {
        description: "Jobs do not get on: the starter fails. Nothing is lost. Its log says why.",
        namespace: "AWS/Lambda",
        metric: "Errors",
        statistic: "Sum",
        dimensions: { FunctionName: starter.function.function.functionName },
        threshold: 1,
        periods: 2,
      },
      writer_fails: {
        description: "A job that is finished has no result, or that was not told. Nothing is lost. Its log says why.",
        namespace: "AWS/Lambda",
        metric: "Errors",
        statistic: "Sum",
        dimensions: { FunctionName: writer.function.function.functionName },
        threshold: 1,
        periods: 2,
      },
      answers_wait: {
        description: "Answers have waited for several runs of the loader, or it has not run. Nothing is lost.",
        namespace: "SageMaker/CustomModelMetrics",
        metric: "StagedAge",
        statistic: "Maximum",
        dimensions: { service: loads },
        threshold: severalRuns,
        periods: 1,
        periodSeconds: severalRuns,
        ringsWithout: true,
      },
      answers_set_aside: {
        description:
          "The loader set answers aside that the warehouse refuses: rejected/ in the bucket. Its log says why.",
        namespace: "SageMaker/CustomModelMetrics",
        metric: "RejectedObjects",
        statistic: "Sum",
        dimensions: { service: loads },
        threshold: 1,
        periods: 1,
      },
      answers_newer: {
        description: "Answers wait that a newer version of this project wrote. The next upgrade loads them.",
        namespace: "SageMaker/CustomModelMetrics",
        metric: "NewerObjects",
        statistic: "Maximum",
        dimensions: { service: loads },
        threshold: 1,
        periods: 1,
      },
      // SageMaker counts by variant alone, and no alarm can search for one. `worker_fails` and `requests_return` ring in any case.
      ...(model.variantName !== undefined && {
        endpoint_fails: {
          description: "The model's container answers with 5xx. See the endpoint's log.",
          namespace: "AWS/SageMaker",
          metric: "Invocation5XXErrors",
          statistic: "Sum",
          dimensions: { EndpointName: model.endpointName, VariantName: model.variantName },
          threshold: 1,
          periods: 2,
        },
      }),
      api_fails: {
        description: "The API answers with 5xx. See its function's log.",
        namespace: "AWS/ApiGateway",
        metric: "5XXError",
        statistic: "Sum",
        dimensions: { ApiName: api.restApi.name, Stage: api.stage.stageName },
        threshold: 1,
        periods: 2,
      },
    };
    for (const [id, alarm] of Object.entries(alarms)) {
      new CloudwatchMetricAlarm(this, id, {
        alarmName: `${props.name}-${id.replaceAll("_", "-")}`,
        alarmDescription: alarm.description,
        namespace: alarm.namespace,
        metricName: alarm.metric,
        statistic: alarm.statistic,
        dimensions: alarm.dimensions,
        comparisonOperator: "GreaterThanOrEqualToThreshold",
        threshold: alarm.threshold,
        period: alarm.periodSeconds ?? 300,
        evaluationPeriods: alarm.periods,
        treatMissingData: alarm.ringsWithout ? "breaching" : "notBreaching",
        alarmActions: topicArn === undefined ? undefined : [topicArn],
        okActions: topicArn === undefined ? undefined : [topicArn],
      });
    }
  }
}
