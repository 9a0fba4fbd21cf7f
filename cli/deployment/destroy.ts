import { ask, mustBeAskable } from "../shared/asking";
import { showsColours } from "../shared/colours";
import { Command } from "../shared/command";
import { counted } from "../shared/numbers";
import { commandsFor } from "../shared/options";
import type { AnswersBucket } from "./answers-bucket";
import type { ClusterAccess } from "./cluster";

/**
 * Plans the destruction of a stack, asks, loads what is staged, empties the answers bucket, and applies that very plan.
 * @returns false, with nothing destroyed, where outcomes would be lost
 */
async function destroy(stack: string, autoApprove = false): Promise<boolean> {
  const { name, answersBucket, pause, warehouse } = await destructible(stack);
  if (!autoApprove) mustBeAskable();
  const { readStack } = await import("../../local/terraform");
  const { loadStaged } = await import("./canary");
  const { AnswersBucket } = await import("./answers-bucket");
  const { attributesIn, holdingsOf, keptOf } = await import("./holdings");
  const { applyPlan, reviewOf, withDestructionPlan } = await import("./planning");
  const { destructionTextOf } = await import("./review-text");
  let left = "Nothing was destroyed.";
  const goesOn = `\`${commandsFor({})(`destroy ${stack}`)}\` goes on with what is left.`;
  try {
    return await withDestructionPlan(stack, async (made) => {
      const { signal } = made;
      const review = await reviewOf(made, []);
      const { plan } = review;
      if (plan.isEmpty) {
        console.error("There is nothing to destroy.");
        return true;
      }
      const { region, profile } = readStack(made.folder);
      const holdings = await holdingsOf(plan, answersBucket, { region, profile }, { signal });
      const said = { holdings, kept: keptOf(plan, answersBucket) };
      console.log(destructionTextOf(review, said, showsColours(process.stdout)));
      if (!autoApprove && (await ask(`To destroy all of it, type ${stack}: `, signal)) !== stack) {
        throw new Error(`That is not ${stack}.`);
      }

      if (attributesIn(plan, "aws_s3_bucket", "bucket").includes(answersBucket)) {
        const [functionName] = attributesIn(plan, "aws_scheduler_schedule", "name"); // the loader has the same one
        const loader = functionName === undefined ? undefined : { functionName, region, profile };
        const bucket = new AnswersBucket({ bucket: answersBucket, region, profile });
        try {
          // A paused cluster loads nothing, leaves no last snapshot, and cannot be deleted.
          const { clusterIdentifier: cluster, hours } = warehouse;
          if (cluster !== undefined && (pause ?? hours)) await resumeCluster(cluster, { region, profile }, signal);
          const failure = loader && (await loadStaged(loader, { signal }));
          if (!(await isAllLoaded(bucket, failure, signal))) return false;
          left = `${answersBucket} has lost old versions, and what needs no loading. Nothing else was destroyed. ${goesOn}`;
          await empty(bucket, signal);
          if (!(await isAllLoaded(bucket, "It was staged meanwhile: the workers still answer.", signal))) return false;
        } finally {
          bucket.close();
        }
      }
      left = `What Terraform says is destroyed is gone. ${goesOn}`;
      await applyPlan(made);
      if (pause) (await import("../../config/paused")).forgetPause(name);
      return true;
    });
  } catch (error) {
    console.error(left);
    throw error;
  }
}

/** The environment of a stack. @throws where its stack is not to be destroyed, with what else there is to do */
async function destructible(stack: string) {
  const { loadConfig } = await import("../../config");
  const environments = Object.values(loadConfig().environments);
  const found = environments.find(({ name }) => stack === `inference-${name}`);
  if (found?.preventDestroy) {
    throw new Error(
      `\`environments.${found.name}.preventDestroy\` in config.ts is true: nothing was destroyed. To destroy it all the same, set it to false, deploy that, and run this again.`,
    );
  }
  if (found) return found;
  const names = environments.map(({ name }) => `inference-${name}`).join(", ");
  throw new Error(
    stack === "state"
      ? `The stack state keeps the states of all others, and is not destroyed here: Terraform refuses to. This destroys ${names}.`
      : `${stack} is no stack of an environment: those are ${names}. Destroy another one by: npx cdktf destroy ${stack}`,
  );
}

async function resumeCluster(name: string, as: ClusterAccess, signal: AbortSignal) {
  const { Cluster } = await import("./cluster");
  const cluster = new Cluster(name, as);
  await cluster.resume({ signal }).finally(() => cluster.close());
}

/**
 * Says what holds outcomes that are nowhere else, and what to do about it.
 * @param why what may be the reason @default it is not known
 */
async function isAllLoaded(bucket: AnswersBucket, why: string | undefined, signal: AbortSignal): Promise<boolean> {
  const { folders } = await import("../../contract/answers-bucket");
  const staged = await bucket.look(folders.staged, { signal });
  const rejected = await bucket.look(folders.rejected, { signal });
  const lines = [
    ...linesOf(bucket, folders.staged, staged, [
      ...(staged.newer > 0 ? [`A newer version of this project wrote ${staged.newer} of them, and loads them.`] : []),
      ...(why === undefined ? [] : [why]),
    ]),
    ...linesOf(bucket, folders.rejected, rejected, [
      "The loader has set them aside, since the warehouse refuses their data: its log names each.",
    ]),
  ];
  if (lines.length === 0) return true;
  console.error([...lines, "Nothing of the stack was destroyed."].join("\n"));
  return false;
}

function linesOf(
  { name }: AnswersBucket,
  folder: string,
  { objects, oldest }: { readonly objects: number; readonly oldest?: Date },
  why: readonly string[],
): string[] {
  if (objects === 0) return [];
  const url = `s3://${name}/${folder}`;
  return [
    `${url} holds ${counted(objects, "object")} with answers and failures that are in no table; the oldest is of ${oldest?.toISOString()}.`,
    ...why.map((line) => `  ${line}`),
    `  To keep them: aws s3 cp --recursive ${url} FOLDER. To let them go: aws s3 rm --recursive ${url}`,
  ];
}

async function empty(bucket: AnswersBucket, signal: AbortSignal) {
  console.error(`Emptying ${bucket.name} ...`);
  await bucket.empty((count) => console.error(`${count.toLocaleString("en")} versions are deleted ...`), { signal });
}

export const destroyCommand = () =>
  new Command("destroy")
    .description("Destroys a stack of an environment, with all it holds, once all answers are loaded.")
    .argument("<stack>", "the stack of an environment of config.ts, such as inference-dev")
    .option("--auto-approve", "do not ask for the stack's name before anything is destroyed")
    .explanation(
      [
        "\nIt says first what is lost and what of it is kept. The loader loads what is staged before anything goes. The answers",
        "bucket is emptied, with all old versions, and then Terraform applies the plan that was shown.",
        "\nExits with 2, and destroys nothing, when outcomes are left that are in no table; with 1 on errors, and where",
        "`preventDestroy` is true.",
      ].join("\n"),
    )
    .examples("offline-inference destroy inference-dev")
    .action(async (stack: string, { autoApprove }: { autoApprove?: true }) => {
      if (!(await destroy(stack, autoApprove))) process.exitCode = 2;
    });
