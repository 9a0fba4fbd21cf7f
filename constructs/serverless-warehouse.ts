import { IamRole } from "@cdktf/provider-aws/lib/iam-role";
import { IamRolePolicy } from "@cdktf/provider-aws/lib/iam-role-policy";
import { RedshiftserverlessNamespace } from "@cdktf/provider-aws/lib/redshiftserverless-namespace";
import { RedshiftserverlessUsageLimit } from "@cdktf/provider-aws/lib/redshiftserverless-usage-limit";
import { RedshiftserverlessWorkgroup } from "@cdktf/provider-aws/lib/redshiftserverless-workgroup";
import type { Construct } from "constructs";
import { arnIn } from "../aws/partitions";
import { leastRpus } from "../aws/redshift-serverless";
import { policyDocument } from "./access";
import { databaseUserOf } from "./prediction-schema";
import { auditLogs, Warehouse, type Warehoused, type WarehouseProps } from "./warehouse";

export interface ServerlessWarehouseProps extends Omit<WarehouseProps, "takeOver"> {
  readonly region: string;
  readonly account: string;
  /** The name of the workgroup, and of its namespace. */
  readonly workgroupName: string;
  /** The RPU-hours of a month after which it runs no statement until the month is over. */
  readonly monthlyRpuHours: number;
  /** Name of the role that people take on to read. */
  readonly readerRoleName: string;
}

/**
 * A workgroup of Redshift Serverless that keeps the predictions, and rests while it is asked nothing. It lends no user's
 * name: who signs in is the database user of the role, so people take on one.
 */
export class ServerlessWarehouse extends Warehouse {
  readonly names;
  readonly readers;
  readonly address: string;
  readonly keeps: RedshiftserverlessNamespace;
  protected readonly at: Warehoused;

  constructor(scope: Construct, id: string, props: ServerlessWarehouseProps) {
    // https://docs.aws.amazon.com/redshift/latest/mgmt/serverless-iam.html
    const services = ["redshift-serverless.amazonaws.com", "redshift.amazonaws.com"];
    super(scope, id, { ...props, takeOver: false }, services);
    const { workgroupName, network, databaseName, region } = props;

    // https://docs.aws.amazon.com/redshift/latest/mgmt/serverless-audit-logging.html
    const logs = this.logGroups(`/aws/redshift/${workgroupName}`);
    const namespace = new RedshiftserverlessNamespace(this, "namespace", {
      namespaceName: workgroupName,
      dbName: databaseName,
      adminUsername: props.adminUsername,
      manageAdminPassword: true, // from the start: it cannot be switched on later
      kmsKeyId: props.kmsKeyArn,
      iamRoles: [this.copyRole.arn, this.unloadRole.arn],
      logExports: auditLogs,
      dependsOn: logs,
    });
    // Each new workgroup asks for TLS: https://docs.aws.amazon.com/redshift/latest/mgmt/serverless-security.html
    const workgroup = new RedshiftserverlessWorkgroup(this, "workgroup", {
      workgroupName,
      namespaceName: namespace.namespaceName,
      baseCapacity: leastRpus(region), // AWS would give it 128
      publiclyAccessible: false,
      enhancedVpcRouting: true,
      subnetIds: network.subnets.map(({ id }) => id),
      securityGroupIds: [this.securityGroup(workgroupName).id],
    });
    new RedshiftserverlessUsageLimit(this, "fuse", {
      resourceArn: workgroup.arn,
      usageType: "serverless-compute",
      amount: props.monthlyRpuHours,
      period: "monthly",
      breachAction: "deactivate",
    });
    this.keeps = namespace;
    this.address = `${workgroup.endpoint.get(0).address}:${workgroup.endpoint.get(0).port}`;
    this.names = { redshift_workgroup_name: workgroup.workgroupName };
    this.at = {
      arn: workgroup.arn,
      environment: { WORKGROUP_NAME: workgroup.workgroupName, DB_NAME: databaseName },
      signIn: { actions: ["redshift-serverless:GetCredentials"], resources: [workgroup.arn] },
      admin: {
        statement: { actions: ["secretsmanager:GetSecretValue"], resources: [namespace.adminPasswordSecretArn] },
        environment: { ADMIN_SECRET_ARN: namespace.adminPasswordSecretArn },
      },
      reader: databaseUserOf(props.readerRoleName),
      identity: namespace.namespaceId,
    };
    this.makeSchema();

    this.readers = {
      redshift_reader_role_arn: this.readerRole(props).arn,
      redshift_admin_secret_arn: namespace.adminPasswordSecretArn,
    };
  }

  /** The role that people take on to read. */
  private readerRole({ readerRoleName, region, account }: ServerlessWarehouseProps): IamRole {
    const role = new IamRole(this, "reader_role", {
      name: readerRoleName,
      description: "Reads predictions, for whoever this account lets take it on",
      assumeRolePolicy: JSON.stringify({
        Version: "2012-10-17",
        Statement: [
          {
            Effect: "Allow",
            Action: "sts:AssumeRole",
            Principal: { AWS: arnIn(region, `iam::${account}:root`) },
          },
        ],
      }),
    });
    new IamRolePolicy(this, "reader_policy", {
      name: "read",
      role: role.name,
      policy: policyDocument(this.read().statements),
    });
    return role;
  }
}
