import type { InstanceFamily } from "./instance-types";
import { imageFamilyOf, imageFor } from "./model-images";

/** What an artifact is made for: a plain processor, Inf1 by one of its two compilers, or Inf2. */
export const modelKinds = ["cpu", "inf1-neo", "inf1-torch-neuron", "inf2"] as const;
export type ModelKind = (typeof modelKinds)[number];

/** All that follows from what an artifact is made for. */
export interface KindOfModel {
  /** The family of instances that it runs on. */
  readonly family: InstanceFamily;
  /** Whether a call may hold several inputs. */
  readonly takesMany: boolean;
  /** What its image is called, in words. */
  readonly image: string;
  /** AWS's own image for it. Neo alone names one for each artifact it compiles. @default only the release knows it */
  imageIn?(region: string): string;
  /** Whether an image serves it. One that is not AWS's may. */
  isServedBy(image: string): boolean;
  /** What its container is told beside where its code lies. */
  environment(instanceType: string): Record<string, string>;
}

const isNeo = (image: string) => /\/sagemaker-neo-pytorch[:@]/.test(image);

/** What every container is told: where its code lies, in which region it is, and to log what it does. */
export const containerEnvironment = (region: string): Record<string, string> => ({
  SAGEMAKER_CONTAINER_LOG_LEVEL: "20",
  SAGEMAKER_PROGRAM: "inference.py",
  SAGEMAKER_REGION: region,
  SAGEMAKER_SUBMIT_DIRECTORY: "/opt/ml/model/code",
});

/**
 * NeuronCores of an instance.
 * - Inf1: https://awsdocs-neuron.readthedocs-hosted.com/en/latest/about-neuron/arch/neuron-hardware/inf1-arch.html
 * - Inf2: https://awsdocs-neuron.readthedocs-hosted.com/en/latest/about-neuron/arch/neuron-hardware/inf2-arch.html
 */
const neuronCores: Readonly<Record<string, number>> = {
  "ml.inf1.xlarge": 4,
  "ml.inf1.2xlarge": 4,
  "ml.inf1.6xlarge": 16,
  "ml.inf1.24xlarge": 64,
  "ml.inf2.xlarge": 2,
  "ml.inf2.8xlarge": 2,
  "ml.inf2.24xlarge": 12,
  "ml.inf2.48xlarge": 24,
};

/**
 * A worker for each NeuronCore. By default the first worker's process would take all cores and the others find none
 * (https://awsdocs-neuron.readthedocs-hosted.com/en/latest/neuron-runtime/nrt-configurable-parameters.html).
 */
const aWorkerACore = (instanceType: string): Record<string, string> => ({
  NEURON_RT_NUM_CORES: "1",
  SAGEMAKER_MODEL_SERVER_WORKERS: String(neuronCores[instanceType] ?? 1),
});

export const kindsOfModels: Readonly<Record<ModelKind, KindOfModel>> = {
  cpu: {
    family: "cpu",
    takesMany: true,
    image: "an image for a CPU",
    imageIn: (region) => imageFor("cpu", region),
    isServedBy: (image) => !isNeo(image) && [undefined, "cpu"].includes(imageFamilyOf(image)),
    environment: () => ({}),
  },
  "inf1-neo": {
    family: "inf1",
    takesMany: false, // it is compiled for one input, and many in a call would be asked one after another
    image: "sagemaker-neo-pytorch:<version>-inf-py3, which the compilation job names as its InferenceImage",
    isServedBy: (image) => (isNeo(image) ? imageFamilyOf(image) === "inf1" : imageFamilyOf(image) === undefined),
    environment: (instanceType) => ({
      ...aWorkerACore(instanceType),
      // https://docs.aws.amazon.com/sagemaker/latest/dg/neo-deployment-hosting-services-sdk.html
      MMS_DEFAULT_RESPONSE_TIMEOUT: "500",
    }),
  },
  "inf1-torch-neuron": {
    family: "inf1",
    takesMany: true,
    image: "an image of torch-neuron, pytorch-inference-neuron",
    imageIn: (region) => imageFor("inf1", region),
    isServedBy: (image) => !isNeo(image) && [undefined, "inf1"].includes(imageFamilyOf(image)),
    environment: aWorkerACore,
  },
  inf2: {
    family: "inf2",
    takesMany: true,
    image: "an image of torch-neuronx, pytorch-inference-neuronx",
    imageIn: (region) => imageFor("inf2", region),
    isServedBy: (image) => [undefined, "inf2"].includes(imageFamilyOf(image)),
    environment: aWorkerACore,
  },
};
