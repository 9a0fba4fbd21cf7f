import { type Column, definitionsOf } from "./columns";
import { predictionColumns } from "./prediction-table";

/** The columns of `prediction_jobs`: how much there is of each job. */
const columns: readonly Column[] = [
  { ...predictionColumns.jobId, optional: false },
  { name: "answered", type: "number", maxBytes: 20 },
  /** Requests that are shown as failed. */
  { name: "failed", type: "number", maxBytes: 20 },
  /** When its first outcome was made, and its last. */
  { name: "first_at", type: "time", maxBytes: 23 },
  { name: "last_at", type: "time", maxBytes: 23 },
];

/** The small table of jobs, which the loader keeps in the transaction that writes their rows. */
export const createJobs = (table: string) => `CREATE TABLE IF NOT EXISTS ${table} (
${definitionsOf(columns)}
) DISTSTYLE ALL SORTKEY(job_id)`;
