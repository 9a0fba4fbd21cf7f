import { boundaryArn } from "../github-roles";
import type { Permission, Reach, ServicePermissions } from "../permission";

/** What Terraform needs in IAM: to make the roles of an environment, each with the boundary, and hand them to AWS. */

const rolesOf = ({ iam, prefix }: Reach) => [iam(`role/${prefix}-*`)];

export const iam = (reach: Reach): ServicePermissions => ({
  types: [
    "aws_iam_role",
    "aws_iam_role_policies_exclusive",
    "aws_iam_role_policy",
    "aws_iam_role_policy_attachments_exclusive",
  ],
  plan: [
    {
      actions: ["iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies"],
      resources: rolesOf(reach),
    },
  ],
  apply: iamApply(reach),
});

/** Whoever may make roles is as mighty as what these may do. So each needs the boundary, which nothing takes off. */
const iamApply = (reach: Reach): Permission[] => [
  {
    actions: ["iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy"],
    resources: rolesOf(reach),
    condition: { StringEquals: { "iam:PermissionsBoundary": boundaryArn(reach) } },
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
    resources: rolesOf(reach),
  },
  {
    actions: ["iam:PassRole"],
    resources: rolesOf(reach),
    condition: {
      StringEquals: {
        "iam:PassedToService": [
          "lambda.amazonaws.com",
          "redshift.amazonaws.com",
          ...(reach.onDemand ? ["redshift-serverless.amazonaws.com"] : []),
          "sagemaker.amazonaws.com",
          "scheduler.amazonaws.com",
        ],
      },
    },
  },
  {
    actions: ["iam:CreateServiceLinkedRole"],
    resources: [reach.iam("role/aws-service-role/*")],
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
];
