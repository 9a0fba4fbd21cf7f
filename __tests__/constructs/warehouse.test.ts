import { RedshiftCluster } from "@cdktf/provider-aws/lib/redshift-cluster";
import { RedshiftParameterGroup } from "@cdktf/provider-aws/lib/redshift-parameter-group";
import { SecurityGroup } from "@cdktf/provider-aws/lib/security-group";
import { z } from "zod";
import type { Access } from "../../constructs/access";
import { AnswersBucket } from "../../constructs/answers-bucket";
import { Network } from "../../constructs/network";
import { ProvisionedWarehouse, type ProvisionedWarehouseProps } from "../../constructs/provisioned-warehouse";
import type { Warehouse } from "../../constructs/warehouse";
import { typedContract as contract } from "../setup/contract";
import { holderOf, inventoryOf, onlyResource, resourcesOf, roleStatementsOf, synth } from "../setup/synth";

const warehouse = (
  props: Partial<ProvisionedWarehouseProps> = {},
  then: (warehouse: Warehouse) => unknown = () => {},
) =>
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
      new ProvisionedWarehouse(scope, "warehouse", {
        clusterIdentifier: "team-cluster",
        subnetGroupName: "team-subnets",
        nodeType: "ra3.large",
        numberOfNodes: 1,
        databaseName: "predictions",
        adminUsername: "admin",
        port: 5439,
        finalSnapshot: true,
        takeOver: false,
        copyRoleName: "team-copy",
        unloadRoleName: "team-unload",
        schemaFunctionName: "team-schema",
        schemaRoleName: "team-schema-role",
        loaderRoleName: "team-loader",
        writerRoleName: "team-writer",
        readerRoleNames: ["team-api"],
        answers: new AnswersBucket(scope, "outcomes", { bucket: "team-answers", guarded: true, keepDays: 30 }),
        bundle: "dist/schema",
        logRetentionDays: 7,
        network,
        contract,
        ...props,
      }),
    );
  });

/** What runs in the database at deploy, in its order. */
const statementsOf = (json: string) =>
  z
    .object({ statements: z.array(z.string()) })
    .parse(JSON.parse(String(onlyResource(json, "aws_lambda_invocation").attributes.input))).statements;

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

test("keeps who connected and what became of users, as long as other logs, and no statement: it would name inputs", () => {
  const json = warehouse();
  expect(onlyResource(json, "aws_redshift_logging").attributes).toEqual({
    cluster_identifier: "${aws_redshift_cluster.warehouse_cluster.cluster_identifier}",
    log_destination_type: "cloudwatch",
    log_exports: ["connectionlog", "userlog"],
    depends_on: ["aws_cloudwatch_log_group.warehouse_connectionlog", "aws_cloudwatch_log_group.warehouse_userlog"],
  });
  const logs = resourcesOf(json).filter(({ address }) => /_log_group\.warehouse_(connection|user)log$/.test(address));
  expect(logs.map(({ attributes }) => [attributes.name, attributes.retention_in_days])).toEqual([
    ["/aws/redshift/cluster/team-cluster/connectionlog", 7],
    ["/aws/redshift/cluster/team-cluster/userlog", 7],
  ]);
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

test("makes its tables at deploy, the canary's too, without a type that Redshift would cut short", () => {
  const statements = statementsOf(warehouse());
  const made = statements.flatMap((sql) => /^CREATE TABLE IF NOT EXISTS (\w+) /.exec(sql)?.[1] ?? []);
  const each = ["results", "failures", "jobs", "results_lock"];
  expect(made).toEqual(["prediction", "canary"].flatMap((of) => each.map((table) => `${of}_${table}`)));
  for (const sql of statements) expect(sql).not.toMatch(/\bTEXT\b/i);
});

test("keeps the first database of a cluster that it takes over, and works in the one with the predictions", () => {
  const json = warehouse({ takeOver: true });
  expect(onlyResource(json, "aws_redshift_cluster").attributes.lifecycle).toEqual({
    ignore_changes: ["database_name"],
  });
  expect(onlyResource(json, "aws_lambda_function").attributes.environment).toMatchObject({
    variables: { DB_NAME: "predictions" },
  });
});

test("keeps the nodes of a cluster that it takes over for as long as no others are named", () => {
  const clusterOf = (nodeType?: string) =>
    onlyResource(warehouse({ takeOver: true, nodeType }), "aws_redshift_cluster").attributes;
  expect(clusterOf().lifecycle).toEqual({ ignore_changes: ["database_name", "node_type"] });
  expect(clusterOf("ra3.xlplus")).toMatchObject({
    node_type: "ra3.xlplus",
    lifecycle: { ignore_changes: ["database_name"] },
  });
});

test("takes over the original's results before its own table is made", () => {
  const call = "CALL take_over_results()";
  expect(statementsOf(warehouse({ takeOver: true })).slice(0, 3)).toEqual([
    expect.stringContaining("PROCEDURE take_over_results()"),
    call,
    expect.stringMatching(/^CREATE TABLE IF NOT EXISTS prediction_results \(/),
  ]);
  expect(statementsOf(warehouse())).not.toContain(call);
});

test("makes the view of typed outputs anew when they are others, after the tables and before anybody may read it", () => {
  const made = (outputs: typeof contract.outputs) =>
    JSON.stringify(statementsOf(warehouse({ contract: { ...contract, outputs } })));
  expect(made(contract.outputs)).toContain("TRY_CAST");
  expect(made(contract.outputs)).not.toBe(made(contract.outputs.slice(1)));
  const statements = statementsOf(warehouse());
  const view = statements.indexOf("CALL make_prediction_values()");
  expect(statements.findLastIndex((sql) => sql.startsWith("CREATE TABLE"))).toBeLessThan(view);
  expect(statements.findIndex((sql) => sql.startsWith("CALL admit_user"))).toBeGreaterThan(view);
});

test("knows four users, and lets each do one thing: load, read, or read and unload", () => {
  const statements = statementsOf(warehouse());
  expect(statements.slice(statements.findIndex((sql) => sql.startsWith("CALL admit_user")))).toEqual([
    "CALL admit_user('IAMR:team-loader', TRUE)",
    "CALL admit_user('IAMR:team-api', FALSE)",
    "CALL admit_user('IAMR:team-writer', FALSE)",
    "CALL admit_user('predictions_reader', FALSE)",
    "REVOKE ASSUMEROLE ON ALL FROM PUBLIC FOR ALL",
    `GRANT ASSUMEROLE ON '\${aws_iam_role.warehouse_copy_role.arn}' TO "IAMR:team-loader" FOR COPY`,
    `GRANT ASSUMEROLE ON '\${aws_iam_role.warehouse_unload_role.arn}' TO "predictions_reader" FOR UNLOAD`,
    `GRANT ASSUMEROLE ON '\${aws_iam_role.warehouse_unload_role.arn}' TO "IAMR:team-writer" FOR UNLOAD`,
  ]);
});

test("runs all of it in one step, again when a statement or the cluster is another, and for no other reason", () => {
  const { attributes } = onlyResource(warehouse(), "aws_lambda_invocation");
  expect(attributes).toMatchObject({
    function_name: "${aws_lambda_function.warehouse_schema_function.function_name}",
    triggers: { cluster: "${aws_redshift_cluster.warehouse_cluster.cluster_namespace_arn}" },
  });
  expect(attributes).not.toHaveProperty("lifecycle_scope"); // by default it is invoked when it is made, and then alone
});

test("runs it as the admin, whose name its function alone may borrow", () => {
  const json = warehouse();
  const ofSchema = roleStatementsOf(json).filter(({ address }) => address.endsWith("warehouse_schema_policy"));
  expect(ofSchema.slice(0, -1)).toMatchObject([
    {
      Action: ["redshift-data:ExecuteStatement"],
      Resource: ["${aws_redshift_cluster.warehouse_cluster.arn}"],
    },
    {
      Action: ["redshift:GetClusterCredentials"],
      Resource: ["${local.warehouse_admin_arn}", "${local.warehouse_database_arn}"],
    },
    {
      Action: ["redshift-data:DescribeStatement", "redshift-data:CancelStatement"],
      Condition: { StringEquals: { "redshift-data:statement-owner-iam-userid": "$${aws:userid}" } },
    },
  ]);
  expect(onlyResource(json, "aws_lambda_function").attributes).toMatchObject({
    timeout: 900,
    environment: {
      variables: {
        CLUSTER_ID: "${aws_redshift_cluster.warehouse_cluster.cluster_identifier}",
        ADMIN_USER: "${aws_redshift_cluster.warehouse_cluster.master_username}",
      },
    },
  });
});

/** What a function may do and is told that is given access to the warehouse, and what it is made after. */
function userOf(use: (warehouse: Warehouse) => Access) {
  const json = warehouse({}, (it) => holderOf(it, use(it)));
  const { attributes } = resourcesOf(json).find(({ address }) => address.endsWith(".warehouse_holder_function")) ?? {};
  const statements = roleStatementsOf(json).filter(({ address }) => address.endsWith("warehouse_holder_policy"));
  return { attributes, statements: statements.slice(0, -1) };
}

const signIn = {
  Action: ["redshift:GetClusterCredentialsWithIAM"],
  Resource: ["${local.warehouse_database_arn}"],
};
const own = {
  Action: ["redshift-data:DescribeStatement", "redshift-data:GetStatementResult", "redshift-data:CancelStatement"],
  Resource: ["*"],
  Condition: { StringEquals: { "redshift-data:statement-owner-iam-userid": "$${aws:userid}" } },
};
const cluster = { Resource: ["${aws_redshift_cluster.warehouse_cluster.arn}"] };

test("a reader signs in by IAM to this database, never as the admin, and sees and ends only its own statements", () => {
  const { attributes, statements } = userOf((it) => it.read());
  expect(statements).toHaveLength(3);
  expect(statements).toMatchObject([{ Action: ["redshift-data:ExecuteStatement"], ...cluster }, signIn, own]);
  expect(attributes?.depends_on).toContain("aws_lambda_invocation.warehouse_schema_made");
});

test("a loader does so too, and may act as people's reader", () => {
  const { attributes, statements } = userOf((it) => it.load());
  expect(statements).toHaveLength(4);
  expect(statements).toMatchObject([
    { Action: ["redshift-data:BatchExecuteStatement", "redshift-data:ExecuteStatement"], ...cluster },
    signIn,
    own,
    {
      Action: ["redshift:GetClusterCredentials"],
      Resource: ["${local.warehouse_reader_arn}", "${local.warehouse_database_arn}"],
    },
  ]);
  expect(attributes?.depends_on).toContain("aws_lambda_invocation.warehouse_schema_made");
  expect(attributes?.environment).toMatchObject({
    variables: {
      COPY_ROLE_ARN: "${aws_iam_role.warehouse_copy_role.arn}",
      UNLOAD_ROLE_ARN: "${aws_iam_role.warehouse_unload_role.arn}",
      READER: "predictions_reader",
    },
  });
});

test("a writer of results signs in by IAM too, and reads no result of the Data API's", () => {
  const { attributes, statements } = userOf((it) => it.unload());
  const ended = { ...own, Action: ["redshift-data:DescribeStatement", "redshift-data:CancelStatement"] };
  expect(statements).toEqual([
    expect.objectContaining({ Action: ["redshift-data:ExecuteStatement"], ...cluster }),
    expect.objectContaining(signIn),
    expect.objectContaining(ended),
  ]);
  expect(attributes?.environment).toMatchObject({
    variables: { UNLOAD_ROLE_ARN: "${aws_iam_role.warehouse_unload_role.arn}" },
  });
});

test("lends the cluster two roles, one to read what is staged, one to write large results", () => {
  const json = warehouse();
  const { iam_roles, default_iam_role_arn } = onlyResource(json, "aws_redshift_cluster").attributes;
  expect(default_iam_role_arn).toBeUndefined();
  expect(iam_roles).toEqual(["copy", "unload"].map((role) => `\${aws_iam_role.warehouse_${role}_role.arn}`));
  const bucket = "${aws_s3_bucket.outcomes_bucket.arn}";
  const may = (role: string) =>
    roleStatementsOf(json)
      .filter(({ address }) => address.endsWith(`.warehouse_${role}_policy`))
      .map(({ Action, Resource, Condition }) => [Action, Resource, Condition]);
  expect(may("copy")).toEqual([
    [["s3:GetBucketLocation"], [bucket], undefined],
    [["s3:ListBucket"], [bucket], undefined],
    [["s3:GetObject"], [`${bucket}/staged/*`, `${bucket}/manifests/*`], undefined],
  ]);
  expect(may("unload")).toEqual([
    [["s3:GetBucketLocation"], [bucket], undefined],
    [["s3:ListBucket"], [bucket], { StringLike: { "s3:prefix": "unloads/*" } }],
    [["s3:GetObject", "s3:PutObject"], [`${bucket}/unloads/*`], undefined],
  ]);
});
