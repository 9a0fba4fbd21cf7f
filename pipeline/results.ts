import {
  BatchExecuteStatementCommand,
  DescribeStatementCommand,
  ExecuteStatementCommand,
  paginateGetStatementResult,
  RedshiftDataClient,
  type SqlParameter,
} from "@aws-sdk/client-redshift-data";
import * as z from "zod";
import type { Output } from "../contract/model-contract";
import {
  cellsOf,
  columnNames,
  inUtc,
  nothing,
  type OutputValue,
  type Prediction,
  predictionRow,
  type ReadPrediction,
  roomyOutputBytes,
  selectPredictions,
  shownColumns,
  sourceOf,
  textField,
  timeField,
  timestamp,
  valueField,
} from "../contract/prediction-table";
import { identifier, textExpression } from "../contract/sql-text";
import { clientSettings, type Until, within } from "./clients";
import { Failure } from "./failures";
import { backOff, runsOf } from "./flow";

export type { Prediction } from "../contract/prediction-table";

/** The Data API hands out no row above this. */
const rowBytes = 65_536;

const statementBytes = 100_000;
const statementsPerBatch = 40;
/** Above what one row, or the frame around the rows, takes of a statement beside the values. */
const frameBytes = 700;

/** The longest that a call waits for its statement; it may ask again. */
const waitSeconds = 3;
const attempts = 5;

/** A text's length in UTF-8 bytes, which is how AWS counts. */
export const bytesOf = (text: string): number => Buffer.byteLength(text, "utf8");

const sizeOf = (prediction: Prediction) => cellsOf(prediction).reduce((sum, { value = "" }) => sum + bytesOf(value), 0);

/** Why the warehouse can never keep a prediction exactly as it is; undefined where it can. */
export const unstorable = (prediction: Prediction): Failure | undefined => {
  for (const { name, value = "", maxBytes } of cellsOf(prediction)) {
    const fault = tooLong(name, bytesOf(value), maxBytes);
    if (fault) return fault;
    if (/\0|\p{Surrogate}/u.test(value)) {
      return new Failure("unexpected_answer", `${name} must be Unicode text without NUL`, "final");
    }
  }
  return tooLong("a row", sizeOf(prediction), rowBytes);
};

const tooLong = (what: string, bytes: number, most: number) => {
  if (bytes <= most) return undefined;
  const [allowed, given] = [most, bytes].map((count) => count.toLocaleString("en"));
  return new Failure("too_large", `${what} must be at most ${allowed} UTF-8 bytes, got ${given}`, "final");
};

/** One transaction as the Data API takes it. */
export interface Batch {
  readonly Sqls: string[];
  readonly Parameters: SqlParameter[];
}

/** A batch that writes these rows. The values stand in the parameters, each once. */
const batchOf = (statements: readonly (readonly Prediction[])[]): Batch => {
  const names = new Map<string, string>();
  const expression = (value: string | undefined) => {
    // The Data API knows neither a NULL parameter nor an empty one.
    if (value === undefined) return "NULL";
    if (value === "") return "''";
    const name = names.get(value) ?? `v${names.size}`;
    names.set(value, name);
    return `:${name}`;
  };
  const select = (prediction: Prediction) =>
    `SELECT ${cellsOf(prediction)
      .map(({ name, type, value }) => `CAST(${expression(value)} AS ${type}) AS ${name}`)
      .join(", ")}`;
  const insert = (predictions: readonly Prediction[]) =>
    `INSERT INTO prediction_results (${columnNames}) SELECT ${columnNames} FROM (${predictions.map(select).join(" UNION ALL ")}) AS incoming ` +
    "WHERE NOT EXISTS (SELECT 1 FROM prediction_results AS stored WHERE stored.request_id = incoming.request_id)";
  return {
    // The lock comes first: the transaction's snapshot, taken by the statement after it, then holds every row written before.
    Sqls: ["LOCK prediction_results_lock", ...statements.map(insert)],
    Parameters: [...names].map(([value, name]) => ({ name, value })),
  };
};

/**
 * The transactions that write these predictions: one, unless they are too large for it. Of several with one request
 * id the first is written.
 */
export const batchesOf = (predictions: readonly Prediction[]): Batch[] => {
  const first = new Map<string, Prediction>();
  for (const prediction of predictions) {
    if (!first.has(prediction.requestId)) first.set(prediction.requestId, prediction);
  }
  const limits = { count: Number.POSITIVE_INFINITY, size: statementBytes - frameBytes };
  const statements = runsOf([...first.values()], limits, (prediction) => sizeOf(prediction) + frameBytes);
  return runsOf(statements, { count: statementsPerBatch - 1 }).map(batchOf);
};

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

/** The Data API has as much to do as it takes on. The SDK does not know that trying again may help. */
const full = new Set([
  "ActiveSessionsExceededException",
  "ActiveStatementsExceededException",
  "ActiveWaitingRequestsExceededException",
]);

const busy = new Set([
  ...full,
  "AbortError",
  "DatabaseConnectionException",
  "QueryTimeoutException",
  "ThrottlingException",
  "TimeoutError",
]);

/** Whether the warehouse was busy, slow or away, so that the same call may do better later. */
export const isBusy = (error: unknown): boolean => {
  const parsed = z
    .object({
      name: z.string(),
      code: z.string().optional(),
      $metadata: z.object({ httpStatusCode: z.number().optional() }).optional(),
    })
    .safeParse(error);
  if (!parsed.success) return false;
  const { name, code, $metadata } = parsed.data;
  return busy.has(name) || isConflict(error) || /^E[A-Z]+$/.test(code ?? "") || ($metadata?.httpStatusCode ?? 0) >= 500;
};

const number = z.object({ longValue: z.number() }).transform(({ longValue }) => longValue);

const countRow = z.tuple([number]).transform(([count]) => count);
const requestIdRow = z.tuple([textField]).transform(([requestId]) => requestId);

const figuresRow = z
  .tuple([number, z.union([timeField, nothing]), z.union([timeField, nothing]), number])
  .transform(([predictions, first, last, recent]): JobFigures => ({ predictions, first, last, recent }));

const jobRow = z
  .tuple([textField, number, timeField, timeField])
  .transform(([jobId, predictions, first, last]): Job => ({ jobId, predictions, first, last }));

const afterTime = "CAST(:after_time AS TIMESTAMP)";

const timeNamed = (place: number) => `CAST(:since_${place} AS TIMESTAMP)`;

const aMinute = () => within(60_000);

export interface ResultsProps {
  /** The identifier of the Redshift cluster. */
  readonly clusterId: string;
  readonly databaseName: string;
  /**
   * The database user whose name IAM lends the caller (`redshift:GetClusterCredentials`).
   * @default the one of the caller's own IAM role
   */
  readonly databaseUser?: string;
  /** What the contract says of the answers: a selection has these values too. @default nothing */
  readonly outputs?: readonly Output[];
}

/** Which of an input's predictions are asked for. */
export interface PredictionFilter {
  /** How many at most. @default 50 */
  readonly limit?: number;
  /** The one of this request. @default all */
  readonly requestId?: string;
  /** Those that come after this one. @default from the newest on */
  readonly after?: Pick<Prediction, "predictedAt" | "requestId">;
}

/** Which predictions are meant: those of which all that is said here is true. */
export interface Selection {
  /** Their inputs are among these. */
  readonly inputIds?: readonly string[];
  /** Their requests are among these. */
  readonly requestIds?: readonly string[];
  /** Their request ids begin so. */
  readonly requestPrefix?: string;
  readonly jobId?: string;
  /** They were made then or later. */
  readonly since?: Date;
}

/** How much there is of a job, and how fast it comes. */
export interface JobFigures {
  readonly predictions: number;
  /** When its first and its last prediction were made. @default it has none */
  readonly first?: Date;
  readonly last?: Date;
  /** How many were made since the time that was asked about. */
  readonly recent: number;
}

/** A job that has predictions. */
export interface Job extends Required<Pick<JobFigures, "predictions" | "first" | "last">> {
  readonly jobId: string;
}

/**
 * What a statement asks of its rows.
 * @param expression how a value stands in the statement
 */
const conditionOf = (
  { inputIds, requestIds, requestPrefix, jobId, since }: Selection,
  expression: (name: string, value: string) => string,
) => {
  const among = (column: string, name: string, ids: readonly string[]) =>
    `${column} IN (${ids.map((id, place) => expression(`${name}_${place}`, id)).join(", ")})`;
  const conditions = [
    ...(inputIds === undefined ? [] : [among("input_id", "input", inputIds)]),
    ...(requestIds === undefined ? [] : [among("request_id", "request", requestIds)]),
    ...(requestPrefix === undefined
      ? []
      : [`LEFT(request_id, ${[...requestPrefix].length}) = ${expression("prefix", requestPrefix)}`]),
    ...(jobId === undefined ? [] : [`job_id = ${expression("job", jobId)}`]),
    ...(since === undefined ? [] : [`predicted_at >= CAST(${expression("since", timestamp(since))} AS TIMESTAMP)`]),
  ];
  return conditions.length === 0 ? "" : ` WHERE ${conditions.join(" AND ")}`;
};

/** The same with the values in parameters. */
const parametersOf = (selection: Selection) => {
  const values: Record<string, string> = {};
  const where = conditionOf(selection, (name, value) => {
    values[name] = value;
    return `:${name}`;
  });
  return { where, values };
};

/** How UNLOAD writes. */
export interface Unloading {
  /** What the files' names begin with: `s3://bucket/prefix/`. */
  readonly to: string;
  readonly format: "csv" | "parquet";
}

const unloadable = /^s3:\/\/[a-z\d][a-z\d.-]{1,61}[a-z\d]\/[\w!.*()/=+@-]*$/;

/**
 * The statement by which Redshift itself writes predictions to S3, as the role that is its default. What is there
 * already stays: then the statement fails.
 * @throws when no object can be named so
 */
export const unloadStatement = (
  selection: Selection,
  { to, format }: Unloading,
  outputs: readonly Output[] = [],
): string => {
  if (!unloadable.test(to)) {
    throw new Error(
      `${JSON.stringify(to)} must be s3://<bucket>/<prefix>, the prefix of letters, digits and !-_.*()/=+@`,
    );
  }
  const where = conditionOf(selection, (_, value) => textExpression(value));
  const columns = shownColumns(outputs).map(({ sql }) => sql);
  const sql = `SELECT ${columns.join(", ")} FROM ${sourceOf(outputs)}${where}`;
  return `UNLOAD ('${sql.replaceAll("'", "''")}') TO '${to}' IAM_ROLE default FORMAT ${format === "csv" ? "CSV HEADER" : "PARQUET"}`;
};

/** The same as selections that a statement each has room for. */
const statementsOf = (selection: Selection): Selection[] => {
  const limits = { count: 500, size: statementBytes - 40_000 };
  const runs = (ids: readonly string[]) => runsOf(ids, limits, bytesOf);
  if (selection.inputIds) return runs(selection.inputIds).map((inputIds) => ({ ...selection, inputIds }));
  if (selection.requestIds) return runs(selection.requestIds).map((requestIds) => ({ ...selection, requestIds }));
  return [selection];
};

/** The predictions in the warehouse. */
export class Results {
  constructor(
    private readonly props: ResultsProps,
    private readonly client = new RedshiftDataClient(clientSettings({ requestTimeout: (waitSeconds + 3) * 1000 })),
  ) {}

  /**
   * Writes predictions, each once however often it is saved: one whose request id has a row already changes nothing.
   * Check each by `unstorable` first, for one that does not fit fails them all.
   * @throws when it is not known that all are written. Saving them again is harmless.
   */
  async save(predictions: readonly Prediction[], until = aMinute()): Promise<void> {
    for (const batch of batchesOf(predictions)) await this.write(batch, until);
  }

  /** The predictions of an input, newest first, those of one time in the order of their request ids. */
  ofInput(
    inputId: string,
    { limit = 50, requestId, after }: PredictionFilter = {},
    until = aMinute(),
  ): Promise<Prediction[]> {
    const sql = [
      `${selectPredictions([])} WHERE input_id = :id`,
      ...(requestId === undefined ? [] : ["AND request_id = :request_id"]),
      ...(after === undefined
        ? []
        : [`AND (predicted_at < ${afterTime} OR predicted_at = ${afterTime} AND request_id > :after_id)`]),
      `ORDER BY predicted_at DESC, request_id LIMIT ${Math.trunc(limit)}`,
    ].join(" ");
    const values = {
      id: inputId,
      ...(requestId !== undefined && { request_id: requestId }),
      ...(after !== undefined && { after_time: timestamp(after.predictedAt), after_id: after.requestId }),
    };
    return this.read(predictionRow, sql, values, until);
  }

  /** All predictions of a job, oldest first. */
  async ofJob(jobId: string, until = aMinute()): Promise<Prediction[]> {
    const predictions: Prediction[] = [];
    for await (const page of this.select({ jobId }, until)) predictions.push(...page);
    return predictions;
  }

  /** How many predictions a job has. */
  countOfJob(jobId: string, until = aMinute()): Promise<number> {
    return this.count({ jobId }, until);
  }

  /**
   * The predictions of a selection as they come from the Data API, a page at a time, oldest first. Where it names more
   * inputs or requests than a statement takes, that holds for each 500 of them.
   */
  async *select(selection: Selection, until: Until): AsyncGenerator<ReadPrediction[], void, undefined> {
    for (const part of statementsOf(selection)) {
      const { where, values } = parametersOf(part);
      const sql = `${selectPredictions(this.outputs)}${where} ORDER BY predicted_at, request_id`;
      for await (const page of this.pages(predictionRow, sql, values, until)) yield this.withLargeTexts(page, until);
    }
  }

  /** The same predictions with the texts that had no room beside the outputs that they stand in. */
  private async withLargeTexts(page: ReadPrediction[], until: Until): Promise<ReadPrediction[]> {
    const texts = this.outputs.filter(({ type }) => type === "text").map(({ name }) => name);
    const large = page.filter(({ output }) => bytesOf(output) > roomyOutputBytes);
    if (texts.length === 0 || large.length === 0) return page;
    const found = new Map<OutputValue, OutputValue[]>();
    for (const part of statementsOf({ requestIds: large.map(({ requestId }) => requestId) })) {
      const { where, values } = parametersOf(part);
      const sql = `SELECT ${["request_id", ...texts.map(identifier)].join(", ")} FROM prediction_values${where}`;
      for (const [requestId, ...row] of await this.read(z.array(valueField), sql, values, until))
        found.set(requestId, row);
    }
    return page.map((prediction) => {
      const own = found.get(prediction.requestId);
      if (own === undefined) return prediction;
      const values = this.outputs.map(({ name, type }, place) =>
        type === "text" ? own[texts.indexOf(name)] : prediction.values?.[place],
      );
      return { ...prediction, values };
    });
  }

  /** Just the ids of the requests, in no order. */
  async *requestIds(selection: Selection, until: Until): AsyncGenerator<string[], void, undefined> {
    for (const part of statementsOf(selection)) {
      const { where, values } = parametersOf(part);
      yield* this.pages(requestIdRow, `SELECT request_id FROM prediction_results${where}`, values, until);
    }
  }

  /** How many predictions there are. */
  async count(selection: Selection, until: Until): Promise<number> {
    let sum = 0;
    for (const part of statementsOf(selection)) {
      const { where, values } = parametersOf(part);
      const [count = 0] = await this.read(countRow, `SELECT COUNT(*) FROM prediction_results${where}`, values, until);
      sum += count;
    }
    return sum;
  }

  /** How much there is of a job, and how much of it was made since a time. */
  async figuresOfJob(jobId: string, recently: Date, until: Until): Promise<JobFigures> {
    const recent = `COUNT(CASE WHEN predicted_at >= CAST(:recently AS TIMESTAMP) THEN 1 END)`;
    const sql = `SELECT COUNT(*), ${inUtc("MIN(predicted_at)")}, ${inUtc("MAX(predicted_at)")}, ${recent} FROM prediction_results WHERE job_id = :job`;
    const [row] = await this.read(figuresRow, sql, { job: jobId, recently: timestamp(recently) }, until);
    return row ?? { predictions: 0, recent: 0 };
  }

  /** The jobs that have predictions, the latest first, so many at most. */
  jobs(limit: number, until: Until): Promise<Job[]> {
    const sql =
      `SELECT job_id, COUNT(*), ${inUtc("MIN(predicted_at)")}, ${inUtc("MAX(predicted_at)")} FROM prediction_results ` +
      `WHERE job_id IS NOT NULL GROUP BY job_id ORDER BY MAX(predicted_at) DESC, job_id LIMIT ${Math.trunc(limit)}`;
    return this.read(jobRow, sql, {}, until);
  }

  /** How many predictions were made since each of these times, of which the first is the earliest. */
  async countsSince(times: readonly [Date, ...Date[]], until = aMinute()): Promise<number[]> {
    const counts = times.map((_, place) => `COUNT(CASE WHEN predicted_at >= ${timeNamed(place)} THEN 1 END)`);
    const [row = []] = await this.read(
      z.array(number),
      `SELECT ${counts.join(", ")} FROM prediction_results WHERE predicted_at >= ${timeNamed(0)}`,
      Object.fromEntries(times.map((time, place) => [`since_${place}`, timestamp(time)])),
      until,
    );
    return row;
  }

  /**
   * Lets Redshift write predictions to S3 (https://docs.aws.amazon.com/redshift/latest/dg/r_UNLOAD.html).
   * @throws also where the selection takes more than a statement has room for
   */
  async unload(selection: Selection, how: Unloading, until: Until): Promise<void> {
    const Sql = unloadStatement(selection, how, this.outputs);
    if (bytesOf(Sql) > statementBytes) throw new Error("These are too many ids for UNLOAD. Name a job or a time.");
    const command = new ExecuteStatementCommand({ ...this.database, Sql });
    await this.finish(await this.client.send(command, { abortSignal: until.signal }), until);
  }

  private get outputs() {
    return this.props.outputs ?? [];
  }

  private get database() {
    const { clusterId, databaseName, databaseUser } = this.props;
    return {
      ClusterIdentifier: clusterId,
      Database: databaseName,
      DbUser: databaseUser,
      WaitTimeSeconds: waitSeconds,
    };
  }

  private async write(batch: Batch, until: Until): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        const command = new BatchExecuteStatementCommand({ ...this.database, ...batch });
        await this.finish(await this.client.send(command, { abortSignal: until.signal }), until);
        return;
      } catch (error) {
        const mayPass = isConflict(error) || (error instanceof Error && full.has(error.name));
        if (!mayPass || attempt === attempts) throw error;
        await backOff(attempt, until.signal);
      }
    }
  }

  private async read<Row>(
    row: z.ZodType<Row>,
    sql: string,
    values: Record<string, string>,
    until: Until,
  ): Promise<Row[]> {
    const rows: Row[] = [];
    for await (const page of this.pages(row, sql, values, until)) rows.push(...page);
    return rows;
  }

  /** Runs a statement, and gives the pages that the Data API makes of its result. */
  private async *pages<Row>(
    row: z.ZodType<Row>,
    sql: string,
    values: Record<string, string>,
    until: Until,
  ): AsyncGenerator<Row[], void, undefined> {
    const parameters = Object.entries(values).map(([name, value]) => ({ name, value }));
    const command = new ExecuteStatementCommand({
      ...this.database,
      Sql: sql,
      Parameters: parameters.length > 0 ? parameters : undefined, // an empty list is refused
    });
    const Id = await this.finish(await this.client.send(command, { abortSignal: until.signal }), until);
    const pages = paginateGetStatementResult({ client: this.client }, { Id }, { abortSignal: until.signal });
    for await (const { Records } of pages) yield z.array(row).parse(Records);
  }

  /** Waits until a statement is through, and gives its id. */
  private async finish(started: { Id?: string; Status?: string }, { signal }: Until): Promise<string> {
    const Id = z.string().parse(started.Id);
    let described: { Status?: string; Error?: string; SubStatements?: { Error?: string }[] } = started;
    for (let round = 1; described.Status !== "FINISHED"; round++) {
      if (described.Status === "FAILED" || described.Status === "ABORTED") {
        const reasons = [described.Error, ...(described.SubStatements ?? []).map((statement) => statement.Error)];
        const reason = reasons.find((text) => text);
        if (reason || round > 1) throw new StatementFailed(Id, described.Status, reason ?? "no reason given");
      } else if (round > 1) await backOff(Math.min(round, 5), signal);
      described = await this.client.send(new DescribeStatementCommand({ Id, WaitTimeSeconds: waitSeconds }), {
        abortSignal: signal,
      });
      if (described.Status === undefined) throw new Error(`statement ${Id} has no status`);
    }
    return Id;
  }
}
