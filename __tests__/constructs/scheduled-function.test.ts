import { LambdaFunction } from "@cdktf/provider-aws/lib/lambda-function";
import { LambdaFunctionEventInvokeConfig } from "@cdktf/provider-aws/lib/lambda-function-event-invoke-config";
import { SchedulerSchedule } from "@cdktf/provider-aws/lib/scheduler-schedule";
import { allow } from "../../constructs/access";
import { ScheduledFunction, type ScheduledFunctionProps } from "../../constructs/scheduled-function";
import { onlyResource, resourcesOf, roleStatementsOf, synth } from "../setup/synth";

const plain: ScheduledFunctionProps = {
  does: "loader",
  functionName: "loader",
  roleName: "loader-role",
  scheduleRoleName: "schedule-role",
  account: "123456789012",
  everyMinutes: 1,
  bundle: "dist/loader",
  memoryMegabytes: 512,
  timeoutSeconds: 300,
  logRetentionDays: 30,
  uses: [],
};
const loader = (props: Partial<ScheduledFunctionProps> = {}) =>
  synth((scope) => new ScheduledFunction(scope, "loading", { ...plain, ...props }));
const arn = "${aws_lambda_function.loading_loader_function.arn}";

test("has the memory and the time that it is given, and as many run at once as there are", () => {
  const json = loader();
  expect(json).toHaveResourceWithProperties(LambdaFunction, {
    function_name: "loader",
    timeout: 300,
    memory_size: 512,
  });
  expect(onlyResource(json, "aws_lambda_function").attributes).not.toHaveProperty("reserved_concurrent_executions");
});

test("is not tried again by Lambda, and skips what it could not begin within a minute", () => {
  expect(loader()).toHaveResourceWithProperties(LambdaFunctionEventInvokeConfig, {
    function_name: "${aws_lambda_function.loading_loader_function.function_name}",
    maximum_retry_attempts: 0,
    maximum_event_age_in_seconds: 60,
  });
});

test.each([
  [1, "rate(1 minute)"],
  [5, "rate(5 minutes)"],
  [60, "rate(60 minutes)"],
])("runs every %i min, on time, and is not tried again by the schedule", (everyMinutes, schedule_expression) => {
  const json = loader({ everyMinutes });
  expect(json).toHaveResourceWithProperties(SchedulerSchedule, {
    name: "loader",
    schedule_expression,
    flexible_time_window: { mode: "OFF" },
    target: {
      arn,
      role_arn: "${aws_iam_role.loading_schedule_role.arn}",
      retry_policy: { maximum_retry_attempts: 0, maximum_event_age_in_seconds: 60 },
    },
    depends_on: ["aws_iam_role_policy.loading_schedule_policy"],
  });
});

test("is all that its schedule may invoke, and may itself do just what it is given", () => {
  const json = loader({ uses: [allow(["s3:ListBucket"], "arn:of:bucket")] });
  const roles = resourcesOf(json).filter(({ type }) => type === "aws_iam_role");
  const trusts = roles.map(({ attributes }) => [attributes.name, String(attributes.assume_role_policy)]);
  expect(trusts).toEqual([
    ["loader-role", expect.stringContaining('"lambda.amazonaws.com"')],
    ["schedule-role", expect.stringContaining('"scheduler.amazonaws.com"')],
  ]);
  expect(roleStatementsOf(json).map(({ Action, Resource }) => [Action, Resource])).toEqual([
    [["s3:ListBucket"], ["arn:of:bucket"]],
    [["logs:CreateLogStream", "logs:PutLogEvents"], ["${aws_cloudwatch_log_group.loading_loader_log.arn}:*"]],
    [["lambda:InvokeFunction"], [arn]],
  ]);
});
