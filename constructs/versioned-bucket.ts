import { S3Bucket } from "@cdktf/provider-aws/lib/s3-bucket";
import { S3BucketLifecycleConfiguration } from "@cdktf/provider-aws/lib/s3-bucket-lifecycle-configuration";
import { S3BucketLoggingA } from "@cdktf/provider-aws/lib/s3-bucket-logging";
import { S3BucketPolicy } from "@cdktf/provider-aws/lib/s3-bucket-policy";
import { S3BucketPublicAccessBlock } from "@cdktf/provider-aws/lib/s3-bucket-public-access-block";
import { S3BucketServerSideEncryptionConfigurationA } from "@cdktf/provider-aws/lib/s3-bucket-server-side-encryption-configuration";
import { S3BucketVersioningA } from "@cdktf/provider-aws/lib/s3-bucket-versioning";
import { Construct } from "constructs";
import { tlsOnlyPolicy } from "./access";

export interface VersionedBucketProps {
  /** Unique among all buckets of all AWS accounts. */
  readonly bucket: string;
  /** How long an overwritten or deleted object can be brought back. @default 90 */
  readonly oldVersionsExpireAfterDays?: number;
  /** The KMS key that it encrypts with. @default S3's own */
  readonly kmsKeyArn?: string;
  /** Whether Terraform refuses to destroy it, and it refuses to be emptied. @default true */
  readonly guarded?: boolean;
  /** What may be deleted for good, as `contracts/*`: Terraform deletes an object of its own with all versions. @default nothing */
  readonly deletable?: string;
  /** Folders whose objects S3 deletes some days after they were written. @default none */
  readonly shortLived?: Readonly<Record<string, number>>;
  /** Where S3 writes down who asked for what here. @default nowhere */
  readonly accessLog?: { readonly bucket: VersionedBucket; readonly folder: string };
  /** Buckets of an account, by their ARNs, whose access log it is. @default none */
  readonly logs?: { readonly account: string; readonly bucketArns: readonly string[] };
}

/**
 * A private, encrypted S3 bucket, reached by TLS only, that keeps old versions. Where it is guarded, Terraform refuses to
 * destroy it, and it refuses to be emptied: only S3 itself, in time, deletes an old version. Whoever must do it takes the
 * policy off first.
 */
export class VersionedBucket extends Construct {
  readonly bucket: S3Bucket;
  private readonly policy: S3BucketPolicy;

  constructor(scope: Construct, id: string, props: VersionedBucketProps) {
    super(scope, id);
    const { oldVersionsExpireAfterDays = 90, guarded = true, shortLived = {}, accessLog, kmsKeyArn } = props;

    this.bucket = new S3Bucket(this, "bucket", {
      bucket: props.bucket,
      lifecycle: guarded ? { preventDestroy: true } : undefined,
    });
    const bucket = this.bucket.id;
    const versioning = new S3BucketVersioningA(this, "versioning", {
      bucket,
      versioningConfiguration: { status: "Enabled" },
    });
    new S3BucketServerSideEncryptionConfigurationA(this, "encryption", {
      bucket,
      rule: [encryptionBy(kmsKeyArn)],
    });
    const privateOnly = new S3BucketPublicAccessBlock(this, "public_access_block", {
      bucket,
      blockPublicAcls: true,
      blockPublicPolicy: true,
      ignorePublicAcls: true,
      restrictPublicBuckets: true,
    });
    this.policy = new S3BucketPolicy(this, "policy", {
      bucket,
      policy: policyOf(this.bucket.arn, props),
      dependsOn: [privateOnly], // S3 refuses to change both at once
    });
    if (accessLog) {
      new S3BucketLoggingA(this, "access_log", {
        bucket,
        targetBucket: accessLog.bucket.bucket.id,
        targetPrefix: accessLog.folder,
        dependsOn: [accessLog.bucket.policy],
      });
    }
    new S3BucketLifecycleConfiguration(this, "expiry", {
      bucket,
      rule: expiryRules(oldVersionsExpireAfterDays, shortLived),
      dependsOn: [versioning],
    });
  }
}

const encryptionBy = (kmsKeyArn?: string) =>
  kmsKeyArn === undefined
    ? { applyServerSideEncryptionByDefault: { sseAlgorithm: "AES256" } }
    : {
        applyServerSideEncryptionByDefault: { sseAlgorithm: "aws:kms", kmsMasterKeyId: kmsKeyArn },
        bucketKeyEnabled: true, // one call of KMS for many objects
      };

function policyOf(arn: string, { guarded = true, deletable, logs }: VersionedBucketProps): string {
  const all = [arn, `${arn}/*`];
  const denyEmptying = {
    Sid: "DenyEmptying",
    Action: ["s3:DeleteObjectVersion", "s3:DeleteBucket"], // deleting an object leaves its versions
    ...(deletable === undefined ? { Resource: all } : { NotResource: [`${arn}/${deletable}`] }),
  };
  return tlsOnlyPolicy("s3", all, [
    ...(guarded ? [denyEmptying] : []),
    ...(logs ? [allowLogs(`${arn}/*`, logs.account, logs.bucketArns)] : []),
  ]);
}

/** Old versions go in time, and objects of some folders. */
const expiryRules = (oldVersionsExpireAfterDays: number, shortLived: Readonly<Record<string, number>>) => [
  {
    id: "old-versions",
    status: "Enabled",
    filter: [{ prefix: "" }],
    noncurrentVersionExpiration: [{ noncurrentDays: oldVersionsExpireAfterDays }],
    expiration: [{ expiredObjectDeleteMarker: true }], // what a deleted object, as a lock file, leaves at last
    abortIncompleteMultipartUpload: [{ daysAfterInitiation: 7 }],
  },
  ...Object.entries(shortLived).map(([folder, days]) => ({
    id: folder.replaceAll("/", ""),
    status: "Enabled",
    filter: [{ prefix: folder }],
    expiration: [{ days }],
  })),
];

/** Lets S3 write access logs (https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html). */
const allowLogs = (objects: string, account: string, bucketArns: readonly string[]) => ({
  Sid: "AllowAccessLogs",
  Effect: "Allow" as const,
  Principal: { Service: "logging.s3.amazonaws.com" },
  Action: ["s3:PutObject"],
  Resource: [objects],
  Condition: { ArnEquals: { "aws:SourceArn": bucketArns }, StringEquals: { "aws:SourceAccount": account } },
});
