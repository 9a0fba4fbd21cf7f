import { createInterface } from "node:readline/promises";
import { Command, Option } from "commander";
import { showsColours } from "../colours";
import { examples } from "../help";
import { allowDestroyOption, takeOverOption } from "./diff";
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
  if (!autoApprove && !process.stdin.isTTY) {
    throw new Error("Nobody can be asked here, since this is no terminal. With --auto-approve nobody is asked.");
  }
  const apply = async (made: MadePlan) => {
    const review = await reviewOf(made, allowDestroy);
    console.log(textOf(review, showsColours(process.stdout)));
    if (!review.isSafe) console.error("Nothing was applied.");
    else if (review.plan.isEmpty) console.error("There is nothing to apply.");
    else if (autoApprove || (await confirm(`Apply this to ${stack}? [y/N] `, made.signal))) {
      await applyPlan(made, review.plan);
      if (changesEndpoint(review.plan)) await checkEndpoint(made);
    } else throw new Error("Nothing was applied.");
    return review.isSafe;
  };
  return plan === undefined
    ? withNewPlan(stack, takeOver, apply)
    : withSavedPlan(stack, { file: plan, passphrase: planPassphrase() }, apply);
}

/** Whether a plan makes an endpoint or changes it, and so may end without its being served. */
const changesEndpoint = ({ changes }: Plan) =>
  changes.some(({ type, kind }) => type === "aws_sagemaker_endpoint" && ["create", "update", "replace"].includes(kind));

async function checkEndpoint({ folder, signal }: MadePlan) {
  const { endpointOf, endpointServes } = await import("./endpoint");
  const endpoint = endpointOf(folder);
  await endpointServes(endpoint, { signal });
  console.error(`${endpoint.endpointName} serves ${endpoint.configurationName}.`);
}

/** Asks on the terminal. Whatever is no yes is a no, the end of the input and Ctrl-C too. */
async function confirm(question: string, interruption: AbortSignal): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const end = new AbortController();
  terminal.once("close", () => end.abort());
  terminal.once("SIGINT", () => process.emit("SIGINT", "SIGINT")); // Ctrl-C, which is only a key while it is asked
  const signal = AbortSignal.any([end.signal, interruption]);
  try {
    return /^y(es)?$/i.test((await terminal.question(question, { signal })).trim());
  } catch (error) {
    if (!signal.aborted) throw error;
    console.error();
    return false;
  } finally {
    terminal.close();
  }
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
    .addHelpText(
      "after",
      "\nExits with 2, and applies nothing, when something stateful would be lost; with 1 on errors, and when\nthe endpoint does not serve what was deployed.",
    )
    .addHelpText(
      "after",
      examples(
        "offline-inference deploy inference-dev",
        "offline-inference deploy inference-prod --plan plan.bin --auto-approve",
      ),
    )
    .action(async (stack: string, options: DeployOptions) => {
      if (!(await deploy(stack, options))) process.exitCode = 2;
    });
