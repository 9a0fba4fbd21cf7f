import { bastionImage, bastionInstanceType } from "./bastion";
import { arnIn } from "./partitions";

/**
 * What Terraform needs in AWS to plan the stacks of environments, and to apply and destroy them: as data, an action at a
 * time, limited to one project or environment wherever AWS can limit. The stack `state` is not among them: a person
 * deploys it, and it makes what limits the others. AWS lists each action with the resources and conditions that it knows:
 * https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
 */

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

/** The path of what limits GitHub's workflows, roles and policies: outside of what a deployment may change. */
export const githubPath = "/github/";

/** Who vouches for GitHub's workflows. */
export const githubIssuer = "token.actions.githubusercontent.com";

/** The one OIDC provider that an account can have for GitHub. */
export const githubProviderArn = (account: string, region: string) =>
  arnIn(region, `iam::${account}:oidc-provider/${githubIssuer}`);

/** The policy that is the permissions boundary of an environment's roles, whose names start with a prefix. */
export const boundaryArn = ({ account, region, prefix }: Pick<Scope, "account" | "region" | "prefix">) =>
  arnIn(region, `iam::${account}:policy${githubPath}${boundaryName(prefix)}`);
export const boundaryName = (prefix: string) => `${prefix}-boundary`;

/** The role that an environment is deployed with from GitHub. */
export const deployRoleName = (prefix: string) => `${prefix}-deploy`;

/** AWS's own policy with which API Gateway writes logs. */
export const apiGatewayLoggingPolicy = (region: string) =>
  arnIn(region, "iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs");

/** That a key is granted to a service of AWS's, for what it keeps, and to nobody else. */
export const toAwsAlone = { Bool: { "kms:GrantIsForAWSResource": "true" } };

/** What Terraform needs, service by service. */
export function deployPermissions(scope: Scope): Record<string, ServicePermissions> {
  const { account, region, prefix, stateBucket, modelBucket } = scope;
  const arn = (resource: string) => arnIn(region, resource);
  const inRegion = (service: string, resource: string) => arn(`${service}:${region}:${account}:${resource}`);
  const ours = (service: string, ...kinds: string[]) => kinds.map((kind) => inRegion(service, `${kind}${prefix}-*`));
  const iam = (resource: string) => arn(`iam::${account}:${resource}`);
  const tags = (key: string) => ({
    StringEquals: Object.fromEntries(Object.entries(scope.tags).map(([name, value]) => [`aws:${key}/${name}`, value])),
  });
  const onDemand = scope.capacity === "on-demand";
  const tagged = tags("ResourceTag");
  const tagging = tags("RequestTag");
  const bounded = { StringEquals: { "iam:PermissionsBoundary": boundaryArn(scope) } };

  const states = scope.stateKeys.map((key) => arn(`s3:::${stateBucket}/${key}`));
  const locks = states.map((state) => `${state}.tflock`);
  const answers = arn(`s3:::${scope.answersBucket}`);
  const contracts = [arn(`s3:::${modelBucket}/${scope.contractKey}`)];
  const roles = [iam(`role/${prefix}-*`)];
  const logGroups = ours(
    "logs",
    "log-group:/aws/lambda/",
    "log-group:/aws/sagemaker/Endpoints/",
    "log-group:/aws/apigateway/",
    "log-group:/aws/redshift/cluster/",
    ...(onDemand ? ["log-group:/aws/redshift/"] : []), // a workgroup's have its name
  );
  const functions = ours("lambda", "function:");
  const eventSourceMappings = [inRegion("lambda", "event-source-mapping:*")];
  const ofOurFunctions = { ArnLike: { "lambda:FunctionArn": inRegion("lambda", `function:${prefix}-*`) } };
  const network = ["vpc", "subnet", "route-table", "vpc-endpoint", "security-group", "security-group-rule"].map(
    (kind) => inRegion("ec2", `${kind}/*`),
  );
  const models = ours("sagemaker", "model/", "endpoint-config/", "endpoint/", "feature-group/");
  const golden = arn(`s3:::${modelBucket}/golden/*`);
  const warehouses = ours("redshift", "cluster:", "subnetgroup:", "parametergroup:");
  const schedules = ours("scheduler", "schedule/default/");
  const scalableTargets = [inRegion("application-autoscaling", "scalable-target/*")];
  const dashboards = [arn(`cloudwatch::${account}:dashboard/${prefix}-*`)];
  const parameters = [inRegion("ssm", `parameter${scope.namesParameter}`)];
  const apis = arn(`apigateway:${region}::/restapis`);
  const apiTags = arn(`apigateway:${region}::/tags/*`);

  return {
    backend: {
      types: [],
      plan: [
        { actions: ["s3:ListBucket"], resources: [arn(`s3:::${stateBucket}`)] },
        { actions: ["s3:GetObject"], resources: [...states, ...locks] },
        // A plan locks the state too: Terraform writes the lock file and deletes it.
        { actions: ["s3:PutObject", "s3:DeleteObject"], resources: locks },
        // So are the contracts in the models' bucket.
        ...forKey(scope.stateKmsKeyArn, { actions: ["kms:Decrypt", "kms:GenerateDataKey"] }),
      ],
      apply: [{ actions: ["s3:PutObject"], resources: states }],
    },
    s3: {
      types: [
        "aws_s3_bucket",
        "aws_s3_bucket_lifecycle_configuration",
        "aws_s3_bucket_policy",
        "aws_s3_bucket_public_access_block",
        "aws_s3_bucket_server_side_encryption_configuration",
        "aws_s3_bucket_versioning",
        "aws_s3_object",
      ],
      plan: [
        {
          actions: [
            "s3:GetAccelerateConfiguration",
            "s3:GetBucketAcl",
            "s3:GetBucketCORS",
            "s3:GetBucketLogging",
            "s3:GetBucketObjectLockConfiguration",
            "s3:GetBucketPolicy",
            "s3:GetBucketPublicAccessBlock",
            "s3:GetBucketRequestPayment",
            "s3:GetBucketTagging",
            "s3:GetBucketVersioning",
            "s3:GetBucketWebsite",
            "s3:GetEncryptionConfiguration",
            "s3:GetLifecycleConfiguration",
            "s3:GetReplicationConfiguration",
            "s3:ListBucket",
          ],
          resources: [answers],
        },
        { actions: ["s3:ListBucket"], resources: [arn(`s3:::${modelBucket}`)] },
        { actions: ["s3:GetObject", "s3:GetObjectTagging"], resources: contracts },
      ],
      apply: [
        {
          actions: [
            "s3:CreateBucket",
            "s3:DeleteBucket",
            "s3:DeleteBucketPolicy",
            "s3:PutBucketPolicy",
            "s3:PutBucketPublicAccessBlock",
            "s3:PutBucketTagging",
            "s3:PutBucketVersioning",
            "s3:PutEncryptionConfiguration",
            "s3:PutLifecycleConfiguration",
          ],
          resources: [answers],
        },
        {
          // Terraform deletes an object with all its versions.
          actions: [
            "s3:DeleteObject",
            "s3:DeleteObjectTagging",
            "s3:DeleteObjectVersion",
            "s3:PutObject",
            "s3:PutObjectTagging",
          ],
          resources: contracts,
        },
        {
          actions: ["s3:GetObject"], // `pause` reads the deadlines of jobs that have not ended
          resources: [`${answers}/jobs/*`],
        },
        // `destroy` empties the bucket for answers first; where it is guarded, its own policy refuses that.
        { actions: ["s3:DeleteObjectVersion"], resources: [`${answers}/*`] },
        { actions: ["s3:ListBucketVersions"], resources: [arn(`s3:::${modelBucket}`), answers] },
      ],
    },
    iam: {
      types: [
        "aws_iam_role",
        "aws_iam_role_policies_exclusive",
        "aws_iam_role_policy",
        "aws_iam_role_policy_attachments_exclusive",
      ],
      plan: [
        {
          actions: ["iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies"],
          resources: roles,
        },
      ],
      apply: [
        {
          // Whoever may make roles is as mighty as what these may do. So each needs the boundary, which nothing takes off.
          actions: [
            "iam:CreateRole",
            "iam:PutRolePermissionsBoundary",
            "iam:PutRolePolicy",
            "iam:UpdateAssumeRolePolicy",
          ],
          resources: roles,
          condition: bounded,
        },
        {
          actions: [
            "iam:DeleteRole",
            "iam:DeleteRolePolicy",
            "iam:DetachRolePolicy",
            "iam:ListInstanceProfilesForRole",
            "iam:TagRole",
            "iam:UntagRole",
            "iam:UpdateRole",
          ],
          resources: roles,
        },
        {
          actions: ["iam:PassRole"],
          resources: roles,
          condition: {
            StringEquals: {
              "iam:PassedToService": [
                "lambda.amazonaws.com",
                "redshift.amazonaws.com",
                ...(onDemand ? ["redshift-serverless.amazonaws.com"] : []),
                "sagemaker.amazonaws.com",
                "scheduler.amazonaws.com",
              ],
            },
          },
        },
        {
          actions: ["iam:CreateServiceLinkedRole"],
          resources: [iam("role/aws-service-role/*")],
          condition: {
            StringEquals: {
              "iam:AWSServiceName": [
                "ops.apigateway.amazonaws.com",
                "redshift.amazonaws.com",
                "sagemaker.application-autoscaling.amazonaws.com",
              ],
            },
          },
          reason: "AWS makes these roles for an account's first API, cluster and scaling, and says what they may do",
        },
      ],
    },
    ec2: {
      types: [
        "aws_default_security_group",
        "aws_key_pair",
        "aws_route_table",
        "aws_route_table_association",
        "aws_security_group",
        "aws_subnet",
        "aws_vpc",
        "aws_vpc_endpoint",
      ],
      plan: [
        {
          actions: [
            "ec2:DescribeKeyPairs",
            "ec2:DescribeNetworkAcls",
            "ec2:DescribePrefixLists",
            "ec2:DescribeRouteTables",
            "ec2:DescribeSecurityGroupRules",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
            "ec2:DescribeVpcAttribute",
            "ec2:DescribeVpcEndpoints",
            "ec2:DescribeVpcs",
          ],
          resources: ["*"],
          reason: "EC2 limits no list to a resource",
        },
      ],
      apply: [
        {
          actions: [
            "ec2:AuthorizeSecurityGroupEgress",
            "ec2:CreateRouteTable",
            "ec2:CreateSecurityGroup",
            "ec2:CreateSubnet",
            "ec2:CreateVpc",
            "ec2:CreateVpcEndpoint",
          ],
          resources: network,
          condition: tagging,
        },
        {
          actions: ["ec2:CreateTags"],
          resources: [...network, ...ours("ec2", "key-pair/")],
          condition: {
            StringEquals: {
              "ec2:CreateAction": [
                "AuthorizeSecurityGroupEgress",
                "CreateRouteTable",
                "CreateSecurityGroup",
                "CreateSubnet",
                "CreateVpc",
                "CreateVpcEndpoint",
                "ImportKeyPair",
              ],
            },
          },
          reason: "the condition lets it tag only what the same call makes, which carries the project's tag",
        },
        {
          // From then on its tag says whose it is, as with all others.
          actions: ["ec2:CreateTags"],
          resources: [inRegion("ec2", "security-group/*")],
          condition: {
            ...tagging,
            Null: Object.fromEntries(Object.keys(tagged.StringEquals).map((key) => [key, "true"])),
          },
          reason: "AWS makes a VPC's default group without a tag; the condition leaves out what has one by these names",
        },
        {
          // What is made inside of something needs both: the tag on what is new, and on what it is made in.
          actions: [
            "ec2:AssociateRouteTable",
            "ec2:AuthorizeSecurityGroupEgress",
            "ec2:CreateRouteTable",
            "ec2:CreateSecurityGroup",
            "ec2:CreateSubnet",
            "ec2:CreateTags",
            "ec2:CreateVpcEndpoint",
            "ec2:DeleteRouteTable",
            "ec2:DeleteSecurityGroup",
            "ec2:DeleteSubnet",
            "ec2:DeleteTags",
            "ec2:DeleteVpc",
            "ec2:DeleteVpcEndpoints",
            "ec2:DisassociateRouteTable",
            "ec2:ModifySecurityGroupRules",
            "ec2:ModifySubnetAttribute",
            "ec2:ModifyVpcAttribute",
            "ec2:ModifyVpcEndpoint",
            "ec2:ReplaceRouteTableAssociation",
            "ec2:RevokeSecurityGroupEgress",
            "ec2:RevokeSecurityGroupIngress",
          ],
          resources: network,
          condition: tagged,
        },
        {
          actions: ["ec2:CreateTags", "ec2:DeleteKeyPair", "ec2:DeleteTags", "ec2:ImportKeyPair"],
          resources: ours("ec2", "key-pair/"),
        },
        {
          actions: [
            "ec2:DescribeAccountAttributes",
            "ec2:DescribeAddresses",
            "ec2:DescribeAvailabilityZones",
            "ec2:DescribeInternetGateways",
            "ec2:DescribeNetworkInterfaces",
          ],
          resources: ["*"],
          reason: "EC2 limits no list to a resource; Redshift looks at the network for whoever makes a cluster",
        },
      ],
    },
    bastion: {
      types: [
        "aws_ec2_instance_connect_endpoint",
        "aws_instance",
        "aws_vpc_security_group_egress_rule",
        "aws_vpc_security_group_ingress_rule",
      ],
      ...(scope.bastionKeyPair === undefined
        ? { plan: [], apply: [] }
        : bastionPermissions({ ...scope, bastionKeyPair: scope.bastionKeyPair }, { tagged, tagging })),
    },
    sqs: {
      types: ["aws_sqs_queue", "aws_sqs_queue_policy", "aws_sqs_queue_redrive_allow_policy"],
      plan: [{ actions: ["sqs:GetQueueAttributes", "sqs:ListQueueTags"], resources: ours("sqs", "") }],
      apply: [
        {
          actions: [
            "sqs:CreateQueue",
            "sqs:DeleteQueue",
            "sqs:SendMessage", // the canary's, of `resume`
            "sqs:SetQueueAttributes",
            "sqs:TagQueue",
            "sqs:UntagQueue",
          ],
          resources: ours("sqs", ""),
        },
      ],
    },
    lambda: {
      types: [
        "aws_lambda_event_source_mapping",
        "aws_lambda_function",
        "aws_lambda_function_event_invoke_config",
        "aws_lambda_invocation",
        "aws_lambda_permission",
      ],
      plan: [
        {
          actions: [
            "lambda:GetFunction",
            "lambda:GetFunctionCodeSigningConfig",
            "lambda:GetFunctionEventInvokeConfig",
            "lambda:GetPolicy",
            "lambda:ListTags",
            "lambda:ListVersionsByFunction",
          ],
          resources: functions,
        },
        {
          actions: ["lambda:GetEventSourceMapping"],
          resources: eventSourceMappings,
          condition: ofOurFunctions,
        },
        {
          actions: ["lambda:ListTags"],
          resources: eventSourceMappings,
          reason: "the id of a mapping is AWS's, and its tags know no function",
        },
      ],
      apply: [
        {
          actions: [
            "lambda:AddPermission",
            "lambda:CreateFunction",
            "lambda:DeleteFunction",
            "lambda:DeleteFunctionEventInvokeConfig",
            "lambda:GetFunctionConfiguration",
            "lambda:InvokeFunction",
            "lambda:PutFunctionEventInvokeConfig",
            "lambda:RemovePermission",
            "lambda:TagResource",
            "lambda:UntagResource",
            "lambda:UpdateFunctionCode",
            "lambda:UpdateFunctionConfiguration",
          ],
          resources: functions,
        },
        {
          actions: ["lambda:CreateEventSourceMapping"],
          resources: ["*"],
          condition: ofOurFunctions,
          reason: "a mapping has no ARN before it is made; its function says whose it is",
        },
        {
          actions: ["lambda:DeleteEventSourceMapping", "lambda:UpdateEventSourceMapping"],
          resources: eventSourceMappings,
          condition: ofOurFunctions,
        },
        {
          actions: ["lambda:ListEventSourceMappings"],
          resources: ["*"],
          reason: "it lists, and takes no name but as a filter; `pause` finds the mapping that it stops",
        },
        {
          actions: ["lambda:TagResource", "lambda:UntagResource"],
          resources: eventSourceMappings,
          reason: "the id of a mapping is AWS's, and its tags know no function",
        },
      ],
    },
    apiGateway: {
      types: [
        "aws_api_gateway_deployment",
        "aws_api_gateway_integration",
        "aws_api_gateway_method",
        "aws_api_gateway_method_settings",
        "aws_api_gateway_resource",
        "aws_api_gateway_rest_api",
        "aws_api_gateway_stage",
      ],
      plan: [
        {
          actions: ["apigateway:GET"],
          resources: [apis, `${apis}/*`, apiTags],
          reason: "the id of an API is AWS's, and most of what is in an API carries no tag",
        },
      ],
      apply: [
        { actions: ["apigateway:POST"], resources: [apis], condition: tagging },
        {
          actions: ["apigateway:DELETE", "apigateway:PATCH", "apigateway:PUT"],
          resources: [`${apis}/*`],
          condition: tagged,
        },
        {
          actions: ["apigateway:DELETE", "apigateway:PATCH", "apigateway:POST", "apigateway:PUT"],
          resources: [`${apis}/*/*`],
          reason: "what is in an API carries no tag of its own; the API itself is changed and deleted by its tag only",
        },
        {
          actions: ["apigateway:DELETE", "apigateway:POST", "apigateway:PUT"],
          resources: [apiTags],
          reason: "a tag's ARN holds the id of the API, which is AWS's",
        },
      ],
    },
    logs: {
      types: ["aws_cloudwatch_log_group"],
      plan: [
        {
          actions: ["logs:DescribeLogGroups"],
          resources: [inRegion("logs", "log-group:*")],
          reason: "it lists, and is asked for all log groups that start with a name",
        },
        { actions: ["logs:ListTagsForResource"], resources: logGroups },
      ],
      apply: [
        {
          actions: [
            "logs:AssociateKmsKey",
            "logs:CreateLogGroup",
            "logs:DeleteLogGroup",
            "logs:DeleteRetentionPolicy",
            "logs:DisassociateKmsKey",
            "logs:PutRetentionPolicy",
            "logs:TagResource",
            "logs:UntagResource",
          ],
          resources: logGroups,
        },
      ],
    },
    cloudWatch: {
      types: ["aws_cloudwatch_composite_alarm", "aws_cloudwatch_dashboard", "aws_cloudwatch_metric_alarm"],
      plan: [
        {
          actions: ["cloudwatch:DescribeAlarms"],
          resources: ["*"],
          // https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
          reason: "it lists, and tells of an alarm over others only who may list all",
        },
        { actions: ["cloudwatch:ListTagsForResource"], resources: ours("cloudwatch", "alarm:") },
        { actions: ["cloudwatch:GetDashboard"], resources: dashboards },
      ],
      apply: [
        {
          actions: [
            "cloudwatch:DeleteAlarms",
            "cloudwatch:PutMetricAlarm",
            "cloudwatch:TagResource",
            "cloudwatch:UntagResource",
          ],
          resources: ours("cloudwatch", "alarm:"),
        },
        {
          actions: ["cloudwatch:PutCompositeAlarm"],
          resources: ["*"],
          // https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html
          reason: "AWS lets nobody make an alarm over others who may not make all; it tells topics, and does no more",
        },
        { actions: ["cloudwatch:DeleteDashboards", "cloudwatch:PutDashboard"], resources: dashboards },
        {
          actions: ["cloudwatch:GetMetricData"],
          resources: ["*"],
          reason: "it knows no resource; `pause` asks how long the oldest request has waited",
        },
      ],
    },
    scheduler: {
      types: ["aws_scheduler_schedule"],
      plan: [{ actions: ["scheduler:GetSchedule"], resources: schedules }],
      apply: [
        {
          actions: ["scheduler:CreateSchedule", "scheduler:DeleteSchedule", "scheduler:UpdateSchedule"],
          resources: schedules,
        },
      ],
    },
    ssm: {
      types: ["aws_ssm_parameter"],
      plan: [
        {
          actions: ["ssm:GetParameter", "ssm:GetParameters", "ssm:ListTagsForResource"],
          resources: parameters,
        },
        {
          actions: ["ssm:DescribeParameters"],
          resources: ["*"],
          reason: "it lists, and takes no name but as a filter",
        },
      ],
      apply: [
        {
          actions: ["ssm:AddTagsToResource", "ssm:DeleteParameter", "ssm:PutParameter", "ssm:RemoveTagsFromResource"],
          resources: parameters,
        },
      ],
    },
    sageMaker: {
      types: [
        "aws_sagemaker_endpoint",
        "aws_sagemaker_endpoint_configuration",
        "aws_sagemaker_feature_group",
        "aws_sagemaker_model",
      ],
      plan: [
        {
          actions: [
            "sagemaker:DescribeEndpoint",
            "sagemaker:DescribeEndpointConfig",
            "sagemaker:DescribeFeatureGroup",
            "sagemaker:DescribeModel",
            "sagemaker:ListTags",
          ],
          resources: models,
        },
      ],
      apply: [
        {
          actions: [
            "sagemaker:AddTags",
            "sagemaker:CreateEndpoint",
            "sagemaker:CreateEndpointConfig",
            "sagemaker:CreateFeatureGroup",
            "sagemaker:CreateModel",
            "sagemaker:DeleteEndpoint",
            "sagemaker:DeleteEndpointConfig",
            "sagemaker:DeleteFeatureGroup",
            "sagemaker:DeleteModel",
            "sagemaker:DeleteTags",
            "sagemaker:UpdateEndpoint",
            "sagemaker:UpdateEndpointWeightsAndCapacities",
            "sagemaker:UpdateFeatureGroup",
          ],
          resources: models,
        },
        // What was deployed is asked the golden requests of its release.
        { actions: ["sagemaker:InvokeEndpoint"], resources: ours("sagemaker", "endpoint/") },
        {
          actions: ["s3:GetObject"],
          resources: [golden],
          reason: "golden requests lie under their hashes, and those of all environments in one folder",
        },
        {
          actions: ["glue:CreateDatabase", "glue:CreateTable", "glue:GetDatabase", "glue:GetTable", "glue:UpdateTable"],
          resources: [
            inRegion("glue", "catalog"),
            inRegion("glue", "database/sagemaker_featurestore"),
            inRegion("glue", "table/sagemaker_featurestore/*"),
          ],
          reason: "an offline store gets a table in the one database that all feature groups of an account share",
        },
      ],
    },
    applicationAutoScaling: {
      types: ["aws_appautoscaling_policy", "aws_appautoscaling_scheduled_action", "aws_appautoscaling_target"],
      plan: [
        {
          actions: [
            "application-autoscaling:DescribeScalableTargets",
            "application-autoscaling:DescribeScalingPolicies",
            "application-autoscaling:DescribeScheduledActions",
          ],
          resources: ["*"],
          reason: "they list, and take no name but as a filter",
        },
        {
          actions: ["application-autoscaling:ListTagsForResource"],
          resources: scalableTargets,
          condition: tagged,
        },
      ],
      apply: [
        {
          actions: ["application-autoscaling:RegisterScalableTarget", "application-autoscaling:TagResource"],
          resources: scalableTargets,
          condition: tagging,
        },
        {
          actions: [
            "application-autoscaling:DeleteScalingPolicy",
            "application-autoscaling:DeleteScheduledAction",
            "application-autoscaling:DeregisterScalableTarget",
            "application-autoscaling:PutScalingPolicy",
            "application-autoscaling:PutScheduledAction",
            "application-autoscaling:RegisterScalableTarget",
            "application-autoscaling:TagResource",
            "application-autoscaling:UntagResource",
          ],
          resources: scalableTargets,
          condition: tagged,
        },
      ],
    },
    redshift: {
      types: [
        "aws_redshift_cluster",
        "aws_redshift_logging",
        "aws_redshift_parameter_group",
        "aws_redshift_subnet_group",
      ],
      plan: [
        {
          actions: [
            "redshift:DescribeClusterParameterGroups",
            "redshift:DescribeClusterSubnetGroups",
            "redshift:DescribeClusters",
          ],
          resources: ["*"],
          reason: "they list, and take no name but as a filter",
        },
        { actions: ["redshift:DescribeClusterParameters", "redshift:DescribeLoggingStatus"], resources: warehouses },
      ],
      apply: [
        {
          actions: [
            "redshift:CreateCluster",
            "redshift:CreateClusterParameterGroup",
            "redshift:CreateClusterSubnetGroup",
            "redshift:CreateTags",
            "redshift:DeleteCluster",
            "redshift:DeleteClusterParameterGroup",
            "redshift:DeleteClusterSubnetGroup",
            "redshift:DeleteTags",
            "redshift:DisableLogging",
            "redshift:EnableLogging",
            "redshift:ModifyCluster",
            "redshift:ModifyClusterIamRoles",
            "redshift:ModifyClusterParameterGroup",
            "redshift:ModifyClusterSubnetGroup",
            "redshift:PauseCluster",
            "redshift:ResumeCluster",
          ],
          resources: warehouses,
        },
        {
          // The admin's password, which Redshift makes and keeps in the name of whoever makes the cluster.
          actions: [
            "secretsmanager:CreateSecret",
            "secretsmanager:DeleteSecret",
            "secretsmanager:DescribeSecret",
            "secretsmanager:RotateSecret",
            "secretsmanager:TagResource",
          ],
          resources: ours("secretsmanager", "secret:redshift!"),
        },
        // Redshift uses the key in the name of whoever makes the cluster, and has itself granted it.
        // https://docs.aws.amazon.com/redshift/latest/mgmt/authorizing-kms-customer-managed-key.html
        ...forKey(scope.kmsKeyArn, {
          actions: ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"],
        }),
        ...forKey(scope.kmsKeyArn, { actions: ["kms:CreateGrant"], condition: toAwsAlone }),
      ],
    },
    redshiftServerless: {
      types: [
        "aws_redshiftserverless_namespace",
        "aws_redshiftserverless_usage_limit",
        "aws_redshiftserverless_workgroup",
      ],
      ...(onDemand ? serverlessPermissions(scope, { tagged, tagging }) : { plan: [], apply: [] }),
    },
  };
}

/**
 * What Terraform needs for a namespace and a workgroup, whose ARNs have ids that AWS makes: their tags say whose they are.
 * The secret of the admin, the network and the key are as with a cluster.
 */
function serverlessPermissions(
  { account, region }: Scope,
  { tagged, tagging }: Readonly<Record<"tagged" | "tagging", Condition>>,
): Pick<ServicePermissions, "plan" | "apply"> {
  const arns = (...kinds: string[]) =>
    kinds.map((kind) => arnIn(region, `redshift-serverless:${region}:${account}:${kind}/*`));
  const both = arns("namespace", "workgroup");
  const everywhere = "the ids of namespaces, workgroups and limits are AWS's, and Terraform's reads carry no tag";
  return {
    plan: [
      {
        actions: [
          "redshift-serverless:GetNamespace",
          "redshift-serverless:GetWorkgroup",
          "redshift-serverless:ListTagsForResource",
        ],
        resources: both,
        reason: everywhere,
      },
      { actions: ["redshift-serverless:GetUsageLimit"], resources: ["*"], reason: "a limit has no tag and no name" },
    ],
    apply: [
      {
        actions: ["redshift-serverless:CreateNamespace", "redshift-serverless:CreateWorkgroup"],
        resources: both,
        condition: tagging,
      },
      {
        actions: [
          "redshift-serverless:CreateWorkgroup", // in a namespace
          "redshift-serverless:DeleteNamespace",
          "redshift-serverless:DeleteWorkgroup",
          "redshift-serverless:TagResource",
          "redshift-serverless:UntagResource",
          "redshift-serverless:UpdateNamespace",
          "redshift-serverless:UpdateWorkgroup",
        ],
        resources: both,
        condition: tagged,
      },
      {
        actions: ["redshift-serverless:TagResource"],
        resources: both,
        condition: tagging,
        reason: "AWS asks for it of whoever makes something with tags",
      },
      {
        actions: [
          "redshift-serverless:CreateUsageLimit",
          "redshift-serverless:DeleteUsageLimit",
          "redshift-serverless:UpdateUsageLimit",
        ],
        resources: ["*"],
        reason: "a limit has no tag and no name",
      },
    ],
  };
}

type Condition = Record<string, Record<string, string>>;

/** What Terraform needs for a bastion. It hands EC2 no role, and so needs no PassRole. */
function bastionPermissions(
  { account, region, bastionKeyPair, kmsKeyArn }: Scope,
  { tagged, tagging }: Readonly<Record<"tagged" | "tagging", Condition>>,
): Pick<ServicePermissions, "plan" | "apply"> {
  const ec2 = (...kinds: string[]) => kinds.map((kind) => arnIn(region, `ec2:${region}:${account}:${kind}`));
  const makes = ["AuthorizeSecurityGroupIngress", "CreateInstanceConnectEndpoint", "RunInstances"];
  return {
    plan: [
      {
        actions: [
          "ec2:DescribeImages",
          "ec2:DescribeInstanceAttribute",
          "ec2:DescribeInstanceConnectEndpoints",
          "ec2:DescribeInstanceCreditSpecifications",
          "ec2:DescribeInstanceTypes",
          "ec2:DescribeInstances",
          "ec2:DescribeTags",
          "ec2:DescribeVolumes",
        ],
        resources: ["*"],
        reason: "EC2 limits no list to a resource",
      },
      {
        actions: ["ssm:GetParameter"],
        resources: [arnIn(region, `ssm:${region}::parameter${bastionImage}`)],
        reason: "AWS says there for everybody which image is its newest",
      },
    ],
    apply: [
      {
        actions: ["ec2:RunInstances"],
        resources: ec2("instance/*"),
        condition: { StringEquals: { ...tagging.StringEquals, "ec2:InstanceType": bastionInstanceType } },
      },
      { actions: ["ec2:RunInstances"], resources: ec2("volume/*"), condition: tagging },
      { actions: ["ec2:RunInstances"], resources: ec2("subnet/*", "security-group/*"), condition: tagged },
      {
        actions: ["ec2:RunInstances"],
        resources: ec2(`key-pair/${bastionKeyPair}`),
        reason: "the settings of the environment say which key pair it is",
      },
      {
        actions: ["ec2:RunInstances"],
        resources: [arnIn(region, `ec2:${region}::image/*`)],
        condition: { StringEquals: { "ec2:Owner": "amazon" } },
        reason: "AWS makes an image every few weeks; the condition leaves out those of others",
      },
      {
        actions: ["ec2:CreateNetworkInterface", "ec2:RunInstances"],
        resources: ec2("network-interface/*"),
        reason: "it is made with its instance or endpoint, in a subnet that must carry the project's tag",
      },
      { actions: ["ec2:CreateNetworkInterface"], resources: ec2("subnet/*", "security-group/*"), condition: tagged },
      {
        actions: ["ec2:CreateInstanceConnectEndpoint"],
        resources: ec2("instance-connect-endpoint/*"),
        condition: tagging,
      },
      {
        actions: ["ec2:AuthorizeSecurityGroupIngress"],
        resources: ec2("security-group-rule/*"),
        condition: tagging,
      },
      {
        actions: ["ec2:AuthorizeSecurityGroupIngress", "ec2:CreateInstanceConnectEndpoint"],
        resources: ec2("security-group/*", "subnet/*"),
        condition: tagged,
      },
      {
        actions: ["ec2:CreateTags"],
        resources: ec2("instance-connect-endpoint/*", "instance/*", "security-group-rule/*", "volume/*"),
        condition: { StringEquals: { "ec2:CreateAction": makes } },
        reason: "the condition lets it tag only what the same call makes, which carries the project's tag",
      },
      {
        actions: ["ec2:CreateTags", "ec2:DeleteTags"],
        resources: ec2("instance-connect-endpoint/*", "instance/*", "volume/*"),
        condition: tagged,
      },
      {
        actions: ["ec2:DeleteInstanceConnectEndpoint", "ec2:TerminateInstances"],
        resources: ec2("instance-connect-endpoint/*", "instance/*"),
        condition: tagged,
      },
      {
        actions: ["iam:CreateServiceLinkedRole"],
        resources: [arnIn(region, `iam::${account}:role/aws-service-role/*`)],
        condition: { StringEquals: { "iam:AWSServiceName": "ec2-instance-connect.amazonaws.com" } },
        reason: "AWS makes this role for an account's first endpoint, and says what it may do",
      },
      // EBS uses the key in the name of whoever runs the instance, and has itself granted it, as the warehouse does.
      // https://docs.aws.amazon.com/ebs/latest/userguide/ebs-encryption-requirements.html
      ...forKey(kmsKeyArn, {
        actions: ["kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo"],
      }),
    ],
  };
}

/** Permissions on a KMS key, where there is one. */
export const forKey = (key: string | undefined, permission: Pick<Permission, "actions" | "condition">): Permission[] =>
  key === undefined
    ? []
    : [{ ...permission, resources: [key], reason: "the settings say which key it is, and AWS names it" }];
