import { CloudwatchCompositeAlarm } from "@cdktf/provider-aws/lib/cloudwatch-composite-alarm";
import { CloudwatchMetricAlarm } from "@cdktf/provider-aws/lib/cloudwatch-metric-alarm";
import { Construct } from "constructs";
import { type MetricName, measured, metricsNamespace } from "../contract/metrics";
import { literally } from "./access";
import { alarmText } from "./alarm-text";
import { functionNames, type Watched } from "./watched";

export interface AlarmsProps extends Watched {
  /** Starts the name of every alarm. */
  readonly name: string;
  /** How often the loader runs, in minutes. */
  readonly loadingEveryMinutes: number;
  /** How long the queue keeps a request, in seconds. */
  readonly messageRetentionSeconds: number;
  /** That the environment is paused: then its requests wait, and nothing is loaded. @default it is not */
  readonly pause?: { readonly firstDeadline?: { readonly job: string; readonly at: string } };
  /** For how long the warehouse is away by its schedule, in seconds. @default 0 */
  readonly longestBreakSeconds?: number;
  /** The answer that is watched, what its share of a day's answers is to be, and how many answers say something. */
  readonly drift?: {
    readonly answer: string;
    readonly share: { readonly min: number; readonly max: number };
    readonly minimumAnswers: number;
  };
  /** ARN of the SNS topic that is told. @default the alarms are only to be seen in CloudWatch */
  readonly topicArn?: string;
}

interface Alarm {
  /** What is the matter when it rings. */
  readonly matter: string;
  /** What to do first. */
  readonly mend: string;
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
  /** Whether no request is answered while it rings: the one alarm over all of these tells the topic, and it does not. */
  readonly standsStill?: boolean;
}

/** Says when requests fail, wait too long, or are given up: all that asks for a person. */
export class Alarms extends Construct {
  /** The ARNs of them all, the one over others first. */
  readonly arns: string[];

  constructor(scope: Construct, id: string, props: AlarmsProps) {
    super(scope, id);
    const { name, inference, model, api, topicArn, pause, longestBreakSeconds = 0 } = props;
    // Long before a request would expire, and before the worker sends it anew, at half of its time.
    const aQuarter = Math.floor(props.messageRetentionSeconds / 4);
    const functions = functionNames(props);
    const severalRuns = 60 * Math.max(15, 5 * props.loadingEveryMinutes);
    const measures = (metric: MetricName) => ({
      namespace: metricsNamespace,
      metric,
      dimensions: { service: functions[measured[metric].of] },
    });
    const failsOf = (function_: keyof typeof functions) => ({
      namespace: "AWS/Lambda",
      metric: "Errors",
      statistic: "Sum" as const,
      dimensions: { FunctionName: functions[function_] },
      threshold: 1,
      periods: 2,
    });

    const alarms: Record<string, Alarm> = {
      dead_letters: {
        matter: "Requests were given up: they lie in the dead-letter queue, each with its reason.",
        mend: "`offline-inference failed` lists them by reason. Mend that, then `offline-inference failed redrive`.",
        namespace: "AWS/SQS",
        metric: "ApproximateNumberOfMessagesVisible", // a redrive does not count as sent
        statistic: "Maximum",
        dimensions: { QueueName: inference.deadLetterQueue.name },
        threshold: 1,
        periods: 1,
      },
      ...(pause === undefined && {
        requests_wait: {
          matter: "A request has waited for a quarter of the time that the queue keeps it.",
          mend: "`offline-inference status` says whether the worker runs, and how long the queue lasts.",
          namespace: "AWS/SQS",
          metric: "ApproximateAgeOfOldestMessage",
          statistic: "Maximum",
          dimensions: { QueueName: inference.queue.name },
          threshold: aQuarter,
          periods: 1,
          standsStill: true,
        },
      }),
      requests_return: {
        // SQS leaves what was received three times out of the age of the oldest message.
        matter: "A request keeps failing, for a quarter of the time that the queue keeps it.",
        mend: "The worker's log names it and says why: mend what it stands on, and it is answered by itself.",
        ...measures("ReturnedAge"),
        statistic: "Maximum",
        threshold: aQuarter,
        periods: 1,
        standsStill: true,
      },
      worker_fails: {
        matter: "The worker cannot go on: endpoint, feature store or S3 fails for all. No request is lost.",
        mend: "Its log says which. `offline-inference status` shows the endpoint. It goes on by itself once that works.",
        ...failsOf("worker"),
        standsStill: true,
      },
      loader_fails: {
        matter: "Answers do not reach the warehouse: the loader fails. Nothing is lost.",
        mend: "Its log says why. `offline-inference doctor --canary` tries the warehouse. The next run loads all.",
        ...failsOf("loader"),
      },
      starter_fails: {
        matter: "Jobs do not get on: the starter fails. Nothing is lost.",
        mend: "Its log names the job and says why. The next run goes on with it.",
        ...failsOf("starter"),
      },
      writer_fails: {
        matter: "A job that is finished has no result, or its end was not told. Nothing is lost.",
        mend: "Its log names the job and says why. The next run tries again.",
        ...failsOf("writer"),
      },
      ...(pause === undefined && {
        answers_wait: {
          matter: "Answers have waited for several runs of the loader, or it has not run. Nothing is lost.",
          mend: "Its log says why. `offline-inference doctor --canary` tries the warehouse, and the loader with it.",
          ...measures("StagedAge"),
          statistic: "Maximum",
          threshold: severalRuns + longestBreakSeconds,
          periods: 1,
          periodSeconds: severalRuns,
          ringsWithout: true,
          standsStill: true,
        },
      }),
      answers_set_aside: {
        matter: "The warehouse refuses the data of staged objects. They lie below rejected/ in the bucket for answers.",
        mend: "The loader's log names them and says why. Mend each, and put it back below staged/.",
        ...measures("RejectedObjects"),
        statistic: "Sum",
        threshold: 1,
        periods: 1,
      },
      answers_newer: {
        matter: "Answers wait that a newer version of this project wrote.",
        mend: "Deploy that version, whose loader loads them.",
        ...measures("NewerObjects"),
        statistic: "Maximum",
        threshold: 1,
        periods: 1,
      },
      // SageMaker counts by variant alone, and no alarm can search for one. `worker_fails` and `requests_return` ring in any case.
      ...(model.variantName !== undefined && {
        endpoint_fails: {
          matter: "The model's container answers with 5xx.",
          mend: "The endpoint's log says why. After a release, go back to the one before.",
          namespace: "AWS/SageMaker",
          metric: "Invocation5XXErrors",
          statistic: "Sum",
          dimensions: { EndpointName: model.endpointName, VariantName: model.variantName },
          threshold: 1,
          periods: 2,
        },
      }),
      api_fails: {
        matter: "The API answers with 5xx.",
        mend: "Its function's log says why. Callers may send again what they sent, with the same requestId.",
        namespace: "AWS/ApiGateway",
        metric: "5XXError",
        statistic: "Sum",
        dimensions: { ApiName: api.restApi.name, Stage: api.stage.stageName },
        threshold: 1,
        periods: 2,
      },
    };
    const told = topicArn === undefined ? undefined : [topicArn];
    const made = Object.entries(alarms).map(([id, alarm]) => {
      const actions = alarm.standsStill ? undefined : told;
      const section = id.replaceAll("_", "-");
      const resource = new CloudwatchMetricAlarm(this, id, {
        alarmName: `${name}-${section}`,
        alarmDescription: alarmText(alarm.matter, alarm.mend, section),
        namespace: alarm.namespace,
        metricName: alarm.metric,
        statistic: alarm.statistic,
        dimensions: alarm.dimensions,
        comparisonOperator: "GreaterThanOrEqualToThreshold",
        threshold: alarm.threshold,
        period: alarm.periodSeconds ?? 300,
        evaluationPeriods: alarm.periods,
        treatMissingData: alarm.ringsWithout ? "breaching" : "notBreaching",
        alarmActions: actions,
        okActions: actions,
      });
      return { resource, alarm };
    });
    const standing = made.flatMap(({ resource, alarm }) => (alarm.standsStill ? [resource] : []));
    const expiring = pause && this.watchExpiry(props, pause);
    const stillstands = expiring ? [expiring, ...standing] : standing;
    const unanswered = new CloudwatchCompositeAlarm(this, "requests_unanswered", {
      alarmName: `${name}-requests-unanswered`,
      alarmDescription: alarmText(
        "Requests are not being answered: they wait or keep failing, the worker fails, or answers are not loaded.",
        "`offline-inference status` says which of these alarms rings. Go by its section.",
        "requests-unanswered",
      ),
      alarmRule: stillstands.map(({ alarmName }) => `ALARM("${alarmName}")`).join(" OR "),
      alarmActions: told,
      okActions: told,
    });
    const drift = props.drift && this.watchAnswers(name, props.drift, functions.worker, told);
    const others = [
      ...(expiring ? [expiring] : []),
      ...made.map(({ resource }) => resource),
      ...(drift ? [drift] : []),
    ];
    this.arns = [unanswered, ...others].map(({ arn }) => arn);
  }

  /** Rings in a paused environment while there is still time to resume it before something of it is lost. */
  private watchExpiry({ name, inference, messageRetentionSeconds }: AlarmsProps, { firstDeadline }: Pause) {
    const half = Math.floor(messageRetentionSeconds / 2);
    const days = Math.round(messageRetentionSeconds / 8_640) / 10;
    const passed = firstDeadline && Date.parse(firstDeadline.at) / 1000 - timeToResume;
    const ofJob =
      firstDeadline === undefined
        ? ""
        : `, or the deadline of the job ${firstDeadline.job} (${firstDeadline.at}) is ${timeToResume / 3_600} hours away`;
    return new CloudwatchMetricAlarm(this, "requests_wait", {
      alarmName: `${name}-requests-wait`,
      alarmDescription: alarmText(
        `The environment is paused, and its oldest request has waited for half of the ${days} days that the queue keeps it${ofJob}.`,
        "`offline-inference resume` has it answered in time.",
        "requests-wait",
      ),
      metricQuery: [
        {
          id: "age",
          metric: {
            namespace: "AWS/SQS",
            metricName: "ApproximateAgeOfOldestMessage",
            dimensions: { QueueName: inference.queue.name },
            stat: "Maximum",
            period: 300,
          },
        },
        {
          id: "expires",
          label: "1 where something is soon lost",
          // EPOCH: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
          expression: `IF(age >= ${half}${passed === undefined ? "" : ` OR EPOCH(age) >= ${passed}`}, 1, 0)`,
          returnData: true,
        },
      ],
      comparisonOperator: "GreaterThanOrEqualToThreshold",
      threshold: 1,
      evaluationPeriods: 1,
      treatMissingData: "notBreaching",
    });
  }

  /** Rings when a day's share of an answer is none that it should be, by what the worker measures of each answer: 1 or 0. */
  private watchAnswers(name: string, drift: NonNullable<AlarmsProps["drift"]>, service: string, told?: string[]) {
    const { answer, share, minimumAnswers } = drift;
    const watched = JSON.stringify([...answer].slice(0, 60).join("")); // a description has 1,024 characters
    const metricName: MetricName = "WatchedAnswer";
    const over = (id: string, stat: string) => ({
      id,
      metric: {
        namespace: metricsNamespace,
        metricName,
        dimensions: { service },
        stat,
        period: 24 * 60 * 60,
      },
    });
    return new CloudwatchMetricAlarm(this, "answers_drift", {
      alarmName: `${name}-answers-drift`,
      alarmDescription: literally(
        alarmText(
          `Of the last day's answers, the share of ${watched} is not from ${share.min} to ${share.max}: inputs or model have changed.`,
          "Compare `offline-inference results --shares --since 14d` by day and release.",
          "answers-drift",
        ),
      ),
      metricQuery: [
        over("share", "Average"),
        over("answers", "SampleCount"),
        {
          id: "drift",
          label: "1 where the share is none that it should be",
          // https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
          expression: `IF(answers >= ${minimumAnswers} AND (share < ${digitsOf(share.min)} OR share > ${digitsOf(share.max)}), 1, 0)`,
          returnData: true,
        },
      ],
      comparisonOperator: "GreaterThanOrEqualToThreshold",
      threshold: 1,
      evaluationPeriods: 1,
      treatMissingData: "notBreaching",
      alarmActions: told,
      okActions: told,
    });
  }
}

type Pause = NonNullable<AlarmsProps["pause"]>;

/** How long before a job's deadline a paused environment is to be resumed, in seconds; assumed. */
const timeToResume = 4 * 3_600;

/** A part of 1 without an exponent. */
const digitsOf = (part: number) => part.toFixed(12).replace(/\.?0+$/, "");
