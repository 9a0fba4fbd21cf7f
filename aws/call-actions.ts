/**
 * Which actions IAM must allow for a call of AWS. AWS lists them call by call, for each service, under "API operations":
 * https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
 * What it does not say there has a source of its own here.
 */

/** Calls that need the action of their own name, and no other. */
const ownName: Readonly<Record<string, readonly string[]>> = {
  cloudwatch: ["DescribeAlarms", "GetMetricData", "ListDashboards"],
  "ec2-instance-connect": ["OpenTunnel"],
  ecr: ["BatchGetImage"],
  events: ["PutEvents"],
  "execute-api": ["Invoke"],
  lambda: [
    "GetAccountSettings",
    "GetFunctionConfiguration",
    "ListEventSourceMappings",
    "ListFunctions",
    "UpdateEventSourceMapping",
  ],
  logs: ["FilterLogEvents"],
  redshift: ["DescribeClusters", "GetClusterCredentials", "PauseCluster", "ResumeCluster"],
  "redshift-data": ["CancelStatement", "DescribeStatement", "GetStatementResult"],
  s3: ["AbortMultipartUpload", "GetBucketPolicy", "GetBucketVersioning", "PutObject"],
  sagemaker: [
    "BatchGetRecord",
    "DeleteRecord",
    "DescribeCompilationJob",
    "DescribeEndpoint",
    "DescribeEndpointConfig",
    "DescribeModel",
    "DescribeProcessingJob",
    "InvokeEndpoint",
    "ListEndpointConfigs",
    "ListEndpoints",
    "ListFeatureGroups",
    "ListModels",
    "ListRecords",
    "UpdateEndpointWeightsAndCapacities",
  ],
  servicequotas: ["ListAWSDefaultServiceQuotas", "ListServiceQuotas"],
  sqs: ["GetQueueAttributes", "ListQueues", "ReceiveMessage"],
  ssm: ["DescribeParameters", "GetParameter"],
  sts: ["AssumeRole"],
};

/** A database user's name that IAM lends, or the one of the caller's own role: https://docs.aws.amazon.com/redshift/latest/mgmt/data-api-access.html */
const signIn = "redshift:GetClusterCredentials | redshift:GetClusterCredentialsWithIAM";

/** Calls that need another action, or several; all that are named, and one of those that ` | ` parts. */
const calls: Readonly<Record<string, readonly string[]>> = {
  "sts:GetCallerIdentity": [], // everybody may ask who they are

  // https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html
  "sqs:ChangeMessageVisibilityBatch": ["sqs:ChangeMessageVisibility"],
  "sqs:DeleteMessageBatch": ["sqs:DeleteMessage"],
  "sqs:SendMessageBatch": ["sqs:SendMessage"],
  "sqs:CreateQueue": ["sqs:CreateQueue", "sqs:TagQueue"],

  // https://docs.aws.amazon.com/sagemaker/latest/dg/feature-store-security.html#feature-store-accessing-data-online-store
  "sagemaker:BatchWriteRecord": ["sagemaker:BatchWriteRecord", "sagemaker:PutRecord"],
  // https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html#sagemaker-roles-pass-role
  "sagemaker:CreateCompilationJob": ["sagemaker:CreateCompilationJob", "iam:PassRole"],
  "sagemaker:CreateProcessingJob": ["sagemaker:CreateProcessingJob", "iam:PassRole"],
  "sagemaker:CreateModel": ["sagemaker:CreateModel", "sagemaker:AddTags", "iam:PassRole"],
  "sagemaker:CreateEndpointConfig": ["sagemaker:CreateEndpointConfig", "sagemaker:AddTags"],
  "sagemaker:CreateEndpoint": ["sagemaker:CreateEndpoint", "sagemaker:AddTags"],
  "sagemaker:CreateFeatureGroup": ["sagemaker:CreateFeatureGroup", "sagemaker:AddTags", "iam:PassRole"],

  "redshift-data:BatchExecuteStatement": ["redshift-data:BatchExecuteStatement", signIn],
  "redshift-data:ExecuteStatement": ["redshift-data:ExecuteStatement", signIn],
  // https://docs.aws.amazon.com/redshift/latest/mgmt/redshift-secrets-manager-integration.html
  "redshift:CreateCluster": [
    "redshift:CreateCluster",
    "redshift:CreateTags",
    "iam:PassRole",
    "secretsmanager:CreateSecret",
    "secretsmanager:TagResource",
  ],
  // https://docs.aws.amazon.com/redshift/latest/mgmt/copy-unload-iam-role.html
  "redshift:ModifyClusterIamRoles": ["redshift:ModifyClusterIamRoles", "iam:PassRole"],
  "redshift:CreateClusterSubnetGroup": ["redshift:CreateClusterSubnetGroup", "redshift:CreateTags"],
  "redshift:CreateClusterParameterGroup": ["redshift:CreateClusterParameterGroup", "redshift:CreateTags"],

  // https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
  "s3:CompleteMultipartUpload": ["s3:PutObject"],
  "s3:CopyObject": ["s3:GetObject", "s3:PutObject"],
  "s3:CreateMultipartUpload": ["s3:PutObject"],
  "s3:DeleteBucketEncryption": ["s3:PutEncryptionConfiguration"],
  "s3:DeleteBucketLifecycle": ["s3:PutLifecycleConfiguration"],
  "s3:DeleteBucketTagging": ["s3:PutBucketTagging"],
  "s3:DeleteObjects": ["s3:DeleteObject | s3:DeleteObjectVersion"],
  "s3:DeletePublicAccessBlock": ["s3:PutBucketPublicAccessBlock"],
  "s3:GetBucketAccelerateConfiguration": ["s3:GetAccelerateConfiguration"],
  "s3:GetBucketCors": ["s3:GetBucketCORS"],
  "s3:GetBucketEncryption": ["s3:GetEncryptionConfiguration"],
  "s3:GetBucketLifecycle": ["s3:GetLifecycleConfiguration"],
  "s3:GetBucketLifecycleConfiguration": ["s3:GetLifecycleConfiguration"],
  "s3:GetBucketReplication": ["s3:GetReplicationConfiguration"],
  "s3:GetObject": ["s3:GetObject | s3:GetObjectVersion"],
  "s3:GetObjectLockConfiguration": ["s3:GetBucketObjectLockConfiguration"],
  "s3:GetPublicAccessBlock": ["s3:GetBucketPublicAccessBlock"],
  "s3:HeadBucket": ["s3:ListBucket"],
  "s3:HeadObject": ["s3:GetObject"],
  "s3:ListBuckets": ["s3:ListAllMyBuckets"],
  "s3:ListObjects": ["s3:ListBucket"],
  "s3:ListObjectsV2": ["s3:ListBucket"],
  "s3:ListObjectVersions": ["s3:ListBucketVersions"],
  "s3:PutBucketEncryption": ["s3:PutEncryptionConfiguration"],
  "s3:PutBucketLifecycleConfiguration": ["s3:PutLifecycleConfiguration"],
  "s3:PutPublicAccessBlock": ["s3:PutBucketPublicAccessBlock"],
  "s3:UploadPart": ["s3:PutObject"],

  // Other actions of API Gateway are the HTTP methods of its calls.
  "apigateway:GetAccount": ["apigateway:GET"],
  "apigateway:GetRestApis": ["apigateway:GET"],
  "apigateway:UpdateAccount": ["apigateway:PATCH", "iam:PassRole"],

  "lambda:Invoke": ["lambda:InvokeFunction"],
  "lambda:CreateEventSourceMapping": ["lambda:CreateEventSourceMapping", "lambda:TagResource"],
  "lambda:CreateFunction": ["lambda:CreateFunction", "lambda:TagResource", "iam:PassRole"],
  "lambda:UpdateFunctionConfiguration": ["lambda:UpdateFunctionConfiguration", "iam:PassRole"],
  // https://docs.aws.amazon.com/scheduler/latest/UserGuide/setting-up.html#setting-up-execution-role
  "scheduler:CreateSchedule": ["scheduler:CreateSchedule", "iam:PassRole"],
  "scheduler:UpdateSchedule": ["scheduler:UpdateSchedule", "iam:PassRole"],

  // What is made with tags needs the action that tags.
  "cloudwatch:PutCompositeAlarm": ["cloudwatch:PutCompositeAlarm", "cloudwatch:TagResource"],
  "cloudwatch:PutMetricAlarm": ["cloudwatch:PutMetricAlarm", "cloudwatch:TagResource"],
  "ec2:AuthorizeSecurityGroupEgress": ["ec2:AuthorizeSecurityGroupEgress", "ec2:CreateTags"],
  "ec2:AuthorizeSecurityGroupIngress": ["ec2:AuthorizeSecurityGroupIngress", "ec2:CreateTags"],
  // https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/permissions-for-ec2-instance-connect-endpoint.html
  "ec2:CreateInstanceConnectEndpoint": [
    "ec2:CreateInstanceConnectEndpoint",
    "ec2:CreateNetworkInterface",
    "ec2:CreateTags",
    "iam:CreateServiceLinkedRole",
  ],
  "ec2:CreateRouteTable": ["ec2:CreateRouteTable", "ec2:CreateTags"],
  "ec2:CreateSecurityGroup": ["ec2:CreateSecurityGroup", "ec2:CreateTags"],
  "ec2:CreateSubnet": ["ec2:CreateSubnet", "ec2:CreateTags"],
  "ec2:CreateVpc": ["ec2:CreateVpc", "ec2:CreateTags"],
  "ec2:CreateVpcEndpoint": ["ec2:CreateVpcEndpoint", "ec2:CreateTags"],
  "ec2:ImportKeyPair": ["ec2:ImportKeyPair", "ec2:CreateTags"],
  "ec2:RunInstances": ["ec2:RunInstances", "ec2:CreateTags"],
  "iam:CreateRole": ["iam:CreateRole", "iam:TagRole"],
  "logs:CreateLogGroup": ["logs:CreateLogGroup", "logs:TagResource"],
};

/** What a container needs whose log group is there already. */
const container = [
  "cloudwatch:PutMetricData",
  "ecr:BatchCheckLayerAvailability",
  "ecr:BatchGetImage",
  "ecr:GetAuthorizationToken",
  "ecr:GetDownloadUrlForLayer",
  "logs:CreateLogStream",
  "logs:DescribeLogStreams",
  "logs:PutLogEvents",
];

/** What a service does in a role that it is handed, and the actions that this needs. */
export const servicePermissions = {
  /** A function's log, whose group is there before: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html */
  log: ["logs:CreateLogStream", "logs:PutLogEvents"],
  /** https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html#events-sqs-permissions */
  deliverFromQueue: ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"],
  /** https://docs.aws.amazon.com/scheduler/latest/UserGuide/setting-up.html#setting-up-execution-role */
  invokeBySchedule: ["lambda:InvokeFunction"],
  /** https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html */
  pauseBySchedule: ["redshift:PauseCluster", "redshift:ResumeCluster"],
  /** https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-access-permissions.html, which says LIST and GET */
  copy: ["s3:GetBucketLocation", "s3:GetObject", "s3:ListBucket"],
  /** The same page says GET, LIST and PUT. */
  unload: ["s3:GetBucketLocation", "s3:GetObject", "s3:ListBucket", "s3:PutObject"],
  /** https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html#sagemaker-roles-createmodel-perms */
  serveModel: [...container, "s3:GetObject"],
  /** The same page; of an endpoint whose updates are taken back by an alarm. */
  rollBack: ["cloudwatch:DescribeAlarms"],
  /** https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture-endpoint.html */
  captureData: ["s3:PutObject"],
  /** https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html#sagemaker-roles-createprocessingjob-perms */
  runJob: [...container, "logs:CreateLogGroup", "s3:GetObject", "s3:ListBucket", "s3:PutObject"],
  /** https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateCompilationJob.html, which names no actions for it */
  compileModel: ["s3:GetBucketLocation", "s3:GetObject", "s3:ListBucket", "s3:PutObject"],
  /** Of objects: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html#require-sse-kms */
  decrypt: ["kms:Decrypt"],
  /** The same page, of objects in parts; https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html */
  encrypt: ["kms:Decrypt", "kms:GenerateDataKey"],
  /** By the Data API, in the name of whoever calls it: https://docs.aws.amazon.com/redshift/latest/mgmt/data-api-kms.html */
  lendKey: ["kms:CreateGrant", "kms:DescribeKey"],
  /** https://docs.aws.amazon.com/sagemaker/latest/dg/security-iam-awsmanpol-feature-store.html; the rest there is for Iceberg's tables */
  writeOfflineStore: ["s3:GetBucketAcl", "s3:PutObject", "s3:PutObjectAcl"],
} as const satisfies Readonly<Record<string, readonly string[]>>;

/** What policies call some services: by the name of their SDK's client, or by the one that requests are signed for. */
const prefixes: Readonly<Record<string, string>> = {
  cloudwatchlogs: "logs",
  eventbridge: "events",
  applicationautoscaling: "application-autoscaling",
  monitoring: "cloudwatch",
  redshiftdata: "redshift-data",
  redshiftserverless: "redshift-serverless",
  sagemakerfeaturestoreruntime: "sagemaker",
  sagemakerruntime: "sagemaker",
};

/** A call as policies write it. @param service `SageMakerRuntime`, `sagemaker-runtime` */
export function callNamed(service: string, operation: string): string {
  const name = service.replaceAll("-", "").toLowerCase();
  return `${prefixes[name] ?? name}:${operation}`;
}

/**
 * The actions that a call needs: each of them, and one of those that ` | ` parts.
 * @returns undefined for a call that AWS's list was not asked about
 */
export function actionsFor(call: string): readonly string[] | undefined {
  const [service = "", operation = ""] = call.split(":");
  return calls[call] ?? (ownName[service]?.includes(operation) ? [call] : undefined);
}
