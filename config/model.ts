import { z } from "zod";
import { familyOf, type InstanceFamily, knownInstanceTypes, onDemand } from "../aws/instance-types";
import { describeRange, isWithin, limits, type NameLimit, type Range } from "../aws/limits";
import { faultStatusesOf, huggingFaceFaults, imageFamilyOf, imageFor, imageRegions } from "../aws/model-images";
import { containerEnvironment, environmentOn, kindsOfModels, type ModelKind } from "../aws/model-kinds";
import { partitionOf } from "../aws/partitions";
import { countedBytes, sharesView } from "../contract/counted-answer";
import { formatsOfOne, type ModelContract, requestFormats } from "../contract/model-contract";
import { type Scaling, startingSeconds } from "../contract/scaling";
import { contractSection, labelOf } from "./contract";
import { group, nameRule, nothing, type Rule, refusalsBy, refuse, ruled, show, text, whole } from "./faults";
import { hoursFields, hoursRule } from "./hours";
import {
  artifactKey,
  asConfigured,
  type EnvironmentReleases,
  fits,
  type Release,
  releaseId,
  releasesFile,
} from "./releases";
import { contractLines } from "./spoken-contract";
import { isServerlessIn, lowercaseWord, naming, type Surroundings } from "./surroundings";

const instancesPerCall: Range = {
  min: 1,
  max: 1000,
  unit: "inputs",
  source: "a call that fails is asked again in parts, one by one at last",
};

const concurrency: Range = {
  min: 1,
  max: 256,
  unit: "calls in flight",
  source: "each is a connection, and a function may open 1024 files and connections in all",
};

const refusal: Range = { min: 400, max: 499, unit: "as a status", source: "all others tell of a fault in any case" };

const modelName: NameLimit = { ...lowercaseWord, source: "it is part of names, and Redshift's are lowercase" };

const partError = refuse("a number from 0 to 1");
const part = z.number({ error: partError }).refine((value) => value >= 0 && value <= 1, { error: partError });

const speedError = refuse("a number above 0");

const watchedError = refuse(`a text of 1 to ${countedBytes} bytes of UTF-8, without NUL`, sharesView);
const watchedAnswer = z
  .string({ error: watchedError })
  .refine((answer) => /^[^\0\p{Surrogate}]+$/u.test(answer) && Buffer.byteLength(answer) <= countedBytes, {
    error: watchedError,
  });

const watchedAnswers: Range = { min: 1, max: 1_000_000_000, unit: "answers", source: "as many as a day may have" };

/** How long what is asked may take, where instances follow the backlog. */
export const deadlineRange: Range = {
  min: 3 * startingSeconds,
  max: limits.sqs.messageRetentionSeconds.max,
  unit: "seconds",
  source: "an instance more takes ten minutes until it answers, which is assumed",
};

const countError = refuse(
  `${describeRange(limits.sagemaker.instanceCount)}, or { min, max } of them`,
  limits.sagemaker.instanceCount.source,
);

/** What is said of the model whoever makes its endpoint. */
const askedFields = {
  /**
   * What the model is called. The default names of resources follow from it, and it stays for good: AWS would replace
   * what gets another name. Where `takeOver` is set, the original's names stay. @default the name of the default model
   */
  name: text(modelName).optional(),
  /** What the pipeline and the model agree on. */
  contract: contractSection.prefault({}),
  /** The most inputs of a call, where the request holds many. @default 25, by `npm run bench` */
  instancesPerCall: whole(instancesPerCall).prefault(25),
  /**
   * Calls that one function has in flight at the endpoint. @default 8, by `npm run bench`: with as many as an
   * inf1.xlarge has NeuronCores, four, each would idle between an answer and the next call
   */
  concurrency: whole(concurrency).prefault(8),
  /**
   * How long a call of the endpoint may take, in seconds; it is ended then. A full batch of such calls must fit into
   * `inference.timeoutSeconds`. @default as long as fits there, 60 at most
   */
  slowestCallSeconds: whole(limits.sagemaker.callSeconds).optional(),
  /**
   * Statuses from 400 to 499 by which the model tells of a fault of its own. Such a call is tried again; by any other the
   * input is refused for good, but for those that never speak of it, as 429 does.
   * @default 400 where the image is one of Hugging Face's or `request` is "inputs", which is theirs, else none
   */
  faultStatuses: z.array(whole(refusal), { error: refuse("a list of statuses") }).optional(),
  /**
   * Predictions that one instance gives a second, on demand one of the calls at once, by `npm run bench:model` or the endpoint's own metrics; of an endpoint that
   * exists, all that it gives. What a million takes and costs follows from it. @default not known
   */
  predictionsPerSecond: z
    .number({ error: speedError })
    .refine((value) => value > 0, { error: speedError })
    .optional(),
  /** The least that `model compare A B` is to find, each a part from 0 to 1. @default it only says what it finds */
  gate: group({
    /** Of all rows, those that both models answer alike. */
    agreement: part.optional(),
    /** Of the labelled rows, those that B is right about. */
    accuracy: part.optional(),
  }).optional(),
  /** An alarm that rings when one answer is given more or less often than it should be. @default there is none */
  drift: ruled(
    group({
      /** The answer, as `results --shares` shows it. */
      answer: watchedAnswer,
      /** What its share of a day's answers should be, each a part from 0 to 1. @default `min` is 0, `max` is 1 */
      share: group({ min: part.prefault(0), max: part.prefault(1) }),
      /** The least answers of a day that say something: with fewer it does not ring. @default 100, assumed */
      minimumAnswers: whole(watchedAnswers).prefault(100),
    }),
    [
      {
        of: ["share"],
        holds: ({ share: { min, max } }) => min <= max && (min > 0 || max < 1),
        allowed: "a min above 0, a max below 1, or both, and no min above the max",
      },
    ],
  ).optional(),
};

/** The model and its endpoint: one that exists, or one that is made. */
export const modelSection = (around: Surroundings) => (around.hasEndpoint ? existing(around) : served(around));

/** The statuses of faults: those that are set, or that follow from the image and from how it is asked. */
function faultStatuses(
  { faultStatuses, contract }: { readonly faultStatuses?: readonly number[]; readonly contract: ModelContract },
  image = "",
): readonly number[] {
  return faultStatuses ?? (contract.request === "inputs" ? huggingFaceFaults : faultStatusesOf(image));
}

/** A setting that an endpoint which exists does without, and why. */
const without = (why: string) => nothing(`nothing beside endpoint.existing, ${why}`);

/** A setting that Serverless Inference does without, and why. */
const notServerless = (why: string) => nothing(`nothing on demand, ${why}`, limits.sagemaker.serverlessSource);

const onlyServerless = nothing('nothing but where capacity is "on-demand"');

/** An endpoint that exists. */
function existing({ name, prefix, names, takeOver, releases }: Surroundings) {
  const byItself = "whose model has an artifact, an image and variables already";
  const named = "which has its names already";
  const fields = group({
    ...askedFields,
    endpoint: group({
      /** The full name of an endpoint that SageMaker has already. No model, configuration or endpoint is made. */
      existing: text(limits.sagemaker.endpointName),
      /** Which of its production variants is asked. @default the endpoint chooses by their weights */
      variant: text(limits.sagemaker.variantName).optional(),
    }),
    artifact: without(byItself),
    image: without(byItself),
    environment: without(byItself),
    instanceType: without("which runs on instances already"),
    instanceCount: without("which runs on instances already"),
    deadlineSeconds: without("which whoever makes it scales"),
    workingHours: without("which whoever makes it scales"),
    memoryGigabytes: without("which has its memory already"),
    maxConcurrency: without("whose own configuration says how many calls it takes"),
    dataCapture: without("whose own configuration says what is captured"),
    modelName: without(named),
    endpointConfigurationName: without(named),
    endpointName: without(named),
    variantName: without("where endpoint.variant names the variant"),
    executionRoleName: without("whose container has a role already"),
  });
  return ruled(fields, [
    {
      of: ["endpoint.existing"],
      holds: ({ endpoint }) => endpoint.existing !== `${prefix}-${names.endpoint}`,
      allowed: "another endpoint than the one that is made here by default: Terraform would destroy it",
    },
    {
      of: ["endpoint"],
      holds: () => !takeOver,
      allowed: "nothing beside takeOver: the original's endpoint is taken over, and would be destroyed",
    },
    {
      of: ["endpoint"],
      holds: () => releases === undefined,
      allowed: `nothing while ${releasesFile} has a release of ${name}: it is of an endpoint that is made here`,
    },
  ])
    .transform(({ name, ...model }) => ({
      ...model,
      faultStatuses: faultStatuses(model),
      serverless: undefined,
      previous: undefined,
      scaling: undefined,
    }))
    .prefault({ endpoint: { existing: "" } }); // never used: the endpoint is there
}

const { valueBytes } = limits.sagemaker.containerEnvironment;
const variableValue = z
  .string({ error: refuse("a text") })
  .refine((value) => isWithin(Buffer.byteLength(value), valueBytes), {
    error: `got a longer text; allowed: ${describeRange(valueBytes)} (${valueBytes.source})`,
  });

/** An endpoint that is made for a model. */
function served(around: Surroundings) {
  const { region = "us-east-1" } = around;
  const isServerless = isServerlessIn(around);
  const { current = asConfigured, previous }: Partial<EnvironmentReleases> = around.releases ?? {};
  const fields = group({
    ...askedFields,
    concurrency: isServerless ? notServerless("where it follows from maxConcurrency") : askedFields.concurrency,
    // Assigned: what is spread comes from the end in TypeScript's types, and so in docs/configuration.md.
    ...Object.assign(nameFields(around), sizeFields(isServerless), containerFields(around)),
  });
  return ruled(fields, [
    ...scalingRules,
    environmentNames,
    ...Object.entries({ current, previous }).flatMap(([role, served]) => {
      if (served === undefined) return [];
      const rules = served === asConfigured ? configuredRules(around) : releaseRules(role, served, around);
      return [...rules, ...environmentRules((model) => containerOf(model, served, region))];
    }),
  ])
    .transform(({ name, artifact, environment, memoryGigabytes, maxConcurrency, concurrency, ...model }) => {
      const serve = (served: Release | typeof asConfigured): Described => {
        const { told, ...container } = containerOf({ ...model, environment }, served, region);
        const described = { ...container, environment: { ...told, ...environment } };
        if (served === asConfigured) return { ...described, artifact };
        return { ...described, artifact: served.artifact, id: releaseId(served) };
      };
      const described = serve(current);
      return {
        ...model,
        concurrency: concurrency ?? callsOfWorkers(maxConcurrency ?? 1).concurrency,
        /** How Serverless Inference answers. @default instances answer */
        serverless: memoryGigabytes && maxConcurrency ? { memoryGigabytes, maxConcurrency } : undefined,
        faultStatuses: faultStatuses(model, described.image),
        variables: environment,
        scaling: scalingOf(model),
        ...described,
        previous: previous && serve(previous),
      };
    })
    .prefault({});
}

/** What is called what in SageMaker and IAM. */
function nameFields(around: Surroundings) {
  const named = naming(around);
  const { takeOver, names } = around;
  const ending = isServerlessIn(around) ? "-on-demand" : ""; // SageMaker turns no endpoint of one kind into the other
  return {
    /** An endpoint that exists: `{ existing, variant }`. @default one is made */
    endpoint: z.undefined().optional(),
    /** The model's name in SageMaker; its release comes behind. @default what `name` is */
    modelName: named(names.model, limits.sagemaker.modelName, "-01234567"),
    /** The endpoint configuration's name; its release comes behind. @default what `name` is, and `-on-demand` there */
    endpointConfigurationName: named(
      names.endpointConfiguration + ending,
      limits.sagemaker.endpointConfigurationName,
      "-01234567",
    ),
    /** @default what `name` is, and `-on-demand` there */
    endpointName: named(names.endpoint + ending, limits.sagemaker.endpointName),
    /** The production variant's name, which gets no prefix. @default what `name` is */
    variantName: text(limits.sagemaker.variantName).prefault(names.variant),
    /**
     * The role that the model's container acts in.
     * @default SagemakerModelExecutionRole, or ModelExecutionRole where `takeOver` leaves the other to Feature Store
     */
    executionRoleName: named(takeOver ? "ModelExecutionRole" : "SagemakerModelExecutionRole", limits.iam.roleName),
  };
}

/** What the endpoint runs on, and how much of it there is. */
const sizeFields = (isServerless: boolean) => ({
  /**
   * What the endpoint runs on. One that aws/instance-types.ts does not know needs an image that is named.
   * @default ml.inf1.xlarge
   */
  instanceType: isServerless
    ? notServerless(
        "which has no Inferentia, no GPU and no instances: SageMaker Serverless Inference answers on processors",
      ).transform(() => onDemand)
    : text(limits.sagemaker.instanceType).prefault("ml.inf1.xlarge"),
  /**
   * How many instances the endpoint runs on, or between which numbers they follow the backlog. A range needs
   * `predictionsPerSecond` and `deadlineSeconds`. @default 1
   */
  instanceCount: isServerless
    ? notServerless("where maxConcurrency says how many calls are answered at once").transform(() => 1)
    : z
        .union(
          [
            whole(limits.sagemaker.instanceCount),
            group({
              /** Instances at rest. One stays at least: AWS scales no endpoint of instances to none. */
              min: whole(limits.sagemaker.instanceCount),
              /** The most instances there may be. */
              max: whole(limits.sagemaker.instanceCount),
            }),
          ],
          { error: countError },
        )
        .prefault(1),
  /**
   * How long what is asked may take to be answered, in seconds, where `instanceCount` is a range: the backlogs follow from it
   * that there are more instances from.
   */
  deadlineSeconds: whole(deadlineRange).optional(),
  /** Hours in which there are more instances at rest, where `instanceCount` is a range. @default there are none */
  workingHours: ruled(
    group({
      /** Instances at rest in these hours. */
      min: whole(limits.sagemaker.instanceCount),
      ...hoursFields,
    }),
    [hoursRule],
  ).optional(),
  /**
   * On demand, the memory of each container in GB, with which its processors grow. @default 4, assumed: a traced BERT and
   * PyTorch take 2
   */
  memoryGigabytes: isServerless ? whole(limits.sagemaker.serverlessMemoryGigabytes).prefault(4) : onlyServerless,
  /**
   * On demand, the calls that are answered at once at most. Workers and their calls follow. @default 4, so that two
   * environments fit into the ten that a new account has
   */
  maxConcurrency: isServerless ? whole(limits.sagemaker.serverlessConcurrency).prefault(4) : onlyServerless,
});

/** What the container is, what it is told, and what is kept of what it answers. */
const containerFields = (around: Surroundings) => ({
  /**
   * An image in ECR, with its tag: of AWS's, one for the family of the instance type. @default AWS's own PyTorch for
   * the family
   */
  image: text(limits.sagemaker.image).optional(),
  /**
   * Environment variables of the container, none of them secret. They are added to those that follow from its instances
   * (`environmentOn` in aws/model-kinds.ts), and go before them. @default none
   */
  environment: z.record(z.string(), variableValue, { error: refuse("an object of texts by their names") }).prefault({}),
  /** The model artifact, a tar.gz in S3, for as long as releases.json names none for the environment. */
  artifact: group({
    /** @default the bucket of the model artifacts */
    bucket: text(limits.s3.bucketName).default(around.modelBucket),
    /** @default `<name>/model.tar.gz`, or the original's for the default model */
    key: text(artifactKey).prefault(around.names.artifactKey),
  }).prefault({}),
  /** Keeps a sample of requests and answers, features and all, in S3. @default none is kept */
  dataCapture: isServerlessIn(around)
    ? notServerless("where SageMaker captures nothing")
    : group({
        /** Where, `s3://bucket/prefix`. */
        s3Uri: text(limits.sagemaker.dataCaptureS3Uri),
        /** How many of a hundred requests are kept. */
        samplingPercentage: whole(limits.sagemaker.samplingPercentage),
      }).optional(),
});

/** What says how many instances an endpoint has. */
interface Counted {
  /** @default whoever makes the endpoint says it */
  readonly instanceCount?: number | { readonly min: number; readonly max: number };
  readonly deadlineSeconds?: number;
  readonly predictionsPerSecond?: number;
  readonly workingHours?: { readonly min: number };
}

/** The least and the most instances of an endpoint that is made here; of one that exists, it counts as one. */
export const instanceRange = ({ instanceCount = 1 }: Pick<Counted, "instanceCount">) =>
  typeof instanceCount === "number" ? { min: instanceCount, max: instanceCount } : instanceCount;

const isRange = ({ instanceCount }: Counted) => typeof instanceCount === "object";

const scalingRules: readonly Rule<Counted>[] = [
  {
    of: ["instanceCount"],
    holds: (model) => !isRange(model) || instanceRange(model).min < instanceRange(model).max,
    allowed: "a max above the min, or a number where nothing is to be scaled",
  },
  {
    of: ["predictionsPerSecond", "instanceCount"],
    holds: (model) => !isRange(model) || model.predictionsPerSecond !== undefined,
    allowed: "what one instance gives a second, where instanceCount is a range, and never a guess",
    source:
      "`npm run bench:model -- --model ARCHIVE` measures it on a machine like the instance; of a busy endpoint it is what its metric Invocations counts a second, times the inputs of a call",
  },
  {
    of: ["deadlineSeconds", "instanceCount"],
    holds: (model) => isRange(model) === (model.deadlineSeconds !== undefined),
    allowed: (model) => (isRange(model) ? describeRange(deadlineRange) : "nothing beside a fixed instanceCount"),
    source: "the backlogs follow from it that there are more instances from",
  },
  {
    of: ["workingHours", "instanceCount"],
    holds: (model) => isRange(model) || model.workingHours === undefined,
    allowed: "nothing beside a fixed instanceCount",
  },
  {
    of: ["workingHours.min", "instanceCount"],
    holds: (model) => {
      const { min, max } = instanceRange(model);
      return (
        !isRange(model) || !model.workingHours || isWithin(model.workingHours.min, { ...atWork, min: min + 1, max })
      );
    },
    allowed: (model) => `more than instanceCount.min (${instanceRange(model).min}), and instanceCount.max at most`,
  },
];

const atWork = { unit: "instances", source: "instanceCount" };

/** How the instances follow the backlog; undefined where they are as many as they are. */
function scalingOf({ instanceCount, predictionsPerSecond, deadlineSeconds }: Counted): Scaling | undefined {
  if (typeof instanceCount !== "object" || !predictionsPerSecond || !deadlineSeconds) return undefined;
  return { ...instanceCount, predictionsPerSecond, deadlineSeconds };
}

/**
 * How the calls that an endpoint answers at once are spread: a queue has two workers or more, and eight calls of each keep
 * it busy, by `npm run bench`.
 */
export function callsOfWorkers(maxConcurrency: number) {
  const workers = Math.max(limits.eventSourceMapping.maximumConcurrency.min, Math.ceil(maxConcurrency / 8));
  return { workers, concurrency: Math.max(1, Math.floor(maxConcurrency / workers)) };
}

/** A model, and what it is served on. */
interface Described {
  /** The release's own part of Terraform addresses. @default the addresses have none */
  readonly id?: string;
  readonly artifact: { readonly bucket: string; readonly key: string; readonly sha256?: string };
  readonly image: string;
  readonly instanceType: string;
  readonly environment: Readonly<Record<string, string>>;
}

interface Served {
  readonly image?: string;
  readonly instanceType: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly contract: ModelContract;
}

/** What serves a model, and what its container is told because of that: "" is an image that nothing names. */
interface Container {
  readonly image: string;
  readonly instanceType: string;
  readonly told: Readonly<Record<string, string>>;
}

/** What serves the model that config.ts describes, or a release, in a region. */
function containerOf(model: Served, served: Release | typeof asConfigured, region: string): Container {
  const isRelease = served !== asConfigured;
  const instanceType = (isRelease ? served.instanceType : undefined) ?? model.instanceType;
  const kind = isRelease ? served.kind : undefined;
  const named = (isRelease ? served.image : undefined) ?? model.image;
  const image = named ?? ownImage(kind, instanceType, region) ?? "";
  const resolved = isRelease && served.resolved?.image === image ? served.resolved : undefined;
  const told = environmentOn(instanceType, image, kind);
  return { image: resolved ? byDigest(image, resolved.digest) : image, instanceType, told };
}

/** An image that is named by its digest in the place of its tag. */
const byDigest = (image: string, digest: string) => image.replace(/:[^:/]+$/, `@${digest}`);

/** AWS's own image for a kind of model, or for instances; undefined where there is none. */
function ownImage(kind: ModelKind | undefined, instanceType: string, region: string): string | undefined {
  if (!imageRegions.includes(region)) return undefined;
  if (kind !== undefined) return kindsOfModels[kind].imageIn?.(region);
  const family = familyOf(instanceType);
  return family && imageFor(family, region);
}

const ofContainer = limits.sagemaker.containerEnvironment;
const taken = Object.keys(containerEnvironment(""));
const bytesOf = (environment: Readonly<Record<string, string>>) =>
  Buffer.byteLength(Object.entries(environment).flat().join(""));

const environmentNames: Rule<Served> = nameRule("environment", (name) => [
  ...refusalsBy(ofContainer.name, name),
  ...(taken.includes(name) ? [[`another name than ${taken.join(", ")}`, "these are set in any case"] as const] : []),
]);

/** What holds for the container's environment variables with those that are set for it. */
function environmentRules(containerOf: (model: Served) => Container): Rule<Served>[] {
  const all = (model: Served) => ({ ...containerEnvironment(""), ...containerOf(model).told, ...model.environment });
  const others = (model: Served) => Object.keys(all(model)).length - Object.keys(model.environment).length;
  const of = ["environment", "image", "instanceType"]; // what is set in any case follows from the last two
  return [
    {
      of,
      holds: (model) => isWithin(Object.keys(all(model)).length, ofContainer.variables),
      given: ({ environment }) => `${Object.keys(environment).length} variables`,
      allowed: (model) =>
        `${ofContainer.variables.max - others(model)} beside the ${others(model)} that are set in any case`,
      source: ofContainer.variables.source,
    },
    {
      of,
      holds: (model) => isWithin(bytesOf(all(model)), ofContainer.bytes),
      given: ({ environment }) => `${bytesOf(environment)} bytes of names and values`,
      allowed: `${describeRange(ofContainer.bytes)} with those that are set in any case`,
      source: ofContainer.bytes.source,
    },
  ];
}

const { source } = limits.sagemaker.image;

/** Whether two families are one, as far as they are known. */
const areOneFamily = (one: InstanceFamily | undefined, other: InstanceFamily | undefined) =>
  one === undefined || other === undefined || one === other;

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
          holds: (model) => imageOf(model)?.includes(`.${region}.${partitionOf(region).dnsSuffix}/`) ?? true,
          given: (model) => show(imageOf(model)),
          allowed: `an image in ${region}, where the endpoint is`,
          source,
        },
      ];

/** What holds for the model that config.ts describes. */
const configuredRules = ({ region }: Surroundings): Rule<Served>[] => [
  {
    of: ["instanceType", "image"],
    holds: ({ image, instanceType }) => image !== undefined || familyOf(instanceType) !== undefined,
    allowed: `${knownInstanceTypes}; any other with an image that model.image names`,
  },
  {
    of: ["image", "instanceType"],
    holds: ({ image = "", instanceType }) => areOneFamily(imageFamilyOf(image), familyOf(instanceType)),
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
      holds: ({ instanceType }) => instanceType !== onDemand || release.instanceType === undefined,
      given: () => show(release.instanceType),
      allowed: `no instance type on demand ${of}`,
      source: limits.sagemaker.serverlessSource,
    },
    {
      of: ["instanceType"],
      holds: (model) => areOneFamily(familyOf(typeOf(model)), kind.family),
      given: (model) => show(typeOf(model)),
      allowed: `one of family ${kind.family} ${of}; or say it in that release`,
    },
    {
      of: ["instanceType", "image"],
      holds: (model) => !isServed() || imageOf(model) !== undefined || familyOf(typeOf(model)) !== undefined,
      given: (model) => show(typeOf(model)),
      allowed: `${knownInstanceTypes} ${of}; any other with an image that model.image names`,
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
  if (role === "previous") return rules;
  const lines = release.speaks && contractLines(release.speaks).map((line) => line.trim());
  const requests = requestFormats.filter((request) => kind.takesMany || formatsOfOne.includes(request));
  return [
    ...rules,
    {
      of: ["contract.request"],
      holds: ({ contract }) => requests.includes(contract.request),
      allowed: `${requests.map(show).join(", ")} ${of}`,
    },
    {
      of: ["contract"],
      holds: ({ contract }) => fits(release, contract),
      given: ({ contract }) => labelOf(contract),
      allowed:
        `${release.contract}, for which the current release is made (${releasesFile}: ${name}.${role})${lines ? `, ${lines.join(" ").replace(/,$/, "")}` : ""}; ` +
        "or release a model that is made for the new contract: offline-inference model release",
    },
  ];
}
