import { LambdaFunction } from "@cdktf/provider-aws/lib/lambda-function";
import { SqsQueue } from "@cdktf/provider-aws/lib/sqs-queue";
import { synth } from "./synth";

const queue = synth((scope) => new SqsQueue(scope, "queue", { name: "requests", visibilityTimeoutSeconds: 120 }));

test("a negated matcher with a name that Terraform does not know fails, since it would prove nothing", () => {
  const camelCase = () => expect(queue).not.toHaveResourceWithProperties(SqsQueue, { visibilityTimeoutSeconds: 120 });
  expect(camelCase).toThrow('aws_sqs_queue has no "visibilityTimeoutSeconds"');
  const misspelt = () => expect(queue).not.toHaveResourceWithProperties(SqsQueue, { visibility_timeout: 120 });
  expect(misspelt).toThrow('aws_sqs_queue has no "visibility_timeout"');
});

test("so does one with such a name in a block", () => {
  const inBlock = () =>
    expect(queue).not.toHaveResourceWithProperties(LambdaFunction, { logging_config: [{ logFormat: "JSON" }] });
  expect(inBlock).toThrow('aws_lambda_function has no "logFormat"');
});

test("Terraform's names are compared, at any depth", () => {
  expect(queue).toHaveResourceWithProperties(SqsQueue, { visibility_timeout_seconds: 120 });
  expect(queue).not.toHaveResourceWithProperties(SqsQueue, { visibility_timeout_seconds: 119 });
  expect(queue).not.toHaveResourceWithProperties(LambdaFunction, { environment: { variables: { QUEUE_URL: "x" } } });
});
