import { randomUUID } from "node:crypto";
import { escapeIdentifier, Pool, type PoolClient, type QueryArrayConfig, type QueryArrayResult } from "pg";
import { z } from "zod";
import { ClusterRole } from "./cluster-role";
import { operator } from "./credentials";
import { copyOf, LoadError, runCopy } from "./redshift-copy";
import { createMasterUser, redshiftCatalog, redshiftFunctions } from "./redshift-functions";
import { type BoundStatement, bindParameters, sortKeyIndex, toPostgres } from "./redshift-sql";
import { runUnload, unloadOf } from "./redshift-unload";
import { type SignedRequest, serveSigned } from "./signature";
import { AwsError, json, parseBody, type StandIn } from "./stand-in";

export interface RedshiftDataOptions {
  /** Address of the PostgreSQL database that stands for the cluster's, with a superuser's name: no statement runs as it. */
  readonly postgresUrl: string;
  /** The cluster's administrator. @default "admin" */
  readonly masterUser?: string;
  /** The only cluster there is. @default any cluster is this one, where there is no workgroup */
  readonly clusterIdentifier?: string;
  /** The only workgroup of Redshift Serverless there is, in the place of a cluster. @default there is none */
  readonly workgroupName?: string;
  /** The only database there is. @default any database is this one */
  readonly database?: string;
  /** How transactions see each other: Redshift's SNAPSHOT, or its SERIALIZABLE. @default "repeatable read" */
  readonly isolation?: "repeatable read" | "serializable";
  /** Where COPY reads and UNLOAD writes. @default there is no S3, and neither is known */
  readonly s3Url?: string;
  /** The ARNs of the roles that the cluster has. @default it has any role that is named */
  readonly roles?: readonly string[];
  /** A fault: COPY does not find an object, by its address and its place in the manifest. @default it finds all */
  readonly copySkips?: (url: string, place: number) => boolean;
  /** The most rows of an object that UNLOAD writes. @default 100,000 */
  readonly unloadPartRows?: number;
  /** The most bytes of a statement's result. @default 500 MB, as AWS has it */
  readonly resultBytes?: number;
}

/** Beyond a result's limit (https://docs.aws.amazon.com/redshift/latest/mgmt/data-api.html), which AWS counts after gzip. */
const resultBytes = 500 * 1024 * 1024;

const limits = {
  statementBytes: 102_400,
  statementsPerBatch: 40,
  activeStatements: 500,
  clientTokenCharacters: 64,
  rowBytes: 65_536,
  recordsPerPage: 1_000,
};
/** Statements that run at the same time; the others wait, SUBMITTED. */
const connections = 40;

const waitTimeSeconds = z.number().int().min(1).max(30).optional();
const common = {
  ClusterIdentifier: z.string().optional(),
  WorkgroupName: z.string().optional(),
  Database: z.string().min(1),
  SecretArn: z.string().optional(),
  DbUser: z.string().optional(),
  Parameters: z
    .array(z.object({ name: z.string().min(1), value: z.string().min(1) }))
    .min(1)
    .optional(),
  ClientToken: z.string().min(1).max(limits.clientTokenCharacters).optional(),
  WaitTimeSeconds: waitTimeSeconds,
};
const sqlText = z.string().min(1);
const executeStatement = z.object({ Sql: sqlText, ...common });
const batchExecuteStatement = z.object({
  Sqls: z.array(sqlText).min(1).max(limits.statementsPerBatch),
  ExecutionMode: z.literal("TRANSACTION", "only the default mode, TRANSACTION, is known on this desk").optional(),
  ...common,
});
const describeStatement = z.object({ Id: z.string(), WaitTimeSeconds: waitTimeSeconds });
const getStatementResult = z.object({
  Id: z.string(),
  NextToken: z.string().regex(/^\d+$/).optional(),
  WaitTimeSeconds: waitTimeSeconds,
});
const cancelStatement = z.object({ Id: z.string() });

const invalid = (message: string) => new AwsError("ValidationException", 400, message);

/**
 * Starts the Redshift Data API over a PostgreSQL database. Statements run asynchronously and several at once; a batch
 * is one transaction. A call with a secret's ARN, or signed with the access key `operator`, runs as the administrator.
 * Any other access key is the name of an IAM role, and its statements run as the database user `IAMR:<role name>`,
 * which is made at its first sign-in, with no rights, where nothing has made it before. Each user has connections of its
 * own, so that no statement leaves it, and none of them may run programs or read and write files.
 *
 * A workgroup lends no user's name: `DbUser` is refused there, and `operator`, who has taken on no role, is a user
 * without rights, `IAM:operator`.
 */
export async function startRedshiftData(options: RedshiftDataOptions): Promise<WarehouseStandIn> {
  const service = new RedshiftData(options);
  await service.prepare().catch(async (error) => {
    await service.end();
    throw error;
  });
  const server = await serveSigned((request) => service.answer(request));
  return {
    url: server.url,
    get statements() {
      return service.statements;
    },
    stop: async () => {
      await server.stop();
      await service.end();
    },
  };
}

export interface WarehouseStandIn extends StandIn {
  /** The calls with statements that it took so far, each of which wakes a workgroup. */
  readonly statements: number;
}

type Status = "SUBMITTED" | "STARTED" | "FINISHED" | "FAILED" | "ABORTED";

interface Result {
  readonly columns: { readonly name: string; readonly type: number }[];
  readonly rows: (string | null)[][];
}

/** One statement of an execution. */
interface Step extends BoundStatement {
  readonly text: string;
  status: Status;
  error?: string;
  /** Rows returned or affected; -1 until it is known. */
  rowCount: number;
  result?: Result;
}

/** What ExecuteStatement or BatchExecuteStatement began. */
interface Execution {
  readonly id: string;
  readonly isBatch: boolean;
  readonly steps: Step[];
  readonly owner: {
    readonly ClusterIdentifier?: string;
    readonly WorkgroupName?: string;
    readonly Database: string;
    readonly SecretArn?: string;
    readonly DbUser?: string;
  };
  /** The database user that it runs as. */
  readonly user: string;
  readonly createdAt: number;
  updatedAt: number;
  status: Status;
  error?: string;
  pid?: number;
  /** Stops what is done outside of the database. */
  readonly stopped: AbortController;
  cancelling?: Promise<unknown>;
  done: Promise<void>;
}

class RedshiftData {
  /** The superuser's, for what the stand-in itself asks. */
  private readonly superuser: Pool;
  private readonly masterUser: string;
  /** Those of database users. */
  private readonly pools = new Map<string, Promise<Pool>>();
  private readonly executions = new Map<string, Execution>();
  statements = 0;
  private readonly byClientToken = new Map<string, Execution>();

  constructor(private readonly options: RedshiftDataOptions) {
    this.masterUser = options.masterUser ?? "admin";
    // What users have made has no name that the superuser would take for PostgreSQL's.
    this.superuser = poolAt(options.postgresUrl, 1, "-c search_path=pg_catalog -c timezone=UTC");
  }

  /** Makes the administrator, and the functions of Redshift's in the database. The lock keeps apart who does so at once. */
  async prepare() {
    const database = decodeURIComponent(new URL(this.options.postgresUrl).pathname.slice(1));
    const sql = [
      "BEGIN",
      "SELECT pg_advisory_xact_lock(1)",
      "SET LOCAL search_path TO public",
      ...redshiftFunctions,
      ...redshiftCatalog,
      ...createMasterUser(this.masterUser, database),
      "COMMIT",
    ];
    await this.superuser.query({ text: sql.join(";\n") });
  }

  async end() {
    const running = [...this.executions.values()].filter(isActive);
    await Promise.all(running.map((execution) => this.abort(execution)));
    await Promise.all(running.map(({ done }) => done));
    const pools = await Promise.allSettled(this.pools.values());
    const ended = pools.map((one) => (one.status === "fulfilled" ? one.value.end() : undefined));
    await Promise.all([...ended, this.superuser.end()]);
  }

  async answer(request: SignedRequest) {
    const operation = String(request.headers["x-amz-target"]).replace(/^RedshiftData\./, "");
    switch (operation) {
      case "ExecuteStatement": {
        const { Sql, ...input } = parseBody(request, executeStatement, "ValidationException");
        return this.execute(request, input, [Sql], false);
      }
      case "BatchExecuteStatement": {
        const { Sqls, ...input } = parseBody(request, batchExecuteStatement, "ValidationException");
        return this.execute(request, input, Sqls, true);
      }
      case "DescribeStatement": {
        const { Id, WaitTimeSeconds } = parseBody(request, describeStatement, "ValidationException");
        return json(await this.describe(Id, WaitTimeSeconds));
      }
      case "GetStatementResult": {
        const { Id, NextToken, WaitTimeSeconds } = parseBody(request, getStatementResult, "ValidationException");
        return json(await this.result(Id, Number(NextToken ?? 0), WaitTimeSeconds));
      }
      case "CancelStatement":
        return json({ Status: await this.cancel(parseBody(request, cancelStatement, "ValidationException").Id) });
      default:
        throw new AwsError("UnknownOperationException", 404, `no operation ${operation}`);
    }
  }

  private async execute(
    request: SignedRequest,
    input: z.infer<z.ZodObject<typeof common>>,
    sqls: string[],
    isBatch: boolean,
  ) {
    const { database } = this.options;
    this.mustBeHere(input);
    if (database !== undefined && input.Database !== database)
      throw invalid(`Database ${input.Database} doesn't exist`);
    for (const sql of sqls) {
      const bytes = Buffer.byteLength(sql);
      if (bytes > limits.statementBytes)
        throw invalid(`Cannot process query string larger than 100kB, got ${bytes} bytes`);
      const [, command] = /^\s*(COPY|UNLOAD)\b/i.exec(sql) ?? [];
      if (command === undefined) continue;
      if (this.options.s3Url === undefined) throw invalid(`${command} is not known on this desk, where there is no S3`);
      if (!copyOf(sql) && !unloadOf(sql)) throw invalid(`this form of ${command} is not known on this desk: ${sql}`);
    }
    const parameters = new Map((input.Parameters ?? []).map(({ name, value }) => [name, value]));
    const bound = bindParameters(sqls, parameters);

    const execution =
      (input.ClientToken && this.byClientToken.get(input.ClientToken)) ||
      this.begin(request, input, sqls, bound, isBatch);
    if (input.ClientToken) this.byClientToken.set(input.ClientToken, execution);
    const { id, owner, createdAt } = execution;
    const answer = { Id: id, CreatedAt: createdAt / 1000, ...owner };
    if (input.WaitTimeSeconds === undefined) return json(answer);
    await within(input.WaitTimeSeconds, execution.done);
    return json({
      ...answer,
      Status: execution.status,
      RedshiftPid: execution.pid,
      HasResultSet: hasResultSet(execution),
    });
  }

  /** @throws AwsError where a call names another warehouse than there is, or what that one does not know */
  private mustBeHere({ ClusterIdentifier, WorkgroupName, DbUser }: z.infer<z.ZodObject<typeof common>>) {
    const { workgroupName } = this.options;
    const { clusterIdentifier = workgroupName === undefined ? ClusterIdentifier : undefined } = this.options;
    if (ClusterIdentifier !== clusterIdentifier || WorkgroupName !== workgroupName) {
      throw invalid(`Redshift endpoint doesn't exist in this region: ${ClusterIdentifier ?? WorkgroupName}`);
    }
    if (workgroupName !== undefined && DbUser !== undefined) throw invalid("DbUser is not valid with WorkgroupName");
  }

  private begin(
    request: SignedRequest,
    input: z.infer<z.ZodObject<typeof common>>,
    sqls: string[],
    bound: BoundStatement[],
    isBatch: boolean,
  ): Execution {
    const active = [...this.executions.values()].filter(isActive).length;
    if (active >= limits.activeStatements) {
      throw new AwsError(
        "ActiveStatementsExceededException",
        400,
        `${active} statements are active, as many as may be`,
      );
    }
    const { ClusterIdentifier, WorkgroupName, Database, SecretArn, DbUser } = input;
    this.statements += 1;
    const user = SecretArn ? this.masterUser : (DbUser ?? this.databaseUserOf(request.accessKeyId));
    const now = Date.now();
    const execution: Execution = {
      id: randomUUID(),
      isBatch,
      steps: bound.map(({ sql, values }, index) => ({
        text: sqls[index] ?? sql,
        sql: toPostgres(sql),
        values,
        status: "SUBMITTED",
        rowCount: -1,
      })),
      owner: {
        ClusterIdentifier,
        WorkgroupName,
        Database,
        ...(SecretArn ? { SecretArn } : WorkgroupName === undefined && { DbUser: user }),
      },
      user,
      createdAt: now,
      updatedAt: now,
      status: "SUBMITTED",
      stopped: new AbortController(),
      done: Promise.resolve(),
    };
    this.executions.set(execution.id, execution);
    execution.done = this.run(execution);
    return execution;
  }

  private async run(execution: Execution) {
    let client: PoolClient | undefined;
    try {
      const pool = await this.poolOf(execution.user);
      client = await pool.connect();
      const { rows } = await client.query<{ pid: number; timeout: string }>(signIn);
      if (isActive(execution)) {
        const timeout = Number(rows[0]?.timeout ?? 0);
        execution.pid = rows[0]?.pid;
        move(execution, "STARTED");
        await this.runSteps(client, execution, timeout);
        move(execution, "FINISHED");
      }
      await execution.cancelling; // or it would reach the connection's next statement
      await client.query("RESET ROLE; RESET ALL; DISCARD TEMP"); // the session is over
      client.release();
    } catch (error) {
      if (isActive(execution)) {
        execution.error = redshiftError(error);
        move(execution, "FAILED");
      }
      client?.release(true); // the next statement gets a connection that nothing has happened to
    }
  }

  /** Connections of a database user; Redshift makes the user at its first sign-in. @throws where it is the superuser */
  private poolOf(user: string): Promise<Pool> {
    const known = this.pools.get(user) ?? this.admit(user);
    this.pools.set(user, known);
    return known;
  }

  private async admit(user: string): Promise<Pool> {
    const found = await this.superuser.query("SELECT rolsuper FROM pg_roles WHERE rolname = $1", [user]);
    const [role] = z.array(z.object({ rolsuper: z.boolean() })).parse(found.rows);
    if (role?.rolsuper) throw new Error(`password authentication failed for user "${user}"`);
    if (role === undefined) {
      const [name, master] = [user, this.masterUser].map(escapeIdentifier);
      await this.superuser.query(`CREATE USER ${name} ADMIN ${master}`);
    }
    const isolation = (this.options.isolation ?? "repeatable read").replace(" ", "\\ ");
    const url = Object.assign(new URL(this.options.postgresUrl), { username: user }).href;
    // Whoever makes a user has its rights, as an administrator has at Redshift.
    const rights = "-c createrole_self_grant=set,inherit";
    return poolAt(url, connections, `-c default_transaction_isolation=${isolation} -c timezone=UTC ${rights}`);
  }

  /** The database user that Redshift signs an IAM role in as. The operator is a cluster's administrator. */
  private databaseUserOf(accessKeyId: string): string {
    if (accessKeyId !== operator.credentials.accessKeyId) return `IAMR:${accessKeyId}`;
    return this.options.workgroupName === undefined ? this.masterUser : `IAM:${accessKeyId}`;
  }

  private async describe(id: string, seconds: number | undefined) {
    const { execution, step } = this.find(id);
    if (seconds !== undefined) await within(seconds, execution.done);
    if (step) return { ...executionDescription(execution), ...stepDescription(execution, step), Id: id };
    const [only] = execution.steps;
    return {
      ...executionDescription(execution),
      ...(execution.isBatch || !only
        ? { SubStatements: execution.steps.map((one) => stepDescription(execution, one)) }
        : { QueryString: only.text, ResultRows: only.rowCount, ResultSize: sizeOf(only.result) }),
    };
  }

  private async result(id: string, start: number, seconds: number | undefined) {
    const { execution, step } = this.find(id);
    if (seconds !== undefined) await within(seconds, execution.done);
    const found = (step ?? (execution.isBatch ? undefined : execution.steps[0]))?.result;
    if (execution.status !== "FINISHED" || !found) {
      const text = "Query does not have result. Please check query status with DescribeStatement.";
      throw new AwsError("ResourceNotFoundException", 404, text, { ResourceId: id });
    }
    const end = start + limits.recordsPerPage;
    return {
      ColumnMetadata: found.columns.map(({ name, type }) => ({
        name,
        label: name,
        typeName: typeNames[type] ?? "varchar",
      })),
      Records: found.rows.slice(start, end).map((row) => row.map((text, at) => field(text, found.columns[at]?.type))),
      TotalNumRows: found.rows.length,
      ...(end < found.rows.length && { NextToken: String(end) }),
    };
  }

  private async cancel(id: string): Promise<boolean> {
    const { execution } = this.find(id);
    if (!isActive(execution)) {
      throw invalid(`Could not cancel a query that is already in ${execution.status} state with ID: ${id}`);
    }
    await this.abort(execution);
    return execution.status === "ABORTED";
  }

  private async abort(execution: Execution) {
    const { pid } = execution;
    if (pid === undefined) return move(execution, "ABORTED");
    execution.stopped.abort(new Error("canceling statement due to user request"));
    execution.cancelling = this.superuser.query("SELECT pg_cancel_backend($1)", [pid]);
    await execution.cancelling;
    await execution.done;
  }

  private find(id: string): { execution: Execution; step?: Step } {
    const [executionId = "", number] = id.split(":");
    const execution = this.executions.get(executionId);
    const step = number === undefined ? undefined : execution?.steps[Number(number) - 1];
    if (!execution || (number !== undefined && !step)) {
      throw new AwsError("ResourceNotFoundException", 404, `Statement ${id} doesn't exist`, { ResourceId: id });
    }
    return { execution, step };
  }

  private async runSteps(client: PoolClient, execution: Execution, timeout: number) {
    const { steps, isBatch } = execution;
    const isTransaction = isBatch || steps.some(({ text }) => copyOf(text) ?? unloadOf(text));
    // PostgreSQL has no statistics of rows that are new, and would join them row by row; Redshift joins by hash.
    if (isTransaction) await client.query("BEGIN; SET LOCAL enable_nestloop = off");
    for (const step of steps) {
      step.status = "STARTED";
      try {
        execution.stopped.signal.throwIfAborted();
        await this.runStep(client, step, execution, timeout);
      } catch (error) {
        if (error instanceof LoadError) await this.keepLoadError(error, execution);
        step.error = redshiftError(error);
        step.status = "FAILED";
        for (const skipped of steps) if (skipped.status === "SUBMITTED") skipped.status = "ABORTED";
        throw error;
      }
    }
    if (isTransaction) await client.query("COMMIT");
  }

  private async runStep(client: PoolClient, step: Step, execution: Execution, timeout: number) {
    const copy = copyOf(step.text);
    const unload = unloadOf(step.text);
    if (copy) {
      const s3 = await this.clusterRole("COPY", copy.roleArn, execution, timeout);
      step.rowCount = await runCopy(client, copy, s3, this.options.copySkips);
    } else if (unload) {
      const s3 = await this.clusterRole("UNLOAD", unload.roleArn, execution, timeout);
      const select = toPostgres(unload.select);
      step.rowCount = await runUnload(client, { ...unload, select }, s3, this.options.unloadPartRows);
    } else {
      await runStatement(client, step, this.options.resultBytes ?? resultBytes);
    }
    step.status = "FINISHED";
  }

  /** S3 by a role of the cluster's that the user may take on. @throws where it may not */
  private async clusterRole(
    command: "COPY" | "UNLOAD",
    roleArn: string,
    { user, stopped }: Execution,
    timeout: number,
  ) {
    const { roles, s3Url = "" } = this.options;
    if (roles !== undefined && !roles.includes(roleArn))
      throw new Error(`The requested role ${roleArn} is not associated to cluster`);
    const allowed = `SELECT 1 FROM pg_roles, stand_in.assume_role WHERE rolname = $1
AND role IN ($2, 'ALL') AND command IN ($3, 'ALL') AND (member = 0 OR member = pg_roles.oid)`;
    const { rowCount } = await this.superuser.query(allowed, [user, roleArn, command]);
    if (rowCount === 0 && user !== this.masterUser)
      throw new Error(`permission denied: no ASSUMEROLE on ${roleArn} FOR ${command}`);
    const signals = timeout === 0 ? [] : [AbortSignal.timeout(timeout)];
    return new ClusterRole(s3Url, roleArn, AbortSignal.any([stopped.signal, ...signals]));
  }

  /** Says why a load failed where its user finds it, which stays though the load is undone. */
  private async keepLoadError({ table, fileName, detail }: LoadError, { user, createdAt }: Execution) {
    const sql = `INSERT INTO stand_in.load_errors (usename, table_name, file_name, error_message, start_time)
VALUES ($1, $2, left($3, 256), left($4, 512), to_timestamp($5) AT TIME ZONE 'UTC')`;
    await this.superuser.query(sql, [user, table, fileName, detail, createdAt / 1000]);
  }
}

async function runStatement(client: PoolClient, step: Step, mostBytes: number) {
  const query: QueryArrayConfig & { queryMode: "extended" } = {
    text: step.sql,
    values: step.values,
    rowMode: "array",
    types: { getTypeParser: () => (text: string) => text },
    queryMode: "extended", // which takes one statement, as the Data API does
  };
  const { fields, rows, rowCount }: QueryArrayResult<(string | null)[]> = await client.query(query);
  const columns = fields.map(({ name, dataTypeID }) => ({ name, type: dataTypeID }));
  let bytes = 0;
  for (const row of rows) {
    const size = bytesOf(row);
    if (size > limits.rowBytes) throw new Error(`a row of the result is larger than ${limits.rowBytes} bytes`);
    bytes += size;
  }
  if (bytes > mostBytes) throw new Error(`the result is larger than ${mostBytes} bytes, the most of a result`);
  if (columns.length > 0) step.result = { columns, rows };
  const index = sortKeyIndex(step.text);
  if (index !== undefined) await client.query(index);
  step.rowCount = rowCount ?? 0;
}

function poolAt(connectionString: string, max: number, options: string): Pool {
  const pool = new Pool({ connectionString, max, options });
  // A connection that is cut fails the statement on it, and is replaced at the next use.
  pool.on("error", () => {});
  pool.on("connect", (client) => client.on("error", () => {}));
  return pool;
}

/** Has a connection the user's `statement_timeout`, in milliseconds, as it is now: PostgreSQL sets it at a real sign-in alone. */
const signIn = `SELECT pg_backend_pid() AS pid, timeout, set_config('statement_timeout', timeout, FALSE)
FROM (SELECT COALESCE((
  SELECT split_part(setting, '=', 2) FROM pg_roles, unnest(rolconfig) AS setting
  WHERE rolname = CURRENT_USER AND setting LIKE 'statement_timeout=%'
), '0') AS timeout) AS settings`;

function move(execution: Execution, status: Status) {
  const cancelled = execution.error !== undefined && /canceling statement due to user request/.test(execution.error);
  execution.status = status === "FAILED" && cancelled ? "ABORTED" : status;
  execution.updatedAt = Date.now();
}

const isActive = ({ status }: Execution) => status === "SUBMITTED" || status === "STARTED";
const hasResultSet = ({ steps }: Execution) => steps.some(({ result }) => result !== undefined);
const bytesOf = (row: (string | null)[]) => row.reduce((sum, text) => sum + Buffer.byteLength(text ?? ""), 0);
const sizeOf = (result?: Result) => result?.rows.reduce((sum, row) => sum + bytesOf(row), 0) ?? -1;

function executionDescription(execution: Execution) {
  const { id, owner, status, error, createdAt, updatedAt, pid } = execution;
  return {
    Id: id,
    ...owner,
    Status: status,
    Error: error,
    CreatedAt: createdAt / 1000,
    UpdatedAt: updatedAt / 1000,
    Duration: isActive(execution) ? -1 : (updatedAt - createdAt) * 1_000_000,
    RedshiftPid: pid ?? 0,
    HasResultSet: hasResultSet(execution),
  };
}

function stepDescription({ id, steps, createdAt, updatedAt }: Execution, step: Step) {
  return {
    Id: `${id}:${steps.indexOf(step) + 1}`,
    QueryString: step.text,
    Status: step.status,
    Error: step.error,
    CreatedAt: createdAt / 1000,
    UpdatedAt: updatedAt / 1000,
    HasResultSet: step.result !== undefined,
    ResultRows: step.rowCount,
    ResultSize: sizeOf(step.result),
  };
}

/** PostgreSQL's error as Redshift words it; a write that cannot be put in order has a number there. */
function redshiftError(error: unknown): string {
  const { message, code } = z.object({ message: z.string(), code: z.string().optional() }).parse(error);
  return code === "40001" ? `ERROR: 1023 Serializable isolation violation: ${message}` : `ERROR: ${message}`;
}

/** PostgreSQL's type numbers. Of the numbers, Redshift's Data API sends decimals as text. */
const typeNames: { [type: number]: string | undefined } = {
  16: "bool",
  20: "int8",
  21: "int2",
  23: "int4",
  700: "float4",
  701: "float8",
  1082: "date",
  1114: "timestamp",
  1184: "timestamptz",
  1700: "numeric",
};

function field(text: string | null, type = 0) {
  if (text === null) return { isNull: true };
  const typeName = typeNames[type] ?? "varchar";
  if (typeName === "bool") return { booleanValue: text === "t" };
  if (typeName.startsWith("int")) return { longValue: Number(text) };
  if (typeName.startsWith("float")) return { doubleValue: Number(text) };
  return { stringValue: text };
}

/** Waits for `done`, but no longer than this many seconds. */
async function within(seconds: number, done: Promise<void>) {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, seconds * 1000);
  });
  await Promise.race([done, late]);
  clearTimeout(timer);
}
