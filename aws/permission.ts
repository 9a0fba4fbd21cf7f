import { arnIn } from "./partitions";

/** A permission as data, and what limits it to one project or environment. */

/** Whose resources they are: those of one environment, or of all that a project has. */
export interface Scope {
  readonly account: string;
  readonly region: string;
  /** What the names of its resources start with, before a hyphen. */
  readonly prefix: string;
  /** The tags that they all carry. */
  readonly tags: Readonly<Record<string, string>>;
  readonly stateBucket: string;
  /** Where in it its states are. */
  readonly stateKeys: readonly string[];
  readonly answersBucket: string;
  readonly modelBucket: string;
  /** Where in it its contract is. */
  readonly contractKey: string;
  /** The SSM parameter that says where its pipeline is. */
  readonly namesParameter: string;
  /** The KMS key that the buckets of states and models are encrypted with. @default S3's own */
  readonly stateKmsKeyArn?: string;
  /** The KMS key that its own data is encrypted with. @default AWS's own */
  readonly kmsKeyArn?: string;
  /** The key pair that its bastion opens by. @default it has no bastion */
  readonly bastionKeyPair?: string;
  /** What answers and keeps predictions: "on-demand" has Redshift Serverless. @default steady */
  readonly capacity?: "steady" | "on-demand";
}

/** Actions that are allowed on resources. */
export interface Permission {
  readonly actions: string[];
  readonly resources: string[];
  /** @default no condition */
  readonly condition?: Record<string, Record<string, string | string[]>>;
  /** Why it reaches beyond this project, for whoever reviews it. @default it does not */
  readonly reason?: string;
}

export interface ServicePermissions {
  /** The Terraform resource types that they are for. */
  readonly types: readonly string[];
  /** To read all there is: a plan. */
  readonly plan: Permission[];
  /** To make, change and delete, beside what a plan needs. */
  readonly apply: Permission[];
}

/** That a key is granted to a service of AWS's, for what it keeps, and to nobody else. */
export const toAwsAlone = { Bool: { "kms:GrantIsForAWSResource": "true" } };

export type Reach = ReturnType<typeof reachOf>;

/** A scope, the ARNs of what is in it, and the conditions that keep a permission to it. */
export function reachOf(scope: Scope) {
  const { account, region, prefix } = scope;
  const arn = (resource: string) => arnIn(region, resource);
  const inRegion = (service: string, ...resources: string[]) =>
    resources.map((resource) => arn(`${service}:${region}:${account}:${resource}`));
  const tags = (key: string) => ({
    StringEquals: Object.fromEntries(Object.entries(scope.tags).map(([name, value]) => [`aws:${key}/${name}`, value])),
  });
  return {
    ...scope,
    arn,
    inRegion,
    /** Of these kinds, all whose names start with the prefix. */
    ours: (service: string, ...kinds: string[]) => inRegion(service, ...kinds.map((kind) => `${kind}${prefix}-*`)),
    iam: (resource: string) => arn(`iam::${account}:${resource}`),
    s3: (path: string) => arn(`s3:::${path}`),
    onDemand: scope.capacity === "on-demand",
    /** That the resource carries the tags. */
    tagged: tags("ResourceTag"),
    /** That it is made with the tags, or is given them. */
    tagging: tags("RequestTag"),
  };
}

/** Permissions on a KMS key, where there is one. */
export const forKey = (key: string | undefined, permission: Pick<Permission, "actions" | "condition">): Permission[] =>
  key === undefined
    ? []
    : [{ ...permission, resources: [key], reason: "the settings say which key it is, and AWS names it" }];
