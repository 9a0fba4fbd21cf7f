import { instanceTypes } from "../../aws/instance-types";
import { kindsOfModels, type ModelKind, modelKinds } from "../../aws/model-kinds";

const image = (name: string) => `763104351884.dkr.ecr.us-east-1.amazonaws.com/${name}`;
const images = {
  cpu: image("pytorch-inference:2.6.0-cpu-py312-ubuntu22.04-sagemaker"),
  neo: image("sagemaker-neo-pytorch:1.9-inf-py3"),
  torchNeuron: image("pytorch-inference-neuron:1.13.1-neuron-py310-sdk2.20.2-ubuntu20.04"),
  torchNeuronx: image("pytorch-inference-neuronx:2.9.0-neuronx-py312-sdk2.31.1-ubuntu24.04"),
  neoForCpu: image("sagemaker-neo-pytorch:1.9-cpu-py3"),
  gpu: image("pytorch-inference:2.6.0-gpu-py312-cu124-ubuntu22.04-sagemaker"),
  ours: image("our-own/model:7"),
};

test.each<[ModelKind, (keyof typeof images)[]]>([
  ["cpu", ["cpu", "ours"]],
  ["inf1-neo", ["neo", "ours"]],
  ["inf1-torch-neuron", ["torchNeuron", "ours"]],
  ["inf2", ["torchNeuronx", "ours"]],
])("%s is served by %j alone", (kind, names) => {
  const serving = Object.entries(images).flatMap(([name, uri]) => (kindsOfModels[kind].isServedBy(uri) ? [name] : []));
  expect(serving).toEqual(names);
});

test("every kind but Neo's has an image of AWS's own, which serves it", () => {
  for (const kind of modelKinds) {
    const own = kindsOfModels[kind].imageIn?.("eu-west-1");
    expect([kind, own !== undefined]).toEqual([kind, kind !== "inf1-neo"]);
    if (own !== undefined) expect(kindsOfModels[kind].isServedBy(own)).toBe(true);
  }
});

test.each(modelKinds)(
  "%s knows the NeuronCores of every instance type of its family, and has a worker for each",
  (name) => {
    const kind = kindsOfModels[name];
    for (const [type, family] of instanceTypes) {
      if (family !== kind.family) continue;
      const { NEURON_RT_NUM_CORES: cores, SAGEMAKER_MODEL_SERVER_WORKERS: workers } = kind.environment(type);
      expect([type, cores]).toEqual([type, family === "cpu" ? undefined : "1"]);
      if (family !== "cpu") expect(Number(workers)).toBeGreaterThan(1); // no instance has a single core
    }
  },
);

test("the 64 NeuronCores of an inf1.24xlarge are all at work", () => {
  expect(kindsOfModels["inf1-torch-neuron"].environment("ml.inf1.24xlarge")).toEqual({
    NEURON_RT_NUM_CORES: "1",
    SAGEMAKER_MODEL_SERVER_WORKERS: "64",
  });
});
