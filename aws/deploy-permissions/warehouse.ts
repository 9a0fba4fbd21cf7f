import { forKey, type Permission, type Reach, type ServicePermissions, toAwsAlone } from "../permission";

/** What Terraform needs for the warehouse: a cluster, or on demand a namespace and a workgroup. */

const clustersOf = ({ ours }: Reach) => ours("redshift", "cluster:", "subnetgroup:", "parametergroup:");

/** The cluster, the secret of its admin and its key. */
export const redshift = (reach: Reach): ServicePermissions => ({
  types: ["aws_redshift_cluster", "aws_redshift_logging", "aws_redshift_parameter_group", "aws_redshift_subnet_group"],
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
    { actions: ["redshift:DescribeClusterParameters", "redshift:DescribeLoggingStatus"], resources: clustersOf(reach) },
  ],
  apply: redshiftApply(reach),
});

const redshiftApply = (reach: Reach): Permission[] => [
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
    resources: clustersOf(reach),
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
    resources: reach.ours("secretsmanager", "secret:redshift!"),
  },
  // Redshift uses the key in the name of whoever makes the cluster, and has itself granted it.
  // https://docs.aws.amazon.com/redshift/latest/mgmt/authorizing-kms-customer-managed-key.html
  ...forKey(reach.kmsKeyArn, { actions: ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"] }),
  ...forKey(reach.kmsKeyArn, { actions: ["kms:CreateGrant"], condition: toAwsAlone }),
];

/**
 * A namespace and a workgroup, whose ARNs have ids that AWS makes: their tags say whose they are. The secret of the admin,
 * the network and the key are as with a cluster.
 */
export const redshiftServerless = (reach: Reach): ServicePermissions => ({
  types: ["aws_redshiftserverless_namespace", "aws_redshiftserverless_usage_limit", "aws_redshiftserverless_workgroup"],
  plan: reach.onDemand ? serverlessPlan(reach) : [],
  apply: reach.onDemand ? serverlessApply(reach) : [],
});

const bothOf = ({ inRegion }: Reach) => inRegion("redshift-serverless", "namespace/*", "workgroup/*");

const serverlessPlan = (reach: Reach): Permission[] => [
  {
    actions: [
      "redshift-serverless:GetNamespace",
      "redshift-serverless:GetWorkgroup",
      "redshift-serverless:ListTagsForResource",
    ],
    resources: bothOf(reach),
    reason: "the ids of namespaces, workgroups and limits are AWS's, and Terraform's reads carry no tag",
  },
  { actions: ["redshift-serverless:GetUsageLimit"], resources: ["*"], reason: "a limit has no tag and no name" },
];

const serverlessApply = (reach: Reach): Permission[] => [
  {
    actions: ["redshift-serverless:CreateNamespace", "redshift-serverless:CreateWorkgroup"],
    resources: bothOf(reach),
    condition: reach.tagging,
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
    resources: bothOf(reach),
    condition: reach.tagged,
  },
  {
    actions: ["redshift-serverless:TagResource"],
    resources: bothOf(reach),
    condition: reach.tagging,
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
];
