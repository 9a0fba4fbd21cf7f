import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { createServer } from "node:net";
import { availableParallelism, tmpdir } from "node:os";
import { basename, delimiter, dirname, join, resolve } from "node:path";
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";
import { z } from "zod";
import { containerEnvironment, processesOn } from "../aws/model-kinds";
import { Log, longestStartSeconds } from "../local/model-server";
import type { StandIn } from "../local/stand-in";

const run = promisify(execFile);
const program = resolve("bench", "model", "toolkit.py");

/** Whether a Python has AWS's serving stack, which needs Java too. */
export const hasToolkit = (python: string): Promise<boolean> =>
  run(python, ["-c", "import sagemaker_pytorch_serving_container, torch, ts"], { env: process.env }).then(
    () => true,
    () => false,
  );

/**
 * Serves an unpacked archive by AWS's own stack, told what a container on a CPU like this machine's is.
 * @param python has the stack, with its programs beside it
 * @throws when it is not ready in time, with the end of its log
 */
export async function startToolkit(
  modelDir: string,
  python: string,
  environment: Readonly<Record<string, string>>,
): Promise<StandIn> {
  const base = await mkdtemp(join(tmpdir(), "bench-toolkit-"));
  const log = new Log(() => {});
  await symlink(resolve(modelDir), join(base, "model"));
  const port = await freePort();
  const server = spawn(python, [program], {
    cwd: base,
    env: {
      ...process.env,
      PATH: [...(basename(python) === python ? [] : [dirname(resolve(python))]), process.env.PATH].join(delimiter),
      ...containerEnvironment("us-east-1"),
      ...processesOn({ family: "cpu", vCpus: availableParallelism() }),
      ...environment,
      SAGEMAKER_BASE_DIR: base,
      SAGEMAKER_SUBMIT_DIRECTORY: join(base, "model", "code"),
      SAGEMAKER_BIND_TO_PORT: String(port),
      TEMP: base,
      LOG_LOCATION: base,
      METRICS_LOCATION: base,
    },
    detached: true, // with TorchServe and its workers it is a group, which ends as one
    stdio: ["ignore", "pipe", "pipe"],
  });
  const closed = once(server, "close");
  for (const said of [server.stdout, server.stderr]) said.setEncoding("utf8").on("data", log.hear);
  const stop = async () => {
    try {
      if (server.pid !== undefined) process.kill(-server.pid, "SIGKILL");
    } catch {
      // it has ended
    }
    await closed;
    await rm(base, { recursive: true, force: true });
  };
  const url = `http://127.0.0.1:${port}`;
  const end = Date.now() + longestStartSeconds * 1000;
  while (server.exitCode === null && Date.now() < end) {
    if (
      await fetch(`${url}/ping`)
        .then(({ ok }) => ok)
        .catch(() => false)
    )
      return { url, stop };
    await setTimeout(500);
  }
  await stop();
  throw new Error(`AWS's serving stack did not start.${log.end}`);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = z.object({ port: z.number() }).parse(server.address());
  server.close();
  await once(server, "close");
  return port;
}
