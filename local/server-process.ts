import { fork } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { z } from "zod";

const message = z.union([z.object({ address: z.string() }), z.object({ error: z.string() })]);

export interface ServerProcess {
  /** Where it is reached, as the script says it. */
  readonly address: string;
  /** Ends it, and waits until it has ended. */
  stop(): Promise<void>;
}

export interface ServerProcessOptions {
  readonly args?: readonly string[];
  /** A command that runs the one after it, as `setpriv` does. @default none */
  readonly launcher?: readonly string[];
  /** Variables above this process's own, which nobody else on this machine sees. */
  readonly environment?: Readonly<Record<string, string>>;
}

/**
 * Runs a script of this folder that starts a server, tells its `{ address }` or its `{ error }`, and ends the server when
 * it is disconnected: so it also ends when this process does, however that comes about.
 * @throws with the script's error, or when it ends before it tells anything
 */
export async function startServerProcess(
  script: string,
  { args = [], launcher = [], environment }: ServerProcessOptions = {},
): Promise<ServerProcess> {
  const [execPath = process.execPath, ...execArgv] = [...launcher, process.execPath];
  const child = fork(resolve("local", script), args, {
    execPath,
    env: { ...process.env, ...environment },
    detached: true, // Ctrl-C in a terminal reaches only the parent, which stops its children in order
    execArgv,
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const ended = once(child, "exit");
  const silence = ended.then(() => [{ error: "it ended at once" }]);
  const [told] = await Promise.race([once(child, "message"), silence]);
  const outcome = message.parse(told);
  if ("error" in outcome) throw new Error(outcome.error);
  return {
    address: outcome.address,
    stop: async () => {
      if (child.connected) child.disconnect();
      await ended;
    },
  };
}
