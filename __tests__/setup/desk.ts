import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DescribeStatementCommand, ExecuteStatementCommand, RedshiftDataClient } from "@aws-sdk/client-redshift-data";
import { SageMakerFeatureStoreRuntimeClient } from "@aws-sdk/client-sagemaker-featurestore-runtime";
import { DeleteMessageCommand, ReceiveMessageCommand } from "@aws-sdk/client-sqs";
import { Client } from "pg";
import { createGrant, createResults, createWriteLock, grantPredictions } from "../../constructs/prediction-schema";
import { operator } from "../../local/credentials";
import { startFeatureStore } from "../../local/feature-store";
import { type FunctionOptions, startFunction } from "../../local/lambda";
import { startRedshiftData } from "../../local/redshift-data";
import { type Model, startSageMakerRuntime } from "../../local/sagemaker-runtime";
import { type Answer, type Request, type StandIn, serve } from "../../local/stand-in";
import { FeatureStore } from "../../pipeline/features";
import { createDatabase } from "./database";
import { createQueue, sqsClient, sqsUrl } from "./queues";

/** Stands between a function and AWS: may look at a call, hinder it, or spoil its answer. */
export type Hindrance = (request: Request, forward: () => Promise<Answer>) => Promise<Answer> | Answer;

const services = ["REDSHIFT_DATA", "SAGEMAKER_FEATURESTORE_RUNTIME", "SAGEMAKER_RUNTIME", "SQS"] as const;
export type Service = (typeof services)[number];

const forwardTo =
  (target: string, { method, url, headers, body }: Request) =>
  async (): Promise<Answer> => {
    const names = ["authorization", "content-type", "x-amz-target", "accept"];
    const kept = names.flatMap((name) => (typeof headers[name] === "string" ? [[name, headers[name]] as const] : []));
    const init = { method, headers: Object.fromEntries(kept), ...(body.length > 0 && { body: new Uint8Array(body) }) };
    const response = await fetch(new URL(url.pathname + url.search, target), init);
    const answered = ["content-type", "x-amzn-errortype", "x-amzn-invoked-production-variant"].flatMap((name) => {
      const value = response.headers.get(name);
      return value === null ? [] : [[name, value] as const];
    });
    return {
      status: response.status,
      headers: Object.fromEntries(answered),
      body: Buffer.from(await response.arrayBuffer()),
    };
  };

/** AWS on this desk for one test file: a database, queues and stand-ins of its own, each of which can be hindered. */
export const startDesk = async ({ model }: { model: Model }) => {
  const postgresUrl = await createDatabase();
  const database = new Client(postgresUrl);
  await database.connect();

  const redshift = await startRedshiftData({ postgresUrl });
  const group = {
    name: "sentences",
    recordIdentifierFeatureName: "id",
    eventTimeFeatureName: "event_time",
    features: ["id", "event_time", "seq_0", "seq_1"].map((name) => ({ name, type: "String" })),
  };
  const featureStore = await startFeatureStore({ groups: [group] });
  const endpoint = await startSageMakerRuntime({ endpointName: "paraphrases", variantName: "first", model });
  const targets: Record<Service, string> = {
    REDSHIFT_DATA: redshift.url,
    SAGEMAKER_FEATURESTORE_RUNTIME: featureStore.url,
    SAGEMAKER_RUNTIME: endpoint.url,
    SQS: sqsUrl(),
  };
  const hindrances: Partial<Record<Service, Hindrance>> = {};
  const calls: string[] = [];
  const passages: StandIn[] = [];
  const endpoints: Record<string, string> = {};
  for (const service of services) {
    const passage = await serve((request) => {
      calls.push(`${service} ${request.headers["x-amz-target"] ?? request.url.pathname}`);
      const forward = forwardTo(targets[service], request);
      return hindrances[service]?.(request, forward) ?? forward();
    });
    passages.push(passage);
    endpoints[`AWS_ENDPOINT_URL_${service}`] = passage.url;
  }

  const sqs = sqsClient();
  const { url: queueUrl } = await createQueue();
  const { url: deadLetterQueueUrl } = await createQueue();

  const unique = randomUUID(); // the users of all databases are shared
  const roles = { worker: `worker-${unique}`, api: `api-${unique}` };
  /** Runs a statement by the Data API as the database user of a role, and says how it ended. */
  const runAs = async (accessKeyId: string, Sql: string) => {
    const client = new RedshiftDataClient({
      region: operator.region,
      endpoint: redshift.url,
      credentials: { accessKeyId, secretAccessKey: accessKeyId },
    });
    const input = { Sql, ClusterIdentifier: "warehouse", Database: "predictions", WaitTimeSeconds: 30 };
    const { Id } = await client.send(new ExecuteStatementCommand(input));
    const { Status, Error: error } = await client.send(new DescribeStatementCommand({ Id }));
    client.destroy();
    return { status: Status, error };
  };
  for (const sql of [
    createResults,
    createWriteLock,
    createGrant,
    grantPredictions(roles.worker, true),
    grantPredictions(roles.api, false),
  ]) {
    const { status, error } = await runAs("operator", sql);
    if (status !== "FINISHED") throw new Error(`${sql}: ${error}`);
  }

  const features = new FeatureStore(
    { featureGroupName: group.name, recordIdentifierType: "String" },
    new SageMakerFeatureStoreRuntimeClient({ ...operator, endpoint: featureStore.url }),
  );
  const logFile = join(await mkdtemp(join(tmpdir(), "desk-")), "log");
  const functions: { stop(): Promise<void> }[] = [];
  const start = (
    name: "worker" | "api",
    environment: Record<string, string>,
    options: Partial<FunctionOptions> = {},
  ) => {
    const started = startFunction({
      name,
      bundle: `dist/${name}/index.cjs`,
      timeoutSeconds: 30,
      memoryMegabytes: 512,
      logFile,
      environment: {
        AWS_REGION: operator.region,
        AWS_ACCESS_KEY_ID: roles[name],
        AWS_SECRET_ACCESS_KEY: "secret",
        CLUSTER_ID: "warehouse",
        DB_NAME: "predictions",
        ...endpoints,
        ...environment,
      },
      ...options,
    });
    functions.push(started);
    return started;
  };

  return {
    roles,
    queueUrl,
    deadLetterQueueUrl,
    /** What stands in the way of the functions' calls to a service. */
    hindrances,
    unhinder: () => {
      for (const service of services) delete hindrances[service];
    },
    /** What the functions called, since it was last emptied. */
    calls,
    runAs,
    features,
    worker: (options: Partial<FunctionOptions> = {}) =>
      start(
        "worker",
        {
          FEATURE_GROUP_NAME: group.name,
          RECORD_IDENTIFIER_TYPE: "String",
          ENDPOINT_NAME: "paraphrases",
          MODEL_RELEASE: "2026-01",
          ENDPOINT_CONCURRENCY: "4",
          DEAD_LETTER_QUEUE_URL: deadLetterQueueUrl,
        },
        options,
      ),
    api: (options: Partial<FunctionOptions> = {}) => start("api", { QUEUE_URL: queueUrl }, options),
    /** Rows of the warehouse. */
    rows: async (sql: string, values: string[] = []) => (await database.query(sql, values)).rows,
    /** What the functions have written to their log so far. */
    log: () => readFileSync(logFile, "utf8"),
    /** Takes messages from a queue as they come, until there are so many. */
    take: async (from: string, count: number) => {
      const taken: { body: string; reason?: string }[] = [];
      while (taken.length < count) {
        const { Messages = [] } = await sqs.send(
          new ReceiveMessageCommand({
            QueueUrl: from,
            MaxNumberOfMessages: 10,
            WaitTimeSeconds: 20,
            MessageAttributeNames: ["All"],
          }),
        );
        for (const { Body = "", MessageAttributes, ReceiptHandle } of Messages) {
          taken.push({ body: Body, reason: MessageAttributes?.reason?.StringValue });
          await sqs.send(new DeleteMessageCommand({ QueueUrl: from, ReceiptHandle }));
        }
      }
      return taken;
    },
    stop: async () => {
      await Promise.all(functions.map((one) => one.stop()));
      await Promise.all([...passages, redshift, featureStore, endpoint].map((one) => one.stop()));
      sqs.destroy();
      await database.end();
    },
  };
};

export type Desk = Awaited<ReturnType<typeof startDesk>>;

let made = 0;

/** A message as Lambda hands it to a function. */
export const delivered = (body: unknown, sentAt = new Date("2026-01-31T12:00:00.123Z")) => ({
  messageId: `message-${++made}`,
  body: typeof body === "string" ? body : JSON.stringify(body),
  attributes: { SentTimestamp: String(sentAt.getTime()) },
});
