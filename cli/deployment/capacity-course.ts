import {
  backlogSeconds,
  bakingSeconds,
  emptySeconds,
  type Scaling,
  scalingSteps,
  stepBackSeconds,
} from "../../contract/scaling";

/** What a backlog meets. */
export interface Scene {
  /** Requests that are asked at once, when nothing else is. */
  readonly requests: number;
  /** Predictions that one instance gives a second. */
  readonly predictionsPerSecond: number;
  /** Instances at rest. */
  readonly min: number;
  /** How they follow the backlog. @default they are as many as at rest */
  readonly scaling?: Scaling;
  /** What SageMaker takes to start instances, in seconds. @default 480, assumed */
  readonly startSeconds?: number;
  /** A deployment that is begun after so many seconds. @default there is none */
  readonly deployment?: {
    readonly atSeconds: number;
    /** Whether as many instances are wanted after it as before. @default there are as many as at rest until the alarm wants more */
    readonly keepsCount?: boolean;
  };
}

/** From a time on, so many instances. */
interface CoursePoint {
  /** In seconds after the requests came. */
  readonly at: number;
  readonly inService: number;
  /** Those that are started or stopped for it. */
  readonly wanted: number;
  readonly backlog: number;
}

/** How a backlog was answered. */
export interface Course {
  /** Each change of the instances. */
  readonly points: readonly CoursePoint[];
  /** When the last request was answered, in seconds. */
  readonly drainSeconds: number;
  /** Until the instances are as many as at rest again, what all of them were paid for, in seconds of one. */
  readonly instanceSeconds: number;
  /** Of that, while they started or had nothing to answer. */
  readonly idleSeconds: number;
  /** How often there were fewer instances while requests waited. */
  readonly earlyScaleIns: number;
}

/** What SQS and CloudWatch take until an alarm sees how much waits, in seconds, and how often it looks; assumed. */
const sees = { after: 60, every: 60 };

/** What traffic rests on new instances and on old ones in a deployment, in seconds. */
const restingSeconds = 2 * bakingSeconds;

/**
 * Reckons, event by event, how instances follow a backlog: the alarms look each minute, instances start, a deployment begins
 * and ends. Between two events the backlog shrinks by what those in service answer. The endpoint is never changed twice at once.
 */
export function courseOf(scene: Scene): Course {
  const { scaling, predictionsPerSecond, min, startSeconds = 480, deployment } = scene;
  const steps = scaling ? scalingSteps(scaling) : [];
  const cooldown = scaling ? stepBackSeconds(scaling) : 0;
  const seen: number[] = [scene.requests]; // the last minutes' backlogs
  const points: CoursePoint[] = [];
  let [now, backlog, inService, wanted] = [0, scene.requests, min, min];
  let [instanceSeconds, idleSeconds, earlyScaleIns] = [0, 0, 0];
  let drainSeconds = 0;
  let noStepBackUntil = 0;
  /** What ends with the change that is under way, and when. */
  let change: { readonly until: number; readonly end: () => void; readonly others: number } | undefined;
  let nextDeployment = deployment?.atSeconds ?? Number.POSITIVE_INFINITY;

  const note = () => {
    const last = points.at(-1);
    if (last?.inService !== inService || last.wanted !== wanted) points.push({ at: now, inService, wanted, backlog });
  };
  const begin = (seconds: number, end: () => void, others = 0) => {
    change = { until: now + seconds, end, others };
  };
  const scaleTo = (count: number) => {
    wanted = count;
    if (wanted > inService) {
      begin(startSeconds, () => {
        inService = wanted;
      });
    } else inService = wanted;
  };
  const deploy = () => {
    nextDeployment = Number.POSITIVE_INFINITY;
    const before = wanted;
    const end = () => {
      inService = min; // that is what the new configuration says
      scaleTo(deployment?.keepsCount ? before : min);
    };
    begin(startSeconds + restingSeconds, end, min);
  };
  const look = () => {
    const lately = (seconds: number) => seen.slice(0, -sees.after / sees.every).slice(-seconds / sees.every);
    const most = Math.max(0, ...lately(backlogSeconds));
    const empty = lately(emptySeconds);
    const step = steps.findLast(({ from }) => most >= from);
    if (change !== undefined) return;
    if (step && step.instances > wanted) scaleTo(step.instances);
    else if (step && step.instances < wanted && now >= noStepBackUntil) {
      earlyScaleIns++;
      noStepBackUntil = now + cooldown;
      scaleTo(step.instances);
    } else if (wanted > min && empty.length >= emptySeconds / sees.every && empty.every((count) => count === 0)) {
      scaleTo(min);
    }
  };

  note();
  while (backlog > 0 || wanted > min || inService > min || change) {
    const rate = inService * predictionsPerSecond;
    const drained = backlog > 0 ? now + backlog / rate : Number.POSITIVE_INFINITY;
    const tick = scaling ? sees.every * (Math.floor(now / sees.every) + 1) : Number.POSITIVE_INFINITY;
    const due = change ? Number.POSITIVE_INFINITY : Math.max(now, nextDeployment);
    const next = Math.min(drained, tick, change?.until ?? Number.POSITIVE_INFINITY, due);
    const seconds = next - now;
    const paid = Math.max(inService, wanted) + (change?.others ?? 0);
    instanceSeconds += paid * seconds;
    idleSeconds += seconds * (backlog > 0 ? Math.max(0, wanted - inService) : Math.max(inService, wanted));
    now = next;
    if (next === drained) {
      backlog = 0;
      drainSeconds = now;
    } else backlog = Math.max(0, backlog - rate * seconds);
    if (change && now >= change.until) {
      const { end } = change;
      change = undefined;
      end();
    }
    if (now === tick) {
      seen.push(backlog);
      if (seen.length > (sees.after + emptySeconds) / sees.every) seen.shift();
      look();
    }
    if (now >= nextDeployment && change === undefined) deploy();
    note();
  }
  return { points, drainSeconds, instanceSeconds, idleSeconds, earlyScaleIns };
}
