import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { connect } from "node:net";
import { dirname, join, resolve } from "node:path";
import { startServerProcess } from "./server-process";
import type { StandIn } from "./stand-in";

const user = "admin"; // the name of the original's administrator
const password = "loopback-only";

/**
 * Starts a PostgreSQL server on a free port of 127.0.0.1. `url` is the address of its first database, with the
 * administrator's name and password.
 * @param options.dataDir Folder of its data; made when it is not there, used as it is when it is.
 * @throws when the server cannot be made or started; the message holds its log
 */
export async function startPostgres({ dataDir }: { dataDir: string }): Promise<StandIn> {
  mkdirSync(dataDir, { recursive: true });
  if (process.getuid?.() === 0) for (const path of [dataDir, __dirname]) checkWayTo(resolve(path));
  const server = await startServerProcess("postgres-process.mjs", [resolve(dataDir), user, password]).catch((error) => {
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

/** PostgreSQL refuses to run as root and runs as the user postgres, who must get to its program and its data. */
function checkWayTo(path: string) {
  const folder = dirname(path);
  if ((statSync(folder).mode & 0o001) === 0) {
    throw new Error(
      `Started by root, PostgreSQL runs as the user postgres, who cannot enter ${folder}: chmod o+x ${folder}`,
    );
  }
  if (folder !== path) checkWayTo(folder);
}
