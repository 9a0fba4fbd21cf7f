import type { z } from "zod";
import { describeName, isName, limits, type NameLimit } from "../aws/limits";
import { arnIn } from "../aws/partitions";
import { formatsOfOne, type ModelContract } from "../contract/model-contract";
import { largestBatch, longestCall } from "../contract/worker-time";
import { accessSection } from "./access";
import { apiSection } from "./api";
import { group, oneOf, type Rule, ruled, show, text, valueAt, yesOrNo } from "./faults";
import { featuresSection, groupOf } from "./features";
import { inferenceSection, workersFor } from "./inference";
import { jobsSection } from "./jobs";
import { keyPairSection, keyPairsFile } from "./key-pairs";
import { keyIsIn, kmsKeyArn } from "./kms-key";
import { loadingSection } from "./loading";
import { callsOfWorkers, instanceRange, modelSection } from "./model";
import { networkSection } from "./network";
import { pausedFile } from "./paused";
import { capacities, isServerlessIn, lowercaseWord, type Surroundings } from "./surroundings";
import { warehouseSection } from "./warehouse";

// Terraform adds `.tflock` to the key for its lock file.
const stateKey: NameLimit = { ...limits.s3.key, maximumLength: limits.s3.key.maximumLength - ".tflock".length };

const snsTopicArn: NameLimit = {
  pattern: /^arn:[a-z-]+:sns:[a-z0-9-]+:\d{12}:[\w-]+$/,
  maximumLength: 512,
  allowed: "the ARN of an SNS topic, arn:<partition>:sns:<region>:<account>:<name>",
  source: "https://docs.aws.amazon.com/sns/latest/dg/sns-create-topic.html",
};

const { groupName } = limits.featureStore;
const { bucketName } = limits.s3;

/** An environment: its sections, and the rules between them. */
export const environmentSchema = (around: Surroundings) => {
  const { name, publicKey, pause, prefix, answersBucket } = around;
  const fields = environmentFields(around);
  const rules = [...surroundingsRules(around), ...workloadRules(around), ...nameRules(around)];
  return ruled(fields, rules).transform(({ keyPair, features, model, inference, ...environment }) => ({
    name,
    prefix,
    /** The SSM parameter that says where the pipeline is: `/poc-dev/names`. */
    namesParameter: `/${prefix}/names`,
    answersBucket,
    /** That it is paused, as paused.json says. @default it is not */
    pause,
    ...environment,
    model: {
      ...model,
      slowestCallSeconds: coldSecondsOf(model) ?? model.slowestCallSeconds ?? longestCallOf(model, inference),
    },
    inference: {
      ...inference,
      maximumConcurrency:
        inference.maximumConcurrency ??
        (model.serverless
          ? callsOfWorkers(model.serverless.maxConcurrency).workers
          : workersFor(instanceRange(model).max)),
    },
    features: features && { ...features, ...groupOf(around, model.contract, features.groupName) },
    keyPair: keyPair ?? (publicKey === undefined ? undefined : { name: `${prefix}-key-pair`, publicKey }),
  }));
};

const environmentFields = (around: Surroundings) =>
  group({
    /** Where in the state bucket this environment's state is. @default inference-<name>/terraform.tfstate */
    stateKey: text(stateKey).prefault(`inference-${around.name}/terraform.tfstate`),
    /**
     * Whether the environment takes over a deployment of the reference implementation that this project replaces, and
     * keeps its data, names and addresses (docs/migrating.md). It stays set for good. @default false
     */
    takeOver: yesOrNo().prefault(false),
    /**
     * What answers, and what keeps the predictions. "steady": instances behind the endpoint, and a Redshift cluster.
     * "on-demand": SageMaker Serverless Inference and Redshift Serverless, which are paid by use. It is chosen for the
     * environment's life. @default steady
     */
    capacity: oneOf(capacities, "AWS turns neither's endpoint and warehouse into the other's").prefault("steady"),
    /**
     * Whether Terraform refuses to destroy what could not be had again: queues, features, predictions and the API's
     * address. @default true
     */
    preventDestroy: yesOrNo().prefault(true),
    /** A key pair to import into EC2, or one that is there. @default the public key in key-pairs.json, or else none */
    keyPair: keyPairSection(around).optional(),
    /** How people reach what lies in the network. */
    access: accessSection(around).prefault({}),
    /** The VPC of the warehouse. */
    network: networkSection(around).prefault({}),
    /** The feature group, or false for none: then every message carries its features. */
    features: featuresSection(around),
    /** The model and its endpoint. */
    model: modelSection(around),
    /** The request queue, the dead-letter queue and the worker that asks the model. */
    inference: inferenceSection(around).prefault({}),
    /** The loader, which moves answers into the warehouse. */
    loading: loadingSection(around).prefault({}),
    /** Jobs: files of rows that are asked, and their results. */
    jobs: jobsSection(around).prefault({}),
    /** What keeps the predictions. */
    warehouse: warehouseSection(around),
    /** The REST API. */
    api: apiSection(around).prefault({}),
    /**
     * The KMS key that queues, the bucket for answers, logs and the warehouse are encrypted with. Its policy lets CloudWatch
     * Logs use it (docs/security.md). @default that of all environments, or else AWS's own
     */
    kmsKeyArn: kmsKeyArn(),
    /** The SNS topic that alarms tell, by its ARN. @default nobody is told: alarms are to be seen in CloudWatch */
    alarmTopicArn: text(snsTopicArn).optional(),
    /** How long logs are kept, in days. @default 30 */
    logRetentionDays: oneOf(limits.cloudWatchLogs.retentionDays, limits.cloudWatchLogs.source).prefault(30),
  });

type EnvironmentRules = readonly Rule<z.output<ReturnType<typeof environmentFields>>>[];

/** That it goes with what it is read with: its public key, the other states, the buckets and the region. */
const surroundingsRules = (around: Surroundings): EnvironmentRules => {
  const { name, region, states, publicKey, modelBucket, answersBucket } = around;
  return [
    {
      of: ["keyPair"],
      holds: ({ keyPair }) => keyPair === undefined || publicKey === undefined,
      given: () => `a key pair, and ${keyPairsFile} has a public key for ${name}`,
      allowed: "one of the two",
    },
    {
      of: ["access.bastion", "keyPair"],
      holds: ({ access, keyPair }) => !access.bastion || keyPair !== undefined || publicKey !== undefined,
      allowed: `false until ${name} has a key pair to open it by: npx offline-inference keypair create NAME --env ${name}`,
    },
    {
      of: ["stateKey"], // two environments with one state would destroy each other's resources
      holds: ({ stateKey }) => states.set(stateKey, states.get(stateKey) ?? name).get(stateKey) === name,
      allowed: ({ stateKey }) => `another key than that of environments.${states.get(stateKey)}`,
    },
    {
      of: [""],
      holds: () => !isName(name, lowercaseWord) || isName(answersBucket, bucketName),
      given: () =>
        `a bucket for answers ${show(answersBucket)}, the state bucket's name, the environment's and "answers"`,
      allowed: describeName(bucketName),
      source: bucketName.source,
    },
    {
      of: [""],
      holds: () => answersBucket !== modelBucket,
      given: () => `a bucket for answers ${show(answersBucket)}`,
      allowed: "another bucket than modelBucket",
    },
    keyIsIn(() => region),
    {
      of: ["alarmTopicArn"],
      holds: ({ alarmTopicArn }) =>
        region === undefined || (alarmTopicArn?.startsWith(arnIn(region, `sns:${region}:`)) ?? true),
      allowed: `a topic in ${region}, where the alarms are, ${arnIn(region ?? "", `sns:${region}:…`)}`,
      source: "https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html",
    },
  ];
};

/** That its parts can do together what each is told. */
const workloadRules = (around: Surroundings): EnvironmentRules => [
  {
    // On demand the calls at once follow from all of the model.
    of: [
      ...["inference.batchSize", "inference.timeoutSeconds"],
      ...(isServerlessIn(around) ? ["model"] : asked.map((field) => `model.${field}`)),
    ],
    holds: ({ model, inference }) => inference.batchSize <= largestBatchOf(model, inference.timeoutSeconds),
    allowed: ({ model, inference: { timeoutSeconds } }) =>
      `${largestBatchOf(model, timeoutSeconds)} at most: for more inputs, ${instancesOf(model)} a call, ` +
      `${model.concurrency} calls at once, ${secondsOf(model)} s each, inference.timeoutSeconds ` +
      `(${timeoutSeconds}) is too short, and answers would be thrown away`,
  },
  {
    of: ["capacity"],
    holds: ({ capacity }) => capacity === "steady" || around.pause === undefined,
    given: () => `"on-demand", and ${pausedFile} pauses ${around.name}`,
    allowed: "one of the two: what is on demand costs next to nothing at rest",
  },
  {
    of: ["model.deadlineSeconds", "inference.messageRetentionSeconds"],
    holds: ({ model: { scaling }, inference }) =>
      !scaling || scaling.deadlineSeconds < inference.messageRetentionSeconds,
    allowed: ({ inference: { messageRetentionSeconds } }) =>
      `less than inference.messageRetentionSeconds (${messageRetentionSeconds}), for the queue forgets a request then`,
  },
  {
    of: ["takeOver", "capacity"],
    holds: ({ takeOver, capacity }) => !takeOver || capacity === "steady",
    allowed: "false on demand: AWS makes no endpoint of instances serverless, and no workgroup of a cluster",
    source: limits.sagemaker.serverlessSource,
  },
  {
    of: ["jobs.keepDays", "inference.messageRetentionSeconds"],
    holds: ({ jobs, inference }) => 86_400 * jobs.keepDays >= inference.messageRetentionSeconds,
    allowed: ({ inference: { messageRetentionSeconds } }) =>
      `${Math.ceil(messageRetentionSeconds / 86_400)} days or more, for a job may last as long as ` +
      `inference.messageRetentionSeconds (${messageRetentionSeconds}), and its input is needed until its end`,
  },
];

/** That names are allowed, and no two the same. */
const nameRules = (around: Surroundings): EnvironmentRules => [
  {
    of: ["features.groupName", "model.contract"],
    holds: ({ features, model }) => {
      const group = features && groupOf(around, model.contract, features.groupName);
      return !group || isName(group.groupName, groupName);
    },
    given: ({ features, model }) => show(features && groupOf(around, model.contract, features.groupName).groupName),
    allowed: `in full ${describeName(groupName)}`,
    source: groupName.source,
  },
  ...(["recordIdentifier", "eventTime"] as const).map((key): EnvironmentRules[number] => ({
    of: [`features.${key}.name`, "model.contract"],
    holds: ({ features, model }) =>
      !features || model.contract.features.every(({ name }) => name !== features[key].name),
    allowed: "a name that is not taken, as those of model.contract.features are",
    source: limits.featureStore.source,
  })),
  ...distinct(functions, "", limits.lambda.functionName.source),
  ...distinct(roles, ", whatever the case", limits.iam.roleName.source),
];

/** How the model is asked. */
interface Asked {
  readonly instancesPerCall: number;
  readonly concurrency: number;
  readonly slowestCallSeconds?: number;
  readonly contract: ModelContract;
  readonly serverless?: { readonly maxConcurrency: number };
}

const asked = ["instancesPerCall", "concurrency", "slowestCallSeconds", "contract"];

const instancesOf = ({ contract, instancesPerCall }: Asked) =>
  formatsOfOne.includes(contract.request) ? 1 : instancesPerCall;

/** What a call may take in any case, in seconds. */
const secondsOf = ({ slowestCallSeconds = 1 }: Asked) => slowestCallSeconds;

/** How long a call may take while an endpoint on demand starts: its answer is paid, and so waited for. */
const coldSecondsOf = (model: Asked) => (model.serverless ? limits.sagemaker.callSeconds.max : undefined);

const largestBatchOf = (model: Asked, timeoutSeconds: number) =>
  largestBatch(
    { ...model, instancesPerCall: instancesOf(model), coldSeconds: coldSecondsOf(model) },
    secondsOf(model),
    timeoutSeconds,
  );

/** The longest that a call may take, in tenths of a second. */
const longestCallOf = (model: Asked, { batchSize, timeoutSeconds }: { batchSize: number; timeoutSeconds: number }) => {
  const seconds = longestCall({ ...model, instancesPerCall: instancesOf(model) }, batchSize, timeoutSeconds);
  return Math.min(limits.sagemaker.callSeconds.max, Math.floor(10 * seconds) / 10);
};

const functions = [
  "inference.functionName",
  "loading.functionName",
  "jobs.starterFunctionName",
  "jobs.writerFunctionName",
  "warehouse.schemaFunctionName",
  "api.functionName",
];

const roles = [
  "features.roleName",
  "model.executionRoleName",
  "inference.roleName",
  "loading.roleName",
  "loading.scheduleRoleName",
  "jobs.starterRoleName",
  "jobs.starterScheduleRoleName",
  "jobs.writerRoleName",
  "jobs.writerScheduleRoleName",
  "warehouse.copyRoleName",
  "warehouse.unloadRoleName",
  "warehouse.schemaRoleName",
  "warehouse.readerRoleName",
  "warehouse.hours.roleName",
  "api.roleName",
];

/** That no two of these names are the same. A name that is not there is none. */
function distinct(paths: readonly string[], whateverTheCase: "" | ", whatever the case", source: string) {
  return paths.map((path, index): Rule<unknown> => {
    const nameOf = (path: string, environment: unknown) => {
      const name = valueAt(environment, path.split("."));
      if (typeof name !== "string") return path;
      return whateverTheCase ? name.toLowerCase() : name;
    };
    const takenFrom = (environment: unknown) =>
      paths.slice(0, index).find((earlier) => nameOf(earlier, environment) === nameOf(path, environment));
    return {
      of: [path, ...paths],
      holds: (environment) => takenFrom(environment) === undefined,
      allowed: (environment) => `another name than ${takenFrom(environment)}${whateverTheCase}`,
      source,
    };
  });
}
