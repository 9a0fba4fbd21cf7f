import { DataArchiveFile } from "@cdktf/provider-archive/lib/data-archive-file";
import { CloudwatchLogGroup } from "@cdktf/provider-aws/lib/cloudwatch-log-group";
import { LambdaFunction } from "@cdktf/provider-aws/lib/lambda-function";
import { SqsQueue } from "@cdktf/provider-aws/lib/sqs-queue";
import { type Access, allow } from "../../constructs/access";
import { NodeFunction } from "../../constructs/node-function";
import { onlyResource, synth } from "../setup/synth";

const plain = {
  functionName: "answer-function",
  roleName: "answer-role",
  bundle: "dist/api",
  memoryMegabytes: 256,
  timeoutSeconds: 29,
  logRetentionDays: 7,
};
const nodeFunction = (uses: Access[] = []) => synth((scope) => new NodeFunction(scope, "answer", { ...plain, uses }));

test("runs the bundle on Node.js 22 on Graviton", () => {
  expect(nodeFunction()).toHaveResourceWithProperties(LambdaFunction, {
    function_name: "answer-function",
    runtime: "nodejs22.x",
    architectures: ["arm64"],
    handler: "index.handler",
    memory_size: 256,
    timeout: 29,
  });
});

test("is zipped by Terraform from a relative path, the same on every machine", () => {
  const json = nodeFunction();
  expect(json).toHaveDataSourceWithProperties(DataArchiveFile, {
    type: "zip",
    source_dir: "assets/answer_code/code",
    output_path: "answer.zip",
    output_file_mode: "0644",
  });
  expect(json).toHaveResourceWithProperties(LambdaFunction, {
    filename: "${data.archive_file.answer_archive.output_path}",
    source_code_hash: "${data.archive_file.answer_archive.output_base64sha256}",
  });
});

test("has a log that expires, made before the function", () => {
  const json = nodeFunction();
  expect(json).toHaveResourceWithProperties(CloudwatchLogGroup, {
    name: "/aws/lambda/answer-function",
    retention_in_days: 7,
  });
  expect(onlyResource(json, "aws_lambda_function").attributes.depends_on).toContain(
    "aws_cloudwatch_log_group.answer_log",
  );
});

test("is told what everything it uses tells", () => {
  const json = nodeFunction([allow(["a:B"], "arn:1", { QUEUE_URL: "1" }), allow(["c:D"], "arn:2", { DB_NAME: "2" })]);
  expect(onlyResource(json, "aws_lambda_function").attributes.environment).toEqual({
    variables: { QUEUE_URL: "1", DB_NAME: "2" },
  });
});

test("is made after what it needs, though it names none of it", () => {
  const json = synth((scope) => {
    const tables = new SqsQueue(scope, "gate", {});
    new NodeFunction(scope, "answer", { ...plain, uses: [{ statements: [], environment: {}, after: [tables] }] });
  });
  expect(onlyResource(json, "aws_lambda_function").attributes.depends_on).toContain("aws_sqs_queue.gate");
});
