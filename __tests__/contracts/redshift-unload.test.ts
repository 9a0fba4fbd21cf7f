import { randomUUID } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { DescribeStatementCommand, ExecuteStatementCommand, RedshiftDataClient } from "@aws-sdk/client-redshift-data";
import { GetObjectCommand, ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import { z } from "zod";
import { credentialsOf, operator } from "../../local/credentials";
import { startRedshiftData } from "../../local/redshift-data";
import { startS3 } from "../../local/s3";
import type { StandIn } from "../../local/stand-in";
import { createDatabase } from "../setup/database";

const Bucket = "answers";
const role = "arn:aws:iam::000000000000:role/unload";
const reader = `reader-${randomUUID()}`; // the users of all databases are shared
const standIns: StandIn[] = [];
let s3: S3Client;
let dataApiUrl: string;

beforeAll(async () => {
  const objects = await startS3({ buckets: [Bucket] });
  const dataApi = await startRedshiftData({
    postgresUrl: await createDatabase(),
    s3Url: objects.url,
    roles: [role],
    unloadPartRows: 3,
    resultBytes: 1_000,
  });
  standIns.push(dataApi, objects);
  dataApiUrl = dataApi.url;
  s3 = new S3Client({ ...operator, endpoint: objects.url });
  for (const sql of [
    "REVOKE ASSUMEROLE ON ALL FROM PUBLIC FOR ALL",
    `CREATE USER "IAMR:${reader}" WITH PASSWORD DISABLE`,
    `GRANT ASSUMEROLE ON '${role}' TO "IAMR:${reader}" FOR UNLOAD`,
  ]) {
    expect(await run(sql, "operator")).toMatchObject({ Status: "FINISHED" });
  }
});
afterAll(async () => {
  s3.destroy();
  for (const one of standIns) await one.stop();
});

async function run(Sql: string, accessKeyId = reader) {
  const credentials = credentialsOf(accessKeyId);
  const client = new RedshiftDataClient({ ...operator, endpoint: dataApiUrl, credentials });
  const input = { ClusterIdentifier: "warehouse", Database: "predictions", Sql, WaitTimeSeconds: 30 };
  const { Id } = await client.send(new ExecuteStatementCommand(input));
  const described = await client.send(new DescribeStatementCommand({ Id }));
  client.destroy();
  return described;
}

const unload = (select: string, to: string, roleArn = role) =>
  `UNLOAD ('${select.replaceAll("'", "''")}') TO '${to}' IAM_ROLE '${roleArn}' FORMAT JSON GZIP MANIFEST VERBOSE`;
const freshPrefix = () => `unloads/${randomUUID()}/`;
const read = async (Key: string) => {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
  return Buffer.from((await Body?.transformToByteArray()) ?? "");
};
const manifestSchema = z.object({
  entries: z.array(
    z.object({ url: z.string(), meta: z.object({ content_length: z.number(), record_count: z.number() }) }),
  ),
  meta: z.object({ content_length: z.number(), record_count: z.number() }),
  schema: z.object({ elements: z.array(z.object({ name: z.string(), type: z.object({ base: z.string() }) })) }),
});

/** Unloads a query, and gives what was written: the manifest, and the lines of each object that it names. */
async function unloaded(select: string, option = "") {
  const prefix = freshPrefix();
  const described = await run(`${unload(select, `s3://${Bucket}/${prefix}`)}${option}`);
  expect(described).toMatchObject({ Status: "FINISHED" });
  const manifest = manifestSchema.parse(JSON.parse((await read(`${prefix}manifest`)).toString()));
  const files: string[][] = [];
  for (const { url, meta } of manifest.entries) {
    const body = await read(url.replace(`s3://${Bucket}/`, ""));
    const lines = gunzipSync(body).toString().split("\n").slice(0, -1);
    expect(meta).toEqual({ content_length: body.length, record_count: lines.length });
    files.push(lines);
  }
  return { described, manifest, files };
}

test("rows are written as JSON by the names of the columns, NULL and the empty text apart", async () => {
  const { manifest, files } = await unloaded(
    `SELECT 'it''s "é"' AS words, '' AS empty, CAST(NULL AS VARCHAR(9)) AS nothing, 7 AS small, CAST(0.5 AS DOUBLE PRECISION) AS real,
TRUE AS flag, TIMESTAMP '2026-01-02 03:04:05.25' AS "at"`,
  );
  expect(files.flat().map((line) => JSON.parse(line))).toEqual([
    { words: 'it\'s "é"', empty: "", nothing: null, small: 7, real: 0.5, flag: true, at: "2026-01-02 03:04:05.25" },
  ]);
  expect(manifest.schema.elements.slice(3, 5)).toEqual([
    { name: "small", type: { base: "integer" } },
    { name: "real", type: { base: "double precision" } },
  ]);
});

test("many rows are in several objects, each in order, and not over all", async () => {
  const { described, manifest, files } = await unloaded("SELECT n FROM generate_series(1, 25) AS n ORDER BY n");
  expect(described.ResultRows).toBe(25);
  expect(manifest.meta.record_count).toBe(25);
  const numbers = files.map((lines) => lines.map((line) => z.object({ n: z.number() }).parse(JSON.parse(line)).n));
  for (const file of numbers) {
    expect(file.length).toBeLessThanOrEqual(3);
    expect(file).toEqual([...file].sort((one, other) => one - other));
  }
  const all = numbers.flat();
  const sorted = Array.from({ length: 25 }, (_, place) => place + 1);
  expect(all).not.toEqual(sorted);
  expect(all.sort((one, other) => one - other)).toEqual(sorted);
});

test("with PARALLEL OFF many rows are in several objects, in order over all", async () => {
  const { manifest, files } = await unloaded("SELECT n FROM generate_series(1, 25) AS n ORDER BY n", " PARALLEL OFF");
  expect(files.flat().map((line) => JSON.parse(line).n)).toEqual(Array.from({ length: 25 }, (_, place) => place + 1));
  expect(manifest.entries.map(({ url }) => url.slice(-6))).toEqual(
    Array.from({ length: 9 }, (_, part) => `00${part}.gz`),
  );
});

test("of no rows nothing is written", async () => {
  const Prefix = freshPrefix();
  expect(await run(unload("SELECT 1 WHERE FALSE", `s3://${Bucket}/${Prefix}`))).toMatchObject({
    Status: "FINISHED",
    ResultRows: 0,
  });
  expect((await s3.send(new ListObjectsV2Command({ Bucket, Prefix }))).KeyCount).toBe(0);
});

describe("it is refused", () => {
  const refused = (error: string) => ({ Status: "FAILED", Error: expect.stringContaining(error) });

  test("with an outer LIMIT, and not with an inner one", async () => {
    const to = () => `s3://${Bucket}/${freshPrefix()}`;
    expect(await run(unload("SELECT 1 LIMIT 1", to()))).toMatchObject(refused("LIMIT"));
    expect(await run(unload("SELECT * FROM (SELECT 1 LIMIT 1) AS one", to()))).toMatchObject({ Status: "FINISHED" });
  });

  test("where there are objects already", async () => {
    const to = `s3://${Bucket}/${freshPrefix()}`;
    await run(unload("SELECT 1", to));
    expect(await run(unload("SELECT 1", to))).toMatchObject(refused("is not empty"));
  });

  test("to who may not take on the role, and by a role that the cluster has not", async () => {
    const to = `s3://${Bucket}/${freshPrefix()}`;
    expect(await run(unload("SELECT 1", to), `other-${reader}`)).toMatchObject(refused("permission denied"));
    expect(await run(unload("SELECT 1", to, `${role}-2`), "operator")).toMatchObject(refused(`${role}-2`));
  });

  test("in another form", async () => {
    const sql = unload("SELECT 1", `s3://${Bucket}/${freshPrefix()}`);
    for (const other of [`${sql} ALLOWOVERWRITE`, sql.replace(" GZIP", "")])
      await expect(run(other)).rejects.toMatchObject({ name: "ValidationException" });
  });
});

test("a result of the Data API is no larger than its limit", async () => {
  expect(await run("SELECT repeat('x', 100) FROM generate_series(1, 10)")).toMatchObject({ Status: "FINISHED" });
  expect(await run("SELECT repeat('x', 101) FROM generate_series(1, 10)")).toMatchObject({
    Status: "FAILED",
    Error: expect.stringContaining("1000 bytes"),
  });
});
