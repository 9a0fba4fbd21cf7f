import { failureColumnNames, isAnswered } from "../contract/failure-table";
import type { Tables } from "../contract/load-tables";
import { createIncoming, incomingColumnNames } from "../contract/outcome";
import { columnNames } from "../contract/prediction-table";

/** What a load reads, and how. */
export interface Load {
  /** Where the list of the objects is. */
  readonly manifestUrl: string;
  /** The role by which the cluster reads them. */
  readonly copyRoleArn: string;
  /** The least and the greatest time that the request ids begin with. @default some have none: all rows are looked at */
  readonly range?: readonly [least: string, greatest: string];
  readonly tables: Tables;
}

const conflict = "a request of the same requestId was answered that has another id or jobId";

/** What a row of a table is, where it may be none. */
const text = (column: string) => `COALESCE(${column}, '')`;

/** The statements of a load by what they do, in their order: one transaction. */
export const loadStatements = ({ manifestUrl, copyRoleArn, range, tables }: Load) => {
  // Only a literal lets Redshift pass over what is older. "~" comes after every character of an id of this project's.
  const within = (table: string) =>
    range === undefined ? "" : ` AND ${table}.request_id BETWEEN '${range[0]}' AND '${range[1]}~'`;
  const { lock, results, failures, jobs } = tables;
  return {
    // First, since the transaction's snapshot, taken by the statement after it, then holds every row written before.
    lock: `LOCK ${lock}`,
    createIncoming,
    copy: `COPY incoming (${incomingColumnNames}) FROM '${manifestUrl}' IAM_ROLE '${copyRoleArn}' FORMAT JSON 'auto' GZIP MANIFEST TIMEFORMAT 'auto' COMPUPDATE OFF STATUPDATE OFF`,
    /** The first answer to each request that has none. */
    findAnswers: `CREATE TEMP TABLE new_answers AS SELECT ${columnNames} FROM (
SELECT *, ended_at AS predicted_at, ROW_NUMBER() OVER (PARTITION BY request_id ORDER BY ended_at, input_id, output, ${text("job_id")}) AS place
FROM incoming WHERE code IS NULL) AS answer
WHERE place = 1 AND NOT EXISTS (SELECT 1 FROM ${results} AS stored WHERE stored.request_id = answer.request_id${within("stored")})`,
    insertAnswers: `INSERT INTO ${results} (${columnNames}) SELECT ${columnNames} FROM new_answers`,
    /**
     * The first failure of each request, input, job and code; an answer to what another was stored for is one. Where every
     * answer is new there is none of these, and nothing is joined.
     */
    findFailures: `CREATE TEMP TABLE new_failures AS SELECT ${failureColumnNames} FROM (
SELECT *, ROW_NUMBER() OVER (PARTITION BY request_id, ${text("input_id")}, ${text("job_id")}, code ORDER BY failed_at, reason) AS place
FROM (SELECT request_id, input_id, job_id, code, reason, requested_at, ended_at AS failed_at FROM incoming WHERE code IS NOT NULL
UNION ALL
SELECT answer.request_id, answer.input_id, answer.job_id, 'conflict', '${conflict}', answer.requested_at, answer.ended_at
FROM incoming AS answer JOIN ${results} AS stored ON stored.request_id = answer.request_id${within("stored")}
WHERE answer.code IS NULL AND NOT (${isAnswered("answer", "stored")})
AND (SELECT COUNT(*) FROM incoming WHERE code IS NULL) > (SELECT COUNT(*) FROM new_answers)) AS failed) AS failure
WHERE place = 1 AND NOT EXISTS (SELECT 1 FROM ${failures} AS stored WHERE ${isSameFailure("failure", "stored")} AND stored.code = failure.code${within("stored")})`,
    /** What all this adds to each job. It looks at the failures that were stored before. */
    findJobs: `CREATE TEMP TABLE new_jobs AS SELECT job_id, SUM(answered) AS answered, SUM(failed) AS failed, MIN(ended_at) AS first_at, MAX(ended_at) AS last_at FROM (
SELECT job_id, 1 AS answered, 0 AS failed, predicted_at AS ended_at FROM new_answers
UNION ALL
SELECT answer.job_id, 0, -1, answer.predicted_at FROM new_answers AS answer
WHERE EXISTS (SELECT 1 FROM ${failures} AS stored WHERE ${isAnswered("stored", "answer")}${within("stored")})
UNION ALL
SELECT failure.job_id, 0, 1, MIN(failure.failed_at) FROM new_failures AS failure
WHERE NOT EXISTS (SELECT 1 FROM ${results} AS stored WHERE ${isAnswered("failure", "stored")}${within("stored")})
AND NOT EXISTS (SELECT 1 FROM ${failures} AS stored WHERE ${isSameFailure("failure", "stored")}${within("stored")})
GROUP BY failure.request_id, failure.input_id, failure.job_id) AS added
WHERE job_id IS NOT NULL GROUP BY job_id`,
    insertFailures: `INSERT INTO ${failures} (${failureColumnNames}) SELECT ${failureColumnNames} FROM new_failures`,
    updateJobs: `UPDATE ${jobs} SET answered = ${jobs}.answered + added.answered, failed = ${jobs}.failed + added.failed,
first_at = LEAST(${jobs}.first_at, added.first_at), last_at = GREATEST(${jobs}.last_at, added.last_at)
FROM new_jobs AS added WHERE ${jobs}.job_id = added.job_id`,
    insertJobs: `INSERT INTO ${jobs} (job_id, answered, failed, first_at, last_at)
SELECT job_id, answered, failed, first_at, last_at FROM new_jobs AS added
WHERE NOT EXISTS (SELECT 1 FROM ${jobs} AS stored WHERE stored.job_id = added.job_id)`,
  };
};

/** That two failures are of the same request, input and job. */
const isSameFailure = (one: string, other: string) =>
  `${other}.request_id = ${one}.request_id AND ${text(`${other}.input_id`)} = ${text(`${one}.input_id`)} AND ${text(`${other}.job_id`)} = ${text(`${one}.job_id`)}`;
