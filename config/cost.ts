import { bastionInstanceType } from "../aws/bastion";
import { hoursOfMonth, type Price, prices, type Trust } from "../aws/prices";
import { measured } from "../contract/metrics";
import { instanceRange } from "./model";
import type { Environment } from "./schema";

/** Prices in US dollars, in the place of those of aws/prices.ts: an instance's an hour, say. */
export type OwnPrices = Readonly<Record<string, number>>;

/** So much of something that has a price. */
export interface Item {
  /** What part of the pipeline pays for it. */
  readonly part: string;
  /** What it is, as aws/prices.ts calls it. */
  readonly of: string;
  /** How much of it, in the price's own unit. */
  readonly amount: number;
}

/** An item with what it costs. */
interface CostLine extends Item {
  /** @default no price is known */
  readonly usd?: number;
  readonly trust?: Trust | "yours";
}

export interface Cost {
  readonly lines: readonly CostLine[];
  /** The sum of what has a price. */
  readonly usd: number;
  /** Whether something in it has no price. */
  readonly isAtLeast: boolean;
}

const lineOf = (item: Item, own: OwnPrices): CostLine => {
  const known: Price | undefined = Object.hasOwn(prices, item.of) ? prices[item.of] : undefined;
  const price = Object.hasOwn(own, item.of) ? own[item.of] : known?.usd;
  if (price === undefined) return item;
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

/** Metrics that are written whether anything is asked or not: all but the worker's. */
const metrics = Object.values(measured).filter(({ of }) => of !== "worker").length;

/** Alarms of an environment, as they are paid: one that reckons with several metrics, as so many (assumed). */
const alarmsOf = ({ model }: Environment) =>
  (model.endpoint ? 11 : 12) + (model.drift ? 2 : 0) + (model.scaling ? 2 * 3 : 0);

/** What an environment costs at rest, a month. An endpoint that exists is somebody else's. */
export function atRest(environment: Environment): Item[] {
  const { model, warehouse, loading, access } = environment;
  const minutes = hoursOfMonth * 60;
  const runs = minutes / loading.everyMinutes + 2 * minutes; // loader, starter and writer
  const nodes = { part: "warehouse", of: warehouse.nodeType ?? "a node of the cluster that is taken over" };
  return [
    ...(model.endpoint
      ? []
      : [{ part: "endpoint", of: model.instanceType, amount: instanceRange(model).min * hoursOfMonth }]),
    { ...nodes, amount: warehouse.numberOfNodes * hoursOfMonth },
    { part: "warehouse", of: "secret", amount: 1 },
    ...(access.bastion ? [{ part: "bastion", of: bastionInstanceType, amount: hoursOfMonth }] : []),
    { part: "schedules", of: "function runs", amount: runs / million },
    { part: "schedules", of: "function time", amount: runs * idleRun.gigabyteSeconds },
    { part: "schedules", of: "S3 writes and lists", amount: (runs * idleRun.lists) / million },
    { part: "queue", of: "queue requests", amount: (idlePoll.connections * minutes * 60) / idlePoll.seconds / million },
    { part: "functions", of: "metric", amount: metrics },
    { part: "alarms", of: "alarm", amount: alarmsOf(environment) },
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
  model.predictionsPerSecond && model.predictionsPerSecond * instanceRange(model).max;

/** How long the workers run for a million rows, in seconds of one: never longer than they may, for batches that are full. */
function workerSeconds(environment: Environment): number {
  const { batchSize, timeoutSeconds, maximumConcurrency } = environment.inference;
  const most = (million / batchSize) * timeoutSeconds;
  const perSecond = predictionsPerSecond(environment);
  return perSecond === undefined ? most : Math.min(most, (maximumConcurrency * million) / perSecond);
}

/** What a million rows of a job cost, beside what the environment costs at rest. */
export function perMillion(environment: Environment): Item[] {
  const { inference, features } = environment;
  const batches = million / inference.batchSize;
  return [
    { part: "queue", of: "queue requests", amount: queueRequests },
    { part: "queue", of: "fair queue requests", amount: queueRequests },
    ...(features ? [{ part: "features", of: "feature reads", amount: 1 }] : []),
    { part: "worker", of: "function runs", amount: batches / million },
    {
      part: "worker",
      of: "function time",
      amount: workerSeconds(environment) * (inference.memoryMegabytes / 1_024),
    },
    { part: "endpoint", of: "endpoint data", amount: million * rowGigabytes },
    { part: "answers", of: "S3 writes and lists", amount: batches / million },
    { part: "loader", of: "S3 reads", amount: batches / million },
  ];
}
