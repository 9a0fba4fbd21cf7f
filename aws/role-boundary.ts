import { arnIn } from "./partitions";
import { forKey, type Permission, type Scope, toAwsAlone } from "./permission";

/** What the roles of an environment reach beside what is its own. */
export interface Beyond {
  /** Buckets of model artifacts that its endpoint serves, beside the project's own. */
  readonly artifactBuckets: readonly string[];
  /** S3 URIs that SageMaker writes under: the offline store, and the sample of what was asked. */
  readonly written: readonly string[];
  /** The endpoint that it asks, where it makes none. */
  readonly endpoint?: string;
}

/**
 * The most that a role of an environment may be allowed to do, whatever policies it has. A role that a deployment makes
 * has it as its permissions boundary (https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html),
 * so that it stays within the environment: nothing here makes, changes or passes a role, or anything else that would
 * outlast it. What a role needs beyond this, it does not get: add it here, where it is reviewed.
 */
export function roleBoundary(scope: Scope, { artifactBuckets, written, endpoint }: Beyond): Permission[] {
  const { account, region, prefix, answersBucket, modelBucket } = scope;
  const arn = (resource: string) => arnIn(region, resource);
  const inRegion = (service: string, resource: string) => arn(`${service}:${region}:${account}:${resource}`);
  const ours = (service: string, ...kinds: string[]) => kinds.map((kind) => inRegion(service, `${kind}${prefix}-*`));
  const s3 = (path: string) => arn(`s3:::${path}`);
  const locations = written.map((uri) => uri.replace(/^s3:\/\//, "").replace(/\/$/, ""));
  // SageMaker writes a name in lower case into the ARN that permissions are checked by.
  const asked = endpoint === undefined ? [] : [...new Set([endpoint, endpoint.toLowerCase()])];

  return [
    {
      actions: ["s3:DeleteObject", "s3:GetBucketLocation", "s3:GetObject", "s3:ListBucket", "s3:PutObject"],
      resources: [s3(answersBucket), s3(`${answersBucket}/*`)],
    },
    {
      actions: ["s3:GetObject"],
      resources: [...new Set([modelBucket, ...artifactBuckets])].map((bucket) => s3(`${bucket}/*`)),
      reason: "a model's artifact may lie in a bucket of the team's own",
    },
    ...(locations.length === 0
      ? []
      : [
          {
            actions: ["s3:GetBucketAcl", "s3:PutObject", "s3:PutObjectAcl"],
            resources: locations.flatMap((location) => [s3(location.split("/")[0] ?? ""), s3(`${location}/*`)]),
            reason: "the settings of the environment say that SageMaker writes there",
          },
        ]),
    {
      actions: [
        "sqs:ChangeMessageVisibility",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ReceiveMessage",
        "sqs:SendMessage",
      ],
      resources: ours("sqs", ""),
    },
    { actions: ["lambda:InvokeFunction"], resources: ours("lambda", "function:") },
    { actions: ["sagemaker:BatchGetRecord"], resources: ours("sagemaker", "feature-group/") },
    {
      actions: ["sagemaker:DescribeEndpoint", "sagemaker:InvokeEndpoint"],
      resources: [...ours("sagemaker", "endpoint/"), ...asked.map((name) => inRegion("sagemaker", `endpoint/${name}`))],
      reason: "the settings of the environment may name an endpoint that it does not make",
    },
    {
      actions: ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
      resources: ours("logs", "log-group:/aws/lambda/", "log-group:/aws/sagemaker/Endpoints/"),
    },
    { actions: ["cloudwatch:DescribeAlarms"], resources: ours("cloudwatch", "alarm:") },
    {
      actions: ["redshift-data:BatchExecuteStatement", "redshift-data:ExecuteStatement"],
      resources: ours("redshift", "cluster:"),
    },
    { actions: ["redshift:PauseCluster", "redshift:ResumeCluster"], resources: ours("redshift", "cluster:") },
    {
      actions: ["redshift:GetClusterCredentials", "redshift:GetClusterCredentialsWithIAM"],
      resources: ours("redshift", "dbname:", "dbuser:"),
    },
    ...(scope.capacity === "on-demand" ? serverlessBoundary(scope) : []),
    {
      actions: ["redshift-data:CancelStatement", "redshift-data:DescribeStatement", "redshift-data:GetStatementResult"],
      resources: ["*"],
      condition: { StringEquals: { "redshift-data:statement-owner-iam-userid": "$${aws:userid}" } }, // $$: Terraform's
      reason: "they know no resource; the condition leaves a role the statements that it sent itself",
    },
    ...[...new Set([scope.kmsKeyArn, scope.stateKmsKeyArn])].flatMap((key) =>
      forKey(key, { actions: ["kms:Decrypt", "kms:GenerateDataKey"] }),
    ),
    ...forKey(scope.kmsKeyArn, { actions: ["kms:DescribeKey"] }),
    ...forKey(scope.kmsKeyArn, { actions: ["kms:CreateGrant"], condition: toAwsAlone }),
    {
      actions: ["events:PutEvents"],
      resources: [inRegion("events", "event-bus/default")],
      reason: "an account has one default bus in a region",
    },
    {
      actions: ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
      resources: [arn(`ecr:${region}:*:repository/*`)],
      reason: "AWS's images are in accounts of AWS's, a team's own where it likes, and each release may have another",
    },
    {
      actions: ["ecr:GetAuthorizationToken"],
      resources: ["*"],
      reason: "it knows no resource, and lets its holder sign in to registries, no more",
    },
    {
      actions: ["cloudwatch:PutMetricData"],
      resources: ["*"],
      condition: { StringEquals: { "cloudwatch:namespace": "/aws/sagemaker/Endpoints" } },
      reason: "it knows no resource; the condition names what SageMaker measures of endpoints",
    },
  ];
}

/** The same of a workgroup, whose ARN has an id that AWS makes: its tags say whose it is. */
function serverlessBoundary({ account, region, prefix, tags }: Scope): Permission[] {
  const inRegion = (service: string, resource: string) => arnIn(region, `${service}:${region}:${account}:${resource}`);
  return [
    {
      actions: [
        "redshift-data:BatchExecuteStatement",
        "redshift-data:ExecuteStatement",
        "redshift-serverless:GetCredentials",
      ],
      resources: [inRegion("redshift-serverless", "workgroup/*")],
      condition: {
        StringEquals: Object.fromEntries(
          Object.entries(tags).map(([name, value]) => [`aws:ResourceTag/${name}`, value]),
        ),
      },
    },
    {
      actions: ["secretsmanager:GetSecretValue"],
      resources: [inRegion("secretsmanager", `secret:redshift!${prefix}-*`)],
    },
  ];
}
