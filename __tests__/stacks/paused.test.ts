import { Testing } from "cdktf";
import { loadConfig } from "../../config";
import type { Pause } from "../../config/paused";
import type { EnvironmentSettings } from "../../config/schema";
import { InferenceStack } from "../../stacks/inference-stack";
import { settings } from "../setup/settings";
import { resourcesOf, statementsOf } from "../setup/synth";

const since = "2026-11-27T18:00:00.000Z";

/** The resources of dev, by their addresses. */
function synthesized(environment: EnvironmentSettings = {}, pause?: Pause) {
  const { shared, environments } = loadConfig(
    settings(environment, { account: "123456789012" }),
    {},
    [],
    {},
    {},
    pause ? { dev: pause } : {},
  );
  if (environments.dev === undefined) throw new Error("no environment dev");
  const json = Testing.synth(new InferenceStack(Testing.app(), "inference-dev", shared, environments.dev));
  return new Map(resourcesOf(json).map(({ address, attributes }) => [address, attributes]));
}
const office = { warehouse: { hours: { from: 8, to: 18, timeZone: "Europe/Berlin" } } };
const awake = synthesized(office);
const paused = synthesized(office, { since });

const policyOf = (stack: typeof awake, address: string) => statementsOf(stack.get(address)?.policy);

test("a paused environment lacks the endpoint and what resumes the cluster by the clock, and has all else", () => {
  expect([...awake.keys()].filter((address) => !paused.has(address)).sort()).toEqual([
    "aws_cloudwatch_metric_alarm.alarms_answers_wait",
    "aws_iam_role.warehouse_hours_role",
    "aws_iam_role_policy.warehouse_hours_policy",
    "aws_sagemaker_endpoint.model_endpoint",
    "aws_scheduler_schedule.warehouse_hours_pause",
    "aws_scheduler_schedule.warehouse_hours_resume",
  ]);
  expect([...paused.keys()].filter((address) => !awake.has(address))).toEqual([]);
});

test("nothing scales an endpoint that is not there", () => {
  const scaled = { model: { instanceCount: { min: 1, max: 4 }, predictionsPerSecond: 100, deadlineSeconds: 3_600 } };
  const scaling = /^aws_appautoscaling/;
  expect([...synthesized(scaled).keys()].filter((address) => scaling.test(address))).not.toEqual([]);
  expect([...synthesized(scaled, { since }).keys()].filter((address) => scaling.test(address))).toEqual([]);
});

test("its worker is handed no request, and is told of the endpoint that it will have again", () => {
  const mapping = "aws_lambda_event_source_mapping.inference_delivery";
  expect([awake.get(mapping)?.enabled, paused.get(mapping)?.enabled]).toEqual([true, false]);
  const told = paused.get("aws_lambda_function.inference_worker_function")?.environment;
  expect(told).toMatchObject({ variables: { ENDPOINT_NAME: "poc-dev-paraphrase-bert-en-endpoint" } });
  const policy = policyOf(paused, "aws_iam_role_policy.inference_worker_policy");
  expect(policy.find(({ Action }) => Action.includes("sagemaker:InvokeEndpoint"))?.Resource).toEqual([
    "arn:aws:sagemaker:us-east-1:123456789012:endpoint/poc-dev-paraphrase-bert-en-endpoint",
  ]);
});

test("what a paused cluster tells of its nodes is no change, also where the clock pauses it", () => {
  const ignored = (stack: typeof awake) => stack.get("aws_redshift_cluster.warehouse_cluster")?.lifecycle;
  const nodes = { ignore_changes: ["cluster_type", "number_of_nodes"] };
  expect(ignored(awake)).toMatchObject(nodes);
  expect(ignored(synthesized({}, { since }))).toMatchObject(nodes);
  expect(ignored(synthesized())).not.toHaveProperty("ignore_changes");
});

test("its one alarm about what waits rings while there is time to resume it, and says what is lost first", () => {
  const firstDeadline = { job: "nightly", at: "2026-11-29T12:00:00.000Z" };
  const alarm = (pause: Pause) => synthesized({}, pause).get("aws_cloudwatch_metric_alarm.alarms_requests_wait");
  const expression = (of: ReturnType<typeof alarm>) => JSON.stringify(of?.metric_query);
  expect(alarm({ since })).toMatchObject({ alarm_name: "poc-dev-requests-wait", threshold: 1 });
  expect(expression(alarm({ since }))).toContain('"IF(age >= 172800, 1, 0)"');
  const withJob = alarm({ since, firstDeadline });
  expect(expression(withJob)).toContain(
    `"IF(age >= 172800 OR EPOCH(age) >= ${Date.parse("2026-11-29T08:00:00.000Z") / 1000}, 1, 0)"`,
  );
  expect(withJob?.alarm_description).toContain("the deadline of the job nightly (2026-11-29T12:00:00.000Z)");
  expect(paused.get("aws_cloudwatch_composite_alarm.alarms_requests_unanswered")?.alarm_rule).toMatch(
    /^ALARM\("\$\{aws_cloudwatch_metric_alarm\.alarms_requests_wait\.alarm_name}"\) OR /,
  );
});

test("an environment that asks an endpoint of others is paused without one", () => {
  const asking = synthesized({ model: { endpoint: { existing: "theirs" } } }, { since });
  expect(asking.get("aws_lambda_event_source_mapping.inference_delivery")?.enabled).toBe(false);
});

describe("the hours of a cluster", () => {
  test("are kept by two schedules, which call Redshift in a role that may do just that", () => {
    const schedule = (does: string) => awake.get(`aws_scheduler_schedule.warehouse_hours_${does}`);
    expect(schedule("pause")).toMatchObject({
      name: "poc-dev-warehouse-pause",
      schedule_expression: "cron(0 18 ? * MON-FRI *)",
      schedule_expression_timezone: "Europe/Berlin",
      target: { arn: "arn:aws:scheduler:::aws-sdk:redshift:pauseCluster" },
    });
    expect(schedule("resume")).toMatchObject({
      schedule_expression: "cron(0 8 ? * MON-FRI *)",
      target: { arn: "arn:aws:scheduler:::aws-sdk:redshift:resumeCluster" },
    });
    expect(policyOf(awake, "aws_iam_role_policy.warehouse_hours_policy")).toMatchObject([
      {
        Action: ["redshift:PauseCluster", "redshift:ResumeCluster"],
        Resource: ["${aws_redshift_cluster.warehouse_cluster.arn}"],
      },
    ]);
    const daily = synthesized({ warehouse: { hours: { from: 6, to: 22, days: "every day" } } });
    expect(daily.get("aws_scheduler_schedule.warehouse_hours_resume")?.schedule_expression).toBe("cron(0 6 * * ? *)");
  });

  test("let answers wait as long as the cluster is away, before an alarm rings", () => {
    expect(awake.get("aws_cloudwatch_metric_alarm.alarms_answers_wait")).toMatchObject({
      threshold: 900 + 62.5 * 3_600,
      period: 900,
    });
  });
});
