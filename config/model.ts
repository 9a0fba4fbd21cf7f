import { z } from "zod";
import { familyOf, instanceTypes, knownInstanceTypes } from "../aws/instance-types";
import { limits, type Range } from "../aws/limits";
import { imageFamilyOf, imageFor, imageRegions } from "../aws/model-images";
import { kindsOfModels } from "../aws/model-kinds";
import type { ModelContract } from "../contract/model-contract";
import { group, oneOf, type Rule, refuse, ruled, show, text, whole } from "./faults";
import { paraphraseContract } from "./paraphrase";
import { artifactKey, asConfigured, type EnvironmentReleases, type Release, releaseId, releasesFile } from "./releases";
import { naming, type Surroundings } from "./surroundings";

const instancesPerCall: Range = {
  min: 1,
  max: 1000,
  unit: "pairs",
  source: "a call that fails is asked again in parts, one by one at last",
};

const concurrency: Range = {
  min: 1,
  max: 256,
  unit: "calls in flight",
  source: "each is a connection, and a function may open 1024 files and connections in all",
};

/** The model and its endpoint. */
export const modelSection = (around: Surroundings) => {
  const named = naming(around);
  const { region, modelBucket, takeOver } = around;
  const { current = asConfigured, previous }: Partial<EnvironmentReleases> = around.releases ?? {};
  return ruled(
    group({
      /** The model's name; its release comes behind. @default paraphrase-bert-en-tf */
      modelName: named("paraphrase-bert-en-tf", limits.sagemaker.modelName, "-01234567"),
      /** The endpoint configuration's name; its release comes behind. @default paraphrase-bert-en-conf-tf */
      endpointConfigurationName: named(
        "paraphrase-bert-en-conf-tf",
        limits.sagemaker.endpointConfigurationName,
        "-01234567",
      ),
      /** @default paraphrase-bert-en-endpoint */
      endpointName: named("paraphrase-bert-en-endpoint", limits.sagemaker.endpointName),
      /** The production variant's name, which gets no prefix. @default paraphrase-bert-en-conf */
      variantName: text(limits.sagemaker.variantName).prefault("paraphrase-bert-en-conf"),
      /**
       * The role that the model's container acts in.
       * @default SagemakerModelExecutionRole, or ModelExecutionRole where `takeOver` leaves the other to Feature Store
       */
      executionRoleName: named(takeOver ? "ModelExecutionRole" : "SagemakerModelExecutionRole", limits.iam.roleName),
      /** What the endpoint runs on. @default ml.inf1.xlarge */
      instanceType: z
        .string({ error: refuse(knownInstanceTypes) })
        .refine((type) => instanceTypes.has(type), { error: refuse(knownInstanceTypes) })
        .prefault("ml.inf1.xlarge"),
      /** How many instances the endpoint runs on. @default 1 */
      instanceCount: whole(limits.sagemaker.instanceCount).prefault(1),
      /** An image in ECR, with its tag, for the family of the instance type. @default AWS's own for the family */
      image: text(limits.sagemaker.image).optional(),
      /** The model artifact, a tar.gz in S3, for as long as releases.json names none for the environment. */
      artifact: group({
        /** @default the bucket of the model artifacts */
        bucket: text(limits.s3.bucketName).default(modelBucket),
        /** @default bert-seq-classification/traced_model.tar.gz */
        key: text(artifactKey).prefault("bert-seq-classification/traced_model.tar.gz"),
      }).prefault({}),
      /**
       * How the model is asked: `pair`, `{"seq_0","seq_1"}` a call, answered by a JSON string; or `instances`,
       * `{"instances":[…]}`, answered by `{"predictions":[…]}` in the same order. @default pair
       */
      contract: oneOf(["pair", "instances"], "what this pipeline speaks")
        .prefault("pair")
        .transform((request) => ({
          ...paraphraseContract,
          request: request === "pair" ? ("json" as const) : ("instances" as const),
        })),
      /** The most pairs in a call, where the contract is `instances`. @default 25, by `npm run bench` */
      instancesPerCall: whole(instancesPerCall).prefault(25),
      /**
       * Calls that one function has in flight at the endpoint. @default 8, by `npm run bench`: with as many as an
       * inf1.xlarge has NeuronCores, four, each would idle between an answer and the next call
       */
      concurrency: whole(concurrency).prefault(8),
      /** Keeps a sample of requests and answers, sentences and all, in S3. @default none is kept */
      dataCapture: group({
        /** Where, `s3://bucket/prefix`. */
        s3Uri: text(limits.sagemaker.dataCaptureS3Uri),
        /** How many of a hundred requests are kept. */
        samplingPercentage: whole(limits.sagemaker.samplingPercentage),
      }).optional(),
    }),
    Object.entries({ current, previous }).flatMap(([role, served]) => {
      if (served === undefined) return [];
      return served === asConfigured ? configuredRules(around) : releaseRules(role, served, around);
    }),
  ).transform(({ image, instanceType, artifact, ...model }) => {
    const inRegion = region ?? "us-east-1";
    const serve = (served: Release | typeof asConfigured) => {
      if (served === asConfigured) {
        return {
          artifact,
          image: image ?? imageFor(familyOf(instanceType), inRegion),
          instanceType,
          environment: {},
        };
      }
      const kind = kindsOfModels[served.kind];
      const type = served.instanceType ?? instanceType;
      return {
        id: releaseId(served),
        artifact: served.artifact,
        image: served.image ?? image ?? kind.imageIn?.(inRegion) ?? "", // refused above where nothing names one
        instanceType: type,
        environment: kind.environment(type),
      };
    };
    return { ...model, ...serve(current), previous: previous && serve(previous) };
  });
};

interface Served {
  readonly image?: string;
  readonly instanceType: string;
  readonly contract: ModelContract;
}

const { source } = limits.sagemaker.image;

/** What holds for an image wherever it comes from. */
const imageRules = (region: string | undefined, imageOf: (model: Served) => string | undefined): Rule<Served>[] =>
  region === undefined
    ? []
    : [
        {
          of: ["image"],
          holds: (model) => imageOf(model) !== undefined || imageRegions.includes(region),
          given: () => `nothing, and AWS's own images are not in ${region}`,
          allowed: "an image in ECR",
          source,
        },
        {
          of: ["image"],
          holds: (model) => imageOf(model)?.includes(`.${region}.`) ?? true,
          given: (model) => show(imageOf(model)),
          allowed: `an image in ${region}, where the endpoint is`,
          source,
        },
      ];

/** What holds for the model that config.ts describes. */
const configuredRules = ({ region }: Surroundings): Rule<Served>[] => [
  {
    of: ["image", "instanceType"],
    holds: ({ image = "", instanceType }) =>
      (imageFamilyOf(image) ?? familyOf(instanceType)) === familyOf(instanceType),
    given: ({ image = "" }) => `${show(image)} (${imageFamilyOf(image)})`,
    allowed: ({ instanceType }) =>
      `an image of family ${familyOf(instanceType)} for ${instanceType}, or leave it out for AWS's own`,
    source,
  },
  ...imageRules(region, ({ image }) => image),
];

/** What holds for a release, which is the current one or the one before. */
function releaseRules(role: string, release: Release, { name, region }: Surroundings): Rule<Served>[] {
  const kind = kindsOfModels[release.kind];
  const of = `for the release of kind ${release.kind} (${releasesFile}: ${name}.${role})`;
  const typeOf = ({ instanceType }: Served) => release.instanceType ?? instanceType;
  const imageOf = ({ image }: Served) => release.image ?? image;
  const isServed = (image?: string) => (image === undefined ? kind.imageIn !== undefined : kind.isServedBy(image));
  const rules: Rule<Served>[] = [
    {
      of: ["instanceType"],
      holds: (model) => familyOf(typeOf(model)) === kind.family,
      given: (model) => show(typeOf(model)),
      allowed: `one of family ${kind.family} ${of}; or say it in that release`,
    },
    {
      of: ["image"],
      holds: (model) => isServed(imageOf(model)),
      given: (model) => show(imageOf(model)),
      allowed: `${kind.image}, ${of}; or say it in that release`,
      source,
    },
    ...imageRules(region, imageOf),
  ];
  return role === "previous"
    ? rules
    : [
        ...rules,
        {
          of: ["contract"],
          holds: ({ contract }) => kind.contracts.includes(contract.request === "json" ? "pair" : "instances"),
          given: ({ contract }) => show(contract.request),
          allowed: `${kind.contracts.map(show).join(", ")} ${of}`,
        },
      ];
}
