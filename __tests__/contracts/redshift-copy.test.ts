import { randomUUID } from "node:crypto";
import { gzipSync } from "node:zlib";
import {
  BatchExecuteStatementCommand,
  CancelStatementCommand,
  DescribeStatementCommand,
  ExecuteStatementCommand,
  GetStatementResultCommand,
  RedshiftDataClient,
} from "@aws-sdk/client-redshift-data";
import { DeleteObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { tables } from "../../contract/load-tables";
import { createIncoming } from "../../contract/outcome";
import { credentialsOf, operator } from "../../local/credentials";
import { type OnTheWay, startPassage } from "../../local/passage";
import { startRedshiftData } from "../../local/redshift-data";
import { s3Error, startS3 } from "../../local/s3";
import type { StandIn } from "../../local/stand-in";
import { loadStatements } from "../../pipeline/load-statements";
import { createDatabase } from "../setup/database";

const Bucket = "answers";
const cluster = { ClusterIdentifier: "warehouse", Database: "predictions" };
const roles = { copy: "arn:aws:iam::000000000000:role/copy", other: "arn:aws:iam::000000000000:role/other" };
const loader = `loader-${randomUUID()}`; // the users of all databases are shared

const standIns: StandIn[] = [];
let s3: S3Client;
let service: StandIn;
let onTheWay: OnTheWay | undefined;
let skips: (url: string, place: number) => boolean = () => false;

beforeAll(async () => {
  const objects = await startS3({ buckets: [Bucket] });
  const passage = await startPassage(objects.url, (request, forward) => onTheWay?.(request, forward) ?? forward());
  service = await startRedshiftData({
    postgresUrl: await createDatabase(),
    s3Url: passage.url,
    roles: [roles.copy],
    copySkips: (url, place) => skips(url, place),
  });
  standIns.push(service, passage, objects);
  s3 = new S3Client({ ...operator, endpoint: objects.url });
  for (const sql of [
    `CREATE USER "IAMR:${loader}" WITH PASSWORD DISABLE`,
    "CREATE TABLE kept (request_id VARCHAR(128), output VARCHAR(65535)) DISTKEY(request_id) SORTKEY(request_id)",
    `GRANT SELECT, INSERT ON kept TO "IAMR:${loader}"`,
  ]) {
    expect(await run([sql], "operator")).toMatchObject({ Status: "FINISHED" });
  }
});
afterEach(() => {
  onTheWay = undefined;
  skips = () => false;
});
afterAll(async () => {
  s3.destroy();
  for (const one of standIns) await one.stop();
});

const clientOf = (accessKeyId: string) =>
  new RedshiftDataClient({ ...operator, endpoint: service.url, credentials: credentialsOf(accessKeyId) });

async function begin(Sqls: string[], as = loader) {
  const client = clientOf(as);
  const { Id } = await client.send(
    new BatchExecuteStatementCommand({ ...cluster, Sqls, ExecutionMode: "TRANSACTION" }),
  );
  client.destroy();
  return Id;
}

async function run(Sqls: string[], as = loader) {
  const client = clientOf(as);
  const described = await client.send(new DescribeStatementCommand({ Id: await begin(Sqls, as), WaitTimeSeconds: 30 }));
  client.destroy();
  return described;
}

async function select(Sql: string, as = loader) {
  const client = clientOf(as);
  const { Id } = await client.send(new ExecuteStatementCommand({ ...cluster, Sql, WaitTimeSeconds: 30 }));
  const { Records = [] } = await client.send(new GetStatementResultCommand({ Id }));
  client.destroy();
  return Records.map((row) => row.map(({ stringValue, longValue }) => stringValue ?? longValue ?? null));
}

const put = (Key: string, Body: string | Buffer) => s3.send(new PutObjectCommand({ Bucket, Key, Body }));
const urlOf = (key: string) => `s3://${Bucket}/${key}`;
const line = (requestId: string, more: object = {}) =>
  JSON.stringify({
    v: 1,
    request_id: requestId,
    requested_at: "2026-01-02 03:04:05.678",
    ended_at: "2026-01-02T03:04:06Z",
    ...more,
  });

/** The statements that copy these objects, and put away what came. @param mandatory @default all */
async function copying(keys: string[], mandatory: (boolean | undefined)[] = keys.map(() => true)) {
  const manifest = `manifests/${randomUUID()}.json`;
  const entries = keys.map((key, place) => ({ url: urlOf(key), mandatory: mandatory[place] }));
  await put(manifest, JSON.stringify({ entries }));
  const load = { manifestUrl: urlOf(manifest), copyRoleArn: roles.copy, tables, now: new Date() };
  const keep = "INSERT INTO kept SELECT request_id, output FROM incoming";
  return [createIncoming, loadStatements(load).copy, keep];
}

/** Puts objects of these bodies, and copies them. */
async function copy(...bodies: (string | Buffer)[]) {
  const keys = bodies.map(() => `staged/2026010203/${randomUUID()}.ndjson.gz`);
  for (const [place, key] of keys.entries()) {
    const body = bodies[place] ?? "";
    await put(key, typeof body === "string" ? gzipSync(body) : body);
  }
  return { keys, ...(await run(await copying(keys))) };
}

const kept = async () => {
  const rows = await select("SELECT request_id, output FROM kept ORDER BY request_id");
  await run(["DELETE FROM kept"], "operator");
  return rows;
};

test("the rows of all objects are loaded, and each statement says how many", async () => {
  const { Status, SubStatements } = await copy(
    `${line("a", { output: "one" })}\n${line("b", { output: "two" })}\n`,
    line("c", { output: "three" }),
  );
  expect(Status).toBe("FINISHED");
  expect(SubStatements?.map(({ ResultRows }) => ResultRows)).toEqual([0, 3, 3]);
  expect(await kept()).toEqual([
    ["a", "one"],
    ["b", "two"],
    ["c", "three"],
  ]);
});

test("a value is what COPY makes of it", async () => {
  const rows = [
    line("a", { output: "", unknown: { deep: [1] }, job_id: null }),
    line("b", { Output: "not by this name" }),
    line("c", { output: null }),
    line("d", { output: "cut\u0000off" }),
    line("e", { output: '\u2028\\u0000 "🦊" \t' }),
    line("f", { output: "x".repeat(65_535) }),
  ];
  expect(await copy(rows.join("\n"))).toMatchObject({ Status: "FINISHED" });
  expect(await kept()).toEqual([
    ["a", ""],
    ["b", null],
    ["c", null],
    ["d", "cut"],
    ["e", '\u2028\\u0000 "🦊" \t'],
    ["f", "x".repeat(65_535)],
  ]);
});

const invalid = Buffer.concat([Buffer.from('{"request_id": "'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')]);

test.each([
  ["a text too long in bytes", gzipSync(line("é".repeat(65))), "String length exceeds DDL length"],
  ["no value where there must be one", gzipSync(line("a", { ended_at: undefined })), "Missing data for not-null field"],
  ["a time that is none", gzipSync(line("a", { ended_at: "2026-13-01 00:00:00" })), "Invalid timestamp"],
  ["what is no JSON", gzipSync('{"request_id": }'), "Invalid value"],
  ["what is no object", gzipSync("[1]"), "Invalid JSON"],
  ["a lone surrogate", gzipSync('{"request_id": "\\ud800"}'), "Invalid value"],
  ["bytes that are no UTF-8", gzipSync(invalid), "invalid or unsupported UTF8"],
  ["a row above 4 MB", gzipSync(line("a", { unknown: "x".repeat(4_194_304) })), "maximum row size"],
])("%s fails the load, and the database names the object", async (_, bad, message) => {
  const outcome = await copy(line("good"), bad, line("good too"));
  expect(outcome).toMatchObject({ Status: "FAILED" });
  expect(outcome.Error).toBe(
    "ERROR: Load into table 'incoming' failed.  Check 'sys_load_error_detail' system table for details.",
  );
  const named = "SELECT file_name, error_message FROM sys_load_error_detail WHERE start_time >= '2026-01-01'";
  const found = (await select(named)).map((row) => row.map((text) => String(text).trim()));
  expect(found.filter(([file]) => file === urlOf(outcome.keys[1] ?? ""))).toEqual([
    [expect.anything(), expect.stringContaining(message)],
  ]);
  expect(await select(named, `another-${randomUUID()}`)).toEqual([]);
  expect(await kept()).toEqual([]);
});

test("an object that cannot be inflated fails the load, and no row names it", async () => {
  const whole = gzipSync(line("a").repeat(50));
  for (const cut of [whole.subarray(0, whole.length - 12), Buffer.from("no gzip"), Buffer.alloc(0)]) {
    const outcome = await copy(line("good"), cut);
    expect(outcome).toMatchObject({ Status: "FAILED", Error: expect.stringContaining("inflate") });
    const rows = await select("SELECT file_name FROM sys_load_error_detail");
    expect(rows.map(([file]) => String(file).trim())).not.toContain(urlOf(outcome.keys[1] ?? ""));
  }
});

describe("an object that is gone", () => {
  const NoSuchKey = expect.stringContaining("Error NoSuchKey");

  test("fails the load where it is mandatory, and is passed over in silence where it is not", async () => {
    await put("staged/there", gzipSync(line("there")));
    const keys = ["staged/there", "staged/gone"];
    expect(await run(await copying(keys))).toMatchObject({ Status: "FAILED", Error: NoSuchKey });
    expect(await run(await copying(keys, [true, undefined]))).toMatchObject({ Status: "FINISHED" });
    expect(await kept()).toEqual([["there", null]]);
    expect(await run(await copying(["staged/gone"], [false]))).toMatchObject({ Status: "FAILED", Error: NoSuchKey });
  });

  test("may be one that is there, which COPY does not find", async () => {
    skips = (_, place) => place % 2 === 1;
    await put("staged/1", gzipSync(line("1")));
    await put("staged/2", gzipSync(line("2")));
    const keys = ["staged/1", "staged/2"];
    expect(await run(await copying(keys))).toMatchObject({ Status: "FAILED", Error: NoSuchKey });
    expect(await run(await copying(keys, [false, false]))).toMatchObject({ Status: "FINISHED" });
    expect(await kept()).toEqual([["1", null]]);
  });

  test("may be the manifest", async () => {
    const statements = await copying(["staged/1"]);
    const manifest = /manifests[^']*/.exec(statements[1] ?? "")?.[0];
    await s3.send(new DeleteObjectCommand({ Bucket, Key: manifest }));
    expect(await run(statements)).toMatchObject({ Status: "FAILED", Error: NoSuchKey });
  });
});

test("S3's refusal fails the load, and names no object", async () => {
  await put("staged/1", gzipSync(line("1")));
  onTheWay = ({ url }, forward) =>
    url.pathname.includes("staged") ? s3Error(503, "SlowDown", "Please reduce your request rate.") : forward();
  expect(await run(await copying(["staged/1"]))).toMatchObject({
    Status: "FAILED",
    Error: expect.stringContaining("Status 503,Error SlowDown"),
  });
});

test("a load that waits for S3 can be cancelled, and ends when its user's time is over", async () => {
  await put("staged/1", gzipSync(line("1")));
  let asked = () => {};
  const waiting = new Promise<void>((resolve) => {
    asked = resolve;
  });
  onTheWay = ({ url }, forward) => {
    if (!url.pathname.includes("staged")) return forward();
    asked();
    return new Promise(() => {});
  };
  const client = clientOf(loader);
  const Id = await begin(await copying(["staged/1"]));
  await waiting;
  expect((await client.send(new CancelStatementCommand({ Id }))).Status).toBe(true);
  expect(await client.send(new DescribeStatementCommand({ Id }))).toMatchObject({ Status: "ABORTED" });
  client.destroy();

  await run([`ALTER USER "IAMR:${loader}" SET statement_timeout TO 200`], "operator");
  expect(await run(await copying(["staged/1"]))).toMatchObject({ Status: "FAILED" });
  expect(await run(["SELECT pg_sleep(30)"])).toMatchObject({ Status: "FAILED" });
  await run([`ALTER USER "IAMR:${loader}" SET statement_timeout TO 0`], "operator");
  expect(await run(["SELECT pg_sleep(0.3)"])).toMatchObject({ Status: "FINISHED" });
});

describe("who may", () => {
  const refused = (error: string) => ({ Status: "FAILED", Error: expect.stringContaining(error) });

  test("is everybody until that is revoked, and then who is granted the role for it", async () => {
    await put("staged/1", gzipSync(line("1")));
    const statements = await copying(["staged/1"]);
    expect(await run(statements)).toMatchObject({ Status: "FINISHED" });
    await run(["REVOKE ASSUMEROLE ON ALL FROM PUBLIC FOR ALL"], "operator");
    expect(await run(statements)).toMatchObject(refused("permission denied"));
    const grant = (command: string) => `GRANT ASSUMEROLE ON '${roles.copy}' TO "IAMR:${loader}" FOR ${command}`;
    expect(await run([grant("COPY")])).toMatchObject(refused("permission denied")); // no user grants it to itself
    await run([grant("UNLOAD")], "operator");
    expect(await run(statements)).toMatchObject(refused("permission denied"));
    await run([grant("COPY"), grant("COPY")], "operator");
    expect(await run(statements)).toMatchObject({ Status: "FINISHED" });
    await kept();
  });

  test("is none by a role that the cluster has not", async () => {
    const statements = (await copying(["staged/1"])).map((sql) => sql.replace(roles.copy, roles.other));
    expect(await run(statements)).toMatchObject(refused(roles.other));
  });
});

test("another form of COPY is not known", async () => {
  const [, sql = ""] = await copying(["staged/1"]);
  for (const other of [sql.replace(" GZIP", ""), `${sql} MAXERROR 5`, sql.replace("COPY", "copy")]) {
    await expect(begin([other])).rejects.toMatchObject({ name: "ValidationException" });
  }
});

test("a temporary table is gone after its statements, and its texts are counted in bytes", async () => {
  expect(await run(["CREATE TEMP TABLE short (t VARCHAR(2))", "INSERT INTO short VALUES ('é')"])).toMatchObject({
    Status: "FINISHED",
  });
  expect(await run(["SELECT * FROM short"])).toMatchObject({ Error: 'ERROR: relation "short" does not exist' });
  expect(await run(["CREATE TEMP TABLE short (t VARCHAR(2))", "INSERT INTO short VALUES ('éé')"])).toMatchObject({
    Status: "FAILED",
  });
});

test("texts are compared by their bytes, and a sort key finds them", async () => {
  expect(await select("SELECT 'Z' < 'a', 'a-b' < 'a0', 'z' < '~', '~' < 'é'", "operator")).toHaveLength(1);
  const order = await select(
    "SELECT t FROM (SELECT 'é' AS t UNION ALL SELECT '~' UNION ALL SELECT 'a' UNION ALL SELECT 'Z') AS x ORDER BY t",
  );
  expect(order.flat()).toEqual(["Z", "a", "~", "é"]);
  expect(await select("SELECT indexname FROM pg_indexes WHERE tablename = 'kept'")).toEqual([["kept_sort_key"]]);
});
