import { IamOpenidConnectProvider } from "@cdktf/provider-aws/lib/iam-openid-connect-provider";
import { limits } from "../../aws/limits";
import { type DeployedEnvironment, GitHubAccess, type GitHubAccessProps } from "../../constructs/github-access";
import { attachedStatementsOf, inventoryOf, resourcesOf, synth } from "../setup/synth";

const project = {
  account: "123456789012",
  region: "eu-west-1",
  prefix: "poc",
  stateBucket: "team-state",
  modelBucket: "team-models",
};
const environment = (name: string, prefix = "poc"): DeployedEnvironment => ({
  name,
  prefix: `${prefix}-${name}`,
  tags: { Project: "our project", Environment: name },
  stateKey: `${name}.tfstate`,
  answersBucket: `team-state-${name}-answers`,
  namesParameter: `/${prefix}-${name}/names`,
  artifactBuckets: [],
  written: [],
});

const gitHubAccess = (props: Partial<GitHubAccessProps> = {}) =>
  synth(
    (scope) =>
      new GitHubAccess(scope, "github", {
        repository: "team/inference",
        environments: [environment("dev"), environment("prod")],
        project,
        ...props,
      }),
  );

const json = gitHubAccess();
const roles = { plan: "aws_iam_role.github_plan_role", deploy: "aws_iam_role.github_deploy_dev_role" };
const attributesOf = (address: string, stack = json) =>
  resourcesOf(stack).find((resource) => resource.address === address)?.attributes;
const trustOf = (role: string, stack = json) =>
  JSON.parse(String(attributesOf(role, stack)?.assume_role_policy)).Statement;

const trust = (subjects: string[], provider = "${aws_iam_openid_connect_provider.github_provider.arn}") => [
  {
    Effect: "Allow",
    Action: "sts:AssumeRoleWithWebIdentity",
    Principal: { Federated: provider },
    Condition: {
      StringEquals: {
        "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
        "token.actions.githubusercontent.com:sub": subjects,
      },
    },
  },
];

describe("who is trusted", () => {
  test("GitHub vouches for its workflows, to AWS's STS alone", () => {
    expect(json).toHaveResourceWithProperties(IamOpenidConnectProvider, {
      url: "https://token.actions.githubusercontent.com",
      client_id_list: ["sts.amazonaws.com"],
    });
  });

  test("the plan role goes to pull requests of the repository and to its main branch", () => {
    expect(trustOf(roles.plan)).toEqual(
      trust(["repo:team/inference:pull_request", "repo:team/inference:ref:refs/heads/main"]),
    );
  });

  test("the role to deploy an environment goes to jobs in GitHub's environment of that name, and to no branch", () => {
    expect(trustOf(roles.deploy)).toEqual(trust(["repo:team/inference:environment:dev"]));
    expect(trustOf("aws_iam_role.github_deploy_prod_role")).toEqual(trust(["repo:team/inference:environment:prod"]));
  });

  test("a repository with immutable subject claims is named with its ids", () => {
    const stack = gitHubAccess({ repository: "team@12/inference@34", environments: [environment("dev")] });
    expect(trustOf(roles.deploy, stack)).toEqual(trust(["repo:team@12/inference@34:environment:dev"]));
  });

  test("a provider that the account has already is used", () => {
    const oidcProviderArn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com";
    const stack = gitHubAccess({ oidcProviderArn, environments: [environment("dev")] });
    expect(inventoryOf(stack)).not.toHaveProperty("aws_iam_openid_connect_provider");
    expect(trustOf(roles.deploy, stack)).toEqual(trust(["repo:team/inference:environment:dev"], oidcProviderArn));
  });
});

describe("the roles", () => {
  test("are outside of what a deployment may change", () => {
    for (const { type, attributes } of resourcesOf(json)) {
      if (type === "aws_iam_role" || type === "aws_iam_policy") expect(attributes.path).toBe("/github/");
    }
    const changed = attachedStatementsOf(json, roles.deploy)
      .filter(({ Action }) => Action.some((action) => /^iam:(?!Get|List)/.test(action)))
      .flatMap(({ Resource }) => Resource);
    expect(changed).toContain("arn:aws:iam::123456789012:role/poc-dev-*");
    expect(changed.filter((arn) => /github|:policy\/|oidc/.test(arn))).toEqual([]);
  });

  test("last as long as their work takes at most", () => {
    expect(attributesOf(roles.plan)).toMatchObject({ name: "poc-github-plan", max_session_duration: 3600 });
    expect(attributesOf(roles.deploy)).toMatchObject({ name: "poc-dev-deploy", max_session_duration: 14_400 });
  });

  test("can do nothing beside their policies", () => {
    expect(Object.keys(inventoryOf(json)).sort()).toEqual([
      "aws_iam_openid_connect_provider",
      "aws_iam_policy",
      "aws_iam_role",
      "aws_iam_role_policy_attachment",
    ]);
  });
});

/** What is allowed, each action with what it is allowed on. */
const allowed = (role: string) =>
  attachedStatementsOf(json, role).flatMap(({ Action, Resource, Condition }) =>
    Action.map((action) => ({ action, Resource, Condition })),
  );

const states = ["dev", "prod"].map((name) => `arn:aws:s3:::team-state/${name}.tfstate`);
const locks = states.map((state) => `${state}.tflock`);

describe("the plan role", () => {
  test("reads, and writes nothing but lock files", () => {
    const writes = allowed(roles.plan).filter(({ action }) => !/:(Get|List|Describe)[A-Z]|:GET$/.test(action));
    expect(writes).toEqual([
      { action: "s3:PutObject", Resource: locks },
      { action: "s3:DeleteObject", Resource: locks },
    ]);
  });

  test("reads no secret but what is in the state, the contracts, and no model", () => {
    const actions = allowed(roles.plan).map(({ action }) => action);
    expect(actions.filter((action) => /secretsmanager|GetStatementResult|sqs:Receive|GetRecord/.test(action))).toEqual(
      [],
    );
    expect(allowed(roles.plan).filter(({ action }) => action === "s3:GetObject")).toEqual([
      { action: "s3:GetObject", Resource: [...states, ...locks] },
      { action: "s3:GetObject", Resource: ["arn:aws:s3:::team-models/contracts/poc-*.json"] },
    ]);
  });
});

describe("the deploy role", () => {
  test("may do all that the plan role may, with what is its environment's", () => {
    const deploy = allowed(roles.deploy).map(({ action }) => action);
    expect(allowed(roles.plan).filter(({ action }) => !deploy.includes(action))).toEqual([]);
  });

  test("passes the project's roles on to the services that work in them, and to no other", () => {
    expect(allowed(roles.deploy).filter(({ action }) => action === "iam:PassRole")).toEqual([
      {
        action: "iam:PassRole",
        Resource: ["arn:aws:iam::123456789012:role/poc-dev-*"],
        Condition: {
          StringEquals: {
            "iam:PassedToService": [
              "lambda.amazonaws.com",
              "redshift.amazonaws.com",
              "sagemaker.amazonaws.com",
              "scheduler.amazonaws.com",
            ],
          },
        },
      },
    ]);
  });

  test("signs in to no cluster, and reads no secret", () => {
    const actions = ["redshift:GetClusterCredentials", "secretsmanager:GetSecretValue"];
    expect(allowed(roles.deploy).filter(({ action }) => actions.includes(action))).toEqual([]);
  });

  test("deletes networks and APIs by the tags of project and environment only", () => {
    const tagged = {
      StringEquals: { "aws:ResourceTag/Project": "our project", "aws:ResourceTag/Environment": "dev" },
    };
    for (const action of ["ec2:DeleteVpc", "ec2:DeleteSecurityGroup", "ec2:DeleteSubnet"]) {
      expect(allowed(roles.deploy).filter((permission) => permission.action === action)).toMatchObject([
        { Condition: tagged },
      ]);
    }
    const deletesApis = allowed(roles.deploy).filter(
      ({ action, Resource }) =>
        action === "apigateway:DELETE" && Resource.includes("arn:aws:apigateway:eu-west-1::/restapis/*"),
    );
    expect(deletesApis).toMatchObject([{ Condition: tagged }]);
  });

  test("deletes the buckets for answers alone, and of the others no object but its lock file and its contract", () => {
    const deletes = allowed(roles.deploy).filter(({ action }) => /^s3:Delete/.test(action));
    const contracts = { Resource: ["arn:aws:s3:::team-models/contracts/poc-dev.json"] };
    expect(deletes).toEqual([
      { action: "s3:DeleteObject", Resource: ["arn:aws:s3:::team-state/dev.tfstate.tflock"] },
      { action: "s3:DeleteBucket", Resource: ["arn:aws:s3:::team-state-dev-answers"] },
      { action: "s3:DeleteBucketPolicy", Resource: ["arn:aws:s3:::team-state-dev-answers"] },
      { action: "s3:DeleteObject", ...contracts },
      { action: "s3:DeleteObjectTagging", ...contracts },
      { action: "s3:DeleteObjectVersion", ...contracts },
      { action: "s3:DeleteObjectVersion", Resource: ["arn:aws:s3:::team-state-dev-answers/*"] },
    ]);
  });
});

/** How many policies each role holds. */
function heldIn(stack: string) {
  const held: Record<string, number> = {};
  for (const { type, attributes } of resourcesOf(stack)) {
    if (type === "aws_iam_role_policy_attachment")
      held[String(attributes.role)] = (held[String(attributes.role)] ?? 0) + 1;
  }
  expect(Object.keys(held).length).toBeGreaterThan(1);
  return held;
}

describe("IAM's limits", () => {
  test.each([
    ["this project", json],
    [
      "the longest names there can be",
      gitHubAccess({
        project: {
          ...project,
          region: "ap-southeast-1",
          prefix: "p".repeat(30),
          stateBucket: "s".repeat(63),
          modelBucket: "m".repeat(63),
        },
        environments: [
          {
            ...environment("e".repeat(26), "p".repeat(30)), // a role's name has 64 characters
            tags: { Project: "t".repeat(256), Environment: "e".repeat(26) },
            stateKey: "k".repeat(200),
            answersBucket: "a".repeat(63),
            artifactBuckets: ["b".repeat(63), "c".repeat(63)],
            written: [`s3://${"d".repeat(63)}/${"d".repeat(200)}`, `s3://${"f".repeat(63)}/${"f".repeat(200)}`],
            endpoint: `E${"e".repeat(62)}`,
          },
        ],
      }),
    ],
  ])("leave room for the policies of %s", (_, stack) => {
    const policies = resourcesOf(stack).filter(({ type }) => type === "aws_iam_policy");
    const lengths = policies.map(({ attributes }) => String(attributes.policy).length);
    expect(lengths.length).toBeGreaterThan(1);
    expect(lengths.filter((length) => length > limits.iam.managedPolicyLength.max)).toEqual([]);
    for (const role of Object.values(heldIn(stack))) {
      expect(role).toBeLessThanOrEqual(limits.iam.managedPoliciesOfRole.max);
    }
  });
});
