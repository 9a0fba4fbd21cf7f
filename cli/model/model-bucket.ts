import { createReadStream } from "node:fs";
import {
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { awsError, namingActions } from "../shared/aws-error";
import { commandsFor } from "../shared/options";
import { type Digest, partSize } from "./model-archive";

/** The bucket of an environment's model artifacts, as AWS has it. */
export class ModelBucket {
  readonly region: string;
  private readonly client: S3Client;

  constructor(
    readonly name: string,
    { region, profile }: { readonly region: string; readonly profile?: string },
    settings: S3ClientConfig = {},
  ) {
    this.region = region;
    this.client = namingActions(new S3Client({ ...settings, region, profile }));
  }

  urlOf = (key: string) => `s3://${this.name}/${key}`;

  /** Whether an object is there, whatever is in it. */
  async exists(key: string): Promise<boolean> {
    const call = this.client.send(new HeadObjectCommand({ Bucket: this.name, Key: key }));
    return (await this.ask(`look for ${this.urlOf(key)}`, call, ["NotFound", "NoSuchKey"])) !== undefined;
  }

  /** Whether an object is there, whole and the same. */
  async holds(key: string, { checksum, size }: Digest): Promise<boolean> {
    const call = this.client.send(new HeadObjectCommand({ Bucket: this.name, Key: key, ChecksumMode: "ENABLED" }));
    const found = await this.ask(`look for ${this.urlOf(key)}`, call, ["NotFound", "NoSuchKey"]);
    return found?.ChecksumSHA256 === checksum && found.ContentLength === size;
  }

  /**
   * Sends a file in parts. S3 refuses a part that has changed on its way.
   * @param onProgress is told how many bytes have arrived
   */
  async send(file: string, key: string, onProgress: (bytes: number) => void): Promise<void> {
    const upload = new Upload({
      client: this.client,
      partSize,
      params: { Bucket: this.name, Key: key, Body: createReadStream(file), ChecksumAlgorithm: "SHA256" },
    });
    upload.on("httpUploadProgress", ({ loaded = 0 }) => onProgress(loaded));
    await this.ask(`upload ${file} to ${this.urlOf(key)}`, upload.done());
  }

  /**
   * Reads an object; undefined where there is none.
   * @param bytes how many of it, from its beginning on @default all
   */
  async read(key: string, bytes?: number) {
    const Range = bytes === undefined ? undefined : `bytes=0-${bytes - 1}`;
    const call = this.client.send(new GetObjectCommand({ Bucket: this.name, Key: key, Range }));
    return (await this.ask(`read ${this.urlOf(key)}`, call, ["NoSuchKey"]))?.Body;
  }

  /** Writes a short text. */
  async write(key: string, text: string): Promise<void> {
    const object = { Bucket: this.name, Key: key, Body: text, ContentType: "application/json" };
    await this.ask(`write ${this.urlOf(key)}`, this.client.send(new PutObjectCommand(object)));
  }

  /** What a call answers; undefined where it fails with one of `absent`. */
  private async ask<Answer>(doing: string, call: Promise<Answer>, absent: readonly string[] = []) {
    try {
      return await call;
    } catch (error) {
      if (error instanceof Error && error.name === "NoSuchBucket") {
        throw new Error(`The bucket ${this.name} does not exist: ${commandsFor({})("bootstrap")} makes it.`);
      }
      if (error instanceof Error && absent.includes(error.name)) return undefined;
      throw awsError(doing, error);
    }
  }
}
