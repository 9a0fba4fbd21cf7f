import { Outcomes } from "../../pipeline/outcomes";
import { QueueWalk } from "../../pipeline/queue-walk";
import { adviceFor, failedGroups, redrive } from "../failures/failed-letters";
import { hasEnded, inWords } from "../jobs/job-follow";
import { type JobPage, JobsApi } from "../jobs/jobs-api";
import type { Connection, Pipeline } from "../shared/connection";
import { loaderOf, resultsOf, running } from "../shared/warehouse";
import { reportOf } from "../status/status-attention";
import { StatusReader } from "../status/status-read";
import { read, type StatusReport } from "../status/status-report";
import { rowsOf } from "../status/status-screen";
import type { Call } from "./calls";
import type { PageWork } from "./page-server";

const jobsShown = 20;
const idsShown = 5;

/** The dead letters by what they broke. A look hides them from other commands: there is one only when their number has changed. */
function failuresOf(pipeline: Pipeline, signal: AbortSignal) {
  let last: { readonly count: number; readonly groups: Promise<readonly object[]> } | undefined;
  const forget = () => {
    last = undefined;
  };
  const look = async () => {
    const found = await failedGroups(pipeline, signal).catch((error: unknown) => {
      forget();
      throw error;
    });
    return found.groups.map(({ code, rule, letters }) => {
      const ids = [...new Set(letters.flatMap(({ id }) => id ?? []))];
      const shown = [...ids.slice(0, idsShown), ...(ids.length > idsShown ? ["…"] : [])];
      return { code, rule, count: letters.length, ids: shown, advice: adviceFor([{ code, rule, letters }], pipeline) };
    });
  };
  return {
    forget,
    of: (count: number) => {
      if (last?.count !== count) last = { count, groups: count === 0 ? Promise.resolve([]) : look() };
      return last.groups;
    },
  };
}

/**
 * What the page shows of a pipeline on this machine, and does with it, by what the commands `status`, `job list`, `failed`
 * and `failed redrive` ask.
 * @param signal ends what is under way
 */
export function pageWork(connection: Connection, calls: readonly Call[], signal: AbortSignal): PageWork {
  const { pipeline } = connection;
  const reader = new StatusReader(connection);
  const api = new JobsApi(pipeline.apiUrl);
  const outcomes = new Outcomes(pipeline.answers.bucket);
  const results = resultsOf(pipeline);
  const queue = new QueueWalk(pipeline.queueUrl);
  const load = running(loaderOf(pipeline), console.error, signal);
  const until = { signal };
  const failures = failuresOf(pipeline, signal);

  return {
    async state() {
      const [readings, staged, { jobs }] = await Promise.all([
        reader.read(signal),
        outcomes.waiting(until),
        api.list(jobsShown, signal),
      ]);
      const report = reportOf(readings, { connection, local: true });
      const { waiting = 0, inFlight = 0, delayed = 0 } = read(report.deadLetters) ?? {};
      return {
        ...shownOf(connection, report, jobs),
        staged: staged.length,
        failures: await failures.of(waiting + inFlight + delayed),
        calls,
      };
    },
    async ask(row) {
      return { requestId: await api.ask(row, signal) };
    },
    async follow({ id, requestId, after }) {
      const staged = await outcomes.waiting(until);
      const isStaged = (await Promise.all(staged.map((one) => outcomes.holds(one, requestId, until)))).includes(true);
      const outcome = await results.ofRequest(requestId, id, until);
      if (outcome && "output" in outcome) return { at: "warehouse", status: "answered", ...outcome };
      if (outcome && (after === undefined || outcome.failedAt > after))
        return { at: "warehouse", status: "failed", ...outcome };
      if (isStaged) {
        load(); // as a command does that waits
        return { at: "answers" };
      }
      const { visible, hidden } = await queue.counts(until);
      return { at: visible === 0 && hidden > 0 ? "worker" : "queue" };
    },
    async redrive({ rule }) {
      const { said } = await redrive(pipeline, rule, signal);
      failures.forget();
      return { said };
    },
  };
}

const shownOf = ({ pipeline, environment }: Connection, report: StatusReport, jobs: JobPage["jobs"]) => ({
  environment: environment.name,
  at: report.at,
  features: pipeline.contract.features,
  featureGroup: pipeline.featureGroup?.name,
  parts: Object.fromEntries(rowsOf(report).map(({ label, lines }) => [label, lines])),
  attention: report.attention,
  openJobs: jobs.filter((job) => !hasEnded(job)).length,
  jobs: jobs.map(({ id, state, createdAt, counts }) => ({ id, state, createdAt, rows: inWords({ state, counts }) })),
});
