import { z } from "zod";
import { costJson, costText } from "../../../cli/deployment/cost-text";
import type { EnvironmentSettings, Settings } from "../../../config";
import { loadConfig } from "../../../config";
import { atRest, costOf, perMillion } from "../../../config/cost";
import { runProgram } from "../../setup/program";
import { settings } from "../../setup/settings";

const targetOf = (environment: EnvironmentSettings = {}, more: Partial<Settings> = {}) => {
  const { shared, environments } = loadConfig(settings(environment, more), {});
  const { dev } = environments;
  if (dev === undefined) throw new Error("no environment dev");
  return { shared, environment: dev };
};

test("says part by part what an environment costs, and what so many requests a day do", () => {
  const target = targetOf({ model: { predictionsPerSecond: 1_000 } });
  const text = costText(target, 100_000, 100);
  expect(text).toContain("dev, at prices of November 2026 in us-east-1, in US dollars");
  expect(text).toMatch(/^endpoint +ml\.inf1\.xlarge +730 hours +216\.81 +low$/m);
  expect(text).toMatch(/^worker +function time +1,500 GB-seconds +0\.02 +good$/m);
  expect(text).not.toContain("model.predictionsPerSecond");
  const [resting, million] = [atRest, perMillion].map((of) => costOf(of(target.environment, "us-east-1")).usd);
  const month = (resting ?? 0) + ((million ?? 0) * 100_000 * 365) / 12 / 1_000_000;
  expect(text).toContain(
    `With 100,000 requests a day, in one job: $${month.toFixed(2)} a month. Spread evenly over the day: $`,
  );
});

test("says of an environment on demand what it costs to wake its warehouse, and what a trickle does", () => {
  const text = costText(targetOf({ capacity: "on-demand", model: { predictionsPerSecond: 10 } }), 1_000, 120);
  expect(text).toContain(
    "The warehouse sleeps. To wake it costs 0.025 dollars: a load does, at most every 60 minutes,",
  );
  expect(text).toMatch(
    /With 1,000 requests a day, in one job: \$5\.\d\d a month\. Spread evenly over the day: \$23\.\d\d\./,
  );
  expect(costText(targetOf({ capacity: "on-demand" }))).toContain("`model.predictionsPerSecond` tells it");
});

test("says what it does not know", () => {
  const image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/our-own:1";
  const elsewhere = targetOf({ model: { instanceType: "ml.p5.48xlarge", image } }, { region: "eu-west-1" });
  const text = costText(elsewhere, 0, 100);
  expect(text).toMatch(/^in all +≥ [\d.]+$/m);
  expect(text).toContain("With 0 requests a day, in one job: at least $");
  expect(text).toContain("No price is known of ml.p5.48xlarge: say it in `prices` of config.ts.");
  expect(text).toContain("In eu-west-1 other prices hold.");
  expect(text).toContain("`model.predictionsPerSecond` tells how long they do");
  expect(costText(targetOf({ model: { endpoint: { existing: "theirs" } } }))).toContain(
    "The endpoint is somebody else's",
  );
});

test.each([60, 80, 140])("fits a terminal of %d columns", (width) => {
  const tables = costText(targetOf(), undefined, width).split("\n\n").slice(1, 3);
  for (const line of tables.flatMap((table) => table.split("\n"))) expect(line.length).toBeLessThanOrEqual(width);
});

test("programs read it", () => {
  const { month, monthAtRest, millionRows } = JSON.parse(costJson(targetOf(), 1_000_000));
  expect(month.usd).toBeCloseTo(monthAtRest.usd + (365 / 12) * millionRows.usd, 6);
  expect(JSON.parse(costJson(targetOf())).month).toBeUndefined();
});

test("is a command", async () => {
  const { status, stdout } = await runProgram(["cost", "--env", "prod", "--json"]);
  const { monthAtRest } = z.object({ monthAtRest: z.object({ usd: z.number() }) }).parse(JSON.parse(stdout));
  const { prod } = loadConfig(undefined, {}, [], {}).environments;
  expect({ status, usd: monthAtRest.usd }).toEqual({ status: 0, usd: prod && costOf(atRest(prod)).usd });
  expect(await runProgram(["cost", "--requests-per-day", "many"])).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("Write a whole number, such as 100000."),
  });
});
