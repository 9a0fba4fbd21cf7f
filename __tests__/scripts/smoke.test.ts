import { readdirSync, readFileSync } from "node:fs";
import { Testing } from "cdktf";
import { targetOf } from "../../cli/shared/connection";
import { loadConfig } from "../../config";
import { configText } from "../../scripts/smoke/checkout";
import { costLines } from "../../scripts/smoke/costs";
import type { RunRecord } from "../../scripts/smoke/record";
import { removable } from "../../scripts/smoke/removal";
import { nameAt, runName, smokeSettings } from "../../scripts/smoke/settings";
import { stepsOf } from "../../scripts/smoke/steps";
import { claims, keepReport, listOf, pageWith, shownByReports } from "../../scripts/smoke/unproven";
import { StateStack } from "../../stacks/state-stack";

const run = { name: "smoke-11280930", account: "123456789012", apiGatewayRole: true };
const team = () => targetOf({ env: "prod" });
const settings = () => smokeSettings(team().shared, team().environment, run);
const made = () => {
  const { shared, environments } = loadConfig(settings());
  const environment = environments[run.name];
  if (environment === undefined) throw new Error(`no environment ${run.name}`);
  return { shared, environment };
};

describe("what nobody has run on AWS", () => {
  test("is listed in the docs until a report of npm run smoke has shown it, and no other way", () => {
    const page = readFileSync("docs/unproven.md", "utf8");
    expect(page).toContain(`\n<!-- list -->\n\n${listOf(shownByReports())}\n<!-- end -->`);
    expect(pageWith(page, new Set())).toContain(listOf(new Set()));
  });

  test("loses just what was shown", () => {
    const shown = listOf(new Set(["bootstrap"]));
    expect(shown).not.toContain(claims.bootstrap);
    expect(shown.split("\n")).toHaveLength(Object.keys(claims).length);
  });

  test("is shown by a step, where a run can show it", () => {
    const steps = stepsOf({ name: run.name, longRows: 5, apartSeconds: 1 });
    const ran = [20, 10].map((endedAt) => ({ status: 0, stdout: "", stderr: "", endedAt }));
    const shown = new Set(steps.flatMap(({ proves, shows }) => [...proves, ...(shows?.(ran) ?? [])]));
    expect(Object.keys(claims).slice(0, shown.size + 1)).toEqual([...shown, "destroy"]);
  });

  test("stays listed after a run on stand-ins", () => {
    const before = readdirSync("docs");
    const step = { name: "deploy", passed: true, seconds: 1, proves: ["stack"] };
    const record: RunRecord = {
      ...run,
      region: "us-east-1",
      on: "stand-ins",
      startedAt: "2026-11-28T09:30:00.000Z",
      removedAt: "2026-11-28T10:30:00.000Z",
      steps: [step],
      made: [],
      left: [],
    };
    expect(keepReport(record)).toEqual([]);
    expect(readdirSync("docs")).toEqual(before);
  });
});

describe("the environment of a run", () => {
  test("has a name by the clock", () => {
    expect(nameAt(new Date("2026-11-28T09:30:59Z"))).toBe(run.name);
    expect(run.name).toMatch(runName);
  });

  test("has the team's region, instances and nodes", () => {
    const { model, warehouse, network } = team().environment;
    expect(made().shared.region).toBe(team().shared.region);
    expect(made().environment).toMatchObject({
      model: { instanceType: "ml.inf1.xlarge", instanceCount: model.endpoint ? 0 : model.instanceCount },
      warehouse: { nodeType: warehouse.nodeType, numberOfNodes: warehouse.numberOfNodes },
      network: { cidrBlock: network.cidrBlock, subnets: network.subnets },
    });
  });

  test("shares no bucket, no state and no name with the team's, and can be destroyed", () => {
    const { shared, environment } = made();
    expect([shared.stateBucket, shared.modelBucket, environment.answersBucket]).toEqual([
      "smoke-11280930-123456789012",
      "smoke-11280930-123456789012-models",
      "smoke-11280930-123456789012-smoke-11280930-answers",
    ]);
    expect(shared.account).toBe("123456789012");
    expect(environment).toMatchObject({
      prefix: "s11280930-smoke-11280930",
      preventDestroy: false,
      warehouse: { finalSnapshot: false },
    });
    expect(environment.alarmTopicArn).toBeUndefined();
  });

  test("stands in config.ts in the place of the team's, and nothing else changes there", () => {
    const text = readFileSync("config.ts", "utf8");
    const written = configText(text, settings());
    expect(written).toContain('"stateBucket": "smoke-11280930-123456789012"');
    expect(written).not.toContain(team().shared.stateBucket);
    const behind = (config: string) => config.slice(config.indexOf("\n};\n"));
    expect(behind(written)).toBe(behind(text));
    expect(() => configText("export {};", settings())).toThrow("config.ts has no `const ours: Settings = {`");
  });
});

describe("what a run costs", () => {
  const costs = { region: "us-east-1", isLong: false, compiledOn: "ml.c5.4xlarge", prices: {} };

  test("is the sum of the prices that are known, and those that are not are named", () => {
    expect(costLines(made().environment, costs).slice(0, 4)).toEqual([
      "  endpoint   2 × ml.inf1.xlarge, 2 h: $1.19",
      "  warehouse  2 × ra3.large, 2 h: $2.17",
      "  compiling  1 × ml.c5.4xlarge, 1 h: no price is known here; say it in `prices` of config.ts",
      "  at most about $3.36 in 2 h, and what has no price above; requests, storage and logs are cents",
    ]);
  });

  test("is reckoned with prices that are given", () => {
    const prices = { "ml.c5.4xlarge": 1 };
    expect(costLines(made().environment, { ...costs, prices, region: "eu-west-1" })).toEqual(
      expect.arrayContaining([
        "  compiling  1 × ml.c5.4xlarge, 1 h: $1.00",
        "  at most about $4.36 in 2 h; requests, storage and logs are cents",
        "  The prices are those of us-east-1; in eu-west-1 others hold.",
      ]),
    );
  });
});

test("what is left of the stack state once its buckets may be emptied waits for nothing that is not in it", () => {
  const { shared } = made();
  const stack = Testing.synth(new StateStack(Testing.app(), "state", shared));
  const { resource, terraform } = JSON.parse(removable(stack, "/here/state"));
  expect(terraform.backend).toEqual({ local: { path: "/here/state" } });
  expect(resource.aws_s3_bucket_policy).toBeUndefined();
  const all = Object.entries<Record<string, { depends_on?: string[] }>>(resource);
  const addresses = all.flatMap(([type, bodies]) => Object.keys(bodies).map((id) => `${type}.${id}`));
  const waitedFor = all.flatMap(([, bodies]) => Object.values(bodies).flatMap((body) => body.depends_on ?? []));
  expect(waitedFor.length).toBeGreaterThan(0);
  expect(addresses).toEqual(expect.arrayContaining(waitedFor));
});
