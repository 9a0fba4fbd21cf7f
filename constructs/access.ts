import type { ITerraformDependable } from "cdktf";
import { toAwsAlone } from "../aws/permission";
import type { FunctionEnvironment } from "../contract/environment";
import { contractFile, type ModelContract } from "../contract/model-contract";

/** One statement of an IAM policy that allows something. */
export interface PolicyStatement {
  readonly actions: string[];
  readonly resources: string[];
  /** @default no condition */
  readonly condition?: Record<string, Record<string, string | string[]>>;
}

/**
 * What a function must be allowed and told to use something. A construct hands it out (`features.read()`), a function
 * is given a list of them (`uses`), and may do nothing else.
 */
export interface Access {
  readonly statements: PolicyStatement[];
  /** Environment variables that tell the function where to find it. */
  readonly environment: FunctionEnvironment;
  /** Files that the function finds in its archive, by name: for what no environment variable has room for. @default none */
  readonly files?: Readonly<Record<string, string>>;
  /** What must exist before the holder runs, as a database's tables and users. @default nothing beside what it names */
  readonly after?: readonly ITerraformDependable[];
}

/** Leaves its holder the statements of Redshift's Data API that it sent itself: their actions know no resource. */
export const ofOwnStatements = (actions: string[]): PolicyStatement => ({
  actions,
  resources: ["*"],
  condition: { StringEquals: { "redshift-data:statement-owner-iam-userid": "$${aws:userid}" } },
});

/**
 * What whoever reads needs of the key that it is encrypted with, and whoever writes. S3 asks for both of an object in parts, SQS
 * of every sender: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html#require-sse-kms,
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
 * @param key its ARN @default nothing, for AWS's own asks for nothing
 */
export const decrypt = (key?: string) => usesOf(key, ["kms:Decrypt"]);
export const encrypt = (key?: string) => usesOf(key, ["kms:Decrypt", "kms:GenerateDataKey"]);

/**
 * What whoever runs statements needs of the warehouse's key: the Data API has itself granted it in their name.
 * https://docs.aws.amazon.com/redshift/latest/mgmt/data-api-kms.html
 */
export const lendKey = (key?: string): PolicyStatement[] => [
  ...usesOf(key, ["kms:DescribeKey"]),
  ...usesOf(key, ["kms:CreateGrant"]).map((statement) => ({ ...statement, condition: toAwsAlone })),
];

const usesOf = (key: string | undefined, actions: string[]): PolicyStatement[] =>
  key === undefined ? [] : [{ actions, resources: [key] }];

/** Allows `actions` on the resource with this ARN, and tells its holder `environment`. */
export function allow(actions: string[], arn: string, environment: FunctionEnvironment = {}): Access {
  return { statements: [{ actions, resources: [arn] }], environment };
}

/** Lets its holder know the contract with the model. */
export function know(contract: ModelContract): Access {
  return { statements: [], environment: {}, files: { [contractFile]: JSON.stringify(contract) } };
}

/** The same access, and what these statements allow. */
export const also = (access: Access, statements: PolicyStatement[]): Access => ({
  ...access,
  statements: [...access.statements, ...statements],
});

/** A text in which Terraform evaluates nothing (https://developer.hashicorp.com/terraform/language/syntax/json#string-templates). */
export const literally = (text: string) => text.replace(/[$%](?=\{)/g, "$&$&");

/** Tells its holder something by its environment. */
export function tell(environment: FunctionEnvironment): Access {
  return { statements: [], environment };
}

/** The policy document that allows `statements`, each once, as JSON. */
export function policyDocument(statements: PolicyStatement[]): string {
  const once = new Map(statements.map((statement) => [JSON.stringify(statement), statement]));
  return JSON.stringify({
    Version: "2012-10-17",
    Statement: [...once.values()].map(({ actions, resources, condition }) => ({
      Effect: "Allow",
      Action: actions,
      Resource: resources,
      ...(condition && { Condition: condition }),
    })),
  });
}

/**
 * The policy of a queue or a bucket that refuses everybody who comes by plain HTTP, as JSON.
 * @param more further statements, which refuse something to everybody unless they say otherwise
 */
export function tlsOnlyPolicy(
  service: "sqs" | "s3",
  resources: string[],
  more: readonly (Refusal | ServicePermission)[] = [],
): string {
  const tlsOnly = {
    Sid: "DenyPlainHttp",
    Action: `${service}:*`,
    Resource: resources,
    Condition: { Bool: { "aws:SecureTransport": "false" } },
  };
  return JSON.stringify({
    Version: "2012-10-17",
    Statement: [tlsOnly, ...more].map((statement) => ({ Effect: "Deny", Principal: "*", ...statement })),
  });
}

/** What a bucket refuses: actions on some resources, or on all but some. */
export type Refusal = { readonly Sid: string; readonly Action: string[] } & (
  | { readonly Resource: string[] }
  | { readonly NotResource: string[] }
);

/** What a bucket lets a service of AWS's do. */
export interface ServicePermission extends Omit<Refusal, "Resource" | "NotResource"> {
  readonly Effect: "Allow";
  readonly Principal: { readonly Service: string };
  readonly Resource: string[];
  readonly Condition: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;
}

/**
 * The trust policy by which an AWS service, as `lambda.amazonaws.com`, takes on a role.
 * @param forAccount the account whose resources it does so for, with services that AWS documents to say it: EventBridge
 * Scheduler (https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html), and
 * SageMaker for endpoints, compilation and processing jobs
 * (https://docs.aws.amazon.com/sagemaker/latest/dg/security-confused-deputy-prevention.html) @default any
 */
export function trustPolicy(service: string | readonly string[], forAccount?: string): string {
  const condition = forAccount && { Condition: { StringEquals: { "aws:SourceAccount": forAccount } } };
  return JSON.stringify({
    Version: "2012-10-17",
    Statement: [{ Effect: "Allow", Action: "sts:AssumeRole", Principal: { Service: service }, ...condition }],
  });
}

/** The trust policy by which those that an OIDC provider vouches for as one of `subjects` take on a role. */
export function webIdentityTrustPolicy(providerArn: string, issuer: string, subjects: readonly string[]): string {
  return JSON.stringify({
    Version: "2012-10-17",
    Statement: [
      {
        Effect: "Allow",
        Action: "sts:AssumeRoleWithWebIdentity",
        Principal: { Federated: providerArn },
        Condition: { StringEquals: { [`${issuer}:aud`]: "sts.amazonaws.com", [`${issuer}:sub`]: subjects } },
      },
    ],
  });
}
