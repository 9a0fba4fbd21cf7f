/** What a model is served on: Inferentia, Inferentia2, an x86 processor, GPUs of NVIDIA's, or Graviton, AWS's own ARM. */
export type InstanceFamily = "inf1" | "inf2" | "cpu" | "gpu" | "graviton";

/** What a machine has to serve a model with. */
export interface Machine {
  readonly family: InstanceFamily;
  readonly vCpus: number;
  /** GPUs, or NeuronCores. @default it has none */
  readonly devices?: number;
}

const processors: Readonly<Record<string, { readonly family: "cpu" | "graviton"; readonly sizes: string }>> = {
  c5: { family: "cpu", sizes: "large xlarge 2xlarge 4xlarge 9xlarge 18xlarge" },
  c6i: { family: "cpu", sizes: "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge" },
  c7i: { family: "cpu", sizes: "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge" },
  m5: { family: "cpu", sizes: "large xlarge 2xlarge 4xlarge 12xlarge 24xlarge" },
  m6i: { family: "cpu", sizes: "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge" },
  m7i: { family: "cpu", sizes: "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge" },
  c6g: { family: "graviton", sizes: "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge" },
  c7g: { family: "graviton", sizes: "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge" },
  c8g: { family: "graviton", sizes: "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge" },
  m6g: { family: "graviton", sizes: "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge" },
  m8g: { family: "graviton", sizes: "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge" },
};

/** The GPUs of each size of g5, g6 and g6e. */
const gpus = {
  xlarge: 1,
  "2xlarge": 1,
  "4xlarge": 1,
  "8xlarge": 1,
  "12xlarge": 4,
  "16xlarge": 1,
  "24xlarge": 4,
  "48xlarge": 8,
};

/**
 * GPUs or NeuronCores of each size.
 * - GPUs: https://docs.aws.amazon.com/ec2/latest/instancetypes/ac.html
 * - Inf1: https://awsdocs-neuron.readthedocs-hosted.com/en/latest/about-neuron/arch/neuron-hardware/inf1-arch.html
 * - Inf2: https://awsdocs-neuron.readthedocs-hosted.com/en/latest/about-neuron/arch/neuron-hardware/inf2-arch.html
 */
const accelerators: Readonly<
  Record<string, { readonly family: "inf1" | "inf2" | "gpu"; readonly devices: Readonly<Record<string, number>> }>
> = {
  inf1: { family: "inf1", devices: { xlarge: 4, "2xlarge": 4, "6xlarge": 16, "24xlarge": 64 } },
  inf2: { family: "inf2", devices: { xlarge: 2, "8xlarge": 2, "24xlarge": 12, "48xlarge": 24 } },
  g4dn: {
    family: "gpu",
    devices: { xlarge: 1, "2xlarge": 1, "4xlarge": 1, "8xlarge": 1, "12xlarge": 4, "16xlarge": 1 },
  },
  g5: { family: "gpu", devices: gpus },
  g6: { family: "gpu", devices: gpus },
  g6e: { family: "gpu", devices: gpus },
};

/**
 * The vCPUs of a size, which is so in all groups above: an xlarge has four, a 2xlarge twice as many
 * (https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-types.html).
 */
function vCpusOf(size: string): number {
  if (size === "medium") return 1;
  if (size === "large") return 2;
  return 4 * Number(/^(\d*)xlarge$/.exec(size)?.[1] || 1);
}

/** The sizes of each group, with what a machine of that size has. */
const groups: readonly (readonly [group: string, machines: ReadonlyMap<string, Machine>])[] = [
  ...Object.entries(accelerators).map(([group, { family, devices }]) => {
    const sizes = Object.entries(devices);
    return [
      group,
      new Map(sizes.map(([size, count]) => [size, { family, vCpus: vCpusOf(size), devices: count }])),
    ] as const;
  }),
  ...Object.entries(processors).map(([group, { family, sizes }]) => {
    return [group, new Map(sizes.split(" ").map((size) => [size, { family, vCpus: vCpusOf(size) }]))] as const;
  }),
];

/**
 * The instance types of SageMaker's endpoints of which it is known what they have: image and container follow. Any other
 * serves an image that is named.
 */
export const instanceTypes: ReadonlyMap<string, Machine> = new Map(
  groups.flatMap(([group, machines]) =>
    [...machines].map(([size, machine]) => [`ml.${group}.${size}`, machine] as const),
  ),
);

/** What SageMaker Serverless Inference answers on, in the place of an instance type: a processor of unknown size. */
export const onDemand = "serverless";

/** The known instance types in words. */
export const knownInstanceTypes = `${groups
  .map(([group, machines]) => `ml.${group}.{${[...machines.keys()].join(",")}}`)
  .join(", ")} (https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ProductionVariant.html)`;

/** The family of an instance type; undefined where it is not known. */
export const familyOf = (instanceType: string): InstanceFamily | undefined =>
  instanceType === onDemand ? "cpu" : instanceTypes.get(instanceType)?.family;
