import { setMaxListeners } from "node:events";
import {
  CloudWatchClient,
  GetMetricDataCommand,
  type MetricDataQuery,
  type MetricDataResult,
  paginateDescribeAlarms,
} from "@aws-sdk/client-cloudwatch";
import { GetFunctionConfigurationCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { DescribeClustersCommand, RedshiftClient } from "@aws-sdk/client-redshift";
import { DescribeEndpointCommand, SageMakerClient } from "@aws-sdk/client-sagemaker";
import { z } from "zod";
import { scalingAlarms } from "../../contract/scaling";
import { clientSettings } from "../../pipeline/clients";
import { sqsClient } from "../../pipeline/queues";
import { Results } from "../../pipeline/results";
import { hasEnded } from "../jobs/job-follow";
import { withApi } from "../jobs/jobs-api";
import { awsError } from "../shared/aws-error";
import type { Connection } from "../shared/connection";
import { queueCounts } from "../shared/queue-counts";
import type { Readings, Unread } from "./status-report";

/** How far back CloudWatch's counts go. */
const minutes = 15;
const rateMinutes = 5;
/** Jobs that are looked at. */
const newestJobs = 50;
/** The longest that a reading may take. */
const readingSeconds = 10;

/** Looks at a deployed pipeline: each reading for itself, so that none that fails or hangs takes another with it. */
export class StatusReader {
  private readonly settings = clientSettings({ requestTimeout: readingSeconds * 1000 });
  private readonly sqs = sqsClient();
  private readonly cloudWatch = new CloudWatchClient(this.settings);
  private readonly sageMaker = new SageMakerClient(this.settings);
  private readonly lambda = new LambdaClient(this.settings);
  private readonly redshift = new RedshiftClient(this.settings);

  constructor(private readonly connection: Connection) {}

  /** @throws when the signal is given, its reason */
  async read(signal: AbortSignal): Promise<Readings> {
    const { shared, environment, pipeline } = this.connection;
    const { pause } = environment;
    const paused = { error: "none while the environment is paused" };
    const now = new Date();
    const reading = <Result>(doing: string, action: string, read: (signal: AbortSignal) => Promise<Result>) =>
      readingOf({ doing, action, read, signal });
    const { endpointName, workerFunctionName, warehouse } = pipeline;
    const queueAction = "sqs:GetQueueAttributes";
    const isOnDemand = "workgroupName" in warehouse;
    const [queue, deadLetters, metrics, endpoint, worker, found, predictions, jobs, alarms] = await Promise.all([
      reading("look at the queue", queueAction, (until) => queueCounts(this.sqs, pipeline.queueUrl, until)),
      reading("look at the dead-letter queue", queueAction, (until) =>
        queueCounts(this.sqs, pipeline.deadLetterQueueUrl, until),
      ),
      reading("read the metrics", "cloudwatch:GetMetricData", (until) => this.metrics(now, until)),
      pause && environment.model.endpoint === undefined
        ? paused
        : reading(`look at the endpoint ${endpointName}`, "sagemaker:DescribeEndpoint", (until) =>
            this.endpoint(until),
          ),
      reading(`look at the function ${workerFunctionName}`, "lambda:GetFunctionConfiguration", (until) =>
        this.worker(until),
      ),
      isOnDemand
        ? { workgroup: warehouse.workgroupName }
        : reading(`look at the cluster ${warehouse.clusterId}`, "redshift:DescribeClusters", (until) =>
            this.cluster(warehouse.clusterId, until),
          ),
      isOnDemand
        ? null
        : pause
          ? paused
          : reading("count the predictions", "redshift-data:ExecuteStatement", (until) =>
              this.predictions(new Results(warehouse), now, until),
            ),
      isOnDemand ? reading("list the jobs", "execute-api:Invoke", (until) => this.jobs(until)) : null,
      reading("read the alarms", "cloudwatch:DescribeAlarms", (until) => this.alarms(until)),
    ]);
    return {
      environment: environment.name,
      region: shared.region,
      at: now.toISOString(),
      paused: pause ? { since: pause.since, until: pause.until ?? null } : null,
      queue,
      deadLetters,
      metrics,
      endpoint,
      worker,
      warehouse: found,
      predictions,
      jobs,
      alarms,
    };
  }

  close() {
    for (const client of [this.sqs, this.cloudWatch, this.sageMaker, this.lambda, this.redshift]) client.destroy();
  }

  private async metrics(now: Date, abortSignal: AbortSignal) {
    const { environment, pipeline } = this.connection;
    const queue = { QueueName: pipeline.queueUrl.split("/").at(-1) ?? "" };
    const worker = { FunctionName: pipeline.workerFunctionName };
    const { model } = environment;
    const VariantName = model.endpoint ? model.endpoint.variant : model.variantName;
    const variant = VariantName && { EndpointName: pipeline.endpointName, VariantName };
    const wholeMinute = Math.floor(now.getTime() / 60_000) * 60_000;
    const { MetricDataResults = [] } = await this.cloudWatch.send(
      new GetMetricDataCommand({
        StartTime: new Date(wholeMinute - minutes * 60_000),
        EndTime: new Date(wholeMinute + 2 * 60_000), // the next minute may begin before CloudWatch looks
        ScanBy: "TimestampDescending",
        MetricDataQueries: [
          query("oldest", "AWS/SQS", "ApproximateAgeOfOldestMessage", queue, "Maximum"),
          query("invocations", "AWS/Lambda", "Invocations", worker, "Sum"),
          query("errors", "AWS/Lambda", "Errors", worker, "Sum"),
          query("throttles", "AWS/Lambda", "Throttles", worker, "Sum"),
          query("concurrency", "AWS/Lambda", "ConcurrentExecutions", worker, "Maximum"),
          // SageMaker counts by variant alone: nobody knows of an endpoint that exists without one named.
          ...(variant
            ? [
                query("asked", "AWS/SageMaker", "Invocations", variant, "Sum"),
                query("serverErrors", "AWS/SageMaker", "Invocation5XXErrors", variant, "Sum"),
              ]
            : []),
        ],
      }),
      { abortSignal },
    );
    const found = new Map(MetricDataResults.map((result) => [result.Id, result]));
    const totalOf = (id: string) => whenKnown(found.get(id), (values) => values.reduce((sum, one) => sum + one, 0));
    return {
      minutes,
      oldestRequestSeconds: whenKnown(found.get("oldest"), ([newest = null]) => newest),
      worker: {
        invocations: totalOf("invocations"),
        errors: totalOf("errors"),
        throttles: totalOf("throttles"),
        concurrency: whenKnown(found.get("concurrency"), (values) => Math.max(0, ...values)),
      },
      endpoint: { invocations: totalOf("asked"), serverErrors: totalOf("serverErrors") },
    };
  }

  private async endpoint(abortSignal: AbortSignal) {
    const { endpointName: EndpointName } = this.connection.pipeline;
    const command = new DescribeEndpointCommand({ EndpointName });
    const described = await this.sageMaker.send(command, { abortSignal });
    return endpointDescription.parse(described);
  }

  private async worker(abortSignal: AbortSignal) {
    const { workerFunctionName: FunctionName } = this.connection.pipeline;
    const command = new GetFunctionConfigurationCommand({ FunctionName });
    return functionConfiguration.parse(await this.lambda.send(command, { abortSignal }));
  }

  private async cluster(ClusterIdentifier: string, abortSignal: AbortSignal) {
    const command = new DescribeClustersCommand({ ClusterIdentifier });
    const { Clusters } = await this.redshift.send(command, { abortSignal });
    return z.tuple([clusterDescription]).parse(Clusters)[0];
  }

  private async predictions(results: Results, now: Date, signal: AbortSignal) {
    const ago = (minutes: number) => new Date(now.getTime() - minutes * 60_000);
    const { answered, failed } = await results.countsSince([ago(60), ago(rateMinutes)], { signal });
    const [lastHour = 0, lately = 0] = answered;
    return { lastHour, failedLastHour: failed, perMinute: lately / rateMinutes };
  }

  /** How far the newest jobs are, by what lies in S3. */
  private jobs(signal: AbortSignal) {
    return withApi(this.connection.pipeline, async (api) => {
      const { jobs } = await api.list(newestJobs, signal);
      const open = jobs.filter((job) => !hasEnded(job));
      const sum = (of: "total" | "waiting") => open.reduce((all, { counts }) => all + (counts?.[of] ?? 0), 0);
      return { open: open.length, rows: sum("total"), waiting: sum("waiting") };
    });
  }

  private async alarms(abortSignal: AbortSignal) {
    const AlarmNamePrefix = `${this.connection.environment.prefix}-`;
    const found: z.infer<typeof alarmDescription>[] = [];
    const pages = paginateDescribeAlarms({ client: this.cloudWatch }, { AlarmNamePrefix }, { abortSignal });
    for await (const { MetricAlarms } of pages) {
      const alarms = z.array(alarmDescription).parse(MetricAlarms ?? []);
      found.push(...alarms.filter(({ name }) => !name.startsWith(AlarmNamePrefix + scalingAlarms)));
    }
    return {
      total: found.length,
      withoutData: found.filter(({ state }) => state === "INSUFFICIENT_DATA").length,
      on: found
        .filter(({ state }) => state === "ALARM")
        .map(({ name, reason, since }) => ({ name, reason, since: since?.toISOString() ?? null })),
    };
  }
}

const query = (
  Id: string,
  Namespace: string,
  MetricName: string,
  dimensions: Record<string, string>,
  Stat: "Sum" | "Maximum",
): MetricDataQuery => {
  const Dimensions = Object.entries(dimensions).map(([Name, Value]) => ({ Name, Value }));
  return { Id, MetricStat: { Metric: { Namespace, MetricName, Dimensions }, Period: 60, Stat } };
};

/** What CloudWatch's values come to; null where it did not say them all. No values at all: nothing happened. */
const whenKnown = (result: MetricDataResult | undefined, of: (values: number[]) => number | null) =>
  result?.StatusCode === "Complete" ? of(result.Values ?? []) : null;

const endpointDescription = z
  .object({
    EndpointStatus: z.string(),
    EndpointConfigName: z.string().default("none"),
    FailureReason: z.string().optional(),
    LastModifiedTime: z.date(),
    ProductionVariants: z
      .array(
        z
          .object({
            VariantName: z.string(),
            CurrentInstanceCount: z.number().default(0),
            DesiredInstanceCount: z.number().default(0),
          })
          .transform((variant) => ({
            name: variant.VariantName,
            instances: variant.CurrentInstanceCount,
            wanted: variant.DesiredInstanceCount,
          })),
      )
      .default([]),
  })
  .transform((endpoint) => ({
    status: endpoint.EndpointStatus,
    configuration: endpoint.EndpointConfigName,
    failure: endpoint.FailureReason || null,
    modifiedAt: endpoint.LastModifiedTime.toISOString(),
    variants: endpoint.ProductionVariants,
  }));

const functionConfiguration = z
  .object({
    State: z.string(),
    LastUpdateStatus: z.string().default("Successful"),
    LastModified: z.string().pipe(z.coerce.date()),
    Environment: z.object({ Variables: z.object({ MODEL_RELEASE: z.string().optional() }).optional() }).optional(),
  })
  .transform((configuration) => ({
    state: configuration.State,
    lastUpdate: configuration.LastUpdateStatus,
    modelRelease: configuration.Environment?.Variables?.MODEL_RELEASE ?? null,
    modifiedAt: configuration.LastModified.toISOString(),
  }));

const clusterDescription = z
  .object({
    ClusterStatus: z.string(),
    ClusterAvailabilityStatus: z.string(),
    NodeType: z.string(),
    NumberOfNodes: z.number(),
  })
  .transform((cluster) => ({
    status: cluster.ClusterStatus,
    availability: cluster.ClusterAvailabilityStatus,
    nodeType: cluster.NodeType,
    nodes: cluster.NumberOfNodes,
  }));

const alarmDescription = z
  .object({
    AlarmName: z.string(),
    StateValue: z.string(),
    StateReason: z.string().default(""),
    StateUpdatedTimestamp: z.date().optional(),
  })
  .transform((alarm) => ({
    name: alarm.AlarmName,
    state: alarm.StateValue,
    reason: alarm.StateReason,
    since: alarm.StateUpdatedTimestamp,
  }));

/** What a reading brings, or why it brings nothing. */
async function readingOf<Result>({
  doing,
  action,
  read,
  signal,
}: {
  readonly doing: string;
  /** What IAM calls it. */
  readonly action: string;
  readonly read: (signal: AbortSignal) => Promise<Result>;
  readonly signal: AbortSignal;
}): Promise<Result | Unread> {
  const timeout = AbortSignal.timeout(readingSeconds * 1000);
  const either = AbortSignal.any([signal, timeout]);
  setMaxListeners(0, either);
  try {
    return await read(either);
  } catch (error) {
    signal.throwIfAborted();
    if (timeout.aborted) return { error: `Cannot ${doing}: no answer in ${readingSeconds} s.` };
    if (error instanceof z.ZodError) {
      const [issue] = error.issues;
      return {
        error: `Cannot ${doing}: AWS's answer is not understood (${issue?.path.join(".")}: ${issue?.message}).`,
      };
    }
    const { name, message } = failure.parse(error);
    const denied = /not authorized to perform: ([\w-]+:\w+)/.exec(message)?.[1];
    if (denied !== undefined || /AccessDenied|UnauthorizedOperation|NotAuthorized/.test(name)) {
      return { error: `Cannot ${doing}: you have no permission for ${denied ?? action}.` };
    }
    return { error: awsError(doing, error).message };
  }
}

const failure = z.object({ name: z.string(), message: z.string() }).catch({ name: "", message: "" });
