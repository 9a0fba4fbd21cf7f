import fc from "fast-check";
import { formatsOfOne, requestFormats } from "../../contract/model-contract";
import { askingShare } from "../../contract/worker-time";
import { dev, faults, settings } from "../setup/settings";

/** Settings about the worker's time, each as far as the schema alone allows it. */
const asking = fc.record(
  {
    batchSize: fc.integer({ min: 11, max: 10_000 }),
    timeoutSeconds: fc.integer({ min: 10, max: 120 }),
    concurrency: fc.integer({ min: 1, max: 256 }),
    instancesPerCall: fc.integer({ min: 1, max: 1_000 }),
    slowestCallSeconds: fc.integer({ min: 1, max: 60 }),
    request: fc.constantFrom(...requestFormats),
  },
  { requiredKeys: [] },
);
type Asking = typeof asking extends fc.Arbitrary<infer Given> ? Given : never;

const settingsOf = ({ batchSize, timeoutSeconds, request, ...model }: Asking) => ({
  inference: { batchSize, timeoutSeconds },
  model: { ...model, contract: { features: { prompt: "String" as const }, request } },
});

/** How long a full batch takes, where each call takes as long as it may: calls one after the other on each connection. */
const secondsOfBatch = (given: Asking) => {
  const { inference, model } = dev(settingsOf(given));
  const each = formatsOfOne.includes(model.contract.request) ? 1 : model.instancesPerCall;
  const ends = Array.from({ length: model.concurrency }, () => 0);
  for (let asked = 0; asked < inference.batchSize; asked += each) {
    const [first = 0, ...others] = ends.sort((one, other) => one - other);
    ends.splice(0, ends.length, first + model.slowestCallSeconds, ...others);
  }
  return Math.max(...ends);
};

test("no configuration that is accepted throws answers away: a full batch of the slowest calls ends in the worker's time", () => {
  let accepted = 0;
  fc.assert(
    fc.property(asking, (given) => {
      const found = faults(settings(settingsOf(given)));
      if (found.length > 0) {
        expect(found).toEqual([
          expect.stringMatching(/^environments\.dev\.inference\.batchSize: got \d+; allowed: \d+ at most/),
        ]);
        return;
      }
      accepted++;
      const { timeoutSeconds } = dev(settingsOf(given)).inference;
      expect(secondsOfBatch(given)).toBeLessThanOrEqual(askingShare * timeoutSeconds + 1e-9);
    }),
    { numRuns: 100 },
  );
  expect(accepted).toBeGreaterThan(5);
});

test("what is refused is told with the largest batch, which is accepted", () => {
  const slow = { batchSize: 50, slowestCallSeconds: 5, request: "json" as const };
  expect(faults(settings(settingsOf(slow)))).toEqual([
    "environments.dev.inference.batchSize: got 50; allowed: 16 at most: for more inputs, 1 a call, 8 calls at once, 5 s each, inference.timeoutSeconds (20) is too short, and answers would be thrown away",
  ]);
  expect(faults(settings(settingsOf({ ...slow, batchSize: 16 })))).toEqual([]);
  expect(faults(settings(settingsOf({ ...slow, request: "csv" })))).toEqual([]);
  expect(faults(settings(settingsOf({ ...slow, timeoutSeconds: 54 })))).toEqual([]);
});

test("a call may take as long as fits, unless it is said", () => {
  expect(dev().model.slowestCallSeconds).toBe(1.8);
  expect(dev(settingsOf({ request: "csv" })).model.slowestCallSeconds).toBe(13);
  expect(dev(settingsOf({ request: "csv", timeoutSeconds: 120 })).model.slowestCallSeconds).toBe(60);
  expect(dev(settingsOf({ slowestCallSeconds: 1 })).model.slowestCallSeconds).toBe(1);
});
