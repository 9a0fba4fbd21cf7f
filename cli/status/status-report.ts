import { z } from "zod";

/** In place of what could not be read: why. */
const unread = z.object({ error: z.string() });

const orUnread = <Part extends z.ZodType>(part: Part) => z.union([part, unread]);

const count = z.number().int().nonnegative();
/** A count, or null where nobody can tell. */
const known = count.nullable();
const time = z.iso.datetime();

const queue = z.object({ waiting: count, inFlight: count, delayed: count });

const metrics = z.object({
  /** How far back the counts go. */
  minutes: count,
  /** How long the oldest request has been in the queue; null where CloudWatch has no value yet. */
  oldestRequestSeconds: known,
  worker: z.object({ invocations: known, errors: known, throttles: known, concurrency: known }),
  endpoint: z.object({ invocations: known, serverErrors: known }),
});

const endpoint = z.object({
  /** As SageMaker has it: InService, Updating, Failed ... */
  status: z.string(),
  /** The endpoint configuration that it serves. */
  configuration: z.string(),
  /** Why it failed, where it did. */
  failure: z.string().nullable(),
  modifiedAt: time,
  variants: z.array(z.object({ name: z.string(), instances: count, wanted: count })),
});

const worker = z.object({
  /** As Lambda has it: Active, Inactive (nothing has run for a while), Pending, Failed. */
  state: z.string(),
  /** How its last update went: Successful, InProgress, Failed. */
  lastUpdate: z.string(),
  /** The release of the model that it writes with each prediction. */
  modelRelease: z.string().nullable(),
  modifiedAt: time,
});

const cluster = z.object({
  /** As Redshift has it: available, paused, resizing ... */
  status: z.string(),
  /** Available, Unavailable, Maintenance, Modifying, Failed. */
  availability: z.string(),
  nodeType: z.string(),
  nodes: count,
});

/** A warehouse on demand. It is asked nothing: that would wake it, and be paid. */
const workgroup = z.object({ workgroup: z.string() });

const warehouse = z.union([cluster, workgroup]);

/** The newest jobs, as far as their answers are loaded. */
const jobs = z.object({
  /** Those that have not ended. */
  open: count,
  /** Their rows, as far as their inputs are checked, and those of them that no outcome is loaded of. */
  rows: count,
  waiting: count,
});

const predictions = z.object({
  /** Made in the last hour. */
  lastHour: count,
  /** How often a request failed in the last hour. It may be answered by now. */
  failedLastHour: count,
  /** Over the last five minutes. */
  perMinute: z.number().nonnegative(),
});

const alarms = z.object({
  total: count,
  withoutData: count,
  /** Those that ring. */
  on: z.array(z.object({ name: z.string(), reason: z.string(), since: time.nullable() })),
});

const attention = z.object({
  part: z.enum(["queue", "deadLetters", "endpoint", "worker", "warehouse", "predictions", "jobs", "alarms", "metrics"]),
  /** `unknown`: it could not be read. */
  mark: z.enum(["problem", "warning", "unknown"]),
  text: z.string(),
  /** The command that helps, or says more. */
  mend: z.string().optional(),
});

/** The worst mark first. */
export const {
  part: { options: parts },
  mark: { options: marks },
} = attention.shape;

/** What a pipeline looks like at a moment: what `offline-inference status --json` prints. */
export const statusReport = z.object({
  environment: z.string(),
  region: z.string(),
  at: time,
  /** Since when it is paused, as paused.json says, and until when; null where it is not. */
  paused: z.object({ since: time, until: time.nullable() }).nullable(),
  queue: orUnread(queue),
  deadLetters: orUnread(queue),
  metrics: orUnread(metrics),
  endpoint: orUnread(endpoint),
  worker: orUnread(worker),
  warehouse: orUnread(warehouse),
  /** Null on demand: to count them would wake the warehouse. */
  predictions: orUnread(predictions).nullable(),
  /** What is known without the warehouse; null where that can be asked. */
  jobs: orUnread(jobs).nullable(),
  alarms: orUnread(alarms),
  /** How long the queue lasts at the present rate if nothing is added; null where that cannot be told. */
  emptyInSeconds: known,
  /** What is lost first if a paused environment is not resumed, and when; null where it is not paused, or nothing waits. */
  firstLoss: z.object({ at: time, what: z.string() }).nullable(),
  /** The later of the two; null where one of them could not be read. */
  lastDeploy: z.object({ of: z.enum(["endpoint", "worker"]), at: time }).nullable(),
  /** What asks for a person, the worst first. */
  attention: z.array(attention),
});

export type StatusReport = z.infer<typeof statusReport>;
export type Readings = Omit<StatusReport, "attention" | "emptyInSeconds" | "firstLoss" | "lastDeploy">;
export type Attention = z.infer<typeof attention>;
export type Part = Attention["part"];
export type Queue = z.infer<typeof queue>;
export type Metrics = z.infer<typeof metrics>;
export type Endpoint = z.infer<typeof endpoint>;
export type Worker = z.infer<typeof worker>;
export type Warehouse = z.infer<typeof warehouse>;
export type Predictions = z.infer<typeof predictions>;
export type Alarms = z.infer<typeof alarms>;
export type Unread = z.infer<typeof unread>;

/** A part as it was read; undefined where it could not be, or was not to be. */
export const read = <Read extends object>(part: Read | Unread | null): Read | undefined =>
  part === null || "error" in part ? undefined : part;
