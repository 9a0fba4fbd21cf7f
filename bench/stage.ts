import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout } from "node:timers/promises";
import { RedshiftDataClient } from "@aws-sdk/client-redshift-data";
import { SageMakerFeatureStoreRuntimeClient } from "@aws-sdk/client-sagemaker-featurestore-runtime";
import { SQSClient } from "@aws-sdk/client-sqs";
import { z } from "zod";
import { queueCounts } from "../cli/shared/queue-counts";
import { operator } from "../local/credentials";
import { type OnTheWay, startPassage } from "../local/passage";
import {
  configurationOf,
  type LocalPipeline,
  type PipelineOptions,
  startPipeline,
  synthesize,
} from "../local/pipeline";
import { jsonModel } from "../local/sagemaker-runtime";
import { json, type Request, serve } from "../local/stand-in";
import { within } from "../pipeline/clients";
import { FeatureStore } from "../pipeline/features";
import { RedshiftData } from "../pipeline/redshift";
import { RequestQueue } from "../pipeline/requests";
import { contract, settingsOf } from "./contract";
import { type EndpointProps, MeteredModel, type Work } from "./endpoint";
import { jittered, type Latencies } from "./latencies";
import { originalHandler } from "./original";
import { buildReadable, type Spent, spentIn } from "./spent";

/** Where something is measured. */
export interface Scene {
  readonly latencies: Latencies;
  readonly endpoint: EndpointProps;
}

/** How the worker is deployed, for one measurement. */
export interface WorkerSettings {
  /** The format of a call. */
  readonly request: "json" | "instances";
  readonly batchSize: number;
  /** Functions at work at the same time. */
  readonly functions: number;
  /** Calls to the endpoint in flight, per function. */
  readonly concurrency: number;
  /** With the request "instances": inputs in a call at most. */
  readonly instancesPerCall: number;
  /**
   * How often the loader is invoked, in seconds, as its schedule does: a tick while a run is under way is passed over.
   * The shortest that a schedule can have is a minute.
   */
  readonly loaderEverySeconds: number;
  /** Whether it is measured what the worker computes for; that itself takes some time. @default false */
  readonly profiled?: boolean;
}

export interface Measurement {
  readonly predictions: number;
  /** Calls to AWS that the functions made, by operation. */
  readonly calls: ReadonlyMap<string, number>;
  /** From when the queue is full until the last message was done. */
  readonly predictionsPerSecond: number;
  /**
   * The endpoint with a full queue and warm functions: after as many inputs as the functions have in hand together, and
   * until so many are left. Without the start of the functions, and without the end, which no queue feeds. Where fewer
   * than twice that are asked: over all.
   */
  readonly fullQueue: Work;
}

export interface WorkerMeasurement extends Measurement {
  /** The most that one of the worker's processes held of the heap, and in memory altogether, in bytes. */
  readonly heap: number;
  readonly resident: number;
  /** What the worker's processes computed for a prediction, that of starting them spread over all, in milliseconds. */
  readonly cpuPerPrediction: number;
  /** What for, where it was profiled. */
  readonly spent?: Spent;
  /** From when the last message was done until all rows were there, in seconds. */
  readonly rowsAfterSeconds: number;
  /** The longest run of the loader, in seconds. */
  readonly longestLoadSeconds: number;
  readonly loads: number;
}

const environment = "bench";

/** Measures the bundled functions on a queue that is filled with so many requests. @throws when a row is missing */
export async function measureWorker(
  { latencies, endpoint }: Scene,
  settings: WorkerSettings,
  requests: number,
): Promise<WorkerMeasurement> {
  const { request, batchSize, functions, concurrency, instancesPerCall, loaderEverySeconds, profiled } = settings;
  const model = new MeteredModel(endpoint, latencies.endpointCall);
  const counting = new Counting();
  const own = settingsOf(request, {
    model: { instancesPerCall, concurrency },
    // So long a window fills the batches that are gathered while the queue is filled.
    inference: { batchSize, batchWindowSeconds: 2, maximumConcurrency: functions },
    loading: { everyMinutes: 60 }, // it is invoked here
  });
  const bundle = profiled ? await buildReadable("worker") : deployed("worker");
  const probes = profiled ? ["probe.cjs", "profile.cjs"] : ["probe.cjs"];
  const worker = { name: "worker", bundle, probes } as const;
  const options = { settings: own, onTheWay: counting.onTheWay(latencies), batchesAtOnce: functions };
  return onPipeline(options, model, worker, async (pipeline, logOf) => {
    const site = siteOf(pipeline);
    const answered = () => model.answered;
    try {
      await fill(pipeline, requests);
      counting.start();
      const loading = new Loading(site.load, loaderEverySeconds);
      await site.send(0, Math.min(batchSize, requests));
      // The functions are at different places of their batches, as they would be after a while.
      await waitFor(() => model.answered >= Math.min(batchSize, requests) / functions, answered);
      await site.send(batchSize, requests);
      const filled = performance.now();
      await waitFor(site.isEmpty, answered);
      const done = performance.now();
      const loaded = await loading.until(requests, done);
      counting.stop();
      await site.check(requests);

      const inHand = functions * batchSize;
      const [from, left] = [Math.max(filled, model.beganAt(inHand)), model.beganAt(requests - inHand)];
      const log = logOf(pipeline.configuration.inference.functionName);
      const uses = usesIn(log);
      return {
        predictions: requests,
        calls: counting.with("InvokeEndpoint", model.calls),
        predictionsPerSecond: model.workOf(filled, done).inputsPerSecond,
        fullQueue: left > from ? model.workOf(from, left) : model.workOf(model.firstUsed, model.lastUsed),
        heap: Math.max(...uses.map(({ heap }) => heap)),
        resident: Math.max(...uses.map(({ resident }) => resident)),
        cpuPerPrediction: uses.reduce((sum, { cpu }) => sum + cpu, 0) / requests,
        ...(profiled && { spent: spentIn(log, bundle) }),
        rowsAfterSeconds: Math.max(0, loaded.at - done) / 1000,
        longestLoadSeconds: loaded.longestSeconds,
        loads: loaded.runs,
      };
    } finally {
      site.stop();
    }
  });
}

/** Measures the original's sequence of calls, over a batch of messages that is handed to it. */
export async function measureOriginal({ latencies, endpoint }: Scene, requests: number): Promise<Measurement> {
  const model = new MeteredModel(endpoint, latencies.endpointCall);
  const counting = new Counting();
  return onPipeline({ settings: settingsOf("json") }, model, undefined, async (pipeline) => {
    await fill(pipeline, requests);
    const cloudWatch = await serve(() => json({}));
    const stops = [cloudWatch];
    try {
      const way = counting.onTheWay(latencies);
      const pass = async (target: string | undefined, onTheWay: OnTheWay) => {
        const passage = await startPassage(target ?? "", onTheWay);
        stops.push(passage);
        return passage.url;
      };
      const { environment: to } = pipeline;
      const handler = originalHandler({
        ...operator,
        endpoints: {
          featureStore: await pass(to.AWS_ENDPOINT_URL_SAGEMAKER_FEATURESTORE_RUNTIME, way.featureStore),
          sageMaker: to.AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME ?? "",
          cloudWatch: await pass(cloudWatch.url, way.cloudWatch),
          redshiftData: await pass(to.AWS_ENDPOINT_URL_REDSHIFT_DATA, way.redshiftData),
        },
        featureGroupName: pipeline.featureGroup.featureGroupName,
        featureNames: contract.features.map(({ name }) => name),
        endpointName: pipeline.endpointName,
        clusterId: pipeline.clusterId,
        databaseName: pipeline.databaseName,
      });
      counting.start();
      const begun = performance.now();
      await handler({ Records: inputIds(requests).map((id) => ({ body: JSON.stringify({ id }) })) });
      const ended = performance.now();
      counting.stop();
      return {
        predictions: requests,
        calls: counting.with("InvokeEndpoint", model.calls),
        predictionsPerSecond: (requests * 1000) / (ended - begun),
        fullQueue: model.workOf(begun, ended),
      };
    } finally {
      for (const one of stops) await one.stop();
    }
  });
}

/** How long nothing may go on, in milliseconds. */
const patience = 120_000;

/** Waits until something is so. @throws when what goes on until then is at rest for too long */
export async function waitFor(isSo: () => Promise<boolean> | boolean, progress: () => number, most = patience) {
  let [done, since] = [progress(), performance.now()];
  while (!(await isSo())) {
    if (progress() !== done) [done, since] = [progress(), performance.now()];
    if (performance.now() - since > most) throw new Error(`it went on until ${done}, and no further`);
    await setTimeout(20);
  }
}

/**
 * Does something with a pipeline.
 * @param watched one of its functions, which says what it uses
 * @param logOf what a function wrote to its log
 */
export async function onPipeline<T>(
  given: Pick<PipelineOptions, "settings" | "onTheWay" | "batchesAtOnce">,
  model: MeteredModel,
  watched: Watched | undefined,
  work: (pipeline: LocalPipeline, logOf: (functionName: string) => string) => Promise<T>,
): Promise<T> {
  const dataDir = mkdtempSync(join(tmpdir(), "offline-inference-bench-"));
  try {
    const stack = await synthesize(configurationOf({ ...given, environment }), dataDir);
    if (watched !== undefined) replace(stack, watched);
    const options = { ...given, dataDir, environment, stack };
    const pipeline = await startPipeline({ ...options, model: jsonModel(model.answer) });
    try {
      return await work(pipeline, (name) => readFileSync(join(dataDir, "logs", `${name}.log`), "utf8"));
    } finally {
      await pipeline.stop();
    }
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

/** What one of the functions runs in the place of its bundle. */
interface Watched {
  readonly name: "worker" | "starter";
  readonly bundle: string;
  /** Files of bench/ that are loaded before it. */
  readonly probes: readonly string[];
}

export const deployed = (name: Watched["name"]) => readFileSync(`dist/${name}/index.cjs`, "utf8");

/** Has a synthesized stack deploy this. */
function replace(stack: string, { name, bundle, probes }: Watched) {
  const replaced = deployed(name);
  const files = readdirSync(stack, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith("index.cjs"))
    .map((file) => join(stack, file))
    .filter((file) => readFileSync(file, "utf8") === replaced);
  if (files.length === 0) throw new Error(`${stack} has no bundle of dist/${name}/index.cjs`);
  const loading = probes.map((probe) => `require(${JSON.stringify(resolve("bench", probe))});`).join("");
  for (const file of files) {
    rmSync(file); // it may be a link
    writeFileSync(file, loading + bundle); // on one line, so that all others stay where they are
  }
}

/** Numbers, since the original's table has room for no other. */
const inputIds = (count: number) => Array.from({ length: count }, (_, index) => String(index + 1));

async function fill({ environment: to, featureGroup }: LocalPipeline, inputs: number) {
  const endpoint = to.AWS_ENDPOINT_URL_SAGEMAKER_FEATURESTORE_RUNTIME;
  const client = new SageMakerFeatureStoreRuntimeClient({ ...operator, endpoint });
  await new FeatureStore(featureGroup, client).write(
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

const runSchema = z.object({ objects: z.number(), answers: z.number(), more: z.boolean() });
type Run = z.infer<typeof runSchema>;

/** What a measurement does with a pipeline from outside. */
function siteOf(pipeline: LocalPipeline) {
  const { environment: to, queueUrl, clusterId, databaseName } = pipeline;
  const sqs = new SQSClient({ ...operator, endpoint: to.AWS_ENDPOINT_URL_SQS, useQueueUrlAsEndpoint: false });
  const redshift = new RedshiftDataClient({ ...operator, endpoint: to.AWS_ENDPOINT_URL_REDSHIFT_DATA });
  return {
    /** Sends requests about inputs, from one place of all to another. */
    send: async (from: number, to: number) => {
      const requests = inputIds(to)
        .slice(from)
        .map((id) => ({ id }));
      const { refused } = await new RequestQueue(queueUrl, sqs).send(requests);
      if (refused[0]) throw new Error(`a request was refused: ${refused[0].reason}`);
    },
    /** Whether no message is left. */
    isEmpty: async () => Object.values(await queueCounts(sqs, queueUrl)).every((count) => count === 0),
    /** Runs the loader once. */
    load: async (): Promise<Run> => runSchema.parse(await pipeline.loader()),
    /** @throws when there are not so many rows, each of an input of its own */
    check: async (requests: number) => {
      const database = new RedshiftData({ clusterId, databaseName }, redshift);
      const count = z.object({ longValue: z.number() }).transform(({ longValue }) => longValue);
      const sql = "SELECT COUNT(*), COUNT(DISTINCT input_id) FROM prediction_results";
      const [[rows, inputs] = []] = await database.read(z.tuple([count, count]), sql, {}, within(60_000));
      if (rows !== requests || inputs !== requests) {
        throw new Error(`${requests} requests came to ${rows} rows of ${inputs} inputs`);
      }
    },
    stop: () => {
      for (const client of [sqs, redshift]) client.destroy();
    },
  };
}

/** Runs the loader as its schedule does. */
class Loading {
  private readonly began = performance.now();
  private readonly runs: { readonly from: number; readonly to: number; readonly answers: number }[] = [];
  private wanted = Number.POSITIVE_INFINITY;
  private readonly done: Promise<void>;

  constructor(
    private readonly load: () => Promise<Run>,
    private readonly everySeconds: number,
  ) {
    this.done = this.run();
    this.done.catch(() => {}); // told by `until`
  }

  /**
   * Waits until so many rows are loaded.
   * @param done when the last of them was staged
   * @throws when a run after that finds nothing more, and they are fewer
   */
  async until(rows: number, done: number) {
    this.wanted = rows;
    this.staged = done;
    await this.done;
    return {
      at: this.runs.findLast(({ answers }) => answers > 0)?.to ?? done,
      longestSeconds: Math.max(...this.runs.map(({ from, to }) => (to - from) / 1000)),
      runs: this.runs.length,
    };
  }

  private staged = Number.POSITIVE_INFINITY;

  private async run() {
    let rows = 0;
    for (;;) {
      const every = this.everySeconds * 1000;
      const since = performance.now() - this.began;
      await setTimeout(every - (since % every)); // the next tick
      const from = performance.now();
      const { answers, objects, more } = await this.load();
      rows += answers;
      this.runs.push({ from, to: performance.now(), answers });
      if (rows >= this.wanted) return;
      if (from > this.staged && objects === 0 && !more) throw new Error(`${this.wanted} requests came to ${rows} rows`);
    }
  }
}

/** Counts what the functions call, and has it take its time. */
export class Counting {
  private readonly calls = new Map<string, number>();
  private counts = false;

  start() {
    this.counts = true;
  }

  stop() {
    this.counts = false;
  }

  with(operation: string, count: number): ReadonlyMap<string, number> {
    return new Map([...this.calls, [operation, count]]);
  }

  /** What sees each service's calls. The endpoint's are the model's. */
  onTheWay({ batchGetRecord, getRecord, s3, sqs, putMetricData, ...latencies }: Latencies) {
    const taking = (milliseconds: (operation: string) => number): OnTheWay =>
      this.counted(async (request, forward) => {
        await pause(milliseconds(operationOf(request)));
        return forward();
      });
    return {
      featureStore: taking((operation) => (operation === "GetRecord" ? getRecord : batchGetRecord)),
      s3: taking(() => s3),
      sqs: taking(() => sqs),
      cloudWatch: taking(() => putMetricData), // the original's alone
      redshiftData: this.counted(dataApi(latencies)),
    };
  }

  /** Before it starts, and when it has stopped, calls pass at once. */
  private counted(onTheWay: OnTheWay): OnTheWay {
    return (request, forward) => {
      if (!this.counts) return forward();
      const operation = operationOf(request);
      this.calls.set(operation, (this.calls.get(operation) ?? 0) + 1);
      return onTheWay(request, forward);
    };
  }
}

export const pause = (milliseconds: number) => setTimeout(jittered(milliseconds));

/** The operation that a call asks for, as AWS names it, and of S3 in which folder of a bucket. */
export function operationOf({ method, url, headers }: Request): string {
  const target = headers["x-amz-target"];
  if (typeof target === "string") return target.replace(/^.*\./, "");
  if (url.pathname === "/BatchGetRecord") return "BatchGetRecord";
  if (url.pathname.startsWith("/FeatureGroup/")) return `${method === "GET" ? "Get" : "Put"}Record`;
  if (url.searchParams.has("list-type")) return "ListObjectsV2";
  if (method === "POST") return "DeleteObjects";
  const [, , folder = ""] = url.pathname.split("/");
  return `${{ GET: "GetObject", PUT: "PutObject", DELETE: "DeleteObject" }[method] ?? method} ${folder}`;
}

const asked = z.object({ Id: z.string().optional(), WaitTimeSeconds: z.number().default(0) });
const sqlSchema = z.object({ Sql: z.string().optional() });
const begun = z.looseObject({ Id: z.string() });

/**
 * The time that the Data API takes. What changes something seems to run until its time is over, and a call waits for it
 * as long as it says: the transaction itself is through earlier, as fast as PostgreSQL is.
 */
function dataApi({ dataApiCall, commit }: Pick<Latencies, "dataApiCall" | "commit">): OnTheWay {
  const dueAt = new Map<string, number>();
  const isDue = async (Id: string, seconds: number) => {
    const left = (dueAt.get(Id) ?? 0) - performance.now();
    if (left > 0 && seconds > 0) await setTimeout(Math.min(left, seconds * 1000));
    return performance.now() >= (dueAt.get(Id) ?? 0);
  };
  return async (request, forward) => {
    await pause(dataApiCall);
    const body: unknown = JSON.parse(request.body.toString());
    const { Id: id, WaitTimeSeconds } = asked.parse(body);
    if (id !== undefined) {
      const isOver = operationOf(request) !== "DescribeStatement" || (await isDue(id, WaitTimeSeconds));
      return isOver ? forward() : json({ Id: id, Status: "STARTED" });
    }
    const answer = await forward();
    if (answer.status !== 200 || /^\s*SELECT\b/i.test(sqlSchema.parse(body).Sql ?? "")) return answer;
    const said = begun.parse(JSON.parse(String(answer.body)));
    if (!dueAt.has(said.Id)) dueAt.set(said.Id, performance.now() + jittered(commit));
    return (await isDue(said.Id, WaitTimeSeconds)) ? answer : json({ ...said, Status: "STARTED" });
  };
}

const probeSchema = z.object({ pid: z.number(), heap: z.number(), resident: z.number(), cpu: z.number() });

/** What bench/probe.cjs wrote there last of each process. */
export function usesIn(log: string): z.infer<typeof probeSchema>[] {
  const found = [...log.matchAll(/\{"probe":(\{[^}]*\})\}/g)].map(([, text = ""]) =>
    probeSchema.parse(JSON.parse(text)),
  );
  return [...new Map(found.map((use) => [use.pid, use])).values()];
}
