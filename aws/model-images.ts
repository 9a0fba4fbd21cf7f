import type { InstanceFamily } from "./instance-types";
import { partitionOf } from "./partitions";

/** An image of AWS's own. */
interface Image {
  /** Its repository, and its tag there. */
  readonly name: string;
  /** The last day on which AWS mended what is found in it. */
  readonly endOfPatch: string;
  /** Why there is no later one. */
  readonly last: string;
}

/** https://github.com/aws/deep-learning-containers/tree/main/docs/src/data, in pytorch-inference and pytorch-inference-arm64 */
const torchServe = { endOfPatch: "2026-06-30", last: "PyTorch 2.6 is the last that AWS serves by an image of its own" };

/**
 * AWS's own PyTorch images, the last published of each family. Those of Neuron are in
 * https://github.com/aws-neuron/deep-learning-containers; what is mended goes into the next version of Neuron alone
 * (https://awsdocs-neuron.readthedocs-hosted.com/en/latest/about-neuron/sdk-policy.html), so an image ends as that comes.
 */
const images: Readonly<Record<InstanceFamily, Image>> = {
  inf1: {
    name: "pytorch-inference-neuron:1.13.1-neuron-py310-sdk2.20.2-ubuntu20.04",
    endOfPatch: "2025-01-14",
    last: "Neuron 2.20 is the last for Inf1",
  },
  inf2: {
    name: "pytorch-inference-neuronx:2.9.0-neuronx-py312-sdk2.31.1-ubuntu24.04",
    endOfPatch: "2026-08-17",
    last: "Neuron 2.31 is the last for PyTorch on Inf2",
  },
  cpu: { name: "pytorch-inference:2.6.0-cpu-py312-ubuntu22.04-sagemaker", ...torchServe },
  gpu: { name: "pytorch-inference:2.6.0-gpu-py312-cu124-ubuntu22.04-sagemaker", ...torchServe },
  graviton: { name: "pytorch-inference-arm64:2.6.0-cpu-py312-ubuntu22.04-sagemaker", ...torchServe },
};

/** https://github.com/aws/deep-learning-containers/blob/main/docs/reference/region_availability.md */
const accounts: Record<string, string> = {
  ...Object.fromEntries(
    [
      ["us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "sa-east-1"],
      ["eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3"],
      ["ap-northeast-1", "ap-northeast-2", "ap-south-1", "ap-southeast-1", "ap-southeast-2"],
    ]
      .flat()
      .map((region) => [region, "763104351884"]),
  ),
  "af-south-1": "626614931356",
  "ap-east-1": "871362719292",
  "ap-east-2": "975050140332",
  "ap-northeast-3": "364406365360",
  "ap-south-2": "772153158452",
  "ap-southeast-3": "907027046896",
  "ap-southeast-4": "457447274322",
  "ap-southeast-5": "550225433462",
  "ap-southeast-6": "633930458069",
  "ap-southeast-7": "590183813437",
  "ca-west-1": "204538143572",
  "cn-north-1": "727897471807",
  "cn-northwest-1": "727897471807",
  "eu-central-2": "380420809688",
  "eu-south-1": "692866216735",
  "eu-south-2": "503227376785",
  "il-central-1": "780543022126",
  "me-central-1": "914824155844",
  "me-south-1": "217643126080",
  "mx-central-1": "637423239942",
  // https://docs.aws.amazon.com/govcloud-us/latest/UserGuide/govcloud-sagemaker.html
  "us-gov-east-1": "446045086412",
  "us-gov-west-1": "442386744353",
};

/** The regions in which AWS publishes its images. */
export const imageRegions: readonly string[] = Object.keys(accounts).sort();

/**
 * The image that serves a PyTorch model on a family of instances.
 * @throws Error where AWS publishes no images in the region
 */
export function imageFor(family: InstanceFamily, region: string): string {
  const account = accounts[region];
  if (account === undefined) {
    throw new Error(`no image of AWS is known in region "${region}", only in ${imageRegions.join(", ")}`);
  }
  return `${account}.dkr.ecr.${region}.${partitionOf(region).dnsSuffix}/${images[family].name}`;
}

const repositories: [RegExp, InstanceFamily][] = [
  [/^(huggingface-)?pytorch-inference-neuron$/, "inf1"],
  [/^(huggingface-)?pytorch-inference-neuronx$/, "inf2"],
  [/^pytorch-inference-(arm64|graviton)$/, "graviton"],
  [/^(huggingface-)?pytorch-inference$|^sagemaker-(neo|inference)-pytorch$/, "cpu"],
];

const partsOf = (image: string) => image.slice(image.lastIndexOf("/") + 1).split(/[:@]/, 2);
const repositoryOf = (image: string) => partsOf(image)[0] ?? "";

/** Whether an image is one of AWS's for PyTorch, by its repository's name: its server reads AWS's environment variables. */
export const isOfAws = (image: string): boolean => repositories.some(([name]) => name.test(repositoryOf(image)));

/**
 * The family an image of AWS is made for, by its repository's name and tag; undefined for a repository not known here, and
 * for a digest that does not say it.
 */
export function imageFamilyOf(image: string): InstanceFamily | undefined {
  const family = repositories.find(([name]) => name.test(repositoryOf(image)))?.[1];
  if (family !== "cpu") return family;
  if (image.includes("@")) return undefined;
  const [, tag = ""] = partsOf(image);
  if (/-inf-/.test(tag)) return "inf1"; // Neo's image for models compiled for ml_inf1
  return /-gpu-/.test(tag) ? "gpu" : "cpu";
}

/**
 * What is said of an image of AWS's own that is no longer mended; undefined of one that is, and of any other, of which
 * nothing is known here. Each line has its last image here, so an earlier one has ended too.
 * @param today `2026-07-01`
 */
export function outOfPatch(image: string, today: string): string | undefined {
  const known = Object.values(images).find(({ name }) => repositoryOf(name) === repositoryOf(image));
  if (known === undefined || today <= known.endOfPatch) return undefined;
  return `${image} gets no security patches any more: its line ended on ${known.endOfPatch}, and ${known.last}`;
}

/**
 * Statuses from 400 to 499 by which the server of an image tells of a fault of its own, not of the input. Hugging Face's
 * toolkit answers 400 to every exception, to one for want of memory too:
 * https://github.com/aws/sagemaker-huggingface-inference-toolkit/blob/main/src/sagemaker_huggingface_inference_toolkit/handler_service.py
 */
export const faultStatusesOf = (image: string): readonly number[] =>
  /^huggingface-(pytorch|tensorflow)-inference/.test(repositoryOf(image)) ? huggingFaceFaults : [];

export const huggingFaceFaults: readonly number[] = [400];
