import { createHash } from "node:crypto";
import { z } from "zod";
import { limits, type NameLimit } from "../aws/limits";
import { modelKinds } from "../aws/model-kinds";
import type { ModelContract } from "../contract/model-contract";
import { labelOf } from "./contract";
import { defaultContract } from "./default-model";
import { fault, group, oneOf, refuse, text, whole, yesOrNo } from "./faults";
import { readJsonFile, reviewedFile } from "./json-file";
import { speaks, spokenContract } from "./spoken-contract";

/** The file with the releases of all environments, beside config.ts and reviewed like it. */
export const releasesFile = "releases.json";

/** Stands for the model that `model` in config.ts describes, where that one is or was deployed. */
export const asConfigured = "config.ts";

export const artifactKey: NameLimit = {
  ...limits.s3.key,
  pattern: /^(?!\/)[\w!.*'()/-]+\.tar\.gz$/,
  allowed: "a key in S3 that ends in .tar.gz",
  source: "https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ContainerDefinition.html",
};

const sha256: NameLimit = {
  pattern: /^[0-9a-f]{64}$/,
  minimumLength: 64,
  maximumLength: 64,
  allowed: "the SHA-256 of the archive, in hexadecimal digits",
  source: "`offline-inference model package` prints it",
};

const imageDigest: NameLimit = {
  pattern: /^sha256:[0-9a-f]{64}$/,
  maximumLength: 71,
  allowed: "the digest of an image, sha256:<64 hexadecimal digits>",
  source: "`offline-inference model release` looks it up",
};

const contractLabel: NameLimit = {
  pattern: /^[^\p{C}]* \([0-9a-f]{8}\)$/u,
  maximumLength: 400,
  allowed: `what model.contract was for it, such as "${labelOf(defaultContract)}" where it was never set`,
  source: "`offline-inference model release` writes it",
};

const count = whole({ min: 0, max: 1_000_000, unit: "answers", source: "golden requests are some, not many" });
const time = z.iso.datetime({ error: refuse("a time as ISO 8601 has it, in UTC") });

/** Golden requests that were answered: how many as they must be. */
const tried = { at: time, asked: count, agreed: count };

const proofSchema = group({
  /** The SHA-256 of the golden requests and answers, which lie in the artifact's bucket (`goldenKey`). */
  golden: text(sha256),
  /** What the archive answered where it was released, that the artifact is or was compiled of. @default it was not asked */
  archive: group({ sha256: text(sha256), ...tried }).optional(),
  /** What the artifact itself answered, by every variant of an endpoint. @default it was not asked */
  endpoint: group({ name: text(limits.sagemaker.endpointName), sha256: text(sha256), ...tried }).optional(),
});

/** What was proven of a release. */
export type Proof = z.infer<typeof proofSchema>;

/** Where golden requests and answers lie in the bucket of the models. */
export const goldenKey = (sha256: string) => `golden/${sha256}.json`;

/** What a model was made of and by, in words. */
const word = z.string({ error: refuse("a text") });

export const releaseSchema = group({
  /** The model artifact, a tar.gz in S3. */
  artifact: group({
    bucket: text(limits.s3.bucketName),
    key: text(artifactKey),
    sha256: text(sha256),
  }),
  /** What it is made for; image, environment variables and instance family follow (aws/model-kinds.ts). */
  kind: oneOf(modelKinds, "aws/model-kinds.ts"),
  /** The contract it is made for, in words: what config.ts says when it is released. */
  contract: text(contractLabel),
  /** What the model speaks, as its model.json says. @default of a release by an earlier version it is not known */
  speaks: spokenContract.optional(),
  /** The image that serves it; Neo names one for each artifact. @default `model.image`, or AWS's own for the kind */
  image: text(limits.sagemaker.image).optional(),
  /**
   * What the image's tag stood for when it was released: it is served by that, as long as the image is named so.
   * @default it is served by the tag, which AWS moves
   */
  resolved: group({ image: text(limits.sagemaker.image), digest: text(imageDigest) }).optional(),
  /** What it is served on, where that is not what config.ts says. @default `model.instanceType` */
  instanceType: text(limits.sagemaker.instanceType).optional(),
  /** Whether this very artifact has answered the golden requests as it must: a compiled one, at an endpoint. */
  verified: yesOrNo(),
  /** @default of a release by an earlier version nothing is known */
  proof: proofSchema.optional(),
  /** What the model was made of. @default its model.json does not say */
  source: group({ id: word, revision: word }).optional(),
  /** What made it, and the versions of what that used. @default its model.json does not say */
  made: group({ by: word, versions: z.record(z.string(), word) }).optional(),
});

/** A model artifact that is deployed, or was before the current one. */
export type Release = z.infer<typeof releaseSchema>;

const deployed = z.union([z.literal(asConfigured), releaseSchema], {
  error: refuse(`a release, or "${asConfigured}" for the model that is described there`),
});

const environmentSchema = group({
  /** What the endpoint serves. */
  current: deployed,
  /** What it served before: its model and endpoint configuration stay on AWS until the next release. @default nothing */
  previous: deployed.optional(),
}).superRefine(
  ({ current, previous }, context) => {
    if (previous === undefined || idOf(current) !== idOf(previous)) return;
    context.addIssue(fault(["previous"], "got the same release as current; allowed: another one, or none"));
  },
  { when: ({ issues }) => issues.length === 0 },
);

/** The releases of one environment. */
export type EnvironmentReleases = z.infer<typeof environmentSchema>;

const releasesSchema = z.record(z.string(), environmentSchema, {
  error: refuse("an object of releases by the names of environments"),
});

/** The releases of the environments that have any, by the environments' names. */
export type Releases = z.infer<typeof releasesSchema>;

/** A release's own part of Terraform addresses: the same as long as nothing of it changes. */
export function releaseId({ artifact, kind, image, instanceType, resolved }: Release): string {
  const written = [artifact.bucket, artifact.key, artifact.sha256, kind, image ?? null, instanceType ?? null];
  if (resolved !== undefined) written.push(resolved.image, resolved.digest);
  return createHash("sha256").update(JSON.stringify(written)).digest("hex").slice(0, 8);
}

const idOf = (served: Release | typeof asConfigured) => (served === asConfigured ? asConfigured : releaseId(served));

/** What the file says, unchecked: nothing where there is no file. @throws ConfigError when it is no JSON */
export const writtenReleases = () => readJsonFile(releasesFile);

/** The releases of every environment that has any. */
export const {
  check: checkReleases,
  read: readReleases,
  write: writeReleases,
  change: changeReleases,
} = reviewedFile(releasesFile, releasesSchema);

/**
 * The releases of an environment after a new one: what was current is the one before, and what was before is gone. The
 * release that is current already stays so, and the one before changes places with it.
 * @param servesConfigured whether the endpoint is there without a release, and so serves what config.ts describes: then
 * that is the release before, and is kept
 */
export function afterRelease(
  before: EnvironmentReleases | undefined,
  release: Release,
  servesConfigured = false,
): EnvironmentReleases {
  if (before === undefined) return { current: release, ...(servesConfigured && { previous: asConfigured }) };
  if (before.current === asConfigured || releaseId(before.current) !== releaseId(release)) {
    return { current: release, previous: before.current };
  }
  const { proof } = before.current;
  const isSame = proof?.endpoint !== undefined && proof.golden === release.proof?.golden;
  return { ...before, current: isSame ? withEndpoint(release, proof.endpoint) : release };
}

/** A release with what its artifact has answered at an endpoint. */
export function withEndpoint(release: Release, endpoint: Proof["endpoint"]): Release {
  if (release.proof === undefined || endpoint === undefined) return release;
  return { ...release, verified: endpoint.agreed === endpoint.asked, proof: { ...release.proof, endpoint } };
}

/** Whether a release answers by a contract. */
export const fits = (release: Release, contract: ModelContract): boolean =>
  release.speaks === undefined ? release.contract === labelOf(contract) : speaks(release.speaks, contract);

/**
 * The releases of an environment after the way back: the one before is current, and the other one is kept.
 * @param contract what config.ts says now
 * @throws when there is none before, and when it is made for another contract
 */
export function afterRollback(
  environment: string,
  before: EnvironmentReleases | undefined,
  contract: ModelContract,
): EnvironmentReleases {
  if (before?.previous === undefined) {
    throw new Error(`${releasesFile} has no release of ${environment} before the current one to go back to.`);
  }
  const { current, previous } = before;
  if (previous !== asConfigured && !fits(previous, contract)) {
    throw new Error(
      `The release before the current one of ${environment} is made for another contract: ${previous.contract}. ` +
        `config.ts has ${labelOf(contract)}. Set model.contract back, and roll back then.`,
    );
  }
  return { current: previous, previous: current };
}
