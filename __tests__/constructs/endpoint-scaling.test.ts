import { AppautoscalingPolicy } from "@cdktf/provider-aws/lib/appautoscaling-policy";
import { AppautoscalingScheduledAction } from "@cdktf/provider-aws/lib/appautoscaling-scheduled-action";
import { AppautoscalingTarget } from "@cdktf/provider-aws/lib/appautoscaling-target";
import { CloudwatchMetricAlarm } from "@cdktf/provider-aws/lib/cloudwatch-metric-alarm";
import { LambdaEventSourceMapping } from "@cdktf/provider-aws/lib/lambda-event-source-mapping";
import { SagemakerEndpointConfiguration } from "@cdktf/provider-aws/lib/sagemaker-endpoint-configuration";
import { Testing } from "cdktf";
import { scalingSteps } from "../../contract/scaling";
import { InferenceStack } from "../../stacks/inference-stack";
import { fullConfig, fullStacks, synthesizedStacks } from "../setup/stacks";
import { inventoryOf, resourcesOf } from "../setup/synth";

const { inference: full, asking } = fullStacks();
const scaling = { min: 1, max: 4, predictionsPerSecond: 25, deadlineSeconds: 6 * 60 * 60 };
const steps = scalingSteps(scaling);
const [{ from: threshold } = { from: 0 }] = steps;

test("a fixed number of instances, or an endpoint that exists, is not scaled", () => {
  for (const json of [asking, synthesizedStacks()["inference-prod"] ?? "{}"]) {
    expect(Object.keys(inventoryOf(json)).filter((type) => type.startsWith("aws_appautoscaling"))).toEqual([]);
  }
});

test("the endpoint starts with as many as at rest, and may have as many as the most", () => {
  expect(full).toHaveResourceWithProperties(SagemakerEndpointConfiguration, {
    production_variants: [expect.objectContaining({ initial_instance_count: 1 })],
  });
  expect(full).toHaveResourceWithProperties(AppautoscalingTarget, {
    service_namespace: "sagemaker",
    scalable_dimension: "sagemaker:variant:DesiredInstanceCount",
    resource_id: expect.stringMatching(/^endpoint\/\$\{aws_sagemaker_endpoint\.model_endpoint\.name\}\/variant\/.+$/),
    min_capacity: 1,
    max_capacity: 4,
  });
});

test("there are workers for the most instances, three each", () => {
  expect(full).toHaveResourceWithProperties(LambdaEventSourceMapping, { scaling_config: { maximum_concurrency: 12 } });
});

test("more instances come by exact numbers, at the backlogs that follow from speed and deadline", () => {
  expect(full).toHaveResourceWithProperties(CloudwatchMetricAlarm, {
    alarm_name: "poc-full-scale-out",
    comparison_operator: "GreaterThanOrEqualToThreshold",
    threshold,
    evaluation_periods: 1,
    alarm_actions: ["${aws_appautoscaling_policy.scaling_out.arn}"],
  });
  expect(full).toHaveResourceWithProperties(AppautoscalingPolicy, {
    name: "poc-full-scale-out",
    policy_type: "StepScaling",
    step_scaling_policy_configuration: expect.objectContaining({
      adjustment_type: "ExactCapacity",
      step_adjustment: steps.map(({ from, instances }, place) => ({
        scaling_adjustment: instances,
        metric_interval_lower_bound: String(from - threshold),
        ...(place + 1 < steps.length && {
          metric_interval_upper_bound: String((steps[place + 1]?.from ?? 0) - threshold),
        }),
      })),
    }),
  });
});

test("they go when there has been no backlog for ten minutes", () => {
  expect(full).toHaveResourceWithProperties(CloudwatchMetricAlarm, {
    alarm_name: "poc-full-scale-in",
    comparison_operator: "LessThanOrEqualToThreshold",
    threshold: 0,
    evaluation_periods: 2,
    alarm_actions: ["${aws_appautoscaling_policy.scaling_in.arn}"],
  });
  expect(full).toHaveResourceWithProperties(AppautoscalingPolicy, {
    name: "poc-full-scale-in",
    step_scaling_policy_configuration: expect.objectContaining({
      adjustment_type: "ExactCapacity",
      step_adjustment: [{ scaling_adjustment: 1, metric_interval_upper_bound: "0" }],
    }),
  });
});

test("the backlog is what waits, what is in flight, and the rows of jobs that are yet to come", () => {
  const alarms = resourcesOf(full).filter(({ address }) => address.startsWith("aws_cloudwatch_metric_alarm.scaling_"));
  expect(alarms).toHaveLength(2);
  for (const { attributes } of alarms) {
    const metrics = JSON.stringify(attributes.metric_query);
    for (const name of ["ApproximateNumberOfMessagesVisible", "ApproximateNumberOfMessagesNotVisible", "UnsentRows"]) {
      expect(metrics).toContain(`"metric_name":"${name}"`);
    }
    expect(metrics).toContain('"expression":"waiting + inflight + FILL(unsent, 0)"');
  }
});

test("another instance type, or another range, has the target registered anew, with all that hangs on it", () => {
  const scaled = resourcesOf(full).filter(({ type }) => type.startsWith("aws_appautoscaling_"));
  expect(scaled).toHaveLength(5);
  for (const { attributes } of scaled) {
    expect(attributes.lifecycle).toMatchObject({ replace_triggered_by: ["terraform_data.scaling_registered"] });
  }
  const [registered] = resourcesOf(full).filter(({ type }) => type === "terraform_data");
  expect(registered?.attributes.input).toEqual({ instanceType: "ml.c7i.xlarge", min: 1, max: 4 });
});

test("in working hours there are more at rest, which Terraform leaves as it is", () => {
  const schedule = (name: string) => resourcesOf(full).find(({ attributes }) => attributes.name === name)?.attributes;
  expect(full).toHaveResourceWithProperties(AppautoscalingScheduledAction, {
    schedule: "cron(0 8 ? * MON-FRI *)",
    timezone: "Europe/Berlin",
    scalable_target_action: { min_capacity: "2", max_capacity: "4" },
  });
  expect(schedule("poc-full-working-hours-end")).toMatchObject({
    schedule: "cron(0 18 ? * MON-FRI *)",
    scalable_target_action: { min_capacity: "1", max_capacity: "4" },
  });
  const [target] = resourcesOf(full).filter(({ type }) => type === "aws_appautoscaling_target");
  expect(target?.attributes.lifecycle).toMatchObject({ ignore_changes: ["min_capacity", "max_capacity"] });
});

test("hours that end with the day end a minute before", () => {
  const { shared, environments } = fullConfig();
  const { full: environment } = environments;
  if (!environment || environment.model.endpoint) throw new Error("the environment must be there");
  const workingHours = { min: 2, days: "every day" as const, from: 0, to: 24, timeZone: "UTC" };
  const json = Testing.synth(
    new InferenceStack(Testing.app(), "test", shared, {
      ...environment,
      model: { ...environment.model, workingHours },
    }),
  );
  expect(json).toHaveResourceWithProperties(AppautoscalingScheduledAction, { schedule: "cron(59 23 * * ? *)" });
});
