/** What a model is served on: Inferentia, Inferentia2, or a plain x86 processor. */
export type InstanceFamily = "inf1" | "inf2" | "cpu";

// Graviton (c7g, m6g …) is left out: its images are other ones, and the model is traced for x86.
const sizes: Record<string, { family: InstanceFamily; sizes: string }> = {
  inf1: { family: "inf1", sizes: "xlarge 2xlarge 6xlarge 24xlarge" },
  inf2: { family: "inf2", sizes: "xlarge 8xlarge 24xlarge 48xlarge" },
  c5: { family: "cpu", sizes: "large xlarge 2xlarge 4xlarge 9xlarge 18xlarge" },
  c6i: { family: "cpu", sizes: "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge" },
  c7i: { family: "cpu", sizes: "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge" },
  m5: { family: "cpu", sizes: "large xlarge 2xlarge 4xlarge 12xlarge 24xlarge" },
  m6i: { family: "cpu", sizes: "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge" },
  m7i: { family: "cpu", sizes: "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge" },
};

/** The SageMaker endpoint instance types this project knows, with the family that decides on the image. */
export const instanceTypes: ReadonlyMap<string, InstanceFamily> = new Map(
  Object.entries(sizes).flatMap(([group, { family, sizes }]) =>
    sizes.split(" ").map((size): [string, InstanceFamily] => [`ml.${group}.${size}`, family]),
  ),
);

/** The known instance types in words. */
export const knownInstanceTypes = `${Object.entries(sizes)
  .map(([group, { sizes }]) => `ml.${group}.{${sizes.replaceAll(" ", ",")}}`)
  .join(", ")} (https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ProductionVariant.html)`;

/**
 * The family of an instance type.
 * @throws Error where the type is none of `instanceTypes`
 */
export function familyOf(instanceType: string): InstanceFamily {
  const family = instanceTypes.get(instanceType);
  if (family === undefined) throw new Error(`instanceType must be one of ${knownInstanceTypes}, got "${instanceType}"`);
  return family;
}
