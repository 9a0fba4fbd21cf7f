import { SagemakerFeatureGroup } from "@cdktf/provider-aws/lib/sagemaker-feature-group";
import { FeatureStore, type FeatureStoreProps } from "../../constructs/feature-store";
import { granted, onlyResource, resourcesOf, roleStatementsOf, synth } from "../setup/synth";

const plain: FeatureStoreProps = {
  region: "eu-west-1",
  groupName: "applicants",
  features: [
    { name: "age", type: "Integral", optional: false },
    { name: "city", type: "String", optional: true },
  ],
  roleName: "applicants-role",
  recordIdentifier: { name: "id", type: "String" },
  eventTime: { name: "event_time", type: "String" },
};
const featureStore = (props: Partial<FeatureStoreProps> = {}) =>
  synth((scope) => new FeatureStore(scope, "features", { ...plain, ...props }));

test("holds the contract's features by id, in their order, online", () => {
  expect(featureStore()).toHaveResourceWithProperties(SagemakerFeatureGroup, {
    feature_group_name: "applicants",
    record_identifier_feature_name: "id",
    event_time_feature_name: "event_time",
    feature_definition: [
      { feature_name: "id", feature_type: "String" },
      { feature_name: "event_time", feature_type: "String" },
      { feature_name: "age", feature_type: "Integral" },
      { feature_name: "city", feature_type: "String" },
    ],
    online_store_config: { enable_online_store: true },
  });
});

test("can be defined as the original's is, with one number as id and event time", () => {
  const id = { name: "id", type: "Fractional" } as const;
  expect(featureStore({ recordIdentifier: id, eventTime: id })).toHaveResourceWithProperties(SagemakerFeatureGroup, {
    event_time_feature_name: "id",
    feature_definition: [
      { feature_name: "id", feature_type: "Fractional" },
      { feature_name: "age", feature_type: "Integral" },
      { feature_name: "city", feature_type: "String" },
    ],
  });
});

test("has no offline store and a role without permissions unless asked", () => {
  const json = featureStore();
  expect(onlyResource(json, "aws_sagemaker_feature_group").attributes).not.toHaveProperty("offline_store_config");
  expect(resourcesOf(json).map(({ type }) => type)).toEqual(["aws_iam_role", "aws_sagemaker_feature_group"]);
});

test.each(["s3://lake/features", "s3://lake/features/"])("writes an offline store to %s and nowhere else", (uri) => {
  const json = featureStore({ offlineStoreS3Uri: uri });
  expect(json).toHaveResourceWithProperties(SagemakerFeatureGroup, {
    offline_store_config: { s3_storage_config: { s3_uri: uri } },
  });
  expect(roleStatementsOf(json).map(({ Action, Resource }) => [Action, Resource])).toEqual([
    [["s3:GetBucketAcl"], ["arn:aws:s3:::lake"]],
    [["s3:PutObject", "s3:PutObjectAcl"], ["arn:aws:s3:::lake/features/*"]],
  ]);
});

test("lets a reader read this group and nothing else", () => {
  expect(granted((scope) => new FeatureStore(scope, "features", plain).read())).toEqual({
    may: [[["sagemaker:BatchGetRecord"], ["${aws_sagemaker_feature_group.features_group.arn}"]]],
    knows: {
      FEATURE_GROUP_NAME: "${aws_sagemaker_feature_group.features_group.feature_group_name}",
      RECORD_IDENTIFIER_TYPE: "String",
    },
  });
});

test("a group that carries a contract has an address of its own, and the role stays", () => {
  const addresses = resourcesOf(featureStore({ contractId: "0123abcd" })).map(({ address }) => address);
  expect(addresses).toEqual(["aws_iam_role.features_role", "aws_sagemaker_feature_group.features_group_0123abcd"]);
});
