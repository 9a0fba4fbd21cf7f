import type { Reach, ServicePermissions } from "../permission";

/** What Terraform needs for what people look at: logs, alarms and the dashboard. */

export const logs = ({ inRegion, ours, onDemand }: Reach): ServicePermissions => {
  const logGroups = ours(
    "logs",
    "log-group:/aws/lambda/",
    "log-group:/aws/sagemaker/Endpoints/",
    "log-group:/aws/apigateway/",
    "log-group:/aws/redshift/cluster/",
    ...(onDemand ? ["log-group:/aws/redshift/"] : []), // a workgroup's have its name
  );
  return {
    types: ["aws_cloudwatch_log_group"],
    plan: [
      {
        actions: ["logs:DescribeLogGroups"],
        resources: inRegion("logs", "log-group:*"),
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
  };
};

export const cloudWatch = ({ account, arn, prefix, ours }: Reach): ServicePermissions => {
  const alarms = ours("cloudwatch", "alarm:");
  const dashboards = [arn(`cloudwatch::${account}:dashboard/${prefix}-*`)];
  return {
    types: ["aws_cloudwatch_composite_alarm", "aws_cloudwatch_dashboard", "aws_cloudwatch_metric_alarm"],
    plan: [
      {
        actions: ["cloudwatch:DescribeAlarms"],
        resources: ["*"],
        // https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
        reason: "it lists, and tells of an alarm over others only who may list all",
      },
      { actions: ["cloudwatch:ListTagsForResource"], resources: alarms },
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
        resources: alarms,
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
  };
};
