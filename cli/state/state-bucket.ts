import {
  GetBucketEncryptionCommand,
  GetBucketPolicyCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  GetPublicAccessBlockCommand,
  HeadBucketCommand,
  ListObjectVersionsCommand,
  S3Client,
  type S3ClientConfig,
} from "@aws-sdk/client-s3";
import { z } from "zod";
import { parsedJson } from "../../contract/json-text";
import { awsError, namingActions } from "../shared/aws-error";
import type { StateBackend } from "./state-backend";

/** An object, and when it was written. */
export interface Content {
  readonly written: Date;
  readonly text: string;
}

/** Who keeps everybody else from writing a state. */
export interface Lock {
  /** What `terraform force-unlock` asks for, where the lock tells. */
  readonly id?: string;
  /** Who, since when and for what. */
  readonly holder: string;
}

/** A bucket policy: each statement may give one of a thing or several. */
const several = z.union([z.string(), z.array(z.string())]).transform((given) => [given].flat());
const bucketPolicy = z.object({
  Statement: z.array(
    z.looseObject({
      Effect: z.string(),
      Principal: z.unknown().optional(),
      Action: several.default([]),
      Resource: several.default([]),
      Condition: z.unknown().optional(),
    }),
  ),
});

export type PolicyStatement = z.infer<typeof bucketPolicy>["Statement"][number];

// https://github.com/hashicorp/terraform/blob/v1.11.4/internal/states/statemgr/locker.go
const lockFile = z
  .object({ ID: z.string(), Operation: z.string(), Who: z.string(), Created: z.string() })
  .partial()
  .catch({}); // it holds all the same

/** The bucket of Terraform's state, as AWS has it. What it answers with `undefined` does not exist. */
export class StateBucket {
  readonly name: string;
  readonly region: string;
  private readonly client: S3Client;

  constructor({ bucket, region, profile }: StateBackend, settings: S3ClientConfig = {}) {
    this.name = bucket;
    this.region = region;
    this.client = namingActions(new S3Client({ ...settings, region, profile }));
  }

  async exists(): Promise<boolean> {
    const call = this.client.send(new HeadBucketCommand({ Bucket: this.name }));
    return (await ask(`look for the bucket ${this.name}`, call, ["NotFound", "NoSuchBucket"])) !== undefined;
  }

  /** Whether an object that is overwritten or deleted stays as an old version: `Enabled` or `Suspended`. */
  async versioning(): Promise<string | undefined> {
    const call = this.client.send(new GetBucketVersioningCommand({ Bucket: this.name }));
    return (await ask(`read the versioning of the bucket ${this.name}`, call))?.Status;
  }

  /** How it encrypts what is put into it. */
  async encryption(): Promise<string | undefined> {
    const call = this.client.send(new GetBucketEncryptionCommand({ Bucket: this.name }));
    const absent = ["ServerSideEncryptionConfigurationNotFoundError"];
    const answer = await ask(`read the encryption of the bucket ${this.name}`, call, absent);
    return answer?.ServerSideEncryptionConfiguration?.Rules?.[0]?.ApplyServerSideEncryptionByDefault?.SSEAlgorithm;
  }

  /** Whether nothing in it can be made public. */
  async isPrivate(): Promise<boolean> {
    const call = this.client.send(new GetPublicAccessBlockCommand({ Bucket: this.name }));
    const absent = ["NoSuchPublicAccessBlockConfiguration"];
    const answer = await ask(`read the public access block of the bucket ${this.name}`, call, absent);
    const { BlockPublicAcls, IgnorePublicAcls, BlockPublicPolicy, RestrictPublicBuckets } =
      answer?.PublicAccessBlockConfiguration ?? {};
    return [BlockPublicAcls, IgnorePublicAcls, BlockPublicPolicy, RestrictPublicBuckets].every((on) => on === true);
  }

  /** The statements of its policy. */
  async policy(): Promise<PolicyStatement[]> {
    const call = this.client.send(new GetBucketPolicyCommand({ Bucket: this.name }));
    const answer = await ask(`read the policy of the bucket ${this.name}`, call, ["NoSuchBucketPolicy"]);
    return answer?.Policy === undefined ? [] : bucketPolicy.parse(JSON.parse(answer.Policy)).Statement;
  }

  /** Reads an object. */
  async read(key: string): Promise<Content | undefined> {
    const call = this.client.send(new GetObjectCommand({ Bucket: this.name, Key: key }));
    const answer = await ask(`read s3://${this.name}/${key}`, call, ["NoSuchKey"]);
    if (answer === undefined) return undefined;
    const { LastModified: written = new Date(0), Body } = answer;
    return { written, text: (await Body?.transformToString()) ?? "" };
  }

  /** Whether it keeps a version of an object. */
  async hasVersions(key: string): Promise<boolean> {
    const call = this.client.send(new ListObjectVersionsCommand({ Bucket: this.name, Prefix: key, MaxKeys: 10 }));
    const { Versions = [] } = (await ask(`list the versions of s3://${this.name}/${key}`, call)) ?? {};
    return Versions.some((version) => version.Key === key);
  }

  /** The lock on a state, while somebody holds it. */
  async lock(key: string): Promise<Lock | undefined> {
    const file = await this.read(`${key}.tflock`);
    if (file === undefined) return undefined;
    const { ID, Operation = "something unknown", Who = "somebody", Created } = lockFile.parse(parsedJson(file.text));
    const operation = Operation.replace(/^OperationType/, "").toLowerCase();
    return { id: ID, holder: `${Who}, since ${timeOf(new Date(Created ?? file.written))}, for ${operation}` };
  }
}

/** What a call answers; undefined where it fails with one of `absent`. */
async function ask<Answer>(doing: string, call: Promise<Answer>, absent: readonly string[] = []) {
  try {
    return await call;
  } catch (error) {
    if (error instanceof Error && absent.includes(error.name)) return undefined;
    throw awsError(doing, error);
  }
}

/** A time as people read it, in UTC. */
export const timeOf = (time: Date) =>
  Number.isNaN(time.getTime()) ? "an unknown time" : `${time.toISOString().slice(0, 19).replace("T", " ")} UTC`;
