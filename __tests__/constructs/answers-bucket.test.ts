import { S3Bucket } from "@cdktf/provider-aws/lib/s3-bucket";
import { S3BucketLifecycleConfiguration } from "@cdktf/provider-aws/lib/s3-bucket-lifecycle-configuration";
import type { Access } from "../../constructs/access";
import { AnswersBucket } from "../../constructs/answers-bucket";
import { granted, synth } from "../setup/synth";

const made = (scope: Parameters<Parameters<typeof synth>[0]>[0], guarded = true) =>
  new AnswersBucket(scope, "outcomes", { bucket: "team-dev-answers", guarded, keepDays: 30 });
const arn = "${aws_s3_bucket.outcomes_bucket.arn}";
const accessOf = (use: (bucket: AnswersBucket) => Access) => granted((scope) => use(made(scope)));

test("is destroyed by Terraform only where it is not guarded, and never with what is in it", () => {
  expect(synth((scope) => made(scope, true))).toHaveResourceWithProperties(S3Bucket, {
    bucket: "team-dev-answers",
    lifecycle: { prevent_destroy: true },
  });
  const open = synth((scope) => made(scope, false));
  expect(open).not.toContain("prevent_destroy");
  expect(open).not.toContain("force_destroy");
});

test("forgets in a week what was deleted, manifests, large results and broken uploads, in its time what jobs leave, and nothing that is staged or open", () => {
  expect(synth(made)).toHaveResourceWithProperties(S3BucketLifecycleConfiguration, {
    rule: [
      {
        id: "old-versions",
        status: "Enabled",
        filter: [{ prefix: "" }],
        noncurrent_version_expiration: [{ noncurrent_days: 7 }],
        expiration: [{ expired_object_delete_marker: true }],
        abort_incomplete_multipart_upload: [{ days_after_initiation: 7 }],
      },
      { id: "manifests", status: "Enabled", filter: [{ prefix: "manifests/" }], expiration: [{ days: 7 }] },
      { id: "unloads", status: "Enabled", filter: [{ prefix: "unloads/" }], expiration: [{ days: 7 }] },
      ...["inputs", "jobs", "results"].map((id) => {
        return { id, status: "Enabled", filter: [{ prefix: `${id}/` }], expiration: [{ days: 30 }] };
      }),
    ],
  });
});

test("lets who stages write there, keep a sample and list open/, and read or delete nothing that is staged", () => {
  expect(accessOf((bucket) => bucket.stage())).toEqual({
    may: [
      [["s3:ListBucket"], [arn]],
      [["s3:PutObject"], [`${arn}/staged/*`]],
      [["s3:GetObject", "s3:PutObject"], [`${arn}/sample.json`]],
    ],
    knows: { ANSWERS_BUCKET: "${aws_s3_bucket.outcomes_bucket.bucket}" },
  });
});

test("lets who starts jobs read inputs, facts and what has ended, write facts, and stop jobs", () => {
  expect(accessOf((bucket) => bucket.start())).toEqual({
    may: [
      [["s3:ListBucket"], [arn]],
      [["s3:GetObject"], [`${arn}/inputs/*`, `${arn}/results/*/manifest.json`]],
      [["s3:GetObject", "s3:PutObject"], [`${arn}/jobs/*`]],
      [["s3:PutObject"], [`${arn}/open/*`]],
    ],
    knows: { ANSWERS_BUCKET: "${aws_s3_bucket.outcomes_bucket.bucket}" },
  });
});

test("lets who loads take what is staged, set it aside, and tell how jobs stand", () => {
  expect(accessOf((bucket) => bucket.load())).toEqual({
    may: [
      [["s3:ListBucket"], [arn]],
      [
        ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
        [`${arn}/staged/*`, `${arn}/manifests/*`],
      ],
      [["s3:PutObject"], [`${arn}/rejected/*`]],
      [["s3:GetObject", "s3:PutObject"], [`${arn}/jobs/*`]],
    ],
    knows: { ANSWERS_BUCKET: "${aws_s3_bucket.outcomes_bucket.bucket}" },
  });
});

test("lets who keeps jobs take inputs, write what is asked for, and read how jobs stand; change no other fact", () => {
  expect(accessOf((bucket) => bucket.manageJobs())).toEqual({
    may: [
      [["s3:ListBucket"], [arn]],
      [["s3:GetObject"], [`${arn}/inputs/*`, `${arn}/jobs/*`]],
      [["s3:PutObject"], [`${arn}/inputs/*`, `${arn}/open/*`]],
      [["s3:GetObject"], [`${arn}/results/*/manifest.json`]],
      [["s3:PutObject"], [`${arn}/jobs/*/request.json`, `${arn}/jobs/*/cancel.json`]],
    ],
    knows: { ANSWERS_BUCKET: "${aws_s3_bucket.outcomes_bucket.bucket}" },
  });
});

test("lets who writes results read inputs and facts, write results, how far they are, and that a job failed, and forget what has ended", () => {
  expect(accessOf((bucket) => bucket.writeResults())).toEqual({
    may: [
      [["s3:ListBucket"], [arn]],
      [["s3:GetObject"], ["inputs", "jobs", "results", "unloads"].map((folder) => `${arn}/${folder}/*`)],
      [["s3:PutObject"], [`${arn}/open/*`, `${arn}/results/*`]],
      [["s3:PutObject"], ["failed", "merge"].map((fact) => `${arn}/jobs/*/${fact}.json`)],
      [["s3:DeleteObject"], ["open", "results", "unloads"].map((folder) => `${arn}/${folder}/*`)],
    ],
    knows: { ANSWERS_BUCKET: "${aws_s3_bucket.outcomes_bucket.bucket}" },
  });
});
