/** How the instances of an endpoint follow the backlog: AWS goes by it, and so does `offline-inference capacity`. */
export interface Scaling {
  /** Instances at rest. */
  readonly min: number;
  /** The most instances there may be. */
  readonly max: number;
  /** Predictions that one instance gives a second. */
  readonly predictionsPerSecond: number;
  /** How long what is asked may take to be answered, in seconds. */
  readonly deadlineSeconds: number;
}

/** From a backlog on, so many instances. */
export interface ScalingStep {
  readonly from: number;
  readonly instances: number;
}

/**
 * What passes until an instance that is needed answers, in seconds: two minutes until the alarm sees the backlog, and eight
 * until SageMaker has started it. Both are assumed.
 */
export const startingSeconds = 600;

/**
 * What a datapoint of the backlog covers, in seconds; its largest value counts. CloudWatch looks each minute, and one value
 * that is missing or small changes nothing.
 */
export const backlogSeconds = 300;

/** How long there must have been no backlog before all instances above the least go, in seconds. */
export const emptySeconds = 600;

/**
 * How long traffic rests on new instances of a deployment before the old ones go, in seconds. The alarm that takes it back
 * looks at each minute.
 */
export const bakingSeconds = 300;

/** Alarms that scale begin so, behind the environment's prefix. They ring for nobody. */
export const scalingAlarms = "scale-";

/** Steps that a policy may have: https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-quotas.html */
const mostSteps = 20;

/** The counts above the least that the endpoint may be scaled to. */
function countsOf({ min, max }: Pick<Scaling, "min" | "max">): number[] {
  const size = Math.ceil((max - min) / mostSteps);
  return Array.from({ length: Math.ceil((max - min) / size) }, (_, place) => Math.min(max, min + (place + 1) * size));
}

/** After a step back there is no other for so long, in seconds: what a policy calls its cooldown. */
export const stepBackSeconds = ({ deadlineSeconds }: Scaling): number => deadlineSeconds;

/**
 * How long a backlog takes that the instances of its step are just right for, in seconds. As it gets smaller, a policy with
 * exact counts takes a step back, and then none for {@link stepBackSeconds}: the deadline is met with one step less, too.
 */
export function stepSeconds(scaling: Scaling): number {
  const counts = countsOf(scaling);
  const stepsBack = counts.slice(1).map((count, place) => (count - (counts[place] ?? 0)) / count);
  return (scaling.deadlineSeconds - startingSeconds) / (1 + Math.max(0, ...stepsBack));
}

/** From which backlog on there are how many instances. Below the first they stay as they are until nothing is left. */
export function scalingSteps(scaling: Scaling): readonly ScalingStep[] {
  const ofOne = scaling.predictionsPerSecond * stepSeconds(scaling);
  const counts = countsOf(scaling);
  return counts.map((instances, place) => ({
    from: Math.ceil((counts[place - 1] ?? scaling.min) * ofOne),
    instances,
  }));
}
