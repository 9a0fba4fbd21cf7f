import type { Construct } from "constructs";
import { folders, oldVersionDays, sampleKey } from "../contract/answers-bucket";
import { factsOf, jobFolders } from "../contract/job";
import { type Access, decrypt, encrypt, type PolicyStatement } from "./access";
import { VersionedBucket } from "./versioned-bucket";

export interface AnswersBucketProps {
  /** Unique among all buckets of all AWS accounts. */
  readonly bucket: string;
  /** The KMS key that it encrypts with. @default S3's own */
  readonly kmsKeyArn?: string;
  /** Whether Terraform refuses to destroy it, and it refuses to be emptied. */
  readonly guarded: boolean;
  /** How long inputs, facts and results of jobs are kept, in days. */
  readonly keepDays: number;
}

/** How long objects live that are of use for minutes, in days. */
const days = 7;

/**
 * The bucket where outcomes wait to be loaded, large results to be read, and jobs are. What is deleted there can be had
 * back for a week. What tells that a job has not ended never lapses.
 */
export class AnswersBucket extends VersionedBucket {
  private readonly key?: string;

  constructor(scope: Construct, id: string, props: AnswersBucketProps) {
    const { inputs, jobs, results } = jobFolders;
    super(scope, id, {
      ...props,
      oldVersionsExpireAfterDays: oldVersionDays,
      shortLived: {
        [folders.manifests]: days,
        [folders.unloads]: days,
        ...Object.fromEntries([inputs, jobs, results].map((folder) => [folder, props.keepDays])),
      },
    });
    this.key = props.kmsKeyArn;
  }

  /** Lets its holder stage outcomes, keep a sample of what was answered, and see which jobs are stopped. */
  stage(): Access {
    return {
      statements: [
        this.list(jobFolders.open),
        this.on(["s3:PutObject"], folders.staged),
        { actions: ["s3:GetObject", "s3:PutObject"], resources: [`${this.bucket.arn}/${sampleKey}`] },
        ...encrypt(this.key),
      ],
      environment: { ANSWERS_BUCKET: this.bucket.bucket },
    };
  }

  /** Lets its holder load what is staged, set aside what cannot be, and tell how jobs stand. */
  load(): Access {
    return {
      statements: [
        this.list(),
        this.on(["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], folders.staged, folders.manifests),
        this.on(["s3:PutObject"], folders.rejected),
        this.on(["s3:GetObject", "s3:PutObject"], jobFolders.jobs),
        ...encrypt(this.key),
      ],
      environment: { ANSWERS_BUCKET: this.bucket.bucket },
    };
  }

  /** Lets its holder check the inputs of jobs, and say how far their rows are sent. */
  start(): Access {
    const { inputs, jobs, open } = jobFolders;
    return {
      statements: [
        this.list(),
        {
          actions: ["s3:GetObject"],
          resources: [`${inputs}*`, factsOf("*").manifest].map((keys) => `${this.bucket.arn}/${keys}`),
        },
        this.on(["s3:GetObject", "s3:PutObject"], jobs),
        this.on(["s3:PutObject"], open),
        ...encrypt(this.key),
      ],
      environment: { ANSWERS_BUCKET: this.bucket.bucket },
    };
  }

  /** Lets its holder start, show and cancel jobs. */
  manageJobs(): Access {
    const { inputs, jobs, open } = jobFolders;
    const { request, cancel, manifest } = factsOf("*");
    return {
      statements: [
        this.list(),
        this.on(["s3:GetObject"], inputs, jobs),
        this.on(["s3:PutObject"], inputs, open),
        { actions: ["s3:GetObject"], resources: [`${this.bucket.arn}/${manifest}`] },
        { actions: ["s3:PutObject"], resources: [request, cancel].map((key) => `${this.bucket.arn}/${key}`) },
        ...encrypt(this.key),
      ],
      environment: { ANSWERS_BUCKET: this.bucket.bucket },
    };
  }

  /** Lets its holder write the results of jobs, and forget those that have ended. */
  writeResults(): Access {
    const { inputs, jobs, open, results } = jobFolders;
    const { failed, merge } = factsOf("*");
    return {
      statements: [
        this.list(),
        this.on(["s3:GetObject"], inputs, jobs, results, folders.unloads),
        this.on(["s3:PutObject"], open, results),
        { actions: ["s3:PutObject"], resources: [failed, merge].map((key) => `${this.bucket.arn}/${key}`) },
        this.on(["s3:DeleteObject"], open, results, folders.unloads),
        ...encrypt(this.key),
      ],
      environment: { ANSWERS_BUCKET: this.bucket.bucket },
    };
  }

  /** What Redshift needs to COPY what is staged (https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-access-permissions.html). */
  copy(): PolicyStatement[] {
    const read = this.on(["s3:GetObject"], folders.staged, folders.manifests);
    return [this.locate(), this.list(), read, ...decrypt(this.key)];
  }

  /** What Redshift needs to UNLOAD results (https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-access-permissions.html). */
  unload(): PolicyStatement[] {
    const write = this.on(["s3:GetObject", "s3:PutObject"], folders.unloads);
    return [this.locate(), this.list(folders.unloads), write, ...encrypt(this.key)];
  }

  private locate(): PolicyStatement {
    return { actions: ["s3:GetBucketLocation"], resources: [this.bucket.arn] };
  }

  /**
   * Who may not list is told of a missing object that it is forbidden, not that it is missing
   * (https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html). So is who may list a folder alone.
   */
  private list(folder?: string): PolicyStatement {
    const condition = folder === undefined ? undefined : { StringLike: { "s3:prefix": `${folder}*` } };
    return { actions: ["s3:ListBucket"], resources: [this.bucket.arn], condition };
  }

  private on(actions: string[], ...folders: string[]): PolicyStatement {
    return { actions, resources: folders.map((folder) => `${this.bucket.arn}/${folder}*`) };
  }
}
