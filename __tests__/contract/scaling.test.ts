import { type Scaling, scalingSteps, startingSeconds, stepSeconds } from "../../contract/scaling";

const scaling = (min: number, max: number, more: Partial<Scaling> = {}): Scaling => ({
  min,
  max,
  predictionsPerSecond: 25,
  deadlineSeconds: 6 * 60 * 60,
  ...more,
});

test("there are more instances from the backlog on that fewer answer in time", () => {
  const seconds = stepSeconds(scaling(1, 2));
  expect(seconds).toBe(6 * 60 * 60 - startingSeconds);
  expect(scalingSteps(scaling(1, 2))).toEqual([{ from: 25 * seconds, instances: 2 }]);
  expect(scalingSteps(scaling(2, 3))).toEqual([{ from: 2 * 25 * seconds, instances: 3 }]);
});

test("where there are several, each leaves time for a step back", () => {
  const [second, third, fourth] = scalingSteps(scaling(1, 4));
  expect([second?.instances, third?.instances, fourth?.instances]).toEqual([2, 3, 4]);
  // A backlog of three: down to that of two by three, and the rest by two.
  const of = ({ from = 0 } = {}) => from;
  const takes = (of(fourth) - of(third)) / (3 * 25) + of(third) / (2 * 25);
  expect(takes).toBeLessThanOrEqual(6 * 60 * 60 - startingSeconds);
  expect(takes).toBeGreaterThan(0.99 * (6 * 60 * 60 - startingSeconds));
});

test.each([
  [1, 21, 20],
  [1, 22, 11],
  [3, 1_000, 20],
])("from %i to %i there are %i steps, of which AWS takes 20, and the last is all", (min, max, count) => {
  const steps = scalingSteps(scaling(min, max));
  expect(steps).toHaveLength(count);
  expect(steps.at(-1)?.instances).toBe(max);
  for (const [place, step] of steps.slice(1).entries()) expect(step.from).toBeGreaterThan(steps[place]?.from ?? 0);
});
