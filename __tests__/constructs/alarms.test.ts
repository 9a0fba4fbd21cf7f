import { CloudwatchCompositeAlarm } from "@cdktf/provider-aws/lib/cloudwatch-composite-alarm";
import { CloudwatchMetricAlarm } from "@cdktf/provider-aws/lib/cloudwatch-metric-alarm";
import { Testing } from "cdktf";
import { loadConfig } from "../../config";
import { InferenceStack } from "../../stacks/inference-stack";
import { resourcesOf } from "../setup/synth";

/** The stack of an environment that keeps requests for four days. */
function alarms(alarmTopicArn?: string, everyMinutes?: number): string {
  const settings = { project: "team", owner: "us", prefix: "team", region: "eu-west-1", stateBucket: "team-state" };
  const { shared, environments } = loadConfig({
    ...settings,
    environments: { dev: { alarmTopicArn, loading: { everyMinutes } } },
  });
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
  ["a loader that fails", "team-dev-loader-fails", "Errors", 1],
  ["a starter that fails", "team-dev-starter-fails", "Errors", 1],
  ["a writer of results that fails", "team-dev-writer-fails", "Errors", 1],
  ["answers that the warehouse refuses", "team-dev-answers-set-aside", "RejectedObjects", 1],
  ["answers that a newer version wrote", "team-dev-answers-newer", "NewerObjects", 1],
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

test.each([
  [1, 900],
  [3, 900],
  [60, 18_000],
])(
  "rings for answers that wait for several runs of a loader that runs every %i min, and where it does not run",
  (every, seconds) => {
    expect(alarms(undefined, every)).toHaveResourceWithProperties(CloudwatchMetricAlarm, {
      alarm_name: "team-dev-answers-wait",
      metric_name: "StagedAge",
      dimensions: { service: "${aws_lambda_function.loading_loader_function.function_name}" },
      threshold: seconds,
      period: seconds,
      treat_missing_data: "breaching",
    });
  },
);

test("watches the dead-letter queue for dead letters, not the queue", () => {
  expect(untold).toHaveResourceWithProperties(CloudwatchMetricAlarm, {
    alarm_name: "team-dev-dead-letters",
    dimensions: { QueueName: "${aws_sqs_queue.inference_dead_letter_queue.name}" },
  });
});

/** What no request is answered in. */
const stillstands = ["requests_wait", "requests_return", "worker_fails", "answers_wait"];
const addressOf = (name: string) => `aws_cloudwatch_metric_alarm.alarms_${name}`;

test("tells the topic when it rings and when all is well again, and of what stops all answers once", () => {
  const topic = "arn:aws:sns:eu-west-1:123456789012:on-call";
  const told = alarms(topic);
  const tells = { alarm_actions: [topic], ok_actions: [topic] };
  const addresses = stillstands.map(addressOf);
  const [silent, others] = [true, false].map((is) =>
    ofAlarms(told).filter(({ address }) => addresses.includes(address) === is),
  );
  expect(silent).toHaveLength(4);
  for (const { attributes } of silent ?? []) expect(Object.keys(attributes)).not.toContain("alarm_actions");
  expect(others).toHaveLength(8);
  for (const { attributes } of others ?? []) expect(attributes).toMatchObject(tells);
  expect(told).toHaveResourceWithProperties(CloudwatchCompositeAlarm, {
    alarm_name: "team-dev-requests-unanswered",
    alarm_rule: stillstands.map((name) => `ALARM("\${${addressOf(name)}.alarm_name}")`).join(" OR "),
    ...tells,
  });
});

test("tells nobody where there is no topic", () => {
  const all = resourcesOf(untold).filter(({ type }) => type.endsWith("_alarm"));
  expect(all).toHaveLength(13);
  for (const { attributes } of all) expect(attributes).not.toHaveProperty("alarm_actions");
});
