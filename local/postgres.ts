import { once } from "node:events";
import { chownSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { join, resolve } from "node:path";
import { startServerProcess } from "./server-process";
import type { StandIn } from "./stand-in";

const superuser = "rdsdb"; // the name that Redshift keeps for its own

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
 * Starts a PostgreSQL server, which only whoever starts it can reach: by a socket in the file system. `url` is the address
 * of its first database, with the superuser's name. Any other user signs in by its name alone, too.
 * @param options.dataDir Folder of its data; made when it is not there, used as it is when it is.
 * @throws when the server cannot be made or started; the message holds its log
 */
export async function startPostgres({ dataDir }: { dataDir: string }): Promise<StandIn> {
  mkdirSync(dataDir, { recursive: true });
  if (isRoot) chownSync(dataDir, nobody, nobody);
  const args = [resolve(dataDir), superuser];
  const launcher = isRoot ? asNobody : [];
  const server = await startServerProcess("postgres-process.mjs", { args, launcher }).catch((error) => {
    throw new Error(`PostgreSQL does not start in ${dataDir}: ${error.message}`, { cause: error });
  });
  return { url: `postgres://${superuser}@${encodeURIComponent(server.address)}:5432/postgres`, stop: server.stop };
}

/** Whether a server works in this folder. The file that it leaves there while it does says in two lines where its socket is. */
export async function isPostgresRunning(dataDir: string): Promise<boolean> {
  const pidFile = join(dataDir, "postmaster.pid");
  if (!existsSync(pidFile)) return false;
  const [, , , port, folder] = readFileSync(pidFile, "utf8").split("\n");
  const socket = connect(`${folder}/.s.PGSQL.${port}`);
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false; // it was killed, and could not take the file away
  } finally {
    socket.destroy();
  }
}
