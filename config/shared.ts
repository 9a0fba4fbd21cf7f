import { z } from "zod";
import { deployRoleName, githubProviderArn } from "../aws/github-roles";
import { describeName, isName, limits, type NameLimit } from "../aws/limits";
import { prices } from "../aws/prices";
import { fault, got, group, nameRule, type Rule, refusalsBy, refuse, show, text, yesOrNo } from "./faults";
import { keyIsIn, kmsKeyArn } from "./kms-key";
import { lowercaseWord } from "./surroundings";

const regionCode: NameLimit = {
  pattern: /^[a-z]{2}(-[a-z]+)+-\d$/,
  maximumLength: 30,
  allowed: 'a region\'s code such as "us-east-1", here or in AWS_REGION',
  source: "https://docs.aws.amazon.com/general/latest/gr/rande.html",
};

const profile: NameLimit = {
  pattern: /^\S([^\]]*\S)?$/,
  maximumLength: 255,
  allowed: "the name of a profile in AWS's configuration files",
  source: "https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-files.html",
};

const githubRepository: NameLimit = {
  pattern: /^[A-Za-z0-9]([-_]?[A-Za-z0-9])*(\/[\w.-]+|@\d+\/[\w.-]+@\d+)$/,
  maximumLength: 200,
  allowed: '"owner/name", or "owner@id/name@id" where GitHub writes it so in its tokens; no wildcards',
  source: "https://docs.github.com/en/actions/reference/security/oidc#immutable-subject-claims",
};

/** An instance type of SageMaker or EC2, or a node type of Redshift. */
const typeName: NameLimit = {
  pattern: /^[a-z0-9]+([.-][a-z0-9]+)+$/,
  maximumLength: 63,
  allowed: "an instance or node type",
  source: "aws/prices.ts",
};

const pricedThings = Object.keys(prices).filter((name) => !isName(name, typeName));

const priceError = refuse("US dollars, 0 or more");

/** Where the model artifacts are, unless the settings say it. */
export const modelBucketBeside = (stateBucket: string) => `${stateBucket}-models`;

/** Where S3 writes down who asked for what in the buckets of state and models. */
export const logBucketBeside = (stateBucket: string) => `${stateBucket}-logs`;

/** Where an environment's answers are on their way to the warehouse. */
export const answersBucketBeside = (stateBucket: string, environment: string) =>
  `${stateBucket}-${environment}-answers`;

/**
 * What all environments share.
 * @param usual the region where the settings name none
 */
export const sharedFields = (usual?: string) =>
  group({
    /** The tag Project of every resource. */
    project: text(limits.tags.value),
    /** The tag Owner of every resource: whom to ask. */
    owner: text(limits.tags.value),
    /** Starts every name, before the environment's: `poc` makes `poc-dev-…`. */
    prefix: text(lowercaseWord),
    /** Where everything is deployed. @default AWS_REGION, or else AWS_DEFAULT_REGION */
    region: usual ? text(regionCode).prefault(usual) : text(regionCode),
    /** The only AWS account that Terraform may deploy to. @default whichever AWS's usual environment leads to */
    account: text(limits.iam.accountId).optional(),
    /** The profile in AWS's configuration files. @default AWS's usual environment */
    profile: text(profile).optional(),
    /** The S3 bucket of Terraform's state; no other bucket in the world may have its name. */
    stateBucket: text(limits.s3.bucketName),
    /** The S3 bucket of the model artifacts. @default the state bucket's name and `-models` */
    modelBucket: text(limits.s3.bucketName).optional(),
    /**
     * The KMS key that the buckets of state and models are encrypted with, and queues, buckets, logs and the warehouse of
     * each environment that has none of its own. Its policy lets CloudWatch Logs use it (docs/security.md). @default AWS's own
     */
    kmsKeyArn: kmsKeyArn(),
    /**
     * Whether the stack `state` gives API Gateway the role that it writes access logs with. An account has one in a region,
     * for the APIs of all teams: false leaves another team's in its place, and this project's logs are written with that.
     * @default true
     */
    apiGatewayRole: yesOrNo().prefault(true),
    /** Lets GitHub's workflows plan and deploy, each in a role of its own; needs `account`. @default they may not */
    github: group({
      /** Whose workflows: `owner/name`, or `owner@id/name@id` for a repository with immutable subject claims. */
      repository: text(githubRepository),
      /** The account's OIDC provider for GitHub, where it has one: there can be only one. @default one is made */
      oidcProviderArn: z.string({ error: refuse("an ARN") }).optional(),
    }).optional(),
    /**
     * US dollars by instance type, node type or what else aws/prices.ts counts, in the place of its prices: an hour of
     * "ml.g5.xlarge", say. @default those that are known in public
     */
    prices: z
      .record(z.string(), z.number({ error: priceError }).min(0, { error: priceError }), {
        error: refuse("an object of prices by what they are of"),
      })
      .prefault({}),
    /** The environment that `offline-inference` works with when it is told none. @default it must be told one */
    defaultEnvironment: z.string({ error: refuse("the name of an environment") }).optional(),
    environments: z.record(z.string(), z.unknown(), { error: refuse("an object of environments by their names") }),
  });

/** What the names of the stack `state` have behind the prefix. */
const namesOfState = ["api-gateway-logging", "model-compilation"];

const { roleName } = limits.iam;
const whyApart = "GitHub's role of an environment may change whatever starts with the environment's name and a hyphen";

export const sharedRules: readonly Rule<z.output<ReturnType<typeof sharedFields>>>[] = [
  {
    of: ["environments"],
    holds: ({ environments }) => Object.keys(environments).length > 0,
    allowed: "one environment or more",
  },
  nameRule("environments", (name) => refusalsBy(lowercaseWord, name)),
  nameRule("prices", (name) =>
    Object.hasOwn(prices, name) || isName(name, typeName)
      ? []
      : [[`an instance or node type, or one of ${pricedThings.join(", ")}`, "aws/prices.ts"]],
  ),
  {
    of: ["environments", "prefix", "github"],
    faults: ({ environments, prefix, github }) => {
      const names = github === undefined ? [] : Object.keys(environments);
      const tell = (name: string, allowed: string, source: string) =>
        fault(["environments", name], got(name, allowed, source));
      return names.flatMap((name) => {
        const longer = [...names, ...namesOfState].find((other) => other.startsWith(`${name}-`));
        const role = deployRoleName(`${prefix}-${name}`);
        const roleAllowed = `a shorter one, for GitHub's role ${show(role)} is to have ${describeName(roleName)}`;
        return [
          ...(longer === undefined ? [] : [tell(name, `another beside ${longer}, which it begins`, whyApart)]),
          ...(isName(role, roleName) ? [] : [tell(name, roleAllowed, roleName.source)]),
        ];
      });
    },
  },
  {
    of: ["defaultEnvironment", "environments"],
    holds: ({ environments, defaultEnvironment: name }) => name === undefined || Object.hasOwn(environments, name),
    allowed: ({ environments }) => Object.keys(environments).join(" or "),
  },
  {
    of: ["modelBucket", "stateBucket"],
    holds: ({ stateBucket, modelBucket }) =>
      modelBucket === undefined || ![stateBucket, logBucketBeside(stateBucket)].includes(modelBucket),
    allowed: ({ stateBucket }) =>
      `another bucket than the state's, and than that of its log, ${logBucketBeside(stateBucket)}`,
  },
  keyIsIn(({ region }) => region),
  {
    of: ["account", "github"],
    holds: ({ github, account }) => github === undefined || account !== undefined,
    allowed: `${describeName(limits.iam.accountId)}, for GitHub's roles are limited to it`,
  },
  {
    of: ["github.oidcProviderArn", "account", "region"],
    holds: ({ github, account, region }) =>
      account === undefined || [undefined, githubProviderArn(account, region)].includes(github?.oidcProviderArn),
    allowed: ({ account = "", region }) => show(githubProviderArn(account, region)),
  },
  {
    of: ["profile", "github"],
    holds: ({ github, profile }) => github === undefined || profile === undefined,
    allowed: "nothing beside github, whose machines have no profiles: set AWS_PROFILE here",
  },
];
