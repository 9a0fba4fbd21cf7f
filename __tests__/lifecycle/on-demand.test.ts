import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { loadConfig, type Settings } from "../../config";
import { allows, iamActionOf } from "../setup/iam-actions";
import { type AwsCall, type Moto, startMoto } from "../setup/moto";
import { settings } from "../setup/settings";
import { stacksWithGitHub, writtenStacks } from "../setup/stacks";
import { attachedStatementsOf, resourcesOf } from "../setup/synth";

const run = promisify(execFile);
const onDemand: Settings = {
  ...settings(),
  environments: { dev: { capacity: "on-demand", preventDestroy: false } },
};

let moto: Moto;
let stacks: Awaited<ReturnType<typeof writtenStacks>>;
/** What moto holds before: the bucket for models, which the state stack makes. */
let foundation: Record<string, number>;
/** How many resources the stack has. */
let resources: number;
let callsOfPlan: AwsCall[];
beforeAll(async () => {
  [moto, stacks] = await Promise.all([startMoto(), writtenStacks(onDemand)]);
  await fetch(`${moto.url}/${loadConfig(onDemand).shared.modelBucket}`, { method: "PUT" });
  foundation = await moto.holdings();
  resources = resourcesOf(await readFile(join(stacks.folderOf("dev"), "cdk.tf.json"), "utf8")).length;
  const backend = { terraform: { backend: { local: { path: "test.tfstate" } } } };
  await writeFile(join(stacks.folderOf("dev"), "backend_override.tf.json"), JSON.stringify(backend));
  await terraform("init");
});
afterAll(async () => {
  await moto?.stop();
  await stacks?.remove();
});

/** Runs Terraform in the stack's folder, and gives what it writes to standard output and how long it took. */
async function terraform(command: string, ...args: string[]) {
  const begin = performance.now();
  const { stdout } = await run("terraform", [command, "-input=false", "-no-color", ...args], {
    cwd: stacks.folderOf("dev"),
    env: moto.environment,
    maxBuffer: 1 << 26,
  });
  console.log(`${command} (${Math.round((performance.now() - begin) / 1000)} s)`);
  return stdout;
}

test("an environment on demand applies, with a workgroup, a fuse, a secret and a serverless endpoint, and no cluster", async () => {
  const said = await terraform("apply", "-auto-approve");
  expect(said).toContain(`Apply complete! Resources: ${resources} added, 0 changed, 0 destroyed.`);
  const held = await moto.holdings();
  expect(held).toMatchObject({
    aws_redshiftserverless_namespace: 1,
    aws_redshiftserverless_usage_limit: 1,
    aws_redshiftserverless_workgroup: 1,
    aws_sagemaker_endpoint: 1,
    aws_secretsmanager_secret: 1, // the admin's, which AWS keeps
    aws_subnet: 3,
  });
  expect(held).not.toHaveProperty("aws_redshift_cluster");
});

test("the next plan is empty", async () => {
  const before = (await moto.calls()).length;
  expect(await terraform("plan", "-detailed-exitcode")).toContain("No changes."); // with changes it would have failed
  callsOfPlan = (await moto.calls()).slice(before);
  // Whoever signs in wakes the warehouse, and anybody may plan at any time.
  const wakes = callsOfPlan.filter(({ operation }) => /Credentials|Statement|^Invoke/.test(operation));
  expect(wakes).toEqual([]);
});

test("destroy leaves nothing behind, in the state or in the account", async () => {
  const said = await terraform("destroy", "-auto-approve", "-refresh=false"); // the plan has looked
  expect(said).toContain(`Destroy complete! Resources: ${resources} destroyed.`);
  expect(await moto.holdings()).toEqual(foundation);
});

describe("GitHub's roles", () => {
  const { state = "" } = stacksWithGitHub(loadConfig(onDemand));
  const refused = (role: "plan" | "deploy_dev", calls: AwsCall[]) => {
    const statements = attachedStatementsOf(state, `aws_iam_role.github_${role}_role`);
    const actions = new Set(calls.flatMap(iamActionOf));
    expect(actions).toContain("redshift-serverless:GetWorkgroup");
    return [...actions].filter((action) => !allows(statements, action));
  };

  test("may make every call that was made for a plan, with the plan role", () => {
    expect(refused("plan", callsOfPlan)).toEqual([]);
  });

  test("may make every call that was made to deploy and destroy, with the deploy role", async () => {
    expect(refused("deploy_dev", await moto.calls())).toEqual([]);
  });
});
