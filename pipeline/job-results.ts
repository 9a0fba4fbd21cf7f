import { createHash } from "node:crypto";
import { GetObjectCommand, PutObjectCommand, paginateListObjectsV2, S3Client } from "@aws-sdk/client-s3";
import * as z from "zod";
import { jobFolders } from "../contract/job";
import { clientSettings, type Until } from "./clients";
import { deleteObjects } from "./s3";

const foundSchema = z.array(z.object({ Key: z.string() }));

/** The name of a part below its job's folder: of one run of the writer, so that no two write the same. */
const part = /^[0-9a-f-]{36}\/part-[^/]+$/;

/** The results of jobs, in the answers bucket. */
export class JobResults {
  constructor(
    private readonly bucket: string,
    private readonly client = new S3Client(clientSettings({ requestTimeout: 60_000 })),
  ) {}

  async put(Key: string, Body: Uint8Array, { signal }: Until): Promise<void> {
    await this.client.send(new PutObjectCommand({ Bucket: this.bucket, Key, Body }), { abortSignal: signal });
  }

  /** Where an object is, and the hash of its bytes in hexadecimal. */
  async identify(key: string, { signal }: Until): Promise<{ url: string; sha256: string }> {
    const { Body } = await this.client.send(new GetObjectCommand({ Bucket: this.bucket, Key: key }), {
      abortSignal: signal,
    });
    const bytes = (await Body?.transformToByteArray()) ?? new Uint8Array();
    return { url: `s3://${this.bucket}/${key}`, sha256: createHash("sha256").update(bytes).digest("hex") };
  }

  /** Deletes the parts of a job's result that are not among these: those of runs that did not come to their end. */
  async keepOnly(id: string, keys: readonly string[], until: Until): Promise<void> {
    const kept = new Set(keys);
    const folder = `${jobFolders.results}${id}/`;
    const pages = paginateListObjectsV2(
      { client: this.client },
      { Bucket: this.bucket, Prefix: folder },
      { abortSignal: until.signal },
    );
    for await (const { Contents = [] } of pages) {
      const found = foundSchema.parse(Contents).filter(({ Key }) => part.test(Key.slice(folder.length)));
      await deleteObjects(
        this.client,
        this.bucket,
        found.filter(({ Key }) => !kept.has(Key)),
        until,
      );
    }
  }

  async delete(keys: readonly string[], until: Until): Promise<void> {
    const objects = keys.map((Key) => ({ Key }));
    await deleteObjects(this.client, this.bucket, objects, until);
  }
}
