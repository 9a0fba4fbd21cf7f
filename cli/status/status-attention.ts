import { isWithinHours } from "../../config/hours";
import type { Connection, Pipeline } from "../shared/connection";
import { whole } from "../shared/numbers";
import {
  type Alarms,
  type Attention,
  type Endpoint,
  type Metrics,
  marks,
  type Predictions,
  parts,
  type Queue,
  type Readings,
  read,
  type StatusReport,
  type Warehouse,
  type Worker,
} from "./status-report";
import { durationOf } from "./status-words";

/** What is told of beside what was read. */
export interface Surroundings {
  readonly connection: Connection;
  /** Whether the pipeline is that of local mode. */
  readonly local: boolean;
}

/** What was read, and what follows from it. */
export function reportOf(readings: Readings, surroundings: Surroundings): StatusReport {
  return {
    ...readings,
    emptyInSeconds: emptyIn(read(readings.queue), read(readings.predictions)),
    firstLoss: firstLossOf(readings, surroundings.connection),
    lastDeploy: lastDeployOf(read(readings.endpoint), read(readings.worker)),
    attention: attentionTo(readings, surroundings),
  };
}

function emptyIn(queue: Queue | undefined, predictions: Predictions | undefined): number | null {
  if (queue === undefined || predictions === undefined || predictions.perMinute === 0) return null;
  return Math.ceil((60 * (queue.waiting + queue.inFlight + queue.delayed)) / predictions.perMinute);
}

function firstLossOf(readings: Readings, { environment }: Connection): StatusReport["firstLoss"] {
  const { pause, inference } = environment;
  if (pause === undefined) return null;
  const at = Date.parse(readings.at);
  const oldest = read(readings.metrics)?.oldestRequestSeconds ?? null;
  const expiry = new Date(at + 1_000 * (inference.messageRetentionSeconds - (oldest ?? 0))).toISOString();
  const { firstDeadline } = pause;
  const losses = [
    ...(oldest === null || oldest === 0 ? [] : [{ at: expiry, what: "the oldest request expires" }]),
    ...(firstDeadline && Date.parse(firstDeadline.at) > at
      ? [{ at: firstDeadline.at, what: `the deadline of the job ${firstDeadline.job} passes` }]
      : []),
  ];
  return losses.sort((one, other) => Date.parse(one.at) - Date.parse(other.at))[0] ?? null;
}

function lastDeployOf(endpoint: Endpoint | undefined, worker: Worker | undefined): StatusReport["lastDeploy"] {
  if (endpoint === undefined || worker === undefined) return null;
  return Date.parse(worker.modifiedAt) > Date.parse(endpoint.modifiedAt)
    ? { of: "worker", at: worker.modifiedAt }
    : { of: "endpoint", at: endpoint.modifiedAt };
}

function attentionTo(readings: Readings, surroundings: Surroundings): Attention[] {
  const { connection } = surroundings;
  const metrics = read(readings.metrics);
  const { environment } = connection;
  const { hours } = environment.warehouse;
  const isAway = readings.paused !== null || (hours !== undefined && !isWithinHours(hours, new Date(readings.at)));
  const unread = parts.flatMap((part): Attention[] => {
    const found = readings[part];
    const isMeant = (readings.paused !== null && part === "endpoint") || (isAway && part === "predictions");
    return found !== null && "error" in found && !isMeant ? [{ part, mark: "unknown", text: found.error }] : [];
  });
  return [
    ...(readings.paused
      ? toPausedQueue(readings, connection)
      : toQueue(read(readings.queue), metrics, read(readings.predictions), surroundings)),
    ...toDeadLetters(read(readings.deadLetters), connection.pipeline),
    ...toEndpoint(read(readings.endpoint), metrics, surroundings),
    ...toWorker(read(readings.worker), metrics, surroundings),
    ...(isAway ? [] : toWarehouse(read(readings.warehouse), connection.pipeline.warehouse)),
    ...toAlarms(read(readings.alarms)),
    ...unread,
  ].sort((one, other) => marks.indexOf(one.mark) - marks.indexOf(other.mark));
}

/** Where the worker's own words are. */
const workerLog = ({ connection, local }: Surroundings) => {
  const { workerFunctionName: name } = connection.pipeline;
  return local ? `less .local/logs/${name}.log` : `aws logs tail /aws/lambda/${name} --since 15m`;
};

/** Below this nobody wonders that a request waits. */
const stalledSeconds = 300;

function toQueue(
  queue: Queue | undefined,
  metrics: Metrics | undefined,
  predictions: Predictions | undefined,
  surroundings: Surroundings,
): Attention[] {
  const oldest = metrics?.oldestRequestSeconds ?? 0;
  const mend = workerLog(surroundings);
  const { messageRetentionSeconds: kept } = surroundings.connection.environment.inference;
  if (oldest >= kept / 4) {
    const text = `A request has waited for ${durationOf(oldest)}; the queue keeps one for ${durationOf(kept)}.`;
    return [{ part: "queue", mark: "warning", text, mend }];
  }
  if (queue !== undefined && queue.waiting > 0 && oldest >= stalledSeconds && predictions?.perMinute === 0) {
    return [{ part: "queue", mark: "warning", text: "Requests wait, and none was answered in five minutes.", mend }];
  }
  return [];
}

/** From when on it is said that something is soon lost in a paused environment, in milliseconds. */
const soon = 24 * 3_600_000;

function toPausedQueue(readings: Readings, connection: Connection): Attention[] {
  const first = firstLossOf(readings, connection);
  if (first === null || Date.parse(first.at) - Date.parse(readings.at) > soon) return [];
  const mend = connection.pipeline.commandFor("resume");
  return [{ part: "queue", mark: "warning", text: `At ${first.at} ${first.what}.`, mend }];
}

function toDeadLetters(queue: Queue | undefined, { commandFor }: Pipeline): Attention[] {
  const given = queue === undefined ? 0 : queue.waiting + queue.inFlight + queue.delayed;
  if (given === 0) return [];
  const text = given === 1 ? "A request was given up." : `${whole(given)} requests were given up.`;
  const mend = commandFor("failed");
  return [{ part: "deadLetters", mark: "problem", text, mend }];
}

/** On its way from one state to another: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeEndpoint.html */
const endpointMoves = ["Creating", "Updating", "SystemUpdating"];

function toEndpoint(
  endpoint: Endpoint | undefined,
  metrics: Metrics | undefined,
  { connection, local }: Surroundings,
): Attention[] {
  const found: Attention[] = [];
  if (endpoint !== undefined && endpoint.status !== "InService") {
    const mark = endpointMoves.includes(endpoint.status) ? "warning" : "problem";
    const why = endpoint.failure === null ? "" : ` ${endpoint.failure}`;
    found.push({ part: "endpoint", mark, text: `The endpoint is ${endpoint.status}.${why}` });
  } else if (endpoint?.variants.some(({ instances, wanted }) => instances < wanted)) {
    found.push({ part: "endpoint", mark: "warning", text: "The endpoint has fewer instances than it should." });
  }
  const failed = metrics?.endpoint.serverErrors ?? 0;
  if (failed > 0) {
    const text = `The model failed ${whole(failed)} times in ${metrics?.minutes} min.`;
    const log = `aws logs tail /aws/sagemaker/Endpoints/${connection.pipeline.endpointName} --since 15m`;
    found.push({ part: "endpoint", mark: "warning", text, ...(!local && { mend: log }) });
  }
  return found;
}

function toWorker(worker: Worker | undefined, metrics: Metrics | undefined, surroundings: Surroundings): Attention[] {
  const found: Attention[] = [];
  const mend = workerLog(surroundings);
  // A function that has not run for a while is Inactive, and runs again when it is called.
  if (worker !== undefined && !["Active", "Inactive"].includes(worker.state)) {
    const mark = worker.state === "Pending" ? "warning" : "problem";
    found.push({ part: "worker", mark, text: `The worker is ${worker.state}.` });
  } else if (worker !== undefined && worker.lastUpdate !== "Successful") {
    const mark = worker.lastUpdate === "InProgress" ? "warning" : "problem";
    found.push({ part: "worker", mark, text: `The worker's last update is ${worker.lastUpdate}.` });
  }
  const { errors, throttles } = metrics?.worker ?? { errors: 0, throttles: 0 };
  if (errors) {
    const text = `The worker failed ${whole(errors)} times in ${metrics?.minutes} min.`;
    found.push({ part: "worker", mark: "warning", text, mend });
  }
  if (throttles) {
    const text = `Lambda refused to run the worker ${whole(throttles)} times: the account's concurrency is used up.`;
    found.push({ part: "worker", mark: "warning", text });
  }
  return found;
}

function toWarehouse(warehouse: Warehouse | undefined, at: Pipeline["warehouse"]): Attention[] {
  if (warehouse === undefined || "workgroup" in warehouse || warehouse.availability === "Available") return [];
  const mark = ["Maintenance", "Modifying"].includes(warehouse.availability) ? "warning" : "problem";
  const resume = "clusterId" in at && `aws redshift resume-cluster --cluster-identifier ${at.clusterId}`;
  const mend = resume && warehouse.status === "paused" ? { mend: resume } : {};
  const text = `The warehouse is ${warehouse.status} (${warehouse.availability}).`;
  return [{ part: "warehouse", mark, text, ...mend }];
}

const toAlarms = (alarms: Alarms | undefined): Attention[] =>
  (alarms?.on ?? []).map(({ name, reason }) => ({ part: "alarms", mark: "problem", text: `${name} rings: ${reason}` }));
