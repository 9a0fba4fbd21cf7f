import { IamRole } from "@cdktf/provider-aws/lib/iam-role";
import { IamRolePolicy } from "@cdktf/provider-aws/lib/iam-role-policy";
import { SagemakerFeatureGroup } from "@cdktf/provider-aws/lib/sagemaker-feature-group";
import { Construct } from "constructs";
import { arnIn } from "../aws/partitions";
import type { Feature, FeatureType } from "../contract/model-contract";
import { type Access, allow, policyDocument, trustPolicy } from "./access";

export interface FeatureStoreProps {
  readonly region: string;
  readonly groupName: string;
  /** The contract that the group's name carries, and so its address. @default none: it was there before there were others */
  readonly contractId?: string;
  /** The features of an input, in the contract's order. */
  readonly features: readonly Feature[];
  /** Name of the role that Feature Store writes the offline store with. AWS replaces the group if it changes. */
  readonly roleName: string;
  /** The feature that names a record. */
  readonly recordIdentifier: { readonly name: string; readonly type: FeatureType };
  /** The feature that says when a record became true; may be the record identifier itself. */
  readonly eventTime: { readonly name: string; readonly type: "String" | "Fractional" };
  /** Where to keep every version of every record, `s3://bucket/prefix`. @default online store only */
  readonly offlineStoreS3Uri?: string;
}

/** The features of the inputs that predictions are asked for, by id: a feature group with an online store. */
export class FeatureStore extends Construct {
  readonly group: SagemakerFeatureGroup;
  private readonly recordIdentifierType: string;

  constructor(
    scope: Construct,
    id: string,
    readonly props: FeatureStoreProps,
  ) {
    super(scope, id);
    const { recordIdentifier, eventTime, offlineStoreS3Uri } = props;
    this.recordIdentifierType = recordIdentifier.type;

    const role = new IamRole(this, "role", {
      name: props.roleName,
      assumeRolePolicy: trustPolicy("sagemaker.amazonaws.com"),
    });
    const offline = offlineStoreS3Uri === undefined ? undefined : this.offlineStore(role, offlineStoreS3Uri);
    const keys = eventTime.name === recordIdentifier.name ? [recordIdentifier] : [recordIdentifier, eventTime];
    // Feature Store changes no feature of a group: other features are another group, beside this one.
    this.group = new SagemakerFeatureGroup(this, props.contractId ? `group_${props.contractId}` : "group", {
      featureGroupName: props.groupName,
      recordIdentifierFeatureName: recordIdentifier.name,
      eventTimeFeatureName: eventTime.name,
      roleArn: role.arn,
      featureDefinition: [...keys, ...props.features].map(({ name: featureName, type: featureType }) => {
        return { featureName, featureType };
      }),
      onlineStoreConfig: { enableOnlineStore: true },
      offlineStoreConfig: offline && { s3StorageConfig: { s3Uri: offline.s3Uri } },
      dependsOn: offline && [offline.policy],
    });
  }

  /** Lets its holder read records from the online store. */
  read(): Access {
    return allow(["sagemaker:BatchGetRecord"], this.group.arn, {
      FEATURE_GROUP_NAME: this.group.featureGroupName,
      RECORD_IDENTIFIER_TYPE: this.recordIdentifierType,
    });
  }

  /** What Feature Store needs to write its offline store (https://docs.aws.amazon.com/sagemaker/latest/dg/security-iam-awsmanpol-feature-store.html). */
  private offlineStore(role: IamRole, s3Uri: string) {
    const location = s3Uri.replace(/^s3:\/\//, "").replace(/\/$/, "");
    const [bucket] = location.split("/");
    const policy = new IamRolePolicy(this, "offline_store_policy", {
      name: "offline-store",
      role: role.name,
      policy: policyDocument([
        { actions: ["s3:GetBucketAcl"], resources: [arnIn(this.props.region, `s3:::${bucket}`)] },
        {
          actions: ["s3:PutObject", "s3:PutObjectAcl"],
          resources: [arnIn(this.props.region, `s3:::${location}/*`)],
        },
      ]),
    });
    return { s3Uri, policy };
  }
}

/** Lets its holder know how records are named, where there is a group: so are rows whose features are looked up. */
export function knowRecords(features: FeatureStore | false): Access {
  if (!features) return { statements: [], environment: {} };
  const { name, type } = features.props.recordIdentifier;
  return { statements: [], environment: { RECORD_IDENTIFIER_NAME: name, RECORD_IDENTIFIER_TYPE: type } };
}

/** Lets its holder know whether there is a group, and so whether a request may leave its features out. */
export function knowGroup(features: FeatureStore | false): Access {
  return { statements: [], environment: features ? { FEATURE_GROUP_NAME: features.group.featureGroupName } : {} };
}
