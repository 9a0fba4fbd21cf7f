import { inUtc, timeOf } from "../contract/columns";
import { parseRequestId } from "../contract/job";
import type { Fate } from "../contract/job-result";
import { fateOrder } from "../contract/job-table";
import type { Output } from "../contract/model-contract";
import type { OutputValue } from "../contract/prediction-table";
import { sourceOf } from "../contract/prediction-table";
import { identifier } from "../contract/sql-text";
import type { Until } from "./clients";
import type { RowOutcome } from "./job-result";
import type { RedshiftData } from "./redshift";
import type { Unloads } from "./unloads";

/** An outcome, and how many others were unloaded before it. */
export interface PlacedOutcome extends RowOutcome {
  readonly place: number;
}

export interface JobOutcomesProps {
  readonly database: Pick<RedshiftData, "begin" | "ended">;
  readonly unloads: Pick<Unloads, "newFolder" | "statement" | "rows" | "remove">;
  /** What the contract says of the answers. */
  readonly outputs: readonly Output[];
}

/** Comes after every id of a run. */
const lastOf = (run: string) => `${run}~`;

const noText = "CAST(NULL AS VARCHAR(65535))";
const ownColumns = ["request_id", "output", "model_release", "predicted_at", "code", "reason"];

/**
 * The outcomes of a job's rows, one of each: its answer, else its first failure. After them comes a row that is none, by
 * which the reader knows that it has them all.
 * @param run of the job's requests: its literals let Redshift pass over all other rows
 */
const selectOutcomes = (run: string, jobId: string, outputs: readonly Output[]) => {
  const nameOf = (place: number) => `value_${place}`;
  const of = (table: string) =>
    `${table}.request_id BETWEEN '${run}' AND '${lastOf(run)}' AND ${table}.job_id = '${jobId}'`;
  const values = outputs.map(({ name }, place) => `, ${identifier(name)} AS ${nameOf(place)}`).join("");
  const none = outputs.map(({ type }) => `, ${type === "text" ? noText : "CAST(NULL AS DOUBLE PRECISION)"}`).join("");
  const source = `FROM (
SELECT request_id, output, model_release, ${inUtc("predicted_at")} AS predicted_at, ${noText} AS code, ${noText} AS reason${values}
FROM ${sourceOf(outputs)} AS answer WHERE ${of("answer")}
UNION ALL
SELECT request_id, ${noText}, ${noText}, ${noText}, code, reason${none} FROM (
SELECT failure.request_id, failure.code, failure.reason, ROW_NUMBER() OVER (PARTITION BY failure.request_id ORDER BY ${fateOrder}) AS place
FROM prediction_failures AS failure WHERE ${of("failure")}
AND NOT EXISTS (SELECT 1 FROM prediction_results AS answer WHERE ${of("answer")} AND answer.request_id = failure.request_id)
) AS failed WHERE place = 1
UNION ALL
SELECT '${lastOf(run)}', ${noText}, ${noText}, ${noText}, ${noText}, ${noText}${none}
) AS outcome`;
  return { expressions: [...ownColumns, ...outputs.map((_, place) => nameOf(place))], source };
};

const noRow = (what: string) => new Error(`what was unloaded has a row with ${what}`);

/** What a value must be, and is in every row that the statement writes. */
const textIn = (value: string | number | null | undefined, column: string): string => {
  if (typeof value !== "string") throw noRow(`no ${column}`);
  return value;
};

const fateOf = ([, output, release, at, code, reason, ...values]: readonly (string | number | null)[]): Fate => {
  if (code !== null) return { code: textIn(code, "code"), reason: textIn(reason, "reason") };
  return {
    output: textIn(output, "output"),
    values: values.map((value): OutputValue => value ?? undefined),
    modelRelease: textIn(release, "model_release"),
    predictedAt: timeOf(textIn(at, "predicted_at")),
  };
};

/** What became of the rows of jobs, as the warehouse says: unloaded once, and then read as often as is needed. */
export class JobOutcomes {
  constructor(private readonly props: JobOutcomesProps) {}

  /** Begins to unload what became of a job's rows. @returns the folder that will have it, and what writes it */
  async unload(run: string, jobId: string, until: Until): Promise<{ folder: string; statement: string }> {
    const { database, unloads, outputs } = this.props;
    const { expressions, source } = selectOutcomes(run, jobId, outputs);
    const folder = unloads.newFolder();
    return {
      folder,
      statement: await database.begin(unloads.statement(expressions, source, folder, "request_id"), until),
    };
  }

  /** Waits until all is unloaded. @throws StatementFailed where it is not, nor ever will be */
  async unloaded(statement: string, until: Until): Promise<void> {
    await this.props.database.ended(statement, until);
  }

  /**
   * What was unloaded, in the rows' order.
   * @param from how many are passed over
   * @throws when not every one that was in the table was read
   */
  async *read(run: string, folder: string, from: number, until: Until): AsyncGenerator<PlacedOutcome, void, undefined> {
    const { unloads, outputs } = this.props;
    let isWhole = false;
    let place = from;
    for await (const page of unloads.rows(folder, ownColumns.length + outputs.length, until, from)) {
      for (const values of page) {
        if (isWhole) throw noRow("an id after the last");
        const requestId = textIn(values[0], "request_id");
        isWhole = requestId === lastOf(run);
        if (isWhole) continue;
        const parsed = parseRequestId(requestId);
        // Requests that others send with such an id are no rows.
        if (parsed?.run === run) yield { row: parsed.row, fate: fateOf(values), place };
        place++;
      }
    }
    if (!isWhole) throw new Error(`the outcomes of run ${run} end before the last`);
  }

  /** Deletes what was unloaded, as far as that can be done. */
  async remove(folder: string): Promise<void> {
    await this.props.unloads.remove(folder);
  }
}
