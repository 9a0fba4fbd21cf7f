import { instanceTypes } from "../../aws/instance-types";
import { environmentOn, kindAsTraced, kindsOfModels, type ModelKind, modelKinds } from "../../aws/model-kinds";

const image = (name: string) => `763104351884.dkr.ecr.us-east-1.amazonaws.com/${name}`;
const images = {
  cpu: image("pytorch-inference:2.6.0-cpu-py312-ubuntu22.04-sagemaker"),
  neo: image("sagemaker-neo-pytorch:1.9-inf-py3"),
  torchNeuron: image("pytorch-inference-neuron:1.13.1-neuron-py310-sdk2.20.2-ubuntu20.04"),
  torchNeuronx: image("pytorch-inference-neuronx:2.9.0-neuronx-py312-sdk2.31.1-ubuntu24.04"),
  neoForCpu: image("sagemaker-neo-pytorch:1.9-cpu-py3"),
  gpu: image("pytorch-inference:2.6.0-gpu-py312-cu124-ubuntu22.04-sagemaker"),
  arm: image("pytorch-inference-arm64:2.6.0-cpu-py312-ubuntu22.04-sagemaker"),
  ours: image("our-own/model:7"),
};

test.each<[ModelKind, (keyof typeof images)[]]>([
  ["cpu", ["cpu", "ours"]],
  ["gpu", ["gpu", "ours"]],
  ["graviton", ["arm", "ours"]],
  ["inf1-neo", ["neo", "ours"]],
  ["inf1-torch-neuron", ["torchNeuron", "ours"]],
  ["inf2", ["torchNeuronx", "ours"]],
])("%s is served by %j alone", (kind, names) => {
  const serving = Object.entries(images).flatMap(([name, uri]) => (kindsOfModels[kind].isServedBy(uri) ? [name] : []));
  expect(serving).toEqual(names);
});

test("every kind of a family but Neo's has an image of AWS's own, which serves it", () => {
  for (const kind of modelKinds) {
    const own = kindsOfModels[kind].imageIn?.("eu-west-1");
    expect([kind, own !== undefined]).toEqual([kind, !["inf1-neo", "other"].includes(kind)]);
    if (own !== undefined) expect(kindsOfModels[kind].isServedBy(own)).toBe(true);
  }
});

describe("a container", () => {
  test.each([
    ["ml.c7i.large", images.cpu, { OMP_NUM_THREADS: "1", SAGEMAKER_MODEL_SERVER_WORKERS: "2" }],
    ["ml.c5.9xlarge", images.cpu, { OMP_NUM_THREADS: "1", SAGEMAKER_MODEL_SERVER_WORKERS: "36" }],
    ["ml.m8g.medium", images.arm, { OMP_NUM_THREADS: "1", SAGEMAKER_MODEL_SERVER_WORKERS: "1" }],
    ["ml.g5.xlarge", images.gpu, { SAGEMAKER_MODEL_SERVER_WORKERS: "1" }],
    ["ml.g6e.48xlarge", images.gpu, { SAGEMAKER_MODEL_SERVER_WORKERS: "8" }],
    ["ml.inf1.24xlarge", images.torchNeuron, { NEURON_RT_NUM_CORES: "1", SAGEMAKER_MODEL_SERVER_WORKERS: "64" }],
    ["ml.inf2.xlarge", images.torchNeuronx, { NEURON_RT_NUM_CORES: "1", SAGEMAKER_MODEL_SERVER_WORKERS: "2" }],
    ["ml.c7i.large", images.ours, {}],
    ["ml.p5.48xlarge", images.gpu, {}],
  ])("on %s by %s is told %j", (instanceType, image, environment) => {
    expect(environmentOn(instanceType, image)).toEqual(environment);
  });

  test("of a compiled model is told of its cores by whatever image", () => {
    const cores = { NEURON_RT_NUM_CORES: "1", SAGEMAKER_MODEL_SERVER_WORKERS: "4" };
    expect(environmentOn("ml.inf1.xlarge", images.ours, "inf1-torch-neuron")).toEqual(cores);
    expect(environmentOn("ml.inf1.xlarge", images.neo, "inf1-neo")).toEqual({
      ...cores,
      MMS_DEFAULT_RESPONSE_TIMEOUT: "500",
    });
    expect(environmentOn("ml.c7i.large", images.ours, "cpu")).toEqual({});
  });

  test("of any known instance type has a worker", () => {
    for (const type of instanceTypes.keys()) {
      const { SAGEMAKER_MODEL_SERVER_WORKERS: workers } = environmentOn(type, images.cpu);
      expect([type, Number(workers) >= 1]).toEqual([type, true]);
    }
  });
});

test.each([
  ["ml.c7i.large", "cpu"],
  ["ml.g5.xlarge", "gpu"],
  ["ml.c7g.large", "graviton"],
  ["ml.p5.48xlarge", "other"],
])("what %s runs as it was traced is of kind %s", (instanceType, kind) => {
  expect(kindAsTraced(instanceType)).toBe(kind);
});
