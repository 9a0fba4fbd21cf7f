import { forKey, type Permission, type Reach, reachOf, type Scope, toAwsAlone } from "./permission";

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
export function roleBoundary(scope: Scope, beyond: Beyond): Permission[] {
  const reach = reachOf(scope);
  return [
    ...inBuckets(reach, beyond),
    ...ofPipeline(reach, beyond),
    ...inWarehouse(reach),
    ...byKeys(scope),
    ...ofAll(reach),
  ];
}

/** The bucket for answers, the models' artifacts, and where SageMaker writes. */
function inBuckets({ answersBucket, modelBucket, s3 }: Reach, { artifactBuckets, written }: Beyond): Permission[] {
  const locations = written.map((uri) => uri.replace(/^s3:\/\//, "").replace(/\/$/, ""));
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
  ];
}

/** The queues, functions, features, logs and alarms, and the endpoint. */
function ofPipeline({ inRegion, ours }: Reach, { endpoint }: Beyond): Permission[] {
  // SageMaker writes a name in lower case into the ARN that permissions are checked by.
  const asked = endpoint === undefined ? [] : [...new Set([endpoint, endpoint.toLowerCase()])];
  return [
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
      resources: [
        ...ours("sagemaker", "endpoint/"),
        ...inRegion("sagemaker", ...asked.map((name) => `endpoint/${name}`)),
      ],
      reason: "the settings of the environment may name an endpoint that it does not make",
    },
    {
      actions: ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
      resources: ours("logs", "log-group:/aws/lambda/", "log-group:/aws/sagemaker/Endpoints/"),
    },
    { actions: ["cloudwatch:DescribeAlarms"], resources: ours("cloudwatch", "alarm:") },
  ];
}

/** The cluster, or on demand the workgroup beside it, and the statements that a role has sent. */
const inWarehouse = (reach: Reach): Permission[] => [
  {
    actions: ["redshift-data:BatchExecuteStatement", "redshift-data:ExecuteStatement"],
    resources: reach.ours("redshift", "cluster:"),
  },
  { actions: ["redshift:PauseCluster", "redshift:ResumeCluster"], resources: reach.ours("redshift", "cluster:") },
  {
    actions: ["redshift:GetClusterCredentials", "redshift:GetClusterCredentialsWithIAM"],
    resources: reach.ours("redshift", "dbname:", "dbuser:"),
  },
  ...(reach.onDemand ? serverlessBoundary(reach) : []),
  {
    actions: ["redshift-data:CancelStatement", "redshift-data:DescribeStatement", "redshift-data:GetStatementResult"],
    resources: ["*"],
    condition: { StringEquals: { "redshift-data:statement-owner-iam-userid": "$${aws:userid}" } }, // $$: Terraform's
    reason: "they know no resource; the condition leaves a role the statements that it sent itself",
  },
];

/** The same of a workgroup, whose ARN has an id that AWS makes: its tags say whose it is. */
const serverlessBoundary = ({ inRegion, ours, tagged }: Reach): Permission[] => [
  {
    actions: [
      "redshift-data:BatchExecuteStatement",
      "redshift-data:ExecuteStatement",
      "redshift-serverless:GetCredentials",
    ],
    resources: inRegion("redshift-serverless", "workgroup/*"),
    condition: tagged,
  },
  { actions: ["secretsmanager:GetSecretValue"], resources: ours("secretsmanager", "secret:redshift!") },
];

/** The keys of its own data, and of the models. */
const byKeys = ({ kmsKeyArn, stateKmsKeyArn }: Scope): Permission[] => [
  ...[...new Set([kmsKeyArn, stateKmsKeyArn])].flatMap((key) =>
    forKey(key, { actions: ["kms:Decrypt", "kms:GenerateDataKey"] }),
  ),
  ...forKey(kmsKeyArn, { actions: ["kms:DescribeKey"] }),
  ...forKey(kmsKeyArn, { actions: ["kms:CreateGrant"], condition: toAwsAlone }),
];

/** What all environments of an account share, or what knows no resource. */
const ofAll = ({ arn, inRegion, region }: Reach): Permission[] => [
  {
    actions: ["events:PutEvents"],
    resources: inRegion("events", "event-bus/default"),
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
