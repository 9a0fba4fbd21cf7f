import { type Course, courseOf, type Scene } from "../../../cli/deployment/capacity-course";
import { capacityOf, capacityText } from "../../../cli/deployment/capacity-text";
import { costText } from "../../../cli/deployment/cost-text";
import { estimate } from "../../../cli/jobs/estimate";
import { type EnvironmentSettings, loadConfig } from "../../../config";
import { scalingSteps } from "../../../contract/scaling";
import { runProgram } from "../../setup/program";
import { settings } from "../../setup/settings";

const hour = 3_600;

/** How up to so many instances, each of 25 predictions a second, answer requests in six hours. */
const course = (max: number, requests: number, scene: Partial<Scene> = {}, deadlineSeconds = 6 * hour): Course => {
  const scaling = { min: 1, max, predictionsPerSecond: 25, deadlineSeconds };
  return courseOf({ requests, predictionsPerSecond: 25, min: 1, scaling, ...scene });
};

describe("instances that follow a backlog", () => {
  const starts = [
    ["four minutes", 240],
    ["eight minutes", 480],
  ] as const;
  const deployments = [
    ["no deployment", undefined],
    ["a deployment in the middle", { atSeconds: 2 * hour, keepsCount: true }],
  ] as const;
  const scenes = starts.flatMap(([start, startSeconds]) =>
    deployments.map(([what, deployment]) => ({ start, what, startSeconds, deployment })),
  );

  test.each(scenes)("answer a million by the deadline, hardly ever idle: a start of $start, $what", (scene) => {
    const { drainSeconds, earlyScaleIns, idleSeconds, instanceSeconds } = course(4, 1_000_000, scene);
    expect(drainSeconds).toBeLessThanOrEqual(1.1 * 6 * hour);
    expect(earlyScaleIns).toBeLessThanOrEqual(1);
    expect(idleSeconds / instanceSeconds).toBeLessThanOrEqual(0.1);
  });

  test.each(scenes)("answer as much as all of them can by the deadline: a start of $start, $what", (scene) => {
    for (const max of [2, 3, 5, 12, 40]) {
      for (const deadline of [2 * hour, 6 * hour, 24 * hour]) {
        const steps = scalingSteps({ min: 1, max, predictionsPerSecond: 25, deadlineSeconds: deadline });
        for (const { from } of steps) {
          for (const requests of [from - 1, from]) {
            const { drainSeconds, earlyScaleIns } = course(max, requests, scene, deadline);
            expect(drainSeconds).toBeLessThanOrEqual(1.1 * deadline);
            expect(earlyScaleIns).toBeLessThanOrEqual(1);
          }
        }
      }
    }
  });

  test("are more from the second minute on, and as few as at rest ten minutes after the last answer", () => {
    const { points, drainSeconds } = course(4, 1_000_000);
    expect(points.map(({ inService, wanted }) => [inService, wanted])).toEqual([
      [1, 1],
      [1, 3],
      [3, 3],
      [2, 2],
      [1, 1],
    ]);
    expect(points[1]?.at).toBe(60);
    expect(points[2]?.at).toBe(60 + 480);
    expect((points.at(-1)?.at ?? 0) - drainSeconds).toBeGreaterThan(600);
    expect((points.at(-1)?.at ?? 0) - drainSeconds).toBeLessThanOrEqual(600 + 3 * 60);
  });

  test("answer late where a deployment loses their count, which it therefore keeps", () => {
    const lost = course(10, 2_000_000, { deployment: { atSeconds: 2 * hour } }, 4 * hour);
    const kept = course(10, 2_000_000, { deployment: { atSeconds: 2 * hour, keepsCount: true } }, 4 * hour);
    expect(lost.drainSeconds).toBeGreaterThan(4 * hour);
    expect(kept.drainSeconds).toBeLessThan(4 * hour);
  });

  test("stay as they are where what waits is little", () => {
    expect(course(4, 1_000)).toMatchObject({ drainSeconds: 40, instanceSeconds: 40, idleSeconds: 0, earlyScaleIns: 0 });
  });

  test("of a fixed number answer as fast as they are", () => {
    const { points, drainSeconds } = courseOf({ requests: 1_000_000_000, predictionsPerSecond: 0.01, min: 2 });
    expect(drainSeconds).toBe(1_000_000_000 / 0.02);
    expect(points).toEqual([{ at: 0, inService: 2, wanted: 2, backlog: 1_000_000_000 }]);
  });
});

describe("the command", () => {
  const targetOf = (model: EnvironmentSettings["model"], more: EnvironmentSettings = {}) => {
    const { shared, environments } = loadConfig(settings({ ...more, model }), {});
    const { dev } = environments;
    if (dev === undefined) throw new Error("no environment dev");
    return { shared, environment: dev };
  };
  const scaled = targetOf({
    instanceCount: { min: 1, max: 4 },
    predictionsPerSecond: 25,
    deadlineSeconds: 6 * hour,
  });

  test("says how many instances there are when, how long it takes and what it costs", () => {
    const capacity = capacityOf(scaled, { requests: 1_000_000 });
    expect(capacity.steps).toEqual(
      scalingSteps({ min: 1, max: 4, predictionsPerSecond: 25, deadlineSeconds: 6 * hour }),
    );
    const [instances] = capacity.cost.lines;
    expect(instances).toMatchObject({ of: "ml.inf1.xlarge", amount: capacity.instanceSeconds / hour });
    const text = capacityText(capacity, 100);
    expect(text).toContain("dev: 1,000,000 requests at once, 1 to 4 × ml.inf1.xlarge, 25 predictions/s each");
    expect(text).toMatch(/^9 min +3 +3 +[\d,]+$/m);
    expect(text).toMatch(/^The last is answered after 5 h \d+ min, within the 6 h of the deadline\.$/m);
    expect(text).toContain(`It costs $${capacity.cost.usd.toFixed(2)}, with the instances' time`);
  });

  test("goes by another deadline, and by a number of instances that is fixed", () => {
    expect(capacityOf(scaled, { requests: 1_000_000, deadline: 12 * hour }).points.map(({ wanted }) => wanted)).toEqual(
      [1, 2, 2, 1],
    );
    const fixed = capacityOf(targetOf({ predictionsPerSecond: 25 }), { requests: 1_000_000, deadline: 6 * hour });
    expect(fixed).toMatchObject({ isLate: true, min: 1, max: 1, steps: [], drainSeconds: 40_000 });
    expect(capacityText(fixed)).toContain("later than the 6 h of the deadline.");
  });

  test("guesses nothing, and reckons with no endpoint of others", () => {
    const options = { requests: 1 };
    expect(() => capacityOf(targetOf({}), options)).toThrow(/bench:model.*`model.predictionsPerSecond` in config.ts/);
    expect(() => capacityOf(targetOf({ endpoint: { existing: "theirs" } }), options)).toThrow(
      "theirs is somebody else's",
    );
    expect(() => capacityOf(targetOf({}, { capacity: "on-demand" }), options)).toThrow("dev is on demand");
    expect(() => capacityOf(scaled, { requests: 1, deadline: 60 })).toThrow("allowed: 1800 to 1209600 seconds");
  });

  test("asks for the requests", async () => {
    expect(await runProgram(["capacity"])).toMatchObject({ status: 1, stderr: expect.stringContaining("--requests") });
    expect(await runProgram(["capacity", "--requests", "many"])).toMatchObject({ status: 1 });
    expect(await runProgram(["capacity", "--requests", "5", "--env", "dev"])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("model.predictionsPerSecond"),
    });
  });

  test("cost says what more instances would be, and run how long they take", () => {
    expect(costText(scaled, undefined, 100)).toMatch(
      /rests at 1 of 1 to 4 instances\. With 4 all month it would be \$/,
    );
    const [time] = estimate({ rows: 1_000_000, waiting: 0, ...scaled });
    expect(time).toMatch(/^It takes 3 h to 5 h, at 100 predictions\/s by 1 to 4 × ml\.inf1\.xlarge/);
  });
});
