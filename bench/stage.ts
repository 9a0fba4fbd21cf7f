import { randomUUID } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { SageMakerFeatureStoreRuntimeClient } from "@aws-sdk/client-sagemaker-featurestore-runtime";
import { CreateQueueCommand, SQSClient } from "@aws-sdk/client-sqs";
import { Client, escapeIdentifier } from "pg";
import { z } from "zod";
import {
  createGrant,
  createMakeValues,
  createResults,
  createWriteLock,
  databaseUserOf,
  grantPredictions,
  makeValues,
} from "../constructs/prediction-schema";
import { contractFile } from "../contract/model-contract";
import { accountId, operator } from "../local/credentials";
import {
  type EventSourceMapping,
  type EventSourceMappingOptions,
  startEventSourceMapping,
} from "../local/event-source-mapping";
import { startFeatureStore } from "../local/feature-store";
import { startFunction } from "../local/lambda";
import { type OnTheWay, startPassage } from "../local/passage";
import { startPostgres } from "../local/postgres";
import { startRedshiftData } from "../local/redshift-data";
import { toPostgres } from "../local/redshift-sql";
import { jsonModel, startSageMakerRuntime } from "../local/sagemaker-runtime";
import { startSqs } from "../local/sqs";
import { json, type Request, serve } from "../local/stand-in";
import { FeatureStore } from "../pipeline/features";
import { RequestQueue } from "../pipeline/requests";
import { contract } from "./contract";
import { MeteredModel, type Work } from "./endpoint";
import { jittered, type Latencies } from "./latencies";
import { originalHandler } from "./original";

/** How the worker is deployed, for one measurement. */
export interface WorkerSettings {
  /** The format of a call. */
  readonly request: "json" | "instances";
  readonly batchSize: number;
  /** Functions at work at the same time. */
  readonly functions: number;
  /** Calls to the endpoint in flight, per function. */
  readonly endpointConcurrency: number;
  /** With the request "instances": inputs in a call at most. */
  readonly instancesPerCall: number;
  /** Of the heap, which the functions' processes are held to. */
  readonly heapMegabytes: number;
}

export interface Measurement {
  readonly predictions: number;
  /** Calls to AWS that the function made, by operation. */
  readonly calls: ReadonlyMap<string, number>;
  /** From the first batch handed over until the last was answered. */
  readonly predictionsPerSecond: number;
  /**
   * The endpoint with a full queue: from the first call to it until the last batch was handed over, so without the
   * work that was under way then. With a single batch: until that was answered.
   */
  readonly fullQueue: Work;
  /** From the sending of a request until its row was written, in milliseconds. */
  readonly sentToStored: { readonly p50: number; readonly p99: number };
}

export interface WorkerMeasurement extends Measurement {
  /** The most that one of the functions' processes held of the heap, and in memory altogether, in bytes. */
  readonly heap: number;
  readonly resident: number;
  /** Computing time for a prediction, that of starting the processes spread over all, in milliseconds. */
  readonly cpuPerPrediction: number;
}

/** Where the worker and the original are measured: stand-ins for AWS, behind passages that take as long as AWS does. */
export interface Stage {
  /** Measures the bundled worker on a queue that holds so many requests from the start. */
  measureWorker(settings: WorkerSettings, requests: number): Promise<WorkerMeasurement>;
  /** Measures the original's sequence of calls, by one function in batches of 10. */
  measureOriginal(requests: number): Promise<Measurement>;
  stop(): Promise<void>;
}

const group = {
  name: "features",
  recordIdentifierFeatureName: "id",
  eventTimeFeatureName: "event_time",
  features: [{ name: "id", type: "String" }, { name: "event_time", type: "String" }, ...contract.features],
};
const endpointName = "endpoint";
const clusterId = "warehouse";
const role = "worker";
const retentionSeconds = 4 * 24 * 3600;

/**
 * Starts what is shared by all measurements. Every measurement makes its own queues, database and endpoint.
 * @param inputs how many inputs the feature store knows, which is the most requests that can be measured
 */
export async function startStage(latencies: Latencies, inputs: number): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), "offline-inference-bench-"));
  const stops = new Stops();
  stops.add(() => rmSync(folder, { recursive: true, force: true }));
  try {
    const postgres = stops.with(await startPostgres({ dataDir: join(folder, "postgres") }));
    const sqs = stops.with(await startSqs({ queues: [] }));
    const featureStore = stops.with(await startFeatureStore({ groups: [group] }));
    await fill(featureStore.url, inputs);
    const shared = { latencies, folder, postgresUrl: postgres.url, sqsUrl: sqs.url, featureStoreUrl: featureStore.url };
    return {
      measureWorker: (settings, requests) => onSite(shared, (site) => measureWorker(site, settings, requests)),
      measureOriginal: (requests) => onSite(shared, (site) => measureOriginal(site, requests)),
      stop: () => stops.run(),
    };
  } catch (error) {
    await stops.run();
    throw error;
  }
}

/** What has to be ended, the newest first. */
class Stops {
  private readonly stops: (() => Promise<void> | void)[] = [];

  add(stop: () => Promise<void> | void) {
    this.stops.unshift(stop);
  }

  with<T extends { stop(): Promise<void> }>(thing: T): T {
    this.add(() => thing.stop());
    return thing;
  }

  async run() {
    for (const stop of this.stops.splice(0)) await stop();
  }
}

async function fill(featureStoreUrl: string, inputs: number) {
  const client = new SageMakerFeatureStoreRuntimeClient({ ...operator, endpoint: featureStoreUrl });
  const store = new FeatureStore(
    { featureGroupName: group.name, features: contract.features, recordIdentifierType: "String" },
    client,
  );
  await store.write(
    inputIds(inputs).map((id) => ({
      id,
      values: [
        `Sentence ${id} says that the parcel came on Monday, a day before it was promised.`,
        `On Monday, so a day early, the parcel arrived: that is what sentence ${id} says.`,
      ],
    })),
  );
  client.destroy();
}

/** Numbers, since the original's table has room for no other. */
const inputIds = (count: number) => Array.from({ length: count }, (_, index) => String(index + 1));

interface Shared {
  readonly latencies: Latencies;
  readonly folder: string;
  readonly postgresUrl: string;
  readonly sqsUrl: string;
  readonly featureStoreUrl: string;
}

/** What one measurement has to itself. */
interface Site extends Shared {
  readonly name: string;
  readonly database: Client;
  readonly model: MeteredModel;
  readonly queue: SQSClient;
  readonly queueUrl: string;
  readonly deadLetterQueueUrl: string;
  readonly endpoints: Record<"featureStore" | "sageMaker" | "cloudWatch" | "redshiftData" | "sqs", string>;
  readonly calls: Map<string, number>;
}

async function onSite<T>(shared: Shared, measure: (site: Site) => Promise<T>): Promise<T> {
  const { latencies, postgresUrl, sqsUrl, featureStoreUrl } = shared;
  const name = `site_${randomUUID()}`;
  const stops = new Stops();
  try {
    const administrator = new Client(postgresUrl);
    await administrator.connect();
    await administrator.query(`CREATE DATABASE ${escapeIdentifier(name)}`);
    await administrator.end();
    const databaseUrl = Object.assign(new URL(postgresUrl), { pathname: name }).href;
    const database = new Client(databaseUrl);
    await database.connect();
    stops.add(() => database.end());

    const queue = new SQSClient({ ...operator, endpoint: sqsUrl, useQueueUrlAsEndpoint: false });
    stops.add(() => queue.destroy());
    const makeQueue = async (suffix: string) => {
      const { QueueUrl } = await queue.send(new CreateQueueCommand({ QueueName: `${name}${suffix}` }));
      return z.string().parse(QueueUrl);
    };

    const model = new MeteredModel(latencies.inputOnCore);
    const redshift = stops.with(await startRedshiftData({ postgresUrl: databaseUrl }));
    const calls = new Map<string, number>();
    const count = (operation: string) => calls.set(operation, (calls.get(operation) ?? 0) + 1);
    const answer = jsonModel((body) => {
      count("InvokeEndpoint");
      return model.answer(body);
    });
    const sageMaker = stops.with(await startSageMakerRuntime({ endpointName, variantName: "first", model: answer }));
    const cloudWatch = stops.with(await serve(() => json({})));
    const pass = async (target: string, onTheWay: OnTheWay) => {
      const passage = await startPassage(target, (request, forward) => {
        count(operationOf(request));
        return onTheWay(request, forward);
      });
      return stops.with(passage).url;
    };
    return await measure({
      ...shared,
      name,
      database,
      model,
      queue,
      queueUrl: await makeQueue(""),
      deadLetterQueueUrl: await makeQueue("-dead-letters"),
      endpoints: {
        featureStore: await pass(featureStoreUrl, async (request, forward) => {
          await pause(latencies[request.method === "GET" ? "GetRecord" : "BatchGetRecord"]);
          return forward();
        }),
        sageMaker: sageMaker.url, // its time is the model's
        cloudWatch: await pass(cloudWatch.url, async (_, forward) => {
          await pause(latencies.PutMetricData);
          return forward();
        }),
        redshiftData: await pass(redshift.url, dataApi(latencies)),
        sqs: await pass(sqsUrl, (_, forward) => forward()), // called only for what fails
      },
      calls,
    });
  } finally {
    await stops.run();
  }
}

const pause = (milliseconds: number) => setTimeout(jittered(milliseconds));

/** The operation that a call asks for, as AWS names it. */
function operationOf({ method, url, headers }: Request): string {
  const target = headers["x-amz-target"];
  if (typeof target === "string") return target.replace(/^.*\./, "");
  return url.pathname === "/BatchGetRecord" ? "BatchGetRecord" : `${method === "GET" ? "Get" : "Put"}Record`;
}

/**
 * The time that the Data API takes. A statement that its caller does not wait for seems to run until its time is over;
 * the worker's, which it does wait for, takes its time in the database (`slowInserts`), where it holds the lock.
 */
function dataApi(latencies: Latencies): OnTheWay {
  const finishedAt = new Map<string, number>();
  const withId = z.object({ Id: z.string() });
  const idOf = (body: Buffer | string = "") => withId.parse(JSON.parse(body.toString())).Id;
  return async (request, forward) => {
    await pause(latencies.dataApiCall);
    if (operationOf(request) === "DescribeStatement") {
      const Id = idOf(request.body);
      return performance.now() < (finishedAt.get(Id) ?? 0) ? json({ Id, Status: "STARTED" }) : forward();
    }
    const answer = await forward();
    if (operationOf(request) === "ExecuteStatement" && answer.status === 200) {
      finishedAt.set(idOf(answer.body), performance.now() + jittered(latencies.statement));
    }
    return answer;
  };
}

const slowInserts = ({ statement }: Latencies) => `
  CREATE FUNCTION take_time() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    PERFORM pg_sleep(${statement / 1000} * (0.8 + 0.4 * random()));
    RETURN NULL;
  END $$;
  CREATE TRIGGER take_time BEFORE INSERT ON prediction_results EXECUTE FUNCTION take_time();
`;

/** When a row was written, which neither pipeline says. */
const addStoredAt = "ALTER TABLE prediction_results ADD COLUMN stored_at TIMESTAMPTZ DEFAULT clock_timestamp()";

async function measureWorker(site: Site, settings: WorkerSettings, requests: number): Promise<WorkerMeasurement> {
  const { latencies, folder, name, database, endpoints, queueUrl, deadLetterQueueUrl } = site;
  const grant = grantPredictions(databaseUserOf(role), true);
  await database.query(`DO $$ BEGIN CREATE USER "IAMR:${role}"; EXCEPTION WHEN duplicate_object THEN NULL; END $$`);
  const values = [toPostgres(createMakeValues(contract)), makeValues];
  for (const sql of [
    createResults,
    ...values,
    createWriteLock,
    createGrant,
    grant,
    addStoredAt,
    slowInserts(latencies),
  ]) {
    await database.query(sql);
  }
  const logFile = join(folder, `${name}.log`);
  const code = join(folder, name);
  mkdirSync(code);
  writeFileSync(join(code, contractFile), JSON.stringify({ ...contract, request: settings.request }));
  const worker = startFunction({
    name: "worker",
    bundle: "dist/worker/index.cjs",
    timeoutSeconds: 20,
    memoryMegabytes: settings.heapMegabytes,
    logFile,
    environment: {
      AWS_REGION: operator.region,
      AWS_ACCESS_KEY_ID: role,
      AWS_SECRET_ACCESS_KEY: role,
      AWS_ENDPOINT_URL_SAGEMAKER_FEATURESTORE_RUNTIME: endpoints.featureStore,
      AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME: endpoints.sageMaker,
      AWS_ENDPOINT_URL_REDSHIFT_DATA: endpoints.redshiftData,
      AWS_ENDPOINT_URL_SQS: endpoints.sqs,
      FEATURE_GROUP_NAME: group.name,
      RECORD_IDENTIFIER_TYPE: "String",
      ENDPOINT_NAME: endpointName,
      MODEL_RELEASE: "2026-01",
      LAMBDA_TASK_ROOT: code,
      ENDPOINT_CONCURRENCY: String(settings.endpointConcurrency),
      INSTANCES_PER_CALL: String(settings.instancesPerCall),
      CLUSTER_ID: clusterId,
      DB_NAME: name,
      QUEUE_URL: queueUrl,
      DEAD_LETTER_QUEUE_URL: deadLetterQueueUrl,
      MESSAGE_RETENTION_SECONDS: String(retentionSeconds),
      FIRST_RETURN_DELAY_SECONDS: "10",
      LONGEST_RETURN_DELAY_SECONDS: "900",
      NODE_OPTIONS: `--require ${JSON.stringify(join(__dirname, "probe.cjs"))}`,
    },
  });
  const { batchSize, functions: maximumConcurrency } = settings;
  const mapping = { function: worker, batchSize, maximumConcurrency, reportsBatchItemFailures: true };
  const measurement = await drain(site, mapping, requests).finally(() => worker.stop());
  const uses = usesIn(readFileSync(logFile, "utf8"));
  return {
    ...measurement,
    heap: Math.max(...uses.map(({ heap }) => heap)),
    resident: Math.max(...uses.map(({ resident }) => resident)),
    cpuPerPrediction: uses.reduce((sum, { cpu }) => sum + cpu, 0) / requests,
  };
}

const probeSchema = z.object({ pid: z.number(), heap: z.number(), resident: z.number(), cpu: z.number() });

/** What bench/probe.cjs wrote there last of each process. */
function usesIn(log: string): z.infer<typeof probeSchema>[] {
  const found = [...log.matchAll(/\{"probe":(\{[^}]*\})\}/g)].map(([, text = ""]) =>
    probeSchema.parse(JSON.parse(text)),
  );
  return [...new Map(found.map((use) => [use.pid, use])).values()];
}

async function measureOriginal(site: Site, requests: number): Promise<Measurement> {
  const { name, database, endpoints } = site;
  await database.query("CREATE TABLE prediction_results (id INT, input_id INT, output VARCHAR(255))");
  await database.query(addStoredAt);
  const { region, credentials } = operator;
  const settings = { region, credentials, endpoints, endpointName, clusterId, databaseName: name };
  const handler = originalHandler({
    ...settings,
    featureGroupName: group.name,
    featureNames: contract.features.map(({ name }) => name),
  });
  const mapping = { batchSize: 10, maximumConcurrency: 1, reportsBatchItemFailures: false };
  return drain(site, { ...mapping, function: { invoke: handler } }, requests);
}

type Mapping = Pick<
  EventSourceMappingOptions,
  "function" | "batchSize" | "maximumConcurrency" | "reportsBatchItemFailures"
>;

const eventSchema = z.object({ Records: z.array(z.unknown()) });
const noFailures = z.object({ batchItemFailures: z.array(z.unknown()).length(0) }).optional();

/** Fills the queue, has it emptied, and looks at what came of it. @throws when anything failed or a row is missing */
async function drain(site: Site, mapping: Mapping, requests: number): Promise<Measurement> {
  const { database, model, queue, queueUrl, sqsUrl, calls } = site;
  const sentAt = Date.now();
  const { refused } = await new RequestQueue(queueUrl, queue).send(inputIds(requests).map((id) => ({ id })));
  if (refused[0]) throw new Error(`a request was refused: ${refused[0].reason}`);

  let [handed, answered] = [0, 0];
  let [begun, emptied, ended] = [0, 0, 0];
  let running: EventSourceMapping | undefined;
  const done = new Promise<void>((resolve, reject) => {
    const invoke = async (event: unknown) => {
      const count = eventSchema.parse(event).Records.length;
      begun ||= performance.now();
      handed += count;
      if (handed === requests) emptied = performance.now();
      const result = await mapping.function.invoke(event);
      noFailures.parse(result);
      answered += count;
      ended = performance.now();
      if (answered === requests) resolve();
      return result;
    };
    running = startEventSourceMapping({
      ...mapping,
      sqsUrl,
      queueUrl,
      queueArn: `arn:aws:sqs:${operator.region}:${accountId}:requests`,
      function: { invoke },
      batchWindowSeconds: 1,
      onError: reject,
    });
  });
  await done.finally(() => running?.stop());

  const { rows } = await database.query(
    `SELECT COUNT(*)::INT AS rows, COUNT(DISTINCT input_id)::INT AS inputs,
       PERCENTILE_CONT(ARRAY[0.5, 0.99]) WITHIN GROUP (ORDER BY EXTRACT(EPOCH FROM stored_at)::FLOAT8 * 1000) AS stored
     FROM prediction_results`,
  );
  const found = z.tuple([
    z.object({ rows: z.number(), inputs: z.number(), stored: z.tuple([z.number(), z.number()]) }),
  ]);
  const [{ rows: predictions, inputs, stored }] = found.parse(rows);
  if (predictions !== requests || inputs !== requests) {
    throw new Error(`${requests} requests came to ${predictions} rows of ${inputs} inputs`);
  }
  const [p50 = 0, p99 = 0] = stored.map((at) => at - sentAt);
  return {
    predictions,
    calls,
    predictionsPerSecond: (predictions * 1000) / (ended - begun),
    fullQueue: model.workOf(model.firstUsed, emptied > model.firstUsed ? emptied : ended),
    sentToStored: { p50, p99 },
  };
}
