import { chmod, readdir, readFile, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { fullStacks, keyArn, stacksWithGitHub, stateStackWithGitHub } from "../setup/stacks";
import { resourcesOf } from "../setup/synth";
import { newestImage, StackFolder } from "./terraform";

describe.each(["state", "inference-dev", "inference-prod"])("%s", (stack) => {
  let copy: StackFolder;
  beforeAll(async () => {
    copy = await StackFolder.copyOf(stack);
  });
  afterAll(() => copy.remove());

  test("is valid", async () => {
    expect(JSON.parse(await copy.terraform("validate", "-json"))).toMatchObject({ valid: true, diagnostics: [] });
  });

  test("plans to create each of its resources on an empty account, and nothing else", async () => {
    const changes = await copy.plan();
    expect(new Set(changes.flatMap(({ change }) => change.actions))).toEqual(new Set(["create"]));
    const synthesized = resourcesOf(await readFile(join(copy.folder, "cdk.tf.json"), "utf8"));
    expect(changes.map(({ address }) => address).sort()).toEqual(synthesized.map(({ address }) => address).sort());
  });
});

test("the rule of docs/jobs.md that tells of a job's end is valid", async () => {
  const [, rule = ""] = /```hcl\n([\s\S]*?)```/.exec(await readFile("docs/jobs.md", "utf8")) ?? [];
  const required = { required_providers: { aws: { source: "aws", version: "5.100.0" } } };
  const stack = await StackFolder.of(JSON.stringify({ terraform: required }));
  await writeFile(join(stack.folder, "rule.tf"), rule);
  expect(JSON.parse(await stack.terraform("validate", "-json"))).toMatchObject({ valid: true, diagnostics: [] });
  expect(rule).toContain("aws_cloudwatch_event_rule");
  await stack.remove();
});

test("the state stack of a team that deploys from GitHub is valid, and plans to create each of its resources", async () => {
  const json = stateStackWithGitHub();
  const stack = await StackFolder.of(json);
  expect(JSON.parse(await stack.terraform("validate", "-json"))).toMatchObject({ valid: true, diagnostics: [] });
  const changes = await stack.plan();
  expect(new Set(changes.flatMap(({ change }) => change.actions))).toEqual(new Set(["create"]));
  expect(changes.map(({ address }) => address).sort()).toEqual(
    resourcesOf(json)
      .map(({ address }) => address)
      .sort(),
  );
  await stack.remove();
});

test("a role that was deployed without a boundary, and trusted for any account, gets both in place", async () => {
  const { "inference-dev": json = "" } = stacksWithGitHub();
  const stack = await StackFolder.of(json);
  const address = "aws_iam_role.loading_schedule_role";
  const { attributes } = resourcesOf(json).find((resource) => resource.address === address) ?? {};
  const { name } = z.object({ name: z.string() }).parse(attributes);
  const trust = { Effect: "Allow", Action: "sts:AssumeRole", Principal: { Service: "scheduler.amazonaws.com" } };
  const assume_role_policy = JSON.stringify({ Version: "2012-10-17", Statement: [trust] });
  const held = {
    id: name,
    name,
    path: "/",
    assume_role_policy,
    max_session_duration: 3600,
    force_detach_policies: false,
  };
  await stack.holdState([{ type: "aws_iam_role", name: "loading_schedule_role", attributes: held }]);
  const [change] = await stack.plan(address);
  await stack.remove();
  expect(change).toMatchObject({
    address,
    change: {
      actions: ["update"],
      after: {
        permissions_boundary: "arn:aws:iam::000000000000:policy/github/poc-dev-boundary",
        assume_role_policy: expect.stringContaining('"aws:SourceAccount":"000000000000"'),
      },
    },
  });
});

describe("a stack with all that can be switched on", () => {
  const { inference: json } = fullStacks();
  const held = {
    aws_sqs_queue: { fifo_queue: false, sqs_managed_sse_enabled: true },
    aws_cloudwatch_log_group: {},
    aws_redshift_cluster: {
      cluster_subnet_group_name: "poc-full-redshift-subnet-group",
      encrypted: "true",
      kms_key_id: keyArn("of-aws"),
    },
  };
  const named = resourcesOf(json).flatMap(({ type, address, attributes }) =>
    Object.entries(held).flatMap(([stateful, others]) => {
      const names = Object.entries(attributes).filter(
        ([, value]) => ["string", "number"].includes(typeof value) && !String(value).includes("${"),
      );
      const name = address.replace(`${type}.`, "");
      const { kms_key_id, kms_master_key_id, ...plain } = Object.fromEntries(names);
      return type === stateful
        ? [{ address, type, name, attributes: { id: "held", arn: "arn:held", ...plain, ...others } }]
        : [];
    }),
  );
  const bastion = resourcesOf(json).flatMap(({ address }) => (/\.bastion_/.test(address) ? [address] : []));
  let planned: Awaited<ReturnType<StackFolder["plan"]>>;
  beforeAll(async () => {
    const stack = await StackFolder.of(json);
    await stack.holdState(named.map(({ address, ...resource }) => resource));
    planned = await stack.plan(...named.map(({ address }) => address), ...bastion);
    await stack.remove();
  });

  test("gives what stands a KMS key of the team's in place: queues, logs and the warehouse with all that they hold", () => {
    const changes = planned.filter(({ type }) => type in held);
    expect(changes.map(({ address }) => address).sort()).toEqual(named.map(({ address }) => address).sort());
    const withoutLoss = changes.filter(({ change }) => change.actions.join() === "update");
    expect(withoutLoss).toEqual(changes);
    expect(JSON.stringify(changes)).not.toContain("of-aws");
  });

  test("plans a bastion: an instance of AWS's newest image and what leads to it, all of it tagged as the environment's", () => {
    const changes = planned.filter(({ address }) => bastion.includes(address));
    expect(changes.map(({ address, change }) => `${change.actions}: ${address}`).sort()).toEqual([
      "create: aws_ec2_instance_connect_endpoint.bastion_endpoint",
      "create: aws_instance.bastion_instance",
      "create: aws_security_group.bastion_endpoint_security_group",
      "create: aws_security_group.bastion_security_group",
      "create: aws_vpc_security_group_egress_rule.bastion_warehouse",
      "create: aws_vpc_security_group_ingress_rule.bastion_ssh",
    ]);
    const instance = changes.find(({ type }) => type === "aws_instance")?.change.after;
    expect(instance).toMatchObject({ ami: newestImage, root_block_device: [{ kms_key_id: keyArn("own") }] });
    const tags = { Project: "your-project", Environment: "full" };
    for (const { change } of changes) expect(change.after).toMatchObject({ tags_all: tags });
  });
});

test("an unchanged source gives the same archive on another machine, whatever its files' times and modes", async () => {
  const hashes: unknown[] = [];
  for (const [mode, time] of [
    [0o644, 0],
    [0o775, 1_000_000_000],
  ] as const) {
    const copy = await StackFolder.copyOf("inference-dev");
    for (const entry of await readdir(join(copy.folder, "assets"), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      await chmod(join(entry.parentPath, entry.name), mode);
      await utimes(join(entry.parentPath, entry.name), time, time);
    }
    const functions = (await copy.plan()).filter(({ type }) => type === "aws_lambda_function");
    hashes.push(functions.map(({ address, change }) => [address, change.after?.source_code_hash]));
    await copy.remove();
  }
  expect(hashes[1]).toEqual(hashes[0]);
  const names = [
    "api_handler",
    "inference_worker",
    "loading_loader",
    "starting_starter",
    "warehouse_schema",
    "writing_writer",
  ];
  expect(hashes[0]).toEqual(names.map((name) => [`aws_lambda_function.${name}_function`, expect.any(String)]));
});
