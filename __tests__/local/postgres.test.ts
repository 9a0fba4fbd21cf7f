import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import { isPostgresRunning, startPostgres } from "../../local/postgres";

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

test("tells why it does not start", async () => {
  const folder = join(dataDir, "taken");
  mkdirSync(folder);
  writeFileSync(join(folder, "something-else"), "");
  await expect(startPostgres({ dataDir: folder })).rejects.toThrow(/PostgreSQL does not start in .*not empty/s);
});
