import type { Context } from "aws-lambda";
import * as z from "zod";
import { loaderEnvironment } from "../../contract/environment";
import { tables } from "../../contract/load-tables";
import { tryOut } from "../../pipeline/canary";
import { within } from "../../pipeline/clients";
import { Jobs } from "../../pipeline/jobs";
import { type Loaded, Loader, nothingLoaded, type RequestOutcome } from "../../pipeline/loading";
import { Outcomes } from "../../pipeline/outcomes";
import { RedshiftData } from "../../pipeline/redshift";
import { Unloads } from "../../pipeline/unloads";
import { databaseIn, once, readEnvironment } from "../environment";
import { reports } from "../reports";

const parts = once(() => {
  const environment = readEnvironment(loaderEnvironment);
  const { ANSWERS_BUCKET: bucket, COPY_ROLE_ARN: copyRoleArn, READER: databaseUser } = environment;
  const own = databaseIn(environment);
  const outcomes = new Outcomes(bucket);
  const database = new RedshiftData(own);
  return {
    /** A cluster is awake anyway, and each run of the schedule loads. */
    leastAge: "clusterId" in own ? 0 : 60 * environment.LOAD_EVERY_MINUTES,
    loader: new Loader({
      outcomes,
      database,
      jobs: new Jobs(bucket),
      copyRoleArn,
      tables,
      tell: (key, manifest) => reports().logger.info("an object is loaded", { key, manifest }),
    }),
    canary: {
      outcomes,
      database,
      reader: databaseUser === undefined ? undefined : new RedshiftData({ ...own, databaseUser }),
      unloads: new Unloads({ bucket, roleArn: environment.UNLOAD_ROLE_ARN, kmsKeyId: environment.UNLOAD_KMS_KEY_ID }),
      copyRoleArn,
    },
  };
});

const eventSchema = z.object({
  /** Whether nothing is loaded, and it is tried out whether loading and reading work. @default false */
  canary: z.boolean().default(false),
  /** Whether what is staged is loaded however young it is. @default false */
  now: z.boolean().default(false),
  /** A request: once all is loaded, the answer says what became of it. @default none is asked about */
  requestId: z.string().optional(),
});

type Answered = (Loaded & { outcome?: RequestOutcome }) | { passed: string[] };

/**
 * Moves into the warehouse what the workers have staged, until nothing is left, its time is over, or the warehouse turns out to be
 * paused. A workgroup is let sleep until much is staged or the oldest of it is LOAD_EVERY_MINUTES old, but for `{"now": true}`. With
 * `{"canary": true}` it tries out instead what AWS does not document, on tables of its own. With `{"requestId": "…"}` it says what
 * became of that request.
 * @throws when it is not known that all is loaded: nothing is lost, and the next run loads it
 */
export const handler = async (event: unknown, context: Context): Promise<Answered> => {
  const { logger, metrics, measure } = reports();
  logger.addContext(context);
  const until = within(context.getRemainingTimeInMillis() - 5_000);
  const { canary, now, requestId } = eventSchema.parse(event);
  if (canary) return { passed: await tryOut(parts().canary, until) };
  const run = nothingLoaded();
  try {
    const { loader, leastAge } = parts();
    do await loader.load(run, until, now ? 0 : leastAge);
    while (run.more && !until.signal.aborted);
  } finally {
    for (const { key, reason } of run.rejected) logger.error("an object was set aside", { key, reason });
    if (run.paused) logger.info("the warehouse is paused: what is staged waits");
    measure("LoadedRows", run.answers + run.failures);
    measure("RejectedObjects", run.rejected.length);
    measure("NewerObjects", run.newer);
    measure("StagedAge", run.oldestSeconds);
    metrics.publishStoredMetrics();
  }
  if (requestId === undefined || run.paused) return run;
  return { ...run, outcome: await parts().loader.outcomeOf(requestId, until) };
};
