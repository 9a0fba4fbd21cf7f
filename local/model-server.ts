import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { extract } from "tar";
import { z } from "zod";
import type { Machine } from "../aws/instance-types";
import { processesOn } from "../aws/model-kinds";
import { pythonWith } from "./python";
import type { StandIn } from "./stand-in";

const program = resolve("model");

/** What a container would find here. */
const thisMachine: Machine = { family: "cpu", vCpus: availableParallelism() };

const ready = z.object({ url: z.url() });

/**
 * How long SageMaker waits for a container to be ready
 * (https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html). To load a model takes long.
 */
export const longestStartSeconds = 480;

/** What the end of a log is: enough for a Python traceback. */
const lastLines = 20;

/** What a process says, of which the end is kept. */
export class Log {
  private text = "";

  /** @param write gets all of it. @default standard error does */
  constructor(private readonly write: (text: string) => void = (text) => process.stderr.write(text)) {}

  readonly hear = (text: string) => {
    this.text = (this.text + text).slice(-20_000);
    this.write(text);
  };

  /** ` Its log ends:` and the last lines; "" where nothing was said. */
  get end(): string {
    const lines = this.text.trim().split("\n").slice(-lastLines);
    return lines.join("\n") === "" ? "" : ` Its log ends:\n${lines.map((line) => `  ${line}`).join("\n")}`;
  }
}

export interface ModelServerOptions {
  /** The folder of an unpacked archive, with `code/inference.py`. */
  readonly modelDir: string;
  /** Environment variables that are added to those of its container, and go before them. @default none */
  readonly environment?: Readonly<Record<string, string>>;
  /** Gets what the model's code prints. @default standard error does */
  readonly log?: Log;
  /** Ends the start, as {@link longestStartSeconds} do. */
  readonly signal?: AbortSignal;
}

/** A model that is served. */
export interface ModelServer extends StandIn {
  /** Comes true, with how its log ends, when it ends without having been stopped. */
  readonly died: Promise<string>;
}

/**
 * Serves a model as SageMaker's container would on a CPU like this machine's, with the code of its own archive:
 * `POST <url>/invocations`.
 * @throws when the model cannot be loaded, with the last lines of its log
 */
export async function startModelServer(options: ModelServerOptions): Promise<ModelServer> {
  const { modelDir, environment, log = new Log() } = options;
  const tooLong = AbortSignal.timeout(longestStartSeconds * 1000);
  const signal = AbortSignal.any([tooLong, ...(options.signal ? [options.signal] : [])]);
  const args = [join(program, "serve.py"), "--model-dir", modelDir, "--port", "0"];
  const server = spawn(await archivePython(modelDir), args, {
    env: { ...process.env, ...processesOn(thisMachine), ...environment, SERVE_PREFIX: `/${randomUUID()}` },
    detached: true, // Ctrl-C in a terminal reaches only this process, which stops the server in order
    stdio: ["pipe", "pipe", "pipe"],
  });
  const closed = once(server, "close");
  server.stderr.setEncoding("utf8").on("data", log.hear);
  server.stdin.on("error", () => {}); // it has ended, and that is told
  let stopping = false;
  const stop = async () => {
    stopping = true;
    server.stdin.end();
    await closed;
  };
  const kill = () => {
    try {
      if (server.pid !== undefined) process.kill(-server.pid, "SIGKILL"); // its workers too
    } catch {
      // it has ended
    }
  };
  signal.addEventListener("abort", kill);
  const missing = once(server, "error").then(() => {
    throw new Error(noPython);
  });
  const [line] = await Promise.race([
    missing,
    once(createInterface(server.stdout), "line"),
    closed.then(() => {
      if (options.signal?.aborted) throw options.signal.reason;
      const silence = tooLong.aborted ? ` It was not ready after ${longestStartSeconds} seconds.` : "";
      throw new Error(`The model could not be served.${silence}${log.end}`);
    }),
  ]).finally(() => signal.removeEventListener("abort", kill));
  return {
    url: ready.parse(JSON.parse(String(line))).url,
    died: closed.then(() => (stopping ? new Promise<string>(() => {}) : `The model has ended.${log.end}`)),
    stop,
  };
}

/**
 * Unpacks a model's archive, a `.tar.gz`, into a new folder.
 * @returns the folder, which is the caller's to remove
 * @throws when it is no whole archive
 */
export async function unpackArchive(file: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "model-"));
  await extract({ file, cwd: folder, strict: true }).catch(async (error: Error) => {
    await rm(folder, { recursive: true });
    throw new Error(`${file} could not be unpacked (${error.message})`);
  });
  return folder;
}

/** What model/requirements.lock is for. */
const importsOfLock = /^\s*(import|from)\s+(torch|transformers|tokenizers)\b/m;

/** What an archive needs on this machine alone, since its image has it. The container reads no file of that name. */
const localRequirements = "requirements.local.txt";

/**
 * The Python that runs an archive's code: of a virtual environment with what its `requirements.local.txt` or
 * `code/requirements.txt` says, or, where it has none and its code imports PyTorch, with model/requirements.lock. Any other
 * code has Python's own library.
 */
export async function archivePython(modelDir: string): Promise<string> {
  const code = join(modelDir, "code");
  for (const requirements of [join(modelDir, localRequirements), join(code, "requirements.txt")]) {
    if (!existsSync(requirements) || readFileSync(requirements, "utf8").trim() === "") continue;
    return installed("archive", requirements, `Installing what ${requirements} says in .venv (once) ...`);
  }
  const files = existsSync(code) ? readdirSync(code).filter((name) => name.endsWith(".py")) : [];
  const needsLock = files.some((name) => importsOfLock.test(readFileSync(join(code, name), "utf8")));
  return needsLock ? modelPython() : "python3";
}

/**
 * The Python of a virtual environment that holds just what model/requirements.lock says, made the first time: PyTorch
 * is large. Says so on standard error.
 * @throws when there is no Python 3 in PATH, or what is needed cannot be installed
 */
export const modelPython = () =>
  installed(
    "model",
    join(program, "requirements.lock"),
    "Installing PyTorch and what else the model needs in .venv (once; a minute or more) ...",
  );

const failure = z.object({ code: z.unknown(), stderr: z.string().default("") });

async function installed(name: string, requirements: string, talk: string): Promise<string> {
  try {
    return await pythonWith(name, requirements, talk);
  } catch (error) {
    const { code, stderr } = failure.parse(error);
    if (code === "ENOENT") throw new Error(noPython);
    throw new Error(`What the model needs (${requirements}) could not be installed. ${stderr.trim()}`);
  }
}

const noPython = "The model needs Python 3.11 or newer as python3 in PATH.";
