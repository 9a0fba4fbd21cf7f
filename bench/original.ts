import { setTimeout } from "node:timers/promises";
import {
  DescribeStatementCommand,
  ExecuteStatementCommand,
  GetStatementResultCommand,
  RedshiftDataClient,
  type SqlParameter,
} from "@aws-sdk/client-redshift-data";
import { GetRecordCommand, SageMakerFeatureStoreRuntimeClient } from "@aws-sdk/client-sagemaker-featurestore-runtime";
import { InvokeEndpointCommand, SageMakerRuntimeClient } from "@aws-sdk/client-sagemaker-runtime";
import { z } from "zod";

export interface OriginalOptions {
  readonly region: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly endpoints: {
    readonly featureStore: string;
    readonly sageMaker: string;
    readonly cloudWatch: string;
    readonly redshiftData: string;
  };
  readonly featureGroupName: string;
  /** The names of the two features. */
  readonly featureNames: readonly string[];
  readonly endpointName: string;
  readonly clusterId: string;
  readonly databaseName: string;
}

const eventSchema = z.object({
  Records: z.array(
    z.object({ body: z.string().transform((text) => z.object({ id: z.string() }).parse(JSON.parse(text))) }),
  ),
});

// Under a name of its own, beside the tables of the pipeline that it is compared with.
const createTable = "CREATE TABLE IF NOT EXISTS original_results (id INT, input_id INT, output VARCHAR(255))";
const insert = "INSERT INTO original_results (id, input_id, output) VALUES (:id, :input_id, :output)";

/** What inserts an output: each of its statements is asked after, at once and again after each pause. */
function inserterOf({ region, credentials, endpoints, clusterId, databaseName }: OriginalOptions) {
  const redshift = new RedshiftDataClient({ region, credentials, endpoint: endpoints.redshiftData });
  const run = async (Sql: string, pauseMilliseconds: number, Parameters?: SqlParameter[]) => {
    const { Id } = await redshift.send(
      new ExecuteStatementCommand({ ClusterIdentifier: clusterId, Database: databaseName, Sql, Parameters }),
    );
    for (;;) {
      const { Status, Error: reason } = await redshift.send(new DescribeStatementCommand({ Id }));
      if (Status === "FINISHED") return Id;
      if (Status === "FAILED" || Status === "ABORTED") throw new Error(`${Sql}: ${reason}`);
      await setTimeout(pauseMilliseconds);
    }
  };
  const resultOf = (Id: string | undefined) => redshift.send(new GetStatementResultCommand({ Id }));
  return async (inputId: string, output: string) => {
    await resultOf(await run(`SELECT 1 FROM pg_database WHERE datname = '${databaseName}'`, 2_000));
    await run(createTable, 2_000);
    const { Records = [] } = await resultOf(await run("SELECT MAX(id) FROM original_results", 1_000));
    const lastId = Records[0]?.[0]?.longValue ?? 0;
    const row = { id: String(lastId + 1), input_id: inputId, output };
    const parameters = Object.entries(row).map(([name, value]) => ({ name, value }));
    await run(insert, 2_000, parameters);
  };
}

/**
 * A handler that makes the calls of the pipeline that this one replaces, in its order and with its pauses: a message
 * after the other, 17 calls each or more. What it computes is right here, since only its speed is compared.
 */
export const originalHandler = (options: OriginalOptions) => {
  const { region, credentials, endpoints, featureGroupName, featureNames, endpointName } = options;
  const featureStore = new SageMakerFeatureStoreRuntimeClient({
    region,
    credentials,
    endpoint: endpoints.featureStore,
  });
  const sageMaker = new SageMakerRuntimeClient({ region, credentials, endpoint: endpoints.sageMaker });
  const insertOutput = inserterOf(options);

  /** No SDK for this one call: only that it is made matters, not what becomes of it. */
  const putMetric = (MetricName: string, Value: number) =>
    fetch(endpoints.cloudWatch, {
      method: "POST",
      headers: { "x-amz-target": "GraniteServiceVersion20100801.PutMetricData" },
      body: JSON.stringify({ Namespace: "SageMaker/CustomModelMetrics", MetricData: [{ MetricName, Value }] }),
    });

  const predict = async (id: string) => {
    const { Record: record = [] } = await featureStore.send(
      new GetRecordCommand({
        FeatureGroupName: featureGroupName,
        RecordIdentifierValueAsString: id,
        FeatureNames: [...featureNames],
      }),
    );
    const values = record.map(({ FeatureName = "", ValueAsString = "" }): [string, string] => [
      FeatureName,
      ValueAsString,
    ]);
    const started = performance.now();
    const { Body } = await sageMaker.send(
      new InvokeEndpointCommand({
        EndpointName: endpointName,
        ContentType: "application/json",
        Body: JSON.stringify(Object.fromEntries(values)),
      }),
    );
    const latency = (performance.now() - started) / 1000;
    await putMetric("ModelLatency", latency);
    for (const [place, [, value]] of values.entries()) await putMetric(`InputLengthSeq${place}`, value.length);
    const output = z.string().parse(JSON.parse(Body?.transformToString() ?? ""));
    await insertOutput(id, output);
  };

  return async (event: unknown): Promise<void> => {
    for (const { body } of eventSchema.parse(event).Records) await predict(body.id);
  };
};
