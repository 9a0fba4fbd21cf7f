import type { RedshiftDataClient } from "@aws-sdk/client-redshift-data";
import * as z from "zod";
import { bytesOf } from "../contract/bytes";
import { countField, inUtc, nothing, textField, timeField, timestamp } from "../contract/columns";
import { sharesView } from "../contract/counted-answer";
import {
  failureExpressions,
  failureRow,
  failureSchema,
  ruleExpression,
  type StoredFailure,
  shownFailures,
} from "../contract/failure-table";
import { quietCodes } from "../contract/job";
import type { Output } from "../contract/model-contract";
import {
  doubleField,
  type OutputValue,
  type Prediction,
  predictionExpressions,
  predictionRow,
  predictionSchema,
  type ReadPrediction,
  roomyOutputBytes,
  sourceOf,
  valueField,
} from "../contract/prediction-table";
import { identifier, textExpression } from "../contract/sql-text";
import { type Until, within } from "./clients";
import { runsOf } from "./flow";
import { type Database, RedshiftData, statementBytes } from "./redshift";
import { Unloads, type UnloadsProps } from "./unloads";

export type { StoredFailure } from "../contract/failure-table";
export type { Prediction } from "../contract/prediction-table";

/**
 * The most of a result that the Data API hands out, in bytes, compressed by gzip
 * (https://docs.aws.amazon.com/redshift/latest/mgmt/data-api.html). What it says of a larger one is written nowhere, so a
 * result is measured first.
 */
const resultBytes = 500_000_000;

/** The most that a row takes beside its texts of any length, in bytes: ids, times and names. */
const rowBytes = 2_000;

const aMinute = () => within(60_000);

export type ResultsProps = Database & {
  /** What the contract says of the answers: a selection has these values too. @default nothing */
  readonly outputs?: readonly Output[];
  /** Where results go that the Data API does not hand out. @default they fail */
  readonly unloads?: UnloadsProps;
  /** The most bytes of a result that is read from the Data API. @default as many as it hands out */
  readonly resultBytes?: number;
};

/** Which of an input's predictions are asked for. */
export interface PredictionFilter {
  /** How many at most. @default 50 */
  readonly limit?: number;
  /** Those that come after this one. @default from the newest on */
  readonly after?: Pick<Prediction, "predictedAt" | "requestId">;
}

/** Which requests are meant: those of which all that is said here is true. */
export interface Selection {
  /** Their inputs are among these. */
  readonly inputIds?: readonly string[];
  /** Their ids are among these. */
  readonly requestIds?: readonly string[];
  /** Their ids are this and a character of ASCII or more, such as those of a run. */
  readonly requestPrefix?: string;
  readonly jobId?: string;
  /** They were answered, or failed, then or later. */
  readonly since?: Date;
}

/** A request and what it was for. */
export interface RequestOfInput {
  readonly requestId: string;
  /** @default it could not be read */
  readonly inputId?: string;
}

/** How many requests there are by how they ended. */
export interface Ended {
  readonly answered: number;
  readonly failed: number;
}

/** Requests that failed alike. */
export interface FailureGroup {
  readonly code: string;
  readonly rule: string;
  readonly count: number;
  /** Some of their inputs. */
  readonly inputIds: readonly string[];
}

/** How often an answer was given on a day, by a release. */
export interface AnswerShare {
  /** In UTC, as ISO 8601 has it. */
  readonly day: string;
  readonly modelRelease: string;
  /** @default all that have no row of their own, together */
  readonly answer?: string;
  readonly predictions: number;
  /** Of all predictions of that day and release, from 0 to 1. */
  readonly share: number;
}

const maybe = z.union([textField, nothing]);
const shareRow = z
  .tuple([textField, textField, maybe, countField, doubleField])
  .transform(([day, modelRelease, answer, predictions, share]): AnswerShare => {
    return { day, modelRelease, answer, predictions, share };
  });
const requestRow = z
  .tuple([textField, maybe])
  .transform(([requestId, inputId]): RequestOfInput => ({ requestId, ...(inputId !== undefined && { inputId }) }));
const endedRow = z.tuple([countField, countField]).transform(([answered, failed]): Ended => ({ answered, failed }));
const groupRow = z.tuple([textField, textField, countField, maybe, maybe]).transform(
  ([code, rule, count, ...some]): FailureGroup => ({
    code,
    rule,
    count,
    inputIds: [...new Set(some)].flatMap((inputId) => inputId ?? []),
  }),
);

/** What became of a request. */
const outcomeRow = z
  .tuple([textField, maybe, maybe, maybe, maybe, maybe, maybe, timeField, timeField, maybe, maybe])
  .transform(
    ([requestId, inputId, jobId, output, endpoint, variant, modelRelease, requestedAt, endedAt, code, reason]) => {
      const asked = { requestId, inputId, jobId, requestedAt };
      return code === undefined
        ? { ...asked, output, endpoint, variant, modelRelease, predictedAt: endedAt }
        : { ...asked, code, reason, failedAt: endedAt };
    },
  );
const outcomes = z.array(z.union([failureSchema, predictionSchema]));

/** How a value stands in a statement. */
type Expression = (name: string, value: string) => string;

type Table = "answer" | "failure";

const endedAt = { answer: "predicted_at", failure: "failed_at" } as const;

/** What a selection asks of the rows of a table. `of` says of which ones: those of an answer have the failure's ids. */
const conditionOf = (
  { inputIds, requestIds, requestPrefix, jobId, since }: Selection,
  expression: Expression,
  table: Table,
  of: Table = table,
) => {
  const among = (column: string, name: string, ids: readonly string[]) =>
    `${table}.${column} IN (${ids.map((id, place) => expression(`${name}_${place}`, id)).join(", ")})`;
  const conditions = [
    ...(inputIds === undefined ? [] : [among("input_id", "input", inputIds)]),
    ...(requestIds === undefined ? [] : [among("request_id", "request", requestIds)]),
    // Only a literal lets Redshift pass over other ids.
    ...(requestPrefix === undefined
      ? []
      : [`${table}.request_id BETWEEN ${textExpression(requestPrefix)} AND ${textExpression(`${requestPrefix}~`)}`]),
    ...(jobId === undefined ? [] : [`${table}.job_id = ${expression("job", jobId)}`]),
    ...(since === undefined || table !== of ? [] : [sinceCondition(`${table}.${endedAt[table]}`, since, expression)]),
  ];
  return conditions.length === 0 ? "TRUE" : conditions.join(" AND ");
};

/** That a time is then or later. The literal of its day lets Redshift pass over earlier ones. */
const sinceCondition = (column: string, since: Date, expression: Expression, name = "since") => {
  const time = timestamp(since);
  return `${column} >= '${time.slice(0, 10)}' AND ${column} >= CAST(${expression(name, time)} AS TIMESTAMP)`;
};

/** What is read of the requests of a selection. */
interface Reading<Row> {
  /** @param isRoomy whether a row may be larger than one of the Data API */
  expressions(isRoomy: boolean): readonly string[];
  readonly row: z.ZodType<Row>;
  /** FROM, with all its conditions. */
  from(selection: Selection, expression: Expression): string;
  /** The order of the rows, as far as there is one. */
  readonly order?: string;
  /** What the texts of a row take that may be of any length, in bytes. */
  readonly texts: string;
}

const answersFrom = (table: string) => (selection: Selection, expression: Expression) =>
  `FROM ${table} AS answer WHERE ${conditionOf(selection, expression, "answer")}`;

const failuresFrom = (selection: Selection, expression: Expression) =>
  `FROM ${shownFailures((table) => conditionOf(selection, expression, table, "failure"))}`;

const requests = {
  expressions: () => ["request_id", "input_id"],
  row: requestRow,
  texts: "0",
};
const answeredRequests: Reading<RequestOfInput> = { ...requests, from: answersFrom("prediction_results") };
const failedRequests: Reading<RequestOfInput> = { ...requests, from: failuresFrom };
const failures: Reading<StoredFailure> = {
  expressions: () => failureExpressions,
  row: failureRow,
  from: failuresFrom,
  order: "failed_at, request_id",
  texts: "OCTET_LENGTH(reason)",
};

/** A statement, with its values in parameters. */
const withParameters = (make: (expression: Expression) => string) => {
  const values: Record<string, string> = {};
  const sql = make((name, value) => {
    values[name] = value;
    return `:${name}`;
  });
  return { sql, values };
};

/** A selection in two, where it names several ids. */
const halvesOf = (selection: Selection): Selection[] => {
  const { inputIds, requestIds } = selection;
  const halves = <T>(ids: readonly T[]) => [ids.slice(0, ids.length / 2), ids.slice(ids.length / 2)];
  if (inputIds) return halves(inputIds).map((half) => ({ ...selection, inputIds: half }));
  return halves(requestIds ?? []).map((half) => ({ ...selection, requestIds: half }));
};

/** The same as selections that a statement each has room for. */
const statementsOf = (selection: Selection): Selection[] => {
  const limits = { count: 500, size: statementBytes - 40_000 };
  const runs = (ids: readonly string[]) => runsOf(ids, limits, bytesOf);
  if (selection.inputIds) return runs(selection.inputIds).map((inputIds) => ({ ...selection, inputIds }));
  if (selection.requestIds) return runs(selection.requestIds).map((requestIds) => ({ ...selection, requestIds }));
  return [selection];
};

/** What the warehouse knows of requests. */
export class Results {
  private readonly database: RedshiftData;
  private readonly unloads?: Unloads;

  constructor(
    private readonly props: ResultsProps,
    client?: RedshiftDataClient,
  ) {
    this.database = new RedshiftData(props, client);
    if (props.unloads) this.unloads = new Unloads(props.unloads);
  }

  /** The predictions of an input, newest first, those of one time in the order of their request ids. */
  ofInput(inputId: string, { limit = 50, after }: PredictionFilter = {}, until = aMinute()): Promise<Prediction[]> {
    const afterTime = "CAST(:after_time AS TIMESTAMP)";
    const sql = [
      `SELECT ${predictionExpressions([], false).join(", ")} FROM prediction_results WHERE input_id = :id`,
      ...(after === undefined
        ? []
        : [`AND (predicted_at < ${afterTime} OR predicted_at = ${afterTime} AND request_id > :after_id)`]),
      `ORDER BY predicted_at DESC, request_id LIMIT ${Math.trunc(limit)}`,
    ].join(" ");
    const values = {
      id: inputId,
      ...(after !== undefined && { after_time: timestamp(after.predictedAt), after_id: after.requestId }),
    };
    return this.database.read(predictionRow, sql, values, until);
  }

  /** What became of a request for an input: its answer, or else its last failure. @returns undefined where it has neither */
  async ofRequest(requestId: string, inputId: string, until: Until): Promise<Prediction | StoredFailure | undefined> {
    const sql = `SELECT request_id, input_id, job_id, output, endpoint, variant, model_release, ${inUtc("requested_at")}, ${inUtc("predicted_at")}, CAST(NULL AS VARCHAR(64)), CAST(NULL AS VARCHAR(4096))
FROM prediction_results WHERE request_id = ${textExpression(requestId)} AND input_id = :input
UNION ALL
SELECT request_id, input_id, job_id, NULL, NULL, NULL, NULL, ${inUtc("requested_at")}, ${inUtc("failed_at")}, code, reason
FROM prediction_failures WHERE request_id = ${textExpression(requestId)} AND (input_id = :input OR input_id IS NULL)`;
    const found = outcomes.parse(await this.database.read(outcomeRow, sql, { input: inputId }, until));
    const answer = found.find((one) => "output" in one);
    if (answer) return answer;
    const endedAt = (one: Prediction | StoredFailure) => ("code" in one ? one.failedAt : one.predictedAt).getTime();
    return found.sort((one, other) => endedAt(other) - endedAt(one))[0];
  }

  /**
   * The predictions of a selection as they come, a page at a time, oldest first; in no order where they are more than the
   * Data API hands out. Where it names more inputs or requests than a statement takes, that holds for each 500 of them.
   */
  async *select(selection: Selection, until: Until): AsyncGenerator<ReadPrediction[], void, undefined> {
    const { outputs } = this;
    const reading: Reading<ReadPrediction> = {
      expressions: (isRoomy) => predictionExpressions(outputs, isRoomy),
      row: predictionRow,
      from: answersFrom(sourceOf(outputs)),
      order: "predicted_at, request_id",
      texts: outputs.length === 0 ? "OCTET_LENGTH(output)" : "2 * OCTET_LENGTH(output)", // a value is a part of it
    };
    for await (const { page, isRoomy } of this.pages(reading, selection, until))
      yield isRoomy ? page : this.withLargeTexts(page, until);
  }

  /** The requests of a selection that are answered, and those that failed, a page at a time and in no order. */
  async *requests(
    which: keyof Ended,
    selection: Selection,
    until: Until,
  ): AsyncGenerator<RequestOfInput[], void, undefined> {
    const reading = which === "answered" ? answeredRequests : failedRequests;
    for await (const { page } of this.pages(reading, selection, until)) yield page;
  }

  /** The failures that are shown of a selection, as {@link select} gives predictions. */
  async *failures(selection: Selection, until: Until): AsyncGenerator<StoredFailure[], void, undefined> {
    for await (const { page } of this.pages(failures, selection, until)) yield page;
  }

  /** How many requests of a selection are answered, and how many failed. */
  async counts(selection: Selection, until: Until): Promise<Ended> {
    let sum: Ended = { answered: 0, failed: 0 };
    for (const part of statementsOf(selection)) {
      const { sql, values } = withParameters((expression) => {
        const count = ({ from }: Reading<unknown>) => `(SELECT COUNT(*) ${from(part, expression)})`;
        return `SELECT ${count(answeredRequests)}, ${count(failedRequests)}`;
      });
      const [found] = await this.database.read(endedRow, sql, values, until);
      if (found) sum = { answered: sum.answered + found.answered, failed: sum.failed + found.failed };
    }
    return sum;
  }

  /** Why requests of a selection failed, the most frequent first, so many groups at most. */
  async groups(selection: Selection, most: number, until: Until): Promise<FailureGroup[]> {
    const groups: FailureGroup[] = [];
    for (const part of statementsOf(selection)) {
      const { sql, values } = withParameters(
        (expression) =>
          `SELECT code, ${ruleExpression}, COUNT(*), MIN(input_id), MAX(input_id) ${failuresFrom(part, expression)} GROUP BY 1, 2 ORDER BY COUNT(*) DESC, 1, 2 LIMIT ${Math.trunc(most)}`,
      );
      groups.push(...(await this.database.read(groupRow, sql, values, until)));
    }
    return mergedGroups(groups).slice(0, most);
  }

  /**
   * How many requests were answered since each of these times, of which the first is the earliest, and how often one has
   * failed since it, but for {@link quietCodes}: whether it is answered by now is not looked for, since that is among all
   * rows.
   */
  async countsSince(
    times: readonly [Date, ...Date[]],
    until = aMinute(),
  ): Promise<{ readonly answered: readonly number[]; readonly failed: number }> {
    const { sql, values } = withParameters((expression) => {
      const [first, ...others] = times;
      const counts = others.map(
        (time, place) =>
          `COUNT(CASE WHEN ${sinceCondition("predicted_at", time, expression, `since_${place + 1}`)} THEN 1 END)`,
      );
      const failed = `(SELECT COUNT(*) FROM prediction_failures WHERE ${sinceCondition("failed_at", first, expression)} AND code NOT IN (${quiet}))`;
      return `SELECT ${[failed, "COUNT(*)", ...counts].join(", ")} FROM prediction_results WHERE ${sinceCondition("predicted_at", first, expression)}`;
    });
    const [[failed = 0, ...answered] = []] = await this.database.read(z.array(countField), sql, values, until);
    return { answered, failed };
  }

  /**
   * How long the oldest request of a selection had waited, in whole seconds, of those that were answered in a span of so
   * many seconds: by the number of the span since 1970.
   */
  async ages(selection: Selection, spanSeconds: number, until: Until): Promise<ReadonlyMap<number, number>> {
    const { sql, values } = withParameters((expression) => {
      const secondsOf = (column: string) => `EXTRACT(EPOCH FROM ${column})`;
      const age = `GREATEST(MAX(${secondsOf("predicted_at")} - ${secondsOf("requested_at")}), 0)`;
      const span = `FLOOR(${secondsOf("predicted_at")} / ${Math.trunc(spanSeconds)})`;
      return `SELECT CAST(${span} AS BIGINT), CAST(${age} AS BIGINT) ${answersFrom("prediction_results")(selection, expression)} GROUP BY 1`;
    });
    return new Map(await this.database.read(z.tuple([countField, countField]), sql, values, until));
  }

  /**
   * How often each answer was given, a page at a time, the oldest day first.
   * @param since only the day of this time and later ones @default all days
   */
  async *shares(since: Date | undefined, until: Until): AsyncGenerator<AnswerShare[], void, undefined> {
    const sql = [
      `SELECT TO_CHAR(day, 'YYYY-MM-DD'), model_release, answer, predictions, share FROM ${sharesView}`,
      ...(since === undefined ? [] : [`WHERE day >= '${timestamp(since).slice(0, 10)}'`]),
      "ORDER BY day, model_release, predictions DESC, answer",
    ].join(" ");
    yield* this.database.pages(shareRow, sql, {}, until);
  }

  private async *pages<Row>(
    reading: Reading<Row>,
    selection: Selection,
    until: Until,
  ): AsyncGenerator<{ readonly page: Row[]; readonly isRoomy: boolean }, void, undefined> {
    for (const part of statementsOf(selection)) yield* this.part(reading, part, until);
  }

  /** The pages of what a statement takes. */
  private async *part<Row>(
    reading: Reading<Row>,
    selection: Selection,
    until: Until,
  ): AsyncGenerator<{ readonly page: Row[]; readonly isRoomy: boolean }, void, undefined> {
    if (this.unloads !== undefined && (await this.isLarge(reading, selection, until))) {
      const folder = this.unloads.newFolder();
      const expressions = reading.expressions(true);
      const source = reading.from(selection, (_, value) => textExpression(value)); // UNLOAD takes no parameters
      const sql = this.unloads.statement(expressions, source, folder);
      const { inputIds, requestIds = [] } = selection;
      if (bytesOf(sql) > statementBytes && (inputIds ?? requestIds).length > 1) {
        for (const half of halvesOf(selection)) yield* this.part(reading, half, until);
        return;
      }
      await this.database.run(sql, until);
      for await (const page of this.unloads.pages(folder, expressions.length, until)) {
        yield { page: z.array(reading.row).parse(page), isRoomy: true };
      }
      return;
    }
    const order = reading.order === undefined ? "" : ` ORDER BY ${reading.order}`;
    const { sql, values } = withParameters(
      (expression) => `SELECT ${reading.expressions(false).join(", ")} ${reading.from(selection, expression)}${order}`,
    );
    for await (const page of this.database.pages(reading.row, sql, values, until)) yield { page, isRoomy: false };
  }

  /** Whether what is read may be more than the Data API hands out. */
  private async isLarge({ from, texts }: Reading<unknown>, selection: Selection, until: Until): Promise<boolean> {
    if (selection.requestIds !== undefined) return false; // 500 rows of 64 KB are 32 MB
    const { sql, values } = withParameters(
      (expression) =>
        `SELECT CAST(COUNT(*) * ${rowBytes} + COALESCE(SUM(CAST(${texts} AS BIGINT)), 0) AS BIGINT) ${from(selection, expression)}`,
    );
    const [bytes = 0] = await this.database.read(bytesRow, sql, values, until);
    return bytes > (this.props.resultBytes ?? resultBytes);
  }

  /** The same predictions with the texts that had no room beside the outputs that they stand in. */
  private async withLargeTexts(page: ReadPrediction[], until: Until): Promise<ReadPrediction[]> {
    const texts = this.outputs.filter(({ type }) => type === "text").map(({ name }) => name);
    const large = page.filter(({ output }) => bytesOf(output) > roomyOutputBytes);
    if (texts.length === 0 || large.length === 0) return page;
    const found = new Map<OutputValue, OutputValue[]>();
    for (const part of statementsOf({ requestIds: large.map(({ requestId }) => requestId) })) {
      const columns = ["request_id", ...texts.map(identifier)].join(", ");
      const { sql, values } = withParameters(
        (expression) => `SELECT ${columns} ${answersFrom("prediction_values")(part, expression)}`,
      );
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

  private get outputs() {
    return this.props.outputs ?? [];
  }
}

/** The same with those of one rule as one group, the most frequent first. */
const mergedGroups = (groups: readonly FailureGroup[]): FailureGroup[] => {
  const merged = new Map<string, FailureGroup>();
  for (const group of groups) {
    const key = JSON.stringify([group.code, group.rule]);
    const { count = 0, inputIds = [] } = merged.get(key) ?? {};
    const some = [...new Set([...inputIds, ...group.inputIds])].slice(0, inputsShown);
    merged.set(key, { ...group, count: count + group.count, inputIds: some });
  }
  return [...merged.values()].sort((one, other) => other.count - one.count);
};

const quiet = quietCodes.map(textExpression).join(", ");

const inputsShown = 5;

const bytesRow = z.tuple([countField]).transform(([bytes]) => bytes);
