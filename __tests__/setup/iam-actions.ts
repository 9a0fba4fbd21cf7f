/** A call of AWS: the service as its requests are signed for it or as it is called in policies, and the operation. */
export interface AwsCall {
  readonly service: string;
  readonly operation: string;
}

/** Services whose name in policies is another than the one that requests are signed for. */
const policyNames: Record<string, string> = { monitoring: "cloudwatch" };

/** Operations that ask for an action of another name, or for several. */
const exceptions: Record<string, string[]> = {
  "sts:GetCallerIdentity": [], // everybody may ask who they are

  "lambda:Invoke": ["lambda:InvokeFunction"],

  "s3:DeleteObjects": ["s3:DeleteObject", "s3:DeleteObjectVersion"],
  "s3:HeadBucket": ["s3:ListBucket"],
  "s3:ListObjects": ["s3:ListBucket"],
  "s3:ListObjectsV2": ["s3:ListBucket"],
  "s3:ListObjectVersions": ["s3:ListBucketVersions"],
  "s3:HeadObject": ["s3:GetObject"],
  "s3:GetBucketAccelerateConfiguration": ["s3:GetAccelerateConfiguration"],
  "s3:GetBucketCors": ["s3:GetBucketCORS"],
  "s3:GetBucketEncryption": ["s3:GetEncryptionConfiguration"],
  "s3:PutBucketEncryption": ["s3:PutEncryptionConfiguration"],
  "s3:DeleteBucketEncryption": ["s3:PutEncryptionConfiguration"],
  "s3:GetBucketLifecycle": ["s3:GetLifecycleConfiguration"],
  "s3:GetBucketLifecycleConfiguration": ["s3:GetLifecycleConfiguration"],
  "s3:PutBucketLifecycleConfiguration": ["s3:PutLifecycleConfiguration"],
  "s3:DeleteBucketLifecycle": ["s3:PutLifecycleConfiguration"],
  "s3:GetBucketReplication": ["s3:GetReplicationConfiguration"],
  "s3:GetObjectLockConfiguration": ["s3:GetBucketObjectLockConfiguration"],
  "s3:GetPublicAccessBlock": ["s3:GetBucketPublicAccessBlock"],
  "s3:PutPublicAccessBlock": ["s3:PutBucketPublicAccessBlock"],
  "s3:DeletePublicAccessBlock": ["s3:PutBucketPublicAccessBlock"],
  "s3:DeleteBucketTagging": ["s3:PutBucketTagging"],
};

/** What else an operation asks for, as making something with tags does. */
const sideActions: Record<string, string[]> = {
  "sqs:CreateQueue": ["sqs:TagQueue"],
  "lambda:CreateFunction": ["lambda:TagResource", "iam:PassRole"],
  "lambda:CreateEventSourceMapping": ["lambda:TagResource"],
  "lambda:UpdateFunctionConfiguration": ["iam:PassRole"],
  "logs:CreateLogGroup": ["logs:TagResource"],
  "cloudwatch:PutMetricAlarm": ["cloudwatch:TagResource"],
  "iam:CreateRole": ["iam:TagRole"],
  "sagemaker:CreateModel": ["sagemaker:AddTags", "iam:PassRole"],
  "sagemaker:CreateEndpointConfig": ["sagemaker:AddTags"],
  "sagemaker:CreateEndpoint": ["sagemaker:AddTags"],
  "sagemaker:CreateFeatureGroup": ["sagemaker:AddTags", "iam:PassRole"],
  "redshift:CreateCluster": ["redshift:CreateTags", "secretsmanager:CreateSecret", "secretsmanager:TagResource"],
  "redshift:CreateClusterSubnetGroup": ["redshift:CreateTags"],
  "redshift:CreateClusterParameterGroup": ["redshift:CreateTags"],
  "redshift-data:ExecuteStatement": ["redshift:GetClusterCredentials"],
  "scheduler:CreateSchedule": ["iam:PassRole"],
  "scheduler:UpdateSchedule": ["iam:PassRole"],
  "ec2:CreateVpc": ["ec2:CreateTags"],
  "ec2:CreateSubnet": ["ec2:CreateTags"],
  "ec2:CreateRouteTable": ["ec2:CreateTags"],
  "ec2:CreateSecurityGroup": ["ec2:CreateTags"],
  "ec2:CreateVpcEndpoint": ["ec2:CreateTags"],
  "ec2:AuthorizeSecurityGroupEgress": ["ec2:CreateTags"],
  "ec2:ImportKeyPair": ["ec2:CreateTags"],
};

/** API Gateway's actions are the HTTP methods of its operations. */
function apiGatewayMethod(operation: string): string {
  if (operation === "TagResource") return "PUT";
  if (operation === "UntagResource") return "DELETE";
  const methods: [prefix: RegExp, method: string][] = [
    [/^(Get|Export)/, "GET"],
    [/^(Create|Import|Generate|Test)/, "POST"],
    [/^Update/, "PATCH"],
    [/^Put/, "PUT"],
    [/^(Delete|Flush)/, "DELETE"],
  ];
  const method = methods.find(([prefix]) => prefix.test(operation))?.[1];
  if (method === undefined) throw new Error(`which HTTP method is API Gateway's ${operation}?`);
  return method;
}

/** The actions that IAM must allow a caller for a call: `{ s3, HeadBucket }` needs `s3:ListBucket`. */
export function iamActionOf({ service, operation }: AwsCall): string[] {
  const name = policyNames[service] ?? service;
  if (name === "apigateway") return [`apigateway:${apiGatewayMethod(operation)}`];
  // Lambda's operations have the date of their version behind them in some SDKs: GetFunction20150331.
  const call = `${name}:${operation.replace(/(20\d{6}(v\d)?)$/, "")}`;
  return [...(exceptions[call] ?? [call]), ...(sideActions[call] ?? [])];
}

/** Whether statements allow an action, on whatever resource. Their actions are named one by one, so no wildcard counts. */
export function allows(
  statements: readonly { readonly Effect: "Allow" | "Deny"; readonly Action: readonly string[] }[],
  action: string,
): boolean {
  const named = (effect: "Allow" | "Deny") =>
    statements.some(({ Effect, Action }) => Effect === effect && Action.includes(action));
  return named("Allow") && !named("Deny");
}
