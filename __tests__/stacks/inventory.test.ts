import { Testing } from "cdktf";
import { loadConfig } from "../../config";
import { alarmsOf } from "../../config/alarms";
import { StateStack } from "../../stacks/state-stack";
import { stateStackWithGitHub, synthesizedStacks } from "../setup/stacks";
import { inventoryOf } from "../setup/synth";

const stacks = synthesizedStacks();

test("the state stack holds two buckets and their access log, what SageMaker compiles as, and API Gateway's permission to log", () => {
  expect(inventoryOf(stacks.state ?? "{}")).toEqual({
    aws_s3_bucket: 3,
    aws_s3_bucket_versioning: 3,
    aws_s3_bucket_server_side_encryption_configuration: 3,
    aws_s3_bucket_public_access_block: 3,
    aws_s3_bucket_policy: 3,
    aws_s3_bucket_lifecycle_configuration: 3,
    aws_s3_bucket_logging: 2,
    aws_iam_role: 2,
    aws_iam_role_policy: 1,
    aws_iam_role_policy_attachment: 1,
    aws_api_gateway_account: 1,
  });
});

test("where another team gives API Gateway its role, the state stack leaves that alone", () => {
  const { shared } = loadConfig();
  const { aws_api_gateway_account, aws_iam_role_policy_attachment, ...others } = inventoryOf(stacks.state ?? "{}");
  const json = Testing.synth(new StateStack(Testing.app(), "state", { ...shared, apiGatewayRole: false }));
  expect([aws_api_gateway_account, aws_iam_role_policy_attachment]).toEqual([1, 1]);
  expect(inventoryOf(json)).toEqual({ ...others, aws_iam_role: 1 });
});

test("where a team deploys from GitHub, the state stack holds an OIDC provider, a role to plan, and a role and a boundary for each environment beside", () => {
  const alone = inventoryOf(stacks.state ?? "{}");
  expect(inventoryOf(stateStackWithGitHub())).toEqual({
    ...alone,
    aws_iam_openid_connect_provider: 1,
    aws_iam_role: 5,
    aws_iam_policy: 9, // to plan: 1; for each environment its boundary, and 3 to deploy it
    aws_iam_role_policy_attachment: 8,
  });
});

test.each(Object.values(loadConfig().environments))("inference-$name holds the whole pipeline", (environment) => {
  expect(inventoryOf(stacks[`inference-${environment.name}`] ?? "{}")).toEqual({
    // features
    aws_sagemaker_feature_group: 1,
    // model
    aws_sagemaker_model: 1,
    aws_sagemaker_endpoint_configuration: 1,
    aws_sagemaker_endpoint: 1,
    // requests and the worker
    aws_sqs_queue: 2,
    aws_sqs_queue_policy: 2,
    aws_sqs_queue_redrive_allow_policy: 1,
    aws_lambda_event_source_mapping: 1,
    // warehouse and its network
    aws_vpc: 1,
    aws_subnet: 2,
    aws_route_table: 1,
    aws_route_table_association: 2,
    aws_vpc_endpoint: 1,
    aws_security_group: 1,
    aws_default_security_group: 1,
    aws_redshift_subnet_group: 1,
    aws_redshift_parameter_group: 1,
    aws_redshift_cluster: 1,
    aws_redshift_logging: 1,
    aws_lambda_invocation: 1, // makes tables, view and users
    // answers on their way there
    aws_s3_bucket: 1,
    aws_s3_bucket_versioning: 1,
    aws_s3_bucket_server_side_encryption_configuration: 1,
    aws_s3_bucket_public_access_block: 1,
    aws_s3_bucket_policy: 1,
    aws_s3_bucket_lifecycle_configuration: 1,
    aws_scheduler_schedule: 3,
    aws_lambda_function_event_invoke_config: 3,
    // API
    aws_api_gateway_rest_api: 1,
    aws_api_gateway_resource: 6,
    aws_api_gateway_method: 13,
    aws_api_gateway_integration: 13,
    aws_api_gateway_deployment: 1,
    aws_api_gateway_stage: 1,
    aws_api_gateway_method_settings: 2, // of all, and of what reads the warehouse
    aws_lambda_permission: 1,
    // functions, with what each holder may do
    aws_lambda_function: 6, // worker, loader, starter, writer, schema, API
    aws_iam_role: 13, // the functions', model, feature store, schedule, and two of the cluster's
    aws_iam_role_policy: 12, // the feature store's role needs none without an offline store
    aws_iam_role_policies_exclusive: 6,
    aws_iam_role_policy_attachments_exclusive: 6,
    aws_cloudwatch_log_group: 10, // the functions', model, API's access log, two of the warehouse's audit
    aws_cloudwatch_metric_alarm: Object.keys(alarmsOf(environment)).length,
    aws_cloudwatch_composite_alarm: 1,
    aws_cloudwatch_dashboard: 1,
    // where all of it is found
    aws_ssm_parameter: 1,
    aws_s3_object: 1, // the contract
  });
});
