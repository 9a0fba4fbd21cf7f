import { describeName, isName, limits, type NameLimit } from "../aws/limits";
import type { ModelContract } from "../contract/model-contract";
import { apiSection } from "./api";
import { group, oneOf, type Rule, ruled, show, text, valueAt, yesOrNo } from "./faults";
import { featuresSection, groupOf } from "./features";
import { inferenceSection } from "./inference";
import { keyPairSection, keyPairsFile } from "./key-pairs";
import { modelSection } from "./model";
import { networkSection } from "./network";
import type { Surroundings } from "./surroundings";
import { warehouseSection } from "./warehouse";

// Terraform adds `.tflock` to the key for its lock file.
const stateKey: NameLimit = { ...limits.s3.key, maximumLength: limits.s3.key.maximumLength - ".tflock".length };

const snsTopicArn: NameLimit = {
  pattern: /^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[\w-]+$/,
  maximumLength: 512,
  allowed: "the ARN of an SNS topic, arn:aws:sns:<region>:<account>:<name>",
  source: "https://docs.aws.amazon.com/sns/latest/dg/sns-create-topic.html",
};

const { groupName } = limits.featureStore;

/** An environment: its sections, and the rules between them. */
export const environmentSchema = (around: Surroundings) => {
  const { name, states, publicKey, prefix } = around;
  return ruled(
    group({
      /** Where in the state bucket this environment's state is. @default inference-<name>/terraform.tfstate */
      stateKey: text(stateKey).prefault(`inference-${name}/terraform.tfstate`),
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
      keyPair: keyPairSection(around).optional(),
      /** The VPC of the warehouse. */
      network: networkSection(around).prefault({}),
      /** The feature group, or false for none: then every message carries its features. */
      features: featuresSection(around),
      /** The model and its endpoint. */
      model: modelSection(around),
      /** The request queue, the dead-letter queue and the worker that asks the model. */
      inference: inferenceSection(around).prefault({}),
      /** The Redshift cluster that keeps the predictions. */
      warehouse: warehouseSection(around).prefault({}),
      /** The REST API. */
      api: apiSection(around).prefault({}),
      /** The SNS topic that alarms tell, by its ARN. @default nobody is told: alarms are to be seen in CloudWatch */
      alarmTopicArn: text(snsTopicArn).optional(),
      /** How long logs are kept, in days. @default 30 */
      logRetentionDays: oneOf(limits.cloudWatchLogs.retentionDays, limits.cloudWatchLogs.source).prefault(30),
    }),
    [
      {
        of: ["keyPair"],
        holds: ({ keyPair }) => keyPair === undefined || publicKey === undefined,
        given: () => `a key pair, and ${keyPairsFile} has a public key for ${name}`,
        allowed: "one of the two",
      },
      {
        of: ["stateKey"], // two environments with one state would destroy each other's resources
        holds: ({ stateKey }) => states.set(stateKey, states.get(stateKey) ?? name).get(stateKey) === name,
        allowed: ({ stateKey }) => `another key than that of environments.${states.get(stateKey)}`,
      },
      {
        of: ["api.functionName", "inference.functionName"],
        holds: ({ inference, api }) => inference.functionName !== api.functionName,
        allowed: "another name than inference.functionName",
      },
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
      ...(["recordIdentifier", "eventTime"] as const).map(
        (key): Rule<Grouped> => ({
          of: [`features.${key}.name`, "model.contract"],
          holds: ({ features, model }) =>
            !features || model.contract.features.every(({ name }) => name !== features[key].name),
          allowed: "a name that is not taken, as those of model.contract.features are",
          source: limits.featureStore.source,
        }),
      ),
      ...roles.map((role, index): Rule<unknown> => {
        const nameOf = (role: string, environment: unknown) => {
          const name = valueAt(environment, role.split("."));
          return typeof name === "string" ? name.toLowerCase() : role; // without it there is no role
        };
        const takenFrom = (environment: unknown) =>
          roles.slice(0, index).find((earlier) => nameOf(earlier, environment) === nameOf(role, environment));
        return {
          of: [role, ...roles],
          holds: (environment) => takenFrom(environment) === undefined,
          allowed: (environment) => `another name than ${takenFrom(environment)}, whatever the case`,
          source: limits.iam.roleName.source,
        };
      }),
    ],
  ).transform(({ keyPair, features, ...environment }) => ({
    name,
    prefix,
    /** The SSM parameter that says where the pipeline is: `/poc-dev/names`. */
    namesParameter: `/${prefix}/names`,
    ...environment,
    features: features && { ...features, ...groupOf(around, environment.model.contract, features.groupName) },
    keyPair: keyPair ?? (publicKey === undefined ? undefined : { name: `${prefix}-key-pair`, publicKey }),
  }));
};

interface Grouped {
  readonly features: false | Readonly<Record<"recordIdentifier" | "eventTime", { readonly name: string }>>;
  readonly model: { readonly contract: ModelContract };
}

const roles = [
  "features.roleName",
  "model.executionRoleName",
  "inference.roleName",
  "warehouse.unloadRoleName",
  "api.roleName",
];
