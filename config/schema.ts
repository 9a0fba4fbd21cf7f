import { z } from "zod";
import { isInside, overlap, parseCidr } from "../aws/cidr";
import { githubProviderArn } from "../aws/deploy-permissions";
import { familyOf, instanceTypes, knownInstanceTypes } from "../aws/instance-types";
import { describeName, describeRange, isName, isWithin, limits, type NameLimit, type Range } from "../aws/limits";
import { imageFamilyOf, imageFor, imageRegions } from "../aws/model-images";
import { kindsOfModels } from "../aws/model-kinds";
import { ConfigError, fault, faultsOf, got, group, oneOf, refuse, show, sound, text, whole, yesOrNo } from "./faults";
import { checkKeyPairs, keyPairsFile, publicKeySchema } from "./key-pairs";
import { paraphraseContract } from "./paraphrase";
import {
  artifactKey,
  asConfigured,
  checkReleases,
  type EnvironmentReleases,
  type Release,
  releaseId,
  releasesFile,
} from "./releases";

const lowercaseWord: NameLimit = {
  pattern: /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/,
  maximumLength: 30,
  allowed: "lowercase letters, digits and single hyphens, a letter first, no hyphen last",
  source: "it starts the name of every resource, and Redshift's names are lowercase",
};

const regionCode: NameLimit = {
  pattern: /^[a-z]{2}(-[a-z]+)+-\d$/,
  maximumLength: 30,
  allowed: 'a region\'s code such as "us-east-1", here or in AWS_REGION',
  source: "https://docs.aws.amazon.com/general/latest/gr/rande.html",
};

// Terraform adds `.tflock` to the key for its lock file.
const stateKey: NameLimit = { ...limits.s3.key, maximumLength: limits.s3.key.maximumLength - ".tflock".length };

const profile: NameLimit = {
  pattern: /^\S([^\]]*\S)?$/,
  maximumLength: 255,
  allowed: "the name of a profile in AWS's configuration files",
  source: "https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-files.html",
};

const description: NameLimit = {
  pattern: /^\P{Cc}+$/u,
  maximumLength: 1024,
  allowed: "any but control characters",
  source: "https://docs.aws.amazon.com/apigateway/latest/api/API_CreateRestApi.html",
};

const snsTopicArn: NameLimit = {
  pattern: /^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[\w-]+$/,
  maximumLength: 512,
  allowed: "the ARN of an SNS topic, arn:aws:sns:<region>:<account>:<name>",
  source: "https://docs.aws.amazon.com/sns/latest/dg/sns-create-topic.html",
};

const githubRepository: NameLimit = {
  pattern: /^[A-Za-z0-9]([-_]?[A-Za-z0-9])*(\/[\w.-]+|@\d+\/[\w.-]+@\d+)$/,
  maximumLength: 200,
  allowed: '"owner/name", or "owner@id/name@id" where GitHub writes it so in its tokens; no wildcards',
  source: "https://docs.github.com/en/actions/reference/security/oidc#immutable-subject-claims",
};

const survivedOutage: Range = {
  min: 0,
  max: 432_000, // a queue allows a message 1000 deliveries at most
  unit: "seconds",
  source: limits.sqs.maxReceiveCount.source,
};

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

const timeoutSeconds: Range = {
  min: 10,
  max: 20,
  unit: "seconds",
  source: "the queue hides a message for six timeouts, and what is returned shall wait 60 to 120 seconds",
};

/** What all environments share. */
const sharedSchema = group({
  /** The tag Project of every resource. */
  project: text(limits.tags.value),
  /** The tag Owner of every resource: whom to ask. */
  owner: text(limits.tags.value),
  /** Starts every name, before the environment's: `poc` makes `poc-dev-…`. */
  prefix: text(lowercaseWord),
  /** Where everything is deployed. @default AWS_REGION, or else AWS_DEFAULT_REGION */
  region: text(regionCode),
  /** The only AWS account that Terraform may deploy to. @default whichever AWS's usual environment leads to */
  account: text(limits.iam.accountId).optional(),
  /** The profile in AWS's configuration files. @default AWS's usual environment */
  profile: text(profile).optional(),
  /** The S3 bucket of Terraform's state; no other bucket in the world may have its name. */
  stateBucket: text(limits.s3.bucketName),
  /** The S3 bucket of the model artifacts. @default the state bucket's name and `-models` */
  modelBucket: text(limits.s3.bucketName).optional(),
  /** Lets GitHub's workflows plan and deploy, each in a role of its own; needs `account`. @default they may not */
  github: group({
    /** Whose workflows: `owner/name`, or `owner@id/name@id` for a repository with immutable subject claims. */
    repository: text(githubRepository),
    /** The account's OIDC provider for GitHub, where it has one: there can be only one. @default one is made */
    oidcProviderArn: z.string({ error: refuse("an ARN") }).optional(),
  }).optional(),
  /** The environment that `offline-inference` works with when it is told none. @default it must be told one */
  defaultEnvironment: z.string({ error: refuse("the name of an environment") }).optional(),
  environments: z.record(z.string(), z.unknown(), { error: refuse("an object of environments by their names") }),
})
  .superRefine(
    ({ environments }, context) => {
      const names = Object.keys(environments);
      if (names.length === 0) context.addIssue(fault(["environments"], got(environments, "one environment or more")));
      for (const name of names.filter((name) => !isName(name, lowercaseWord))) {
        const message = got(name, describeName(lowercaseWord), lowercaseWord.source);
        context.addIssue(fault(["environments", name], message));
      }
    },
    { when: sound("environments") },
  )
  .superRefine(
    ({ environments, defaultEnvironment }, context) => {
      const names = Object.keys(environments);
      if (defaultEnvironment === undefined || names.includes(defaultEnvironment)) return;
      context.addIssue(fault(["defaultEnvironment"], got(defaultEnvironment, names.join(" or "))));
    },
    { when: sound("environments", "defaultEnvironment") },
  )
  .superRefine(
    ({ stateBucket, modelBucket = modelBucketBeside(stateBucket) }, context) => {
      const { bucketName } = limits.s3;
      if (!isName(modelBucket, bucketName)) {
        context.addIssue(fault(["modelBucket"], got(modelBucket, describeName(bucketName), bucketName.source)));
      }
      if (modelBucket === stateBucket) {
        context.addIssue(fault(["modelBucket"], got(modelBucket, "another bucket than the state's")));
      }
    },
    { when: sound("stateBucket", "modelBucket") },
  )
  .superRefine(
    ({ github, account, profile }, context) => {
      if (github === undefined) return;
      const refuseField = (path: string[], given: unknown, allowed: string) =>
        context.addIssue(fault(path, got(given, allowed)));
      if (account === undefined) {
        refuseField(
          ["account"],
          account,
          `${describeName(limits.iam.accountId)}, for GitHub's roles are limited to it`,
        );
      } else if (![undefined, githubProviderArn(account)].includes(github.oidcProviderArn)) {
        refuseField(["github", "oidcProviderArn"], github.oidcProviderArn, show(githubProviderArn(account)));
      }
      if (profile !== undefined) {
        refuseField(
          ["profile"],
          profile,
          "nothing beside github, whose machines have no profiles: set AWS_PROFILE here",
        );
      }
    },
    { when: sound("github", "account", "profile") },
  )
  .transform(({ github, ...shared }) => ({
    ...shared,
    modelBucket: shared.modelBucket ?? modelBucketBeside(shared.stateBucket),
    github:
      github === undefined || shared.account === undefined
        ? undefined
        : { ...github, account: shared.account, environments: Object.keys(shared.environments) },
  }));

function modelBucketBeside(stateBucket: string) {
  return `${stateBucket}-models`;
}

interface Surroundings {
  /** The environment's name. */
  readonly name: string;
  /** What its resources' names start with. */
  readonly prefix: string;
  /** Undefined where the region itself is at fault. */
  readonly region?: string;
  readonly modelBucket: string;
  /** Whether the environment takes over a deployment of the original, and so has what that had where AWS cannot change it. */
  readonly takeOver: boolean;
  /** @default the model is what `model` describes */
  readonly releases?: EnvironmentReleases;
}

const environmentSchema = ({ name, prefix, region, modelBucket, takeOver, releases }: Surroundings) => {
  /** A name that gets the prefix before it; `appended` is what its construct puts behind it. */
  const prefixed = (limit: NameLimit, appended = "") => {
    const room = { ...limit, maximumLength: limit.maximumLength - appended.length };
    const allowed = `in full ${describeName(room)}${appended && `, for "${appended}" comes behind`}`;
    return z
      .string({ error: refuse(allowed, limit.source) })
      .refine((value) => value !== "" && isName(`${prefix}-${value}`, room), {
        error: ({ input }) => {
          const full = `${prefix}-${input}`;
          return `got ${show(input)}, in full ${show(full)} (${full.length} characters); allowed: ${allowed} (${limit.source})`;
        },
      })
      .transform((value) => `${prefix}-${value}`);
  };
  const named = (written: string, limit: NameLimit, appended?: string) => prefixed(limit, appended).prefault(written);

  const keyPair = group({
    /** What the imported key is called. @default key-pair */
    name: prefixed(limits.ec2.keyPairName).optional(),
    /** A public key to import, the line of a .pub file: ED25519, or RSA of 2048 or 4096 bits. */
    publicKey: publicKeySchema.optional(),
    /** Instead of a public key: the full name of a key pair that EC2 has already. */
    existing: text(limits.ec2.keyPairName).optional(),
  })
    .superRefine(
      ({ name, publicKey, existing }, context) => {
        if (existing === undefined ? publicKey !== undefined : name === undefined && publicKey === undefined) return;
        const given = Object.entries({ name, publicKey, existing }).flatMap(([field, value]) => (value ? [field] : []));
        const allowed = "publicKey (and name) to import a key, or existing to use one that EC2 has";
        context.addIssue(fault([], `got ${given.join(" and ") || "neither"}; allowed: ${allowed}`));
      },
      { when: sound("name", "publicKey", "existing") },
    )
    .transform(({ name: imported, publicKey, existing }): { name: string; publicKey?: string } =>
      existing === undefined ? { name: imported ?? `${prefix}-key-pair`, publicKey } : { name: existing },
    );

  const cidrBlock = (source: string) => {
    const { prefixLength } = limits.vpc;
    const error = refuse(
      `an IPv4 block such as "10.0.0.0/16", its first address and ${prefixLength.min} to ${prefixLength.max} bits`,
      source,
    );
    return z
      .string({ error })
      .refine((value) => isWithin(parseCidr(value)?.prefixLength ?? 0, prefixLength), { error });
  };

  const network = group({
    /** The VPC's name. @default paraphrase-bert-vpc */
    name: named("paraphrase-bert-vpc", limits.tags.value),
    /** The VPC's addresses. @default 10.0.0.0/16 */
    cidrBlock: cidrBlock(limits.vpc.prefixLength.source).prefault("10.0.0.0/16"),
    /** The private subnets, two or more in different zones. @default 10.0.2.0/24 and 10.0.3.0/24 */
    subnets: z
      .array(
        group({
          /** The subnet's addresses, inside the VPC's. */
          cidrBlock: cidrBlock(limits.vpc.subnetSource),
          /**
           * @default the region's zone a for the first subnet, b for the second, and so on; where `takeOver` is set,
           * the first stays in the zone that AWS chose for it
           */
          availabilityZone: z
            .string({ error: refuse("the name of a zone") })
            .refine((zone) => region === undefined || [..."abcdef"].some((letter) => zone === region + letter), {
              error: refuse(`a zone of ${region}, such as "${region}a"`, limits.vpc.subnetSource),
            })
            .optional(),
        }),
        { error: refuse("a list of subnets") },
      )
      .min(2, { error: refuse("two subnets or more, each in a zone of its own") })
      .max(6, { error: refuse("six subnets or fewer, each in a zone of its own") })
      .transform((subnets) =>
        subnets.map(({ cidrBlock, availabilityZone }, index) => ({
          cidrBlock,
          availabilityZone:
            availabilityZone ?? (takeOver && index === 0 ? undefined : `${region}${"abcdef".charAt(index)}`),
        })),
      )
      .prefault([{ cidrBlock: "10.0.2.0/24" }, { cidrBlock: "10.0.3.0/24" }]),
  }).superRefine(
    ({ cidrBlock: vpc, subnets }, context) => {
      for (const [index, subnet] of subnets.entries()) {
        const earlier = subnets.slice(0, index);
        const refuseField = (field: keyof typeof subnet, allowed: string) =>
          context.addIssue(fault(["subnets", index, field], got(subnet[field], allowed, limits.vpc.subnetSource)));
        if (!isInside(subnet.cidrBlock, vpc)) refuseField("cidrBlock", `a block inside the VPC's ${vpc}`);
        const shared = earlier.find((other) => overlap(other.cidrBlock, subnet.cidrBlock));
        if (shared) refuseField("cidrBlock", `a block that shares no address with ${shared.cidrBlock}`);
        if (earlier.some((other) => other.availabilityZone === subnet.availabilityZone)) {
          refuseField("availabilityZone", "a zone that no other subnet is in");
        }
      }
    },
    { when: sound("cidrBlock", "subnets") },
  );

  const takenFeatureNames = [
    ...paraphraseContract.features.map(({ name }) => name),
    ...limits.featureStore.reservedFeatureNames,
  ];
  const featureName = text(limits.featureStore.featureName).refine((feature) => !takenFeatureNames.includes(feature), {
    error: refuse(`a name that is not taken, as ${takenFeatureNames.join(", ")} are`, limits.featureStore.source),
  });

  const features = group({
    /** The feature group's name. @default paraphrase-feature-group */
    groupName: named("paraphrase-feature-group", limits.featureStore.groupName),
    /**
     * The role that Feature Store acts in. AWS replaces the group if it changes.
     * @default FeatureStoreRole, or the original's SagemakerModelExecutionRole where `takeOver` is set
     */
    roleName: named(takeOver ? "SagemakerModelExecutionRole" : "FeatureStoreRole", limits.iam.roleName),
    /** The feature that says which input a record is of. */
    recordIdentifier: group({
      /** @default id */
      name: featureName.prefault("id"),
      /** String, Integral or Fractional. @default String, or Fractional where `takeOver` is set */
      type: oneOf(limits.featureStore.identifierTypes, limits.featureStore.source).prefault(
        takeOver ? "Fractional" : "String",
      ),
    }).prefault({}),
    /** The feature that says when a record was made; it may be the record identifier itself, as in the original. */
    eventTime: group({
      /** @default event_time, or id where `takeOver` is set */
      name: featureName.prefault(takeOver ? "id" : "event_time"),
      /** String (ISO 8601) or Fractional (seconds since 1970). @default String, or Fractional where `takeOver` is set */
      type: oneOf(limits.featureStore.eventTimeTypes, limits.featureStore.source).prefault(
        takeOver ? "Fractional" : "String",
      ),
    }).prefault({}),
    /** Where an offline store keeps all records, `s3://bucket/prefix`. @default no offline store */
    offlineStoreS3Uri: text(limits.featureStore.offlineStoreS3Uri).optional(),
  }).superRefine(
    ({ recordIdentifier, eventTime }, context) => {
      if (recordIdentifier.name !== eventTime.name || recordIdentifier.type === eventTime.type) return;
      const allowed = `${show(recordIdentifier.type)}, for it is the same feature as the record identifier`;
      context.addIssue(fault(["eventTime", "type"], got(eventTime.type, allowed)));
    },
    { when: sound("recordIdentifier", "eventTime") },
  );

  const { current = asConfigured, previous }: Partial<EnvironmentReleases> = releases ?? {};

  const model = group({
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
  })
    .superRefine(
      ({ image, instanceType, contract }, context) => {
        const refuseField = (field: "image" | "instanceType" | "contract", message: string) =>
          context.addIssue(fault([field], message));
        const refuseImage = (given: string, allowed: string) =>
          refuseField("image", `${given}; allowed: ${allowed} (${limits.sagemaker.image.source})`);
        const refuseRegion = (given: string | undefined) => {
          if (region === undefined) return;
          if (given === undefined && !imageRegions.includes(region)) {
            refuseImage(`got nothing, and AWS's own images are not in ${region}`, "an image in ECR");
          }
          if (given !== undefined && !given.includes(`.${region}.`)) {
            refuseImage(`got ${show(given)}`, `an image in ${region}, where the endpoint is`);
          }
        };
        const checkConfigured = () => {
          const family = familyOf(instanceType);
          const fits = `an image of family ${family} for ${instanceType}, or leave it out for AWS's own`;
          const given = (image && imageFamilyOf(image)) ?? family;
          if (given !== family) refuseImage(`got ${show(image)} (${given})`, fits);
          refuseRegion(image);
        };
        const checkRelease = (role: string, release: Release) => {
          const kind = kindsOfModels[release.kind];
          const of = `for the release of kind ${release.kind} (${releasesFile}: ${name}.${role})`;
          const type = release.instanceType ?? instanceType;
          if (familyOf(type) !== kind.family) {
            refuseField("instanceType", got(type, `one of family ${kind.family} ${of}; or say it in that release`));
          }
          const given = release.image ?? image;
          if (given === undefined ? kind.imageIn === undefined : !kind.isServedBy(given)) {
            refuseImage(`got ${show(given)}`, `${kind.image}, ${of}; or say it in that release`);
          } else refuseRegion(given);
          if (role === "current" && !kind.contracts.includes(contract.request === "json" ? "pair" : "instances")) {
            refuseField("contract", got(contract.request, `${kind.contracts.map(show).join(", ")} ${of}`));
          }
        };
        for (const [role, served] of Object.entries({ current, previous })) {
          if (served === asConfigured) checkConfigured();
          else if (served !== undefined) checkRelease(role, served);
        }
      },
      { when: sound("image", "instanceType", "contract") },
    )
    .transform(({ image, instanceType, artifact, ...model }) => {
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

  const inference = group({
    /** The worker's name. @default bert-paraphrase-tf */
    functionName: named("bert-paraphrase-tf", limits.lambda.functionName),
    /** The worker's role. @default BertParaphraseModelLambdaRoleTF */
    roleName: named("BertParaphraseModelLambdaRoleTF", limits.iam.roleName),
    /** The request queue's name; that of the dead-letter queue has `-dead-letters` behind it. @default inference_queue */
    queueName: named("inference_queue", limits.sqs.queueName, "-dead-letters"),
    /** The worker's memory in MB, from which its share of a processor follows. @default 512, by `npm run bench` */
    memoryMegabytes: whole(limits.lambda.memoryMegabytes).prefault(512),
    /** What an invocation of the worker may take, in seconds; the queue hides a message six times as long. @default 20 */
    timeoutSeconds: whole(timeoutSeconds).prefault(20),
    /**
     * Messages that an invocation gets at most. @default 50, by `npm run bench`: a batch is one transaction, and with
     * the original's 10 the warehouse is slower than the endpoint
     */
    batchSize: whole(limits.eventSourceMapping.batchSize).prefault(50),
    /** How long a batch may be gathered, in seconds. @default 1, the least that AWS takes for so large a batch */
    batchWindowSeconds: whole(limits.eventSourceMapping.batchWindowSeconds).prefault(1),
    /** Workers that run at once at most. @default 3, by `npm run bench`: enough to keep one inf1.xlarge busy */
    maximumConcurrency: whole(limits.eventSourceMapping.maximumConcurrency).prefault(3),
    /**
     * The longest outage of endpoint, feature store or warehouse in which no request is given up, in seconds. The
     * deliveries that the queue allows a message follow from it. @default 43200, twelve hours
     */
    survivedOutageSeconds: whole(survivedOutage).prefault(43_200),
    /** How long the queue keeps a message, in seconds. @default 345600, four days */
    messageRetentionSeconds: whole(limits.sqs.messageRetentionSeconds).prefault(345_600),
    /** How long the dead-letter queue keeps a message from its first sending on, in seconds. @default 1209600, 14 days */
    deadLetterRetentionSeconds: whole(limits.sqs.messageRetentionSeconds).prefault(1_209_600),
  })
    .superRefine(
      ({ batchSize, batchWindowSeconds }, context) => {
        const { largestBatchWithoutWindow, source } = limits.eventSourceMapping;
        if (batchSize <= largestBatchWithoutWindow || batchWindowSeconds >= 1) return;
        const allowed = `1 second or more for a batchSize above ${largestBatchWithoutWindow}, here ${batchSize}`;
        context.addIssue(fault(["batchWindowSeconds"], got(batchWindowSeconds, allowed, source)));
      },
      { when: sound("batchSize", "batchWindowSeconds") },
    )
    .superRefine(
      ({ messageRetentionSeconds, deadLetterRetentionSeconds }, context) => {
        if (deadLetterRetentionSeconds >= messageRetentionSeconds) return;
        const allowed = `messageRetentionSeconds (${messageRetentionSeconds}) or more`;
        const why = `age counts from the first sending, so it would forget too soon: ${limits.sqs.maxReceiveCount.source}`;
        context.addIssue(fault(["deadLetterRetentionSeconds"], got(deadLetterRetentionSeconds, allowed, why)));
      },
      { when: sound("messageRetentionSeconds", "deadLetterRetentionSeconds") },
    );

  const nodes = limits.redshift.numberOfNodes;
  const nodeTypes = [...limits.redshift.nodeTypes, ...(takeOver ? limits.redshift.retiredNodeTypes : [])];
  const { ports } = limits.redshift;
  const refusePort = refuse(ports.map(({ min, max }) => `${min} to ${max}`).join(" or "), ports[0].source);
  const warehouse = group({
    /** The Redshift cluster's name. @default paraphrase-redshift-cluster */
    clusterIdentifier: named("paraphrase-redshift-cluster", limits.redshift.clusterIdentifier),
    /** @default redshift-subnet-group */
    subnetGroupName: named("redshift-subnet-group", limits.redshift.subnetGroupName),
    /**
     * What a node of the cluster is.
     * @default ra3.large, or dc2.large where `takeOver` is set: the cluster is taken over first, and resized after
     */
    nodeType: oneOf(nodeTypes, `AWS retired dc2, ${nodes["ra3.large"].source}`).prefault(
      takeOver ? "dc2.large" : "ra3.large",
    ),
    /** @default 1 */
    numberOfNodes: z.int({ error: refuse("a whole number") }).prefault(1),
    /** The cluster's first database, where the predictions are. @default predictions */
    databaseName: text(limits.redshift.databaseName).prefault("predictions"),
    /** The admin's name; AWS makes and keeps the password. @default admin */
    adminUsername: text(limits.redshift.adminUsername).prefault("admin"),
    /** @default 5439 */
    port: z
      .int({ error: refusePort })
      .refine((port) => ports.some((range) => isWithin(port, range)), { error: refusePort })
      .prefault(5439),
    /** Whether destroying the cluster leaves a snapshot of its data. @default true */
    finalSnapshot: yesOrNo().prefault(true),
    /**
     * Where the cluster may write predictions to, `s3://bucket/prefix`, for `results --unload`. @default nowhere
     */
    unloadS3Uri: text(limits.redshift.unloadS3Uri).optional(),
    /** The role that it writes there with, where `unloadS3Uri` is set. @default WarehouseUnloadRole */
    unloadRoleName: named("WarehouseUnloadRole", limits.iam.roleName),
  }).superRefine(
    ({ nodeType, numberOfNodes }, context) => {
      const range = nodes[nodeType];
      if (isWithin(numberOfNodes, range)) return;
      const allowed = `${describeRange(range)} of ${nodeType}`;
      context.addIssue(fault(["numberOfNodes"], got(numberOfNodes, allowed, range.source)));
    },
    { when: sound("nodeType", "numberOfNodes") },
  );

  const restApi = group({
    /** The REST API's name. @default paraphrase-bert-rest-api */
    name: named("paraphrase-bert-rest-api", limits.tags.value),
    /** @default API for paraphrase-bert-en */
    description: text(description).prefault("API for paraphrase-bert-en"),
    /** The name of the function behind the API. @default prediction-api */
    functionName: named("prediction-api", limits.lambda.functionName),
    /** That function's role. @default PredictionApiRole */
    roleName: named("PredictionApiRole", limits.iam.roleName),
    /**
     * The last part of the API's address.
     * @default the environment's name, or dev where `takeOver` is set: the original calls it so in every environment
     */
    stageName: text(limits.apiGateway.stageName).prefault(takeOver ? "dev" : name),
    /** AWS_IAM asks for signed requests, NONE lets everyone in. @default AWS_IAM */
    authorization: oneOf(["AWS_IAM", "NONE"], limits.apiGateway.stageName.source).prefault("AWS_IAM"),
    /** What the API takes before it answers 429. */
    throttle: group({
      /** Requests a second, in the long run. @default 50 */
      ratePerSecond: whole(limits.apiGateway.ratePerSecond).prefault(50),
      /** Requests at once. @default 100 */
      burst: whole(limits.apiGateway.burst).prefault(100),
    }).prefault({}),
  });

  return group({
    /** Where in the state bucket this environment's state is. @default inference-<name>/terraform.tfstate */
    stateKey: text(stateKey).prefault(defaultStateKey(name)),
    /**
     * Whether the environment takes over a deployment of the reference implementation that this project replaces, and
     * keeps its data, names and addresses (docs/migrating.md). It stays set for good. @default false
     */
    takeOver: yesOrNo().prefault(false),
    /**
     * Whether Terraform refuses to destroy what could not be had again: queues, features, predictions and the API's
     * address. @default true
     */
    preventDestroy: yesOrNo().prefault(true),
    /** A key pair to import into EC2, or one that is there. @default the public key in key-pairs.json, or else none */
    keyPair: keyPair.optional(),
    /** The VPC of the warehouse. */
    network: network.prefault({}),
    /** The feature group. */
    features: features.prefault({}),
    /** The model and its endpoint. */
    model: model.prefault({}),
    /** The request queue, the dead-letter queue and the worker that asks the model. */
    inference: inference.prefault({}),
    /** The Redshift cluster that keeps the predictions. */
    warehouse: warehouse.prefault({}),
    /** The REST API. */
    api: restApi.prefault({}),
    /** The SNS topic that alarms tell, by its ARN. @default nobody is told: alarms are to be seen in CloudWatch */
    alarmTopicArn: text(snsTopicArn).optional(),
    /** How long logs are kept, in days. @default 30 */
    logRetentionDays: oneOf(limits.cloudWatchLogs.retentionDays, limits.cloudWatchLogs.source).prefault(30),
  })
    .superRefine(
      ({ inference, api }, context) => {
        if (inference.functionName !== api.functionName) return;
        context.addIssue(
          fault(["api", "functionName"], got(api.functionName, "another name than inference.functionName")),
        );
      },
      { when: sound("inference.functionName", "api.functionName") },
    )
    .superRefine(
      ({ features, model, inference, warehouse, api }, context) => {
        const roles = [
          { path: ["features", "roleName"], name: features.roleName },
          { path: ["model", "executionRoleName"], name: model.executionRoleName },
          { path: ["inference", "roleName"], name: inference.roleName },
          { path: ["warehouse", "unloadRoleName"], name: warehouse.unloadRoleName },
          { path: ["api", "roleName"], name: api.roleName },
        ];
        for (const [index, { path, name }] of roles.entries()) {
          const other = roles.slice(0, index).find((earlier) => earlier.name.toLowerCase() === name.toLowerCase());
          if (other)
            context.addIssue(
              fault(
                path,
                got(name, `another name than ${other.path.join(".")}, whatever the case`, limits.iam.roleName.source),
              ),
            );
        }
      },
      {
        when: sound(
          "features.roleName",
          "model.executionRoleName",
          "inference.roleName",
          "warehouse.unloadRoleName",
          "api.roleName",
        ),
      },
    );
};

function defaultStateKey(name: string) {
  return `inference-${name}/terraform.tfstate`;
}

/** What a team writes of an environment: what differs from the defaults. Names come without the prefix. */
export type EnvironmentSettings = z.input<ReturnType<typeof environmentSchema>>;

/** What a team writes. */
export interface Settings extends Omit<z.input<typeof sharedSchema>, "region" | "environments"> {
  /** Where everything is deployed. @default AWS_REGION, or else AWS_DEFAULT_REGION */
  region?: string;
  /** The environments by their names, such as dev and prod. */
  environments: Record<string, EnvironmentSettings>;
}

/** An environment with all its defaults, and all names in full. */
export interface Environment extends z.output<ReturnType<typeof environmentSchema>> {
  /** The environment's name: `dev`. */
  name: string;
  /** What its resources' names start with: `poc-dev`. */
  prefix: string;
  /** The tags of every resource. */
  tags: Record<"Environment" | "Project" | "Owner" | "ManagedBy", string>;
  /** The SSM parameter that says where the pipeline is: `/poc-dev/names`. */
  namesParameter: string;
}

/** What all environments share, with all its defaults. */
export interface Shared extends Omit<z.output<typeof sharedSchema>, "environments"> {
  /** The tags of what is deployed once. */
  tags: Record<"Environment" | "Project" | "Owner" | "ManagedBy", string>;
}

/** The whole configuration, with all its defaults. */
export interface Config {
  shared: Shared;
  /** The environments by their names. */
  environments: Record<string, Environment>;
}

/** The parts of the settings that the environments stand on, with something harmless in the place of faults. */
const outlineSchema = z.looseObject({
  prefix: text(lowercaseWord).catch("poc"),
  region: text(regionCode).optional().catch(undefined),
  stateBucket: text(limits.s3.bucketName).catch("state"),
  modelBucket: text(limits.s3.bucketName).optional().catch(undefined),
  environments: z.record(z.string(), z.unknown()).catch({}),
});

/**
 * Checks settings and fills in the defaults.
 * @param usual AWS's usual environment variables, for the region where the settings name none
 * @param takeOver environments to read as if their `takeOver` were set
 * @param releases what releases.json says @default no environment has a release
 * @param keyPairs what key-pairs.json says @default no environment has a public key there
 * @throws ConfigError with every fault there is
 */
export function readConfig(
  settings: unknown,
  usual: Record<string, string | undefined>,
  takeOver: readonly string[] = [],
  releases: unknown = {},
  keyPairs: unknown = {},
): Config {
  const checked = checkReleases(releases);
  const keys = checkKeyPairs(keyPairs);
  const regionless = z.looseObject({ region: z.undefined().optional() }).safeParse(settings);
  const given = regionless.success
    ? { ...regionless.data, region: usual.AWS_REGION || usual.AWS_DEFAULT_REGION }
    : settings;

  const shared = sharedSchema.safeParse(given);
  const outline = outlineSchema.catch(outlineSchema.parse({})).parse(given);
  const environments = Object.entries(outline.environments).map(([name, given]) => {
    const written = withFields(given, {
      ...(takeOver.includes(name) && { takeOver: true }),
      ...(!hasKeyPair(given) && keys.keyPairs?.[name] !== undefined && { keyPair: { publicKey: keys.keyPairs[name] } }),
    });
    const prefix = `${outline.prefix}-${isName(name, lowercaseWord) ? name : "environment"}`;
    const { region, stateBucket, modelBucket = modelBucketBeside(stateBucket) } = outline;
    const takesOver = z.looseObject({ takeOver: z.literal(true) }).safeParse(written).success;
    const schema = environmentSchema({
      name,
      prefix,
      region,
      modelBucket,
      takeOver: takesOver,
      releases: checked.releases?.[name],
    });
    return { name, prefix, result: schema.safeParse(written) };
  });
  const faults = faultsOf([], shared.error);
  for (const { name, result } of environments) faults.push(...faultsOf(["environments", name], result.error));
  faults.push(...sharedStateKeys(outline.environments));
  const names = Object.keys(outline.environments);
  for (const name of takeOver.filter((name) => !names.includes(name))) {
    faults.push(`environments: cannot take over into ${show(name)}; allowed: ${names.join(", ")}`);
  }
  for (const [name, environment] of Object.entries(outline.environments)) {
    if (keys.keyPairs?.[name] === undefined || !hasKeyPair(environment)) continue;
    faults.push(
      `environments.${name}.keyPair: got a key pair, and ${keyPairsFile} has a public key for ${name}; allowed: one of the two`,
    );
  }
  const elsewhere = (file: string, written: object = {}) =>
    Object.keys(written)
      .filter((name) => !names.includes(name))
      .map((name) => `${file}: ${name}: got an environment that does not exist; allowed: ${names.join(", ")}`);
  const wrong = {
    "config.ts": faults,
    [releasesFile]: [...(checked.faults ?? []), ...elsewhere(releasesFile, checked.releases)],
    [keyPairsFile]: [...(keys.faults ?? []), ...elsewhere(keyPairsFile, keys.keyPairs)],
  };
  const files = Object.entries(wrong).flatMap(([file, lines]) => (lines.length > 0 ? [file] : []));
  if (files.length > 0 || !shared.success) throw new ConfigError(Object.values(wrong).flat(), files);

  const { environments: _, ...rest } = shared.data;
  const tagsOf = (environment: string) => ({
    Environment: environment,
    Project: rest.project,
    Owner: rest.owner,
    ManagedBy: "Terraform",
  });
  return {
    shared: { ...rest, tags: tagsOf("shared") },
    environments: Object.fromEntries(
      environments.flatMap(({ name, prefix, result }) =>
        result.success
          ? [[name, { name, prefix, namesParameter: `/${prefix}/names`, tags: tagsOf(name), ...result.data }]]
          : [],
      ),
    ),
  };
}

/** Settings with these fields above them; what are none stays as it is, for its own fault. */
const withFields = (settings: unknown, fields: object): unknown =>
  typeof settings === "object" ? { ...settings, ...fields } : settings;

const hasKeyPair = (environment: unknown) =>
  z.looseObject({ keyPair: z.unknown().refine((value) => value !== undefined) }).safeParse(environment).success;

/** Two environments with one state would destroy each other's resources. */
function sharedStateKeys(environments: Record<string, unknown>): string[] {
  const keys = Object.entries(environments).map(([name, written]) => {
    const stateKey = defaultStateKey(name);
    return {
      name,
      stateKey: z
        .looseObject({ stateKey: z.string().catch(stateKey) })
        .catch({ stateKey })
        .parse(written).stateKey,
    };
  });
  return keys.flatMap(({ name, stateKey }, index) => {
    const other = keys.slice(0, index).find((earlier) => earlier.stateKey === stateKey);
    if (other === undefined) return [];
    return [`environments.${name}.stateKey: ${got(stateKey, `another key than that of environments.${other.name}`)}`];
  });
}
