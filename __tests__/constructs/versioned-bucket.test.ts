import { S3BucketLifecycleConfiguration } from "@cdktf/provider-aws/lib/s3-bucket-lifecycle-configuration";
import { S3BucketPublicAccessBlock } from "@cdktf/provider-aws/lib/s3-bucket-public-access-block";
import { S3BucketServerSideEncryptionConfigurationA } from "@cdktf/provider-aws/lib/s3-bucket-server-side-encryption-configuration";
import { S3BucketVersioningA } from "@cdktf/provider-aws/lib/s3-bucket-versioning";
import { VersionedBucket, type VersionedBucketProps } from "../../constructs/versioned-bucket";
import { onlyResource, resourcesOf, statementsOf, synth } from "../setup/synth";

const versionedBucket = (props: Partial<VersionedBucketProps> = {}) =>
  synth((scope) => new VersionedBucket(scope, "state", { bucket: "team-state", ...props }));

test("is versioned, encrypted and private", () => {
  const json = versionedBucket();
  expect(json).toHaveResourceWithProperties(S3BucketVersioningA, { versioning_configuration: { status: "Enabled" } });
  expect(json).toHaveResourceWithProperties(S3BucketServerSideEncryptionConfigurationA, {
    rule: [{ apply_server_side_encryption_by_default: { sse_algorithm: "AES256" } }],
  });
  expect(json).toHaveResourceWithProperties(S3BucketPublicAccessBlock, {
    block_public_acls: true,
    block_public_policy: true,
    ignore_public_acls: true,
    restrict_public_buckets: true,
  });
});

test("is never destroyed by Terraform", () => {
  const { attributes } = onlyResource(versionedBucket(), "aws_s3_bucket");
  expect(attributes.lifecycle).toEqual({ prevent_destroy: true });
  expect(attributes).not.toHaveProperty("force_destroy");
});

test("refuses everybody plain HTTP and to be emptied, the bucket and all in it; a lock file may be deleted", () => {
  const { attributes } = onlyResource(versionedBucket(), "aws_s3_bucket_policy");
  const everybody = {
    Effect: "Deny",
    Principal: "*",
    Resource: ["${aws_s3_bucket.state_bucket.arn}", "${aws_s3_bucket.state_bucket.arn}/*"],
  };
  expect(statementsOf(attributes.policy)).toEqual([
    { ...everybody, Action: ["s3:*"], Condition: { Bool: { "aws:SecureTransport": "false" } } },
    { ...everybody, Action: ["s3:DeleteObjectVersion", "s3:DeleteBucket"] },
  ]);
});

test("lets be emptied what it is told to: contracts, which Terraform deletes with all their versions", () => {
  const { attributes } = onlyResource(versionedBucket({ deletable: "contracts/*" }), "aws_s3_bucket_policy");
  expect(JSON.parse(String(attributes.policy)).Statement[1]).toEqual({
    Sid: "DenyEmptying",
    Effect: "Deny",
    Principal: "*",
    Action: ["s3:DeleteObjectVersion", "s3:DeleteBucket"],
    NotResource: ["${aws_s3_bucket.state_bucket.arn}/contracts/*"],
  });
});

test("may be destroyed and emptied where it is not guarded, and still refuses plain HTTP", () => {
  const json = versionedBucket({ guarded: false });
  expect(onlyResource(json, "aws_s3_bucket").attributes).not.toHaveProperty("lifecycle");
  expect(onlyResource(json, "aws_s3_bucket").attributes).not.toHaveProperty("force_destroy");
  expect(statementsOf(onlyResource(json, "aws_s3_bucket_policy").attributes.policy)).toEqual([
    expect.objectContaining({ Effect: "Deny", Condition: { Bool: { "aws:SecureTransport": "false" } } }),
  ]);
});

test("lets S3 delete what is short-lived", () => {
  expect(versionedBucket({ shortLived: { "drafts/": 3 } })).toHaveResourceWithProperties(
    S3BucketLifecycleConfiguration,
    {
      rule: [
        expect.objectContaining({ id: "old-versions" }),
        { id: "drafts", status: "Enabled", filter: [{ prefix: "drafts/" }], expiration: [{ days: 3 }] },
      ],
    },
  );
});

test.each([
  [{}, 90],
  [{ oldVersionsExpireAfterDays: 14 }, 14],
])("forgets old versions in time, and with the last of them that the object was deleted: %j", (props, days) => {
  expect(versionedBucket(props)).toHaveResourceWithProperties(S3BucketLifecycleConfiguration, {
    rule: [
      expect.objectContaining({
        status: "Enabled",
        noncurrent_version_expiration: [{ noncurrent_days: days }],
        expiration: [{ expired_object_delete_marker: true }],
      }),
    ],
  });
});

test("has who asks for what in it written down by S3, in a bucket that lets S3 do so for these buckets alone", () => {
  const json = synth((scope) => {
    const logs = { account: "123456789012", bucketArns: ["arn:aws:s3:::team-state"] };
    const bucket = new VersionedBucket(scope, "logs", { bucket: "team-state-logs", logs });
    new VersionedBucket(scope, "state", { bucket: "team-state", accessLog: { bucket, folder: "state/" } });
  });
  expect(onlyResource(json, "aws_s3_bucket_logging").attributes).toMatchObject({
    bucket: "${aws_s3_bucket.state_bucket.id}",
    target_bucket: "${aws_s3_bucket.logs_bucket.id}",
    target_prefix: "state/",
    depends_on: ["aws_s3_bucket_policy.logs_policy"], // without it S3 refuses
  });
  const policy = resourcesOf(json).find(({ address }) => address === "aws_s3_bucket_policy.logs_policy");
  expect(statementsOf(policy?.attributes.policy).filter(({ Effect }) => Effect === "Allow")).toEqual([
    {
      Effect: "Allow",
      Principal: { Service: "logging.s3.amazonaws.com" },
      Action: ["s3:PutObject"],
      Resource: ["${aws_s3_bucket.logs_bucket.arn}/*"],
      Condition: {
        ArnEquals: { "aws:SourceArn": ["arn:aws:s3:::team-state"] },
        StringEquals: { "aws:SourceAccount": "123456789012" },
      },
    },
  ]);
});
