import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "../shared/command";
import { bundle, synthesize } from "../shared/synthesize";
import { runTerraform, stackFolder, terraform } from "../shared/terraform";

/** Where the state of the state stack is until its bucket exists: beside package.json, where no synth deletes it. */
export const localState = "terraform.state.tfstate";

/**
 * Deploys the state stack. The first time, its bucket does not exist yet: Terraform makes it with a state in a local
 * file, which is then moved into the bucket. May be run again at any time, also after an interruption.
 */
async function bootstrap(approval: string[]) {
  const folder = stackFolder("state");
  const override = join(folder, "bootstrap_override.tf.json");
  rmSync(override, { force: true });
  const movesState = existsSync(localState) || !(await bucketExists(folder));
  if (movesState) {
    console.error(`The state bucket does not exist yet: its state is in ${localState} until it does.`);
    const backend = { terraform: { backend: { local: { path: join(process.cwd(), localState) } } } };
    writeFileSync(override, JSON.stringify(backend));
    await terraform(folder, ["init", "-input=false", "-reconfigure"], "show");
  }
  await terraform(folder, ["apply", ...approval], "show");
  if (movesState) {
    rmSync(override);
    await terraform(folder, ["init", "-input=false", "-migrate-state", "-force-copy"], "show");
    rmSync(localState);
    rmSync(`${localState}.backup`, { force: true });
  }
  console.error("The state bucket is ready, and keeps the state of the stack that made it.");
}

/** Whether Terraform reaches the bucket. Whatever else stops it is shown, and is no reason to make one. */
export async function bucketExists(folder: string): Promise<boolean> {
  const init = ["init", "-input=false", "-reconfigure", "-no-color"];
  const { status, stderr } = await runTerraform(folder, init, "capture");
  if (status === 0) return true;
  if (/does not exist|NoSuchBucket/.test(stderr)) return false;
  throw new Error(`The state bucket could not be looked for:\n${stderr}`);
}

export const bootstrapCommand = () =>
  new Command("bootstrap")
    .description("Makes the buckets for Terraform's state and for models, then keeps its own state there.")
    .option("--auto-approve", "do not ask before anything is made")
    .explanation(
      "\nMay be run again at any time, also after an interruption. Terraform asks before it makes or changes anything. Exits\n" +
        "with 1, with nothing made, when the name of a bucket is taken by one that it has not made.",
    )
    .examples("offline-inference bootstrap", "offline-inference bootstrap --auto-approve")
    .action(async ({ autoApprove }: { autoApprove?: true }) => {
      await bundle();
      await synthesize(["--deployable"]);
      const { loadConfig } = await import("../../config");
      const { refuseTakenNames } = await import("./taken-names");
      await refuseTakenNames(loadConfig(), localState);
      await bootstrap(autoApprove ? ["-auto-approve"] : []);
    });
