import { CloudWatchClient, DescribeAlarmsCommand, GetMetricDataCommand } from "@aws-sdk/client-cloudwatch";
import { startCloudWatch } from "../../local/cloudwatch";
import { operator } from "../../local/credentials";
import { counted, countedModel, gauge } from "../../local/metrics";
import { ModelError, type ModelOutput } from "../../local/sagemaker-runtime";
import type { StandIn } from "../../local/stand-in";

const invoke = jest.fn(async (_event: unknown): Promise<unknown> => "done");
const answer = jest.fn(async (): Promise<ModelOutput> => ({ body: "yes", contentType: "text/plain" }));
const call = { body: Buffer.from("{}"), contentType: "application/json", accept: "application/json" };
const worker = counted({ name: "worker", invoke, kill: () => {}, stop: async () => {} });
const endpoint = countedModel({ endpointName: "classifier", variantName: "first" }, answer);
const age = gauge({ namespace: "AWS/SQS", name: "Age", dimensions: { QueueName: "queue" } }, async () => 42);

let cloudWatch: StandIn;
let client: CloudWatchClient;

beforeAll(async () => {
  cloudWatch = await startCloudWatch({
    metrics: [...worker.metrics, ...endpoint.metrics, age],
    alarms: ["poc-dev-dead-letters", "poc-dev-api-fails", "poc-prod-api-fails"],
  });
  client = new CloudWatchClient({ ...operator, endpoint: cloudWatch.url });
});
afterAll(async () => {
  client.destroy();
  await cloudWatch.stop();
});

/** A metric over the quarter of an hour that `until` ends. */
async function metric(
  Namespace: string,
  MetricName: string,
  dimensions: Record<string, string>,
  { Stat = "Sum", Period = 60, until = Date.now() + 1_000 } = {},
) {
  const Dimensions = Object.entries(dimensions).map(([Name, Value]) => ({ Name, Value }));
  const { MetricDataResults: [result] = [] } = await client.send(
    new GetMetricDataCommand({
      StartTime: new Date(until - 900_000),
      EndTime: new Date(until),
      MetricDataQueries: [{ Id: "asked", MetricStat: { Metric: { Namespace, MetricName, Dimensions }, Period, Stat } }],
    }),
  );
  return result;
}

const total = async (...asked: Parameters<typeof metric>) =>
  (await metric(...asked))?.Values?.reduce((sum, value) => sum + value, 0);

const ofWorker = { FunctionName: "worker" };
const ofEndpoint = { VariantName: "first", EndpointName: "classifier" };

test("has no values of what has not happened yet", async () => {
  expect(await metric("AWS/Lambda", "Invocations", ofWorker)).toMatchObject({ StatusCode: "Complete", Values: [] });
});

test("counts a function's invocations, errors, and how many were under way at once", async () => {
  let finish = () => {};
  invoke.mockImplementationOnce(() => new Promise<void>((resolve) => (finish = resolve)));
  const first = worker.local.invoke({});
  invoke.mockRejectedValueOnce(new Error("no"));
  await expect(worker.local.invoke({})).rejects.toThrow("no");
  finish();
  await first;
  expect(await total("AWS/Lambda", "Invocations", ofWorker)).toBe(2);
  expect(await total("AWS/Lambda", "Errors", ofWorker)).toBe(1);
  expect(await total("AWS/Lambda", "Throttles", ofWorker)).toBe(0);
  const together = await metric("AWS/Lambda", "ConcurrentExecutions", ofWorker, { Stat: "Maximum" });
  expect(Math.max(...(together?.Values ?? []))).toBe(2);
  expect(together?.Timestamps?.[0]?.getTime()).toBeLessThanOrEqual(Date.now());
});

test("counts an endpoint's invocations, and those that its model failed", async () => {
  await endpoint.model(call);
  for (const status of [400, 503]) {
    answer.mockImplementationOnce(() => {
      throw new ModelError(status, "no");
    });
    await expect(endpoint.model(call)).rejects.toThrow("no");
  }
  expect(await total("AWS/SageMaker", "Invocations", ofEndpoint)).toBe(3);
  expect(await total("AWS/SageMaker", "Invocation4XXErrors", ofEndpoint)).toBe(1);
  expect(await total("AWS/SageMaker", "Invocation5XXErrors", ofEndpoint, { Period: 300 })).toBe(1);
});

test("looks up what is true now, and says nothing of another time", async () => {
  const ofQueue = { QueueName: "queue" };
  expect(await metric("AWS/SQS", "Age", ofQueue, { Stat: "Maximum" })).toMatchObject({ Values: [42] });
  const before = { Stat: "Maximum", until: Date.now() - 3_600_000 };
  expect(await metric("AWS/SQS", "Age", ofQueue, before)).toMatchObject({ Values: [] });
});

test("does not say of a metric that it does not keep that nothing happened", async () => {
  expect(await metric("AWS/Lambda", "Duration", ofWorker)).toMatchObject({
    StatusCode: "InternalError",
    Values: [],
    Messages: [{ Code: "NotKept", Value: "AWS/Lambda Duration is not kept here" }],
  });
});

test("DescribeAlarms has the alarms whose names begin so, without data", async () => {
  const { MetricAlarms = [] } = await client.send(new DescribeAlarmsCommand({ AlarmNamePrefix: "poc-dev-" }));
  expect(MetricAlarms).toEqual(
    ["poc-dev-dead-letters", "poc-dev-api-fails"].map((AlarmName) =>
      expect.objectContaining({ AlarmName, StateValue: "INSUFFICIENT_DATA" }),
    ),
  );
  const ringing = new DescribeAlarmsCommand({ StateValue: "ALARM" });
  expect((await client.send(ringing)).MetricAlarms).toEqual([]);
});
