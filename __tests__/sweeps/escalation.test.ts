import { z } from "zod";
import { type AskedCall, account, type Holder, lets, user } from "../setup/simulator";
import { fullConfig, keyArn, stacksWithGitHub, synthesizedStacks } from "../setup/stacks";
import { attachedStatementsOf, resourcesOf, roleStatementsOf, statementsOf } from "../setup/synth";

const { state = "", "inference-dev": dev = "", "inference-prod": prod = "" } = stacksWithGitHub();
const arnOf = (service: string, rest: string) => `arn:aws:${service}:us-east-1:${account}:${rest}`;
const iam = (rest: string) => `arn:aws:iam::${account}:${rest}`;
const attributesOf = (json: string, address: string) => {
  const found = resourcesOf(json).find((resource) => resource.address === address);
  if (!found) throw new Error(`no ${address}`);
  return found.attributes;
};
const buckets = {
  state: String(attributesOf(state, "aws_s3_bucket.state_bucket").bucket),
  models: String(attributesOf(state, "aws_s3_bucket.models_bucket").bucket),
  answers: String(attributesOf(dev, "aws_s3_bucket.outcomes_bucket").bucket),
};

const boundary = iam("policy/github/poc-dev-boundary");
const withBoundary = { "iam:PermissionsBoundary": boundary };
const deploysDev: Holder = { policies: attachedStatementsOf(state, "aws_iam_role.github_deploy_dev_role") };
const call = (action: string, resource: string, context: AskedCall["context"] = {}): AskedCall => ({
  action,
  resource,
  context,
});
const role = iam("role/poc-dev-Worker");
const tagsOf = (key: "RequestTag" | "ResourceTag", environment: string) => ({
  [`aws:${key}/Project`]: "your-project",
  [`aws:${key}/Environment`]: environment,
});

describe("who deploys dev from GitHub", () => {
  test.each([
    call("iam:CreateRole", role, withBoundary),
    call("iam:PutRolePermissionsBoundary", role, withBoundary),
    call("iam:PutRolePolicy", role, withBoundary),
    call("iam:UpdateAssumeRolePolicy", role, withBoundary),
    call("iam:PassRole", role, { "iam:PassedToService": "lambda.amazonaws.com" }),
    call("s3:GetObject", `arn:aws:s3:::${buckets.state}/inference-dev/terraform.tfstate`),
    call("s3:PutObject", `arn:aws:s3:::${buckets.state}/inference-dev/terraform.tfstate`),
    call("s3:DeleteObject", `arn:aws:s3:::${buckets.state}/inference-dev/terraform.tfstate.tflock`),
    call("ec2:CreateTags", arnOf("ec2", "security-group/sg-made-with-the-vpc"), tagsOf("RequestTag", "dev")),
    call("ec2:RevokeSecurityGroupIngress", arnOf("ec2", "security-group/sg-dev"), tagsOf("ResourceTag", "dev")),
  ])("may call $action on $resource", async (asked) => {
    expect(await lets(deploysDev, asked)).toBe(true);
  });

  const admin = "arn:aws:iam::aws:policy/AdministratorAccess";
  const others = tagsOf("ResourceTag", "prod");
  const escalations: [string, ...AskedCall[]][] = [
    ["makes a role without a boundary", call("iam:CreateRole", role)],
    [
      "makes a role with a boundary that bounds nothing",
      call("iam:CreateRole", role, { "iam:PermissionsBoundary": admin }),
    ],
    [
      "makes a role with another environment's boundary",
      call("iam:CreateRole", role, { "iam:PermissionsBoundary": iam("policy/github/poc-prod-boundary") }),
    ],
    ["takes the boundary off a role", call("iam:DeleteRolePermissionsBoundary", role, withBoundary)],
    [
      "gives a role another boundary",
      call("iam:PutRolePermissionsBoundary", role, { "iam:PermissionsBoundary": admin }),
    ],
    [
      "changes what the boundary says",
      call("iam:CreatePolicyVersion", boundary),
      call("iam:SetDefaultPolicyVersion", boundary),
      call("iam:DeletePolicyVersion", boundary),
      call("iam:DeletePolicy", boundary),
    ],
    ["makes a policy to have it attached", call("iam:CreatePolicy", iam("policy/poc-dev-mine"))],
    ["writes a policy for a role that has no boundary", call("iam:PutRolePolicy", role)],
    [
      "attaches AWS's policy for administrators",
      call("iam:AttachRolePolicy", role, { ...withBoundary, "iam:PolicyARN": admin }),
    ],
    ["has itself trusted by a role without a boundary", call("iam:UpdateAssumeRolePolicy", role)],
    [
      "changes itself, or the role that plans",
      ...["poc-dev-deploy", "poc-github-plan"].flatMap((name) =>
        ["iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:UpdateAssumeRolePolicy", "iam:CreateRole"].map((action) =>
          call(action, iam(`role/github/${name}`), { ...withBoundary, "iam:PolicyARN": admin }),
        ),
      ),
    ],
    [
      "changes what GitHub vouches for",
      call("iam:UpdateOpenIDConnectProviderThumbprint", iam("oidc-provider/token.actions.githubusercontent.com")),
      call("iam:AddClientIDToOpenIDConnectProvider", iam("oidc-provider/token.actions.githubusercontent.com")),
    ],
    [
      "makes a user or a key",
      call("iam:CreateUser", iam("user/poc-dev-me")),
      call("iam:CreateAccessKey", iam("user/poc-dev-me")),
    ],
    ["takes on a role", call("sts:AssumeRole", role), call("sts:AssumeRole", iam("role/Admin"))],
    [
      "has a service work in a role that is not the environment's",
      ...["Admin", "poc-prod-Worker", "poc-model-compilation", "github/poc-dev-deploy"].map((name) =>
        call("iam:PassRole", iam(`role/${name}`), { "iam:PassedToService": "lambda.amazonaws.com" }),
      ),
    ],
    [
      "passes a role to a service that it deploys nothing with",
      ...["ec2", "cloudformation", "codebuild", "ecs-tasks", "glue", "apigateway", "datapipeline"].map((service) =>
        call("iam:PassRole", role, { "iam:PassedToService": `${service}.amazonaws.com` }),
      ),
    ],
    [
      "has another's function run its code",
      call("lambda:UpdateFunctionCode", arnOf("lambda", "function:poc-prod-api")),
      call("lambda:UpdateFunctionConfiguration", arnOf("lambda", "function:theirs")),
      call("lambda:InvokeFunction", arnOf("lambda", "function:poc-prod-schema")),
    ],
    [
      "reads or writes another state",
      ...["inference-prod", "state"].flatMap((stack) =>
        ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"].flatMap((action) => [
          call(action, `arn:aws:s3:::${buckets.state}/${stack}/terraform.tfstate`),
          call(action, `arn:aws:s3:::${buckets.state}/${stack}/terraform.tfstate.tflock`),
        ]),
      ),
    ],
    [
      "has the buckets of states and models opened or emptied",
      ...[buckets.state, buckets.models].flatMap((bucket) =>
        ["s3:PutBucketPolicy", "s3:DeleteBucketPolicy", "s3:DeleteBucket", "s3:PutBucketVersioning"].map((action) =>
          call(action, `arn:aws:s3:::${bucket}`),
        ),
      ),
      call("s3:DeleteObjectVersion", `arn:aws:s3:::${buckets.state}/inference-dev/terraform.tfstate`),
      call("s3:PutObject", `arn:aws:s3:::${buckets.models}/contracts/poc-prod.json`),
      call("s3:PutObject", `arn:aws:s3:::${buckets.models}/model.tar.gz`),
    ],
    ["sets what API Gateway writes all logs with", call("apigateway:PATCH", "arn:aws:apigateway:us-east-1::/account")],
    [
      "changes the network or the API of another environment",
      call("ec2:DeleteVpc", arnOf("ec2", "vpc/vpc-1"), others),
      call("ec2:CreateTags", arnOf("ec2", "vpc/vpc-1"), others),
      call("apigateway:DELETE", "arn:aws:apigateway:us-east-1::/restapis/abc", others),
    ],
    [
      "makes a security group its own that is another's, or opens one",
      call("ec2:CreateTags", arnOf("ec2", "security-group/sg-1"), { ...others, ...tagsOf("RequestTag", "dev") }),
      call("ec2:CreateTags", arnOf("ec2", "security-group/sg-1"), {
        "aws:ResourceTag/Project": "theirs",
        ...tagsOf("RequestTag", "dev"),
      }),
      call("ec2:CreateTags", arnOf("ec2", "vpc/vpc-1"), tagsOf("RequestTag", "dev")),
      call("ec2:RevokeSecurityGroupIngress", arnOf("ec2", "security-group/sg-1")),
      call("ec2:AuthorizeSecurityGroupIngress", arnOf("ec2", "security-group/sg-1"), tagsOf("ResourceTag", "dev")),
    ],
    [
      "reads the admin's password, or signs in as whom it likes",
      call("secretsmanager:GetSecretValue", arnOf("secretsmanager", "secret:redshift!poc-dev-warehouse-admin-AbCdEf")),
      call("redshift:GetClusterCredentials", arnOf("redshift", "dbuser:poc-dev-warehouse/admin")),
    ],
  ];
  test.each(escalations)("gets nowhere who %s", async (_, ...calls) => {
    expect(calls.length).toBeGreaterThan(0);
    const allowed = await Promise.all(calls.map((asked) => lets(deploysDev, asked)));
    expect(calls.filter((_, place) => allowed[place])).toEqual([]);
  });
});

const boundaryOf = (environment: string, json = state) =>
  statementsOf(attributesOf(json, `aws_iam_policy.github_${environment}_boundary`).policy);

describe("a KMS key of the team's", () => {
  const { state = "" } = stacksWithGitHub(fullConfig());
  const full: Holder = { policies: attachedStatementsOf(state, "aws_iam_role.github_deploy_full_role") };
  const plan: Holder = { policies: attachedStatementsOf(state, "aws_iam_role.github_plan_role") };
  const withinBoundary: Holder = { policies: boundaryOf("full", state) };
  const [own, shared] = [keyArn("own"), keyArn("shared")];
  const forAws = { "kms:GrantIsForAWSResource": "true" };

  test("is used and lent to Redshift by who deploys, and lent to nobody else", async () => {
    const may = (holder: Holder, action: string, key: string, context = {}) => lets(holder, call(action, key, context));
    for (const holder of [full, withinBoundary]) {
      expect(await may(holder, "kms:CreateGrant", own, forAws)).toBe(true);
      expect(await may(holder, "kms:CreateGrant", own)).toBe(false);
      expect(await may(holder, "kms:CreateGrant", own, { "kms:GrantIsForAWSResource": "false" })).toBe(false);
      expect(await may(holder, "kms:CreateGrant", shared, forAws)).toBe(false);
      expect(await may(holder, "kms:Decrypt", shared)).toBe(true); // states, contracts and models
      expect(await may(holder, "kms:Decrypt", keyArn("theirs"))).toBe(false);
    }
    expect([await may(plan, "kms:Decrypt", shared), await may(plan, "kms:Decrypt", own)]).toEqual([true, false]);
  });

  test.each([
    "kms:PutKeyPolicy",
    "kms:ScheduleKeyDeletion",
    "kms:DisableKey",
    "kms:CreateAlias",
    "kms:RetireGrant",
    "kms:RevokeGrant",
  ])("is changed by none of these roles: %s", async (action) => {
    const allowed = await Promise.all(
      [full, plan, withinBoundary].flatMap((holder) => [own, shared].map((key) => lets(holder, call(action, key)))),
    );
    expect(allowed).toEqual(Array(6).fill(false));
  });
});

describe("a bastion", () => {
  const { state: withBastion = "", "inference-full": json = "" } = stacksWithGitHub(fullConfig());
  const deploys: Holder = { policies: attachedStatementsOf(withBastion, "aws_iam_role.github_deploy_full_role") };
  const plans: Holder = { policies: attachedStatementsOf(withBastion, "aws_iam_role.github_plan_role") };
  const made = tagsOf("RequestTag", "full");
  const ours = tagsOf("ResourceTag", "full");
  const ec2 = (rest: string) => arnOf("ec2", rest);
  const { instance_type: type } = attributesOf(json, "aws_instance.bastion_instance");
  const { key_name: key } = attributesOf(json, "aws_key_pair.access_key_pair");
  const image = "arn:aws:ec2:us-east-1::image/ami-1";
  const run = (rest: string, context: AskedCall["context"]) => call("ec2:RunInstances", ec2(rest), context);
  const ofType = (name: unknown) => ({ "ec2:InstanceType": String(name) });
  const group = ec2("security-group/sg-1");

  const needed = [
    run("instance/*", { ...made, ...ofType(type) }),
    run("volume/*", made),
    run("network-interface/*", {}),
    run("subnet/subnet-1", ours),
    run("security-group/sg-1", ours),
    run(`key-pair/${key}`, {}),
    call("ec2:RunInstances", image, { "ec2:Owner": "amazon" }),
    ...["instance/i-1", "volume/vol-1"].map((one) =>
      call("ec2:CreateTags", ec2(one), { ...made, "ec2:CreateAction": "RunInstances" }),
    ),
    call("ec2:TerminateInstances", ec2("instance/i-1"), ours),
    call("ec2:CreateInstanceConnectEndpoint", ec2("instance-connect-endpoint/*"), made),
    call("ec2:CreateInstanceConnectEndpoint", ec2("subnet/subnet-1"), ours),
    call("ec2:CreateInstanceConnectEndpoint", group, ours),
    call("ec2:CreateNetworkInterface", ec2("subnet/subnet-1"), ours),
    call("ec2:DeleteInstanceConnectEndpoint", ec2("instance-connect-endpoint/eice-1"), ours),
    call("ec2:AuthorizeSecurityGroupIngress", group, ours),
    call("ec2:AuthorizeSecurityGroupIngress", ec2("security-group-rule/*"), made),
    call("ec2:RevokeSecurityGroupIngress", group, ours),
  ];

  test.each(needed)("lets who deploys it call $action on $resource", async (asked) => {
    expect(await lets(deploys, asked)).toBe(true);
  });

  test("opens no tunnel to who deploys it, or plans", () => {
    const actions = [deploys, plans].flatMap(({ policies }) => policies.flatMap(({ Action }) => Action));
    expect(actions.filter((action) => action.startsWith("ec2-instance-connect:"))).toEqual([]);
  });

  test("is nothing that who deploys an environment without one may make, nor who plans", async () => {
    const asked = needed.filter(({ action }) => action !== "ec2:RevokeSecurityGroupIngress");
    const [dev, full] = [tagsOf("ResourceTag", "dev"), tagsOf("RequestTag", "dev")];
    const ofDev = asked.map((one) => ({ ...one, context: { ...one.context, ...dev, ...full } }));
    const allowed = await Promise.all([
      ...ofDev.map((one) => lets(deploysDev, one)),
      ...asked.map((one) => lets(plans, one)),
    ]);
    expect(allowed).toEqual(Array(2 * asked.length).fill(false));
  });

  const others = tagsOf("ResourceTag", "prod");
  const escalations: [string, ...AskedCall[]][] = [
    ["runs what is not the environment's own", run("instance/*", ofType(type)), run("volume/*", {})],
    ["runs what costs or reckons more", run("instance/*", { ...made, ...ofType("p5.48xlarge") })],
    ["runs what is in another's network", run("subnet/subnet-1", others), run("security-group/sg-1", others)],
    ["runs what another's key opens", run("key-pair/poc-prod-key-pair", {})],
    ["runs an image that is not AWS's", call("ec2:RunInstances", image, { "ec2:Owner": "999999999999" })],
    [
      "gives an instance a role",
      call("iam:PassRole", iam("role/poc-full-Worker"), { "iam:PassedToService": "ec2.amazonaws.com" }),
      call("ec2:AssociateIamInstanceProfile", ec2("instance/i-1"), ours),
      call("iam:AddRoleToInstanceProfile", iam("instance-profile/poc-full-mine"), withBoundary),
    ],
    [
      "makes another's instance, disk or endpoint its own",
      ...["instance/i-1", "volume/vol-1", "instance-connect-endpoint/eice-1"].flatMap((one) => [
        call("ec2:CreateTags", ec2(one), { ...others, ...made }),
        call("ec2:CreateTags", ec2(one), made),
      ]),
    ],
    [
      "ends what is another's",
      call("ec2:TerminateInstances", ec2("instance/i-1"), others),
      call("ec2:DeleteInstanceConnectEndpoint", ec2("instance-connect-endpoint/eice-1"), others),
    ],
    [
      "opens another's group, or has an endpoint lead there",
      call("ec2:AuthorizeSecurityGroupIngress", group, others),
      call("ec2:AuthorizeSecurityGroupIngress", group),
      call("ec2:CreateInstanceConnectEndpoint", ec2("subnet/subnet-1"), others),
    ],
    [
      "makes a way to the internet for a group that it opens",
      call("ec2:CreateInternetGateway", ec2("internet-gateway/*"), made),
      call("ec2:AttachInternetGateway", ec2("vpc/vpc-1"), ours),
      call("ec2:CreateRoute", ec2("route-table/rtb-1"), ours),
      call("ec2:AllocateAddress", ec2("elastic-ip/*"), made),
    ],
    [
      "comes in by the bastion, or has it run something else",
      call("ec2-instance-connect:SendSSHPublicKey", ec2("instance/i-1"), ours),
      call("ec2:ModifyInstanceAttribute", ec2("instance/i-1"), ours),
      call("ec2:StopInstances", ec2("instance/i-1"), ours),
    ],
  ];
  test.each(escalations)("gets nobody anywhere who %s", async (_, ...calls) => {
    const allowed = await Promise.all(calls.map((asked) => lets(deploys, asked)));
    expect(calls.filter((_, place) => allowed[place])).toEqual([]);
  });
});

/** A call that changes a resource of a stack, by its type. */
const changes: Record<string, (attributes: Record<string, unknown>) => [action: string, resource: string]> = {
  aws_cloudwatch_log_group: ({ name }) => ["logs:DeleteLogGroup", arnOf("logs", `log-group:${name}`)],
  aws_cloudwatch_metric_alarm: ({ alarm_name }) => [
    "cloudwatch:DeleteAlarms",
    arnOf("cloudwatch", `alarm:${alarm_name}`),
  ],
  aws_cloudwatch_dashboard: ({ dashboard_name: name }) => [
    "cloudwatch:PutDashboard",
    `arn:aws:cloudwatch::${account}:dashboard/${name}`,
  ],
  aws_iam_role: ({ name }) => ["iam:DeleteRole", iam(`role/${name}`)],
  aws_lambda_function: ({ function_name: name }) => ["lambda:UpdateFunctionCode", arnOf("lambda", `function:${name}`)],
  aws_redshift_cluster: ({ cluster_identifier: id }) => ["redshift:ModifyCluster", arnOf("redshift", `cluster:${id}`)],
  aws_redshift_parameter_group: ({ name }) => [
    "redshift:ModifyClusterParameterGroup",
    arnOf("redshift", `parametergroup:${name}`),
  ],
  aws_redshift_subnet_group: ({ name }) => [
    "redshift:ModifyClusterSubnetGroup",
    arnOf("redshift", `subnetgroup:${name}`),
  ],
  aws_redshiftserverless_workgroup: () => [
    "redshift-serverless:UpdateWorkgroup",
    arnOf("redshift-serverless", "workgroup/its-id"),
  ],
  aws_s3_bucket: ({ bucket }) => ["s3:PutBucketPolicy", `arn:aws:s3:::${bucket}`],
  aws_s3_object: ({ bucket, key }) => ["s3:PutObject", `arn:aws:s3:::${bucket}/${key}`],
  aws_sagemaker_endpoint: ({ name }) => ["sagemaker:DeleteEndpoint", arnOf("sagemaker", `endpoint/${name}`)],
  aws_sagemaker_endpoint_configuration: ({ name }) => [
    "sagemaker:DeleteEndpointConfig",
    arnOf("sagemaker", `endpoint-config/${name}`),
  ],
  aws_sagemaker_feature_group: ({ feature_group_name: name }) => [
    "sagemaker:DeleteFeatureGroup",
    arnOf("sagemaker", `feature-group/${name}`),
  ],
  aws_sagemaker_model: ({ name }) => ["sagemaker:DeleteModel", arnOf("sagemaker", `model/${name}`)],
  aws_scheduler_schedule: ({ name }) => ["scheduler:UpdateSchedule", arnOf("scheduler", `schedule/default/${name}`)],
  aws_sqs_queue: ({ name }) => ["sqs:SetQueueAttributes", arnOf("sqs", String(name))],
  aws_ssm_parameter: ({ name }) => ["ssm:PutParameter", arnOf("ssm", `parameter${name}`)],
};

test("who deploys dev from GitHub may change what dev has, and nothing that prod has", async () => {
  const allowedOf = async (json: string) => {
    const calls = resourcesOf(json).flatMap(({ type, attributes }) => changes[type]?.(attributes) ?? []);
    const pairs = Array.from({ length: calls.length / 2 }, (_, place) => calls.slice(2 * place, 2 * place + 2));
    const asked = pairs.map(([action = "", resource = ""]) => call(action, resource));
    expect(asked.length).toBeGreaterThan(40);
    const allowed = await Promise.all(asked.map((one) => lets(deploysDev, one)));
    return {
      allowed: asked.filter((_, place) => allowed[place]),
      refused: asked.filter((_, place) => !allowed[place]),
    };
  };
  expect((await allowedOf(dev)).refused).toEqual([]);
  expect((await allowedOf(prod)).allowed).toEqual([]);
});

describe("a role of dev", () => {
  const everything = statementsOf(JSON.stringify({ Statement: [{ Effect: "Allow", Action: "*", Resource: "*" }] }));
  const mighty: Holder = { policies: everything, boundary: boundaryOf("dev") };

  test("has the boundary, where a team deploys from GitHub", () => {
    const boundariesOf = (json: string) =>
      resourcesOf(json)
        .filter(({ type }) => type === "aws_iam_role")
        .map(({ attributes }) => attributes.permissions_boundary);
    const { name, path } = attributesOf(state, "aws_iam_policy.github_dev_boundary");
    expect(`policy${path}${name}`).toBe("policy/github/poc-dev-boundary");
    expect(boundariesOf(dev).length).toBeGreaterThan(10);
    expect([...new Set(boundariesOf(dev))]).toEqual([boundary]);
    expect([...new Set(boundariesOf(prod))]).toEqual([iam("policy/github/poc-prod-boundary")]);
    const { "inference-dev": alone = "" } = synthesizedStacks();
    expect([...new Set(boundariesOf(alone))]).toEqual([undefined]);
  });

  test.each([
    call("iam:CreateUser", iam("user/me")),
    call("iam:CreateRole", role, withBoundary),
    call("iam:PutRolePolicy", role, withBoundary),
    call("iam:AttachRolePolicy", role),
    call("iam:DeleteRolePermissionsBoundary", role),
    call("iam:CreatePolicyVersion", boundary),
    call("iam:PassRole", role, { "iam:PassedToService": "lambda.amazonaws.com" }),
    call("sts:AssumeRole", iam("role/Admin")),
    call("lambda:UpdateFunctionCode", arnOf("lambda", "function:poc-dev-api")),
    call("lambda:InvokeFunction", arnOf("lambda", "function:poc-prod-schema")),
    call("s3:GetObject", `arn:aws:s3:::${buckets.state}/inference-dev/terraform.tfstate`),
    call("s3:PutObject", `arn:aws:s3:::${buckets.models}/model.tar.gz`),
    call("s3:PutBucketPolicy", `arn:aws:s3:::${buckets.answers}`),
    call("s3:GetObject", `arn:aws:s3:::${buckets.answers.replace("dev", "prod")}/staged/1`),
    call("sqs:ReceiveMessage", arnOf("sqs", "poc-prod-inference_queue")),
    call("sagemaker:InvokeEndpoint", arnOf("sagemaker", "endpoint/theirs")),
    call("redshift:GetClusterCredentials", arnOf("redshift", "dbuser:poc-prod-warehouse/admin")),
    call("secretsmanager:GetSecretValue", arnOf("secretsmanager", "secret:redshift!poc-dev-warehouse-admin-AbCdEf")),
    call("ec2:RunInstances", arnOf("ec2", "instance/*")),
    call("kms:Decrypt", arnOf("kms", "key/1")),
  ])("that is allowed everything may still not call $action on $resource", async (asked) => {
    expect(await lets(mighty, asked)).toBe(false);
  });
});

/** What an expression of Terraform's in a statement of a stack comes to, whose names start with a prefix. */
function resolved(json: string, prefix: string, resource: string): string {
  const locals: Record<string, string> = {
    warehouse_database_arn: arnOf("redshift", `dbname:${prefix}-warehouse/predictions`),
    warehouse_reader_arn: arnOf("redshift", `dbuser:${prefix}-warehouse/reader`),
    warehouse_admin_arn: arnOf("redshift", `dbuser:${prefix}-warehouse/admin`),
    events_arn: arnOf("events", "event-bus/default"),
  };
  return resource
    .replace(/\$\{local\.(\w+)\}/, (_, name: string) => locals[name] ?? name)
    .replace(/\$\{data\.aws_caller_identity\.\w+\.account_id\}/, account)
    .replace(
      /\$\{aws_redshiftserverless_namespace\.\w+\.admin_password_secret_arn\}/,
      arnOf("secretsmanager", `secret:redshift!${prefix}-predictions-on-demand-admin-AbCdEf`),
    )
    .replace(/\$\{(\w+)\.(\w+)\.arn\}/, (_, type: string, name: string) => {
      const [, arn] = changes[type]?.(attributesOf(json, `${type}.${name}`)) ?? [];
      if (arn === undefined) throw new Error(`no ARN is known for ${type}`);
      return arn;
    });
}

/** The calls that the roles of an environment are for. */
function callsOfRoles(json: string, prefix: string): AskedCall[] {
  const values = z.record(z.string(), z.union([z.string(), z.array(z.string())]));
  return roleStatementsOf(json).flatMap(({ Action, Resource, Condition = {} }) => {
    const context = {
      ...Object.assign({}, ...Object.values(Condition).map((keys) => values.parse(keys))),
      "redshift-data:statement-owner-iam-userid": user,
      ...tagsOf("ResourceTag", prefix.replace("poc-", "")),
    };
    return Action.flatMap((action) =>
      Resource.map((pattern) => {
        const arn = pattern === "*" ? pattern : resolved(json, prefix, pattern);
        const stream = action === "logs:DescribeLogStreams" ? "" : ":log-stream:x";
        const one = arn.startsWith("arn:aws:logs:") ? arn.replace(/:\*$/, stream) : arn;
        return call(action, one === "*" ? one : one.replaceAll("*", "x"), context);
      }),
    );
  });
}

test("what the roles of an environment are for is within its boundary, which allows nothing that none of them needs", async () => {
  const { state: full = "", ...environments } = stacksWithGitHub(fullConfig());
  const unused = new Set<string>();
  const needed = new Set<string>();
  for (const [stack, json] of Object.entries(environments)) {
    const name = stack.replace("inference-", "");
    const within: Holder = { policies: boundaryOf(name, full) };
    const calls = callsOfRoles(json, `poc-${name}`);
    expect(calls.length).toBeGreaterThan(80);
    const allowed = await Promise.all(calls.map((one) => lets(within, one)));
    // What is told here is what some role is for, and would be refused on AWS: add it to aws/role-boundary.ts.
    expect(calls.filter((_, place) => !allowed[place])).toEqual([]);
    for (const { action } of calls) needed.add(action);
    for (const action of within.policies.flatMap(({ Action }) => Action)) unused.add(action);
  }
  expect([...unused].filter((action) => !needed.has(action))).toEqual([]);
});

test("a service that says whose resources it works for takes on a role for this account's alone", () => {
  const trusted = z.object({
    Statement: z.tuple([
      z.object({
        Principal: z.object({ Service: z.string() }),
        Condition: z.record(z.string(), z.unknown()).optional(),
      }),
    ]),
  });
  const trusts = [state, dev].flatMap((json) =>
    resourcesOf(json)
      .filter(({ type, attributes }) => type === "aws_iam_role" && attributes.path === undefined)
      .map(({ address, attributes }) => {
        const [{ Principal, Condition }] = trusted.parse(JSON.parse(String(attributes.assume_role_policy))).Statement;
        return { role: address.replace("aws_iam_role.", ""), service: Principal.Service, Condition };
      }),
  );
  const ofAccount = { StringEquals: { "aws:SourceAccount": account } };
  const limited = trusts.filter(({ Condition }) => Condition !== undefined);
  expect(limited.map(({ role }) => role).sort()).toEqual([
    "loading_schedule_role",
    "model_compilation_role",
    "model_execution_role",
    "starting_schedule_role",
    "writing_schedule_role",
  ]);
  for (const { Condition } of limited) expect(Condition).toEqual(ofAccount);
  const { "inference-dev": anyAccount = "" } = synthesizedStacks();
  expect(String(attributesOf(anyAccount, "aws_iam_role.loading_schedule_role").assume_role_policy)).toContain(
    '"aws:SourceAccount":"${data.aws_caller_identity.account.account_id}"',
  );
});
