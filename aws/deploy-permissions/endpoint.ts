import type { Reach, ServicePermissions } from "../permission";

/** What Terraform needs for the model, its endpoint and its features. */

export const sageMaker = ({ inRegion, modelBucket, ours, s3 }: Reach): ServicePermissions => {
  const store = "sagemaker_featurestore";
  const models = ours("sagemaker", "model/", "endpoint-config/", "endpoint/", "feature-group/");
  return {
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
        resources: [s3(`${modelBucket}/golden/*`)],
        reason: "golden requests lie under their hashes, and those of all environments in one folder",
      },
      {
        actions: ["glue:CreateDatabase", "glue:CreateTable", "glue:GetDatabase", "glue:GetTable", "glue:UpdateTable"],
        resources: inRegion("glue", "catalog", `database/${store}`, `table/${store}/*`),
        reason: "an offline store gets a table in the one database that all feature groups of an account share",
      },
    ],
  };
};

export const applicationAutoScaling = ({ inRegion, tagged, tagging }: Reach): ServicePermissions => {
  const scalableTargets = inRegion("application-autoscaling", "scalable-target/*");
  return {
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
      { actions: ["application-autoscaling:ListTagsForResource"], resources: scalableTargets, condition: tagged },
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
  };
};
