import { type Stage, startStage, type WorkerSettings } from "../../bench/stage";

/** Nothing takes time, so that only calls are counted. */
const latencies = {
  inputOnCore: 0,
  BatchGetRecord: 0,
  GetRecord: 0,
  dataApiCall: 0,
  statement: 0,
  PutMetricData: 0,
};
const settings = { batchSize: 100, functions: 2, endpointConcurrency: 4, instancesPerCall: 25, heapMegabytes: 128 };

let stage: Stage;
beforeAll(async () => {
  stage = await startStage(latencies, 200);
});
afterAll(() => stage.stop());

const callsOf = async (request: WorkerSettings["request"], requests: number) => {
  const { predictions, calls } = await stage.measureWorker({ ...settings, request }, requests);
  expect(predictions).toBe(requests);
  return Object.fromEntries(calls);
};

test("asked one input a call, the worker reads and writes once a batch", async () => {
  expect(await callsOf("json", 200)).toEqual({ BatchGetRecord: 2, InvokeEndpoint: 200, BatchExecuteStatement: 2 });
});

test("asked many inputs a call, the worker needs six calls to AWS for a hundred predictions", async () => {
  expect(await callsOf("instances", 100)).toEqual({ BatchGetRecord: 1, InvokeEndpoint: 4, BatchExecuteStatement: 1 });
});

test("a measurement fails when a request was not answered", async () => {
  await expect(callsOf("json", 201)).rejects.toThrow("201 requests came to 200 rows of 200 inputs");
});
