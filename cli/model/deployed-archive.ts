import { Readable } from "node:stream";
import { z } from "zod";
import { asConfigured, readReleases } from "../../config/releases";
import { mismatch } from "../../config/spoken-contract";
import { type ModelContract, modelContractSchema } from "../../contract/model-contract";
import { readStack } from "../../local/terraform";
import { messageOf } from "../shared/findings";
import { type Golden, parseGolden } from "./golden";
import { firstTextsIn } from "./model-archive";
import { ModelBucket } from "./model-bucket";
import { imageMismatch, type ModelFile, modelFile, parseModelFile } from "./model-file";

/** What is read of an archive, in MB: `model package` puts what it says of itself before its weights. */
const beginningMegabytes = 64;

/** An archive that config.ts names, as its beginning has it. */
export interface NamedArchive {
  readonly model: ModelFile;
  /** @default they are not in its beginning */
  readonly golden?: Golden;
}

/**
 * Holds the archive that a synthesized stack serves, where config.ts alone names it, against the contract and the image of
 * that stack. A release was held against them when it was released. What cannot be read is told, and is no fault: the
 * original's archive says nothing of itself, and who deploys may have no right to read models.
 * @param folder the stack's folder
 * @returns undefined where there is none, or it could not be read
 * @throws when it speaks another contract or is made for another image, with the lines for config.ts
 */
export async function checkNamedArchive(folder: string, environment: string): Promise<NamedArchive | undefined> {
  const { current = asConfigured } = readReleases()[environment] ?? {};
  const served = current === asConfigured ? servedIn(folder) : undefined;
  if (served === undefined) return undefined;
  const { url, image, contract } = served;
  const unread = (why: string) => {
    console.error(`${url} is not held against the contract of config.ts: ${why}.`);
    return undefined;
  };
  const texts = await beginningOf(served).catch(messageOf);
  if (typeof texts === "string") return unread(texts.replace(/\.$/, ""));
  if (texts === undefined) return unread("it is not there, and SageMaker makes no model without it");
  const written = texts.get(modelFile);
  if (written === undefined) return unread(`its first ${beginningMegabytes} MB have no ${modelFile} at the top`);
  const { model, faults } = parseModelFile(written);
  if (model === undefined) throw new Error([`${url} is no archive for SageMaker:`, ...faults].join("\n  "));
  const differs = mismatch(url, model.contract, contract) ?? imageMismatch(url, model, image);
  if (differs !== undefined) throw new Error(differs);
  const golden = texts.get(model.golden);
  return { model, ...(golden !== undefined && { golden: parseGolden(golden, `${model.golden} of ${url}`) }) };
}

interface Served {
  readonly url: string;
  readonly image: string;
  readonly contract: ModelContract;
  readonly region: string;
  readonly profile?: string;
}

/** What the endpoint of a stack serves; undefined where it makes none. */
function servedIn(folder: string): Served | undefined {
  const stack = readStack(folder);
  const [endpoint] = stack.all("aws_sagemaker_endpoint", z.object({ endpoint_config_name: z.string() }));
  const [configuration] = stack
    .all(
      "aws_sagemaker_endpoint_configuration",
      z.object({ name: z.string(), production_variants: z.tuple([z.object({ model_name: z.string() })]) }),
    )
    .filter(({ name }) => name === endpoint?.endpoint_config_name);
  const container = z.object({ image: z.string(), model_data_url: z.string() });
  const [model] = stack
    .all("aws_sagemaker_model", z.object({ name: z.string(), container: z.tuple([container]) }))
    .filter(({ name }) => name === configuration?.production_variants[0].model_name);
  const [object] = stack
    .all("aws_s3_object", z.object({ content: z.string() }))
    .filter(({ address }) => address === "aws_s3_object.contract");
  if (model === undefined || object === undefined) return undefined;
  const [{ image, model_data_url: url }] = model.container;
  const contract = modelContractSchema.parse(JSON.parse(object.content));
  return { url, image, contract, region: stack.region, profile: stack.profile };
}

/** The small files in the beginning of an archive, until its golden requests; undefined where there is no archive. */
async function beginningOf({ url, region, profile }: Served): Promise<Map<string, string> | undefined> {
  const { hostname, pathname } = new URL(url);
  const bucket = new ModelBucket(hostname, { region, profile });
  const body = await bucket.read(decodeURIComponent(pathname.slice(1)), beginningMegabytes * 1024 * 1024);
  if (!(body instanceof Readable)) return undefined;
  const isEnough = (texts: ReadonlyMap<string, string>) => {
    const written = texts.get(modelFile);
    const { model } = written === undefined ? {} : parseModelFile(written);
    return written !== undefined && (model === undefined || texts.has(model.golden));
  };
  return firstTextsIn(body, isEnough);
}
