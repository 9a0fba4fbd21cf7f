import { createFailures } from "./failure-table";
import { createJobs } from "./job-table";
import { createResults } from "./prediction-table";

/** The tables that a load writes, of which the canary has its own. */
export interface Tables {
  /** Always empty. Loaders lock it, and so wait for each other; readers of the results never wait. */
  readonly lock: string;
  readonly results: string;
  readonly failures: string;
  readonly jobs: string;
}

/** The tables of the pipeline. */
export const tables: Tables = {
  lock: "prediction_results_lock",
  results: "prediction_results",
  failures: "prediction_failures",
  jobs: "prediction_jobs",
};

/** The tables of the canary, which are empty but while it runs. */
export const canaryTables: Tables = {
  lock: "canary_results_lock",
  results: "canary_results",
  failures: "canary_failures",
  jobs: "canary_jobs",
};

/** The statements that make them, each of which may run again at any time. */
export const createTables = ({ lock, results, failures, jobs }: Tables): string[] => [
  createResults(results),
  createFailures(failures),
  createJobs(jobs),
  `CREATE TABLE IF NOT EXISTS ${lock} (writer INT)`,
];
