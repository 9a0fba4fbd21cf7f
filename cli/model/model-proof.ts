import {
  DescribeEndpointCommand,
  DescribeEndpointConfigCommand,
  DescribeModelCommand,
  SageMakerClient,
} from "@aws-sdk/client-sagemaker";
import { InvokeEndpointCommand, ModelError, SageMakerRuntimeClient } from "@aws-sdk/client-sagemaker-runtime";
import {
  asConfigured,
  changeReleases,
  goldenKey,
  type Release,
  readReleases,
  releaseId,
  releasesFile,
  withEndpoint,
} from "../../config/releases";
import type { RequestFormat } from "../../contract/model-contract";
import { clientSettings, isTransient, reasonOf } from "../../pipeline/clients";
import { wayBack } from "../deployment/endpoint";
import { awsError, failedTo, namingActions } from "../shared/aws-error";
import { commandsFor } from "../shared/options";
import type { NamedArchive } from "./deployed-archive";
import { type Agreement, agreementOf, type Golden, parseGolden, type Said } from "./golden";
import { ModelBucket } from "./model-bucket";
import type { ModelFile } from "./model-file";
import { headersOf } from "./model-verify";

/** An endpoint on AWS, and whom it is asked as. */
export interface EndpointOnAws {
  readonly endpointName: string;
  readonly region: string;
  /** @default AWS's usual environment */
  readonly profile?: string;
}

export interface AskOptions {
  /** Ends the asking. @default nothing does */
  readonly signal?: AbortSignal;
  /** How long all golden requests may take in all, in seconds. @default 300: a first call may have to load something */
  readonly deadlineSeconds?: number;
}

/** What a production variant answered to golden requests. */
export interface VariantAgreement extends Agreement {
  readonly variant: string;
}

/** A call may take 60 seconds (https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html). */
const callMilliseconds = 65_000;

/**
 * Asks each production variant of an endpoint golden requests. What is not answered until the deadline is an answer that
 * is missing.
 * @param headers what the requests are sent with
 * @throws when the endpoint cannot be looked at, or may not be asked
 */
export async function askEndpoint(
  { endpointName, region, profile }: EndpointOnAws,
  golden: Golden,
  headers: ReturnType<typeof headersOf>,
  { signal, deadlineSeconds = 300 }: AskOptions = {},
): Promise<VariantAgreement[]> {
  const variants = (await variantsOf({ endpointName, region, profile })).names;
  const settings = { region, profile, ...clientSettings({ requestTimeout: callMilliseconds }) };
  const client = namingActions(new SageMakerRuntimeClient(settings));
  const deadline = AbortSignal.timeout(1000 * deadlineSeconds);
  const abortSignal = AbortSignal.any([deadline, ...(signal ? [signal] : [])]);
  const ask = async (TargetVariant: string, Body: string): Promise<Said> => {
    try {
      abortSignal.throwIfAborted();
      const command = new InvokeEndpointCommand({
        EndpointName: endpointName,
        TargetVariant,
        ContentType: headers["content-type"],
        Accept: headers.accept,
        Body,
      });
      const answered = await client.send(command, { abortSignal });
      return { answer: Buffer.from(answered.Body ?? []).toString() };
    } catch (error) {
      signal?.throwIfAborted();
      if (deadline.aborted) return { failure: `nothing within ${deadlineSeconds} seconds` };
      if (error instanceof ModelError) {
        return { failure: `HTTP ${error.OriginalStatusCode ?? 500} ${error.OriginalMessage ?? ""}`.trim() };
      }
      if (isTransient(error)) return { failure: reasonOf(error) };
      throw awsError(`ask the endpoint ${endpointName}`, error);
    }
  };
  try {
    return await Promise.all(
      variants.map(async (variant) => ({ variant, ...(await agreementOf(golden, (body) => ask(variant, body))) })),
    );
  } finally {
    client.destroy();
  }
}

/** The production variants of an endpoint, where the artifact of each lies, and when SageMaker last changed it. */
async function variantsOf({ endpointName, region, profile }: EndpointOnAws) {
  const client = namingActions(new SageMakerClient({ region, profile }));
  const look = <Answer>(what: string, call: Promise<Answer>) => call.catch(failedTo(`look at ${what}`));
  const endpoint = await look(
    `the endpoint ${endpointName}`,
    client.send(new DescribeEndpointCommand({ EndpointName: endpointName })),
  );
  const names = (endpoint.ProductionVariants ?? []).flatMap(({ VariantName }) => VariantName ?? []);
  if (names.length === 0) throw new Error(`${endpointName} is ${endpoint.EndpointStatus}, and has no variant to ask.`);
  const artifacts = async () => {
    const { EndpointConfigName } = endpoint;
    const command = new DescribeEndpointConfigCommand({ EndpointConfigName });
    const { ProductionVariants = [] } = await look(`the configuration ${EndpointConfigName}`, client.send(command));
    return Promise.all(
      ProductionVariants.map(async ({ ModelName }) => {
        const model = await look(`the model ${ModelName}`, client.send(new DescribeModelCommand({ ModelName })));
        const container = model.PrimaryContainer ?? model.Containers?.[0];
        return container?.ModelDataUrl ?? "no artifact";
      }),
    );
  };
  return { names, artifacts, changedAt: endpoint.LastModifiedTime };
}

/** A release whose golden requests are known. */
type Provable = Release & Required<Pick<Release, "proof" | "speaks">>;

/** The current release of an environment; undefined where it says nothing of golden requests, as an earlier version's. */
function provableRelease(environment: string): Provable | undefined {
  const release = readReleases()[environment]?.current;
  if (release === undefined || release === asConfigured) return undefined;
  const { proof, speaks } = release;
  return proof && speaks && { ...release, proof, speaks };
}

const unknown = (environment: string) => `${releasesFile} names no golden requests for ${environment}`;

/**
 * Asks the endpoint of an environment the golden requests of its current release, and writes into releases.json how many
 * of its answers are the golden ones. A release of an earlier version has no golden requests: that is said, and no more.
 * @throws when the endpoint serves another artifact, or an answer is wrong or missing, with the way back
 */
export async function proveRelease(
  environment: string,
  endpoint: EndpointOnAws,
  options: AskOptions = {},
): Promise<void> {
  const { endpointName } = endpoint;
  if (provableRelease(environment) === undefined) {
    const what = `What ${endpointName} answers is not proven: ${unknown(environment)}.`;
    console.error(`${what} \`${commandsFor({ env: environment })("model release ARCHIVE")}\` does.`);
    return;
  }
  mustAgree(environment, endpoint, await proveCurrent(environment, endpoint, options));
}

/**
 * Asks the endpoint of an environment golden requests of an archive that is no release: nothing is written of what it says.
 * @throws when an answer is wrong or missing, with the way back
 */
export async function proveArchive(
  environment: string,
  endpoint: EndpointOnAws,
  { model, golden }: { readonly model: ModelFile; readonly golden: Golden },
  options: AskOptions = {},
): Promise<void> {
  console.error(`Asking ${endpoint.endpointName} its ${golden.pairs.length} golden requests ...`);
  mustAgree(environment, endpoint, await askEndpoint(endpoint, golden, headersOf(model), options));
  console.error(`All answers of ${endpoint.endpointName} are the golden ones.`);
}

/** @throws when an answer of an endpoint is not the golden one, with the way back */
function mustAgree(environment: string, { endpointName }: EndpointOnAws, answers: readonly VariantAgreement[]) {
  const wrong = answers.filter(({ agreed, asked }) => agreed < asked);
  if (wrong.length === 0) return;
  const lines = wrong.map(({ variant, agreed, asked }) => {
    return `${endpointName} gives ${agreed} of ${asked} golden answers by its variant ${variant}.`;
  });
  const others = `\`${commandsFor({ env: environment })(`model verify --endpoint ${endpointName}`)}\` shows the others.`;
  throw new Error([...lines, others, wayBack].join("\n"));
}

/**
 * Whether the endpoint of an environment has golden requests to answer that it has not answered right since it was last
 * changed, as where a deployment ended at one.
 * @param endpoint is looked at only where its release has golden requests
 */
export async function awaitsProof(environment: string, endpoint: () => EndpointOnAws): Promise<boolean> {
  const proof = provableRelease(environment)?.proof;
  if (proof === undefined) return false;
  const { endpoint: proven } = proof;
  if (proven === undefined || proven.agreed < proven.asked) return true;
  const { changedAt } = await variantsOf(endpoint());
  return changedAt === undefined || new Date(proven.at) < changedAt;
}

/**
 * What the endpoint of an environment answers to the golden requests of its current release; releases.json says so then.
 * @throws when the release has none, or the endpoint serves another artifact
 */
export async function proveCurrent(
  environment: string,
  endpoint: EndpointOnAws,
  options: AskOptions = {},
): Promise<VariantAgreement[]> {
  const release = provableRelease(environment);
  if (release === undefined) {
    throw new Error(`${unknown(environment)}. Name an archive, or --golden, to have others asked.`);
  }
  const { endpointName } = endpoint;
  const { artifact, proof, speaks } = release;
  const meant = `s3://${artifact.bucket}/${artifact.key}`;
  const others = (await (await variantsOf(endpoint)).artifacts()).filter((url) => url !== meant);
  if (others.length > 0) {
    throw new Error(
      `${endpointName} serves ${others.join(", ")}, and the release of ${environment} is ${meant}.\n${wayBack}`,
    );
  }
  const golden = await goldenIn(new ModelBucket(artifact.bucket, endpoint), proof.golden);
  console.error(`Asking ${endpointName} its ${golden.pairs.length} golden requests ...`);
  const answers = await askEndpoint(endpoint, golden, headersOf({ contract: speaks }), options);
  const sum = (of: "asked" | "agreed") => answers.reduce((total, answer) => total + answer[of], 0);
  const [asked, agreed] = [sum("asked"), sum("agreed")];
  const found = { name: endpointName, sha256: artifact.sha256, at: new Date().toISOString(), asked, agreed };
  changeReleases((releases) => {
    const { [environment]: written } = releases;
    if (written === undefined || written.current === asConfigured) return releases;
    if (releaseId(written.current) !== releaseId(release)) return releases; // another was released meanwhile
    return { ...releases, [environment]: { ...written, current: withEndpoint(written.current, found) } };
  });
  console.error(
    `${agreed} of ${asked} answers of ${endpointName} are the golden ones, and ${releasesFile} says so: commit it.`,
  );
  return answers;
}

/**
 * The golden requests of what an environment serves, and the format that they are in: the first that the model speaks.
 * @param archive what config.ts alone names @default a release is served
 * @returns undefined where none are known
 * @throws when they are not there
 */
export async function goldenOf(
  environment: string,
  archive: NamedArchive | undefined,
  access: Pick<EndpointOnAws, "region" | "profile">,
): Promise<{ readonly golden: Golden; readonly request?: RequestFormat } | undefined> {
  if (archive?.golden) return { golden: archive.golden, request: archive.model.contract.request[0] };
  const release = provableRelease(environment);
  if (release === undefined) return undefined;
  const golden = await goldenIn(new ModelBucket(release.artifact.bucket, access), release.proof.golden);
  return { golden, request: release.speaks.request[0] };
}

/** Golden requests as they lie in the bucket. @throws when they are not there, or are others */
async function goldenIn(bucket: ModelBucket, sha256: string): Promise<Golden> {
  const key = goldenKey(sha256);
  const text = await (await bucket.read(key))?.transformToString();
  const again = `Release the archive again: ${commandsFor({})("model release ARCHIVE")}.`;
  if (text === undefined) throw new Error(`There are no golden requests at ${bucket.urlOf(key)}. ${again}`);
  const golden = parseGolden(text, bucket.urlOf(key));
  if (golden.sha256 !== sha256)
    throw new Error(`${bucket.urlOf(key)} has other golden requests than the release. ${again}`);
  return golden;
}
