import { CloudwatchMetricAlarm } from "@cdktf/provider-aws/lib/cloudwatch-metric-alarm";
import { Testing } from "cdktf";
import { loadConfig } from "../../config";
import { InferenceStack } from "../../stacks/inference-stack";
import { resourcesOf } from "../setup/synth";

/** The stack of an environment that keeps requests for four days. */
function alarms(alarmTopicArn?: string): string {
  const settings = { project: "team", owner: "us", prefix: "team", region: "eu-west-1", stateBucket: "team-state" };
  const { shared, environments } = loadConfig({ ...settings, environments: { dev: { alarmTopicArn } } });
  const [dev] = Object.values(environments);
  if (!dev) throw new Error("the environment must be there");
  return Testing.synth(new InferenceStack(Testing.app(), "test", shared, dev));
}
const untold = alarms();
const ofAlarms = (json: string) => resourcesOf(json).filter(({ type }) => type === "aws_cloudwatch_metric_alarm");

test.each([
  ["a single dead letter", "team-dev-dead-letters", "ApproximateNumberOfMessagesVisible", 1],
  ["a request that waits for a quarter of its time", "team-dev-requests-wait", "ApproximateAgeOfOldestMessage", 86_400],
  ["a request that keeps failing for a quarter of its time", "team-dev-requests-return", "ReturnedAge", 86_400],
  ["a worker that fails", "team-dev-worker-fails", "Errors", 1],
  ["an endpoint that fails", "team-dev-endpoint-fails", "Invocation5XXErrors", 1],
  ["an API that fails", "team-dev-api-fails", "5XXError", 1],
])("rings for %s", (_, alarm_name, metric_name, threshold) => {
  expect(untold).toHaveResourceWithProperties(CloudwatchMetricAlarm, {
    alarm_name,
    metric_name,
    threshold,
    comparison_operator: "GreaterThanOrEqualToThreshold",
    treat_missing_data: "notBreaching",
  });
});

test("watches the dead-letter queue for dead letters, not the queue", () => {
  expect(untold).toHaveResourceWithProperties(CloudwatchMetricAlarm, {
    alarm_name: "team-dev-dead-letters",
    dimensions: { QueueName: "${aws_sqs_queue.inference_dead_letter_queue.name}" },
  });
});

test("tells the topic when it rings and when all is well again", () => {
  const topic = "arn:aws:sns:eu-west-1:123456789012:on-call";
  const told = ofAlarms(alarms(topic));
  expect(told).toHaveLength(6);
  for (const { attributes } of told) expect(attributes).toMatchObject({ alarm_actions: [topic], ok_actions: [topic] });
});

test("tells nobody where there is no topic", () => {
  for (const { attributes } of ofAlarms(untold)) expect(attributes).not.toHaveProperty("alarm_actions");
});
