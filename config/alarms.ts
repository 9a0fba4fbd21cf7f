import type { MetricName } from "../contract/metrics";
import { longestBreak } from "./hours";
import type { Environment } from "./schema";

/** A metric that AWS has of a part of the pipeline. */
export interface AwsMetric {
  readonly of:
    | "queue"
    | "deadLetterQueue"
    | "worker"
    | "loader"
    | "starter"
    | "writer"
    | "api"
    | "endpoint"
    | "restApi";
  readonly metric: string;
}
/** The same, or one that the pipeline's functions measure themselves. */
export type Metric = AwsMetric | { readonly of: "pipeline"; readonly metric: MetricName };

/** What rings at a threshold of one metric. */
interface AlarmOf<Value> {
  /** What is the matter when it rings. */
  readonly matter: string;
  /** What to do first. */
  readonly mend: string;
  readonly watches: Metric & { readonly statistic: "Maximum" | "Sum" };
  /** Rings at this value and above. @default 1 */
  readonly threshold?: Value;
  /** Periods, in a row, that it must be reached in. @default 1 */
  readonly periods?: number;
  /** @default five minutes */
  readonly periodSeconds?: Value;
  /** Whether it rings where nothing is measured. @default then nothing happened */
  readonly ringsWithout?: boolean;
  /** Whether no request is answered while it rings: the one alarm over all of these tells the topic, and it does not. */
  readonly standsStill?: boolean;
}
export type Alarm = AlarmOf<number>;

interface Entry extends AlarmOf<(environment: Environment) => number> {
  /** Which environments have it. @default all */
  readonly where?: (environment: Environment) => boolean;
}

const isAwake = ({ pause }: Environment) => pause === undefined;

/** Long before a request would expire, and before the worker sends it anew, at half of its time. */
const aQuarter = ({ inference }: Environment) => Math.floor(inference.messageRetentionSeconds / 4);

const severalRuns = ({ loading }: Environment) => 60 * Math.max(15, 5 * loading.everyMinutes);

/** The alarms, by their construct ids: a name ends with its id, and so does the address of its section in docs/runbook.md. */
const table: Readonly<Record<string, Entry>> = {
  dead_letters: {
    matter: "Requests were given up: they lie in the dead-letter queue, each with its reason.",
    mend: "`offline-inference failed` lists them by reason. Mend that, then `offline-inference failed redrive`.",
    // A redrive does not count as sent.
    watches: { of: "deadLetterQueue", metric: "ApproximateNumberOfMessagesVisible", statistic: "Maximum" },
  },
  requests_wait: {
    where: isAwake,
    matter: "A request has waited for a quarter of the time that the queue keeps it.",
    mend: "`offline-inference status` says whether the worker runs, and how long the queue lasts.",
    watches: { of: "queue", metric: "ApproximateAgeOfOldestMessage", statistic: "Maximum" },
    threshold: aQuarter,
    standsStill: true,
  },
  requests_return: {
    matter: "A request keeps failing, for a quarter of the time that the queue keeps it.",
    mend: "The worker's log names it and says why: mend what it stands on, and it is answered by itself.",
    // SQS leaves what was received three times out of the age of the oldest message.
    watches: { of: "pipeline", metric: "ReturnedAge", statistic: "Maximum" },
    threshold: aQuarter,
    standsStill: true,
  },
  worker_fails: {
    matter: "The worker cannot go on: endpoint, feature store or S3 fails for all. No request is lost.",
    mend: "Its log says which. `offline-inference status` shows the endpoint. It goes on by itself once that works.",
    watches: { of: "worker", metric: "Errors", statistic: "Sum" },
    periods: 2,
    standsStill: true,
  },
  loader_fails: {
    matter: "Answers do not reach the warehouse: the loader fails. Nothing is lost.",
    mend: "Its log says why. `offline-inference doctor --canary` tries the warehouse. The next run loads all.",
    watches: { of: "loader", metric: "Errors", statistic: "Sum" },
    periods: 2,
  },
  starter_fails: {
    matter: "Jobs do not get on: the starter fails. Nothing is lost.",
    mend: "Its log names the job and says why. The next run goes on with it.",
    watches: { of: "starter", metric: "Errors", statistic: "Sum" },
    periods: 2,
  },
  writer_fails: {
    matter: "A job that is finished has no result, or its end was not told. Nothing is lost.",
    mend: "Its log names the job and says why. The next run tries again.",
    watches: { of: "writer", metric: "Errors", statistic: "Sum" },
    periods: 2,
  },
  answers_wait: {
    where: isAwake,
    matter: "Answers have waited for several runs of the loader, or it has not run. Nothing is lost.",
    mend: "Its log says why. `offline-inference doctor --canary` tries the warehouse, and the loader with it.",
    watches: { of: "pipeline", metric: "StagedAge", statistic: "Maximum" },
    threshold: (environment) => {
      const { hours } = environment.warehouse;
      return severalRuns(environment) + (hours ? longestBreak(hours) : 0);
    },
    periodSeconds: severalRuns,
    ringsWithout: true,
    standsStill: true,
  },
  answers_set_aside: {
    matter: "The warehouse refuses the data of staged objects. They lie below rejected/ in the bucket for answers.",
    mend: "The loader's log names them and says why. Mend each, and put it back below staged/.",
    watches: { of: "pipeline", metric: "RejectedObjects", statistic: "Sum" },
  },
  answers_newer: {
    matter: "Answers wait that a newer version of this project wrote.",
    mend: "Deploy that version, whose loader loads them.",
    watches: { of: "pipeline", metric: "NewerObjects", statistic: "Maximum" },
  },
  endpoint_fails: {
    // SageMaker counts by variant alone, and no alarm can search for one. `worker_fails` and `requests_return` ring in any case.
    where: ({ model: { endpoint } }) => endpoint === undefined || endpoint.variant !== undefined,
    matter: "The model's container answers with 5xx.",
    mend: "The endpoint's log says why. After a release, go back to the one before.",
    watches: { of: "endpoint", metric: "Invocation5XXErrors", statistic: "Sum" },
    periods: 2,
  },
  api_fails: {
    matter: "The API answers with 5xx.",
    mend: "Its function's log says why. Callers may send again what they sent, with the same requestId.",
    watches: { of: "restApi", metric: "5XXError", statistic: "Sum" },
    periods: 2,
  },
};

/** The alarms of an environment, by their construct ids. */
export const alarmsOf = (environment: Environment): Readonly<Record<string, Alarm>> =>
  Object.fromEntries(
    Object.entries(table).flatMap(([id, { where, threshold, periodSeconds, ...alarm }]) =>
      where === undefined || where(environment)
        ? [[id, { ...alarm, threshold: threshold?.(environment), periodSeconds: periodSeconds?.(environment) }]]
        : [],
    ),
  );
