import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { stripVTControlCharacters } from "node:util";
import { z } from "zod";

/** How a command ended. */
export interface Ran {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly endedAt: number;
}

const variables = z.record(z.string(), z.string());

/**
 * What the commands that work with the pipeline are told. `SMOKE_PIPELINE` names a file of variables that take the place
 * of all `AWS_…`, where the pipeline is not what was deployed: of stand-ins for AWS, one deploys and another one answers.
 */
function environmentOf(asks: boolean): NodeJS.ProcessEnv {
  const file = process.env.SMOKE_PIPELINE;
  if (!asks || file === undefined) return process.env;
  const others = Object.entries(process.env).filter(([name]) => !name.startsWith("AWS_"));
  return { ...Object.fromEntries(others), ...variables.parse(JSON.parse(readFileSync(file, "utf8"))) };
}

/** Whether anything but AWS answers. */
export const onStandIns = () =>
  Object.keys(process.env).some((name) => name === "SMOKE_PIPELINE" || name.startsWith("AWS_ENDPOINT_URL"));

export interface RunOptions {
  readonly folder: string;
  /** The file that all it prints is written to, as it comes. */
  readonly log: string;
  readonly asks?: boolean;
  /** @default at once */
  readonly afterSeconds?: number;
  readonly signal?: AbortSignal;
}

/**
 * Runs a program of Node's in a folder, whatever it ends with. Ctrl-C at the terminal reaches it by itself, and it puts
 * its things in order; SIGTERM is passed on.
 */
export async function runNode(args: readonly string[], options: RunOptions): Promise<Ran> {
  const { folder, log, asks = false, afterSeconds = 0, signal } = options;
  if (afterSeconds > 0) await setTimeout(1_000 * afterSeconds, undefined, { signal });
  signal?.throwIfAborted();
  appendFileSync(log, `> ${args.join(" ")}\n`, { mode: 0o600 });
  const env = { ...environmentOf(asks), OFFLINE_INFERENCE_ENV: undefined }; // it would name one of the team's
  const child = spawn(process.execPath, args, { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
  const said = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].setEncoding("utf8").on("data", (chunk: string) => {
      said[stream] += chunk;
      appendFileSync(log, chunk);
    });
  }
  const pass = () => child.kill("SIGTERM");
  process.on("SIGTERM", pass);
  const [status] = await once(child, "close").finally(() => process.off("SIGTERM", pass));
  return { status: typeof status === "number" ? status : 1, ...said, endedAt: Date.now() };
}

/** Runs `offline-inference ...` in a checkout. */
export const runProgram = (args: readonly string[], options: RunOptions): Promise<Ran> =>
  runNode(["cli/offline-inference.mjs", ...args], options);

/** The last lines that a command printed. */
export const endOf = ({ stdout, stderr }: Ran, lines = 12): string =>
  stripVTControlCharacters(`${stdout}${stderr}`).trimEnd().split("\n").slice(-lines).join("\n");
