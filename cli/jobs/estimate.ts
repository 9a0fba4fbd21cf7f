import type { Environment, Shared } from "../../config";
import { costOf, perMillion } from "../../config/cost";
import { dollars, whole } from "../numbers";
import { durationOf } from "../status/status-words";

/** What is asked of a job before it starts. */
export interface Bounds {
  /** How long it may take, in seconds. */
  readonly deadline?: number;
  /** What it may cost, in US dollars. */
  readonly maxCost?: number;
}

export interface EstimateOptions extends Bounds {
  readonly rows: number;
  /** Messages that lie on the queue already. */
  readonly waiting: number;
  readonly shared: Shared;
  readonly environment: Environment;
}

/** What the starter and the writer take to come by: each has a schedule of a minute. */
const schedulesSeconds = 120;

/** How fast the endpoint answers, in predictions a second, and by what. */
function speedOf({ model }: Environment) {
  const each = model.predictionsPerSecond;
  if (each === undefined) return undefined;
  const instances = model.endpoint ? 1 : model.instanceCount;
  const by = model.endpoint ? "by the endpoint" : `by ${instances} × ${model.instanceType}`;
  return { perSecond: each * instances, by: `${whole(each * instances)} predictions/s ${by}` };
}

/**
 * What so many rows take and cost, in sentences, with what that rests on. The shortest time is that of the rows alone, the
 * longest that behind all that waits.
 * @throws where it cannot be done by the deadline, or costs more than it may
 */
export function estimate(options: EstimateOptions): readonly string[] {
  const { rows, waiting, shared, environment, deadline, maxCost } = options;
  const { usd: ofMillion, isAtLeast } = costOf(perMillion(environment), shared.prices);
  const usd = (rows * ofMillion) / 1_000_000;
  const cost = `${isAtLeast ? "at least" : "about"} ${dollars(usd)}`;
  const speed = speedOf(environment);
  const shortest = speed && rows / speed.perSecond;
  const faults = [
    ...(speed !== undefined && shortest !== undefined && deadline !== undefined && shortest > deadline
      ? [
          `${whole(rows)} rows take ${durationOf(shortest)} at ${speed.by}, and --deadline allows ${durationOf(deadline)}.`,
        ]
      : []),
    ...(maxCost !== undefined && usd > maxCost
      ? [`${whole(rows)} rows cost ${cost}, and --max-cost allows ${dollars(maxCost)}.`]
      : []),
  ];
  if (faults.length > 0) throw new Error([...faults, "Nothing was asked."].join("\n"));
  const longest =
    speed && (rows + waiting) / speed.perSecond + 60 * environment.loading.everyMinutes + schedulesSeconds;
  const time =
    speed === undefined || shortest === undefined || longest === undefined
      ? "How long it takes is not known: `model.predictionsPerSecond` is not set in config.ts."
      : `It takes ${durationOf(shortest)} to ${durationOf(longest)}, at ${speed.by}, with ${whole(waiting)} messages on the queue now.`;
  return [time, `It costs ${cost} beside what the environment costs at rest: offline-inference cost`];
}
