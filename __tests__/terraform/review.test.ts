import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import { lossRules, statefulTypes, statelessTypes } from "../../aws/stateful-types";
import { reviewJson } from "../../cli/deployment/review";
import { dev } from "../setup/dev";
import { Checkout } from "./checkout";

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
      `${old} stays on AWS with the features in it, and is no longer read. Features must be ingested anew, into ${dev.features.groupName}: npx offline-inference features ingest FILE --env dev\n`,
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
