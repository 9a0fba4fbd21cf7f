import type { RedshiftDataClient } from "@aws-sdk/client-redshift-data";
import * as z from "zod";
import { bytesOf } from "../contract/bytes";
import { countField, inUtc, nothing, textField, timeField, timestamp } from "../contract/columns";
import type { Output } from "../contract/model-contract";
import {
  type OutputValue,
  type Prediction,
  predictionRow,
  type ReadPrediction,
  roomyOutputBytes,
  selectPredictions,
  shownColumns,
  sourceOf,
  valueField,
} from "../contract/prediction-table";
import { identifier, textExpression } from "../contract/sql-text";
import { type Until, within } from "./clients";
import { runsOf } from "./flow";
import { type Database, RedshiftData, statementBytes } from "./redshift";

export type { Prediction } from "../contract/prediction-table";

const countRow = z.tuple([countField]).transform(([count]) => count);
const requestIdRow = z.tuple([textField]).transform(([requestId]) => requestId);

const figuresRow = z
  .tuple([countField, z.union([timeField, nothing]), z.union([timeField, nothing]), countField])
  .transform(([predictions, first, last, recent]): JobFigures => ({ predictions, first, last, recent }));

const jobRow = z
  .tuple([textField, countField, timeField, timeField])
  .transform(([jobId, predictions, first, last]): Job => ({ jobId, predictions, first, last }));

const afterTime = "CAST(:after_time AS TIMESTAMP)";

const timeNamed = (place: number) => `CAST(:since_${place} AS TIMESTAMP)`;

const aMinute = () => within(60_000);

export interface ResultsProps extends Database {
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
  private readonly database: RedshiftData;

  constructor(
    private readonly props: ResultsProps,
    client?: RedshiftDataClient,
  ) {
    this.database = new RedshiftData(props, client);
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
    return this.database.read(predictionRow, sql, values, until);
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
      for await (const page of this.database.pages(predictionRow, sql, values, until))
        yield this.withLargeTexts(page, until);
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
      for (const [requestId, ...row] of await this.database.read(z.array(valueField), sql, values, until))
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
      yield* this.database.pages(requestIdRow, `SELECT request_id FROM prediction_results${where}`, values, until);
    }
  }

  /** How many predictions there are. */
  async count(selection: Selection, until: Until): Promise<number> {
    let sum = 0;
    for (const part of statementsOf(selection)) {
      const { where, values } = parametersOf(part);
      const [count = 0] = await this.database.read(
        countRow,
        `SELECT COUNT(*) FROM prediction_results${where}`,
        values,
        until,
      );
      sum += count;
    }
    return sum;
  }

  /** How much there is of a job, and how much of it was made since a time. */
  async figuresOfJob(jobId: string, recently: Date, until: Until): Promise<JobFigures> {
    const recent = `COUNT(CASE WHEN predicted_at >= CAST(:recently AS TIMESTAMP) THEN 1 END)`;
    const sql = `SELECT COUNT(*), ${inUtc("MIN(predicted_at)")}, ${inUtc("MAX(predicted_at)")}, ${recent} FROM prediction_results WHERE job_id = :job`;
    const [row] = await this.database.read(figuresRow, sql, { job: jobId, recently: timestamp(recently) }, until);
    return row ?? { predictions: 0, recent: 0 };
  }

  /** The jobs that have predictions, the latest first, so many at most. */
  jobs(limit: number, until: Until): Promise<Job[]> {
    const sql =
      `SELECT job_id, COUNT(*), ${inUtc("MIN(predicted_at)")}, ${inUtc("MAX(predicted_at)")} FROM prediction_results ` +
      `WHERE job_id IS NOT NULL GROUP BY job_id ORDER BY MAX(predicted_at) DESC, job_id LIMIT ${Math.trunc(limit)}`;
    return this.database.read(jobRow, sql, {}, until);
  }

  /** How many predictions were made since each of these times, of which the first is the earliest. */
  async countsSince(times: readonly [Date, ...Date[]], until = aMinute()): Promise<number[]> {
    const counts = times.map((_, place) => `COUNT(CASE WHEN predicted_at >= ${timeNamed(place)} THEN 1 END)`);
    const [row = []] = await this.database.read(
      z.array(countField),
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
    await this.database.run(Sql, until);
  }

  private get outputs() {
    return this.props.outputs ?? [];
  }
}
