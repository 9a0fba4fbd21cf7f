import { MeteredModel } from "../../bench/endpoint";
import { latencies, latenciesOf, profileNames } from "../../bench/latencies";
import { measureOriginal, measureWorker, type WorkerSettings } from "../../bench/stage";

/** Nothing takes time, so that only calls are counted. */
const none = Object.fromEntries(Object.keys(latencies).map((name) => [name, 0]));
const scene = { latencies: latenciesOf("hopeful", none), endpoint: { slots: 4, millisecondsPerInput: 1 } };
const settings = { batchSize: 100, functions: 2, concurrency: 8, instancesPerCall: 25, loaderEverySeconds: 1 };

const callsOf = async (request: WorkerSettings["request"], requests: number) => {
  const { predictions, calls } = await measureWorker(scene, { ...settings, request }, requests);
  expect(predictions).toBe(requests);
  const { BatchGetRecord, InvokeEndpoint, "PutObject staged": staged, ...others } = Object.fromEntries(calls);
  expect(others.BatchExecuteStatement).toBeGreaterThan(0);
  expect(others["PutObject manifests"]).toBe(others.BatchExecuteStatement);
  expect(others.ListObjectsV2).toBeGreaterThanOrEqual(others.BatchExecuteStatement ?? 0);
  return { BatchGetRecord, InvokeEndpoint, staged };
};

test("asked one input a call, the worker reads and writes once a batch", async () => {
  expect(await callsOf("json", 200)).toEqual({ BatchGetRecord: 2, InvokeEndpoint: 200, staged: 2 });
});

test("asked many inputs a call, the worker needs six calls for a hundred predictions", async () => {
  expect(await callsOf("instances", 100)).toEqual({ BatchGetRecord: 1, InvokeEndpoint: 4, staged: 1 });
});

test("where it is profiled, what the worker computes for sums up to all of it", async () => {
  const { spent } = await measureWorker(scene, { ...settings, request: "instances", profiled: true }, 300);
  expect([...(spent?.keys() ?? [])]).toContain("the SDK");
  expect([...(spent?.values() ?? [])].reduce((sum, part) => sum + part, 0)).toBeCloseTo(1);
});

test("the original makes fifteen calls for a prediction, and more where it has to ask again how a statement stands", async () => {
  const { calls, predictions } = await measureOriginal(scene, 1);
  expect(predictions).toBe(1);
  const { DescribeStatement, ...others } = Object.fromEntries(calls);
  expect(others).toEqual({
    GetRecord: 1,
    InvokeEndpoint: 1,
    PutMetricData: 3,
    ExecuteStatement: 4,
    GetStatementResult: 2,
  });
  expect(DescribeStatement).toBeGreaterThanOrEqual(4);
});

test("every latency has a time for each profile, a worse one being no shorter, and says where it is from", () => {
  for (const { milliseconds, source } of Object.values(latencies)) {
    expect(milliseconds).toHaveLength(profileNames.length);
    expect([...milliseconds].sort((one, other) => one - other)).toEqual(milliseconds);
    expect(source).not.toBe("");
  }
});

test("an endpoint takes an input for each of its slots, and the next when one of them is free", async () => {
  const model = new MeteredModel({ slots: 2, millisecondsPerInput: 20 });
  const asked = [1, 2, 3].map((id) => model.answer({ id: String(id) }));
  expect(model.calls).toBe(3);
  await Promise.all(asked);
  expect(model.answered).toBe(3);
  const [first, second, third] = [1, 2, 3].map((count) => model.beganAt(count));
  expect(first).toBe(model.firstUsed);
  expect(third).toBeGreaterThan(second ?? 0);
  expect(model.workOf(model.firstUsed, model.lastUsed).utilisation).toBeLessThanOrEqual(1);
});
