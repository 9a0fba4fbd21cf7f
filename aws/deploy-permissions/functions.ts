import type { Permission, Reach, ServicePermissions } from "../permission";

/** What Terraform needs for queues, the functions that empty them, and what calls these. */

export const sqs = ({ ours }: Reach): ServicePermissions => ({
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
});

const functionsOf = ({ ours }: Reach) => ours("lambda", "function:");
const mappingsOf = ({ inRegion }: Reach) => inRegion("lambda", "event-source-mapping:*");
const ofOurFunctions = ({ account, arn, prefix, region }: Reach) => ({
  ArnLike: { "lambda:FunctionArn": arn(`lambda:${region}:${account}:function:${prefix}-*`) },
});

/** Functions, and the mappings by which queues feed them. */
export const lambda = (reach: Reach): ServicePermissions => ({
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
      resources: functionsOf(reach),
    },
    { actions: ["lambda:GetEventSourceMapping"], resources: mappingsOf(reach), condition: ofOurFunctions(reach) },
    {
      actions: ["lambda:ListTags"],
      resources: mappingsOf(reach),
      reason: "the id of a mapping is AWS's, and its tags know no function",
    },
  ],
  apply: lambdaApply(reach),
});

const lambdaApply = (reach: Reach): Permission[] => [
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
    resources: functionsOf(reach),
  },
  {
    actions: ["lambda:CreateEventSourceMapping"],
    resources: ["*"],
    condition: ofOurFunctions(reach),
    reason: "a mapping has no ARN before it is made; its function says whose it is",
  },
  {
    actions: ["lambda:DeleteEventSourceMapping", "lambda:UpdateEventSourceMapping"],
    resources: mappingsOf(reach),
    condition: ofOurFunctions(reach),
  },
  {
    actions: ["lambda:ListEventSourceMappings"],
    resources: ["*"],
    reason: "it lists, and takes no name but as a filter; `pause` finds the mapping that it stops",
  },
  {
    actions: ["lambda:TagResource", "lambda:UntagResource"],
    resources: mappingsOf(reach),
    reason: "the id of a mapping is AWS's, and its tags know no function",
  },
];

export const apiGateway = ({ arn, region, tagged, tagging }: Reach): ServicePermissions => {
  const apis = arn(`apigateway:${region}::/restapis`);
  const apiTags = arn(`apigateway:${region}::/tags/*`);
  return {
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
  };
};

export const scheduler = ({ ours }: Reach): ServicePermissions => {
  const schedules = ours("scheduler", "schedule/default/");
  return {
    types: ["aws_scheduler_schedule"],
    plan: [{ actions: ["scheduler:GetSchedule"], resources: schedules }],
    apply: [
      {
        actions: ["scheduler:CreateSchedule", "scheduler:DeleteSchedule", "scheduler:UpdateSchedule"],
        resources: schedules,
      },
    ],
  };
};

/** The parameter that says where the pipeline is. */
export const ssm = ({ inRegion, namesParameter }: Reach): ServicePermissions => {
  const parameters = inRegion("ssm", `parameter${namesParameter}`);
  return {
    types: ["aws_ssm_parameter"],
    plan: [
      { actions: ["ssm:GetParameter", "ssm:GetParameters", "ssm:ListTagsForResource"], resources: parameters },
      { actions: ["ssm:DescribeParameters"], resources: ["*"], reason: "it lists, and takes no name but as a filter" },
    ],
    apply: [
      {
        actions: ["ssm:AddTagsToResource", "ssm:DeleteParameter", "ssm:PutParameter", "ssm:RemoveTagsFromResource"],
        resources: parameters,
      },
    ],
  };
};
