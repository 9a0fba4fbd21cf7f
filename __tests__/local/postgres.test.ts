import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Client } from "pg";
import { z } from "zod";
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

test("is reached by a socket in a folder of its user's own, however long the path of temporary folders is", async () => {
  const TMPDIR = join(dataDir, "long".repeat(40));
  mkdirSync(TMPDIR);
  const script = `const { statSync } = require("node:fs");
    const { isPostgresRunning, startPostgres } = require("./local/postgres.ts");
    const dataDir = ${JSON.stringify(join(dataDir, "closed"))};
    startPostgres({ dataDir }).then(async ({ url, stop }) => {
      const folder = decodeURIComponent(new URL(url).hostname);
      const modes = [folder, dataDir].map((one) => (statSync(one).mode & 0o777).toString(8));
      const { Client } = require("pg");
      const client = new Client(url);
      await client.connect();
      const { rows } = await client.query("SHOW listen_addresses");
      await client.end();
      const isRunning = await isPostgresRunning(dataDir);
      await stop();
      console.log(JSON.stringify({ folder, modes, rows, isRunning }));
    });`;
  const { stdout } = await run(process.execPath, ["--import", "tsx", "-e", script], {
    timeout: 60_000, // it would wait for ever for what does not start
    env: { ...process.env, TMPDIR },
  });
  const { folder, ...found } = z.looseObject({ folder: z.string() }).parse(JSON.parse(stdout));
  expect(found).toEqual({ modes: ["700", "700"], rows: [{ listen_addresses: "" }], isRunning: true });
  expect(existsSync(folder)).toBe(false);
});

test("tells why it does not start", async () => {
  const folder = join(dataDir, "taken");
  mkdirSync(folder);
  writeFileSync(join(folder, "something-else"), "");
  await expect(startPostgres({ dataDir: folder })).rejects.toThrow(/PostgreSQL does not start in .*not empty/s);
});
