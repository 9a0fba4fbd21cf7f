import { type Column, definitionsOf, listOf } from "./columns";
import { endingOf, endings, rowPattern } from "./job";
import { predictionColumns } from "./prediction-table";

/**
 * The order of a request's failures, the first of which is its fate where it has no answer. `not_answered` is said before a
 * last attempt, so whatever came of that is better known.
 */
export const fateOrder = "CASE WHEN code = 'not_answered' THEN 1 ELSE 0 END, failed_at, code";

/** The columns of `prediction_jobs`: how much there is of each job, its rows apart from what else names it. */
const columns: readonly Column[] = [
  { ...predictionColumns.jobId, optional: false },
  /** What the ids of its rows' requests begin with; empty for requests that are no rows of a job. */
  { name: "run", type: "text", maxBytes: 23 },
  ...endings.map((name): Column => ({ name, type: "number", maxBytes: 20 })),
  /** Transactions that have changed the row. */
  { name: "commits", type: "number", maxBytes: 20 },
  /** When its first outcome was made, and its last. */
  { name: "first_at", type: "time", maxBytes: 23 },
  { name: "last_at", type: "time", maxBytes: 23 },
];

/** The names of the columns, as an INSERT lists them. */
export const jobColumnNames = listOf(columns);

/** The small table of jobs, which the loader keeps in the transaction that writes their rows. */
export const createJobs = (table: string) => `CREATE TABLE IF NOT EXISTS ${table} (
${definitionsOf(columns)}
) DISTSTYLE ALL SORTKEY(job_id)`;

/** The columns that the table did not have at first, as a table gets them that is there. */
export const laterColumns: readonly string[] = [
  "run VARCHAR(23) NOT NULL DEFAULT ''",
  ...["expired", "cancelled", "commits"].map((name) => `${name} BIGINT NOT NULL DEFAULT 0`),
];

/** The run of a request's id, as the column holds it. LIKE stands first, being the cheaper one by far. */
export const runExpression = (requestId: string): string =>
  `CASE WHEN ${requestId} LIKE '________-____-8___-8___-____________' AND ${requestId} ~ '${rowPattern.source}' THEN SUBSTRING(${requestId}, 1, 23) ELSE '' END`;

/** The codes that are counted apart from other failures. */
const countedApart = endings.filter((ending) => ending !== "failed" && endingOf(ending) === ending);

/** How a failure's code is counted. */
export const endingExpression = (code: string): string =>
  `CASE WHEN ${code} IN (${countedApart.map((ending) => `'${ending}'`).join(", ")}) THEN ${code} ELSE 'failed' END`;
