import { CloudwatchCompositeAlarm } from "@cdktf/provider-aws/lib/cloudwatch-composite-alarm";
import { CloudwatchMetricAlarm } from "@cdktf/provider-aws/lib/cloudwatch-metric-alarm";
import { Construct } from "constructs";
import type { Alarm } from "../config/alarms";
import { type MetricName, metricsNamespace } from "../contract/metrics";
import { literally } from "./access";
import { alarmText } from "./alarm-text";
import { functionNames, sourceOf, type Watched } from "./watched";

export interface AlarmsProps extends Watched {
  /** Starts the name of every alarm. */
  readonly name: string;
  /** What rings at a threshold of one metric, by its construct id. */
  readonly alarms: Readonly<Record<string, Alarm>>;
  /** How long the queue keeps a request, in seconds. */
  readonly messageRetentionSeconds: number;
  /** That the environment is paused: then its requests wait, and nothing is loaded. @default it is not */
  readonly pause?: { readonly firstDeadline?: { readonly job: string; readonly at: string } };
  /** The answer that is watched, what its share of a day's answers is to be, and how many answers say something. */
  readonly drift?: {
    readonly answer: string;
    readonly share: { readonly min: number; readonly max: number };
    readonly minimumAnswers: number;
  };
  /** ARN of the SNS topic that is told. @default the alarms are only to be seen in CloudWatch */
  readonly topicArn?: string;
}

/** Says when requests fail, wait too long, or are given up: all that asks for a person. */
export class Alarms extends Construct {
  /** The ARNs of them all, the one over others first. */
  readonly arns: string[];

  constructor(scope: Construct, id: string, props: AlarmsProps) {
    super(scope, id);
    const { name, pause, drift, topicArn } = props;
    const told = topicArn === undefined ? undefined : [topicArn];
    const made = Object.entries(props.alarms).map(([id, alarm]) => ({
      standsStill: alarm.standsStill,
      resource: this.watch(props, id, alarm, told),
    }));
    const standing = made.flatMap(({ resource, standsStill }) => (standsStill ? [resource] : []));
    const expiring = pause ? [this.watchExpiry(props, pause)] : [];
    const unanswered = new CloudwatchCompositeAlarm(this, "requests_unanswered", {
      alarmName: `${name}-requests-unanswered`,
      alarmDescription: alarmText(
        "Requests are not being answered: they wait or keep failing, the worker fails, or answers are not loaded.",
        "`offline-inference status` says which of these alarms rings. Go by its section.",
        "requests-unanswered",
      ),
      alarmRule: [...expiring, ...standing].map(({ alarmName }) => `ALARM("${alarmName}")`).join(" OR "),
      alarmActions: told,
      okActions: told,
    });
    const drifting = drift ? [this.watchAnswers(name, drift, functionNames(props).worker, told)] : [];
    this.arns = [unanswered, ...expiring, ...made.map(({ resource }) => resource), ...drifting].map(({ arn }) => arn);
  }

  /** Rings where a metric reaches its threshold. */
  private watch(props: AlarmsProps, id: string, { matter, mend, watches, ...alarm }: Alarm, told?: string[]) {
    const section = id.replaceAll("_", "-");
    const actions = alarm.standsStill ? undefined : told;
    return new CloudwatchMetricAlarm(this, id, {
      alarmName: `${props.name}-${section}`,
      alarmDescription: alarmText(matter, mend, section),
      ...sourceOf(props, watches),
      metricName: watches.metric,
      statistic: watches.statistic,
      comparisonOperator: "GreaterThanOrEqualToThreshold",
      threshold: alarm.threshold ?? 1,
      period: alarm.periodSeconds ?? 300,
      evaluationPeriods: alarm.periods ?? 1,
      treatMissingData: alarm.ringsWithout ? "breaching" : "notBreaching",
      alarmActions: actions,
      okActions: actions,
    });
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
