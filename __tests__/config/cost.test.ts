import { readFileSync } from "node:fs";
import { hoursOfMonth, prices } from "../../aws/prices";
import { costsOf } from "../../cli/deployment/cost-text";
import { type EnvironmentSettings, loadConfig } from "../../config";
import { atRest, costOf, perMillion } from "../../config/cost";
import { dev, faults, settings } from "../setup/settings";
import { synthesizedStacks } from "../setup/stacks";
import { inventoryOf } from "../setup/synth";

describe("a cost", () => {
  test("is the sum of what has a price, and says where something has none", () => {
    const known = { part: "endpoint", of: "ml.inf1.xlarge", amount: 2 };
    const unknown = { part: "endpoint", of: "ml.p5.48xlarge", amount: 1 };
    expect(costOf([known])).toMatchObject({ usd: 0.594, isAtLeast: false, lines: [{ usd: 0.594, trust: "low" }] });
    expect(costOf([known, unknown])).toEqual({
      usd: 0.594,
      isAtLeast: true,
      lines: [expect.objectContaining({ usd: 0.594 }), unknown],
    });
  });

  test("goes by a team's own prices first, nothing among them", () => {
    const items = ["ml.p5.48xlarge", "ml.inf1.xlarge"].map((of) => ({ part: "endpoint", of, amount: 3 }));
    expect(costOf(items, { "ml.p5.48xlarge": 100, "ml.inf1.xlarge": 0 })).toMatchObject({
      usd: 300,
      isAtLeast: false,
      lines: [{ trust: "yours" }, { usd: 0, trust: "yours" }],
    });
  });

  test("takes nothing for a price that only every object has", () => {
    expect(costOf([{ part: "endpoint", of: "constructor", amount: 1 }])).toMatchObject({ usd: 0, isAtLeast: true });
  });
});

const region = "us-east-1";

describe("an environment", () => {
  const linesOf = (items: ReturnType<typeof atRest>, part: string) =>
    items.filter((item) => item.part === part).map(({ of, amount }) => [of, amount]);

  test("costs at rest what its instances, nodes and alarms do", () => {
    const items = atRest(
      dev({ model: { instanceCount: 2, instanceType: "ml.c5.large" }, warehouse: { numberOfNodes: 3 } }),
    );
    expect(linesOf(items, "endpoint")).toEqual([["ml.c5.large", 2 * hoursOfMonth]]);
    expect(linesOf(items, "warehouse")).toEqual([
      ["ra3.large", 3 * hoursOfMonth],
      ["secret", 1],
    ]);
  });

  test("has the alarms that it is reckoned with", () => {
    const made = inventoryOf(synthesizedStacks()["inference-dev"] ?? "{}");
    expect(linesOf(atRest(dev()), "alarms")).toEqual([
      ["alarm", made.aws_cloudwatch_metric_alarm],
      ["alarm over others", made.aws_cloudwatch_composite_alarm],
    ]);
    const drift = { answer: "yes", share: { min: 0.1 } };
    const count = (model: EnvironmentSettings["model"]) => linesOf(atRest(dev({ model })), "alarms")[0]?.[1];
    const all = Number(made.aws_cloudwatch_metric_alarm);
    expect(count({ drift })).toBe(all + 2);
    const scaled = { instanceCount: { min: 2, max: 8 }, predictionsPerSecond: 25, deadlineSeconds: 7_200 };
    expect(count(scaled)).toBe(all + 2 * 3); // of three metrics each
    expect(count({ endpoint: { existing: "theirs" } })).toBe(all - 1);
    expect(count({ endpoint: { existing: "theirs", variant: "blue" } })).toBe(all);
  });

  test("costs at rest what the least of its instances do", () => {
    const items = atRest(
      dev({ model: { instanceCount: { min: 2, max: 8 }, predictionsPerSecond: 25, deadlineSeconds: 7_200 } }),
    );
    expect(linesOf(items, "endpoint")).toEqual([["ml.inf1.xlarge", 2 * hoursOfMonth]]);
  });

  test("pays for no endpoint that is somebody else's", () => {
    const items = atRest(dev({ model: { endpoint: { existing: "theirs" } } }));
    expect(linesOf(items, "endpoint")).toEqual([]);
  });

  test("pays for a bastion where it has one", () => {
    const keyPair = { existing: "theirs" };
    const bastionOf = (bastion: boolean) => linesOf(atRest(dev({ keyPair, access: { bastion } })), "bastion");
    expect(bastionOf(true)).toEqual([["t4g.nano", hoursOfMonth]]);
    expect(bastionOf(false)).toEqual([]);
  });

  test("names a node type that only AWS knows", () => {
    expect(costOf(atRest(dev({ takeOver: true }))).isAtLeast).toBe(true);
  });

  test("pays for looking features up only where it does", () => {
    expect(linesOf(perMillion(dev(), region), "features")).toEqual([["feature reads", 1]]);
    const contract = { features: { age: "Integral" as const }, request: "csv" as const };
    expect(linesOf(perMillion(dev({ features: false, model: { contract } }), region), "features")).toEqual([]);
  });

  test("has its workers run as long as they may, or as long as they do where that is known", () => {
    const time = (model: { predictionsPerSecond?: number; instanceCount?: number }) =>
      linesOf(perMillion(dev({ model }), region), "worker").find(([of]) => of === "function time")?.[1];
    expect(time({})).toBe((1e6 / 50) * 20 * 0.5);
    expect(time({ predictionsPerSecond: 1_000 })).toBe(3 * 1_000 * 0.5);
    expect(time({ predictionsPerSecond: 1_000, instanceCount: 2 })).toBe(2 * 3 * 500 * 0.5); // so many more workers
    expect(time({ predictionsPerSecond: 0.001 })).toBe((1e6 / 50) * 20 * 0.5);
  });

  test("tells its API what a million rows cost", () => {
    const stack = JSON.parse(synthesizedStacks()["inference-dev"] ?? "{}");
    const { variables } = stack.resource.aws_lambda_function.api_handler_function.environment;
    expect(variables).toMatchObject({
      MILLION_ROWS_USD: costOf(perMillion(dev(), region)).usd.toFixed(4),
      MILLION_ROWS_USD_IS_AT_LEAST: "false",
    });
  });
});

test("prices of one's own are of something that can be paid for, and no less than nothing", () => {
  const faultsOf = (prices: unknown) => faults(settings({}, { prices }));
  expect(faultsOf({ "ml.p5.48xlarge": 98.3, "ra3.large": 0, "queue requests": 0.5 })).toEqual([]);
  expect(faultsOf({ "ml.p5.48xlarge": -1, gold: 1 })).toEqual([
    'prices["ml.p5.48xlarge"]: got -1; allowed: US dollars, 0 or more',
    expect.stringMatching(/^prices\.gold: got "gold"; allowed: an instance or node type, or one of serverless time, /),
  ]);
  expect(faultsOf(1)).toEqual(["prices: got 1; allowed: an object of prices by what they are of"]);
});

/** A page says these amounts, to a dollar more or less: an alarm's ten cents change none. */
function expectAmounts(page: string, line: RegExp, ...amounts: number[]) {
  const said = line.exec(page)?.slice(1) ?? [];
  expect(said).toHaveLength(amounts.length);
  for (const [place, amount] of amounts.entries()) {
    expect(Math.abs(Number(said[place]?.replaceAll(",", "")) - amount)).toBeLessThan(1);
  }
}

test("docs/cost.md and the README say what the commands do", () => {
  const page = readFileSync("docs/cost.md", "utf8");
  const { environments } = loadConfig(undefined, process.env, [], {});
  const { dev: shipped, prod } = environments;
  if (shipped === undefined || prod === undefined) throw new Error("config.ts has no dev, or no prod");
  const original = [
    { part: "endpoint", of: "ml.inf1.xlarge", amount: hoursOfMonth },
    { part: "warehouse", of: "dc2.large", amount: hoursOfMonth },
  ];
  const dollars = "\\$([\\d,]+)";
  const onDemand = dev({ capacity: "on-demand", model: { predictionsPerSecond: 10 } });
  const of = (environment: Parameters<typeof settings>[0], pauses = {}) => {
    const found = loadConfig(settings(environment), {}, [], {}, {}, pauses).environments.dev;
    if (found === undefined) throw new Error("no environment dev");
    return costOf(atRest(found));
  };
  const paused = of({}, { dev: { since: "2026-11-27T18:00:00.000Z" } });
  const share = 50 / 168;
  const rows = {
    "dev, its cluster there on weekdays from 8 to 18": of({ warehouse: { hours: { from: 8, to: 18 } } }),
    "dev, resumed for 50 hours a week": { usd: paused.usd + share * (costOf(atRest(shipped)).usd - paused.usd) },
    "dev, paused": paused,
    original: costOf(original),
    "dev, as it is shipped": costOf(atRest(shipped)),
    prod: costOf(atRest(prod)),
    "on-demand": costOf(atRest(onDemand)),
  };
  for (const [name, { usd }] of Object.entries(rows)) {
    expectAmounts(page, new RegExp(`^\\| ${name}\\b.* \\| ${dollars} \\|$`, "m"), usd);
  }
  const { shared } = loadConfig(settings());
  const fast = dev({ model: { predictionsPerSecond: 150 } });
  for (const requests of [0, 1_000, 100_000]) {
    const steady = costsOf({ shared, environment: fast }, requests);
    const woken = costsOf({ shared, environment: onDemand }, requests);
    const hours = ((requests === 0 ? 0 : requests / 20 + 5 * 60) / 3_600) * (hoursOfMonth / 24);
    const byHand = costOf([{ part: "instance", of: "ml.c5.large", amount: hours }]);
    expectAmounts(
      page,
      new RegExp(`^\\| ${[requests.toLocaleString("en"), ...Array(4).fill(dollars)].join(" \\| ")} \\|$`, "m"),
      ...[steady.month, woken.month, woken.evenly, byHand].map((cost) => cost?.usd ?? 0),
    );
  }
  const readme = readFileSync("README.md", "utf8");
  const usdOf = (items: ReturnType<typeof atRest>) => costOf(items).usd;
  const [steady, woken] = [usdOf(atRest(fast)), usdOf(atRest(onDemand))];
  const line = (name: string) => new RegExp(`^\\| ${name} \\| ${dollars} a month \\| ${dollars} \\|`, "m");
  expectAmounts(readme, line('`"steady"`, the default'), steady, usdOf(perMillion(fast, region)));
  expectAmounts(readme, line('`"on-demand"`'), woken, usdOf(perMillion(onDemand, region)));
  expectAmounts(readme, new RegExp(`is about ${dollars} a month at rest, and ${dollars} on demand \\|`), steady, woken);
  for (const [name, { usd, per, trust }] of Object.entries(prices)) {
    expect(page).toContain(`| ${name} | ${usd} | ${per} | `);
    expect(page).toContain(` | ${trust} |`);
  }
});
