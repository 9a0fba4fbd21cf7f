import { AppautoscalingPolicy } from "@cdktf/provider-aws/lib/appautoscaling-policy";
import { AppautoscalingScheduledAction } from "@cdktf/provider-aws/lib/appautoscaling-scheduled-action";
import { AppautoscalingTarget } from "@cdktf/provider-aws/lib/appautoscaling-target";
import { CloudwatchMetricAlarm } from "@cdktf/provider-aws/lib/cloudwatch-metric-alarm";
import { DataResource, type TerraformResourceLifecycle } from "cdktf";
import { Construct } from "constructs";
import { cronOf, type Hours } from "../config/hours";
import { type MetricName, metricsNamespace } from "../contract/metrics";
import {
  backlogSeconds,
  emptySeconds,
  type Scaling,
  scalingAlarms,
  scalingSteps,
  stepBackSeconds,
} from "../contract/scaling";
import { alarmText } from "./alarm-text";
import type { Endpoint } from "./model-endpoint";
import type { QueueWorker } from "./queue-worker";
import type { ScheduledFunction } from "./scheduled-function";

export interface EndpointScalingProps extends Scaling {
  /** Starts the names of policies, alarms and scheduled actions. */
  readonly name: string;
  /** The endpoint that is scaled. */
  readonly model: Endpoint;
  /** What its instances are. */
  readonly instanceType: string;
  /** Whose queue is the backlog. */
  readonly inference: QueueWorker;
  /** Who says how many rows of jobs are yet to come. */
  readonly starter: ScheduledFunction;
  /** Hours of days in which there are more instances at rest. @default there are none */
  readonly workingHours?: Hours & { readonly min: number };
}

/**
 * Lets an endpoint's instances follow the backlog: what lies on the queue, and rows of jobs that are yet to come. There are
 * more by steps at once, and as few as at rest when nothing is left.
 */
export class EndpointScaling extends Construct {
  constructor(
    scope: Construct,
    id: string,
    private readonly props: EndpointScalingProps,
  ) {
    super(scope, id);
    const { model, instanceType, min, max, workingHours } = props;

    // SageMaker refuses another instance type while a target is registered: it goes before, and comes again after.
    // https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-scaling-update.html
    const registered = new DataResource(this, "registered", { input: { instanceType, min, max } });
    const anew = { replaceTriggeredBy: [`${registered.terraformResourceType}.${registered.friendlyUniqueId}`] };
    const target = new AppautoscalingTarget(this, "target", {
      serviceNamespace: "sagemaker",
      scalableDimension: "sagemaker:variant:DesiredInstanceCount",
      resourceId: `endpoint/${model.endpointName}/variant/${model.variantName}`,
      minCapacity: min,
      maxCapacity: max,
      // The working hours change the least.
      lifecycle: workingHours ? { ...anew, ignoreChanges: ["min_capacity", "max_capacity"] } : anew,
    });
    const ofTarget = {
      serviceNamespace: target.serviceNamespace,
      scalableDimension: target.scalableDimension,
      resourceId: target.resourceId,
      lifecycle: anew, // AWS takes them away with the target
    };

    const steps = scalingSteps(props);
    const threshold = steps[0]?.from ?? 0;
    const out = this.policy("out", ofTarget, stepBackSeconds(props), adjustments(steps, threshold));
    const back = this.policy("in", ofTarget, 0, [{ scalingAdjustment: min, metricIntervalUpperBound: "0" }]);
    this.alarm("out", out, {
      matter: `So much waits that more than ${min} of the endpoint's instances are needed by the deadline: there will be up to ${max}.`,
      comparisonOperator: "GreaterThanOrEqualToThreshold",
      threshold,
      evaluationPeriods: 1,
    });
    this.alarm("in", back, {
      matter: `Nothing waits any more: of the endpoint's instances only those at rest stay, ${min}, or more in working hours.`,
      comparisonOperator: "LessThanOrEqualToThreshold",
      threshold: 0,
      evaluationPeriods: emptySeconds / backlogSeconds,
    });

    if (workingHours) this.keepMore(workingHours, ofTarget);
  }

  /** What sets the number of instances by how far the backlog is beyond an alarm's threshold. */
  private policy(id: "out" | "in", ofTarget: OfTarget, cooldown: number, stepAdjustment: StepAdjustment[]) {
    return new AppautoscalingPolicy(this, id, {
      name: `${this.props.name}-${scalingAlarms}${id}`,
      ...ofTarget,
      policyType: "StepScaling",
      stepScalingPolicyConfiguration: {
        adjustmentType: "ExactCapacity",
        metricAggregationType: "Maximum",
        cooldown,
        stepAdjustment,
      },
    });
  }

  private keepMore(workingHours: NonNullable<EndpointScalingProps["workingHours"]>, ofTarget: OfTarget) {
    const { name, min, max } = this.props;
    for (const [when, least] of [
      ["begin", workingHours.min],
      ["end", min],
    ] as const) {
      new AppautoscalingScheduledAction(this, `working_hours_${when}`, {
        name: `${name}-working-hours-${when}`,
        ...ofTarget,
        schedule: cronOf(workingHours, when),
        timezone: workingHours.timeZone,
        scalableTargetAction: { minCapacity: String(least), maxCapacity: String(max) },
      });
    }
  }

  /** An alarm over the backlog that rings for a policy alone. */
  private alarm(
    id: "out" | "in",
    policy: AppautoscalingPolicy,
    {
      matter,
      ...rings
    }: {
      readonly matter: string;
      readonly comparisonOperator: string;
      readonly threshold: number;
      readonly evaluationPeriods: number;
    },
  ) {
    const { name, inference, starter } = this.props;
    const section = `${scalingAlarms}${id}`;
    const over = (id: string, namespace: string, metricName: string, dimensions: Record<string, string>) => ({
      id,
      metric: { namespace, metricName, dimensions, stat: "Maximum", period: backlogSeconds },
    });
    const queue = { QueueName: inference.queue.name };
    const unsent: MetricName = "UnsentRows";
    new CloudwatchMetricAlarm(this, `alarm_${id}`, {
      alarmName: `${name}-${section}`,
      alarmDescription: alarmText(matter, "Nothing is to be done: Application Auto Scaling does it.", section),
      metricQuery: [
        over("waiting", "AWS/SQS", "ApproximateNumberOfMessagesVisible", queue),
        over("inflight", "AWS/SQS", "ApproximateNumberOfMessagesNotVisible", queue),
        over("unsent", metricsNamespace, unsent, { service: starter.function.function.functionName }),
        {
          id: "backlog",
          label: "requests that are not answered",
          // https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
          expression: "waiting + inflight + FILL(unsent, 0)",
          returnData: true,
        },
      ],
      ...rings,
      treatMissingData: "notBreaching",
      alarmActions: [policy.arn],
    });
  }
}

interface OfTarget {
  readonly serviceNamespace: string;
  readonly scalableDimension: string;
  readonly resourceId: string;
  readonly lifecycle: TerraformResourceLifecycle;
}

interface StepAdjustment {
  readonly scalingAdjustment: number;
  readonly metricIntervalLowerBound?: string;
  readonly metricIntervalUpperBound?: string;
}

/** Each step up to where the next begins, counted from the threshold. */
const adjustments = (steps: ReturnType<typeof scalingSteps>, threshold: number): StepAdjustment[] =>
  steps.map(({ from, instances }, place) => {
    const next = steps[place + 1];
    return {
      scalingAdjustment: instances,
      metricIntervalLowerBound: String(from - threshold),
      ...(next && { metricIntervalUpperBound: String(next.from - threshold) }),
    };
  });
