import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { Testing } from "cdktf";
import { z } from "zod";
import { loadConfig } from "../../config";
import { pythonWith } from "../../local/python";
import { StateStack } from "../../stacks/state-stack";
import { keyArn, writtenStacks } from "../setup/stacks";
import { StackFolder } from "./terraform";

const run = promisify(execFile);

const check = z.object({ check_id: z.string(), check_name: z.string(), resource: z.string(), file_path: z.string() });
const report = z.object({ results: z.object({ passed_checks: z.array(check), failed_checks: z.array(check) }) });

/** The checks that are said not to hold, each with why, and of which resources, where the reason begins with some. */
const exempt = new Map(
  [
    ...readFileSync(".checkov.yaml", "utf8").matchAll(
      /^ {2}- (\w+)(?: # (?:(without kmsKeyArn)(?:, or )?)?(?:of ([^:]+))?(?:: )?(.+))?$/gm,
    ),
  ].map(([, id = "", keyless, of, why]) => [id, { keyless: keyless !== undefined, of: of?.split(" and ") ?? [], why }]),
);

/**
 * The stacks of a team: one environment has a KMS key of the team's, as the buckets of state and models have, and a
 * bastion; one is on demand.
 */
async function stacks() {
  const key = keyArn("ours");
  const settings = {
    project: "predictions",
    owner: "team@example.com",
    prefix: "poc",
    region: "us-east-1",
    stateBucket: "team-state",
    environments: {
      prod: {
        kmsKeyArn: key,
        keyPair: { existing: "theirs" },
        access: { bastion: true },
        model: {
          instanceCount: { min: 2, max: 4 },
          predictionsPerSecond: 25,
          deadlineSeconds: 6 * 60 * 60,
          workingHours: { min: 3, from: 8, to: 18, timeZone: "Europe/Berlin" },
        },
        warehouse: { numberOfNodes: 2 },
        logRetentionDays: 365 as const,
      },
      seldom: { capacity: "on-demand" as const },
    },
  };
  const { shared } = loadConfig(settings);
  const state = Testing.synth(new StateStack(Testing.app(), "state", { ...shared, kmsKeyArn: key }));
  const written = await writtenStacks(settings);
  const prod = await StackFolder.copyOfFolder(written.folderOf("prod"));
  const seldom = await StackFolder.copyOfFolder(written.folderOf("seldom"));
  await written.remove();
  return [
    { name: "state", stack: await StackFolder.of(state), hasKey: true },
    { name: "inference-dev", stack: await StackFolder.copyOf("inference-dev"), hasKey: false },
    { name: "inference-prod", stack: prod, hasKey: true },
    { name: "inference-seldom", stack: seldom, hasKey: false },
  ];
}

test("every stack passes all checks of checkov but those that are exempt, each of which says why and is needed", async () => {
  const python = await pythonWith("checkov", join("__tests__", "setup", "checkov", "requirements.txt"));
  const planned = await stacks();
  const plans: string[] = [];
  for (const { name, stack } of planned) {
    await stack.plan();
    const plan = join(stack.folder, `${name}.json`);
    await writeFile(plan, await stack.terraform("show", "-json", "plan"));
    plans.push("-f", plan);
  }
  // Once for all: it takes ten seconds to start, and one for a plan.
  const args = [
    "-m",
    "checkov.main",
    ...plans,
    "--framework",
    "terraform_plan",
    "--soft-fail",
    "--compact",
    "-o",
    "json",
  ];
  const { stdout } = await run(python, args, { cwd: planned[0]?.stack.folder, maxBuffer: 1 << 26 });
  for (const { stack } of planned) await stack.remove();
  const { passed_checks, failed_checks } = report.parse(JSON.parse(stdout)).results;
  const failed = failed_checks.map(({ check_id, check_name, resource, file_path }) => {
    const { name, hasKey = false } = planned.find((one) => one.name === basename(file_path, ".json")) ?? {};
    return { id: check_id, resource, hasKey, what: `${check_id}: ${check_name}: ${resource} of ${name}` };
  });
  const covers = (id: string, { resource, hasKey }: { resource: string; hasKey: boolean }) => {
    const exemption = exempt.get(id);
    if (exemption === undefined) return false;
    const { keyless, of } = exemption;
    return (!keyless && of.length === 0) || (keyless && !hasKey) || of.includes(resource);
  };
  const unlisted = failed.filter((one) => !covers(one.id, one)).map(({ what }) => what);
  const needless = [...exempt].flatMap(([id, { keyless, of }]) => {
    const ofId = failed.filter((one) => one.id === id);
    return [
      ...(ofId.length === 0 || (keyless && ofId.every(({ hasKey }) => hasKey)) ? [id] : []),
      ...of
        .filter((resource) => ofId.every((one) => one.resource !== resource))
        .map((resource) => `${id} of ${resource}`),
    ];
  });
  const unexplained = [...exempt].filter(([, { why }]) => why === undefined).map(([id]) => id);
  expect({ unlisted, needless, unexplained }).toEqual({ unlisted: [], needless: [], unexplained: [] });
  expect(new Set(passed_checks.map(({ file_path }) => basename(file_path, ".json")))).toEqual(
    new Set(planned.map(({ name }) => name)),
  );
});
