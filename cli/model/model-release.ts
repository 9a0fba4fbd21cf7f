import { DescribeEndpointCommand, SageMakerClient } from "@aws-sdk/client-sagemaker";
import { kindAsTraced } from "../../aws/model-kinds";
import { labelOf } from "../../config/contract";
import {
  afterRelease,
  afterRollback,
  changeReleases,
  goldenKey,
  type Release,
  readReleases,
  releasesFile,
} from "../../config/releases";
import { mismatch } from "../../config/spoken-contract";
import { endpointOf, endpointWillServe } from "../deployment/endpoint";
import { noneWhereMissing, withClient } from "../shared/aws-error";
import { interruptible } from "../shared/interruption";
import { commandsFor } from "../shared/options";
import { bundle, synthesize } from "../shared/synthesize";
import { stackFolder } from "../shared/terraform";
import { checkArchive, type Digest, digestOf, goldenOf } from "./model-archive";
import { type Compiled, compiledModel } from "./model-compile";
import type { ModelEnvironment } from "./model-environment";
import { imageMismatch } from "./model-file";
import { imageDigest } from "./model-image";
import { proveRelease } from "./model-proof";
import { recipeFor } from "./model-recipes";
import { keyOf } from "./model-upload";
import { type Verification, verificationOf } from "./verified-models";

export interface ReleaseOptions {
  /** @default the one that fits the environment's instances best */
  readonly recipe?: string;
  /** Whether the archive may be one that `model verify` has not found right. @default it may not */
  readonly unverified?: true;
}

/**
 * Makes an archive, or what was compiled of it, the current release of an environment. The release before is kept.
 * @returns what has become of the releases, in a sentence
 * @throws when the archive does not speak the contract of config.ts, is not verified, not uploaded, or not compiled for
 * the environment's instances
 */
export async function releaseModel(archive: string, of: ModelEnvironment, options: ReleaseOptions): Promise<string> {
  const { bucket, environment } = of;
  const { name } = environment;
  const model = await checkArchive(archive);
  const differs =
    mismatch(archive, model.contract, environment.model.contract) ??
    imageMismatch(archive, model, environment.model.image);
  if (differs !== undefined) throw new Error(differs);
  const digest = await digestOf(archive);
  const golden = await goldenOf(archive, model);
  const verification = await verificationOf(digest.sha256, golden.sha256);
  if (verification === undefined && !options.unverified) {
    throw new Error(
      `${archive} has not been verified: ${commandsFor({})(`model verify ${archive}`)}. ` +
        "With --unverified it is released all the same, and the release says so.",
    );
  }
  const artifact = await artifactOf(archive, digest, of, options.recipe);
  const image = artifact.image ?? environment.model.image;
  const imageIs = await imageDigest(image, of.shared.profile);
  const { source, made } = model;
  const release: Release = {
    ...artifact,
    ...(imageIs !== undefined && { resolved: { image, digest: imageIs } }),
    contract: labelOf(environment.model.contract),
    speaks: model.contract,
    verified: verification !== undefined && artifact.artifact.sha256 === digest.sha256,
    proof: {
      golden: golden.sha256,
      ...(verification && { archive: archiveProof(digest, verification) }),
    },
    ...(source && { source }),
    ...(made && { made: { by: made.by, versions: made.versions } }),
  };
  if (!(await bucket.exists(goldenKey(golden.sha256)))) await bucket.write(goldenKey(golden.sha256), golden.text);
  const servesConfigured = !(name in readReleases()) && (await endpointExists(of));
  changeReleases((releases) => ({ ...releases, [name]: afterRelease(releases[name], release, servesConfigured) }));
  return `${of.bucket.urlOf(release.artifact.key)} is the release of ${name} in ${releasesFile}.`;
}

const archiveProof = ({ sha256 }: Digest, { at, asked, agreed }: Verification) => ({ sha256, at, asked, agreed });

/** The release of an archive that lies in the bucket. */
async function artifactOf(archive: string, digest: Digest, of: ModelEnvironment, asked?: string): Promise<Compiled> {
  const { bucket, environment } = of;
  const recipe = recipeFor(environment.model.instanceType, asked);
  const command = (step: string) => commandsFor({ env: environment.name })(`model ${step} ${archive}`);
  if (recipe !== undefined) {
    const compiled = await compiledModel(bucket, digest, recipe);
    if (compiled !== undefined) return compiled;
    const option = asked === undefined ? "" : ` --recipe ${recipe}`;
    throw new Error(
      `${environment.model.instanceType} runs no model that is not compiled for it: ${command("compile")}${option}`,
    );
  }
  const key = keyOf(digest.sha256);
  if (!(await bucket.holds(key, digest))) {
    throw new Error(`${bucket.urlOf(key)} is not there: ${command("upload")}`);
  }
  const artifact = { bucket: bucket.name, key, sha256: digest.sha256 };
  return { artifact, kind: kindAsTraced(environment.model.instanceType) };
}

/**
 * Makes the release before the current one of an environment, and keeps the other.
 * @throws when there is none before, and when it is made for another contract
 */
export function rollBack({ environment: { name, model } }: ModelEnvironment): string {
  changeReleases((releases) => ({ ...releases, [name]: afterRollback(name, releases[name], model.contract) }));
  return `The release before is the one of ${name} again in ${releasesFile}.`;
}

/**
 * Waits until the endpoint of an environment serves its release, while that is deployed elsewhere, or has been, and then
 * asks it the golden requests.
 * @throws when SageMaker takes it back or an answer is not the golden one, with the way back, and when the process is told
 * to end
 */
export const releaseIsServed = (environment: string): Promise<void> =>
  interruptible(async (signal) => {
    console.error("Bundling and synthesizing, to know what is to be served ...");
    await bundle();
    await synthesize([], signal);
    const endpoint = endpointOf(stackFolder(`inference-${environment}`));
    await endpointWillServe(endpoint, { signal });
    console.error(`${endpoint.endpointName} serves ${endpoint.configurationName}.`);
    await proveRelease(environment, endpoint, { signal });
  });

/** Whether the environment has an endpoint, which serves what config.ts describes where there is no release yet. */
async function endpointExists({ shared: { region, profile }, environment }: ModelEnvironment): Promise<boolean> {
  const { endpointName: EndpointName } = environment.model;
  const sageMaker = new SageMakerClient({ region, profile });
  const found = await withClient(sageMaker, `look for the endpoint ${EndpointName}`, (client) =>
    client.send(new DescribeEndpointCommand({ EndpointName })).catch(noneWhereMissing),
  );
  return found !== undefined;
}
