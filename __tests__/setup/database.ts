import { randomUUID } from "node:crypto";
import { Client, escapeIdentifier } from "pg";

/** A new, empty database in the run's PostgreSQL. Users are shared by all of its databases. */
export async function createDatabase(): Promise<string> {
  const server = process.env.TEST_POSTGRES_URL;
  if (server === undefined) throw new Error("TEST_POSTGRES_URL is not set: run the tests with jest");
  const name = `test_${randomUUID()}`;
  const client = new Client(server);
  await client.connect();
  await client.query(`CREATE DATABASE ${escapeIdentifier(name)}`);
  await client.end();
  return Object.assign(new URL(server), { pathname: name }).href;
}
