import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { teamConfigText } from "../setup/checkout";
import { environment, type HeldResource, stateOf } from "./terraform";

/** Stands for main.ts: the stack is what a test has written into stack.json, its bundle what lies in code/. */
const synthesizer = `
  import { copyFileSync, cpSync, mkdirSync, writeFileSync } from "node:fs";
  const folder = "cdktf.out/stacks/tiny";
  mkdirSync(folder, { recursive: true });
  copyFileSync("stack.json", folder + "/cdk.tf.json");
  cpSync("code", folder + "/code", { recursive: true });
  writeFileSync("arguments", process.argv.slice(2).join(" "));
`;

/** Runs a program as at a terminal, with what is written to it typed there. */
export const atTerminal = ["python3", "-c", "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)"];

/** A checkout of its own, in which the command line is run as a process, and its stacks keep their state in a file. */
export class Checkout {
  private constructor(readonly folder: string) {}

  /** With one small stack, `tiny`, that needs no AWS. */
  static async withTinyStack(): Promise<Checkout> {
    const checkout = new Checkout(await mkdtemp(join(tmpdir(), "checkout-")));
    await checkout.link("node_modules", "package.json", "cli");
    await mkdir(join(checkout.folder, "scripts"));
    await mkdir(join(checkout.folder, "code"));
    await writeFile(join(checkout.folder, "scripts", "build.mjs"), "");
    await writeFile(join(checkout.folder, "main.ts"), synthesizer);
    return checkout;
  }

  /** With the project's own stacks. */
  static async ofProject(): Promise<Checkout> {
    const checkout = new Checkout(await mkdtemp(join(tmpdir(), "checkout-")));
    await checkout.link("node_modules", "package.json", "cdktf.json", "cli", "scripts", "lambda-src");
    // What main.ts reads is copied: of a link it would be the shipped config.ts, which is never deployed.
    for (const name of ["main.ts", "aws", "config", "constructs", "contract", "stacks"]) {
      await cp(resolve(name), checkout.path(name), { recursive: true });
    }
    await writeFile(checkout.path("config.ts"), teamConfigText);
    return checkout;
  }

  private async link(...names: string[]) {
    for (const name of names) await symlink(resolve(name), this.path(name));
  }

  path(...names: string[]): string {
    return join(this.folder, ...names);
  }

  /** Where a stack of this checkout keeps its state. */
  state(stack: string): string {
    return this.path(`${stack}.tfstate`);
  }

  /** Says what is in the small stack: its resources, and what else there is. */
  async write(
    resource: Record<string, Record<string, unknown>>,
    rest: Record<string, unknown> = {},
    state = this.state("tiny"),
  ) {
    const terraform = { backend: { local: { path: state } } };
    await writeFile(this.path("stack.json"), JSON.stringify({ terraform, resource, ...rest }));
  }

  /** Gives a stack a state in a file, which holds these resources of AWS. */
  async holdState(stack: string, resources: HeldResource[]) {
    const folder = this.path("cdktf.out", "stacks", stack);
    await mkdir(folder, { recursive: true });
    const backend = { terraform: { backend: { local: { path: this.state(stack) } } } };
    await writeFile(join(folder, "backend_override.tf.json"), JSON.stringify(backend)); // no synth deletes it
    await writeFile(this.state(stack), stateOf(resources));
  }

  /** Starts the command line. `above` goes above the usual environment; `on` is what it is run by, node otherwise. */
  start(args: string[], above: Record<string, string> = {}, on: string[] = []) {
    const [program = "", ...rest] = [...on, process.execPath, "cli/offline-inference.mjs", ...args];
    const child = spawn(program, rest, { cwd: this.folder, env: { ...environment, ...above } });
    const said = { stdout: "", stderr: "" };
    for (const stream of ["stdout", "stderr"] as const) {
      child[stream].setEncoding("utf8").on("data", (chunk: string) => {
        said[stream] += chunk;
      });
    }
    const ended = once(child, "close").then(([status]) => ({ status, ...said }));
    if (on.length === 0) child.stdin.end();
    return { child, said, ended };
  }

  run(...args: string[]) {
    return this.start(args).ended;
  }

  /** Plan files that lie about in the clear. */
  async plansLeft(): Promise<string[]> {
    const folder = this.path("cdktf.out");
    if (!existsSync(folder)) return [];
    const found = await readdir(folder, { recursive: true });
    return found.filter((path) => /(^|\/)plan(-|$)/.test(path));
  }

  remove(): Promise<void> {
    return rm(this.folder, { recursive: true, force: true });
  }
}

/** A resource that Terraform itself keeps, with an input of its own. */
export const thing = (input: unknown, more: Record<string, unknown> = {}) => ({ input, ...more });
