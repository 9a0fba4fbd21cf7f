import { forKey, type Permission, type Reach, type ServicePermissions } from "../permission";

/** What Terraform needs in S3: its own states, and what a deployment keeps in buckets. */

/** The states, which a plan locks, and an apply writes. */
export const backend = ({ s3, stateBucket, stateKeys, stateKmsKeyArn }: Reach): ServicePermissions => {
  const states = stateKeys.map((key) => s3(`${stateBucket}/${key}`));
  const locks = states.map((state) => `${state}.tflock`);
  return {
    types: [],
    plan: [
      { actions: ["s3:ListBucket"], resources: [s3(stateBucket)] },
      { actions: ["s3:GetObject"], resources: [...states, ...locks] },
      // A plan locks the state too: Terraform writes the lock file and deletes it.
      { actions: ["s3:PutObject", "s3:DeleteObject"], resources: locks },
      // So are the contracts in the models' bucket.
      ...forKey(stateKmsKeyArn, { actions: ["kms:Decrypt", "kms:GenerateDataKey"] }),
    ],
    apply: [{ actions: ["s3:PutObject"], resources: states }],
  };
};

const contractsOf = ({ contractKey, modelBucket, s3 }: Reach) => [s3(`${modelBucket}/${contractKey}`)];

/** The bucket for answers, and the contracts in the bucket of models. */
export const s3 = (reach: Reach): ServicePermissions => ({
  types: [
    "aws_s3_bucket",
    "aws_s3_bucket_lifecycle_configuration",
    "aws_s3_bucket_policy",
    "aws_s3_bucket_public_access_block",
    "aws_s3_bucket_server_side_encryption_configuration",
    "aws_s3_bucket_versioning",
    "aws_s3_object",
  ],
  plan: [
    {
      actions: [
        "s3:GetAccelerateConfiguration",
        "s3:GetBucketAcl",
        "s3:GetBucketCORS",
        "s3:GetBucketLogging",
        "s3:GetBucketObjectLockConfiguration",
        "s3:GetBucketPolicy",
        "s3:GetBucketPublicAccessBlock",
        "s3:GetBucketRequestPayment",
        "s3:GetBucketTagging",
        "s3:GetBucketVersioning",
        "s3:GetBucketWebsite",
        "s3:GetEncryptionConfiguration",
        "s3:GetLifecycleConfiguration",
        "s3:GetReplicationConfiguration",
        "s3:ListBucket",
      ],
      resources: [reach.s3(reach.answersBucket)],
    },
    { actions: ["s3:ListBucket"], resources: [reach.s3(reach.modelBucket)] },
    { actions: ["s3:GetObject", "s3:GetObjectTagging"], resources: contractsOf(reach) },
  ],
  apply: s3Apply(reach),
});

function s3Apply(reach: Reach): Permission[] {
  const answers = reach.s3(reach.answersBucket);
  return [
    {
      actions: [
        "s3:CreateBucket",
        "s3:DeleteBucket",
        "s3:DeleteBucketPolicy",
        "s3:PutBucketPolicy",
        "s3:PutBucketPublicAccessBlock",
        "s3:PutBucketTagging",
        "s3:PutBucketVersioning",
        "s3:PutEncryptionConfiguration",
        "s3:PutLifecycleConfiguration",
      ],
      resources: [answers],
    },
    {
      // Terraform deletes an object with all its versions.
      actions: [
        "s3:DeleteObject",
        "s3:DeleteObjectTagging",
        "s3:DeleteObjectVersion",
        "s3:PutObject",
        "s3:PutObjectTagging",
      ],
      resources: contractsOf(reach),
    },
    {
      actions: ["s3:GetObject"], // `pause` reads the deadlines of jobs that have not ended
      resources: [`${answers}/jobs/*`],
    },
    // `destroy` empties the bucket for answers first; where it is guarded, its own policy refuses that.
    { actions: ["s3:DeleteObjectVersion"], resources: [`${answers}/*`] },
    { actions: ["s3:ListBucketVersions"], resources: [reach.s3(reach.modelBucket), answers] },
  ];
}
