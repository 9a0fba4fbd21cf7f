import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { loadConfig } from "../../config";
import { clientSettings } from "../../pipeline/clients";
import { interruptible } from "../shared/interruption";
import { bundle, synthesize } from "../shared/synthesize";
import { stackFolder, terraform } from "../shared/terraform";
import { credentials } from "./credentials";
import { type Plan, readPlan } from "./plan";
import { featureGroup, type Review, review, typesToLookUp } from "./review";
import { openPlan } from "./saved-plan";

const planFile = "plan";

/** A plan that Terraform has made, in the folder in which alone it can be shown and applied. */
export interface MadePlan {
  readonly stack: string;
  readonly folder: string;
  /** Aborted when the process is told to end. */
  readonly signal: AbortSignal;
}

/** Runs Terraform in the plan's folder, unless the process was told to end. */
function terraformOf({ folder, signal }: MadePlan, args: readonly string[], output?: "show"): Promise<string> {
  signal.throwIfAborted();
  return terraform(folder, args, output);
}

const init = (made: MadePlan) => terraformOf(made, ["init", "-input=false", "-no-color"]);

/**
 * Bundles, synthesizes and plans a stack. A feature group that the plan would destroy, for the contract has other features
 * now, is forgotten instead: AWS keeps it with its records. The plan file holds secrets: it is gone when `use` has ended,
 * however it ends.
 * @param takeOver the environment that takes the original's deployment over @default none does
 */
export async function withNewPlan<T>(
  stack: string,
  takeOver: string | undefined,
  use: (made: MadePlan) => Promise<T>,
): Promise<T> {
  const options = takeOver === undefined ? [] : ["--take-over", takeOver];
  return withPlan(stack, options, [], async (made, plan) => {
    const groups = lostFeatureGroups(await planOf(made));
    if (groups.length > 0) {
      console.error(`Planning ${stack} again, so that ${groups.join(", ")} stays on AWS ...`);
      await synthesize([...options, ...groups.flatMap((address) => ["--forget", address])], made.signal);
      await plan();
    }
    return use(made);
  });
}

/** Bundles, synthesizes and plans the destruction of a stack. The plan file is gone when `use` has ended. */
export const withDestructionPlan = <T>(stack: string, use: (made: MadePlan) => Promise<T>): Promise<T> =>
  withPlan(stack, [], ["-destroy"], use);

/** @param use is given what plans once more */
async function withPlan<T>(
  stack: string,
  options: readonly string[],
  mode: readonly string[],
  use: (made: MadePlan, plan: () => Promise<string>) => Promise<T>,
): Promise<T> {
  await mustBeSignedIn();
  console.error("Bundling and synthesizing ...");
  await bundle();
  await synthesize([...options, "--deployable"]);
  const folder = stackFolder(stack);
  const file = join(folder, planFile);
  return cleaningUp(file, async (signal) => {
    const made = { stack, folder, signal };
    rmSync(file, { force: true });
    writeFileSync(file, "", { mode: 0o600 }); // Terraform keeps the mode
    console.error(`Planning ${stack} ...`);
    await init(made);
    const plan = () => terraformOf(made, ["plan", ...mode, "-input=false", "-no-color", `-out=${planFile}`]);
    await plan();
    return use(made, plan);
  });
}

/** @throws where nobody is signed in, or to another account than config.ts names: it is said before anything takes time */
async function mustBeSignedIn(): Promise<void> {
  const { shared } = loadConfig();
  const { region, profile } = shared;
  const { mark, text, mend } = await credentials(shared, { ...clientSettings(bounds), region, profile });
  if (mark === "problem") throw new Error([text, ...(mend === undefined ? [] : [mend])].join("\n"));
}

const bounds = { requestTimeout: 4_000, maxAttempts: 2 };

/** The addresses of the feature groups that the stack no longer has. */
const lostFeatureGroups = ({ changes }: Plan) =>
  changes.flatMap(({ type, kind, address }) => (type === featureGroup && kind === "destroy" ? [address] : []));

/**
 * Unpacks a plan that `diff --save` has written, into a folder that is gone when `use` has ended, however it ends.
 * @throws when it cannot be opened
 */
export async function withSavedPlan<T>(
  stack: string,
  saved: { file: string; passphrase: string },
  use: (made: MadePlan) => Promise<T>,
): Promise<T> {
  mkdirSync("cdktf.out", { recursive: true });
  const folder = mkdtempSync(join("cdktf.out", "plan-"));
  return cleaningUp(folder, async (signal) => {
    const made = { stack, folder, signal };
    await openPlan(saved.file, folder, stack, saved.passphrase);
    await init(made);
    return use(made);
  });
}

/** Removes a path when `work` has ended, also when the process is told to end: then Terraform ends first. */
const cleaningUp = <T>(path: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> =>
  interruptible((signal) => work(signal).finally(() => rmSync(path, { recursive: true, force: true })));

/**
 * Reads a plan and says what it loses.
 * @param allowed addresses whose loss is meant
 * @throws when an address was allowed that the plan does not lose
 */
export async function reviewOf(made: MadePlan, allowed: readonly string[]): Promise<Review> {
  const plan = await planOf(made);
  const types = typesToLookUp(plan);
  const schemas = types.size > 0 ? await schemasOf(made, types) : undefined;
  return review(plan, { stack: made.stack, allowed, schemas, prices: loadConfig().shared.prices });
}

const planOf = async (made: MadePlan) => readPlan(await terraformOf(made, ["show", "-json", planFile]));

/** The whole plan as Terraform shows it to people. */
export const wholePlan = (made: MadePlan) => terraformOf(made, ["show", "-no-color", planFile]);

/** Applies exactly this plan. Terraform refuses it when the state has moved on meanwhile. */
export async function applyPlan(made: MadePlan): Promise<void> {
  const colours = process.stderr.isTTY ? [] : ["-no-color"];
  await terraformOf(made, ["apply", "-input=false", ...colours, planFile], "show");
}

const providerSchemas = z.object({
  provider_schemas: z
    .record(
      z.string(),
      z.object({
        resource_schemas: z
          .record(
            z.string(),
            z.object({
              block: z.object({
                attributes: z.record(z.string(), z.unknown()).default({}),
                block_types: z.record(z.string(), z.unknown()).default({}),
              }),
            }),
          )
          .default({}),
      }),
    )
    .default({}),
});

/** Names of the attributes and blocks that types have, by what their providers say. */
async function schemasOf(made: MadePlan, types: ReadonlyMap<string, string>): Promise<ReadonlyMap<string, string[]>> {
  const json = await terraformOf(made, ["providers", "schema", "-json"]);
  const { provider_schemas } = providerSchemas.parse(JSON.parse(json));
  const found = new Map<string, string[]>();
  for (const [type, provider] of types) {
    const block = provider_schemas[provider]?.resource_schemas[type]?.block;
    if (block) found.set(type, [...Object.keys(block.attributes), ...Object.keys(block.block_types)]);
  }
  return found;
}
