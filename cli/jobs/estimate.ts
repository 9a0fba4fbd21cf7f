import type { Environment, Shared } from "../../config";
import { costOf, perMillion, predictionsPerSecond } from "../../config/cost";
import { instanceRange } from "../../config/model";
import { lookMinutes } from "../../config/surroundings";
import { courseIn } from "../deployment/capacity-text";
import { costInWords, dollars, whole } from "../shared/numbers";
import { commandsFor } from "../shared/options";
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

/**
 * What so many rows take and cost, in sentences, with what that rests on. The shortest time is that of the rows alone, the
 * longest that behind all that waits.
 * @throws where it cannot be done by the deadline, or costs more than it may
 */
export function estimate(options: EstimateOptions): readonly string[] {
  const { rows, waiting, shared, environment, deadline, maxCost } = options;
  const { capacity, model, loading } = environment;
  const schedules = 2 * lookMinutes[capacity]; // of the starter and of the writer, which come by
  const { usd: ofMillion, isAtLeast } = costOf(perMillion(environment, shared.region), shared.prices);
  const usd = (rows * ofMillion) / 1_000_000;
  const cost = isAtLeast ? costInWords({ usd, isAtLeast }) : `about ${dollars(usd)}`;
  const perSecond = predictionsPerSecond(environment);
  const by = endpointInWords(model);
  const speed = perSecond && { perSecond, inWords: `${whole(perSecond)} predictions/s by ${by}` };
  const faults: string[] = [];
  if (speed && deadline !== undefined && rows / speed.perSecond > deadline) {
    const takes = `${whole(rows)} rows take ${durationOf(rows / speed.perSecond)} at ${speed.inWords}`;
    faults.push(`${takes}, and --deadline allows ${durationOf(deadline)}.`);
  }
  if (maxCost !== undefined && usd > maxCost) {
    faults.push(`${whole(rows)} rows cost ${cost}, and --max-cost allows ${dollars(maxCost)}.`);
  }
  if (faults.length > 0) throw new Error([...faults, "Nothing was asked."].join("\n"));
  const costs = `It costs ${cost} beside what the environment costs at rest: ${commandsFor({ env: environment.name })("cost")}`;
  if (!speed) return ["How long it takes is not known: `model.predictionsPerSecond` is not set in config.ts.", costs];
  const shortest = rows / speed.perSecond;
  const course = courseIn(environment, { requests: rows + waiting });
  const drained = course?.drainSeconds ?? (rows + waiting) / speed.perSecond;
  const longest = drained + 60 * (loading.everyMinutes + schedules);
  const takes = `It takes ${durationOf(shortest)} to ${durationOf(longest)}, at ${speed.inWords}`;
  return [`${takes}, with ${whole(waiting)} messages on the queue now.`, costs];
}

/** What answers, in words. */
export const endpointInWords = ({ endpoint, ...model }: Environment["model"]) => {
  if (endpoint || !("instanceCount" in model)) return "the endpoint";
  const { serverless, instanceType } = model;
  const { min, max } = instanceRange(model);
  const count = min === max ? `${max}` : `${min} to ${max}`;
  return serverless ? `${serverless.maxConcurrency} calls at once on demand` : `${count} × ${instanceType}`;
};
