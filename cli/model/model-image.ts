import { BatchGetImageCommand, ECRClient } from "@aws-sdk/client-ecr";
import { withClient } from "../shared/aws-error";

const parts = /^(\d{12})\.dkr\.ecr(?:-fips)?\.([a-z0-9-]+)\.[^/]+\/([^:@]+):(.+)$/;

/** What ECR may answer with; of what is not named it would make another, with another digest. */
const acceptedMediaTypes = [
  "application/vnd.docker.distribution.manifest.v2+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.oci.image.index.v1+json",
];

/**
 * What an image's tag in ECR stands for now.
 * @param settings of the client
 * @returns `sha256:…`; undefined where the image is named by its digest already
 * @throws when there is no such image, or it may not be looked at
 */
export async function imageDigest(
  image: string,
  profile: string | undefined,
  settings: ConstructorParameters<typeof ECRClient>[0] = {},
): Promise<string | undefined> {
  const [, registryId, region, repositoryName, imageTag] = parts.exec(image) ?? [];
  if (imageTag === undefined) return undefined;
  return withClient(new ECRClient({ ...settings, region, profile }), `look up the image ${image}`, async (client) => {
    const asked = { registryId, repositoryName, imageIds: [{ imageTag }], acceptedMediaTypes };
    const { images = [], failures = [] } = await client.send(new BatchGetImageCommand(asked));
    const digest = images[0]?.imageId?.imageDigest;
    if (digest !== undefined) return digest;
    throw new Error(failures[0]?.failureReason ?? "ECR has no image of this tag");
  });
}
