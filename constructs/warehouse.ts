import { IamRole } from "@cdktf/provider-aws/lib/iam-role";
import { IamRolePolicy } from "@cdktf/provider-aws/lib/iam-role-policy";
import { RedshiftCluster } from "@cdktf/provider-aws/lib/redshift-cluster";
import { RedshiftParameterGroup } from "@cdktf/provider-aws/lib/redshift-parameter-group";
import { RedshiftSubnetGroup } from "@cdktf/provider-aws/lib/redshift-subnet-group";
import { RedshiftdataStatement } from "@cdktf/provider-aws/lib/redshiftdata-statement";
import { SecurityGroup } from "@cdktf/provider-aws/lib/security-group";
import { DataResource, Fn, type ITerraformDependable, TerraformLocal } from "cdktf";
import { Construct } from "constructs";
import { type Access, policyDocument, trustPolicy } from "./access";
import type { Network } from "./network";
import {
  type AnswerContract,
  createGrant,
  createMakeValues,
  createResults,
  createTakeOver,
  createWriteLock,
  databaseUserOf,
  grantPredictions,
  makeValues,
  readerUser,
  takeOverResults,
} from "./prediction-schema";

export interface WarehouseProps {
  readonly clusterIdentifier: string;
  readonly subnetGroupName: string;
  readonly nodeType: string;
  readonly numberOfNodes: number;
  /** The database where the predictions are. A cluster is made with it; one that is taken over must have it. */
  readonly databaseName: string;
  /** AWS makes its password and keeps it in Secrets Manager. AWS replaces the cluster if the name changes. */
  readonly adminUsername: string;
  readonly port: number;
  /** Whether destroying the cluster leaves a snapshot, `<clusterIdentifier>-final`. */
  readonly finalSnapshot: boolean;
  /**
   * Whether the cluster was the original's. Its first database has another name, which no cluster can change, and its
   * table of results gives its name and its rows to this project's.
   */
  readonly takeOver: boolean;
  /** Where the cluster may write predictions to by UNLOAD, `s3://bucket/prefix`. @default nowhere */
  readonly unloadS3Uri?: string;
  /** Name of the role that it does so with, where there is one. */
  readonly unloadRoleName: string;
  readonly network: Network;
  /** What answers are: its outputs are the typed columns of the view `prediction_values`. */
  readonly contract: AnswerContract;
}

/** The Redshift cluster where predictions are kept, private and encrypted, with its table and its users made at deploy. */
export class Warehouse extends Construct {
  readonly cluster: RedshiftCluster;
  readonly databaseName: string;
  /** The database user that people read predictions as, lent by IAM (`redshift:GetClusterCredentials`). */
  readonly reader = readerUser;
  private readonly databaseArn: string;
  private readonly schema: ITerraformDependable[];

  constructor(scope: Construct, id: string, props: WarehouseProps) {
    super(scope, id);
    const { clusterIdentifier, numberOfNodes, network, databaseName, takeOver, contract } = props;
    this.databaseName = databaseName;

    const subnetGroup = new RedshiftSubnetGroup(this, "subnet_group", {
      name: props.subnetGroupName,
      subnetIds: network.subnets.map(({ id }) => id),
    });
    // Nothing comes in: functions and people use the Data API. Out goes COPY and UNLOAD, to S3 alone.
    const securityGroup = new SecurityGroup(this, "security_group", {
      vpcId: network.vpc.id,
      ingress: [],
      egress: [{ protocol: "tcp", fromPort: 443, toPort: 443, prefixListIds: [network.s3PrefixListId] }],
      tags: { Name: clusterIdentifier },
    });
    const parameterGroup = new RedshiftParameterGroup(this, "parameter_group", {
      name: clusterIdentifier,
      family: "redshift-1.0",
      parameter: [{ name: "require_ssl", value: "true" }],
    });
    const unloading =
      props.unloadS3Uri === undefined ? undefined : this.unloading(props.unloadS3Uri, props.unloadRoleName);
    this.cluster = new RedshiftCluster(this, "cluster", {
      clusterIdentifier,
      clusterType: numberOfNodes === 1 ? "single-node" : "multi-node",
      nodeType: props.nodeType,
      numberOfNodes,
      databaseName,
      masterUsername: props.adminUsername,
      manageMasterPassword: true,
      port: props.port,
      encrypted: true,
      publiclyAccessible: false,
      enhancedVpcRouting: true,
      clusterSubnetGroupName: subnetGroup.name,
      clusterParameterGroupName: parameterGroup.name,
      vpcSecurityGroupIds: [securityGroup.id],
      skipFinalSnapshot: !props.finalSnapshot,
      finalSnapshotIdentifier: props.finalSnapshot ? `${clusterIdentifier}-final` : undefined,
      iamRoles: unloading && [unloading.arn],
      defaultIamRoleArn: unloading?.arn,
      lifecycle: takeOver ? { ignoreChanges: ["database_name"] } : undefined,
    });

    this.databaseArn = new TerraformLocal(
      this,
      "database_arn",
      `${Fn.replace(this.cluster.arn, ":cluster:", ":dbname:")}/${databaseName}`,
    ).asString;

    const takenOver = takeOver
      ? [this.run("take_over_results", takeOverResults, [this.run("create_take_over", createTakeOver)])]
      : [];
    const results = this.run("create_results", createResults, takenOver);
    const createValues = createMakeValues(contract);
    this.schema = [
      results,
      this.run("make_values", makeValues, [results, this.run("create_make_values", createValues)], createValues),
      this.run("create_write_lock", createWriteLock),
      this.run("create_grant", createGrant),
    ];
    this.run("grant_reader", grantPredictions(this.reader, false), this.schema);
  }

  /** What the cluster needs to write files of its own there (https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-access-permissions.html). */
  private unloading(s3Uri: string, roleName: string): IamRole {
    const location = s3Uri.replace(/^s3:\/\//, "").replace(/\/$/, "");
    const [bucket = "", ...prefix] = location.split("/");
    const role = new IamRole(this, "unload_role", {
      name: roleName,
      assumeRolePolicy: trustPolicy("redshift.amazonaws.com"),
    });
    new IamRolePolicy(this, "unload_policy", {
      name: "unload",
      role: role.name,
      policy: policyDocument([
        { actions: ["s3:GetBucketLocation"], resources: [`arn:aws:s3:::${bucket}`] },
        {
          actions: ["s3:ListBucket"],
          resources: [`arn:aws:s3:::${bucket}`],
          condition: { StringLike: { "s3:prefix": [prefix, "*"].flat().join("/") } },
        },
        { actions: ["s3:GetObject", "s3:PutObject"], resources: [`arn:aws:s3:::${location}/*`] },
      ]),
    });
    return role;
  }

  /** Lets its holder read predictions. */
  read(): Access {
    const outcome = ["redshift-data:DescribeStatement", "redshift-data:GetStatementResult"];
    return this.signIn("redshift-data:ExecuteStatement", outcome, false);
  }

  /** Lets its holder add predictions, never change or delete one. */
  write(): Access {
    return this.signIn("redshift-data:BatchExecuteStatement", ["redshift-data:DescribeStatement"], true);
  }

  /** The Data API, as a database user of the holder's own (https://docs.aws.amazon.com/redshift/latest/mgmt/data-api-access.html). */
  private signIn(execute: string, outcome: string[], mayWrite: boolean): Access {
    const { clusterIdentifier, arn } = this.cluster;
    return {
      statements: [
        { actions: [execute], resources: [arn] },
        { actions: ["redshift:GetClusterCredentialsWithIAM"], resources: [this.databaseArn] },
        {
          // These know no resource; the condition leaves its holder the statements it sent itself.
          actions: outcome,
          resources: ["*"],
          condition: { StringEquals: { "redshift-data:statement-owner-iam-userid": "$${aws:userid}" } },
        },
      ],
      environment: { CLUSTER_ID: clusterIdentifier, DB_NAME: this.databaseName },
      admit: ({ id, roleName }) =>
        this.run(`grant_${id}`, grantPredictions(databaseUserOf(roleName), mayWrite), this.schema),
    };
  }

  /**
   * Runs a statement at deploy, as the admin, and again when its text or the cluster is another. AWS lends whoever
   * deploys the admin's name (`redshift:GetClusterCredentials`); the admin's secret would not do, since nobody knows its
   * ARN while the deployment that lets AWS keep the password is planned. AWS forgets statements after a day and the
   * provider would then plan to run them anew, so whatever else changes is ignored.
   * @param because what it runs again for when it is another
   */
  private run(id: string, sql: string, after: ITerraformDependable[] = [], because = sql): ITerraformDependable {
    const text = new DataResource(this, `${id}_sql`, { input: { sql: because } });
    const triggers = [
      `terraform_data.${text.friendlyUniqueId}`,
      `aws_redshift_cluster.${this.cluster.friendlyUniqueId}.cluster_namespace_arn`,
    ];
    return new RedshiftdataStatement(this, id, {
      clusterIdentifier: this.cluster.clusterIdentifier,
      database: this.databaseName,
      dbUser: this.cluster.masterUsername,
      sql,
      dependsOn: after,
      lifecycle: { ignoreChanges: "all", replaceTriggeredBy: triggers },
    });
  }
}
