import { LambdaEventSourceMapping } from "@cdktf/provider-aws/lib/lambda-event-source-mapping";
import { SqsQueue } from "@cdktf/provider-aws/lib/sqs-queue";
import { allow } from "../../constructs/access";
import { QueueWorker, type QueueWorkerProps } from "../../constructs/queue-worker";
import { granted, onlyResource, resourcesOf, roleStatementsOf, statementsOf, synth } from "../setup/synth";

const plain: QueueWorkerProps = {
  queueName: "requests",
  functionName: "worker",
  roleName: "worker-role",
  bundle: "dist/worker",
  memoryMegabytes: 512,
  timeoutSeconds: 20,
  logRetentionDays: 30,
  batchSize: 10,
  batchWindowSeconds: 1,
  maximumConcurrency: 5,
  survivedOutageSeconds: 43_200,
  messageRetentionSeconds: 345_600,
  deadLetterRetentionSeconds: 1_209_600,
  uses: [],
};
const queueWorker = (props: Partial<QueueWorkerProps> = {}) =>
  synth((scope) => new QueueWorker(scope, "inference", { ...plain, ...props }));

test.each([10, 15, 20])("hides a message for six worker timeouts of %i s", (timeoutSeconds) => {
  expect(queueWorker({ timeoutSeconds })).toHaveResourceWithProperties(SqsQueue, {
    name: "requests",
    visibility_timeout_seconds: 6 * timeoutSeconds,
  });
});

test("moves a message to the dead-letter queue only when it has outlasted the outage to be survived", () => {
  const json = queueWorker({ survivedOutageSeconds: 43_200 });
  const queue = resourcesOf(json).find(({ attributes }) => attributes.name === "requests");
  expect(JSON.parse(String(queue?.attributes.redrive_policy))).toEqual({
    deadLetterTargetArn: "${aws_sqs_queue.inference_dead_letter_queue.arn}",
    maxReceiveCount: 103,
  });
  expect(onlyResource(json, "aws_lambda_function").attributes.environment).toMatchObject({
    variables: { MAX_RECEIVE_COUNT: "103" },
  });
});

test.each([
  [345_600, "900"],
  [3_600, "900"],
  [1_200, "300"],
  [60, "15"],
])("with %i s to live, a returned message rests at most %s s", (messageRetentionSeconds, longest) => {
  const { attributes } = onlyResource(queueWorker({ messageRetentionSeconds }), "aws_lambda_function");
  expect(attributes.environment).toMatchObject({
    variables: {
      MESSAGE_RETENTION_SECONDS: String(messageRetentionSeconds),
      FIRST_RETURN_DELAY_SECONDS: "10",
      LONGEST_RETURN_DELAY_SECONDS: longest,
    },
  });
});

test("lets only its own queue use the dead-letter queue", () => {
  const { attributes } = onlyResource(queueWorker(), "aws_sqs_queue_redrive_allow_policy");
  expect(attributes.queue_url).toBe("${aws_sqs_queue.inference_dead_letter_queue.url}");
  expect(JSON.parse(String(attributes.redrive_allow_policy))).toEqual({
    redrivePermission: "byQueue",
    sourceQueueArns: ["${aws_sqs_queue.inference_queue.arn}"],
  });
});

test("keeps dead letters longer than requests, both encrypted", () => {
  const json = queueWorker();
  expect(json).toHaveResourceWithProperties(SqsQueue, {
    name: "requests",
    message_retention_seconds: 345_600,
    sqs_managed_sse_enabled: true,
  });
  expect(json).toHaveResourceWithProperties(SqsQueue, {
    name: "requests-dead-letters",
    message_retention_seconds: 1_209_600,
    sqs_managed_sse_enabled: true,
  });
});

test("refuses plain HTTP on both queues", () => {
  const policies = resourcesOf(queueWorker()).filter(({ type }) => type === "aws_sqs_queue_policy");
  expect(policies.map(({ attributes }) => attributes.queue_url).sort()).toEqual([
    "${aws_sqs_queue.inference_dead_letter_queue.url}",
    "${aws_sqs_queue.inference_queue.url}",
  ]);
  for (const { attributes } of policies) {
    expect(statementsOf(attributes.policy)).toMatchObject([
      { Effect: "Deny", Action: ["sqs:*"], Condition: { Bool: { "aws:SecureTransport": "false" } } },
    ]);
  }
});

test("hands batches to the worker, which reports failed messages one by one", () => {
  expect(queueWorker({ batchSize: 50, batchWindowSeconds: 2, maximumConcurrency: 9 })).toHaveResourceWithProperties(
    LambdaEventSourceMapping,
    {
      event_source_arn: "${aws_sqs_queue.inference_queue.arn}",
      batch_size: 50,
      maximum_batching_window_in_seconds: 2,
      scaling_config: { maximum_concurrency: 9 },
      function_response_types: ["ReportBatchItemFailures"],
    },
  );
});

test("lets the worker consume, set aside and write its log, and whatever else it is given", () => {
  const features = allow(["sagemaker:BatchGetRecord"], "arn:of:group", { FEATURE_GROUP_NAME: "pairs" });
  const json = queueWorker({ uses: [features] });
  expect(roleStatementsOf(json).map(({ Action, Resource }) => [Action, Resource])).toEqual([
    [["sagemaker:BatchGetRecord"], ["arn:of:group"]],
    [
      [
        "sqs:ReceiveMessage",
        "sqs:DeleteMessage",
        "sqs:ChangeMessageVisibility",
        "sqs:SendMessage",
        "sqs:GetQueueAttributes",
      ],
      ["${aws_sqs_queue.inference_queue.arn}"],
    ],
    [["sqs:SendMessage"], ["${aws_sqs_queue.inference_dead_letter_queue.arn}"]],
    [["logs:CreateLogStream", "logs:PutLogEvents"], ["${aws_cloudwatch_log_group.inference_worker_log.arn}:*"]],
  ]);
  expect(onlyResource(json, "aws_lambda_function").attributes.environment).toMatchObject({
    variables: {
      FEATURE_GROUP_NAME: "pairs",
      QUEUE_URL: "${aws_sqs_queue.inference_queue.url}",
      DEAD_LETTER_QUEUE_URL: "${aws_sqs_queue.inference_dead_letter_queue.url}",
    },
  });
});

test("tells who may send where to send, and lets him do just that", () => {
  expect(granted((scope) => new QueueWorker(scope, "inference", plain).send())).toEqual({
    may: [[["sqs:SendMessage"], ["${aws_sqs_queue.inference_queue.arn}"]]],
    knows: { QUEUE_URL: "${aws_sqs_queue.inference_queue.url}" },
  });
});

test("tells how long it keeps a message, and how long it hides one, and allows nothing with it", () => {
  const times = { ...plain, timeoutSeconds: 60, messageRetentionSeconds: 86_400 };
  expect(granted((scope) => new QueueWorker(scope, "inference", times).knowTimes())).toEqual({
    may: [],
    knows: { MESSAGE_RETENTION_SECONDS: "86400", VISIBILITY_TIMEOUT_SECONDS: "360" },
  });
});
