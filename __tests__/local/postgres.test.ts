import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Client } from "pg";
import { isPostgresRunning, startPostgres } from "../../local/postgres";

const run = promisify(execFile);
const dataDir = mkdtempSync(join(tmpdir(), "offline-inference-postgres-"));
afterAll(() => rmSync(dataDir, { recursive: true, force: true }));

async function query(url: string, sql: string) {
  const client = new Client(url);
  await client.connect();
  const { rows } = await client.query(sql);
  await client.end();
  return rows;
}

test("finds again what an earlier server kept in its folder", async () => {
  const folder = join(dataDir, "kept");
  const first = await startPostgres({ dataDir: folder });
  await query(first.url, "CREATE TABLE kept AS SELECT 'still here' AS word");
  expect(await isPostgresRunning(folder)).toBe(true);
  await first.stop();
  expect(await isPostgresRunning(folder)).toBe(false);
  const second = await startPostgres({ dataDir: folder });
  expect(await query(second.url, "SELECT word FROM kept")).toEqual([{ word: "still here" }]);
  await second.stop();
});

test("takes another port where another process was quicker", async () => {
  const quicker = createServer().listen(0, "127.0.0.1");
  await once(quicker, "listening");
  // In the server's process, the first port that is found free is the one that is taken.
  const hook = `import { Server } from "node:net";
    const { address } = Server.prototype;
    Server.prototype.address = () => {
      Server.prototype.address = address;
      return ${JSON.stringify(quicker.address())};
    };`;
  const start = `require("./local/postgres.ts").startPostgres({ dataDir: ${JSON.stringify(join(dataDir, "quicker"))} })
    .then(async ({ url, stop }) => { console.log(url); await stop(); });`;
  const { stdout } = await run(process.execPath, ["--import", "tsx", "-e", start], {
    timeout: 30_000, // it would wait for ever for what does not start
    env: { ...process.env, NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(hook)}` },
  });
  expect(new URL(stdout).hostname).toBe("127.0.0.1");
  expect(new URL(stdout).port).not.toBe(String(Object(quicker.address()).port));
  quicker.close();
});

test("tells why it does not start", async () => {
  const folder = join(dataDir, "taken");
  mkdirSync(folder);
  writeFileSync(join(folder, "something-else"), "");
  await expect(startPostgres({ dataDir: folder })).rejects.toThrow(/PostgreSQL does not start in .*not empty/s);
});
