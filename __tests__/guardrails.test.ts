import { z } from "zod";
import { deployPermissions } from "../aws/deploy-permissions";
import { limits } from "../aws/limits";
import { roleBoundary } from "../aws/role-boundary";
import { stateStackWithGitHub, synthesizedStacks } from "./setup/stacks";
import { resourcesOf, roleStatementsOf, statementsOf } from "./setup/synth";

const stacks = Object.entries(synthesizedStacks());
const resources = stacks.flatMap(([stack, json]) => resourcesOf(json).map((resource) => ({ stack, ...resource })));
const ofType = (type: string) => resources.filter((resource) => resource.type === type);
const nameOf = ({ stack, address }: { stack: string; address: string }) => `${stack} ${address}`;
const namesOf = (found: { stack: string; address: string }[]) => found.map(nameOf);

/** The actions that AWS lets nobody narrow to a resource, and what narrows them instead. */
const mayNameNoResource: Record<string, { reason: string; condition?: string }> = {
  "redshift-data:DescribeStatement": {
    reason: "a statement has no ARN",
    condition: "redshift-data:statement-owner-iam-userid",
  },
  "redshift-data:GetStatementResult": {
    reason: "a statement has no ARN",
    condition: "redshift-data:statement-owner-iam-userid",
  },
  "redshift-data:CancelStatement": {
    reason: "a statement has no ARN",
    condition: "redshift-data:statement-owner-iam-userid",
  },
  "ecr:GetAuthorizationToken": { reason: "the token is for the account's registry as a whole" },
  "cloudwatch:PutMetricData": { reason: "a metric has no ARN", condition: "cloudwatch:namespace" },
};

/** AWS-managed policies in use, and why. */
const managedPolicies: Record<string, string> = {
  "arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs":
    "what API Gateway itself asks for to write access logs; no function holds it",
};

test("every stack is looked at", () => {
  expect(stacks.map(([name]) => name)).toEqual(["state", "inference-dev", "inference-prod"]);
});

describe("permissions", () => {
  const statements = stacks.flatMap(([stack, json]) =>
    roleStatementsOf(json).map((statement) => ({ stack, ...statement })),
  );

  test("name their actions one by one", () => {
    expect(statements.length).toBeGreaterThan(0);
    expect(statements.flatMap(({ Action }) => Action).filter((action) => action.includes("*"))).toEqual([]);
  });

  test("name their resources, but for the actions that take none", () => {
    const everywhere = statements.filter(({ Resource }) => Resource.includes("*"));
    expect(everywhere.length).toBeGreaterThan(0);
    for (const { Action, Condition = {} } of everywhere) {
      for (const action of Action) {
        expect(Object.keys(mayNameNoResource)).toContain(action);
        const { condition } = mayNameNoResource[action] ?? {};
        if (condition) expect(Object.values(Condition).flatMap(Object.keys)).toContain(condition);
      }
    }
  });

  test("reach into a resource by wildcard only for logs of one group, objects of one folder, and those of one name there", () => {
    const partly = statements.flatMap(({ Resource }) => Resource.filter((arn) => arn !== "*" && arn.includes("*")));
    const allowed = [
      /^\$\{aws_cloudwatch_log_group\.\w+\.arn\}:\*$/,
      /^arn:aws:logs:us-east-1:\*:log-group:\/aws\/sagemaker\/\w+(:\*)?$/, // SageMaker makes the group of its jobs
      /^\$\{aws_s3_bucket\.\w+\.arn\}\/\w+\/\*(\/\w+\.json)?$/,
    ];
    expect(partly.filter((arn) => !allowed.some((pattern) => pattern.test(arn)))).toEqual([]);
  });

  test("of a function are all there are: whatever its role has besides is taken off", () => {
    const attached = ofType("aws_iam_role_policy_attachments_exclusive");
    const inline = ofType("aws_iam_role_policies_exclusive");
    expect([attached, inline].map(({ length }) => length)).toEqual(Array(2).fill(ofType("aws_lambda_function").length));
    for (const { attributes } of attached) expect(attributes.policy_arns).toEqual([]);
    for (const { attributes } of inline) expect(attributes.policy_names).toHaveLength(1);
  });

  test("come from no AWS-managed policy but those with a reason", () => {
    const attached = ofType("aws_iam_role_policy_attachment").map(({ attributes }) => attributes.policy_arn);
    expect(attached.filter((arn) => !(String(arn) in managedPolicies))).toEqual([]);
    expect(ofType("aws_iam_policy_attachment")).toEqual([]); // exclusive across the whole account
  });
});

describe("permissions of GitHub's workflows, where a team deploys from there", () => {
  const resources = resourcesOf(stateStackWithGitHub());
  const environment = {
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
    kmsKeyArn: "arn:aws:kms:us-east-1:123456789012:key/own",
    stateKmsKeyArn: "arn:aws:kms:us-east-1:123456789012:key/shared",
    bastionKeyPair: "theirs",
    capacity: "on-demand" as const,
  };
  const permissions = [
    ...deployPermissions(environment).flatMap(({ plan, apply }) => [...plan, ...apply]),
    ...roleBoundary(environment, { artifactBuckets: [], written: ["s3://team-features/offline"], endpoint: "theirs" }),
  ];
  const ours = /[:/!]poc-dev(-\*|\.json$|\/names$)|our-state(\/dev\.tfstate|$)|our-answers|our-models$|"dev"/;
  const isOurs = (text: string) => ours.test(text);

  test("name their actions one by one", () => {
    const actions = resources
      .filter(({ type }) => type === "aws_iam_policy")
      .flatMap(({ attributes }) => statementsOf(attributes.policy))
      .flatMap(({ Action }) => Action);
    expect(actions.length).toBeGreaterThan(100);
    expect(actions.filter((action) => action.includes("*"))).toEqual([]);
  });

  test("reach beyond the project with a reason and not without", () => {
    for (const { actions, resources, condition, reason } of permissions) {
      const limited = resources.every(isOurs) || isOurs(JSON.stringify(condition ?? {}));
      expect({ actions, reason }).toEqual({ actions, reason: limited ? reason : expect.any(String) });
    }
  });

  test("come from no AWS-managed policy", () => {
    const attached = resources
      .filter(({ type, address }) => type === "aws_iam_role_policy_attachment" && address.includes("github"))
      .map(({ attributes }) => String(attributes.policy_arn));
    expect(attached.length).toBeGreaterThan(0);
    expect(attached.filter((arn) => !/^\$\{aws_iam_policy\.github_\w+\.arn\}$/.test(arn))).toEqual([]);
  });

  test("are given on GitHub's word to one repository each, never to a pattern", () => {
    const trusts = resources
      .filter(({ type, address }) => type === "aws_iam_role" && address.includes("github"))
      .map(({ attributes }) => String(attributes.assume_role_policy));
    expect(trusts).toHaveLength(3);
    expect(trusts.filter((trust) => /\*|StringLike/.test(trust))).toEqual([]);
  });
});

describe("data", () => {
  test("is encrypted in every queue, bucket and cluster", () => {
    const queues = ofType("aws_sqs_queue");
    const clusters = ofType("aws_redshift_cluster");
    expect(queues).toHaveLength(4);
    expect(clusters).toHaveLength(2);
    expect(namesOf(queues.filter(({ attributes }) => attributes.sqs_managed_sse_enabled !== true))).toEqual([]);
    expect(namesOf(clusters.filter(({ attributes }) => attributes.encrypted !== true))).toEqual([]);
    expect(ofType("aws_s3_bucket_server_side_encryption_configuration")).toHaveLength(ofType("aws_s3_bucket").length);
  });

  test("travels by TLS only", () => {
    const policies = [...ofType("aws_sqs_queue_policy"), ...ofType("aws_s3_bucket_policy")];
    expect(policies).toHaveLength(ofType("aws_sqs_queue").length + ofType("aws_s3_bucket").length);
    for (const { attributes } of policies) {
      expect(statementsOf(attributes.policy)).toContainEqual(
        expect.objectContaining({ Effect: "Deny", Condition: { Bool: { "aws:SecureTransport": "false" } } }),
      );
    }
    for (const { attributes } of ofType("aws_redshift_parameter_group")) {
      expect(attributes.parameter).toContainEqual({ name: "require_ssl", value: "true" });
    }
  });

  test("in buckets is versioned and private, and safe from terraform destroy and from whoever would empty them but in dev", () => {
    const buckets = ofType("aws_s3_bucket");
    expect(buckets).toHaveLength(5);
    expect(ofType("aws_s3_bucket_versioning")).toHaveLength(buckets.length);
    expect(ofType("aws_s3_bucket_public_access_block")).toHaveLength(buckets.length);
    const notInDev = ({ stack }: { stack: string }) => stack !== "inference-dev"; // where preventDestroy is false
    for (const { attributes } of buckets) expect(attributes).not.toHaveProperty("force_destroy");
    for (const { attributes } of buckets.filter(notInDev))
      expect(attributes.lifecycle).toEqual({ prevent_destroy: true });
    for (const { attributes } of ofType("aws_s3_bucket_policy").filter(notInDev)) {
      expect(statementsOf(attributes.policy).filter(({ Condition }) => Condition === undefined)).toEqual([
        expect.objectContaining({ Effect: "Deny", Action: ["s3:DeleteObjectVersion", "s3:DeleteBucket"] }),
      ]);
    }
  });

  test("that could not be had again is safe from terraform destroy in prod", () => {
    const prod = resources.filter(({ stack }) => stack === "inference-prod");
    const safe = prod.filter(({ attributes }) => Object(attributes.lifecycle).prevent_destroy === true);
    expect(safe.map(({ address }) => address).sort()).toEqual([
      "aws_api_gateway_rest_api.api_rest_api", // its address is what callers know
      "aws_redshift_cluster.warehouse_cluster",
      "aws_s3_bucket.outcomes_bucket",
      "aws_sagemaker_feature_group.features_group",
      "aws_sqs_queue.inference_dead_letter_queue",
      "aws_sqs_queue.inference_queue",
    ]);
  });

  test("holds no password and no key in any attribute", () => {
    const secret = /password|secret_key|private_key|access_key/;
    const named = resources.flatMap(({ attributes }) => Object.keys(attributes).filter((key) => secret.test(key)));
    expect(new Set(named)).toEqual(new Set(["manage_master_password"]));
  });
});

describe("failures", () => {
  test("every queue that a function empties has a dead-letter queue", () => {
    const emptied = ofType("aws_lambda_event_source_mapping").map(({ stack, attributes }) =>
      nameOf({ stack, address: String(attributes.event_source_arn).replace(/^\$\{(.+)\.arn\}$/, "$1") }),
    );
    const guarded = namesOf(ofType("aws_sqs_queue").filter(({ attributes }) => "redrive_policy" in attributes));
    expect(emptied).toHaveLength(2);
    expect(guarded).toEqual(expect.arrayContaining(emptied));
  });

  test("of one message are reported one by one", () => {
    for (const { attributes } of ofType("aws_lambda_event_source_mapping")) {
      expect(attributes.function_response_types).toEqual(["ReportBatchItemFailures"]);
    }
  });
});

describe("logs", () => {
  test("expire", () => {
    const logs = ofType("aws_cloudwatch_log_group");
    expect(logs.length).toBeGreaterThan(0);
    expect(namesOf(logs.filter(({ attributes }) => !(Number(attributes.retention_in_days) > 0)))).toEqual([]);
  });

  test("exist for every function before it does", () => {
    for (const { attributes } of ofType("aws_lambda_function")) {
      expect(attributes.depends_on).toContainEqual(expect.stringMatching(/^aws_cloudwatch_log_group\./));
    }
  });
});

describe("the network", () => {
  test("lets nothing in", () => {
    expect(namesOf(ofType("aws_vpc_security_group_ingress_rule"))).toEqual([]);
    expect(namesOf(ofType("aws_internet_gateway"))).toEqual([]);
    const groups = ofType("aws_security_group");
    expect(groups).toHaveLength(2);
    for (const { attributes } of groups) expect(attributes.ingress).toEqual([]);
    const defaults = ofType("aws_default_security_group");
    expect(defaults).toHaveLength(2);
    for (const { attributes } of defaults) expect(attributes).toMatchObject({ ingress: [], egress: [] });
    expect(
      namesOf(ofType("aws_redshift_cluster").filter(({ attributes }) => attributes.publicly_accessible !== false)),
    ).toEqual([]);
    expect(
      namesOf(ofType("aws_subnet").filter(({ attributes }) => attributes.map_public_ip_on_launch !== false)),
    ).toEqual([]);
  });

  test("has route tables that hold no route of their own", () => {
    const tables = ofType("aws_route_table");
    expect(tables).toHaveLength(2);
    for (const { attributes } of tables) expect(attributes.route).toEqual([]);
  });

  test("shows no route of an API to strangers", () => {
    const methods = ofType("aws_api_gateway_method");
    expect(methods.length).toBeGreaterThan(0);
    expect(namesOf(methods.filter(({ attributes }) => attributes.authorization !== "AWS_IAM"))).toEqual([]);
  });
});

test("functions run on a runtime that AWS supports", () => {
  const functions = ofType("aws_lambda_function");
  expect(functions).toHaveLength(12);
  for (const { attributes } of functions) expect(attributes.runtime).toBe("nodejs22.x");
});

const providers = z.object({
  provider: z.object({
    aws: z.array(z.object({ default_tags: z.array(z.object({ tags: z.record(z.string(), z.string()) })) })),
  }),
});

test.each(stacks)("%s tags everything that can carry a tag", (_, json) => {
  const [aws] = providers.parse(JSON.parse(json)).provider.aws;
  expect(aws?.default_tags.map(({ tags }) => Object.keys(tags).sort())).toEqual([
    ["Environment", "ManagedBy", "Owner", "Project"],
  ]);
  expect(resourcesOf(json).filter(({ attributes }) => "provider" in attributes)).toEqual([]); // no other provider
});

describe("calls of Redshift's Data API", () => {
  const settings = z.object({
    method_path: z.string(),
    settings: z.object({ throttling_rate_limit: z.number(), throttling_burst_limit: z.number() }),
  });
  const { executeStatementPerSecond, describeStatementPerSecond, getStatementResultPerSecond } = limits.redshiftData;

  test.each(["inference-dev", "inference-prod"])("by the API of %s are as many as an account may make", (stack) => {
    const routes = ofType("aws_api_gateway_method_settings").flatMap((one) =>
      one.stack === stack ? [settings.parse(one.attributes)] : [],
    );
    const rateOf = (path: string) => routes.find(({ method_path }) => method_path === path)?.settings;
    const [every, read] = [rateOf("*/*"), rateOf("~1predict~1{id}/GET")];
    const reads = read?.throttling_rate_limit ?? Number.POSITIVE_INFINITY;
    expect(reads).toBeLessThanOrEqual(every?.throttling_rate_limit ?? 0);
    expect(reads).toBeLessThanOrEqual(executeStatementPerSecond); // a GET runs a statement
    expect(3 * reads).toBeLessThanOrEqual(describeStatementPerSecond); // waits for it
    expect(reads).toBeLessThanOrEqual(getStatementResultPerSecond); // and reads its result
    expect(read?.throttling_burst_limit).toBeLessThanOrEqual(getStatementResultPerSecond);
  });
});
