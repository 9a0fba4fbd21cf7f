import { execFile } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, watch, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import { lossRules, statefulTypes, statelessTypes } from "../../aws/stateful-types";
import { reviewJson } from "../../cli/deployment/review";
import { dev } from "../setup/dev";
import { atTerminal, Checkout } from "./checkout";

const passphrase = { OFFLINE_INFERENCE_PLAN_KEY: "a passphrase for these tests" };
const thing = (input: unknown, more: Record<string, unknown> = {}) => ({ input, ...more });

describe("a stack", () => {
  let checkout: Checkout;
  beforeEach(async () => {
    checkout = await Checkout.withTinyStack();
  });
  afterEach(async () => {
    expect(await checkout.plansLeft()).toEqual([]);
    await checkout.remove();
  });

  const inputs = async () => {
    const state = z.object({
      resources: z.array(
        z.object({
          name: z.string(),
          instances: z.array(z.object({ attributes: z.object({ input: z.object({ value: z.unknown() }) }) })),
        }),
      ),
    });
    const { resources } = state.parse(JSON.parse(await readFile(checkout.state("tiny"), "utf8")));
    return Object.fromEntries(resources.map(({ name, instances }) => [name, instances[0]?.attributes.input.value]));
  };

  test("is looked at without a change, deployed, and has no changes then", async () => {
    const command = `ls -l plan > ${checkout.path("listing")}`;
    await checkout.write({ terraform_data: { a: thing("1", { provisioner: [{ "local-exec": { command } }] }) } });
    const looked = await checkout.start(["diff", "tiny"], { CI: "true" }).ended; // where picocolors has colours on
    expect(looked).toEqual({
      status: 0,
      stdout: "tiny: 1 created\n\nCreated\n  + terraform_data.a\n\nSafe: nothing stateful is lost.\n",
      stderr: "Bundling and synthesizing ...\nPlanning tiny ...\n",
    });
    expect(existsSync(checkout.state("tiny"))).toBe(false);

    const deployed = await checkout.run("deploy", "tiny", "--auto-approve");
    expect(deployed).toMatchObject({
      status: 0,
      stdout: looked.stdout,
      stderr: expect.stringContaining("Apply complete! Resources: 1 added"),
    });
    expect(await inputs()).toEqual({ a: "1" });
    expect(await readFile(checkout.path("listing"), "utf8")).toMatch(/^-rw------- /); // while it was applied

    const again = await checkout.run("deploy", "tiny", "--auto-approve");
    expect(again).toMatchObject({
      status: 0,
      stdout: "tiny: no changes\n\nSafe: nothing stateful is lost.\n",
      stderr: expect.stringMatching(/There is nothing to apply\.\n$/),
    });
  });

  test("is shown for machines and for a pull request, without secrets", async () => {
    const secret = "hunter2-hunter2";
    await checkout.write({ terraform_data: { a: thing(`\${sensitive("${secret}")}`), b: thing("1") } });
    await checkout.run("deploy", "tiny", "--auto-approve");
    await checkout.write({ terraform_data: { a: thing("2"), b: thing("2", { triggers_replace: ["x"] }) } });

    const json = await checkout.run("diff", "tiny", "--json", "--take-over", "dev");
    expect(await readFile(checkout.path("arguments"), "utf8")).toBe("--take-over dev");
    expect(reviewJson.parse(JSON.parse(json.stdout))).toMatchObject({
      stack: "tiny",
      safe: true,
      counts: { updated: 1, replaced: 1 },
      changes: [
        {
          address: "terraform_data.a",
          kind: "update",
          attributes: [
            { path: "input", before: "(sensitive)", after: "(sensitive)" },
            { path: "output", before: expect.any(String) },
          ],
        },
        {
          address: "terraform_data.b",
          kind: "replace",
          forcedBy: [{ path: "triggers_replace", before: "null", after: '["x"]' }],
        },
      ],
    });
    const markdown = await checkout.run("diff", "tiny", "--markdown");
    expect(await readFile(checkout.path("arguments"), "utf8")).toBe("");
    expect(markdown.stdout).toMatch(/^<!-- offline-inference plan: tiny -->\n/);
    expect(markdown.stdout).toContain("# terraform_data.b must be replaced");
    for (const { stdout, stderr } of [json, markdown]) expect(`${stdout}${stderr}`).not.toContain(secret);
  });

  test("whose plan fails ends with 1 and with what Terraform says", async () => {
    await checkout.write({ terraform_data: { a: thing("${terraform_data.b.output}") } });
    const { status, stdout, stderr } = await checkout.run("diff", "tiny");
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toContain("terraform plan failed.");
    expect(stderr).toContain("Reference to undeclared resource");
    expect(stderr).not.toMatch(/^ {4}at /m);
  });

  test("that there is none of, and an address that is not lost, end with 1", async () => {
    await checkout.write({ terraform_data: { a: thing("1") } });
    expect(await checkout.run("diff", "other")).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('There is no stack "other". The stacks of config.ts: tiny'),
    });
    expect(await checkout.run("deploy", "tiny", "--auto-approve", "--allow-destroy", "terraform_data.a")).toMatchObject(
      {
        status: 1,
        stderr: expect.stringContaining("--allow-destroy names terraform_data.a, which this plan does not lose"),
      },
    );
    expect(existsSync(checkout.state("tiny"))).toBe(false);
  });

  test("is not deployed when nobody can be asked", async () => {
    await checkout.write({ terraform_data: { a: thing("1") } });
    expect(await checkout.run("deploy", "tiny")).toEqual({
      status: 1,
      stdout: "",
      stderr: "Nobody can be asked here, since this is no terminal. With --auto-approve nobody is asked.\n",
    });
  });

  test.each([
    { answer: "y", keys: "y\r", status: 0, said: "Apply complete!" },
    { answer: "Enter", keys: "\r", status: 1, said: "Nothing was applied." },
    { answer: "Ctrl-C", keys: "\x03", status: 130, said: "Interrupted by SIGINT." },
    { answer: "the end of the input", keys: "\x04", status: 1, said: "Nothing was applied." },
  ])("at a terminal is deployed on a yes only: $answer ends with $status", async ({ keys, status, said }) => {
    await checkout.write({ terraform_data: { a: thing("1") } });
    const run = checkout.start(["deploy", "tiny"], {}, atTerminal);
    const asked = async () => {
      while (!run.said.stdout.includes("Apply this to tiny? [y/N] ")) await once(run.child.stdout, "data");
    };
    await Promise.race([asked(), run.ended]);
    run.child.stdin.write(keys);
    expect(await run.ended).toMatchObject({ status, stdout: expect.stringContaining(said) });
    expect(existsSync(checkout.state("tiny"))).toBe(status === 0);
  });

  test("leaves no plan behind when it is told to end, and Terraform keeps what it did", async () => {
    const command = `touch ${checkout.path("started")}; exec tail -f /dev/null`; // ends when Terraform is told to
    const provisioner = [{ "local-exec": { command } }];
    await checkout.write({
      terraform_data: { a: thing("1"), b: thing("2", { provisioner, depends_on: ["terraform_data.a"] }) },
    });
    const written = watch(checkout.folder);
    const started = async () => {
      for await (const { filename } of written) if (filename === "started") break;
    };
    // What comes before the last one in PATH may be a wrapper, which takes signals for itself.
    const found = (process.env.PATH ?? "")
      .split(delimiter)
      .map((folder) => join(folder, "terraform"))
      .filter(existsSync);
    const run = checkout.start(["deploy", "tiny", "--auto-approve"], { TERRAFORM_BINARY_NAME: found.at(-1) ?? "" });
    await Promise.race([started(), run.ended]);
    run.child.kill("SIGTERM");
    expect(await run.ended).toMatchObject({
      status: 143,
      stderr: expect.stringMatching(/Interrupted by SIGTERM\.\n$/),
    });
    expect(await inputs()).toMatchObject({ a: "1" });
  });
});

describe("a saved plan", () => {
  let desk: string;
  let planner: Checkout;
  let deployer: Checkout;
  beforeEach(async () => {
    desk = await mkdtemp(join(tmpdir(), "desk-"));
    [planner, deployer] = await Promise.all([Checkout.withTinyStack(), Checkout.withTinyStack()]);
    // The code lies in the planner's checkout alone: the archive that is copied at apply came with the plan.
    await writeFile(planner.path("code", "index.cjs"), "the planned code");
    const archive = { type: "zip", source_dir: "code", output_path: "worker.zip" };
    const command = `cp worker.zip ${desk}/applied.zip`;
    const a = thing("${data.archive_file.worker.output_base64sha256}", {
      provisioner: [{ "local-exec": { command } }],
    });
    await planner.write(
      { terraform_data: { a } },
      { data: { archive_file: { worker: archive } } },
      join(desk, "state"),
    );
  });
  afterEach(async () => {
    expect([...(await planner.plansLeft()), ...(await deployer.plansLeft())]).toEqual([]);
    await Promise.all([planner.remove(), deployer.remove(), rm(desk, { recursive: true })]);
  });

  const save = () => planner.start(["diff", "tiny", "--save", join(desk, "saved")], passphrase).ended;
  const apply = (stack = "tiny", above: Record<string, string> = passphrase, ...more: string[]) =>
    deployer.start(["deploy", stack, "--plan", join(desk, "saved"), "--auto-approve", ...more], above).ended;

  test("is applied in another checkout, which has nothing else of it, and only once", async () => {
    const saved = await save();
    expect(saved).toMatchObject({ status: 0, stderr: expect.stringContaining(`deploy tiny --plan ${desk}/saved`) });
    const applied = await apply();
    expect(applied).toMatchObject({ status: 0, stdout: saved.stdout, stderr: expect.stringContaining("1 added") });
    expect((await readFile(join(desk, "applied.zip"))).length).toBeGreaterThan(100);
    expect(existsSync(join(desk, "state"))).toBe(true);

    expect(await apply()).toMatchObject({ status: 1, stderr: expect.stringContaining("Saved plan is stale") });
  });

  test("is refused without its passphrase, for another stack, and beside --take-over", async () => {
    await save();
    const refused = async (...args: Parameters<typeof apply>) => {
      const { status, stdout, stderr } = await apply(...args);
      expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
      return stderr;
    };
    expect(await refused("tiny", {})).toContain("OFFLINE_INFERENCE_PLAN_KEY, which is not set");
    expect(await refused("tiny", { OFFLINE_INFERENCE_PLAN_KEY: "another passphrase of mine" })).toContain(
      "does not open",
    );
    expect(await refused("other")).toContain("is a plan of tiny, not of other.");
    expect(await refused("tiny", passphrase, "--take-over", "dev")).toContain("cannot be used with option");
    expect(existsSync(join(desk, "state"))).toBe(false);
  });

  test("is not made without a passphrase", async () => {
    expect(await planner.run("diff", "tiny", "--save", join(desk, "saved"))).toMatchObject({
      status: 1,
      stdout: "",
      stderr: expect.stringContaining("OFFLINE_INFERENCE_PLAN_KEY, which is not set"),
    });
    expect(existsSync(join(desk, "saved"))).toBe(false);
  });
});

describe("inference-dev", () => {
  let checkout: Checkout;
  beforeAll(async () => {
    checkout = await Checkout.ofProject();
  });
  afterAll(() => checkout.remove());

  /** What the state holds, as if the stack had been applied. */
  const cluster = (name: string, attributes: Record<string, unknown> = {}) => ({
    type: "aws_redshift_cluster",
    name,
    attributes: {
      id: dev.warehouse.clusterIdentifier,
      arn: `arn:aws:redshift:us-east-1:123456789012:cluster:${dev.warehouse.clusterIdentifier}`,
      cluster_identifier: dev.warehouse.clusterIdentifier,
      cluster_type: "single-node",
      node_type: "ra3.large",
      number_of_nodes: 1,
      database_name: "predictions",
      master_username: "admin",
      cluster_subnet_group_name: dev.warehouse.subnetGroupName,
      skip_final_snapshot: true,
      ...attributes,
    },
  });

  const unasked = { TF_CLI_ARGS_plan: "-refresh=false" }; // there is no AWS to ask how resources are now
  const run = (...args: string[]) => checkout.start(args, unasked).ended;

  test("that is all new is safe", async () => {
    await checkout.holdState("inference-dev", []);
    const { status, stdout } = await run("diff", "inference-dev", "--json");
    const { counts, changes, warnings } = reviewJson.parse(JSON.parse(stdout));
    expect({ status, counts, warnings }).toEqual({
      status: 0,
      counts: { created: changes.length, updated: 0, replaced: 0, destroyed: 0, moved: 0, imported: 0, forgotten: 0 },
      warnings: [],
    });
    expect(changes.length).toBeGreaterThan(50);
  });

  test("with a renamed construct ends with 2 and says how to keep it, and nothing is deployed", async () => {
    await checkout.holdState("inference-dev", [cluster("warehouse_old_name")]);
    const before = await readFile(checkout.state("inference-dev"), "utf8");
    const { status, stdout, stderr } = await run("deploy", "inference-dev", "--auto-approve");
    expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringMatching(/Nothing was applied\.\n$/) });
    expect(stdout).toContain(`! aws_redshift_cluster.warehouse_old_name
    destroyed: it holds the predictions
    Is aws_redshift_cluster.warehouse_cluster the same one, renamed? Then add aws_redshift_cluster.warehouse_old_name to the moved table (stacks/moved.ts)
`);
    expect(await readFile(checkout.state("inference-dev"), "utf8")).toBe(before);
    expect(await checkout.plansLeft()).toEqual([]);
  });

  test("with a shrunk cluster ends with 2, unless that is allowed", async () => {
    await checkout.holdState("inference-dev", [
      cluster("warehouse_cluster", { number_of_nodes: 4, cluster_type: "multi-node", node_type: "ra3.xlplus" }),
    ]);
    const shrunk = await run("diff", "inference-dev", "--json");
    expect(shrunk.status).toBe(2);
    expect(reviewJson.parse(JSON.parse(shrunk.stdout)).losses).toEqual([
      {
        address: "aws_redshift_cluster.warehouse_cluster",
        type: "aws_redshift_cluster",
        reasons: [
          expect.stringContaining("number_of_nodes goes from 4 to 1"),
          expect.stringContaining("node_type goes from ra3.xlplus to ra3.large"),
        ],
        madeInstead: [],
        allowed: false,
      },
    ]);
    const allowed = await run("diff", "inference-dev", "--allow-destroy", "aws_redshift_cluster.warehouse_cluster");
    expect(allowed).toMatchObject({ status: 0, stdout: expect.stringContaining("1 loss, allowed by name.") });
  });

  test("with a cluster that must be replaced ends with 2 and says what forces it", async () => {
    await checkout.holdState("inference-dev", [cluster("warehouse_cluster", { master_username: "other" })]);
    const { status, stdout } = await run("diff", "inference-dev");
    expect(status).toBe(2);
    expect(stdout).toContain("    replaced: it holds the predictions\n");
    expect(stdout).toContain('      forced by master_username: "other" → "admin"\n');
  });

  test("with a feature group of another contract forgets it, and says that features must be ingested anew", async () => {
    const old = `${dev.features.groupName}-0badcafe`;
    const attributes = {
      id: old,
      arn: `arn:aws:sagemaker:us-east-1:123456789012:feature-group/${old}`,
      feature_group_name: old,
      record_identifier_feature_name: "id",
      event_time_feature_name: "event_time",
      role_arn: "arn:aws:iam::123456789012:role/poc-dev-FeatureStoreRole",
    };
    await checkout.holdState("inference-dev", [
      { type: "aws_sagemaker_feature_group", name: "features_group_0badcafe", attributes },
    ]);
    const { status, stdout, stderr } = await run("diff", "inference-dev");
    expect({ status, stderr }).toEqual({
      status: 0,
      stderr: expect.stringContaining(
        "Planning inference-dev again, so that aws_sagemaker_feature_group.features_group_0badcafe stays on AWS ...",
      ),
    });
    expect(stdout).toMatch(/^inference-dev: \d+ created, 1 forgotten\n/);
    expect(stdout).toContain(`
Forgotten: they stay, and Terraform no longer knows them
  . aws_sagemaker_feature_group.features_group_0badcafe
`);
    expect(stdout).toContain(
      `${old} stays on AWS with the features in it, and is no longer read. Features must be ingested anew, into ${dev.features.groupName}: offline-inference features ingest FILE --env dev\n`,
    );
    expect(stdout).toMatch(/Safe: nothing stateful is lost\.\n$/);
  });

  test("with what no list knows is judged by the provider's schema", async () => {
    await checkout.holdState("inference-dev", [
      { type: "aws_elasticache_cluster", name: "cache", attributes: { id: "cache", cluster_id: "cache" } },
      { type: "aws_cloudwatch_query_definition", name: "query", attributes: { id: "query", name: "query" } },
    ]);
    const { status, stdout } = await run("diff", "inference-dev", "--json");
    const { losses, warnings } = reviewJson.parse(JSON.parse(stdout));
    expect({ status, losses: losses.map(({ address }) => address) }).toEqual({
      status: 2,
      losses: ["aws_elasticache_cluster.cache"],
    });
    expect(warnings).toEqual([
      expect.stringContaining(
        "aws_cloudwatch_query_definition is in no list of aws/stateful-types.ts. It is taken for stateless",
      ),
      expect.stringContaining(
        "aws_elasticache_cluster is in no list of aws/stateful-types.ts. It is taken for stateful",
      ),
    ]);
  });
});

test("every type and attribute that the lists name exists in the AWS provider", async () => {
  const folder = await mkdtemp(join(tmpdir(), "schema-"));
  await writeFile(
    join(folder, "main.tf.json"),
    JSON.stringify({ terraform: { required_providers: { aws: { source: "hashicorp/aws" } } } }),
  );
  const terraform = (...args: string[]) => promisify(execFile)("terraform", args, { cwd: folder, maxBuffer: 1 << 26 });
  await terraform("init", "-input=false");
  const { stdout } = await terraform("providers", "schema", "-json");
  await rm(folder, { recursive: true });

  interface Block {
    attributes?: Record<string, unknown>;
    block_types?: Record<string, { block: Block }>;
  }
  const block: z.ZodType<Block> = z.object({
    attributes: z.record(z.string(), z.unknown()).optional(),
    get block_types() {
      return z.record(z.string(), z.object({ block })).optional();
    },
  });
  const schemas = z.object({
    provider_schemas: z.record(z.string(), z.object({ resource_schemas: z.record(z.string(), z.object({ block })) })),
  });
  const types = Object.values(schemas.parse(JSON.parse(stdout)).provider_schemas)[0]?.resource_schemas ?? {};
  const listed = [...Object.keys(statefulTypes), ...statelessTypes.filter((type) => type !== "terraform_data")];
  expect(listed.filter((type) => !(type in types))).toEqual([]);
  const missing = lossRules.filter(({ type, attribute }) => {
    const names = attribute.split(".");
    const last = names.pop() ?? "";
    const inner = names.reduce<Block | undefined>(
      (outer, name) => outer?.block_types?.[name]?.block,
      types[type]?.block,
    );
    return !(last in (inner?.attributes ?? {}));
  });
  expect(missing).toEqual([]);
});
