import { DeleteObjectsCommand, paginateListObjectsV2, type S3Client } from "@aws-sdk/client-s3";
import * as z from "zod";
import type { Until } from "./clients";
import { runsOf } from "./flow";

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html */
const keysPerDelete = 1_000;

/** An object, or one version of it. */
export interface S3Object {
  readonly Key: string;
  readonly VersionId?: string;
}

/** Deletes objects of a bucket, however many. What is gone already is none of its concern. @throws where one stays */
export async function deleteObjects(
  client: S3Client,
  bucket: string,
  objects: readonly S3Object[],
  { signal }: Until,
): Promise<void> {
  for (const run of runsOf(objects, { count: keysPerDelete })) {
    const Objects = run.map(({ Key, VersionId }) => ({ Key, VersionId }));
    const command = new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects, Quiet: true } });
    const { Errors: [error] = [] } = await client.send(command, { abortSignal: signal });
    if (error) throw Object.assign(new Error(`${error.Message} (${error.Key})`), { name: error.Code ?? "Error" });
  }
}

const foundSchema = z.array(z.object({ Key: z.string(), LastModified: z.date() }));

/** An object of a bucket, as it is listed. */
interface Listed {
  readonly key: string;
  readonly writtenAt: Date;
}

/** The objects of a folder, a page at a time. */
export async function* pagesBelow(
  client: S3Client,
  Bucket: string,
  Prefix: string,
  { signal }: Until,
): AsyncGenerator<Listed[], void, undefined> {
  const pages = paginateListObjectsV2({ client }, { Bucket, Prefix }, { abortSignal: signal });
  for await (const { Contents = [] } of pages) {
    yield foundSchema.parse(Contents).map(({ Key: key, LastModified: writtenAt }) => ({ key, writtenAt }));
  }
}

/** The objects of a folder. */
export async function* objectsBelow(...folder: Parameters<typeof pagesBelow>): AsyncGenerator<Listed, void, undefined> {
  for await (const page of pagesBelow(...folder)) yield* page;
}
