import { familyOf, type InstanceFamily, instanceTypes, type Machine, onDemand } from "./instance-types";
import { imageFamilyOf, imageFor, isOfAws } from "./model-images";

/** What an artifact is made for: a family of instances, Inf1 by one of its two compilers, or whatever an image takes. */
export const modelKinds = ["cpu", "gpu", "graviton", "inf1-neo", "inf1-torch-neuron", "inf2", "other"] as const;
export type ModelKind = (typeof modelKinds)[number];

/** All that follows from what an artifact is made for. */
export interface KindOfModel {
  /** The family of instances that it runs on. @default any, and any that is not known here */
  readonly family?: InstanceFamily;
  /** Whether it was compiled, so that it takes one shape only and a core of its own. */
  readonly isCompiled: boolean;
  /** Whether a call may hold several inputs. */
  readonly takesMany: boolean;
  /** What its image is called, in words. */
  readonly image: string;
  /** AWS's own image for it. Neo alone names one for each artifact it compiles. @default only the release knows it */
  imageIn?(region: string): string;
  /** Whether an image serves it. One that is not AWS's may. */
  isServedBy(image: string): boolean;
  /** What its container is told beside where its code lies and what each process takes. @default nothing */
  readonly environment?: Readonly<Record<string, string>>;
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
 * How many processes hold the model on a machine, and what each takes of it.
 * - CPU: one a vCPU, with one thread. Each would else have a thread for every vCPU, and they would wait for one another.
 * - GPU: one a GPU, which the server hands to it.
 * - Inferentia: one a NeuronCore. By default the first process would take all cores and the others find none
 *   (https://awsdocs-neuron.readthedocs-hosted.com/en/latest/neuron-runtime/nrt-configurable-parameters.html).
 */
export function processesOn({ family, vCpus, devices = 1 }: Machine): Record<string, string> {
  const workers = (count: number) => ({ SAGEMAKER_MODEL_SERVER_WORKERS: String(count) });
  if (family === "gpu") return workers(devices);
  if (family === "inf1" || family === "inf2") return { NEURON_RT_NUM_CORES: "1", ...workers(devices) };
  return { OMP_NUM_THREADS: "1", ...workers(vCpus) };
}

const oneProcess = { SAGEMAKER_MODEL_SERVER_WORKERS: "1" };

/**
 * What follows for a container from its instances and its image, beside {@link containerEnvironment}. An image that is
 * none of AWS's for PyTorch is told nothing: it may read these variables otherwise, or not at all.
 * @param kind of the model, where it is released @default it is not known
 */
export function environmentOn(instanceType: string, image: string, kind?: ModelKind): Record<string, string> {
  const { isCompiled = false, environment }: Partial<KindOfModel> = kind === undefined ? {} : kindsOfModels[kind];
  const machine = instanceTypes.get(instanceType);
  // Serverless Inference runs one process, whatever its memory: https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints.html
  const processes = instanceType === onDemand ? oneProcess : machine && processesOn(machine);
  return { ...((isOfAws(image) || isCompiled) && processes), ...environment };
}

/** What an artifact is that runs as it was traced. */
const asTraced = (family: InstanceFamily, image: string): KindOfModel => ({
  family,
  isCompiled: false,
  takesMany: true,
  image,
  imageIn: (region) => imageFor(family, region),
  isServedBy: (image) => !isNeo(image) && [undefined, family].includes(imageFamilyOf(image)),
});

export const kindsOfModels: Readonly<Record<ModelKind, KindOfModel>> = {
  cpu: asTraced("cpu", "an image for a CPU"),
  gpu: asTraced("gpu", "an image for a GPU"),
  graviton: asTraced("graviton", "an image for ARM"),
  "inf1-neo": {
    family: "inf1",
    isCompiled: true,
    takesMany: false, // it is compiled for one input, and many in a call would be asked one after another
    image: "sagemaker-neo-pytorch:<version>-inf-py3, which the compilation job names as its InferenceImage",
    isServedBy: (image) => (isNeo(image) ? imageFamilyOf(image) === "inf1" : imageFamilyOf(image) === undefined),
    // https://docs.aws.amazon.com/sagemaker/latest/dg/neo-deployment-hosting-services-sdk.html
    environment: { MMS_DEFAULT_RESPONSE_TIMEOUT: "500" },
  },
  "inf1-torch-neuron": {
    family: "inf1",
    isCompiled: true,
    takesMany: true,
    image: "an image of torch-neuron, pytorch-inference-neuron",
    imageIn: (region) => imageFor("inf1", region),
    isServedBy: (image) => !isNeo(image) && [undefined, "inf1"].includes(imageFamilyOf(image)),
  },
  inf2: {
    family: "inf2",
    isCompiled: true,
    takesMany: true,
    image: "an image of torch-neuronx, pytorch-inference-neuronx",
    imageIn: (region) => imageFor("inf2", region),
    isServedBy: (image) => [undefined, "inf2"].includes(imageFamilyOf(image)),
  },
  other: {
    isCompiled: false,
    takesMany: true,
    image: "an image that serves it",
    isServedBy: () => true,
  },
};

/** The kind of an artifact that instances run as it was traced; "other" where it is not known what they are. */
export function kindAsTraced(instanceType: string): ModelKind {
  const family = familyOf(instanceType);
  return family === "cpu" || family === "gpu" || family === "graviton" ? family : "other";
}
