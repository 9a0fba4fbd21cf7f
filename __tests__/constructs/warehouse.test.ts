import { RedshiftCluster } from "@cdktf/provider-aws/lib/redshift-cluster";
import { RedshiftParameterGroup } from "@cdktf/provider-aws/lib/redshift-parameter-group";
import { RedshiftdataStatement } from "@cdktf/provider-aws/lib/redshiftdata-statement";
import { SecurityGroup } from "@cdktf/provider-aws/lib/security-group";
import { Network } from "../../constructs/network";
import { NodeFunction } from "../../constructs/node-function";
import { Warehouse, type WarehouseProps } from "../../constructs/warehouse";
import { typedContract as contract } from "../setup/contract";
import { inventoryOf, onlyResource, resourcesOf, roleStatementsOf, synth } from "../setup/synth";

const warehouse = (props: Partial<WarehouseProps> = {}, then: (warehouse: Warehouse) => unknown = () => {}) =>
  synth((scope) => {
    const network = new Network(scope, "network", {
      name: "private",
      region: "eu-west-1",
      cidrBlock: "10.0.0.0/16",
      subnets: [
        { cidrBlock: "10.0.2.0/24", availabilityZone: "eu-west-1a" },
        { cidrBlock: "10.0.3.0/24", availabilityZone: "eu-west-1b" },
      ],
    });
    then(
      new Warehouse(scope, "warehouse", {
        clusterIdentifier: "team-cluster",
        subnetGroupName: "team-subnets",
        nodeType: "ra3.large",
        numberOfNodes: 1,
        databaseName: "predictions",
        adminUsername: "admin",
        port: 5439,
        finalSnapshot: true,
        takeOver: false,
        unloadRoleName: "team-unload",
        network,
        contract,
        ...props,
      }),
    );
  });

/** A function that uses the warehouse. */
const user = (id: string, uses: (warehouse: Warehouse) => ReturnType<Warehouse["read"]>) => (it: Warehouse) =>
  new NodeFunction(it, id, {
    functionName: id,
    roleName: `${id}-role`,
    bundle: "dist/api",
    memoryMegabytes: 256,
    timeoutSeconds: 10,
    logRetentionDays: 7,
    uses: [uses(it)],
  });
const statementsOf = (json: string) =>
  resourcesOf(json)
    .filter(({ type }) => type === "aws_redshiftdata_statement")
    .map(({ attributes }) => attributes);

test("is private, encrypted, and routed through the VPC", () => {
  expect(warehouse()).toHaveResourceWithProperties(RedshiftCluster, {
    cluster_identifier: "team-cluster",
    node_type: "ra3.large",
    database_name: "predictions",
    publicly_accessible: false,
    encrypted: true,
    enhanced_vpc_routing: true,
    cluster_subnet_group_name: "${aws_redshift_subnet_group.warehouse_subnet_group.name}",
    vpc_security_group_ids: ["${aws_security_group.warehouse_security_group.id}"],
  });
});

test("leaves the admin's password to AWS", () => {
  const { attributes } = onlyResource(warehouse(), "aws_redshift_cluster");
  expect(attributes).toMatchObject({ master_username: "admin", manage_master_password: true });
  expect(attributes).not.toHaveProperty("master_password");
});

test("speaks TLS only", () => {
  const json = warehouse();
  expect(json).toHaveResourceWithProperties(RedshiftParameterGroup, {
    parameter: [{ name: "require_ssl", value: "true" }],
  });
  expect(json).toHaveResourceWithProperties(RedshiftCluster, {
    cluster_parameter_group_name: "${aws_redshift_parameter_group.warehouse_parameter_group.name}",
  });
});

test("lets nothing in, and out only to S3; another rule is drift", () => {
  const json = warehouse();
  expect(json).toHaveResourceWithProperties(SecurityGroup, {
    ingress: [],
    egress: [
      expect.objectContaining({
        prefix_list_ids: ["${aws_vpc_endpoint.network_s3.prefix_list_id}"],
        protocol: "tcp",
        from_port: 443,
        to_port: 443,
      }),
    ],
  });
  expect(Object.keys(inventoryOf(json)).filter((type) => type.startsWith("aws_vpc_security_group"))).toEqual([]);
});

test.each([
  [1, "single-node"],
  [2, "multi-node"],
])("with %i nodes is a %s cluster", (numberOfNodes, clusterType) => {
  expect(warehouse({ numberOfNodes })).toHaveResourceWithProperties(RedshiftCluster, {
    number_of_nodes: numberOfNodes,
    cluster_type: clusterType,
  });
});

test("leaves a snapshot when it is destroyed", () => {
  expect(warehouse()).toHaveResourceWithProperties(RedshiftCluster, {
    skip_final_snapshot: false,
    final_snapshot_identifier: "team-cluster-final",
  });
});

test("leaves none where the environment says so", () => {
  const { attributes } = onlyResource(warehouse({ finalSnapshot: false }), "aws_redshift_cluster");
  expect(attributes.skip_final_snapshot).toBe(true);
  expect(attributes).not.toHaveProperty("final_snapshot_identifier");
});

test("makes the table of predictions at deploy, as the admin, without a type that Redshift would cut short", () => {
  const json = warehouse();
  expect(json).toHaveResourceWithProperties(RedshiftdataStatement, {
    sql: expect.stringContaining("CREATE TABLE IF NOT EXISTS prediction_results"),
    database: "predictions",
    db_user: "${aws_redshift_cluster.warehouse_cluster.master_username}",
  });
  for (const { sql } of statementsOf(json)) expect(sql).not.toMatch(/\bTEXT\b/i);
});

test("keeps the first database of a cluster that it takes over, and works in the one with the predictions", () => {
  const json = warehouse({ takeOver: true });
  expect(onlyResource(json, "aws_redshift_cluster").attributes.lifecycle).toEqual({
    ignore_changes: ["database_name"],
  });
  expect(new Set(statementsOf(json).map(({ database }) => database))).toEqual(new Set(["predictions"]));
});

test("takes over the original's results before its own table is made", () => {
  expect(warehouse({ takeOver: true })).toHaveResourceWithProperties(RedshiftdataStatement, {
    sql: expect.stringMatching(/^CREATE TABLE IF NOT EXISTS prediction_results \(/),
    depends_on: ["aws_redshiftdata_statement.warehouse_take_over_results"],
  });
  expect(statementsOf(warehouse()).map(({ sql }) => sql)).not.toContain("CALL take_over_results()");
});

test("makes the view of typed outputs anew when they are others, after the table and before anybody may read it", () => {
  const made = (outputs: typeof contract.outputs) => {
    const text = resourcesOf(warehouse({ contract: { ...contract, outputs } })).find(
      ({ address }) => address === "terraform_data.warehouse_make_values_sql",
    );
    return JSON.stringify(text?.attributes);
  };
  expect(made(contract.outputs)).toContain("TRY_CAST");
  expect(made(contract.outputs)).not.toBe(made(contract.outputs.slice(1)));
  expect(warehouse()).toHaveResourceWithProperties(RedshiftdataStatement, {
    sql: "CALL make_prediction_values()",
    depends_on: [
      "aws_redshiftdata_statement.warehouse_create_results",
      "aws_redshiftdata_statement.warehouse_create_make_values",
    ],
  });
});

test("runs a statement again when its text or the cluster is another, and for no other reason", () => {
  for (const { lifecycle } of statementsOf(
    warehouse(
      {},
      user("reader", (it) => it.read()),
    ),
  )) {
    expect(lifecycle).toEqual({
      ignore_changes: "all",
      replace_triggered_by: [
        expect.stringMatching(/^terraform_data\.warehouse_\w+_sql$/),
        "aws_redshift_cluster.warehouse_cluster.cluster_namespace_arn",
      ],
    });
  }
});

test.each([
  ["reader", "FALSE", (it: Warehouse) => it.read()],
  ["writer", "TRUE", (it: Warehouse) => it.write()],
])("admits a %s as a database user of its own, before it runs", (id, mayWrite, uses) => {
  const json = warehouse({}, user(id, uses));
  const grant = `aws_redshiftdata_statement.warehouse_grant_warehouse_${id}`;
  expect(json).toHaveResourceWithProperties(RedshiftdataStatement, {
    sql: `CALL grant_predictions('IAMR:${id}-role', ${mayWrite})`,
    depends_on: [
      "aws_redshiftdata_statement.warehouse_create_results",
      "aws_redshiftdata_statement.warehouse_make_values",
      "aws_redshiftdata_statement.warehouse_create_write_lock",
      "aws_redshiftdata_statement.warehouse_create_grant",
    ],
  });
  expect(onlyResource(json, "aws_lambda_function").attributes.depends_on).toContain(grant);
});

test.each([
  [
    "reader",
    ["redshift-data:ExecuteStatement"],
    ["redshift-data:DescribeStatement", "redshift-data:GetStatementResult"],
    (it: Warehouse) => it.read(),
  ],
  [
    "writer",
    ["redshift-data:BatchExecuteStatement"],
    ["redshift-data:DescribeStatement"],
    (it: Warehouse) => it.write(),
  ],
])(
  "a %s signs in by IAM to this database, never as the admin, and sees only its own statements",
  (id, execute, outcome, uses) => {
    const [run, signIn, follow] = roleStatementsOf(warehouse({}, user(id, uses)));
    expect(run).toMatchObject({ Action: execute, Resource: ["${aws_redshift_cluster.warehouse_cluster.arn}"] });
    expect(signIn).toMatchObject({
      Action: ["redshift:GetClusterCredentialsWithIAM"],
      Resource: ["${local.warehouse_database_arn}"],
    });
    expect(follow).toMatchObject({
      Action: outcome,
      Resource: ["*"],
      Condition: { StringEquals: { "redshift-data:statement-owner-iam-userid": "$${aws:userid}" } },
    });
  },
);

test("has no role of its own unless it may unload", () => {
  const json = warehouse();
  expect(onlyResource(json, "aws_redshift_cluster").attributes).not.toHaveProperty("iam_roles");
  expect(resourcesOf(json).map(({ type }) => type)).not.toContain("aws_iam_role");
});

test("unloads to one folder of a bucket and nowhere else, with a role that is its default", () => {
  const json = warehouse({ unloadS3Uri: "s3://lake/team/predictions" });
  const arn = "${aws_iam_role.warehouse_unload_role.arn}";
  expect(json).toHaveResourceWithProperties(RedshiftCluster, { iam_roles: [arn], default_iam_role_arn: arn });
  const { assume_role_policy: trust, name } = onlyResource(json, "aws_iam_role").attributes;
  expect([name, String(trust)]).toEqual(["team-unload", expect.stringContaining('"redshift.amazonaws.com"')]);
  const statements = roleStatementsOf(json);
  expect(statements).toHaveLength(3);
  expect(statements).toMatchObject([
    { Effect: "Allow", Action: ["s3:GetBucketLocation"], Resource: ["arn:aws:s3:::lake"] },
    {
      Effect: "Allow",
      Action: ["s3:ListBucket"],
      Resource: ["arn:aws:s3:::lake"],
      Condition: { StringLike: { "s3:prefix": "team/predictions/*" } },
    },
    { Effect: "Allow", Action: ["s3:GetObject", "s3:PutObject"], Resource: ["arn:aws:s3:::lake/team/predictions/*"] },
  ]);
});
