import { once } from "node:events";
import { chownSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { join, resolve } from "node:path";
import { startServerProcess } from "./server-process";
import type { StandIn } from "./stand-in";

const user = "admin"; // the name of the original's administrator
const password = "loopback-only";

// PostgreSQL refuses to run as root. So root runs it as nobody, who may yet enter root's own folders, for a checkout may
// lie in one. Without no_setuid_fixup, access(2) would forget that he may.
const isRoot = process.getuid?.() === 0;
const nobody = 65534;
const asNobody = [
  "setpriv",
  `--reuid=${nobody}`,
  `--regid=${nobody}`,
  "--clear-groups",
  "--securebits=+no_setuid_fixup",
  "--inh-caps=+dac_override",
  "--ambient-caps=+dac_override",
];

/**
 * Starts a PostgreSQL server on a free port of 127.0.0.1. `url` is the address of its first database, with the
 * administrator's name and password.
 * @param options.dataDir Folder of its data; made when it is not there, used as it is when it is.
 * @throws when the server cannot be made or started; the message holds its log
 */
export async function startPostgres({ dataDir }: { dataDir: string }): Promise<StandIn> {
  mkdirSync(dataDir, { recursive: true });
  if (isRoot) chownSync(dataDir, nobody, nobody);
  const server = await startServerProcess(
    "postgres-process.mjs",
    [resolve(dataDir), user, password],
    isRoot ? asNobody : [],
  ).catch((error) => {
    throw new Error(`PostgreSQL does not start in ${dataDir}: ${error.message}`, { cause: error });
  });
  return { url: `postgres://${user}:${password}@127.0.0.1:${server.port}/postgres`, stop: server.stop };
}

/** Whether a server works in this folder. The file that it leaves there while it does has its port in the fourth line. */
export async function isPostgresRunning(dataDir: string): Promise<boolean> {
  const pidFile = join(dataDir, "postmaster.pid");
  if (!existsSync(pidFile)) return false;
  const socket = connect(Number(readFileSync(pidFile, "utf8").split("\n")[3]), "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false; // it was killed, and could not take the file away
  } finally {
    socket.destroy();
  }
}
