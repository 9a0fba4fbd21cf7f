import { z } from "zod";
import { loadConfig } from "../../config";
import * as api from "../../lambda-src/api";
import * as worker from "../../lambda-src/worker";
import { dev } from "../setup/dev";
import { stateStackWithGitHub, synthesizedStacks } from "../setup/stacks";
import { resourcesOf } from "../setup/synth";

const stacks = synthesizedStacks();
const resources = resourcesOf(stacks["inference-dev"] ?? "{}");
const { api: predictionApi, features, inference, model, network, warehouse } = dev;
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
  const others = ["LAMBDA_TASK_ROOT", "ENDPOINT_VARIANT"]; // Lambda tells the one, an endpoint that exists may have the other
  const read = (schema: { shape: object }) =>
    Object.keys(schema.shape)
      .filter((name) => !others.includes(name))
      .sort();
  expect(told("aws_lambda_function.inference_worker_function")).toEqual(read(worker.environmentSchema));
  expect(told("aws_lambda_function.api_handler_function")).toEqual(read(api.environmentSchema));
});

const outputs = z.object({ output: z.record(z.string(), z.unknown()) });

test("an operator finds in the outputs what he works with", () => {
  const { output } = outputs.parse(JSON.parse(stacks["inference-dev"] ?? "{}"));
  expect(Object.keys(output).sort()).toEqual([
    "api_url",
    "dead_letter_queue_url",
    "endpoint_name",
    "feature_group_name",
    "model_release",
    "queue_url",
    "redshift_cluster_identifier",
    "redshift_cluster_url",
    "redshift_database_name",
    "worker_function_name",
  ]);
});

test("who sets up GitHub finds the roles in the outputs of the state stack, where there are any", () => {
  const outputsOf = (json: string) => Object.keys(outputs.parse(JSON.parse(json)).output).sort();
  const others = ["model_bucket_name", "model_compilation_role_arn", "state_bucket_name"];
  expect(outputsOf(stacks.state ?? "{}")).toEqual(others);
  expect(outputsOf(stateStackWithGitHub())).toEqual(["github_deploy_role_arn", "github_plan_role_arn", ...others]);
});
