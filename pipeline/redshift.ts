import {
  BatchExecuteStatementCommand,
  CancelStatementCommand,
  DescribeStatementCommand,
  ExecuteStatementCommand,
  paginateGetStatementResult,
  RedshiftDataClient,
} from "@aws-sdk/client-redshift-data";
import * as z from "zod";
import { clientSettings, type Until, within } from "./clients";
import { backOff } from "./flow";

/** The most of a statement, in bytes (https://docs.aws.amazon.com/redshift/latest/mgmt/data-api.html). */
export const statementBytes = 100_000;

/** The longest that a call waits for its statement; it may ask again. */
const waitSeconds = 3;

/** The database ran a statement and refused it, or it was stopped. */
export class StatementFailed extends Error {
  override readonly name = "StatementFailed";

  constructor(
    id: string,
    status: string,
    /** What the database said. */
    readonly reason: string,
  ) {
    super(`statement ${id} ${status}: ${reason}`);
  }
}

/** Another transaction stood in the way; the next attempt may pass. */
const isConflict = (error: unknown) =>
  error instanceof StatementFailed &&
  /\b1023\b|serializ|deadlock|lock timeout|could not obtain lock/i.test(error.reason);

/** The warehouse is busy, slow or away. The SDK does not know of all these that trying again may help. */
const busy = new Set([
  "AbortError",
  "ActiveSessionsExceededException",
  "ActiveStatementsExceededException",
  "ActiveWaitingRequestsExceededException",
  "DatabaseConnectionException",
  "QueryTimeoutException",
  "ThrottlingException",
  "TimeoutError",
]);

const errorSchema = z.object({
  name: z.string(),
  code: z.string().optional(),
  $metadata: z.object({ httpStatusCode: z.number().optional() }).optional(),
});

/** Whether the warehouse was busy, slow or away, so that the same call may do better later. */
export const isBusy = (error: unknown): boolean => {
  const { data } = errorSchema.safeParse(error);
  if (data === undefined) return false;
  const { name, code, $metadata } = data;
  return busy.has(name) || isConflict(error) || /^E[A-Z]+$/.test(code ?? "") || ($metadata?.httpStatusCode ?? 0) >= 500;
};

/** A database of a Redshift cluster, and as whom. */
interface ClusterDatabase {
  readonly clusterId: string;
  readonly databaseName: string;
  /**
   * The database user whose name IAM lends the caller (`redshift:GetClusterCredentials`).
   * @default the one of the caller's own IAM role
   */
  readonly databaseUser?: string;
}

/** A database of a workgroup of Redshift Serverless, and as whom. IAM lends no user's name there. */
interface WorkgroupDatabase {
  readonly workgroupName: string;
  readonly databaseName: string;
  /** The secret that has the user's name and password. @default the user is the one of the caller's own IAM role */
  readonly secretArn?: string;
}

export type Database = ClusterDatabase | WorkgroupDatabase;

/** The same in the Data API's words: https://docs.aws.amazon.com/redshift/latest/mgmt/data-api-access.html */
const namedIn = (database: Database) =>
  "clusterId" in database
    ? {
        ClusterIdentifier: database.clusterId,
        Database: database.databaseName,
        DbUser: database.databaseUser,
      }
    : {
        WorkgroupName: database.workgroupName,
        Database: database.databaseName,
        SecretArn: database.secretArn,
      };

const described = z.object({
  Id: z.string().optional(),
  Status: z.string().optional(),
  Error: z.string().optional(),
  SubStatements: z
    .array(z.object({ Status: z.string().optional(), Error: z.string().optional(), ResultRows: z.number().optional() }))
    .optional(),
});
type Described = z.infer<typeof described>;
const begun = described.required({ Id: true });

/** What came of statements that were one transaction. */
export interface Transaction {
  readonly id: string;
  /** The rows that each read or wrote, as far as it is told. */
  readonly rows: readonly (number | undefined)[];
}

const parametersOf = (values: Readonly<Record<string, string>>) => {
  const parameters = Object.entries(values).map(([name, value]) => ({ name, value }));
  return parameters.length > 0 ? parameters : undefined; // an empty list is refused
};

/** Redshift's Data API for one database. */
export class RedshiftData {
  constructor(
    private readonly database: Database,
    private readonly client = new RedshiftDataClient(clientSettings({ requestTimeout: 15_000 })),
  ) {}

  /** Runs a statement, and gives the pages that the Data API makes of its result. */
  async *pages<Row>(
    row: z.ZodType<Row>,
    sql: string,
    values: Readonly<Record<string, string>>,
    until: Until,
  ): AsyncGenerator<Row[], void, undefined> {
    const { Id } = await this.run(sql, until, values);
    yield* this.resultOf(row, Id, until);
  }

  private async *resultOf<Row>(row: z.ZodType<Row>, Id: string, { signal }: Until) {
    const pages = paginateGetStatementResult({ client: this.client }, { Id }, { abortSignal: signal });
    for await (const { Records } of pages) yield z.array(row).parse(Records);
  }

  /** Runs a statement, and gives all rows of its result. */
  async read<Row>(
    row: z.ZodType<Row>,
    sql: string,
    values: Readonly<Record<string, string>>,
    until: Until,
  ): Promise<Row[]> {
    const rows: Row[] = [];
    for await (const page of this.pages(row, sql, values, until)) rows.push(...page);
    return rows;
  }

  /** Runs a statement. @throws StatementFailed where the database refuses it */
  async run(sql: string, until: Until, values: Readonly<Record<string, string>> = {}): Promise<{ Id: string }> {
    const command = new ExecuteStatementCommand({ ...this.named, Sql: sql, Parameters: parametersOf(values) });
    const { Id } = await this.finish(await this.client.send(command, { abortSignal: until.signal }), until);
    return { Id };
  }

  /** Begins a statement that may take longer than its caller. @returns its id, for {@link ended} */
  async begin(Sql: string, { signal }: Until): Promise<string> {
    const command = new ExecuteStatementCommand({ ...this.named, WaitTimeSeconds: undefined, Sql });
    return begun.parse(await this.client.send(command, { abortSignal: signal })).Id;
  }

  /** Waits for a statement, which goes on where the time is over before. @throws StatementFailed where it failed */
  async ended(Id: string, until: Until): Promise<void> {
    await this.through(Id, {}, until);
  }

  /**
   * Runs statements in one transaction.
   * @param values of parameters, each of which some statement uses
   * @throws when it is not known that all of them are done
   */
  async transaction(
    sqls: readonly string[],
    until: Until,
    values: Readonly<Record<string, string>> = {},
  ): Promise<Transaction> {
    const command = new BatchExecuteStatementCommand({
      ...this.named,
      Sqls: [...sqls],
      Parameters: parametersOf(values),
      ExecutionMode: "TRANSACTION",
    });
    const ended = await this.finish(await this.client.send(command, { abortSignal: until.signal }), until);
    const told = ended.SubStatements ? ended : await this.describe(ended.Id, until); // the first answer does not say it
    return { id: ended.Id, rows: (told.SubStatements ?? []).map(({ ResultRows }) => ResultRows) };
  }

  /** The rows that a statement of a transaction has read, the first of which is 0. */
  async rowsOf<Row>(row: z.ZodType<Row>, { id, rows }: Transaction, place: number, until: Until): Promise<Row[]> {
    const found: Row[] = [];
    if (rows[place] === 0) return found;
    // https://docs.aws.amazon.com/redshift-data/latest/APIReference/API_GetStatementResult.html
    for await (const page of this.resultOf(row, `${id}:${place + 1}`, until)) found.push(...page);
    return found;
  }

  private get named() {
    return { ...namedIn(this.database), WaitTimeSeconds: waitSeconds };
  }

  private async describe(Id: string, { signal }: Until): Promise<Described> {
    const command = new DescribeStatementCommand({ Id, WaitTimeSeconds: waitSeconds });
    return described.parse(await this.client.send(command, { abortSignal: signal }));
  }

  /** Waits until a statement is through. One that is not when its time is over is cancelled. */
  private async finish(started: unknown, until: Until): Promise<Described & { Id: string }> {
    const first = begun.parse(started);
    const { Id } = first;
    try {
      return { ...(await this.through(Id, first, until)), Id };
    } catch (error) {
      if (until.signal.aborted) await this.cancel(Id);
      throw error;
    }
  }

  /** @param first what is known of it */
  private async through(Id: string, first: Described, until: Until): Promise<Described> {
    let told = first;
    for (let round = 1; told.Status !== "FINISHED"; round++) {
      if (told.Status === "FAILED" || told.Status === "ABORTED") {
        const reasons = [told.Error, ...(told.SubStatements ?? []).map((statement) => statement.Error)];
        const reason = reasons.find((text) => text);
        if (reason || round > 1) throw new StatementFailed(Id, told.Status, reason ?? "no reason given");
      } else if (round > 1) await backOff(Math.min(round, 5), until.signal);
      told = await this.describe(Id, until);
      if (told.Status === undefined) throw new Error(`statement ${Id} has no status`);
    }
    return told;
  }

  /** Stops a statement, as far as that can be done: it may be through by now. */
  private async cancel(Id: string): Promise<void> {
    const command = new CancelStatementCommand({ Id });
    await this.client.send(command, { abortSignal: within(2_000).signal }).catch(() => undefined);
  }
}

/** What the database said against it; undefined where it did it. */
export const refusalOf = async (statement: Promise<unknown>): Promise<string | undefined> => {
  try {
    await statement;
    return undefined;
  } catch (error) {
    if (error instanceof StatementFailed) return error.reason;
    throw error;
  }
};
