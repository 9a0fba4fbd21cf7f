import { Logger } from "@aws-lambda-powertools/logger";
import { Metrics, MetricUnit } from "@aws-lambda-powertools/metrics";
import type { Context } from "aws-lambda";
import { loaderEnvironment } from "../../contract/environment";
import { tables } from "../../contract/load-tables";
import { within } from "../../pipeline/clients";
import { type Loaded, Loader } from "../../pipeline/loading";
import { Outcomes } from "../../pipeline/outcomes";
import { RedshiftData } from "../../pipeline/redshift";
import { once, readEnvironment } from "../environment";

const loader = once(() => {
  const environment = readEnvironment(loaderEnvironment);
  return new Loader({
    outcomes: new Outcomes(environment.ANSWERS_BUCKET),
    database: new RedshiftData({ clusterId: environment.CLUSTER_ID, databaseName: environment.DB_NAME }),
    copyRoleArn: environment.COPY_ROLE_ARN,
    tables,
  });
});

const reports = once(() => {
  const serviceName = process.env.AWS_LAMBDA_FUNCTION_NAME;
  return {
    logger: new Logger({ serviceName }),
    metrics: new Metrics({ namespace: "SageMaker/CustomModelMetrics", serviceName }),
  };
});

/** What a run of the loader says. */
export interface Run extends Omit<Loaded, "oldestSeconds"> {
  /** How long the oldest outcome had waited when the run began, in seconds. */
  readonly oldestSeconds: number;
}

/**
 * Moves into the warehouse what the workers have staged, until nothing is left or its time is over.
 * @throws when it is not known that all is loaded: nothing is lost, and the next run loads it
 */
export const handler = async (_event: unknown, context: Context): Promise<Run> => {
  const { logger, metrics } = reports();
  logger.addContext(context);
  const until = within(context.getRemainingTimeInMillis() - 5_000);
  const run: Loaded = { objects: 0, answers: 0, failures: 0, rejected: [], newer: 0, more: true, oldestSeconds: 0 };
  try {
    for (let first = true; run.more && !until.signal.aborted; first = false) {
      const loaded = await loader().load(until);
      run.objects += loaded.objects;
      run.answers += loaded.answers;
      run.failures += loaded.failures;
      run.rejected.push(...loaded.rejected);
      run.newer = loaded.newer;
      run.more = loaded.more;
      if (first) run.oldestSeconds = loaded.oldestSeconds;
    }
  } finally {
    for (const { key, reason } of run.rejected) logger.error("an object was set aside", { key, reason });
    metrics.addMetric("LoadedRows", MetricUnit.Count, run.answers + run.failures);
    metrics.addMetric("RejectedObjects", MetricUnit.Count, run.rejected.length);
    metrics.addMetric("NewerObjects", MetricUnit.Count, run.newer);
    metrics.addMetric("StagedAge", MetricUnit.Seconds, run.oldestSeconds);
    metrics.publishStoredMetrics();
  }
  return run;
};
