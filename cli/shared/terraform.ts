import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

const stacks = join("cdktf.out", "stacks");

/** The environment that a stack is of. */
export const environmentOf = (stack: string) => stack.replace(/^inference-/, "");

/**
 * The folder of a synthesized stack, in which Terraform is run.
 * @throws when there is no such stack, with those that there are
 */
export function stackFolder(stack: string): string {
  const folder = join(stacks, stack);
  if (existsSync(join(folder, "cdk.tf.json"))) return folder;
  throw new Error(`There is no stack "${stack}". The stacks of config.ts: ${stackNames().join(", ") || "none"}`);
}

/** The names of the synthesized stacks. */
export const stackNames = () => (existsSync(stacks) ? readdirSync(stacks).sort() : []);

export interface TerraformResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs Terraform in a folder, whatever it ends with.
 * @param output `show` lets it talk to the terminal, to standard error; `capture` keeps what it says
 * @param input what it reads, where it does not show: a secret need not become a file
 * @throws when it cannot be started
 */
export async function runTerraform(
  folder: string,
  args: readonly string[],
  output: "show" | "capture",
  input = "",
): Promise<TerraformResult> {
  const binary = process.env.TERRAFORM_BINARY_NAME ?? "terraform"; // as the cdktf CLI names it
  const stdio = output === "show" ? (["inherit", 2, "inherit"] as const) : (["pipe", "pipe", "pipe"] as const);
  const child = spawn(binary, args, { cwd: folder, stdio: [...stdio] });
  child.stdin?.on("error", () => {}).end(input); // one that ends before it has read says why
  const said = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream]?.setEncoding("utf8").on("data", (chunk: string) => {
      said[stream] += chunk;
    });
  }
  const pass = () => child.kill("SIGTERM"); // Ctrl-C reaches it by itself, and twice would end it without its state
  process.on("SIGTERM", pass);
  const [status] = await once(child, "close")
    .catch((error: Error) => {
      throw new Error(`Terraform could not be started (${error.message}). Is it in PATH?`);
    })
    .finally(() => process.off("SIGTERM", pass));
  return { status: typeof status === "number" ? status : 1, ...said };
}

/**
 * Runs Terraform in a folder and gives what it wrote to standard output.
 * @throws with what it said, when it fails
 */
export async function terraform(
  folder: string,
  args: readonly string[],
  output: "show" | "capture" = "capture",
  input?: string,
) {
  const { status, stdout, stderr } = await runTerraform(folder, args, output, input);
  if (status === 0) return stdout;
  const said = output === "show" ? "It says why above." : stderr.trim();
  throw new Error(`terraform ${args[0]} failed. ${said}`);
}
