import { Option } from "commander";
import type { NamedArchive } from "../model/deployed-archive";
import { ask, isYes, mustBeAskable } from "../shared/asking";
import { showsColours } from "../shared/colours";
import { Command } from "../shared/command";
import { messageOf } from "../shared/findings";
import { commandsFor } from "../shared/options";
import { environmentOf } from "../shared/terraform";
import { allowDestroyOption, takeOverOption } from "./diff";
import type { ScaledCount } from "./instance-count";
import type { Plan } from "./plan";
import type { MadePlan } from "./planning";

interface DeployOptions {
  readonly allowDestroy: string[];
  readonly takeOver?: string;
  readonly plan?: string;
  readonly autoApprove?: true;
}

/** Plans or opens a plan, checks it, asks, and applies that very plan. Gives whether it was safe. */
async function deploy(stack: string, { allowDestroy, takeOver, plan, autoApprove }: DeployOptions): Promise<boolean> {
  const { applyPlan, reviewOf, withNewPlan, withSavedPlan } = await import("./planning");
  const { textOf } = await import("./review-text");
  const { planPassphrase } = await import("./saved-plan");
  if (!autoApprove) mustBeAskable();
  const apply = async (made: MadePlan) => {
    const review = await reviewOf(made, allowDestroy);
    console.log(textOf(review, showsColours(process.stdout)));
    if (!review.isSafe) {
      console.error("Nothing was applied.");
      return false;
    }
    const environment = environmentOf(stack); // another stack, as that of the state, serves nothing
    const isPaused = await sayPause(environment, review.plan);
    const { checkNamedArchive } = await import("../model/deployed-archive");
    const archive = environment === stack ? undefined : await checkNamedArchive(made.folder, environment);
    if (review.plan.isEmpty) {
      console.error("There is nothing to apply.");
      if (!isPaused) await checkEndpoint(made, review.plan, archive);
    } else if (autoApprove || isYes(await ask(`Apply this to ${stack}? [y/N] `, made.signal))) {
      const { scaledCountOf } = await import("./instance-count");
      const scaled = changesEndpoint(review.plan) ? await scaledCountOf(made.folder) : undefined;
      await applyPlan(made);
      if (!isPaused) await prove(made, review.plan, archive, { scaled });
    } else throw new Error("Nothing was applied.");
    return true;
  };
  return plan === undefined
    ? withNewPlan(stack, takeOver, apply)
    : withSavedPlan(stack, { file: plan, passphrase: planPassphrase() }, apply);
}

/** What only a cluster that is not paused lets Terraform change. */
const needsWarehouse = ["aws_lambda_invocation", "aws_redshift_cluster"];

/**
 * Says that an environment is paused.
 * @returns whether it is
 * @throws where a plan of it changes what cannot be changed then
 */
async function sayPause(environment: string, { changes }: Plan): Promise<boolean> {
  const { loadConfig } = await import("../../config");
  const { pauseInWords } = await import("../../config/paused");
  const pause = loadConfig().environments[environment]?.pause;
  if (pause === undefined) return false;
  const isPaused = `${pauseInWords(environment, pause)}: this leaves it so.`;
  const resume = commandsFor({ env: environment })("resume");
  const refused = changes.filter(({ type, kind }) => needsWarehouse.includes(type) && kind !== "none");
  if (refused.length === 0) {
    console.error(`${isPaused} Nothing is proven until \`${resume}\`, which ends it.`);
    return true;
  }
  throw new Error(
    `${isPaused} But the plan changes ${refused.map(({ address }) => address).join(" and ")}, for which the cluster must be there. Resume it first, which applies all of this: ${resume}`,
  );
}

interface HowToProve {
  /** Whether the endpoint is asked in any case. @default where it was changed, or has not been proven */
  readonly always?: boolean;
  /** How many instances the endpoint had, which it is given again. @default it does not scale */
  readonly scaled?: ScaledCount;
}

/**
 * Looks whether what was deployed works.
 * @throws with all that does not
 */
export async function prove(made: MadePlan, plan: Plan, archive: NamedArchive | undefined, how: HowToProve = {}) {
  const proofs = [tryOutWarehouse(made), checkEndpoint(made, plan, archive, how)];
  const failed = (await Promise.allSettled(proofs)).filter((proof) => proof.status === "rejected");
  made.signal.throwIfAborted();
  if (failed.length > 0) throw new Error(failed.map(({ reason }) => messageOf(reason)).join("\n"));
}

async function tryOutWarehouse({ stack, folder, signal }: MadePlan) {
  const { canariesOf, tryOut } = await import("./canary");
  const canaries = canariesOf(folder);
  if (canaries.length === 0) return;
  try {
    const passed: string[] = [];
    for (const canary of canaries) {
      console.error(`${canary.functionName} tries out the warehouse ...`);
      passed.push(...(await tryOut(canary, { signal })));
    }
    console.error(["The warehouse does what is asked of it:", ...passed.map((what) => `  ${what}`)].join("\n"));
  } catch (error) {
    signal.throwIfAborted();
    const again = commandsFor({ env: environmentOf(stack) })("doctor --canary");
    throw new Error(
      [
        `The plan is applied, and stays so; but the canary failed. ${messageOf(error)}`,
        `Answers that the warehouse does not take wait in S3. IAM may take some seconds to know what was just made: \`${again}\` tries again.`,
      ].join("\n"),
    );
  }
}

/** Whether a plan makes an endpoint or changes it, and so may end without its being served. */
const changesEndpoint = ({ changes }: Plan) =>
  changes.some(({ type, kind }) => type === "aws_sagemaker_endpoint" && ["create", "update", "replace"].includes(kind));

/** Whether the endpoint is to be asked: it is changed, or what it serves has not been proven since it was. */
async function mustAnswer({ stack, folder }: MadePlan, plan: Plan, archive: NamedArchive | undefined) {
  if (changesEndpoint(plan) || archive?.golden !== undefined) return true;
  const { awaitsProof } = await import("../model/model-proof");
  const { endpointOf } = await import("./endpoint");
  return awaitsProof(environmentOf(stack), () => endpointOf(folder));
}

async function checkEndpoint(
  made: MadePlan,
  plan: Plan,
  archive: NamedArchive | undefined,
  { always = false, scaled }: HowToProve = {},
) {
  const { stack, folder, signal } = made;
  const { endpointOf, endpointServes, hasEndpoint } = await import("./endpoint");
  if (!(always && hasEndpoint(folder)) && !(await mustAnswer(made, plan, archive))) return;
  const { proveArchive, proveRelease } = await import("../model/model-proof");
  const endpoint = endpointOf(folder);
  await endpointServes(endpoint, { signal });
  console.error(`${endpoint.endpointName} serves ${endpoint.configurationName}.`);
  if (scaled) await (await import("./instance-count")).restoreCount(endpoint, scaled);
  const environment = environmentOf(stack);
  if (archive?.golden === undefined) await proveRelease(environment, endpoint, { signal });
  else await proveArchive(environment, endpoint, { ...archive, golden: archive.golden }, { signal });
}

export const deployCommand = () =>
  new Command("deploy")
    .description("Applies a plan of a stack, after the check that `diff` makes, and never another one.")
    .argument("<stack>", "one of the stacks of config.ts, such as inference-dev")
    .addOption(allowDestroyOption())
    .addOption(takeOverOption())
    .addOption(
      new Option("--plan <file>", "applies the plan that `diff --save` has kept, instead of a new one").conflicts(
        "takeOver",
      ),
    )
    .option("--auto-approve", "do not ask before anything is changed")
    .explanation(
      "\nExits with 2, and applies nothing, when something stateful would be lost; with 1 on errors, and when\nthe endpoint does not serve what was deployed, does not give the golden answers, or the canary fails, with Redshift's\nown words. What has not given them since it was changed is asked again, where there is nothing to apply too.",
    )
    .examples(
      "offline-inference deploy inference-dev",
      "offline-inference deploy inference-prod --plan plan.bin --auto-approve",
    )
    .action(async (stack: string, options: DeployOptions) => {
      if (!(await deploy(stack, options))) process.exitCode = 2;
    });
