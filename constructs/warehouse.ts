import { CloudwatchLogGroup } from "@cdktf/provider-aws/lib/cloudwatch-log-group";
import { IamRole } from "@cdktf/provider-aws/lib/iam-role";
import { IamRolePolicy } from "@cdktf/provider-aws/lib/iam-role-policy";
import { LambdaInvocation } from "@cdktf/provider-aws/lib/lambda-invocation";
import { SecurityGroup, type SecurityGroupIngress } from "@cdktf/provider-aws/lib/security-group";
import type { ITerraformDependable, TerraformResource } from "cdktf";
import { Construct } from "constructs";
import type { FunctionEnvironment } from "../contract/environment";
import { type Access, lendKey, ofOwnStatements, type PolicyStatement, policyDocument, trustPolicy } from "./access";
import type { AnswersBucket } from "./answers-bucket";
import type { Network } from "./network";
import { NodeFunction } from "./node-function";
import { type SchemaProps, schemaStatements } from "./prediction-schema";

export interface WarehouseProps extends Omit<SchemaProps, "copyRoleArn" | "unloadRoleArn" | "reader"> {
  /** The database where the predictions are. */
  readonly databaseName: string;
  /** The admin's name. AWS makes the password and keeps it in Secrets Manager. */
  readonly adminUsername: string;
  /** Where Redshift reads outcomes, and writes large results. */
  readonly answers: AnswersBucket;
  /** Names of the roles that it does so with. */
  readonly copyRoleName: string;
  readonly unloadRoleName: string;
  readonly network: Network;
  /** Names of the function that makes tables, users and rights at deploy, and of its role. */
  readonly schemaFunctionName: string;
  readonly schemaRoleName: string;
  readonly bundle: string;
  readonly logRetentionDays: number;
  /** The KMS key that data and logs are encrypted with, and large results. @default AWS's own */
  readonly kmsKeyArn?: string;
}

/** Where Redshift is, and how its database is signed in to. */
export interface Warehoused {
  /** What is asked: a cluster or a workgroup, by its ARN. */
  readonly arn: string;
  /** How whoever asks finds it. */
  readonly environment: FunctionEnvironment;
  /** Lets a function sign in as the database user of its own role. */
  readonly signIn: PolicyStatement;
  /** Lets the function that makes the tables sign in as the admin. */
  readonly admin: { readonly statement: PolicyStatement; readonly environment: FunctionEnvironment };
  /** Lets the loader sign in as people's reader too, to prove what that one may do. @default it cannot */
  readonly actAsReader?: { readonly statement: PolicyStatement; readonly environment: FunctionEnvironment };
  /** The database user that people read as. */
  readonly reader: string;
  /** Changes where the database is another, whose tables are to be made. */
  readonly identity: string;
}

/**
 * The audit logs that are kept: who connected, and what became of users. The third, of each statement, would hold ids.
 * https://docs.aws.amazon.com/redshift/latest/mgmt/db-auditing.html
 */
export const auditLogs = ["connectionlog", "userlog"];

/** What keeps the predictions, private and encrypted, with its tables and its users made at deploy. */
export abstract class Warehouse extends Construct {
  readonly databaseName: string;
  /** The roles that Redshift reads outcomes with, and writes large results with. */
  readonly copyRole: IamRole;
  readonly unloadRole: IamRole;
  /** The id of the KMS key that large results are encrypted with. @default S3's own is used */
  readonly unloadKeyId?: string;
  /** What commands find it by. */
  abstract readonly names: Readonly<Record<string, string>>;
  /** Whom people read as: a user, or a role. */
  abstract readonly readers: Readonly<Record<string, string>>;
  /** Its address, `host:port`. */
  abstract readonly address: string;
  /** What holds the predictions. */
  abstract readonly keeps: TerraformResource;
  protected abstract readonly at: Warehoused;
  private readonly after: ITerraformDependable[];
  private schema?: ITerraformDependable;

  constructor(
    scope: Construct,
    id: string,
    private readonly props: WarehouseProps,
    services: string | readonly string[],
  ) {
    super(scope, id);
    this.databaseName = props.databaseName;
    this.unloadKeyId = props.kmsKeyArn?.replace(/^.*\//, "");
    const copying = this.role("copy", props.copyRoleName, props.answers.copy(), services);
    const unloading = this.role("unload", props.unloadRoleName, props.answers.unload(), services);
    this.copyRole = copying.role;
    this.unloadRole = unloading.role;
    this.after = [copying.policy, unloading.policy];
  }

  /** A role that Redshift takes on, for commands that name it. */
  private role(id: string, name: string, statements: PolicyStatement[], services: string | readonly string[]) {
    const role = new IamRole(this, `${id}_role`, { name, assumeRolePolicy: trustPolicy(services) });
    const policy = new IamRolePolicy(this, `${id}_policy`, {
      name: id,
      role: role.name,
      policy: policyDocument(statements),
    });
    return { role, policy };
  }

  /** Out goes COPY and UNLOAD, to S3 alone. @param ingress who comes in: functions and people use the Data API */
  protected securityGroup(name: string, ingress: SecurityGroupIngress[] = []): SecurityGroup {
    const { network } = this.props;
    return new SecurityGroup(this, "security_group", {
      vpcId: network.vpc.id,
      ingress,
      egress: [{ protocol: "tcp", fromPort: 443, toPort: 443, prefixListIds: [network.s3PrefixListId] }],
      tags: { Name: name },
    });
  }

  /** The groups of the audit logs. Redshift would make them itself, which would keep everything for ever. */
  protected logGroups(path: string): CloudwatchLogGroup[] {
    return auditLogs.map(
      (log) =>
        new CloudwatchLogGroup(this, log, {
          name: `${path}/${log}`,
          retentionInDays: this.props.logRetentionDays,
          kmsKeyId: this.props.kmsKeyArn,
        }),
    );
  }

  /**
   * Makes what the database must have, by a function that runs statements as the admin. It is invoked when a statement or
   * the database is another. Terraform asks AWS nothing about an invocation that was, so that anybody can plan it.
   */
  protected makeSchema(): void {
    const { props, at } = this;
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
            { actions: ["redshift-data:ExecuteStatement"], resources: [at.arn] },
            at.admin.statement,
            ofOwnStatements(["redshift-data:DescribeStatement", "redshift-data:CancelStatement"]),
            ...lendKey(props.kmsKeyArn),
          ],
          environment: { ...at.environment, ...at.admin.environment },
        },
      ],
    });
    const statements = schemaStatements({
      ...props,
      reader: at.reader,
      copyRoleArn: this.copyRole.arn,
      unloadRoleArn: this.unloadRole.arn,
    });
    this.schema = new LambdaInvocation(this, "schema_made", {
      functionName: maker.function.functionName,
      input: JSON.stringify({ statements }),
      triggers: { cluster: at.identity },
      dependsOn: this.after,
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

  /** Lets its holder, which the warehouse knows as the loader, add outcomes, never change or delete one. */
  load(): Access {
    const { statements, environment, after } = this.signIn(
      ["redshift-data:BatchExecuteStatement", "redshift-data:ExecuteStatement"],
      ["redshift-data:GetStatementResult"],
    );
    const { actAsReader } = this.at;
    return {
      statements: [...statements, ...(actAsReader ? [actAsReader.statement] : [])],
      environment: {
        ...environment,
        COPY_ROLE_ARN: this.copyRole.arn,
        ...this.unloading(),
        ...actAsReader?.environment,
      },
      after,
    };
  }

  /** What whoever unloads is told. */
  private unloading(): FunctionEnvironment {
    const { unloadKeyId } = this;
    return { UNLOAD_ROLE_ARN: this.unloadRole.arn, ...(unloadKeyId && { UNLOAD_KMS_KEY_ID: unloadKeyId }) };
  }

  /** The Data API, as a database user of the holder's own (https://docs.aws.amazon.com/redshift/latest/mgmt/data-api-access.html). */
  protected signIn(execute: string[], read: string[] = []): Access {
    const { arn, signIn, environment } = this.at;
    return {
      statements: [
        { actions: execute, resources: [arn] },
        signIn,
        ofOwnStatements(["redshift-data:DescribeStatement", ...read, "redshift-data:CancelStatement"]),
        ...lendKey(this.props.kmsKeyArn),
      ],
      environment,
      after: this.schema ? [this.schema] : [],
    };
  }
}
