import { type StdioOptions, spawnSync } from "node:child_process";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Where the state of the state stack is until its bucket exists: beside package.json, where no synth deletes it. */
const localState = "terraform.state.tfstate";
const folder = join("cdktf.out", "stacks", "state");
const override = join(folder, "bootstrap_override.tf.json");

/**
 * Deploys the state stack. The first time, its bucket does not exist yet: Terraform makes it with a state in a local
 * file, which is then moved into the bucket. May be run again at any time, also after an interruption.
 */
function bootstrap(approval: string[]) {
  rmSync(override, { force: true });
  const movesState = existsSync(localState) || !bucketExists();
  if (movesState) {
    console.error(`The state bucket does not exist yet: its state is in ${localState} until it does.`);
    const backend = { terraform: { backend: { local: { path: join(process.cwd(), localState) } } } };
    writeFileSync(override, JSON.stringify(backend));
    terraform("init", "-input=false", "-reconfigure");
  }
  terraform("apply", ...approval);
  if (movesState) {
    rmSync(override);
    terraform("init", "-input=false", "-migrate-state", "-force-copy");
    rmSync(localState);
    rmSync(`${localState}.backup`, { force: true });
  }
  console.error("The state bucket is ready, and keeps the state of the stack that made it.");
}

/** Whether Terraform reaches the bucket. Whatever else stops it is shown, and is no reason to make one. */
function bucketExists(): boolean {
  const { status, stderr } = run(["init", "-input=false", "-reconfigure", "-no-color"], ["inherit", "ignore", "pipe"]);
  if (status === 0) return true;
  if (/does not exist|NoSuchBucket/.test(String(stderr))) return false;
  throw new Error(`The state bucket could not be looked for:\n${stderr}`);
}

/** Runs Terraform, which says itself why where it fails. */
function terraform(...args: string[]) {
  if (run(args, "inherit").status !== 0) throw new Error(`terraform ${args[0]} failed. Mend that and run this again.`);
}

function run(args: string[], stdio: StdioOptions) {
  const result = spawnSync(process.env.TERRAFORM_BINARY_NAME ?? "terraform", args, { cwd: folder, stdio });
  if (result.error) throw new Error(`Terraform could not be started (${result.error.message}). Is it in PATH?`);
  return result;
}

try {
  bootstrap(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
