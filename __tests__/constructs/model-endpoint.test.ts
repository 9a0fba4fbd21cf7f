import { CloudwatchMetricAlarm } from "@cdktf/provider-aws/lib/cloudwatch-metric-alarm";
import { SagemakerEndpoint } from "@cdktf/provider-aws/lib/sagemaker-endpoint";
import { SagemakerEndpointConfiguration } from "@cdktf/provider-aws/lib/sagemaker-endpoint-configuration";
import { SagemakerModel } from "@cdktf/provider-aws/lib/sagemaker-model";
import { ExistingEndpoint } from "../../constructs/existing-endpoint";
import { ModelEndpoint, type ModelEndpointProps, type ServedModel } from "../../constructs/model-endpoint";
import type { ModelContract } from "../../contract/model-contract";
import { granted, inventoryOf, onlyResource, resourcesOf, roleStatementsOf, synth } from "../setup/synth";

const contract: ModelContract = {
  features: [{ name: "age", type: "Integral", optional: false }],
  request: "instances",
  answer: "json",
  outputs: [],
};
const inf1Image =
  "763104351884.dkr.ecr.eu-west-1.amazonaws.com/pytorch-inference-neuron:1.13.1-neuron-py310-sdk2.20.2-ubuntu20.04";
const plain: ModelEndpointProps = {
  region: "eu-west-1",
  account: "123456789012",
  modelName: "churn",
  endpointConfigurationName: "churn-conf",
  endpointName: "churn-endpoint",
  variantName: "main",
  executionRoleName: "model-role",
  instanceType: "ml.inf1.xlarge",
  instanceCount: 1,
  image: inf1Image,
  artifact: { bucket: "models", key: "bert/model.tar.gz" },
  contract,
  instancesPerCall: 16,
  concurrency: 4,
  slowestCallSeconds: 7.4,
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

test("lets its role pull an image from ECR's FIPS endpoint", () => {
  const image = "123456789012.dkr.ecr-fips.us-east-1.amazonaws.com/team/model:1";
  expect(modelEndpoint({ image })).toContain("arn:aws:ecr:us-east-1:123456789012:repository/team/model");
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

test("the container's variables are told to the letter, whatever Terraform would make of them", () => {
  const environment = { PROMPT: "${name} %{if} $5" };
  expect(modelEndpoint({ environment })).toHaveResourceWithProperties(SagemakerModel, {
    container: [expect.objectContaining({ environment: expect.objectContaining({ PROMPT: "$${name} %%{if} $5" }) })],
  });
});

test("keeps the endpoint's name whatever it serves", () => {
  expect(modelEndpoint({ image: inf1Image.replace("1.13.1", "1.12.0") })).toHaveResourceWithProperties(
    SagemakerEndpoint,
    {
      name: "churn-endpoint",
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
    expect(nameOf(after, type)).toMatch(/^churn(-conf)?-[0-9a-f]{8}$/);
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
  expect(
    modelEndpoint({ concurrency: 8, contract: { ...contract, request: "json" }, logRetentionDays: 90 }),
  ).toHaveResourceWithProperties(SagemakerModel, {
    name: nameOf(modelEndpoint(), "aws_sagemaker_model"),
  });
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
      ENDPOINT_CALL_SECONDS: "7.4",
      MODEL_RELEASE: expect.stringMatching(/^[0-9a-f]{8}$/),
    },
  });
});

test("refuses an image that is not in Amazon ECR", () => {
  expect(() => modelEndpoint({ image: "docker.io/library/python:3" })).toThrow(
    "image must be an image in Amazon ECR, got docker.io/library/python:3",
  );
});

describe("a release", () => {
  const release = (letter: string, more: Partial<ServedModel> = {}): ServedModel => ({
    id: letter.repeat(8),
    image: inf1Image,
    artifact: { bucket: "models", key: `bert/${letter}.tar.gz`, sha256: letter.repeat(64) },
    instanceType: "ml.inf1.xlarge",
    ...more,
  });
  const [a, b, c] = [release("a"), release("b"), release("c")];
  const modelsIn = (json: string) =>
    resourcesOf(json).filter(({ type }) =>
      ["aws_sagemaker_model", "aws_sagemaker_endpoint_configuration"].includes(type),
    );
  const servedBy = (json: string) => onlyResource(json, "aws_sagemaker_endpoint").attributes.endpoint_config_name;

  test("stands beside the one before, and is what is served", () => {
    const json = modelEndpoint({ ...b, previous: a });
    expect(modelsIn(json).map(({ address }) => address)).toEqual([
      "aws_sagemaker_endpoint_configuration.model_configuration_aaaaaaaa",
      "aws_sagemaker_endpoint_configuration.model_configuration_bbbbbbbb",
      "aws_sagemaker_model.model_model_aaaaaaaa",
      "aws_sagemaker_model.model_model_bbbbbbbb",
    ]);
    expect(servedBy(json)).toBe("${aws_sagemaker_endpoint_configuration.model_configuration_bbbbbbbb.name}");
  });

  test("leaves the one before as it was, to the letter", () => {
    const resources = (json: string) => new Map(modelsIn(json).map(({ address, attributes }) => [address, attributes]));
    const before = resources(modelEndpoint({ ...b, previous: a }));
    const after = resources(modelEndpoint({ ...c, previous: b }));
    const back = resources(modelEndpoint({ ...b, previous: c }));
    const stayed = [...before.keys()].filter((address) => after.has(address));
    expect(stayed).toHaveLength(2);
    for (const address of stayed) expect(after.get(address)).toEqual(before.get(address));
    expect(Object.fromEntries(back)).toEqual(Object.fromEntries(after)); // the way back only turns the endpoint
  });

  test("leaves what config.ts describes at its addresses, where that is the one before", () => {
    const alone = modelsIn(modelEndpoint());
    expect(modelsIn(modelEndpoint({ ...a, previous: plain }))).toEqual(expect.arrayContaining(alone));
  });

  test("has a model of its own where only the archive's content is another one", () => {
    const again = { ...a, artifact: { ...a.artifact, sha256: "f".repeat(64) } };
    expect(nameOf(modelEndpoint(again), "aws_sagemaker_model")).not.toBe(
      nameOf(modelEndpoint(a), "aws_sagemaker_model"),
    );
  });

  test("may be read by the container, and so may the one before, with its image", () => {
    const statements = roleStatementsOf(
      modelEndpoint({ ...b, previous: { ...a, image: inf1Image.replace("pytorch-inference-neuron", "our-own") } }),
    );
    const resourcesFor = (action: string) => statements.find(({ Action }) => Action.includes(action))?.Resource;
    expect(resourcesFor("s3:GetObject")).toEqual(["a", "b"].map((name) => `arn:aws:s3:::models/bert/${name}.tar.gz`));
    expect(resourcesFor("ecr:BatchGetImage")).toEqual(
      ["our-own", "pytorch-inference-neuron"].map((name) => `arn:aws:ecr:eu-west-1:763104351884:repository/${name}`),
    );
  });

  test("tells its container what it is told", () => {
    const json = modelEndpoint({ ...a, environment: { NEURON_RT_NUM_CORES: "1" } });
    expect(onlyResource(json, "aws_sagemaker_model").attributes.container).toMatchObject([
      { environment: { NEURON_RT_NUM_CORES: "1", SAGEMAKER_PROGRAM: "inference.py" } },
    ]);
  });
});

describe("an update", () => {
  const cpu = { image: inf1Image.replace("-neuron:", ":"), instanceType: "ml.c7i.large" };
  const deploymentOf = (props: Partial<ModelEndpointProps>) =>
    onlyResource(modelEndpoint(props), "aws_sagemaker_endpoint").attributes.deployment_config;

  test.each([1, 2])("on Inf1 goes all at once, as SageMaker has it, with %i instances", (instanceCount) => {
    expect(deploymentOf({ instanceCount })).toBeUndefined();
    expect(inventoryOf(modelEndpoint({ instanceCount })).aws_cloudwatch_metric_alarm).toBeUndefined();
  });

  test("from or to Inf1 does so too", () => {
    const inf1 = { id: "aaaaaaaa", image: inf1Image, artifact: plain.artifact, instanceType: "ml.inf1.xlarge" };
    expect(deploymentOf({ ...cpu, previous: inf1 })).toBeUndefined();
    expect(deploymentOf({ ...inf1, previous: { ...inf1, ...cpu, id: "bbbbbbbb" } })).toBeUndefined();
  });

  test.each([
    [1, { type: "ALL_AT_ONCE", wait_interval_in_seconds: 300 }],
    [2, { type: "CANARY", canary_size: { type: "INSTANCE_COUNT", value: 1 }, wait_interval_in_seconds: 300 }],
    [3, { type: "CANARY", canary_size: { type: "INSTANCE_COUNT", value: 1 }, wait_interval_in_seconds: 300 }],
  ])("elsewhere is taken back by an alarm: with %i instances", (instanceCount, traffic_routing_configuration) => {
    expect(deploymentOf({ ...cpu, instanceCount })).toEqual({
      auto_rollback_configuration: {
        alarms: [{ alarm_name: "${aws_cloudwatch_metric_alarm.model_rollback_alarm.alarm_name}" }],
      },
      blue_green_update_policy: { traffic_routing_configuration, termination_wait_in_seconds: 300 },
    });
  });

  test("rests on new instances for longer than the alarm takes, which rings for this endpoint's failures", () => {
    expect(modelEndpoint(cpu)).toHaveResourceWithProperties(CloudwatchMetricAlarm, {
      alarm_name: "churn-endpoint-rollback",
      metric_name: "Invocation5XXErrors",
      dimensions: { EndpointName: "churn-endpoint", VariantName: "main" },
      period: 60,
      evaluation_periods: 1,
    });
    expect(roleStatementsOf(modelEndpoint(cpu))).toContainEqual(
      expect.objectContaining({
        Action: ["cloudwatch:DescribeAlarms"],
        Resource: ["${aws_cloudwatch_metric_alarm.model_rollback_alarm.arn}"],
      }),
    );
  });
});

describe("requests and answers", () => {
  const dataCapture = { s3Uri: "s3://samples/churn", samplingPercentage: 5 };
  const mayWrite = (json: string) => roleStatementsOf(json).filter(({ Action }) => Action.includes("s3:PutObject"));

  test("are kept nowhere", () => {
    expect(onlyResource(modelEndpoint(), "aws_sagemaker_endpoint_configuration").attributes).not.toHaveProperty(
      "data_capture_config",
    );
    expect(mayWrite(modelEndpoint())).toEqual([]);
  });

  test("are sampled where that is wanted, by a new endpoint configuration, under the prefix alone", () => {
    const json = modelEndpoint({ dataCapture });
    expect(json).toHaveResourceWithProperties(SagemakerEndpointConfiguration, {
      data_capture_config: {
        enable_capture: true,
        destination_s3_uri: "s3://samples/churn",
        initial_sampling_percentage: 5,
        capture_options: [{ capture_mode: "Input" }, { capture_mode: "Output" }],
        capture_content_type_header: { json_content_types: ["application/json"] },
      },
    });
    expect(mayWrite(json).map(({ Resource }) => Resource)).toEqual([["arn:aws:s3:::samples/churn/*"]]);
    const type = "aws_sagemaker_endpoint_configuration";
    expect(nameOf(json, type)).not.toBe(nameOf(modelEndpoint(), type));
    expect(nameOf(json, "aws_sagemaker_model")).toBe(nameOf(modelEndpoint(), "aws_sagemaker_model"));
  });

  test.each([
    ["csv", { json_content_types: ["application/json"], csv_content_types: ["text/csv"] }],
    ["jsonlines", { json_content_types: ["application/jsonlines", "application/json"] }],
    ["inputs", { json_content_types: ["application/json"] }],
    ["raw", { json_content_types: ["application/json"] }], // whatever else is kept by Base64
  ] as const)("in the format %s are kept as text", (request, capture_content_type_header) => {
    const json = modelEndpoint({ dataCapture, contract: { ...contract, request } });
    expect(json).toHaveResourceWithProperties(SagemakerEndpointConfiguration, {
      data_capture_config: expect.objectContaining({ capture_content_type_header }),
    });
  });

  test("of another content type take another endpoint configuration", () => {
    const type = "aws_sagemaker_endpoint_configuration";
    const csv = modelEndpoint({ dataCapture, contract: { ...contract, request: "csv" } });
    expect(nameOf(csv, type)).not.toBe(nameOf(modelEndpoint({ dataCapture }), type));
  });
});

describe("an endpoint that exists", () => {
  const existing = (existing: string, variant?: string) =>
    granted((scope) => {
      const use = { instancesPerCall: 16, concurrency: 4, slowestCallSeconds: 7.4 };
      const props = { region: "eu-west-1", endpoint: { existing, variant }, ...use };
      return new ExistingEndpoint(scope, "model", props).invoke();
    });
  const arn = (name: string) =>
    `arn:aws:sagemaker:eu-west-1:\${data.aws_caller_identity.model_account.account_id}:endpoint/${name}`;
  const actions = ["sagemaker:InvokeEndpoint", "sagemaker:DescribeEndpoint"];

  test("is asked, and looked at for what it serves, and nothing of it is made", () => {
    expect(existing("theirs")).toEqual({
      may: [[actions, [arn("theirs")]]],
      knows: {
        ENDPOINT_NAME: "theirs",
        ENDPOINT_CONCURRENCY: "4",
        INSTANCES_PER_CALL: "16",
        ENDPOINT_CALL_SECONDS: "7.4",
      },
    });
  });

  test("tells of its own faults by statuses that whoever asks it learns", () => {
    const use = { instancesPerCall: 16, concurrency: 4, slowestCallSeconds: 7.4, faultStatuses: [400, 422] };
    const props = { region: "eu-west-1", endpoint: { existing: "theirs" }, ...use };
    const { knows } = granted((scope) => new ExistingEndpoint(scope, "model", props).invoke());
    expect(knows).toMatchObject({ ENDPOINT_FAULT_STATUSES: "400,422" });
  });

  test("may be asked for one of its variants", () => {
    expect(existing("theirs", "blue").knows).toMatchObject({ ENDPOINT_VARIANT: "blue" });
  });

  test("is allowed by both forms of its ARN, for SageMaker writes its name in lower case there", () => {
    expect(existing("Theirs").may).toEqual([[actions, [arn("Theirs"), arn("theirs")]]]);
  });
});
