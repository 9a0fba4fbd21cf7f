import { CloudwatchLogGroup } from "@cdktf/provider-aws/lib/cloudwatch-log-group";
import { IamRole } from "@cdktf/provider-aws/lib/iam-role";
import { IamRolePolicy } from "@cdktf/provider-aws/lib/iam-role-policy";
import { LambdaInvocation } from "@cdktf/provider-aws/lib/lambda-invocation";
import { RedshiftCluster } from "@cdktf/provider-aws/lib/redshift-cluster";
import { RedshiftLogging } from "@cdktf/provider-aws/lib/redshift-logging";
import { RedshiftParameterGroup } from "@cdktf/provider-aws/lib/redshift-parameter-group";
import { RedshiftSubnetGroup } from "@cdktf/provider-aws/lib/redshift-subnet-group";
import { SecurityGroup } from "@cdktf/provider-aws/lib/security-group";
import { Fn, type ITerraformDependable, TerraformLocal } from "cdktf";
import { Construct } from "constructs";
import { type Access, lendKey, ofOwnStatements, type PolicyStatement, policyDocument, trustPolicy } from "./access";
import type { AnswersBucket } from "./answers-bucket";
import type { Bastion } from "./bastion";
import type { Network } from "./network";
import { NodeFunction } from "./node-function";
import { PauseSchedule, type PauseScheduleProps } from "./pause-schedule";
import { readerUser, type SchemaProps, schemaStatements } from "./prediction-schema";

export interface WarehouseProps extends Omit<SchemaProps, "copyRoleArn" | "unloadRoleArn"> {
  readonly clusterIdentifier: string;
  readonly subnetGroupName: string;
  /** @default that of the cluster as it is; one that is made has ra3.large */
  readonly nodeType?: string;
  readonly numberOfNodes: number;
  /** Whether the cluster is paused, until somebody resumes it. @default false */
  readonly paused?: boolean;
  /** The hours in which it is available, and what pauses and resumes it. @default it is always available */
  readonly schedule?: Omit<PauseScheduleProps, "cluster">;
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
  /** Where the cluster reads outcomes, and writes large results. */
  readonly answers: AnswersBucket;
  /** Names of the roles that it does so with. */
  readonly copyRoleName: string;
  readonly unloadRoleName: string;
  readonly network: Network;
  /** What people may come through. @default nothing comes in */
  readonly bastion?: Bastion;
  /** Names of the function that makes tables, users and rights at deploy, and of its role. */
  readonly schemaFunctionName: string;
  readonly schemaRoleName: string;
  readonly bundle: string;
  readonly logRetentionDays: number;
  /** The KMS key that data and logs are encrypted with, and large results. @default AWS's own */
  readonly kmsKeyArn?: string;
}

/**
 * The audit logs that are kept: who connected, and what became of users. The third, of each statement, would hold ids.
 * https://docs.aws.amazon.com/redshift/latest/mgmt/db-auditing.html
 */
const auditLogs = ["connectionlog", "userlog"];

/** The Redshift cluster where predictions are kept, private and encrypted, with its tables and its users made at deploy. */
export class Warehouse extends Construct {
  readonly cluster: RedshiftCluster;
  readonly databaseName: string;
  /** The database user that people read predictions as, lent by IAM (`redshift:GetClusterCredentials`). */
  readonly reader = readerUser;
  /** The roles that the cluster reads outcomes with, and writes large results with. */
  readonly copyRole: IamRole;
  readonly unloadRole: IamRole;
  /** The id of the KMS key that large results are encrypted with. @default S3's own is used */
  readonly unloadKeyId?: string;
  private readonly key?: string;
  private readonly databaseArn: string;
  private readonly readerArn: string;
  private readonly schema: ITerraformDependable;

  constructor(scope: Construct, id: string, props: WarehouseProps) {
    super(scope, id);
    const { clusterIdentifier, nodeType, numberOfNodes, network, bastion, databaseName, answers, port } = props;
    const { paused = false, schedule } = props;
    const kept = [
      ...(props.takeOver ? ["database_name"] : []),
      ...(nodeType === undefined ? ["node_type"] : []),
      // A paused cluster tells of one node: https://github.com/hashicorp/terraform-provider-aws/issues/20944
      ...(paused || schedule ? ["cluster_type", "number_of_nodes"] : []),
    ];
    this.databaseName = databaseName;
    this.key = props.kmsKeyArn;
    this.unloadKeyId = props.kmsKeyArn?.replace(/^.*\//, "");

    const subnetGroup = new RedshiftSubnetGroup(this, "subnet_group", {
      name: props.subnetGroupName,
      subnetIds: network.subnets.map(({ id }) => id),
    });
    // Functions and people use the Data API: nothing comes in but by a bastion. Out goes COPY and UNLOAD, to S3 alone.
    const securityGroup = new SecurityGroup(this, "security_group", {
      vpcId: network.vpc.id,
      ingress: bastion
        ? [{ protocol: "tcp", fromPort: port, toPort: port, securityGroups: [bastion.securityGroup.id] }]
        : [],
      egress: [{ protocol: "tcp", fromPort: 443, toPort: 443, prefixListIds: [network.s3PrefixListId] }],
      tags: { Name: clusterIdentifier },
    });
    bastion?.reach("warehouse", securityGroup, port);
    const parameterGroup = new RedshiftParameterGroup(this, "parameter_group", {
      name: clusterIdentifier,
      family: "redshift-1.0",
      parameter: [{ name: "require_ssl", value: "true" }],
    });
    const copying = this.clusterRole("copy", props.copyRoleName, answers.copy());
    const unloading = this.clusterRole("unload", props.unloadRoleName, answers.unload());
    this.copyRole = copying.role;
    this.unloadRole = unloading.role;
    this.cluster = new RedshiftCluster(this, "cluster", {
      clusterIdentifier,
      clusterType: numberOfNodes === 1 ? "single-node" : "multi-node",
      nodeType: nodeType ?? "ra3.large",
      numberOfNodes,
      databaseName,
      masterUsername: props.adminUsername,
      manageMasterPassword: true,
      port,
      encrypted: true,
      kmsKeyId: props.kmsKeyArn,
      publiclyAccessible: false,
      enhancedVpcRouting: true,
      clusterSubnetGroupName: subnetGroup.name,
      clusterParameterGroupName: parameterGroup.name,
      vpcSecurityGroupIds: [securityGroup.id],
      skipFinalSnapshot: !props.finalSnapshot,
      finalSnapshotIdentifier: props.finalSnapshot ? `${clusterIdentifier}-final` : undefined,
      iamRoles: [this.copyRole.arn, this.unloadRole.arn],
      lifecycle: kept.length > 0 ? { ignoreChanges: kept } : undefined,
    });
    // Redshift would make the groups itself, which would keep everything for ever.
    const logs = auditLogs.map(
      (log) =>
        new CloudwatchLogGroup(this, log, {
          name: `/aws/redshift/cluster/${clusterIdentifier}/${log}`,
          retentionInDays: props.logRetentionDays,
          kmsKeyId: props.kmsKeyArn,
        }),
    );
    new RedshiftLogging(this, "audit_log", {
      clusterIdentifier: this.cluster.clusterIdentifier,
      logDestinationType: "cloudwatch",
      logExports: auditLogs,
      dependsOn: logs,
    });
    // While it is paused for longer, nothing resumes it by the clock.
    if (schedule && !paused) new PauseSchedule(this, "hours", { ...schedule, cluster: this.cluster });
    this.databaseArn = this.arnOf("database", "dbname", databaseName);
    this.readerArn = this.arnOf("reader", "dbuser", this.reader);
    this.schema = this.makeSchema(props, [copying.policy, unloading.policy]);
  }

  /** A role that Redshift takes on, for commands that name it. */
  private clusterRole(id: string, name: string, statements: PolicyStatement[]) {
    const assumeRolePolicy = trustPolicy("redshift.amazonaws.com");
    const role = new IamRole(this, `${id}_role`, { name, assumeRolePolicy });
    const policy = new IamRolePolicy(this, `${id}_policy`, {
      name: id,
      role: role.name,
      policy: policyDocument(statements),
    });
    return { role, policy };
  }

  /** The ARN of a database or a user of the cluster. */
  private arnOf(id: string, kind: "dbname" | "dbuser", name: string): string {
    const ofKind = Fn.replace(this.cluster.arn, ":cluster:", `:${kind}:`);
    return new TerraformLocal(this, `${id}_arn`, `${ofKind}/${name}`).asString;
  }

  /**
   * Makes what the database must have, by a function that runs statements as the admin, whose name AWS lends it
   * (`redshift:GetClusterCredentials`). It is invoked when a statement or the cluster is another. Terraform asks AWS
   * nothing about an invocation that was, so that anybody can plan it.
   */
  private makeSchema(props: WarehouseProps, after: ITerraformDependable[]): ITerraformDependable {
    const { clusterIdentifier, arn, masterUsername } = this.cluster;
    const admin = this.arnOf("admin", "dbuser", props.adminUsername);
    const maker = new NodeFunction(this, "schema", {
      functionName: props.schemaFunctionName,
      roleName: props.schemaRoleName,
      bundle: props.bundle,
      memoryMegabytes: 256,
      timeoutSeconds: 900, // the longest there is: a takeover copies rows
      logRetentionDays: props.logRetentionDays,
      kmsKeyArn: props.kmsKeyArn,
      uses: [
        {
          statements: [
            { actions: ["redshift-data:ExecuteStatement"], resources: [arn] },
            { actions: ["redshift:GetClusterCredentials"], resources: [admin, this.databaseArn] },
            ofOwnStatements(["redshift-data:DescribeStatement", "redshift-data:CancelStatement"]),
            ...lendKey(this.key),
          ],
          environment: { CLUSTER_ID: clusterIdentifier, DB_NAME: this.databaseName, ADMIN_USER: masterUsername },
        },
      ],
    });
    const statements = schemaStatements({
      ...props,
      copyRoleArn: this.copyRole.arn,
      unloadRoleArn: this.unloadRole.arn,
    });
    return new LambdaInvocation(this, "schema_made", {
      functionName: maker.function.functionName,
      input: JSON.stringify({ statements }),
      triggers: { cluster: this.cluster.clusterNamespaceArn },
      dependsOn: after,
    });
  }

  /** Lets its holder, which the warehouse knows as a reader, read predictions, failures and jobs. */
  read(): Access {
    return this.signIn(["redshift-data:ExecuteStatement"], ["redshift-data:GetStatementResult"]);
  }

  /** Lets its holder, which the warehouse knows as the writer, have the outcomes of a job written to the bucket. */
  unload(): Access {
    const { environment, ...access } = this.signIn(["redshift-data:ExecuteStatement"]);
    return { ...access, environment: { ...environment, ...this.unloading() } };
  }

  /**
   * Lets its holder, which the warehouse knows as the loader, add outcomes, never change or delete one. It may act as
   * people's reader too, to prove what that one may do.
   */
  load(): Access {
    const { statements, environment, after } = this.signIn(
      ["redshift-data:BatchExecuteStatement", "redshift-data:ExecuteStatement"],
      ["redshift-data:GetStatementResult"],
    );
    const actAsReader = ["redshift:GetClusterCredentials"];
    return {
      statements: [...statements, { actions: actAsReader, resources: [this.readerArn, this.databaseArn] }],
      environment: {
        ...environment,
        COPY_ROLE_ARN: this.copyRole.arn,
        ...this.unloading(),
        READER: this.reader,
      },
      after,
    };
  }

  /** What whoever unloads is told. */
  private unloading(): Access["environment"] {
    const { unloadKeyId } = this;
    return { UNLOAD_ROLE_ARN: this.unloadRole.arn, ...(unloadKeyId && { UNLOAD_KMS_KEY_ID: unloadKeyId }) };
  }

  /** The Data API, as a database user of the holder's own (https://docs.aws.amazon.com/redshift/latest/mgmt/data-api-access.html). */
  private signIn(execute: string[], read: string[] = []): Access {
    const { clusterIdentifier, arn } = this.cluster;
    return {
      statements: [
        { actions: execute, resources: [arn] },
        { actions: ["redshift:GetClusterCredentialsWithIAM"], resources: [this.databaseArn] },
        ofOwnStatements(["redshift-data:DescribeStatement", ...read, "redshift-data:CancelStatement"]),
        ...lendKey(this.key),
      ],
      environment: { CLUSTER_ID: clusterIdentifier, DB_NAME: this.databaseName },
      after: [this.schema],
    };
  }
}
