import { estimate } from "../../../cli/jobs/estimate";
import { type EnvironmentSettings, loadConfig, type Settings } from "../../../config";
import { costOf, perMillion } from "../../../config/cost";
import { settings } from "../../setup/settings";

const fast = { predictionsPerSecond: 500, instanceCount: 2 };

const of = (model: EnvironmentSettings["model"], more: Partial<Settings> = {}) => {
  const { shared, environments } = loadConfig(settings({ model }, more), {});
  const { dev: environment } = environments;
  if (environment === undefined) throw new Error("no environment dev");
  const usd = costOf(perMillion(environment, shared.region), shared.prices).usd;
  return {
    usd,
    foresee: (rows: number, bounds = {}) => estimate({ rows, waiting: 0, shared, environment, ...bounds }),
  };
};

test("rows take the endpoint's time, at most behind what waits, and cost by the row", () => {
  const { usd, foresee } = of(fast);
  expect(foresee(7_200_000, { waiting: 3_600_000 })).toEqual([
    "It takes 2 h to 3 h, at 1,000 predictions/s by 2 × ml.inf1.xlarge, with 3,600,000 messages on the queue now.",
    `It costs about $${(7.2 * usd).toFixed(2)} beside what the environment costs at rest: npx offline-inference cost --env dev`,
  ]);
});

test("a time is never guessed", () => {
  const [time] = of({}).foresee(1_000_000, { deadline: 60 });
  expect(time).toBe("How long it takes is not known: `model.predictionsPerSecond` is not set in config.ts.");
});

test("what cannot be is refused, all of it at once", () => {
  const { usd, foresee } = of(fast);
  const [deadline, maxCost] = [3_600, 1];
  expect(() => foresee(7_200_000, { deadline, maxCost })).toThrow(
    [
      "7,200,000 rows take 2 h at 1,000 predictions/s by 2 × ml.inf1.xlarge, and --deadline allows 1 h.",
      `7,200,000 rows cost about $${(7.2 * usd).toFixed(2)}, and --max-cost allows $1.00.`,
      "Nothing was asked.",
    ].join("\n"),
  );
  expect(() => foresee(3_600_000, { deadline })).not.toThrow();
  expect(() => foresee(1_000_000, { maxCost: usd })).not.toThrow();
});

test("an endpoint that exists has one speed", () => {
  const [time] = of({ endpoint: { existing: "theirs" }, predictionsPerSecond: 10 }).foresee(600);
  expect(time).toMatch(/^It takes 1 min to 4 min, at 10 predictions\/s by the endpoint,/);
});
