import { z } from "zod";
import { limits } from "../aws/limits";
import type { ModelContract } from "../contract/model-contract";
import { featuresIdOf } from "./contract";
import { defaultContract } from "./default-model";
import { group, oneOf, refuse, ruled, show, text } from "./faults";
import { naming, prefixed, type Surroundings } from "./surroundings";

const { featureStore } = limits;
const reserved: readonly string[] = featureStore.reservedFeatureNames;
const featureName = text(featureStore.featureName).refine((feature) => !reserved.includes(feature), {
  error: refuse(`a name that is not taken, as ${reserved.join(", ")} are`, featureStore.source),
});

/** The feature group, or `false` for none: then every message carries its features. */
export const featuresSection = (around: Surroundings) => {
  if (!around.hasFeatures) return z.literal(false).prefault(false);
  const named = naming(around);
  const { takeOver } = around;
  const fields = group({
    /**
     * The feature group's name. Features other than the default model's are put behind it, as eight hexadecimal digits:
     * AWS would replace a group whose features change. @default that of the original, or `model.name` for other features
     */
    groupName: prefixed(around, featureStore.groupName).optional(),
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
      type: oneOf(featureStore.identifierTypes, featureStore.source).prefault(takeOver ? "Fractional" : "String"),
    }).prefault({}),
    /** The feature that says when a record was made; it may be the record identifier itself, as in the original. */
    eventTime: group({
      /** @default event_time, or id where `takeOver` is set */
      name: featureName.prefault(takeOver ? "id" : "event_time"),
      /** String (ISO 8601) or Fractional (seconds since 1970). @default String, or Fractional where `takeOver` is set */
      type: oneOf(featureStore.eventTimeTypes, featureStore.source).prefault(takeOver ? "Fractional" : "String"),
    }).prefault({}),
    /** Where an offline store keeps all records, `s3://bucket/prefix`. @default no offline store */
    offlineStoreS3Uri: text(featureStore.offlineStoreS3Uri).optional(),
  });
  return ruled(fields, [
    {
      of: ["eventTime.type", "eventTime.name", "recordIdentifier"],
      holds: ({ recordIdentifier, eventTime }) =>
        recordIdentifier.name !== eventTime.name || recordIdentifier.type === eventTime.type,
      allowed: ({ recordIdentifier }) =>
        `${show(recordIdentifier.type)}, for it is the same feature as the record identifier`,
    },
  ]).prefault({});
};

interface Group {
  readonly groupName: string;
  /** What its Terraform address ends with. @default it has the original's features, and name and address carry none */
  readonly contractId?: string;
}

const ownFeatures = featuresIdOf(defaultContract.features);

/**
 * The feature group of a contract's features. Other features are another group beside it, by name and by address: AWS
 * would replace a group whose features change, and with it all that was ingested.
 */
export function groupOf({ prefix, names }: Surroundings, { features }: ModelContract, given?: string): Group {
  const id = featuresIdOf(features);
  if (id === ownFeatures) return { groupName: given ?? `${prefix}-${names.featureGroup}` };
  return { groupName: `${given ?? `${prefix}-${names.featureGroupOfOthers}`}-${id}`, contractId: id };
}
