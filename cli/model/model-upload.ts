import { Presets, SingleBar } from "cli-progress";
import { refusePlaceholders } from "../../config/starter";
import { checkArchive, type Digest, digestOf } from "./model-archive";
import type { ModelBucket } from "./model-bucket";
import type { ModelEnvironment } from "./model-environment";

/** Where an archive lies in the bucket: where its contents say, so that no other can take its place. */
export const keyOf = (sha256: string) => `models/${sha256}.tar.gz`;

/**
 * Puts an archive into the bucket of the models, unless it is there.
 * @returns its digest and its address
 * @throws where config.ts is as it was shipped, whose bucket may be anybody's; when the archive is none that SageMaker could start from, or S3 has got another one
 */
export async function uploadModel(
  archive: string,
  { shared, bucket }: Pick<ModelEnvironment, "shared" | "bucket">,
): Promise<{ digest: Digest; url: string }> {
  refusePlaceholders(shared);
  await checkArchive(archive);
  const digest = await digestOf(archive);
  const key = keyOf(digest.sha256);
  const url = bucket.urlOf(key);
  if (await bucket.holds(key, digest)) {
    console.error(`${archive} is in the bucket already.`);
    return { digest, url };
  }
  await sendWithProgress(bucket, archive, key, digest.size);
  if (!(await bucket.holds(key, digest))) {
    throw new Error(`${url} is not what ${archive} is: its checksum is another one. Upload it again.`);
  }
  console.error("S3 has the same checksum.");
  return { digest, url };
}

/** Sends a file, with a bar on a terminal. */
export async function sendWithProgress(bucket: ModelBucket, file: string, key: string, size: number): Promise<void> {
  const megabytes = (bytes: number) => Math.round(bytes / 1e5) / 10;
  console.error(`Uploading ${megabytes(size)} MB to ${bucket.urlOf(key)} ...`);
  const bar = new SingleBar(
    { format: "{bar} {value} of {total} MB, {eta_formatted} left", noTTYOutput: false },
    Presets.shades_classic,
  );
  bar.start(megabytes(size), 0);
  try {
    await bucket.send(file, key, (bytes) => bar.update(megabytes(bytes)));
  } finally {
    bar.stop();
  }
}
