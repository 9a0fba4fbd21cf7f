import { Option } from "commander";
import { showsColours } from "../shared/colours";
import { Command } from "../shared/command";
import { commandsFor } from "../shared/options";

interface DiffOptions {
  readonly allowDestroy: string[];
  readonly takeOver?: string;
  readonly save?: string;
  readonly markdown?: true;
  readonly json?: true;
}

/** An option that may be given several times, for `diff` and `deploy`. */
export const allowDestroyOption = () =>
  new Option("--allow-destroy <address>", "lets the plan lose what is at an address; may be repeated")
    .default([], "nothing")
    .argParser((address: string, others: string[]) => [...others, address]);

/** The environment that takes the original's deployment over, for `diff` and `deploy`. */
export const takeOverOption = () =>
  new Option("--take-over <environment>", "plans as if this environment took the original's deployment over");

/** Plans, prints what the plan does, and says whether nothing is lost that was not allowed. */
export async function diff(
  stack: string,
  { allowDestroy, takeOver, save, markdown, json }: DiffOptions,
): Promise<boolean> {
  const { reviewOf, wholePlan, withNewPlan } = await import("./planning");
  const { jsonOf } = await import("./review");
  const { markdownOf, textOf } = await import("./review-text");
  const { planPassphrase, savePlan } = await import("./saved-plan");
  const passphrase = save === undefined ? "" : planPassphrase();
  return withNewPlan(stack, takeOver, async (made) => {
    const review = await reviewOf(made, allowDestroy);
    if (markdown) console.log(markdownOf(review, await wholePlan(made)));
    else console.log(json ? jsonOf(review) : textOf(review, showsColours(process.stdout)));
    if (save !== undefined) {
      await savePlan(save, made.folder, stack, passphrase);
      console.error(`The plan is in ${save}, encrypted.`);
    }
    if (review.isSafe && !review.plan.isEmpty) {
      console.error(`To apply it: ${commandsFor({})(nextCommand(stack, { allowDestroy, takeOver, save }))}`);
    }
    return review.isSafe;
  });
}

/** What deploys what was shown. */
function nextCommand(stack: string, { allowDestroy, takeOver, save }: DiffOptions): string {
  const options = save === undefined ? takeOver && ["--take-over", takeOver] : ["--plan", save];
  const allowed = allowDestroy.flatMap((address) => ["--allow-destroy", `'${address}'`]);
  return ["deploy", stack, ...(options || []), ...allowed].join(" ");
}

export const diffCommand = () =>
  new Command("diff")
    .description("Plans a stack, and says in short what would change and whether anything stateful would be lost.")
    .argument("<stack>", "one of the stacks of config.ts, such as inference-dev")
    .addOption(allowDestroyOption())
    .addOption(takeOverOption())
    .option("--save <file>", "keeps the plan for `deploy --plan`, encrypted by OFFLINE_INFERENCE_PLAN_KEY")
    .addOption(new Option("--markdown", "prints it for a pull request, with the whole plan").conflicts("json"))
    .option("--json", "prints it for machines")
    .explanation("\nExits with 0 when it is safe, with 2 when something stateful would be lost, with 1 on errors.")
    .examples(
      "offline-inference diff inference-dev",
      "offline-inference diff inference-dev --allow-destroy aws_sqs_queue.old",
      "offline-inference diff inference-prod --save plan.bin",
    )
    .action(async (stack: string, options: DiffOptions) => {
      if (!(await diff(stack, options))) process.exitCode = 2;
    });
