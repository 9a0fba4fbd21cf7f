import { z } from "zod";
import { loadConfig } from "../../config";
import {
  apiEnvironment,
  loaderEnvironment,
  schemaEnvironment,
  starterEnvironment,
  workerEnvironment,
  writerEnvironment,
} from "../../contract/environment";
import { namesSchema } from "../../contract/names";
import { dev } from "../setup/dev";
import { stateStackWithGitHub, synthesizedStacks } from "../setup/stacks";
import { onlyResource, resourcesOf, roleStatementsOf } from "../setup/synth";

const stacks = synthesizedStacks();
const resources = resourcesOf(stacks["inference-dev"] ?? "{}");
const { api: predictionApi, features, inference, jobs, loading, model, network, warehouse } = dev;
const attributeOf = (address: string, attribute: string) =>
  resources.find((resource) => resource.address === address)?.attributes[attribute];

const backend = z.object({
  terraform: z.object({ backend: z.object({ s3: z.record(z.string(), z.unknown()) }), required_version: z.string() }),
});

test.each([
  ["state", "state/terraform.tfstate"],
  ["inference-dev", "inference-dev/terraform.tfstate"],
  ["inference-prod", "inference-prod/terraform.tfstate"],
])("%s keeps its state in the state bucket, encrypted and locked by a lock file", (stack, key) => {
  const { terraform } = backend.parse(JSON.parse(stacks[stack] ?? "{}"));
  expect(terraform.backend.s3).toEqual({
    bucket: loadConfig().shared.stateBucket,
    key,
    region: "us-east-1",
    encrypt: true,
    use_lockfile: true,
  });
  expect(terraform.required_version).toBe(">= 1.10");
});

test.each([
  ["aws_sqs_queue.inference_queue", "name", inference.queueName],
  ["aws_lambda_function.inference_worker_function", "function_name", inference.functionName],
  ["aws_sagemaker_endpoint.model_endpoint", "name", model.endpointName],
  ["aws_sagemaker_feature_group.features_group", "feature_group_name", features.groupName],
  ["aws_redshift_cluster.warehouse_cluster", "cluster_identifier", warehouse.clusterIdentifier],
  ["aws_redshift_cluster.warehouse_cluster", "master_username", "admin"],
  ["aws_redshift_subnet_group.warehouse_subnet_group", "name", warehouse.subnetGroupName],
  ["aws_api_gateway_rest_api.api_rest_api", "name", predictionApi.name],
  ["aws_api_gateway_stage.api_stage", "stage_name", "dev"],
  ["aws_vpc.network_vpc", "cidr_block", "10.0.0.0/16"],
  ["aws_vpc.network_vpc", "tags", { Name: network.name }],
  ["aws_subnet.network_private_subnet_1", "cidr_block", "10.0.2.0/24"],
  ["aws_iam_role.model_execution_role", "name", model.executionRoleName],
  ["aws_iam_role.inference_worker_role", "name", inference.roleName],
  ["aws_lambda_function.loading_loader_function", "function_name", loading.functionName],
  ["aws_iam_role.loading_loader_role", "name", loading.roleName],
  ["aws_iam_role.loading_schedule_role", "name", loading.scheduleRoleName],
  ["aws_lambda_function.starting_starter_function", "function_name", jobs.starterFunctionName],
  ["aws_iam_role.starting_starter_role", "name", jobs.starterRoleName],
  ["aws_iam_role.starting_schedule_role", "name", jobs.starterScheduleRoleName],
  ["aws_lambda_function.writing_writer_function", "function_name", jobs.writerFunctionName],
  ["aws_iam_role.writing_writer_role", "name", jobs.writerRoleName],
  ["aws_iam_role.writing_schedule_role", "name", jobs.writerScheduleRoleName],
  ["aws_s3_bucket.outcomes_bucket", "bucket", dev.answersBucket],
  ["aws_iam_role.warehouse_copy_role", "name", warehouse.copyRoleName],
  ["aws_iam_role.warehouse_unload_role", "name", warehouse.unloadRoleName],
  ["aws_lambda_function.warehouse_schema_function", "function_name", warehouse.schemaFunctionName],
  ["aws_iam_role.warehouse_schema_role", "name", warehouse.schemaRoleName],
])("in dev, %s has the configuration's %s", (address, attribute, value) => {
  expect(attributeOf(address, attribute)).toEqual(value);
});

test("the artifact of the model comes from the bucket that the state stack makes", () => {
  const buckets = resourcesOf(stacks.state ?? "{}").flatMap(({ type, attributes }) =>
    type === "aws_s3_bucket" ? [attributes.bucket] : [],
  );
  const [container] = z
    .array(z.object({ model_data_url: z.string() }))
    .parse(attributeOf(resources.find(({ type }) => type === "aws_sagemaker_model")?.address ?? "", "container"));
  expect(buckets).toContain(container?.model_data_url.split("/")[2]);
});

test("the functions are told just what they read from their environment", () => {
  const told = (address: string) => Object.keys(Object(Object(attributeOf(address, "environment")).variables)).sort();
  const ofOthers = [
    ...["ENDPOINT_FAULT_STATUSES", "ENDPOINT_VARIANT"], // of other models
    ...["UNLOAD_KMS_KEY_ID", "WATCHED_ANSWER"], // of a team's key, of an answer that is watched
    ...["WORKGROUP_NAME", "ADMIN_SECRET_ARN", "LARGEST_BODY_BYTES"], // of an environment on demand
  ];
  const read = (schema: { shape: object }) =>
    Object.keys(schema.shape)
      .filter((name) => !ofOthers.includes(name))
      .sort();
  expect(told("aws_lambda_function.inference_worker_function")).toEqual(read(workerEnvironment));
  expect(told("aws_lambda_function.api_handler_function")).toEqual(read(apiEnvironment));
  expect(told("aws_lambda_function.loading_loader_function")).toEqual(read(loaderEnvironment));
  expect(told("aws_lambda_function.starting_starter_function")).toEqual(read(starterEnvironment));
  expect(told("aws_lambda_function.writing_writer_function")).toEqual(read(writerEnvironment));
  expect(told("aws_lambda_function.warehouse_schema_function")).toEqual(read(schemaEnvironment));
});

test("the worker holds no right on the warehouse, and the database knows its loader and its readers by the names of their roles", () => {
  const worker = roleStatementsOf(stacks["inference-dev"] ?? "{}").filter(({ address }) =>
    address.includes("inference_worker"),
  );
  expect(worker.length).toBeGreaterThan(3);
  expect(worker.flatMap(({ Action }) => Action).filter((action) => action.startsWith("redshift"))).toEqual([]);
  const { attributes } = onlyResource(stacks["inference-dev"] ?? "{}", "aws_lambda_invocation");
  expect(attributes.input).toContain(`CALL admit_user('IAMR:${loading.roleName}', TRUE)`);
  expect(attributes.input).toContain(`CALL admit_user('IAMR:${predictionApi.roleName}', FALSE)`);
  expect(attributes.input).toContain(`CALL admit_user('IAMR:${jobs.writerRoleName}', FALSE)`);
});

test("commands find the pipeline by names that they read", () => {
  const { insecure_value } = onlyResource(stacks["inference-dev"] ?? "{}", "aws_ssm_parameter").attributes;
  expect(namesSchema.parse(JSON.parse(String(insecure_value)))).toMatchObject({
    loader_function_name: "${aws_lambda_function.loading_loader_function.function_name}",
    starter_function_name: "${aws_lambda_function.starting_starter_function.function_name}",
    writer_function_name: "${aws_lambda_function.writing_writer_function.function_name}",
    answers_bucket: "${aws_s3_bucket.outcomes_bucket.bucket}",
    redshift_unload_role_arn: "${aws_iam_role.warehouse_unload_role.arn}",
  });
});

const outputs = z.object({ output: z.record(z.string(), z.unknown()) });

test("an operator finds in the outputs what he works with", () => {
  const { output } = outputs.parse(JSON.parse(stacks["inference-dev"] ?? "{}"));
  expect(Object.keys(output).sort()).toEqual([
    "answers_bucket",
    "api_url",
    "dead_letter_queue_url",
    "endpoint_name",
    "feature_group_name",
    "loader_function_name",
    "model_release",
    "queue_url",
    "redshift_cluster_identifier",
    "redshift_cluster_url",
    "redshift_database_name",
    "starter_function_name",
    "worker_function_name",
    "writer_function_name",
  ]);
});

test("who sets up GitHub finds the roles in the outputs of the state stack, where there are any", () => {
  const outputsOf = (json: string) => Object.keys(outputs.parse(JSON.parse(json)).output).sort();
  const others = ["model_bucket_name", "model_compilation_role_arn", "state_bucket_name"];
  expect(outputsOf(stacks.state ?? "{}")).toEqual(others);
  expect(outputsOf(stateStackWithGitHub())).toEqual([
    "github_deploy_role_arn_dev",
    "github_deploy_role_arn_prod",
    "github_plan_role_arn",
    ...others,
  ]);
});
