import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { loadConfig } from "../../config";
import { configText, settingsOf } from "../../config/starter";

/** What the team says of itself whose checkouts are deployed: the original's. */
const answers = {
  project: "ai-deployment-bootcamp",
  owner: "test@test.com",
  prefix: "poc",
  region: "us-east-1",
  stateBucket: "sagemaker-endpoint-deploy-tf-state-vector",
};

/** Its config.ts. */
export const teamConfigText = configText(answers);

/** What that says. */
export const teamConfig = loadConfig(settingsOf(answers), {});

/** What a clone does not have, and what no command reads. */
const left = [".git", ".local", ".venv", "__tests__", "cdktf.out", "coverage", "dist", "node_modules"];

/** How a command ended, and how long it took. */
export interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
}

/** A checkout of its own, as a user has it after `npm ci`, in a shell where a moto, say, is AWS. */
export class Checkout {
  private constructor(
    readonly folder: string,
    private readonly environment: Record<string, string | undefined>,
  ) {}

  /** @param aws what a process needs to take something for AWS */
  static async on(aws: { readonly environment: Record<string, string | undefined> }): Promise<Checkout> {
    const folder = await mkdtemp(join(tmpdir(), "checkout-"));
    const filter = (path: string) => !left.includes(relative(resolve(), path));
    await cp(resolve(), folder, { recursive: true, filter });
    await symlink(resolve("node_modules"), join(folder, "node_modules"));
    await mkdir(resolve(".venv"), { recursive: true });
    await symlink(resolve(".venv"), join(folder, ".venv")); // PyTorch is large
    await writeFile(join(folder, "config.ts"), teamConfigText);
    await writeFile(join(folder, "releases.json"), "{}\n"); // a test releases what it likes
    return new Checkout(folder, aws.environment);
  }

  /** The same checkout in a shell with other variables besides. */
  with(variables: Record<string, string | undefined>): Checkout {
    return new Checkout(this.folder, { ...this.environment, ...variables });
  }

  /** Runs a command in the checkout, or in a folder of it, whatever it ends with. */
  async run(command: string, args: string[], within = "."): Promise<Outcome> {
    const begin = performance.now();
    const child = spawn(command, args, {
      cwd: join(this.folder, within),
      env: this.environment,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const said = { stdout: "", stderr: "" };
    for (const stream of ["stdout", "stderr"] as const) {
      child[stream].setEncoding("utf8").on("data", (chunk: string) => {
        said[stream] += chunk;
      });
    }
    const [status] = await once(child, "close");
    return { status, ...said, seconds: Math.round((performance.now() - begin) / 1000) };
  }

  /** The program of this project: `offline-inference ...`. */
  cli(...args: string[]) {
    return this.run(process.execPath, ["cli/offline-inference.mjs", ...args]);
  }

  /** The cdktf CLI: `npx cdktf ...`. */
  cdktf(...args: string[]) {
    return this.run("node_modules/.bin/cdktf", args);
  }

  /** Terraform in the folder of a synthesized stack. */
  terraform(stack: string, ...args: string[]) {
    return this.run("terraform", args, join("cdktf.out", "stacks", stack));
  }

  remove(): Promise<void> {
    return rm(this.folder, { recursive: true, force: true });
  }
}
