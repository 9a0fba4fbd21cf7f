import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  BatchExecuteStatementCommand,
  CancelStatementCommand,
  DescribeStatementCommand,
  ExecuteStatementCommand,
  type ExecuteStatementCommandInput,
  GetStatementResultCommand,
  RedshiftDataClient,
  type SqlParameter,
} from "@aws-sdk/client-redshift-data";
import { Client } from "pg";
import { credentialsOf } from "../../local/credentials";
import { startRedshiftData, type WarehouseStandIn } from "../../local/redshift-data";
import type { StandIn } from "../../local/stand-in";
import { createDatabase } from "../setup/database";

const cluster = { ClusterIdentifier: "predictions-cluster", Database: "predictions" };
let service: StandIn;
let postgresUrl: string;
let operator: RedshiftDataClient;

beforeAll(async () => {
  postgresUrl = await createDatabase();
  service = await startRedshiftData({
    postgresUrl,
    clusterIdentifier: cluster.ClusterIdentifier,
    database: cluster.Database,
  });
  operator = signedInAs("operator");
});
afterAll(async () => {
  operator.destroy();
  await service.stop();
});

const signedInAs = (accessKeyId: string, { url } = service) =>
  new RedshiftDataClient({
    endpoint: url,
    region: "us-east-1",
    credentials: credentialsOf(accessKeyId),
    maxAttempts: 1,
  });

async function run(Sql: string, Parameters?: SqlParameter[], client = operator) {
  const { Id } = await client.send(new ExecuteStatementCommand({ ...cluster, Sql, Parameters }));
  return client.send(new DescribeStatementCommand({ Id, WaitTimeSeconds: 30 }));
}

async function select(Sql: string, Parameters?: SqlParameter[]) {
  const { Id } = await run(Sql, Parameters);
  return operator.send(new GetStatementResultCommand({ Id }));
}

async function runBatch(Sqls: string[], Parameters?: SqlParameter[]) {
  const { Id } = await operator.send(new BatchExecuteStatementCommand({ ...cluster, Sqls, Parameters }));
  return operator.send(new DescribeStatementCommand({ Id, WaitTimeSeconds: 30 }));
}

/** Holds a lock on a new table until it is released, so that statements on it last as long as a test wants. */
async function lockedTable(name: string, mode = "ACCESS EXCLUSIVE") {
  const session = new Client(postgresUrl);
  await session.connect();
  await session.query(`CREATE TABLE ${name} (n INT)`);
  await session.query("BEGIN");
  await session.query(`LOCK ${name} IN ${mode} MODE`);
  const waiting = "SELECT count(*)::INT AS n FROM pg_locks WHERE relation = $1::regclass AND NOT granted";
  return {
    /** Comes back when so many statements wait for the lock. */
    awaited: async (by: number) => {
      while ((await session.query<{ n: number }>(waiting, [name])).rows[0]?.n !== by);
    },
    release: () => session.end(),
  };
}

describe("running a statement", () => {
  test("answers before the statement ends, and tells how it goes on", async () => {
    const table = await lockedTable("slow");
    const { Id, ClusterIdentifier, Database, CreatedAt } = await operator.send(
      new ExecuteStatementCommand({ ...cluster, Sql: "INSERT INTO slow VALUES (1)" }),
    );
    expect({ ClusterIdentifier, Database }).toEqual(cluster);
    expect(CreatedAt).toBeInstanceOf(Date);
    await table.awaited(1);
    expect((await operator.send(new DescribeStatementCommand({ Id }))).Status).toBe("STARTED");
    await table.release();
    const after = await operator.send(new DescribeStatementCommand({ Id, WaitTimeSeconds: 30 }));
    expect(after).toMatchObject({ Status: "FINISHED", ResultRows: 1, HasResultSet: false });
  });

  test("answers with the outcome when it is asked to wait for it", async () => {
    const answer = await operator.send(
      new ExecuteStatementCommand({ ...cluster, Sql: "SELECT 1", WaitTimeSeconds: 30 }),
    );
    expect(answer).toMatchObject({ Status: "FINISHED", HasResultSet: true });
  });

  test("answers with the state reached when the wait is over first", async () => {
    const table = await lockedTable("slower");
    const answer = await operator.send(
      new ExecuteStatementCommand({ ...cluster, Sql: "SELECT * FROM slower", WaitTimeSeconds: 1 }),
    );
    expect(answer).toMatchObject({ Status: "STARTED", HasResultSet: false });
    await table.release();
    const after = await operator.send(new DescribeStatementCommand({ Id: answer.Id, WaitTimeSeconds: 30 }));
    expect(after.Status).toBe("FINISHED");
  });

  test("runs statements at the same time", async () => {
    const table = await lockedTable("busy");
    const waiting = await operator.send(new ExecuteStatementCommand({ ...cluster, Sql: "SELECT * FROM busy" }));
    await table.awaited(1);
    expect((await run("SELECT 1")).Status).toBe("FINISHED");
    expect((await operator.send(new DescribeStatementCommand({ Id: waiting.Id }))).Status).not.toBe("FINISHED");
    await table.release();
  });

  test("fails with the database's error, and not with an exception", async () => {
    expect(await run("SELECT * FROM nowhere")).toMatchObject({
      Status: "FAILED",
      Error: 'ERROR: relation "nowhere" does not exist',
    });
  });

  test("refuses two statements in one", async () => {
    expect((await run("SELECT 1; SELECT 2")).Status).toBe("FAILED");
  });

  test("is cancelled on demand, and only while it runs", async () => {
    const table = await lockedTable("cancelled");
    const { Id } = await operator.send(new ExecuteStatementCommand({ ...cluster, Sql: "SELECT * FROM cancelled" }));
    await table.awaited(1);
    expect((await operator.send(new CancelStatementCommand({ Id }))).Status).toBe(true);
    expect((await operator.send(new DescribeStatementCommand({ Id }))).Status).toBe("ABORTED");
    await expect(operator.send(new CancelStatementCommand({ Id }))).rejects.toMatchObject({
      name: "ValidationException",
    });
    await table.release();
  });

  test("runs once for one client token", async () => {
    await run("CREATE TABLE once (n INT)");
    const command = { ...cluster, Sql: "INSERT INTO once VALUES (1)", ClientToken: "token", WaitTimeSeconds: 30 };
    const first = await operator.send(new ExecuteStatementCommand(command));
    const second = await operator.send(new ExecuteStatementCommand(command));
    expect(second.Id).toBe(first.Id);
    expect((await select("SELECT count(*) FROM once")).Records).toEqual([[{ longValue: 1 }]]);
  });
});

describe("a batch", () => {
  beforeAll(() => run("CREATE TABLE batches (n INT)"));

  test("is one transaction: a failure undoes what came before it", async () => {
    const outcome = await runBatch(["INSERT INTO batches VALUES (1)", "INSERT INTO nowhere VALUES (1)", "SELECT 1"]);
    expect(outcome).toMatchObject({ Status: "FAILED", Error: 'ERROR: relation "nowhere" does not exist' });
    expect(outcome.SubStatements?.map(({ Status }) => Status)).toEqual(["FINISHED", "FAILED", "ABORTED"]);
    expect((await select("SELECT * FROM batches")).Records).toEqual([]);
  });

  test("gives the result of each statement by its number", async () => {
    const { Id, SubStatements, HasResultSet } = await runBatch([
      "INSERT INTO batches VALUES (2)",
      "SELECT 'two' AS word",
    ]);
    expect(HasResultSet).toBe(true);
    expect(SubStatements?.map((one) => [one.Id, one.ResultRows])).toEqual([
      [`${Id}:1`, 1],
      [`${Id}:2`, 1],
    ]);
    const second = await operator.send(new GetStatementResultCommand({ Id: `${Id}:2` }));
    expect(second.Records).toEqual([[{ stringValue: "two" }]]);
  });

  test("shares its parameters among its statements", async () => {
    const parameters = [
      { name: "n", value: "3" },
      { name: "m", value: "4" },
    ];
    const outcome = await runBatch(
      ["INSERT INTO batches VALUES (:n)", "INSERT INTO batches VALUES (:m), (:n)"],
      parameters,
    );
    expect(outcome.Status).toBe("FINISHED");
    expect((await select("SELECT count(*) FROM batches WHERE n IN (3, 4)")).Records).toEqual([[{ longValue: 3 }]]);
  });

  test("does not see what others commit after its first look", async () => {
    await run("CREATE TABLE seen (n INT)");
    const gate = await lockedTable("gate");
    const reader = await operator.send(
      new BatchExecuteStatementCommand({
        ...cluster,
        Sqls: ["SELECT count(*) FROM seen", "LOCK gate", "SELECT count(*) FROM seen"],
      }),
    );
    await gate.awaited(1);
    await run("INSERT INTO seen VALUES (1)");
    await gate.release();
    await operator.send(new DescribeStatementCommand({ Id: reader.Id, WaitTimeSeconds: 30 }));
    const counted = await operator.send(new GetStatementResultCommand({ Id: `${reader.Id}:3` }));
    expect(counted.Records).toEqual([[{ longValue: 0 }]]);
  });

  test("that first waits for a lock sees all that its holder wrote", async () => {
    await run("CREATE TABLE turn (n INT)");
    await run("CREATE TABLE written (n INT)");
    const write = () =>
      operator.send(
        new BatchExecuteStatementCommand({
          ...cluster,
          Sqls: ["LOCK turn", "INSERT INTO written SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM written)"],
          WaitTimeSeconds: 30,
        }),
      );
    const outcomes = await Promise.all(Array.from({ length: 10 }, write));
    expect(outcomes.map(({ Status }) => Status)).toEqual(Array(10).fill("FINISHED"));
    expect((await select("SELECT count(*) FROM written")).Records).toEqual([[{ longValue: 1 }]]);
  });
});

test("a write that cannot be put in order fails as 1023, on a serializable database", async () => {
  const serializable = await startRedshiftData({ postgresUrl, isolation: "serializable" });
  const client = signedInAs("operator", serializable);
  const table = await lockedTable("contended", "SHARE");
  const Sqls = ["SELECT count(*) FROM contended", "INSERT INTO contended SELECT count(*) FROM contended"];
  const both = await Promise.all([1, 2].map(() => client.send(new BatchExecuteStatementCommand({ ...cluster, Sqls }))));
  await table.awaited(2);
  await table.release();
  const outcomes = await Promise.all(
    both.map(({ Id }) => client.send(new DescribeStatementCommand({ Id, WaitTimeSeconds: 30 }))),
  );
  expect(outcomes.map(({ Status }) => Status).sort()).toEqual(["FAILED", "FINISHED"]);
  expect(outcomes.find(({ Status }) => Status === "FAILED")?.Error).toMatch(/^ERROR: 1023 /);
  client.destroy();
  await serializable.stop();
});

describe("parameters", () => {
  test("are data, whatever they hold", async () => {
    for (const value of ["it's", "'; DROP TABLE x; --", "🦊", ":n", "$1", "\\", "a\nb"]) {
      const { Records } = await select("SELECT CAST(:value AS VARCHAR(100))", [{ name: "value", value }]);
      expect(Records).toEqual([[{ stringValue: value }]]);
    }
  });

  test.each([
    ["one that no statement uses", "SELECT 1", [{ name: "n", value: "1" }], "Unused parameters: [n]"],
    ["one that is not given", "SELECT :n, :m", [{ name: "n", value: "1" }], "Cannot find parameter: m"],
    ["an empty one", "SELECT :n", [{ name: "n", value: "" }], "Parameters[0].value"],
  ])("refuses %s", async (_, sql, parameters, message) => {
    await expect(run(sql, parameters)).rejects.toMatchObject({
      name: "ValidationException",
      message: expect.stringContaining(message),
    });
  });
});

describe("limits", () => {
  const padded = (bytes: number) => "SELECT 1 ".padEnd(bytes);

  test("takes a statement of 100 KB and no byte more", async () => {
    expect((await run(padded(102_400))).Status).toBe("FINISHED");
    await expect(run(padded(102_401))).rejects.toMatchObject({ name: "ValidationException" });
  });

  test("takes 40 statements in a batch and no more", async () => {
    expect((await runBatch(Array(40).fill("SELECT 1"))).Status).toBe("FINISHED");
    await expect(runBatch(Array(41).fill("SELECT 1"))).rejects.toMatchObject({ name: "ValidationException" });
  });

  test.each([0, 31])("refuses to wait for %i seconds", async (WaitTimeSeconds) => {
    const command = new ExecuteStatementCommand({ ...cluster, Sql: "SELECT 1", WaitTimeSeconds });
    await expect(operator.send(command)).rejects.toMatchObject({ name: "ValidationException" });
  });

  test("takes 500 active statements and no more", async () => {
    const crowded = await startRedshiftData({ postgresUrl });
    const client = signedInAs("operator", crowded);
    const table = await lockedTable("crowd");
    const start = () => client.send(new ExecuteStatementCommand({ ...cluster, Sql: "SELECT * FROM crowd" }));
    const begun = await Promise.all(Array.from({ length: 500 }, start));
    await expect(start()).rejects.toMatchObject({ name: "ActiveStatementsExceededException" });
    await client.send(new CancelStatementCommand({ Id: begun[499]?.Id })); // waits for no free connection
    await expect(start()).resolves.toBeDefined();
    await table.release();
    client.destroy();
    await crowded.stop();
  });

  test.each([
    ["cluster", { ...cluster, ClusterIdentifier: "other" }],
    ["database", { ...cluster, Database: "other" }],
  ])("refuses a %s that does not exist", async (_, other) => {
    const command = new ExecuteStatementCommand({ ...other, Sql: "SELECT 1" });
    await expect(operator.send(command)).rejects.toMatchObject({
      name: "ValidationException",
      message: expect.stringContaining("other"),
    });
  });

  test("a row of a result holds 64 KB and no more", async () => {
    expect((await run("SELECT repeat('x', 65536)")).Status).toBe("FINISHED");
    expect((await run("SELECT repeat('x', 65537)")).Status).toBe("FAILED");
  });
});

describe("a result", () => {
  test("has a type for each value, and times as Redshift writes them", async () => {
    const { Records, ColumnMetadata, TotalNumRows } = await select(
      `SELECT 7 AS small, 7000000000 AS big, 1.5::FLOAT8 AS real, 1.50::NUMERIC(9,2) AS exact, 'text' AS words, TRUE AS flag,
       NULL AS nothing, TIMESTAMP '2026-01-02 03:04:05.25' AS "at", TIMESTAMP '2026-01-02 03:04:05' AS whole`,
    );
    expect(Records).toEqual([
      [
        { longValue: 7 },
        { longValue: 7_000_000_000 },
        { doubleValue: 1.5 },
        { stringValue: "1.50" },
        { stringValue: "text" },
        { booleanValue: true },
        { isNull: true },
        { stringValue: "2026-01-02 03:04:05.25" },
        { stringValue: "2026-01-02 03:04:05" },
      ],
    ]);
    expect(ColumnMetadata?.map(({ name }) => name).slice(0, 3)).toEqual(["small", "big", "real"]);
    expect(TotalNumRows).toBe(1);
  });

  test("comes in pages", async () => {
    const { Id } = await run("SELECT generate_series(1, 1001)");
    const first = await operator.send(new GetStatementResultCommand({ Id }));
    expect([first.Records?.length, first.TotalNumRows]).toEqual([1000, 1001]);
    const second = await operator.send(new GetStatementResultCommand({ Id, NextToken: first.NextToken }));
    expect(second.Records).toEqual([[{ longValue: 1001 }]]);
    expect(second.NextToken).toBeUndefined();
  });

  test.each([
    ["that has none", "CREATE TABLE IF NOT EXISTS resultless (n INT)"],
    ["that failed", "SELECT * FROM nowhere"],
  ])("cannot be had of a statement %s", async (_, sql) => {
    const { Id } = await run(sql);
    await expect(operator.send(new GetStatementResultCommand({ Id }))).rejects.toMatchObject({
      name: "ResourceNotFoundException",
    });
  });

  test("cannot be had of a statement that nobody sent", async () => {
    const Id = "00000000-0000-0000-0000-000000000000";
    const unknown = { name: "ResourceNotFoundException", ResourceId: Id };
    await expect(operator.send(new DescribeStatementCommand({ Id }))).rejects.toMatchObject(unknown);
    await expect(operator.send(new GetStatementResultCommand({ Id }))).rejects.toMatchObject(unknown);
  });
});

describe("signing in by IAM", () => {
  const role = `reader-${process.pid}`;
  beforeAll(() => run("CREATE TABLE guarded (n INT)"));

  test("makes a database user of the role's name, who may do nothing yet", async () => {
    const reader = signedInAs(role);
    expect(await run("SELECT current_user", undefined, reader)).toMatchObject({ DbUser: `IAMR:${role}` });
    expect(await run("SELECT * FROM guarded", undefined, reader)).toMatchObject({
      Status: "FAILED",
      Error: "ERROR: permission denied for table guarded",
    });
    reader.destroy();
  });

  test("lets the role do what its user is granted, and no more", async () => {
    const reader = signedInAs(role);
    await run("SELECT 1", undefined, reader);
    await run(`GRANT SELECT ON guarded TO "IAMR:${role}"`);
    expect((await run("SELECT * FROM guarded", undefined, reader)).Status).toBe("FINISHED");
    expect((await run("INSERT INTO guarded VALUES (1)", undefined, reader)).Status).toBe("FAILED");
    reader.destroy();
  });

  test("is never as the superuser of the database behind it", async () => {
    const { Id } = await operator.send(
      new ExecuteStatementCommand({ ...cluster, DbUser: new URL(postgresUrl).username, Sql: "SELECT 1" }),
    );
    expect(await operator.send(new DescribeStatementCommand({ Id, WaitTimeSeconds: 30 }))).toMatchObject({
      Status: "FAILED",
      Error: expect.stringContaining("authentication failed"),
    });
  });

  test("is not what a call with a secret does: that one is the administrator's", async () => {
    const someone = signedInAs("someone");
    const { Status } = await someone.send(
      new ExecuteStatementCommand({
        ...cluster,
        SecretArn: "arn:aws:secretsmanager:us-east-1:000000000000:secret:admin",
        Sql: "SELECT * FROM guarded",
        WaitTimeSeconds: 30,
      }),
    );
    expect(Status).toBe("FINISHED");
    someone.destroy();
  });
});

describe("a workgroup in the place of a cluster", () => {
  const workgroup = { WorkgroupName: "poc-dev", Database: "predictions" };
  let serverless: WarehouseStandIn;
  beforeAll(async () => {
    serverless = await startRedshiftData({ postgresUrl, workgroupName: "poc-dev", database: "predictions" });
  });
  afterAll(() => serverless.stop());

  /** Who a statement runs as. */
  async function userOf(accessKeyId: string, input: Partial<ExecuteStatementCommandInput> = {}) {
    const client = signedInAs(accessKeyId, serverless);
    try {
      const command = { ...workgroup, Sql: "SELECT current_user", WaitTimeSeconds: 30, ...input };
      const { Id } = await client.send(new ExecuteStatementCommand(command));
      const { Records } = await client.send(new GetStatementResultCommand({ Id }));
      return Records?.[0]?.[0]?.stringValue;
    } finally {
      client.destroy();
    }
  }
  const SecretArn = "arn:aws:secretsmanager:us-east-1:000000000000:secret:admin";

  test("signs in the caller's role, or whom a secret names", async () => {
    const role = `worker-${process.pid}`;
    expect(await userOf(role)).toBe(`IAMR:${role}`);
    expect(await userOf(role, { SecretArn })).toBe("admin");
  });

  test("knows who has taken on no role, and lets him do nothing", async () => {
    expect(await userOf("operator")).toBe("IAM:operator");
  });

  test("lends nobody's name", async () => {
    const refused = { name: "ValidationException", message: expect.stringContaining("DbUser") };
    await expect(userOf("operator", { DbUser: "predictions_reader" })).rejects.toMatchObject(refused);
  });

  test.each([
    ["another workgroup", { WorkgroupName: "other" }],
    ["a cluster", { WorkgroupName: undefined, ClusterIdentifier: "predictions-cluster" }],
    ["a cluster and it", { ClusterIdentifier: "predictions-cluster" }],
  ])("is not found under the name of %s", async (_, input) => {
    const nowhere = { name: "ValidationException", message: expect.stringContaining("doesn't exist in this region") };
    await expect(userOf("operator", input)).rejects.toMatchObject(nowhere);
  });

  test("is no cluster's", async () => {
    const sent = operator.send(new ExecuteStatementCommand({ ...workgroup, Sql: "SELECT 1" }));
    await expect(sent).rejects.toMatchObject({ name: "ValidationException" });
  });

  test("counts what wakes it, which looking at a statement or a refused call does not", async () => {
    const before = serverless.statements;
    await userOf("operator");
    await expect(userOf("operator", { WorkgroupName: "other" })).rejects.toThrow();
    expect(serverless.statements - before).toBe(1);
  });
});

describe("whoever signs in", () => {
  const file = join(tmpdir(), `run-by-the-database-${process.pid}`);
  const program = `COPY (SELECT 1) TO PROGRAM ''touch ${file}''`;
  const inBlock = (sql: string) => `DO $$ BEGIN EXECUTE '${sql}'; END $$`;
  const SecretArn = "arn:aws:secretsmanager:us-east-1:000000000000:secret:admin";
  const users: [string, { readonly SecretArn?: string; readonly DbUser?: string }, string][] = [
    ["the operator", {}, "operator"],
    ["whoever has the administrator's secret", { SecretArn }, "someone"],
    ["a database user by its name", { DbUser: "people" }, "operator"],
    ["a role", {}, `role-${process.pid}`],
  ];
  const ways: [string, string[]][] = [
    ["runs a program", [inBlock(program)]],
    ["runs a program behind a comment", [`/* */ ${program.replaceAll("''", "'")}`]],
    [
      "runs a program as the one whose connection it is",
      ["RESET SESSION AUTHORIZATION", "RESET ROLE", inBlock(program)],
    ],
    ["takes the superuser's place", ["SET SESSION AUTHORIZATION rdsdb", inBlock(program)]],
    ["takes the place of who runs programs", ["SET ROLE pg_execute_server_program", inBlock(program)]],
    ["reads a file", ["SELECT pg_read_file('/etc/passwd')"]],
    ["copies a file", ["CREATE TEMP TABLE lines (line TEXT)", inBlock("COPY lines FROM ''/etc/passwd''")]],
    ["writes a file", [inBlock(`COPY (SELECT 1) TO ''${file}''`)]],
    ["writes a large object to a file", [`SELECT lo_export(lo_create(0), '${file}')`]],
    ["makes a superuser", ["CREATE USER rose SUPERUSER"]],
    ["makes who runs programs", ["CREATE USER rose IN ROLE pg_execute_server_program"]],
    ["grants that to itself", ["GRANT pg_execute_server_program TO CURRENT_USER"]],
    ["loads a library", ["LOAD 'dblink'"]],
    ["makes a language that reaches the machine", ["CREATE EXTENSION plpython3u"]],
    ["changes the server", ["ALTER SYSTEM SET archive_command TO 'true'"]],
  ];

  test.each(users)("as %s can neither run programs nor reach files", async (_, as, accessKeyId) => {
    const client = signedInAs(accessKeyId);
    const done: string[] = [];
    for (const [way, sqls] of ways) {
      const begun = await client.send(new BatchExecuteStatementCommand({ ...cluster, ...as, Sqls: sqls }));
      const { Status } = await client.send(new DescribeStatementCommand({ Id: begun.Id, WaitTimeSeconds: 30 }));
      if (Status !== "FAILED") done.push(`${way}: ${Status}`);
    }
    expect(done).toEqual([]);
    expect(existsSync(file)).toBe(false);
    const { Id } = await client.send(new ExecuteStatementCommand({ ...cluster, ...as, Sql: "SELECT 1" }));
    expect((await client.send(new DescribeStatementCommand({ Id, WaitTimeSeconds: 30 }))).Status).toBe("FINISHED");
    client.destroy();
  });
});
