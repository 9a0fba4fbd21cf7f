import { fork } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { z } from "zod";

const message = z.union([z.object({ port: z.number() }), z.object({ error: z.string() })]);

export interface ServerProcess {
  /** Where it listens, on 127.0.0.1. */
  readonly port: number;
  /** Ends it, and waits until it has ended. */
  stop(): Promise<void>;
}

/**
 * Runs a script of this folder that starts a server, tells its `{ port }` or its `{ error }`, and ends the server when
 * it is disconnected: so it also ends when this process does, however that comes about.
 * @param launcher A command that runs the one after it, as `setpriv` does. @default none
 * @throws with the script's error, or when it ends before it tells anything
 */
export async function startServerProcess(
  script: string,
  args: string[] = [],
  launcher: string[] = [],
): Promise<ServerProcess> {
  const [execPath = process.execPath, ...execArgv] = [...launcher, process.execPath];
  const child = fork(resolve("local", script), args, {
    execPath,
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
    port: outcome.port,
    stop: async () => {
      if (child.connected) child.disconnect();
      await ended;
    },
  };
}
