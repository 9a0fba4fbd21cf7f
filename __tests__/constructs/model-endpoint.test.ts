import { SagemakerEndpoint } from "@cdktf/provider-aws/lib/sagemaker-endpoint";
import { SagemakerEndpointConfiguration } from "@cdktf/provider-aws/lib/sagemaker-endpoint-configuration";
import { SagemakerModel } from "@cdktf/provider-aws/lib/sagemaker-model";
import { ModelEndpoint, type ModelEndpointProps } from "../../constructs/model-endpoint";
import { granted, onlyResource, roleStatementsOf, synth } from "../setup/synth";

const inf1Image =
  "763104351884.dkr.ecr.eu-west-1.amazonaws.com/pytorch-inference-neuron:1.13.1-neuron-py310-sdk2.20.2-ubuntu20.04";
const plain: ModelEndpointProps = {
  region: "eu-west-1",
  modelName: "paraphrase",
  endpointConfigurationName: "paraphrase-conf",
  endpointName: "paraphrase-endpoint",
  variantName: "main",
  executionRoleName: "model-role",
  instanceType: "ml.inf1.xlarge",
  instanceCount: 1,
  image: inf1Image,
  artifact: { bucket: "models", key: "bert/model.tar.gz" },
  contract: "instances",
  instancesPerCall: 16,
  concurrency: 4,
  logRetentionDays: 30,
};
const modelEndpoint = (props: Partial<ModelEndpointProps> = {}) =>
  synth((scope) => new ModelEndpoint(scope, "model", { ...plain, ...props }));
const nameOf = (json: string, type: string) => onlyResource(json, type).attributes.name;

test("serves the artifact with the code that lies in it, without a network", () => {
  expect(modelEndpoint()).toHaveResourceWithProperties(SagemakerModel, {
    enable_network_isolation: true,
    container: [
      {
        image: inf1Image,
        mode: "SingleModel",
        model_data_url: "s3://models/bert/model.tar.gz",
        environment: {
          SAGEMAKER_CONTAINER_LOG_LEVEL: "20",
          SAGEMAKER_PROGRAM: "inference.py",
          SAGEMAKER_REGION: "eu-west-1",
          SAGEMAKER_SUBMIT_DIRECTORY: "/opt/ml/model/code",
        },
      },
    ],
  });
});

test.each(["ml.inf1.xlarge", "ml.inf2.xlarge", "ml.c7i.large"])("runs on %s", (instanceType) => {
  expect(modelEndpoint({ instanceType, instanceCount: 2 })).toHaveResourceWithProperties(
    SagemakerEndpointConfiguration,
    {
      production_variants: [
        {
          variant_name: "main",
          instance_type: instanceType,
          initial_instance_count: 2,
          initial_variant_weight: 1,
          model_name: "${aws_sagemaker_model.model_model.name}",
        },
      ],
    },
  );
});

test("keeps the endpoint's name whatever it serves", () => {
  expect(modelEndpoint({ image: inf1Image.replace("1.13.1", "1.12.0") })).toHaveResourceWithProperties(
    SagemakerEndpoint,
    {
      name: "paraphrase-endpoint",
      endpoint_config_name: "${aws_sagemaker_endpoint_configuration.model_configuration.name}",
    },
  );
});

test.each([
  ["artifact", { artifact: { bucket: "models", key: "bert/other.tar.gz" } }],
  ["image", { image: inf1Image.replace("1.13.1", "1.12.0") }],
])("a new %s gives model and endpoint configuration new names, so that the endpoint is updated", (_, change) => {
  const [before, after] = [modelEndpoint(), modelEndpoint(change)];
  for (const type of ["aws_sagemaker_model", "aws_sagemaker_endpoint_configuration"]) {
    expect(nameOf(after, type)).not.toEqual(nameOf(before, type));
    expect(nameOf(after, type)).toMatch(/^paraphrase(-conf)?-[0-9a-f]{8}$/);
  }
});

test.each([
  ["instance type", { instanceType: "ml.inf1.2xlarge" }],
  ["number of instances", { instanceCount: 3 }],
])("a new %s gives only the endpoint configuration a new name", (_, change) => {
  const [before, after] = [modelEndpoint(), modelEndpoint(change)];
  expect(nameOf(after, "aws_sagemaker_model")).toEqual(nameOf(before, "aws_sagemaker_model"));
  expect(nameOf(after, "aws_sagemaker_endpoint_configuration")).not.toEqual(
    nameOf(before, "aws_sagemaker_endpoint_configuration"),
  );
});

test("what does not change keeps its names", () => {
  expect(modelEndpoint({ concurrency: 8, contract: "pair", logRetentionDays: 90 })).toHaveResourceWithProperties(
    SagemakerModel,
    {
      name: nameOf(modelEndpoint(), "aws_sagemaker_model"),
    },
  );
});

test.each(["aws_sagemaker_model", "aws_sagemaker_endpoint_configuration"])(
  "makes the new %s before the old one goes",
  (type) => {
    expect(onlyResource(modelEndpoint(), type).attributes.lifecycle).toEqual({ create_before_destroy: true });
  },
);

test("the container may read its artifact, pull its image and write its log", () => {
  const statements = roleStatementsOf(modelEndpoint());
  expect(statements.find(({ Action }) => Action.includes("s3:GetObject"))?.Resource).toEqual([
    "arn:aws:s3:::models/bert/model.tar.gz",
  ]);
  expect(statements.find(({ Action }) => Action.includes("ecr:BatchGetImage"))?.Resource).toEqual([
    "arn:aws:ecr:eu-west-1:763104351884:repository/pytorch-inference-neuron",
  ]);
  expect(statements.flatMap(({ Action }) => Action).filter((action) => action.startsWith("sagemaker:"))).toEqual([]);
});

test("whoever may invoke it learns its name, its release and how it is asked", () => {
  expect(granted((scope) => new ModelEndpoint(scope, "model", plain).invoke())).toEqual({
    may: [[["sagemaker:InvokeEndpoint"], ["${aws_sagemaker_endpoint.model_endpoint.arn}"]]],
    knows: {
      ENDPOINT_NAME: "${aws_sagemaker_endpoint.model_endpoint.name}",
      ENDPOINT_CONCURRENCY: "4",
      INSTANCES_PER_CALL: "16",
      MODEL_CONTRACT: "instances",
      MODEL_RELEASE: expect.stringMatching(/^[0-9a-f]{8}$/),
    },
  });
});

test("refuses an image that is not in Amazon ECR", () => {
  expect(() => modelEndpoint({ image: "docker.io/library/python:3" })).toThrow(
    "image must be an image in Amazon ECR, got docker.io/library/python:3",
  );
});
