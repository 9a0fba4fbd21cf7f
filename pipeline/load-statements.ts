import { inUtc, timestamp } from "../contract/columns";
import { failureColumnNames, isAnswered } from "../contract/failure-table";
import { endings } from "../contract/job";
import { endingExpression, fateOrder, jobColumnNames, runExpression } from "../contract/job-table";
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
  readonly now: Date;
}

/**
 * The longest that SQS hides a message, in milliseconds
 * (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html).
 */
const longestVisibility = 43_200_000;

/** By how much the clocks of a function and another, or the database, may differ, in milliseconds; assumed. */
export const clockSkew = 60_000;

const conflict = "a request of the same requestId was answered that has another id or jobId";

/** What a row of a table is, where it may be none. */
const text = (column: string) => `COALESCE(${column}, '')`;

/** Only a literal lets Redshift pass over what is older. "~" comes after every character of an id of this project's. */
const withinOf = (range: Load["range"]) => (table: string) =>
  range === undefined ? "" : ` AND ${table}.request_id BETWEEN '${range[0]}' AND '${range[1]}~'`;

/** The statements of a load by what they do, in their order: one transaction. */
export const loadStatements = (load: Load) => {
  const { manifestUrl, copyRoleArn, range, tables } = load;
  const { lock, results, failures, jobs } = tables;
  const within = withinOf(range);
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
    /** The new failures of requests of a job that are not answered by now. */
    findUnanswered: `CREATE TEMP TABLE unanswered AS SELECT request_id, job_id, code, failed_at FROM new_failures AS failure
WHERE job_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM ${results} AS stored WHERE ${isOfRequest("failure", "stored")}${within("stored")})`,
    /** All failures of the requests whose fate may be another now. */
    findFates: `CREATE TEMP TABLE fates AS SELECT request_id, job_id, code, failed_at, 1 AS is_new, 0 AS is_answered FROM unanswered
UNION ALL
SELECT stored.request_id, stored.job_id, stored.code, stored.failed_at, 0, 0 FROM ${failures} AS stored
WHERE EXISTS (SELECT 1 FROM unanswered AS failure WHERE ${isOfRequest("stored", "failure")})${within("stored")}
UNION ALL
SELECT stored.request_id, stored.job_id, stored.code, stored.failed_at, 0, 1 FROM ${failures} AS stored
WHERE EXISTS (SELECT 1 FROM new_answers AS answer WHERE ${isOfRequest("stored", "answer")})${within("stored")}`,
    /** What all this adds to each job, and takes away: a request that has another fate now loses the one before. */
    findJobs: `CREATE TEMP TABLE new_jobs AS SELECT job_id, run,
${endings.map((ending) => `SUM(CASE WHEN ending = '${ending}' THEN change ELSE 0 END) AS ${ending}`).join(", ")},
1 AS commits, MIN(ended_at) AS first_at, MAX(ended_at) AS last_at FROM (
SELECT job_id, ${runExpression("request_id")} AS run, ${endingExpression("code")} AS ending, failed_at AS ended_at,
CASE WHEN is_answered = 0 AND place = 1 THEN 1 ELSE 0 END - CASE WHEN is_new = 0 AND place_before = 1 THEN 1 ELSE 0 END AS change FROM (
SELECT *, ROW_NUMBER() OVER (PARTITION BY request_id, job_id ORDER BY ${fateOrder}) AS place,
ROW_NUMBER() OVER (PARTITION BY request_id, job_id, is_new ORDER BY ${fateOrder}) AS place_before
FROM fates) AS placed
UNION ALL
SELECT job_id, ${runExpression("request_id")}, 'answered', predicted_at, 1 FROM new_answers WHERE job_id IS NOT NULL) AS changes
GROUP BY job_id, run`,
    insertFailures: `INSERT INTO ${failures} (${failureColumnNames}) SELECT ${failureColumnNames} FROM new_failures`,
    updateJobs: `UPDATE ${jobs} SET ${[...endings, "commits"].map((name) => `${name} = ${jobs}.${name} + added.${name}`).join(", ")},
first_at = LEAST(${jobs}.first_at, added.first_at), last_at = GREATEST(${jobs}.last_at, added.last_at)
FROM new_jobs AS added WHERE ${jobs}.job_id = added.job_id AND ${jobs}.run = added.run`,
    insertJobs: `INSERT INTO ${jobs} (${jobColumnNames}) SELECT ${jobColumnNames} FROM new_jobs AS added
WHERE NOT EXISTS (SELECT 1 FROM ${jobs} AS stored WHERE stored.job_id = added.job_id AND stored.run = added.run)`,
    readJobs: readJobs(load),
  };
};

/**
 * The jobs of which a row is in this load, new or not: a loader may have been killed before it told of them. Beside
 * each, by the minute, its rows that were not answered lately and may be yet.
 */
const readJobs = ({ range, tables: { results, failures, jobs }, now }: Load) => {
  const within = withinOf(range);
  const lately = timestamp(new Date(now.getTime() - longestVisibility - clockSkew));
  return `WITH named AS (
SELECT DISTINCT job_id, run FROM (SELECT job_id, ${runExpression("request_id")} AS run FROM incoming WHERE job_id IS NOT NULL) AS rows_of_jobs WHERE run <> ''
)
SELECT ${["job_id", "run", ...endings, "commits"].map((name) => `job.${name}`).join(", ")}, ${inUtc("job.first_at")}, ${inUtc("job.last_at")}, ${inUtc("unsure.minute")}, unsure.requests
FROM ${jobs} AS job JOIN named ON named.job_id = job.job_id AND named.run = job.run
LEFT JOIN (
SELECT job_id, run, DATE_TRUNC('minute', failed_at) AS minute, COUNT(*) AS requests FROM (
SELECT failure.job_id, named.run, failure.request_id, MIN(failure.failed_at) AS failed_at
FROM ${failures} AS failure JOIN named ON named.job_id = failure.job_id AND named.run = ${runExpression("failure.request_id")}
WHERE failure.failed_at >= '${lately}'${within("failure")}
AND NOT EXISTS (SELECT 1 FROM ${results} AS stored WHERE ${isOfRequest("failure", "stored")} AND stored.predicted_at >= '${lately}'${within("stored")})
GROUP BY failure.job_id, named.run, failure.request_id
HAVING MIN(failure.code) = 'not_answered' AND MAX(failure.code) = 'not_answered') AS request
GROUP BY job_id, run, DATE_TRUNC('minute', failed_at)) AS unsure ON unsure.job_id = job.job_id AND unsure.run = job.run`;
};

/** That two rows are of the same request of a job. */
const isOfRequest = (one: string, other: string) =>
  `${other}.request_id = ${one}.request_id AND ${other}.job_id = ${one}.job_id`;

/** That two failures are of the same request, input and job. */
const isSameFailure = (one: string, other: string) =>
  `${other}.request_id = ${one}.request_id AND ${text(`${other}.input_id`)} = ${text(`${one}.input_id`)} AND ${text(`${other}.job_id`)} = ${text(`${one}.job_id`)}`;
