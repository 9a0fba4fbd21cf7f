import {
  backlogSeconds,
  bakingSeconds,
  emptySeconds,
  type Scaling,
  type ScalingStep,
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

/** What scales: it sees the backlog each minute. */
class Alarms {
  private readonly steps: readonly ScalingStep[];
  private readonly seen: number[]; // the last minutes' backlogs
  private noStepBackUntil = 0;
  /** How often they called for fewer instances while requests waited. */
  earlyScaleIns = 0;

  constructor(private readonly scene: Scene) {
    this.steps = scene.scaling ? scalingSteps(scene.scaling) : [];
    this.seen = [scene.requests];
  }

  see(backlog: number): void {
    this.seen.push(backlog);
    if (this.seen.length > (sees.after + emptySeconds) / sees.every) this.seen.shift();
  }

  /** How many instances are wanted from now on, where so many were. */
  look(now: number, wanted: number): number {
    const { scaling, min } = this.scene;
    const lately = (seconds: number) => this.seen.slice(0, -sees.after / sees.every).slice(-seconds / sees.every);
    const most = Math.max(0, ...lately(backlogSeconds));
    const empty = lately(emptySeconds);
    const step = this.steps.findLast(({ from }) => most >= from);
    if (step && step.instances > wanted) return step.instances;
    if (scaling && step && step.instances < wanted && now >= this.noStepBackUntil) {
      this.earlyScaleIns++;
      this.noStepBackUntil = now + stepBackSeconds(scaling);
      return step.instances;
    }
    const isEmpty = empty.length >= emptySeconds / sees.every && empty.every((count) => count === 0);
    return isEmpty ? Math.min(wanted, min) : wanted;
  }
}

/**
 * Reckons, event by event, how instances follow a backlog: the alarms look each minute, instances start, a deployment begins
 * and ends. Between two events the backlog shrinks by what those in service answer. The endpoint is never changed twice at once.
 */
export function courseOf(scene: Scene): Course {
  const { scaling, predictionsPerSecond, min, startSeconds = 480, deployment } = scene;
  const alarms = new Alarms(scene);
  const points: CoursePoint[] = [];
  let [now, backlog, inService, wanted] = [0, scene.requests, min, min];
  let [instanceSeconds, idleSeconds, drainSeconds] = [0, 0, 0];
  /** What ends with the change that is under way, and when. */
  let change: { readonly until: number; readonly end: () => void; readonly others: number } | undefined;
  let nextDeployment = deployment?.atSeconds ?? Number.POSITIVE_INFINITY;

  const note = () => {
    const last = points.at(-1);
    if (last?.inService !== inService || last.wanted !== wanted) points.push({ at: now, inService, wanted, backlog });
  };
  const arrive = () => {
    inService = wanted;
  };
  const scaleTo = (count: number) => {
    wanted = count;
    if (wanted > inService) change = { until: now + startSeconds, end: arrive, others: 0 };
    else arrive();
  };
  const deploy = () => {
    nextDeployment = Number.POSITIVE_INFINITY;
    const before = wanted;
    const end = () => {
      inService = min; // that is what the new configuration says
      scaleTo(deployment?.keepsCount ? before : min);
    };
    change = { until: now + startSeconds + restingSeconds, end, others: min };
  };

  note();
  while (backlog > 0 || wanted > min || inService > min || change) {
    const rate = inService * predictionsPerSecond;
    const drained = backlog > 0 ? now + backlog / rate : Number.POSITIVE_INFINITY;
    const tick = scaling ? sees.every * (Math.floor(now / sees.every) + 1) : Number.POSITIVE_INFINITY;
    const due = change ? Number.POSITIVE_INFINITY : Math.max(now, nextDeployment);
    const next = Math.min(drained, tick, change?.until ?? Number.POSITIVE_INFINITY, due);
    const seconds = next - now;
    instanceSeconds += seconds * (Math.max(inService, wanted) + (change?.others ?? 0));
    idleSeconds += seconds * (backlog > 0 ? Math.max(0, wanted - inService) : Math.max(inService, wanted));
    now = next;
    if (next === drained) drainSeconds = now;
    backlog = next === drained ? 0 : Math.max(0, backlog - rate * seconds);
    if (change && now >= change.until) {
      const { end } = change;
      change = undefined;
      end();
    }
    if (now === tick) {
      alarms.see(backlog);
      if (change === undefined) scaleTo(alarms.look(now, wanted));
    }
    if (now >= nextDeployment && change === undefined) deploy();
    note();
  }
  return { points, drainSeconds, instanceSeconds, idleSeconds, earlyScaleIns: alarms.earlyScaleIns };
}
