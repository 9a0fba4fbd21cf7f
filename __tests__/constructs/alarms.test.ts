import { CloudwatchCompositeAlarm } from "@cdktf/provider-aws/lib/cloudwatch-composite-alarm";
import { CloudwatchMetricAlarm } from "@cdktf/provider-aws/lib/cloudwatch-metric-alarm";
import { Testing } from "cdktf";
import { type EnvironmentSettings, loadConfig } from "../../config";
import { InferenceStack } from "../../stacks/inference-stack";
import { resourcesOf } from "../setup/synth";

/** The stack of an environment that keeps requests for four days. */
function alarms(alarmTopicArn?: string, everyMinutes?: number, model?: EnvironmentSettings["model"]): string {
  const settings = { project: "team", owner: "us", prefix: "team", region: "eu-west-1", stateBucket: "team-state" };
  const { shared, environments } = loadConfig({
    ...settings,
    environments: { dev: { alarmTopicArn, loading: { everyMinutes }, model } },
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

describe("an answer that is watched", () => {
  const topic = "arn:aws:sns:eu-west-1:123456789012:on-call";
  const answer = 'it\'s "so"\n${so} %{so}';
  const drift = { answer, share: { min: 0.25, max: 0.000001 + 0.5 }, minimumAnswers: 40 };
  const watching = alarms(topic, undefined, { drift });

  test("rings where a day's share of it is none that it should be, and the answers are enough to say so", () => {
    const metric = (id: string, stat: string) => ({
      id,
      metric: {
        namespace: "SageMaker/CustomModelMetrics",
        metric_name: "WatchedAnswer",
        dimensions: { service: "${aws_lambda_function.inference_worker_function.function_name}" },
        stat,
        period: 86_400,
      },
    });
    expect(watching).toHaveResourceWithProperties(CloudwatchMetricAlarm, {
      alarm_name: "team-dev-answers-drift",
      metric_query: [
        metric("share", "Average"),
        metric("answers", "SampleCount"),
        expect.objectContaining({
          expression: "IF(answers >= 40 AND (share < 0.25 OR share > 0.500001), 1, 0)",
          return_data: true,
        }),
      ],
      comparison_operator: "GreaterThanOrEqualToThreshold",
      threshold: 1,
      evaluation_periods: 1,
      treat_missing_data: "notBreaching",
      alarm_actions: [topic],
      ok_actions: [topic],
    });
  });

  test("is named, and what to do is said, in 1,024 characters however long it is", () => {
    const descriptions = [
      watching,
      alarms(topic, undefined, { drift: { ...drift, answer: "\u0001".repeat(256) } }),
    ].map((json) => ofAlarms(json).find(({ attributes }) => attributes.alarm_name === "team-dev-answers-drift"));
    const texts = descriptions.map((alarm) => String(alarm?.attributes.alarm_description));
    expect(texts[0]).toBe(
      'Of the last day\'s answers, the share of "it\'s \\"so\\"\\n$${so} %%{so}" is not from 0.25 to 0.500001: inputs or model have changed. Compare `offline-inference results --shares --since 14d` by day and release. See docs/runbook.md#answers-drift',
    );
    for (const text of texts) expect(text.length).toBeLessThanOrEqual(1_024);
  });

  test("is told to the worker as it is, and of none nothing is told", () => {
    const variables = (json: string) =>
      resourcesOf(json).find(({ address }) => address === "aws_lambda_function.inference_worker_function")?.attributes
        .environment;
    expect(variables(watching)).toMatchObject({
      variables: { WATCHED_ANSWER: 'it\'s "so"\n$${so} %%{so}' },
    });
    expect(JSON.stringify(variables(untold))).not.toContain("WATCHED_ANSWER");
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
  expect(silent).toHaveLength(stillstands.length);
  for (const { attributes } of silent ?? []) expect(Object.keys(attributes)).not.toContain("alarm_actions");
  expect(others?.map(({ address }) => address)).toContain(addressOf("dead_letters"));
  for (const { attributes } of others ?? []) expect(attributes).toMatchObject(tells);
  expect(told).toHaveResourceWithProperties(CloudwatchCompositeAlarm, {
    alarm_name: "team-dev-requests-unanswered",
    alarm_rule: stillstands.map((name) => `ALARM("\${${addressOf(name)}.alarm_name}")`).join(" OR "),
    ...tells,
  });
});

test("tells nobody where there is no topic", () => {
  const all = resourcesOf(untold).filter(({ type }) => type.endsWith("_alarm"));
  expect(all.map(({ type }) => type)).toEqual(
    expect.arrayContaining(["aws_cloudwatch_metric_alarm", "aws_cloudwatch_composite_alarm"]),
  );
  for (const { attributes } of all) expect(attributes).not.toHaveProperty("alarm_actions");
});
