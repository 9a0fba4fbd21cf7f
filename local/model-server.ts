import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { extract } from "tar";
import { z } from "zod";
import { pythonWith } from "./python";
import type { StandIn } from "./stand-in";

const program = resolve("model");
const ready = z.object({ url: z.url() });

export interface ModelServerOptions {
  /** The folder of an unpacked archive, with `code/inference.py`. */
  readonly modelDir: string;
  /** Processes that hold the model. @default one for each core */
  readonly workers?: number;
}

/**
 * Serves a model as SageMaker's container would, with the code of its own archive: `POST <url>/invocations`. What that
 * code prints goes to standard error.
 * @throws when the model cannot be loaded, with what the server said
 */
export async function startModelServer({ modelDir, workers }: ModelServerOptions): Promise<StandIn> {
  const args = [join(program, "serve.py"), "--model-dir", modelDir, "--port", "0"];
  if (workers !== undefined) args.push("--workers", String(workers));
  const server = spawn(await modelPython(), args, {
    detached: true, // Ctrl-C in a terminal reaches only this process, which stops the server in order
    stdio: ["pipe", "pipe", "pipe"],
  });
  const closed = once(server, "close");
  let said = "";
  const hear = (text: string) => {
    said += text;
  };
  server.stderr.setEncoding("utf8").on("data", hear);
  const [line] = await Promise.race([
    once(createInterface(server.stdout), "line"),
    closed.then(() => {
      throw new Error(`The model could not be served. ${said.trim()}`);
    }),
  ]);
  process.stderr.write(said);
  server.stderr.off("data", hear).pipe(process.stderr, { end: false });
  return {
    url: ready.parse(JSON.parse(String(line))).url,
    stop: async () => {
      server.stdin.end();
      await closed;
    },
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

/**
 * The Python of a virtual environment that holds just what model/requirements.lock says, made the first time: PyTorch
 * is large. Says so on standard error.
 * @throws when there is no Python 3 in PATH, or what is needed cannot be installed
 */
export async function modelPython(): Promise<string> {
  const talk = "Installing PyTorch and what else the model needs in .venv (once; a minute or more) ...";
  try {
    return await pythonWith("model", join(program, "requirements.lock"), talk);
  } catch (error) {
    throw notInstalled(error);
  }
}

const failure = z.object({ code: z.unknown(), stderr: z.string().default("") });

function notInstalled(error: unknown): Error {
  const { code, stderr } = failure.parse(error);
  if (code === "ENOENT") return new Error("The model needs Python 3.11 or newer as python3 in PATH.");
  return new Error(`What the model needs (model/requirements.lock) could not be installed. ${stderr.trim()}`);
}
