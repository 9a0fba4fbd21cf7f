import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { DescribeStatementCommand, ExecuteStatementCommand, RedshiftDataClient } from "@aws-sdk/client-redshift-data";
import { CreateBucketCommand, GetObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { PutRecordCommand, SageMakerFeatureStoreRuntimeClient } from "@aws-sdk/client-sagemaker-featurestore-runtime";
import { DeleteMessageCommand, ReceiveMessageCommand } from "@aws-sdk/client-sqs";
import { Client } from "pg";
import { defaultContract } from "../../config/default-model";
import { schemaStatements } from "../../constructs/prediction-schema";
import { contractFile, type ModelContract } from "../../contract/model-contract";
import { accountId, credentialsOf, operator } from "../../local/credentials";
import { startEventBridge } from "../../local/eventbridge";
import { startFeatureStore } from "../../local/feature-store";
import { type FunctionOptions, startFunction } from "../../local/lambda";
import { startLambda } from "../../local/lambda-configuration";
import { type OnTheWay, startPassage } from "../../local/passage";
import { type RedshiftDataOptions, startRedshiftData } from "../../local/redshift-data";
import { startS3 } from "../../local/s3";
import { type Model, startSageMakerRuntime } from "../../local/sagemaker-runtime";
import type { StandIn } from "../../local/stand-in";
import { within } from "../../pipeline/clients";
import { FeatureStore } from "../../pipeline/features";
import { Outcomes } from "../../pipeline/outcomes";
import { contract as usualContract } from "./contract";
import { createDatabase } from "./database";
import { createQueue, sqsClient, sqsUrl } from "./queues";

const services = [
  "EVENTBRIDGE",
  "LAMBDA",
  "REDSHIFT_DATA",
  "S3",
  "SAGEMAKER_FEATURESTORE_RUNTIME",
  "SAGEMAKER_RUNTIME",
  "SQS",
] as const;
export type Service = (typeof services)[number];

/** Of a function's environment; undefined takes a usual one away. */
type Variables = Readonly<Record<string, string | undefined>>;

const told = (variables: Variables) =>
  Object.fromEntries(
    Object.entries(variables).flatMap(([name, value]): [string, string][] =>
      value === undefined ? [] : [[name, value]],
    ),
  );

const copyRoleArn = `arn:aws:iam::${accountId}:role/copy`;
const unloadRoleArn = `arn:aws:iam::${accountId}:role/unload`;

/** AWS on this desk for one test file: a database, queues and stand-ins of its own, each of which can be hindered. */
export const startDesk = async ({
  model,
  isolation,
  copySkips,
  workgroupName,
  contract: answerContract = defaultContract,
}: {
  model: Model;
  /** What the columns of `prediction_values` are of. @default the default model's */
  contract?: ModelContract;
} & Pick<RedshiftDataOptions, "isolation" | "copySkips" | "workgroupName">) => {
  const { features: modelFeatures } = usualContract;
  const postgresUrl = await createDatabase();
  const database = new Client(postgresUrl);
  await database.connect();

  const hindrances: Partial<Record<Service | "COPY", OnTheWay>> = {};
  const s3StandIn = await startS3();
  const s3OfCluster = await startPassage(
    s3StandIn.url,
    (request, forward) => hindrances.COPY?.(request, forward) ?? forward(),
  );
  const redshift = await startRedshiftData({
    postgresUrl,
    isolation,
    s3Url: s3OfCluster.url,
    copySkips,
    workgroupName,
  });
  const group = {
    name: "customers",
    recordIdentifierFeatureName: "id",
    eventTimeFeatureName: "event_time",
    features: [...["id", "event_time"].map((name) => ({ name, type: "String" })), ...modelFeatures],
  };
  const featureStore = await startFeatureStore({ groups: [group] });
  const endpoint = await startSageMakerRuntime({ endpointName: "classifier", variantName: "first", model });
  const starter = { name: "starter", timeoutSeconds: 900, memoryMegabytes: 512, variables: {} };
  const lambda = await startLambda(operator.region, [
    { ...starter, invoke: () => Promise.reject(new Error("no jobs")) },
  ]);
  const eventBridge = await startEventBridge();
  const targets: Record<Service, string> = {
    EVENTBRIDGE: eventBridge.url,
    LAMBDA: lambda.url,
    REDSHIFT_DATA: redshift.url,
    SAGEMAKER_FEATURESTORE_RUNTIME: featureStore.url,
    SAGEMAKER_RUNTIME: endpoint.url,
    S3: s3StandIn.url,
    SQS: sqsUrl(),
  };
  const calls: string[] = [];
  const passages: StandIn[] = [];
  const endpoints: Record<string, string> = {};
  for (const service of services) {
    const passage = await startPassage(targets[service], (request, forward) => {
      calls.push(`${service} ${request.headers["x-amz-target"] ?? request.url.pathname}`);
      return hindrances[service]?.(request, forward) ?? forward();
    });
    passages.push(passage);
    endpoints[`AWS_ENDPOINT_URL_${service}`] = passage.url;
  }

  const s3 = new S3Client({ ...operator, endpoint: targets.S3 });
  const answersBucket = `answers-${randomUUID()}`;
  await s3.send(new CreateBucketCommand({ Bucket: answersBucket }));
  const sqs = sqsClient();
  const { url: queueUrl } = await createQueue();
  const { url: deadLetterQueueUrl } = await createQueue();

  const staged = new Outcomes(answersBucket, s3);

  const read = new Map<string, Promise<Record<string, unknown>[]>>();
  /** The lines of a staged object, which is never written over. */
  const linesOf = (Key: string) => {
    const lines = read.get(Key) ?? fetchLines(Key);
    read.set(Key, lines);
    return lines;
  };
  const fetchLines = async (Key: string): Promise<Record<string, unknown>[]> => {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: answersBucket, Key }));
    const text = gunzipSync((await Body?.transformToByteArray()) ?? "").toString();
    return text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
  };

  const unique = randomUUID(); // the users of all databases are shared
  const roles = {
    worker: `worker-${unique}`,
    loader: `loader-${unique}`,
    starter: `starter-${unique}`,
    writer: `writer-${unique}`,
    api: `api-${unique}`,
    /** A database user of its own name. */
    reader: `reader-${unique}`,
  };
  /** Runs a statement by the Data API as the database user of a role, and says how it ended. */
  const runAs = async (accessKeyId: string, Sql: string) => {
    const client = new RedshiftDataClient({
      region: operator.region,
      endpoint: redshift.url,
      credentials: credentialsOf(accessKeyId),
    });
    const isAdmin = workgroupName !== undefined && accessKeyId === "operator";
    const SecretArn = isAdmin ? `arn:aws:secretsmanager:us-east-1:${accountId}:secret:admin` : undefined;
    const at =
      workgroupName === undefined ? { ClusterIdentifier: "warehouse" } : { WorkgroupName: workgroupName, SecretArn };
    const input = { ...at, Sql, Database: "predictions", WaitTimeSeconds: 30 };
    const { Id } = await client.send(new ExecuteStatementCommand(input));
    const { Status, Error: error } = await client.send(new DescribeStatementCommand({ Id }));
    client.destroy();
    return { status: Status, error };
  };
  const names = {
    loaderRoleName: roles.loader,
    writerRoleName: roles.writer,
    reader: roles.reader,
    readerRoleNames: [roles.api],
    copyRoleArn,
    unloadRoleArn,
  };
  const made = schemaStatements({ contract: answerContract, takeOver: false, ...names });
  for (const sql of made) {
    const { status, error } = await runAs("operator", sql);
    if (status !== "FINISHED") throw new Error(`${sql}: ${error}`);
  }

  const records = new SageMakerFeatureStoreRuntimeClient({ ...operator, endpoint: featureStore.url });
  const features = new FeatureStore(
    { featureGroupName: group.name, features: modelFeatures, recordIdentifierType: "String" },
    records,
  );
  const folder = mkdtempSync(join(tmpdir(), "desk-"));
  const logFile = join(folder, "log");
  /** The folder of a function's code, with the contract that its archive would have. */
  const codeWith = (contract: ModelContract) => {
    const code = mkdtempSync(join(folder, "code-"));
    writeFileSync(join(code, contractFile), JSON.stringify(contract));
    return code;
  };

  const warehouse = {
    ...(workgroupName === undefined ? { CLUSTER_ID: "warehouse" } : { WORKGROUP_NAME: workgroupName }),
    DB_NAME: "predictions",
  };
  const functions: { stop(): Promise<void> }[] = [];
  const start = (
    name: "worker" | "loader" | "starter" | "writer" | "api",
    environment: Variables,
    options: Partial<FunctionOptions> = {},
    contract = usualContract,
  ) => {
    const started = startFunction({
      name,
      bundle: `dist/${name}/index.cjs`,
      timeoutSeconds: 30,
      memoryMegabytes: 512,
      logFile,
      environment: told({
        AWS_REGION: operator.region,
        AWS_ACCESS_KEY_ID: roles[name],
        AWS_SECRET_ACCESS_KEY: credentialsOf(roles[name]).secretAccessKey,
        LAMBDA_TASK_ROOT: codeWith(contract),
        ...endpoints,
        ...environment,
      }),
      ...options,
    });
    functions.push(started);
    return started;
  };

  return {
    roles,
    queueUrl,
    deadLetterQueueUrl,
    /** What stands in the way of the functions' calls to a service, and of the cluster's to S3. */
    hindrances,
    unhinder: () => {
      for (const service of [...services, "COPY"] as const) delete hindrances[service];
    },
    /** What the functions called, since it was last emptied. */
    calls,
    runAs,
    features,
    /** Puts a record into the feature store as it is, whatever it lacks. */
    putRecord: (values: Record<string, string>) =>
      records.send(
        new PutRecordCommand({
          FeatureGroupName: group.name,
          Record: Object.entries(values).map(([FeatureName, ValueAsString]) => ({ FeatureName, ValueAsString })),
        }),
      ),
    /** A worker that returns messages without delay. `environment` goes above the usual, as does `contract`. */
    worker: (options: Partial<FunctionOptions> = {}, environment: Variables = {}, contract?: ModelContract) =>
      start(
        "worker",
        {
          FEATURE_GROUP_NAME: group.name,
          RECORD_IDENTIFIER_TYPE: "String",
          ENDPOINT_NAME: "classifier",
          MODEL_RELEASE: "2026-01",
          ENDPOINT_CONCURRENCY: "4",
          ENDPOINT_CALL_SECONDS: "10",
          INSTANCES_PER_CALL: "1",
          ANSWERS_BUCKET: answersBucket,
          MAX_RECEIVE_COUNT: "1000",
          DEAD_LETTER_QUEUE_URL: deadLetterQueueUrl,
          QUEUE_URL: queueUrl,
          MESSAGE_RETENTION_SECONDS: "1209600",
          FIRST_RETURN_DELAY_SECONDS: "0",
          LONGEST_RETURN_DELAY_SECONDS: "0",
          ...environment,
        },
        options,
        contract,
      ),
    /** A loader. One run of it is `invoke({})`. */
    loader: (options: Partial<FunctionOptions> = {}, environment: Variables = {}) =>
      start(
        "loader",
        {
          ANSWERS_BUCKET: answersBucket,
          COPY_ROLE_ARN: copyRoleArn,
          UNLOAD_ROLE_ARN: unloadRoleArn,
          READER: workgroupName === undefined ? roles.reader : undefined,
          ...warehouse,
          ...environment,
        },
        options,
      ),
    /** A starter of jobs. */
    starter: (options: Partial<FunctionOptions> = {}) =>
      start(
        "starter",
        { ANSWERS_BUCKET: answersBucket, QUEUE_URL: queueUrl, MAX_ROWS: "10000" },
        { timeoutSeconds: 900, ...options }, // it begins nothing in its last half minute
      ),
    /** A writer of results. One run of it is `invoke({})`. */
    writer: (options: Partial<FunctionOptions> = {}, environment: Variables = {}, contract?: ModelContract) =>
      start(
        "writer",
        {
          ANSWERS_BUCKET: answersBucket,
          UNLOAD_ROLE_ARN: unloadRoleArn,
          VISIBILITY_TIMEOUT_SECONDS: "360",
          WORKER_TIMEOUT_SECONDS: "60",
          MESSAGE_RETENTION_SECONDS: "1209600",
          ...warehouse,
          ...environment,
        },
        options,
        contract,
      ),
    /** EventBridge's default bus. */
    eventBridge,
    api: (options: Partial<FunctionOptions> = {}, environment: Variables = {}) =>
      start(
        "api",
        {
          FEATURE_GROUP_NAME: group.name,
          QUEUE_URL: queueUrl,
          MESSAGE_RETENTION_SECONDS: "345600",
          VISIBILITY_TIMEOUT_SECONDS: "120",
          STARTER_FUNCTION_NAME: starter.name,
          MILLION_ROWS_USD: "2.5",
          MILLION_ROWS_USD_IS_AT_LEAST: "true",
          ANSWERS_BUCKET: answersBucket,
          ...warehouse,
          ...environment,
        },
        options,
      ),
    answersBucket,
    copyRoleArn,
    s3,
    staged,
    /** What was asked of the warehouse so far, in calls. */
    get statements() {
      return redshift.statements;
    },
    /** What is staged: the lines of all objects, the oldest object first. */
    outcomes: async () => {
      const { objects } = await staged.list(10_000, within(60_000));
      return (await Promise.all(objects.map(({ key }) => linesOf(key)))).flat();
    },
    database,
    /** Rows of the warehouse. */
    rows: async (sql: string, values: string[] = []) => (await database.query(sql, values)).rows,
    /** What the functions have written to their log so far. */
    log: () => readFileSync(logFile, "utf8"),
    /** Takes messages from a queue as they come, until there are so many. */
    take: async (from: string, count: number) => {
      const taken: { body: string; reason?: string; code?: string; group?: string }[] = [];
      while (taken.length < count) {
        const { Messages = [] } = await sqs.send(
          new ReceiveMessageCommand({
            QueueUrl: from,
            MaxNumberOfMessages: 10,
            WaitTimeSeconds: 20,
            MessageAttributeNames: ["All"],
            MessageSystemAttributeNames: ["MessageGroupId"],
          }),
        );
        for (const { Body = "", Attributes, MessageAttributes, ReceiptHandle } of Messages) {
          const { reason, code } = MessageAttributes ?? {};
          const group = Attributes?.MessageGroupId;
          taken.push({ body: Body, reason: reason?.StringValue, code: code?.StringValue, group });
          await sqs.send(new DeleteMessageCommand({ QueueUrl: from, ReceiptHandle }));
        }
      }
      return taken;
    },
    stop: async () => {
      await Promise.all(functions.map((one) => one.stop()));
      await Promise.all(
        [...passages, lambda, redshift, s3OfCluster, s3StandIn, featureStore, endpoint, eventBridge].map((one) =>
          one.stop(),
        ),
      );
      sqs.destroy();
      s3.destroy();
      await database.end();
    },
  };
};

export type Desk = Awaited<ReturnType<typeof startDesk>>;

let made = 0;

/** A message as Lambda hands it to a function. */
export const delivered = (body: unknown, sentAt = new Date(), receiveCount = 1) => ({
  messageId: `message-${++made}`,
  receiptHandle: `receipt-${made}`,
  body: typeof body === "string" ? body : JSON.stringify(body),
  attributes: { SentTimestamp: String(sentAt.getTime()), ApproximateReceiveCount: String(receiveCount) },
});
