import { mismatch } from "../../config/spoken-contract";
import { diff } from "../deployment/diff";
import { goldenOf } from "./model-archive";
import { compileModel } from "./model-compile";
import type { ModelEnvironment } from "./model-environment";
import { imageMismatch } from "./model-file";
import { packageModel } from "./model-package";
import { recipeFor } from "./model-recipes";
import { releaseModel } from "./model-release";
import { traceModel } from "./model-trace";
import { uploadModel } from "./model-upload";
import { verifyModel } from "./model-verify";
import { verificationOf } from "./verified-models";

/** Where the archive is written that is shipped. */
const archive = "model.tar.gz";

/**
 * Takes a Hugging Face folder, or any with a model.json, all the way to a plan with its model in it. What has been done
 * already is not done again.
 * @param recipe @default the one that fits the environment's instances best
 * @returns whether the plan loses nothing
 * @throws at the first step that fails
 */
export async function shipModel(folder: string, of: ModelEnvironment, recipe?: string): Promise<boolean> {
  const { contract, instanceType, image } = of.environment.model;
  const model = await traceModel(folder, contract, recipeFor(instanceType, recipe));
  const differs = mismatch(folder, model.contract, contract) ?? imageMismatch(folder, model, image);
  if (differs !== undefined) throw new Error(differs);
  const sha256 = await packageModel(folder, archive);
  console.error(`${archive} is packaged: ${sha256}`);
  if (await verificationOf(sha256, (await goldenOf(archive, model)).sha256)) {
    console.error(`${archive} has been verified already.`);
  } else {
    const { asked, faults } = await verifyModel(archive);
    if (faults.length > 0) {
      throw new Error([`${faults.length} of ${asked} answers are not the golden ones:`, ...faults].join("\n  "));
    }
    console.error(`${asked} of ${asked} answers are the golden ones.`);
  }
  await uploadModel(archive, of);
  await compileModel(archive, of, recipe);
  console.error(await releaseModel(archive, of, { recipe }));
  return diff(`inference-${of.environment.name}`, { allowDestroy: [] });
}
