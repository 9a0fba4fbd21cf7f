import { createHash } from "node:crypto";
import { HeadObjectCommand, S3Client, S3ServiceException } from "@aws-sdk/client-s3";
import { jobFolders } from "../../contract/job";
import { clientSettings } from "../../pipeline/clients";
import { isLasting, lapseOf } from "../../pipeline/jobs";
import { awsError, namingActions } from "../shared/aws-error";
import type { CsvFile } from "../shared/csv";
import { progressOf } from "../shared/progress";

/** Without s3:ListBucket, S3 says 403 of what is not there: https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html */
const isMissing = (error: unknown) =>
  error instanceof S3ServiceException && [403, 404].includes(error.$metadata.httpStatusCode ?? 0);

/**
 * How large the parts are in which a large file goes: S3's tag of it, by which a job knows its input, is another where
 * they are of another size.
 */
const partBytes = 8 * 1024 ** 2;

/**
 * Puts a file below `inputs/`, under a name made of its content: a file that is there already is the same input, and is
 * sent again only where it does not last.
 * @returns its key
 */
export async function uploadInput(file: CsvFile, bucket: string, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of file.bytes()) hash.update(chunk);
  const key = `${jobFolders.inputs}${hash.digest("hex")}.csv`;
  const client = namingActions(new S3Client(clientSettings({ requestTimeout: 60_000, maxAttempts: 6 })));
  try {
    const head = new HeadObjectCommand({ Bucket: bucket, Key: key });
    const found = await client.send(head, { abortSignal: signal }).catch((error: unknown) => {
      if (isMissing(error)) return undefined;
      throw error;
    });
    if (found && isLasting(lapseOf(found))) return key;
    const { Upload } = await import("@aws-sdk/lib-storage");
    const { Readable } = await import("node:stream");
    const upload = new Upload({
      client,
      partSize: partBytes,
      params: { Bucket: bucket, Key: key, Body: Readable.from(file.bytes()), ContentType: "text/csv" },
    });
    const { bytes } = file.identity;
    const progress = bytes > partBytes ? progressOf("bytes sent", bytes) : undefined; // one call has no progress
    upload.on("httpUploadProgress", ({ loaded = 0 }) => progress?.update(loaded));
    const abort = () => void upload.abort();
    signal.addEventListener("abort", abort, { once: true });
    try {
      await upload.done();
    } finally {
      signal.removeEventListener("abort", abort);
      progress?.stop();
    }
    return key;
  } catch (error) {
    throw signal.aborted ? signal.reason : awsError(`put the rows into s3://${bucket}/${key}`, error);
  } finally {
    client.destroy();
  }
}
