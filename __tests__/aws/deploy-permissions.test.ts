import { deployPermissions } from "../../aws/deploy-permissions";
import { allows, iamActionOf } from "../setup/iam-actions";
import { fullStacks } from "../setup/stacks";
import { attachedStatementsOf, resourcesOf } from "../setup/synth";

const services = deployPermissions({
  account: "123456789012",
  region: "us-east-1",
  prefix: "poc-dev",
  tags: { Project: "our project", Environment: "dev" },
  stateBucket: "our-state",
  stateKeys: ["dev.tfstate"],
  answersBucket: "our-answers",
  modelBucket: "our-models",
  contractKey: "contracts/poc-dev.json",
  namesParameter: "/poc-dev/names",
  bastionKeyPair: "theirs",
});

test("every resource type of every environment is one that the roles' permissions are written for", () => {
  const known = services.flatMap(({ types }) => types);
  const { state, ...environments } = fullStacks();
  const made = Object.values(environments).flatMap((json) => resourcesOf(json).map(({ type }) => type));
  // A type that shows up here is new. Add to the service what Terraform calls to read it, to make, change and delete it.
  expect([...new Set(made)].filter((type) => type.startsWith("aws_") && !known.includes(type))).toEqual([]);
  expect(known).toEqual([...new Set(known)]);
});

test("no action is named twice in one list of a service, unless on other resources", () => {
  for (const { plan, apply } of services) {
    for (const permissions of [plan, apply]) {
      const named = permissions.flatMap(({ actions, ...rest }) =>
        actions.map((action) => JSON.stringify({ action, rest })),
      );
      expect(named).toEqual([...new Set(named)]);
    }
  }
});

describe("the calls of Terraform", () => {
  const state = fullStacks().state ?? "{}";
  const may = (role: "plan" | "deploy_dev", service: string, operation: string) => {
    const statements = attachedStatementsOf(state, `aws_iam_role.github_${role}_role`);
    return iamActionOf({ service, operation }).every((action) => allows(statements, action));
  };

  test.each([
    ["sts", "GetCallerIdentity"],
    ["s3", "ListObjectsV2"],
    ["s3", "HeadBucket"],
    ["s3", "GetBucketEncryption"],
    ["s3", "GetPublicAccessBlock"],
    ["s3", "DeleteObject"],
    ["apigateway", "GetRestApi"],
    ["monitoring", "DescribeAlarms"],
    ["lambda", "GetFunction20150331"],
    ["lambda", "GetFunctionCodeSigningConfig"],
    ["lambda", "GetFunctionEventInvokeConfig"],
    ["scheduler", "GetSchedule"],
  ])("that read, %s %s, are allowed to both roles", (service, operation) => {
    expect([may("plan", service, operation), may("deploy_dev", service, operation)]).toEqual([true, true]);
  });

  test.each([
    ["apigateway", "CreateRestApi"],
    ["apigateway", "PutIntegration"],
    ["ec2", "CreateVpc"],
    ["iam", "DetachRolePolicy"],
    ["iam", "PutRolePermissionsBoundary"],
    ["lambda", "CreateFunction"],
    ["redshift", "CreateCluster"],
    ["lambda", "Invoke"],
    ["lambda", "PutFunctionEventInvokeConfig"],
    ["scheduler", "CreateSchedule"],
    ["s3", "DeleteBucket"], // of answers
    ["s3", "ListObjectVersions"],
    ["s3", "PutBucketEncryption"],
    ["sagemaker", "CreateModel"],
    ["sqs", "CreateQueue"],
  ])("that write, %s %s, are allowed to the deploy role alone", (service, operation) => {
    expect([may("plan", service, operation), may("deploy_dev", service, operation)]).toEqual([false, true]);
  });

  test.each([
    ["iam", "CreateUser"],
    ["iam", "AttachRolePolicy"],
    ["iam", "CreatePolicy"],
    ["iam", "CreatePolicyVersion"],
    ["iam", "DeleteRolePermissionsBoundary"],
    ["iam", "GetOpenIDConnectProvider"],
    ["redshift-data", "ExecuteStatement"],
    ["redshift-data", "DescribeStatement"],
    ["kms", "Decrypt"],
  ])("that no stack needs, %s %s, are allowed to neither", (service, operation) => {
    expect([may("plan", service, operation), may("deploy_dev", service, operation)]).toEqual([false, false]);
  });
});
