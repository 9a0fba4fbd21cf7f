import { spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";

const launcher = resolve("cli/offline-inference.mjs");

/** How the program is run. */
export interface ProgramOptions {
  /** Variables above this process's own; undefined takes one away. */
  readonly environment?: Record<string, string | undefined>;
  /** The folder that it is run in. @default the checkout */
  readonly folder?: string;
  /** What runs it, as `atTerminal` does. @default it is run by itself */
  readonly on?: readonly string[];
  /** What it reads. @default nothing */
  readonly input?: string;
}

/** How it ended: with a status, or by a signal. */
export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program as at a terminal, with what is written to it typed there: both of its outputs are standard output. */
export const atTerminal = ["python3", "-c", "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)"];

/** Starts `offline-inference ...` as a process. */
export function startProgram(args: readonly string[], options: ProgramOptions = {}) {
  const { environment = {}, folder, on = [], input = "" } = options;
  const [command = "", ...rest] = [...on, process.execPath, launcher, ...args];
  const child = spawn(command, rest, { cwd: folder, env: { ...process.env, ...environment } });
  const said = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].setEncoding("utf8").on("data", (chunk: string) => {
      said[stream] += chunk;
    });
  }
  if (on.length === 0) child.stdin.on("error", () => {}).end(input);
  const closed = once(child, "close");
  const ended: Promise<Ended> = closed.then(([status, signal]) => ({ status, signal, ...said }));
  return {
    child,
    ended,
    /** Waits until a stream holds `text`. @throws when it ends without */
    printed: async (stream: "stdout" | "stderr", text: string) => {
      while (!said[stream].includes(text)) {
        const more = await Promise.race([once(child[stream], "data"), closed.then(() => undefined)]);
        if (more === undefined) throw new Error(`it ended without printing "${text}": ${said.stdout}${said.stderr}`);
      }
    },
  };
}

/** Runs `offline-inference ...` and says how it ended. */
export const runProgram = (args: readonly string[], options?: ProgramOptions): Promise<Ended> =>
  startProgram(args, options).ended;
