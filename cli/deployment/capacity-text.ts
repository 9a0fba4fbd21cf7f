import { describeRange, isWithin } from "../../aws/limits";
import { type Cost, costOf, perMillion, times } from "../../config/cost";
import { deadlineRange, instanceRange } from "../../config/model";
import type { Environment } from "../../config/schema";
import { scalingSteps } from "../../contract/scaling";
import type { Target } from "../shared/connection";
import { costInWords, hoursAndMinutes, whole } from "../shared/numbers";
import { commandsFor } from "../shared/options";
import { terminalWidth, textTable } from "../shared/text-table";
import { type Course, courseOf } from "./capacity-course";

export interface CapacityOptions {
  readonly requests: number;
  /** In seconds. @default the configuration's */
  readonly deadline?: number;
}

/** How an environment's endpoint answers so many requests. */
export interface Capacity extends Course {
  readonly version: 1;
  readonly environment: string;
  readonly requests: number;
  readonly instanceType: string;
  readonly min: number;
  readonly max: number;
  readonly predictionsPerSecond: number;
  /** @default there is none */
  readonly deadlineSeconds?: number;
  /** Whether it takes longer than the deadline. */
  readonly isLate: boolean;
  /** From which backlog on there are how many instances. */
  readonly steps: ReturnType<typeof scalingSteps>;
  /** Of instances while they answer these requests, and of these requests. */
  readonly cost: Cost;
}

/** How an environment's instances follow a backlog, with another deadline where one is said. */
export function courseIn({ model }: Environment, { requests, deadline }: CapacityOptions): Course | undefined {
  const { predictionsPerSecond } = model;
  if (predictionsPerSecond === undefined || model.endpoint || model.serverless) return undefined;
  const scaling = model.scaling && { ...model.scaling, deadlineSeconds: deadline ?? model.scaling.deadlineSeconds };
  return courseOf({ requests, predictionsPerSecond, min: instanceRange(model).min, scaling });
}

/** @throws where the configuration does not say how fast an instance is, or the deadline is none that steps can follow from */
export function capacityOf({ shared, environment }: Target, options: CapacityOptions): Capacity {
  const { requests } = options;
  const { name, model } = environment;
  if (model.endpoint) throw new Error(`The endpoint ${model.endpoint.existing} is somebody else's: they scale it.`);
  if (model.serverless)
    throw new Error(`${name} is on demand: SageMaker scales it, up to \`model.maxConcurrency\` calls at once.`);
  const { predictionsPerSecond, instanceType, scaling } = model;
  const deadlineSeconds = options.deadline ?? scaling?.deadlineSeconds;
  if (scaling && options.deadline !== undefined && !isWithin(options.deadline, deadlineRange)) {
    throw new Error(
      `--deadline: got ${options.deadline} seconds; allowed: ${describeRange(deadlineRange)} (${deadlineRange.source})`,
    );
  }
  const course = courseIn(environment, options);
  if (predictionsPerSecond === undefined || course === undefined) {
    throw new Error(
      `How fast an instance of ${name} is, is not known: measure it by \`npm run bench:model -- --model ARCHIVE\`, or read it from the endpoint's metrics, and set \`model.predictionsPerSecond\` in config.ts.`,
    );
  }
  const hours = { part: "endpoint", of: instanceType, amount: course.instanceSeconds / 3_600 };
  const ofRequests = times(perMillion(environment, shared.region), requests / 1_000_000);
  return {
    version: 1,
    environment: name,
    requests,
    instanceType,
    ...instanceRange(model),
    predictionsPerSecond,
    ...(deadlineSeconds !== undefined && { deadlineSeconds }),
    isLate: deadlineSeconds !== undefined && course.drainSeconds > deadlineSeconds,
    steps: scaling ? scalingSteps({ ...scaling, deadlineSeconds: deadlineSeconds ?? scaling.deadlineSeconds }) : [],
    ...course,
    cost: costOf([hours, ...ofRequests], shared.prices),
  };
}

/** The same for people. */
export function capacityText(capacity: Capacity, width = terminalWidth()): string {
  const { requests, min, max, instanceType, predictionsPerSecond, steps, points, deadlineSeconds, cost } = capacity;
  const counts = min === max ? `${min}` : `${min} to ${max}`;
  const hours = capacity.instanceSeconds / 3_600;
  const idle = Math.round((100 * capacity.idleSeconds) / capacity.instanceSeconds);
  const deadline =
    deadlineSeconds === undefined
      ? ""
      : `, ${capacity.isLate ? "later than" : "within"} the ${hoursAndMinutes(deadlineSeconds)} of the deadline`;
  return [
    `${capacity.environment}: ${whole(requests)} requests at once, ${counts} × ${instanceType}, ${predictionsPerSecond} predictions/s each`,
    "",
    ...(steps.length === 0
      ? []
      : [
          textTable(
            ["from a backlog of", "instances"],
            steps.map(({ from, instances }) => [whole(from), String(instances)]),
            width,
          ),
          "",
        ]),
    textTable(
      ["after", "in service", "wanted", "backlog"],
      points.map(({ at, inService, wanted, backlog }) => [
        at === 0 ? "at first" : hoursAndMinutes(at),
        String(inService),
        String(wanted),
        whole(backlog),
      ]),
      width,
    ),
    "",
    `The last is answered after ${hoursAndMinutes(capacity.drainSeconds)}${deadline}.`,
    `It takes ${hours.toFixed(1)} hours of instances, of which ${idle} % start or have nothing to answer.`,
    `It costs ${costInWords(cost)}, with the instances' time: ${commandsFor({ env: capacity.environment })("cost")} says what stands at rest.`,
    "Assumed: instances start in eight minutes, alarms see a backlog after two, and workers keep all instances busy.",
  ].join("\n");
}
