import { bastionInstanceType } from "../aws/bastion";
import { hoursOfMonth, type Price, prices, type Trust } from "../aws/prices";
import { leastPaidSeconds, leastRpus } from "../aws/redshift-serverless";
import { measured } from "../contract/metrics";
import { alarmsOf } from "./alarms";
import { hoursOfWeek } from "./hours";
import { instanceRange } from "./model";
import type { Environment } from "./schema";
import { lookMinutes } from "./surroundings";

/** Prices in US dollars, in the place of those of aws/prices.ts: an instance's an hour, say. */
export type OwnPrices = Readonly<Record<string, number>>;

/** So much of something that has a price. */
export interface Item {
  /** What part of the pipeline pays for it. */
  readonly part: string;
  /** What it is, as aws/prices.ts calls it. */
  readonly of: string;
  /** How much of it, in the price's own unit. @default it is not known */
  readonly amount?: number;
}

/** An item with what it costs. */
interface CostLine extends Item {
  /** @default no price or no amount is known */
  readonly usd?: number;
  readonly trust?: Trust | "yours";
}

export interface Cost {
  readonly lines: readonly CostLine[];
  /** The sum of what has a price. */
  readonly usd: number;
  /** Whether something in it has no price, or no amount. */
  readonly isAtLeast: boolean;
}

const lineOf = (item: Item, own: OwnPrices): CostLine => {
  const known: Price | undefined = Object.hasOwn(prices, item.of) ? prices[item.of] : undefined;
  const price = Object.hasOwn(own, item.of) ? own[item.of] : known?.usd;
  if (price === undefined || item.amount === undefined) return item;
  return { ...item, usd: price * item.amount, trust: Object.hasOwn(own, item.of) ? "yours" : known?.trust };
};

/** What items cost. */
export function costOf(items: readonly Item[], own: OwnPrices = {}): Cost {
  const lines = items.map((item) => lineOf(item, own));
  const usd = lines.reduce((sum, line) => sum + (line.usd ?? 0), 0);
  return { lines, usd, isAtLeast: lines.some((line) => line.usd === undefined) };
}

const million = 1_000_000;

/** What a run of a function that finds nothing to do takes, in GB-seconds and lists of a bucket; assumed. */
const idleRun = { gigabyteSeconds: 0.2, lists: 2 };

/**
 * Connections on which Lambda asks an idle queue, and for how long each time in seconds; the seconds are assumed.
 * https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
 */
const idlePoll = { connections: 5, seconds: 20 };

/** Metrics that are written whether anything is asked or not: all but the worker's, and that of rows which are yet to come. */
const metrics = Object.entries(measured).filter(([name, { of }]) => of !== "worker" && name !== "UnsentRows").length;

/** Alarms of an environment, as they are paid: one that reckons with several metrics, as so many (assumed). */
function paidAlarms(environment: Environment): number {
  const { model, pause } = environment;
  const reckoning = (model.drift ? 2 : 0) + (pause ? 1 : model.scaling ? 2 * 3 : 0);
  return Object.keys(alarmsOf(environment)).length + reckoning;
}

/** Hours of a month in which the nodes of the cluster are paid for. */
const nodeHours = ({ warehouse: { hours }, pause }: Environment) => {
  if (pause) return 0;
  return hours ? (hoursOfMonth * hoursOfWeek(hours)) / (7 * 24) : hoursOfMonth;
};

/** Instances and nodes, which are paid for whether anything is asked or not. An endpoint that exists is somebody else's. */
function standing(environment: Environment): Item[] {
  const { model, warehouse, pause } = environment;
  const { nodeType: of = "a node of the cluster that is taken over" } = warehouse;
  const isOfInstances = !model.endpoint && !model.serverless && !pause;
  return [
    ...(isOfInstances
      ? [{ part: "endpoint", of: model.instanceType, amount: instanceRange(model).min * hoursOfMonth }]
      : []),
    ...(warehouse.numberOfNodes === undefined
      ? []
      : [{ part: "warehouse", of, amount: warehouse.numberOfNodes * nodeHours(environment) }]),
  ];
}

/** What an environment costs at rest, a month; while it is paused, where it is. */
export function atRest(environment: Environment): Item[] {
  const { capacity, loading, access } = environment;
  const minutes = hoursOfMonth * 60;
  const looks = minutes / lookMinutes[capacity];
  const runs = 2 * looks + (capacity === "steady" ? minutes / loading.everyMinutes : looks); // starter and writer, loader
  return [
    ...standing(environment),
    { part: "warehouse", of: "secret", amount: 1 },
    ...(access.bastion ? [{ part: "bastion", of: bastionInstanceType, amount: hoursOfMonth }] : []),
    { part: "schedules", of: "function runs", amount: runs / million },
    { part: "schedules", of: "function time", amount: runs * idleRun.gigabyteSeconds },
    { part: "schedules", of: "S3 writes and lists", amount: (runs * idleRun.lists) / million },
    { part: "queue", of: "queue requests", amount: (idlePoll.connections * minutes * 60) / idlePoll.seconds / million },
    { part: "functions", of: "metric", amount: metrics },
    { part: "alarms", of: "alarm", amount: paidAlarms(environment) },
    { part: "alarms", of: "alarm over others", amount: 1 },
  ];
}

/** What a row is assumed to have, with its features and its answer, in GB. */
const rowGigabytes = 1_000 / 1e9;

/** SQS takes and gives so many messages in one request, and so many requests a message needs: sent, received, deleted. */
const queueRequests = 3 / 10;

/**
 * Predictions that the whole endpoint gives a second, with all the instances that it may have.
 * @returns undefined where the configuration does not say it
 */
export const predictionsPerSecond = ({ model }: Environment): number | undefined =>
  model.predictionsPerSecond &&
  model.predictionsPerSecond * (model.endpoint ? 1 : (model.serverless?.maxConcurrency ?? instanceRange(model).max));

/**
 * How long the workers run for a million rows, in seconds of one: never longer than they may, for batches that are full.
 * @returns undefined on demand where the speed is not known: a worker may wait there for minutes, and seldom does
 */
function workerSeconds(environment: Environment): number | undefined {
  const { batchSize, timeoutSeconds, maximumConcurrency } = environment.inference;
  const most = (million / batchSize) * timeoutSeconds;
  const perSecond = predictionsPerSecond(environment);
  if (perSecond === undefined) return environment.model.serverless ? undefined : most;
  return Math.min(most, (maximumConcurrency * million) / perSecond);
}

/** What a million predictions take of Serverless Inference: the model's own time, whatever is asked at once. */
function serverlessTime({ model }: Environment): Item[] {
  if (!model.serverless) return [];
  const { predictionsPerSecond: perSecond, serverless } = model;
  const amount = perSecond && (million / perSecond) * serverless.memoryGigabytes;
  return [{ part: "endpoint", of: "serverless time", amount }];
}

/** What it takes to wake Redshift Serverless so often; nothing at a cluster. A load is assumed to end in the least that is paid. */
const wakes = (rpus: number, times: number) => ({
  part: "warehouse",
  of: "RPU hours",
  amount: (times * rpus * leastPaidSeconds) / 3_600,
});

/** What it takes to wake the warehouse once. @returns undefined where it is a cluster, which never sleeps */
export const wakeUp = ({ capacity }: Environment, region: string): Item | undefined =>
  capacity === "steady" ? undefined : wakes(leastRpus(region), 1);

/** Staged objects that one load takes. */
const objectsOfLoad = 2_000;

/** How long a worker runs that is handed one request, in seconds; assumed. */
const secondsOfOne = 0.5;

/** So many times of the same. */
export const times = (items: readonly Item[], factor: number): Item[] =>
  items.map(({ amount, ...item }) => ({ ...item, amount: amount && amount * factor }));

/** What a million rows of a job cost, beside what the environment costs at rest. */
export function perMillion(environment: Environment, region: string): Item[] {
  const { batchSize } = environment.inference;
  const loads = million / batchSize / objectsOfLoad;
  return [
    ...paidByRow(environment, million / batchSize, workerSeconds(environment)),
    ...(environment.capacity === "steady" ? [] : [wakes(leastRpus(region), loads)]),
  ];
}

/**
 * What so many requests a day cost in a month, beside what the environment costs at rest, where they are spread evenly over
 * the day: each is a batch of its own, and the warehouse is woken as often as the loader may.
 */
export function trickle(environment: Environment, region: string, requestsPerDay: number): Item[] {
  const { capacity, loading } = environment;
  const days = hoursOfMonth / 24;
  const requests = times(paidByRow(environment, million, million * secondsOfOne), (requestsPerDay * days) / million);
  const loads = Math.min(requestsPerDay, (24 * 60) / loading.everyMinutes);
  return [...requests, ...(capacity === "steady" ? [] : [wakes(leastRpus(region), loads * days)])];
}

/** What is paid for a million rows that come in so many batches, which the workers take so long for. */
function paidByRow(environment: Environment, batches: number, seconds: number | undefined): Item[] {
  const { inference, features } = environment;
  return [
    { part: "queue", of: "queue requests", amount: queueRequests },
    { part: "queue", of: "fair queue requests", amount: queueRequests },
    ...(features ? [{ part: "features", of: "feature reads", amount: 1 }] : []),
    { part: "worker", of: "function runs", amount: batches / million },
    {
      part: "worker",
      of: "function time",
      amount: seconds && seconds * (inference.memoryMegabytes / 1_024),
    },
    ...serverlessTime(environment),
    { part: "endpoint", of: "endpoint data", amount: million * rowGigabytes },
    { part: "answers", of: "S3 writes and lists", amount: batches / million },
    { part: "loader", of: "S3 reads", amount: batches / million },
  ];
}
