import { limits } from "../aws/limits";
import { group, oneOf, refuse, ruled, show, text } from "./faults";
import { paraphraseContract } from "./paraphrase";
import { naming, type Surroundings } from "./surroundings";

const takenFeatureNames = [
  ...paraphraseContract.features.map(({ name }) => name),
  ...limits.featureStore.reservedFeatureNames,
];
const featureName = text(limits.featureStore.featureName).refine((feature) => !takenFeatureNames.includes(feature), {
  error: refuse(`a name that is not taken, as ${takenFeatureNames.join(", ")} are`, limits.featureStore.source),
});

/** The feature group. */
export const featuresSection = (around: Surroundings) => {
  const named = naming(around);
  const { takeOver } = around;
  return ruled(
    group({
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
    }),
    [
      {
        of: ["eventTime.type", "eventTime.name", "recordIdentifier"],
        holds: ({ recordIdentifier, eventTime }) =>
          recordIdentifier.name !== eventTime.name || recordIdentifier.type === eventTime.type,
        allowed: ({ recordIdentifier }) =>
          `${show(recordIdentifier.type)}, for it is the same feature as the record identifier`,
      },
    ],
  );
};
