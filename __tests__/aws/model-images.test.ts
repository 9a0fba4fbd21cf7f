import type { InstanceFamily } from "../../aws/instance-types";
import { imageFamilyOf, imageFor, imageRegions, isOfAws, outOfPatch } from "../../aws/model-images";

test.each<[InstanceFamily, string]>([
  ["inf1", "pytorch-inference-neuron:1.13.1-neuron-py310-sdk2.20.2-ubuntu20.04"],
  ["inf2", "pytorch-inference-neuronx:2.9.0-neuronx-py312-sdk2.31.1-ubuntu24.04"],
  ["cpu", "pytorch-inference:2.6.0-cpu-py312-ubuntu22.04-sagemaker"],
  ["gpu", "pytorch-inference:2.6.0-gpu-py312-cu124-ubuntu22.04-sagemaker"],
  ["graviton", "pytorch-inference-arm64:2.6.0-cpu-py312-ubuntu22.04-sagemaker"],
])("serves a model on %s with AWS's own %s", (family, image) => {
  expect(imageFor(family, "us-east-1")).toBe(`763104351884.dkr.ecr.us-east-1.amazonaws.com/${image}`);
});

test.each([
  ["eu-central-1", "763104351884.dkr.ecr.eu-central-1.amazonaws.com/"],
  ["af-south-1", "626614931356.dkr.ecr.af-south-1.amazonaws.com/"],
  ["me-central-1", "914824155844.dkr.ecr.me-central-1.amazonaws.com/"],
  ["cn-north-1", "727897471807.dkr.ecr.cn-north-1.amazonaws.com.cn/"],
  ["us-gov-west-1", "442386744353.dkr.ecr.us-gov-west-1.amazonaws.com/"],
])("takes the image in %s from that region's registry", (region, registry) => {
  expect(imageFor("inf1", region)).toContain(registry);
});

test("refuses a region where AWS publishes no images, naming those where it does", () => {
  expect(() => imageFor("cpu", "me-west-1")).toThrow(
    /no image of AWS is known in region "me-west-1", only in af-south-1, .*us-west-2$/,
  );
});

test("tells the family of every image it gives", () => {
  const families: InstanceFamily[] = ["inf1", "inf2", "cpu", "gpu", "graviton"];
  for (const region of imageRegions) {
    expect(families.map((family) => imageFamilyOf(imageFor(family, region)))).toEqual(families);
  }
});

test.each([
  ["sagemaker-neo-pytorch:1.9-inf-py3", "inf1"],
  ["sagemaker-neo-pytorch:1.9-cpu-py3", "cpu"],
  ["huggingface-pytorch-inference-neuron:1.10.2-transformers4.20.1-neuron-py37-sdk1.19.1-ubuntu18.04", "inf1"],
  ["huggingface-pytorch-inference-neuronx:2.1.2-transformers4.43.2-neuronx-py310-sdk2.20.0-ubuntu20.04", "inf2"],
  ["pytorch-inference:1.9.0-cpu-py38-ubuntu20.04", "cpu"],
  ["pytorch-inference:2.6.0-gpu-py312-cu124-ubuntu22.04-sagemaker", "gpu"],
  ["pytorch-inference-arm64:2.6.0-cpu-py312-ubuntu22.04-sagemaker", "graviton"],
  [`pytorch-inference@sha256:${"a".repeat(64)}`, undefined],
  [`pytorch-inference-neuronx@sha256:${"a".repeat(64)}`, "inf2"],
  ["our-own/model:7", undefined],
])("%s is of family %s", (image, family) => {
  expect(imageFamilyOf(`763104351884.dkr.ecr.us-east-1.amazonaws.com/${image}`)).toBe(family);
});

test.each([
  ["pytorch-inference:2.6.0-cpu-py312-ubuntu22.04-sagemaker", true],
  [`huggingface-pytorch-inference@sha256:${"a".repeat(64)}`, true],
  ["sagemaker-scikit-learn:1.4-2-cpu-py3", false],
  ["our-own/pytorch-inference:7", true],
  ["our-own/model:7", false],
])("that %s is one of AWS's for PyTorch is %s", (image, isTheirs) => {
  expect(isOfAws(`763104351884.dkr.ecr.us-east-1.amazonaws.com/${image}`)).toBe(isTheirs);
});

describe("the end of an image's patches", () => {
  const registry = "763104351884.dkr.ecr.us-east-1.amazonaws.com";

  test.each<[InstanceFamily, string]>([
    ["inf1", "2025-01-14"],
    ["inf2", "2026-08-17"],
    ["cpu", "2026-06-30"],
    ["gpu", "2026-06-30"],
    ["graviton", "2026-06-30"],
  ])("of AWS's own for %s is %s, and is told of from the next day on", (family, end) => {
    const image = imageFor(family, "us-east-1");
    expect(outOfPatch(image, end)).toBeUndefined();
    expect(outOfPatch(image, "2026-12-01")).toContain(
      `${image} gets no security patches any more: its line ended on ${end}, and `,
    );
  });

  test("is that of its line for an earlier image and for a digest", () => {
    for (const image of [
      "pytorch-inference:1.9.0-cpu-py38-ubuntu20.04",
      `pytorch-inference@sha256:${"a".repeat(64)}`,
    ]) {
      expect(outOfPatch(`${registry}/${image}`, "2026-07-01")).toContain("PyTorch 2.6 is the last");
    }
  });

  test.each(["our-own/model:7", "sagemaker-scikit-learn:1.4-2-cpu-py3"])("is not known of %s", (image) => {
    expect(outOfPatch(`${registry}/${image}`, "2099-01-01")).toBeUndefined();
  });
});
