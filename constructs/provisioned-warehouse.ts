import { RedshiftCluster } from "@cdktf/provider-aws/lib/redshift-cluster";
import { RedshiftLogging } from "@cdktf/provider-aws/lib/redshift-logging";
import { RedshiftParameterGroup } from "@cdktf/provider-aws/lib/redshift-parameter-group";
import { RedshiftSubnetGroup } from "@cdktf/provider-aws/lib/redshift-subnet-group";
import { Fn, TerraformLocal } from "cdktf";
import type { Construct } from "constructs";
import type { Bastion } from "./bastion";
import { PauseSchedule, type PauseScheduleProps } from "./pause-schedule";
import { readerUser } from "./prediction-schema";
import { auditLogs, Warehouse, type Warehoused, type WarehouseProps } from "./warehouse";

export interface ProvisionedWarehouseProps extends WarehouseProps {
  readonly clusterIdentifier: string;
  readonly subnetGroupName: string;
  /** @default that of the cluster as it is; one that is made has ra3.large */
  readonly nodeType?: string;
  readonly numberOfNodes: number;
  /** Whether the cluster is paused, until somebody resumes it. @default false */
  readonly paused?: boolean;
  /** The hours in which it is available, and what pauses and resumes it. @default it is always available */
  readonly schedule?: Omit<PauseScheduleProps, "cluster">;
  /** A cluster is made with it; one that is taken over must have it. */
  readonly databaseName: string;
  /** AWS replaces the cluster if the name changes. */
  readonly adminUsername: string;
  readonly port: number;
  /** Whether destroying the cluster leaves a snapshot, `<clusterIdentifier>-final`. */
  readonly finalSnapshot: boolean;
  /**
   * Whether the cluster was the original's. Its first database has another name, which no cluster can change, and its
   * table of results gives its name and its rows to this project's.
   */
  readonly takeOver: boolean;
  /** What people may come through. @default nothing comes in */
  readonly bastion?: Bastion;
}

/** A Redshift cluster that keeps the predictions. IAM lends the names of its users. */
export class ProvisionedWarehouse extends Warehouse {
  readonly names;
  readonly readers = { redshift_reader: readerUser };
  readonly address: string;
  readonly keeps: RedshiftCluster;
  protected readonly at: Warehoused;

  constructor(scope: Construct, id: string, props: ProvisionedWarehouseProps) {
    super(scope, id, props, "redshift.amazonaws.com");
    const { clusterIdentifier, nodeType, numberOfNodes, network, bastion, databaseName, port } = props;
    const { paused = false, schedule } = props;
    const kept = [
      ...(props.takeOver ? ["database_name"] : []),
      ...(nodeType === undefined ? ["node_type"] : []),
      // A paused cluster tells of one node: https://github.com/hashicorp/terraform-provider-aws/issues/20944
      ...(paused || schedule ? ["cluster_type", "number_of_nodes"] : []),
    ];

    const subnetGroup = new RedshiftSubnetGroup(this, "subnet_group", {
      name: props.subnetGroupName,
      subnetIds: network.subnets.map(({ id }) => id),
    });
    const securityGroup = this.securityGroup(
      clusterIdentifier,
      bastion ? [{ protocol: "tcp", fromPort: port, toPort: port, securityGroups: [bastion.securityGroup.id] }] : [],
    );
    bastion?.reach("warehouse", securityGroup, port);
    const parameterGroup = new RedshiftParameterGroup(this, "parameter_group", {
      name: clusterIdentifier,
      family: "redshift-1.0",
      parameter: [{ name: "require_ssl", value: "true" }],
    });
    const cluster = new RedshiftCluster(this, "cluster", {
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
    new RedshiftLogging(this, "audit_log", {
      clusterIdentifier: cluster.clusterIdentifier,
      logDestinationType: "cloudwatch",
      logExports: auditLogs,
      dependsOn: this.logGroups(`/aws/redshift/cluster/${clusterIdentifier}`),
    });
    // While it is paused for longer, nothing resumes it by the clock.
    if (schedule && !paused) new PauseSchedule(this, "hours", { ...schedule, cluster });
    this.keeps = cluster;
    this.address = cluster.endpoint;
    this.names = { redshift_cluster_identifier: cluster.clusterIdentifier };
    this.at = this.found(cluster, props);
    this.makeSchema();
  }

  /** How its database is found, and signed in to. */
  private found(cluster: RedshiftCluster, { databaseName, adminUsername }: ProvisionedWarehouseProps): Warehoused {
    const database = this.arnOf("database", "dbname", databaseName);
    const lend = (user: string) => ({ actions: ["redshift:GetClusterCredentials"], resources: [user, database] });
    return {
      arn: cluster.arn,
      environment: { CLUSTER_ID: cluster.clusterIdentifier, DB_NAME: databaseName },
      signIn: { actions: ["redshift:GetClusterCredentialsWithIAM"], resources: [database] },
      admin: {
        statement: lend(this.arnOf("admin", "dbuser", adminUsername)),
        environment: { ADMIN_USER: cluster.masterUsername },
      },
      actAsReader: {
        statement: lend(this.arnOf("reader", "dbuser", readerUser)),
        environment: { READER: readerUser },
      },
      reader: readerUser,
      identity: cluster.clusterNamespaceArn,
    };
  }

  /** The ARN of a database or a user of the cluster. */
  private arnOf(id: string, kind: "dbname" | "dbuser", name: string): string {
    const ofKind = Fn.replace(this.keeps.arn, ":cluster:", `:${kind}:`);
    return new TerraformLocal(this, `${id}_arn`, `${ofKind}/${name}`).asString;
  }
}
