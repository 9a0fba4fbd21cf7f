import { createHash } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { z } from "zod";
import { jobFolders, jobStates, rowCounts } from "../contract/job";
import { operator } from "../local/credentials";
import type { OnTheWay } from "../local/passage";
import type { LocalPipeline } from "../local/pipeline";
import { signatureHeaders } from "../local/signature";
import { passTimeOfGroups } from "../local/sqs";
import { json, type Request } from "../local/stand-in";
import { settingsOf } from "./contract";
import { MeteredModel, type Work } from "./endpoint";
import { linesOf } from "./feeding";
import { Counting, deployed, onPipeline, operationOf, pause, type Scene, usesIn, waitFor } from "./stage";

/** Messages of a job that the starter puts on the queue at once at least, where it has so many. */
const fullQueue = 10_000;

export interface SendingMeasurement {
  readonly rows: number;
  /** Of the input. */
  readonly bytes: number;
  /** From when the job was made until its first row was sent, in seconds: its whole input is checked in between. */
  readonly checkSeconds: number;
  readonly sent: number;
  readonly rowsPerSecond: number;
  /** What its process computed for a row that it sent, in milliseconds. */
  readonly cpuPerRow: number;
  /** The most that its process held in memory, in bytes. */
  readonly resident: number;
}

export interface SendingSettings {
  readonly rows: number;
  readonly format: "csv" | "ndjson";
  /** After so many rows the starter is ended. */
  readonly mostSent: number;
  /** How long a call to the queue takes. */
  readonly callMilliseconds: number;
}

/** Measures the starter on a queue that counts and keeps nothing. */
export async function measureSending(settings: SendingSettings): Promise<SendingMeasurement> {
  const { rows, format, mostSent, callMilliseconds } = settings;
  const sends = new Sends();
  const sqs: OnTheWay = async (request) => {
    await pause(callMilliseconds);
    if (operationOf(request) !== "SendMessageBatch") return json({ Attributes: {} });
    const entries = sends.add(request);
    const Successful = entries.map(({ Id, MessageBody }) => {
      return { Id, MessageId: Id, MD5OfMessageBody: createHash("md5").update(MessageBody).digest("hex") };
    });
    return json({ Successful, Failed: [] });
  };
  const watched = { name: "starter", bundle: deployed("starter"), probes: ["probe.cjs"] } as const;
  const model = new MeteredModel({ slots: 1, millisecondsPerInput: 0 });
  return onPipeline({ settings: settingsOf("json"), onTheWay: { sqs } }, model, watched, async (pipeline, logOf) => {
    const site = new Site(pipeline);
    try {
      const { key, bytes } = await site.putInput(format, rows);
      const made = performance.now();
      await site.make("sent", { key });
      const wanted = Math.min(rows, mostSent);
      const used = () => {
        const uses = usesIn(logOf(pipeline.configuration.jobs.starterFunctionName));
        const cpu = uses.reduce((sum, one) => sum + one.cpu, 0);
        return { sent: sends.count, cpu, resident: Math.max(...uses.map(({ resident }) => resident)) };
      };
      const hasBegun = async () => {
        await site.lookAt("sent");
        return sends.count > 0;
      };
      await waitFor(hasBegun, () => sends.count, 900_000);
      const before = used();
      await waitFor(
        () => sends.count >= wanted,
        () => sends.count,
      );
      const after = used();
      return {
        rows,
        bytes,
        checkSeconds: (sends.reachedAt(1) - made) / 1000,
        sent: sends.count,
        rowsPerSecond: sends.perSecond(wanted),
        cpuPerRow: (after.cpu - before.cpu) / (after.sent - before.sent),
        resident: after.resident,
      };
    } finally {
      site.stop();
    }
  });
}

/** How the pipeline is deployed on which jobs run. */
interface Deployed extends Scene {
  readonly batchSize: number;
  /** Functions at work at the same time. */
  readonly functions: number;
  /** How often loader and writer are invoked, in seconds. The shortest that a schedule can have is a minute. */
  readonly everySeconds: number;
}

const deploymentOf = ({ batchSize, functions }: Deployed) =>
  settingsOf("json", {
    model: { concurrency: 16 },
    inference: { batchSize, batchWindowSeconds: 2, maximumConcurrency: functions },
    loading: { everyMinutes: 60 }, // it is invoked here
  });

export interface LargeJobSettings extends Deployed {
  readonly rows: number;
  /** How long it is measured what the endpoint does, in seconds, and how often the job is looked at meanwhile. */
  readonly fullSeconds: number;
  readonly looks: number;
}

export interface LargeJobMeasurement {
  readonly rows: number;
  /** Until the queue was full. */
  readonly sentPerSecond: number;
  /** From when the queue was full and the functions were at work. */
  readonly fullQueue: Work;
  /** What a `GET` of the job took each time, in milliseconds. */
  readonly looks: readonly number[];
  /** Rows that had no outcome when the job was cancelled. */
  readonly waiting: number;
  /** From the mark until the endpoint's last call. */
  readonly lastCallSeconds: number;
  /** From the mark until the job was `cancelled`. */
  readonly cancelledSeconds: number;
  /** The longest that a worker may have had requests in hand, from the mark on. */
  readonly inHandSeconds: number;
  /** Loads that began after that, and before the writer wrote the result. */
  readonly loads: number;
  /** How long the writer took for that. */
  readonly writeSeconds: number;
  readonly counts: z.infer<typeof rowCounts>;
}

/** How long after the mark a worker may begin something, by its listing and by clocks that are apart. */
const stopSeenSeconds = 15;

/** Measures a job on a whole pipeline, and cancels it. */
export async function measureLargeJob(settings: LargeJobSettings): Promise<LargeJobMeasurement> {
  const { rows, latencies, endpoint, batchSize, everySeconds } = settings;
  const model = new MeteredModel(endpoint, latencies.endpointCall);
  const sends = new Sends();
  const onTheWay = sends.seeing(latenciesOnTheWay(settings));
  return onPipeline({ settings: deploymentOf(settings), onTheWay }, model, undefined, async (pipeline) => {
    const site = new Site(pipeline);
    const { loader, writer } = site.runSchedules(everySeconds);
    const id = "large";
    try {
      const { key } = await site.putInput("csv", rows);
      await site.make(id, { key });
      const full = Math.min(rows, fullQueue);
      await waitFor(
        async () => {
          if (sends.count === 0) await site.lookAt(id);
          return sends.count >= full && model.answered >= batchSize;
        },
        () => sends.count + model.answered,
        900_000,
      );

      const from = performance.now();
      const looks = await lookWhileFull(site, id, settings);
      const work = model.workOf(from, performance.now());

      const { before, counts, marked, cancelled } = await cancel(site, id);
      const inHandSeconds = stopSeenSeconds + pipeline.configuration.inference.timeoutSeconds;
      const written = writer.runs.findLast((at) => at < cancelled) ?? cancelled;
      return {
        rows,
        sentPerSecond: sends.perSecond(full),
        fullQueue: work,
        looks,
        waiting: before?.waiting ?? 0,
        lastCallSeconds: Math.max(0, model.lastCalledAt - marked) / 1000,
        cancelledSeconds: (cancelled - marked) / 1000,
        inHandSeconds,
        loads: loader.runs.filter((at) => at > marked + 1000 * inHandSeconds && at < written).length,
        writeSeconds: (cancelled - written) / 1000,
        counts: rowCounts.parse(counts),
      };
    } finally {
      site.stop();
    }
  });
}

/** @returns what each look at the job took, in milliseconds */
async function lookWhileFull(site: Site, id: string, { fullSeconds, looks: times }: LargeJobSettings) {
  const from = performance.now();
  const looks: number[] = [];
  for (let look = 0; look < times; look++) {
    await setTimeout(Math.max(0, from + (look * 1000 * fullSeconds) / times - performance.now()));
    const asked = performance.now();
    await site.job(id);
    looks.push(performance.now() - asked);
  }
  await setTimeout(Math.max(0, from + 1000 * fullSeconds - performance.now()));
  return looks;
}

/** Cancels a job. @returns what was counted of it before and at its end, and when it was marked and `cancelled` */
async function cancel(site: Site, id: string) {
  const { counts: before } = await site.job(id);
  await site.call("POST", `/jobs/${id}/cancel`);
  const marked = performance.now();
  let counts = before;
  await waitFor(
    async () => {
      const job = await site.lookAt(id);
      counts = job.counts;
      return job.state === "cancelled";
    },
    () => counts?.waiting ?? 0,
    900_000,
  );
  return { before, counts, marked, cancelled: performance.now() };
}

export interface FairnessSettings extends Deployed {
  /** Rows of the job that is asked for again and again. */
  readonly rows: number;
  /** How often, each time. */
  readonly times: number;
  /** Rows of the job beside it. */
  readonly rowsBeside: number;
}

/** The 95th percentiles from when a job was asked for until its rows were answered, in milliseconds, of each time. */
export interface FairnessMeasurement {
  readonly alone: readonly number[];
  readonly beside: readonly number[];
  /** The same six minutes later, as SQS has it. */
  readonly later: readonly number[];
  /** Rows of the other job that had no answer in the end. */
  readonly left: number;
}

/** Longer than SQS keeps in mind that a group was noisy which sends nothing more. */
const laterSeconds = 360;

/** Measures a small job alone, and beside a large one that is fed. */
export async function measureFairness(settings: FairnessSettings): Promise<FairnessMeasurement> {
  const { latencies, endpoint, rows, times, rowsBeside, everySeconds } = settings;
  const small = new Map<string, Map<string, number>>();
  const model = new MeteredModel(endpoint, latencies.endpointCall, ({ first = "", second = "" }) => {
    small.get(first)?.set(second, performance.now());
  });
  const sends = new Sends();
  const onTheWay = sends.seeing(latenciesOnTheWay(settings));
  return onPipeline({ settings: deploymentOf(settings), onTheWay }, model, undefined, async (pipeline) => {
    const site = new Site(pipeline);
    site.runSchedules(everySeconds);
    const askOnce = async () => {
      const id = `small-${small.size}`;
      const answered = new Map<string, number>();
      small.set(id, answered);
      const asked = performance.now();
      const input = Array.from({ length: rows }, (_, row) => {
        return { id: `${row}`, features: { first: id, second: `row ${row}` } };
      });
      await site.make(id, { rows: input });
      await waitFor(
        () => answered.size === rows,
        () => answered.size,
      );
      const taken = [...answered.values()].map((at) => at - asked).sort((one, other) => one - other);
      return taken[Math.ceil(0.95 * rows) - 1] ?? Number.NaN;
    };
    const askSome = async () => {
      const taken: number[] = [];
      for (let time = 0; time < times; time++) taken.push(await askOnce());
      return taken;
    };
    try {
      await askOnce(); // so that the functions are there
      const alone = await askSome();
      const { key } = await site.putInput("csv", rowsBeside);
      const before = { sent: sends.count, answered: model.answered };
      await site.make("large", { key });
      const full = before.sent + Math.min(rowsBeside, fullQueue);
      const isUnderWay = () => sends.count >= full && model.answered >= before.answered + 2 * settings.batchSize;
      await waitFor(isUnderWay, () => sends.count + model.answered);
      const beside = await askSome();

      await passTimeOfGroups(pipeline.environment.AWS_ENDPOINT_URL_SQS ?? "", laterSeconds);
      const sent = sends.count;
      await waitFor(
        () => sends.count > sent,
        () => sends.count,
      ); // it is fed
      const later = await askSome();
      const asked = (1 + 3 * times) * rows;
      return { alone, beside, later, left: rowsBeside - (model.answered - asked) };
    } finally {
      site.stop();
    }
  });
}

/** What calls take, but for the endpoint's, which the model says. */
const latenciesOnTheWay = ({ latencies }: Scene) => {
  const counting = new Counting();
  counting.start();
  return counting.onTheWay(latencies);
};

const batchSchema = z.object({ Entries: z.array(z.object({ Id: z.string(), MessageBody: z.string() })) });

/** Counts the rows that are put on the queue. */
class Sends {
  private readonly batches: { readonly count: number; readonly at: number }[] = [];
  private readonly calls = new Set<unknown>();
  count = 0;

  /** @returns the entries of a call. One that is made again, since its answer was late, is counted once. */
  add({ headers, body }: Request) {
    const { Entries } = batchSchema.parse(JSON.parse(body.toString()));
    const call = headers["amz-sdk-invocation-id"];
    if (!this.calls.has(call)) {
      this.calls.add(call);
      this.count += Entries.length;
      this.batches.push({ count: this.count, at: performance.now() });
    }
    return Entries;
  }

  /** When so many were sent, on the clock of `performance`. */
  reachedAt(count: number): number {
    return this.batches.find((batch) => batch.count >= count)?.at ?? Number.NaN;
  }

  /** How many were sent in a second until there were so many. */
  perSecond(count: number): number {
    return (count * 1000) / (this.reachedAt(count) - this.reachedAt(1));
  }

  /** Sees what passes to the queue. */
  seeing<Ways extends { readonly sqs: OnTheWay }>(ways: Ways): Ways {
    const sqs: OnTheWay = async (request, forward) => {
      const answer = await ways.sqs(request, forward);
      if (operationOf(request) === "SendMessageBatch") this.add(request);
      return answer;
    };
    return { ...ways, sqs };
  }
}

const jobSchema = z.object({
  state: z.enum(jobStates),
  counts: rowCounts.optional(),
  errors: z.array(z.string()).optional(),
});

/** Runs a function as its schedule does, but more often: a tick while it runs is passed over. */
class Schedule {
  /** When its runs began, on the clock of `performance`. */
  readonly runs: number[] = [];
  private isStopped = false;

  constructor(everySeconds: number, run: () => Promise<unknown> | undefined) {
    this.run(1000 * everySeconds, run);
  }

  stop() {
    this.isStopped = true;
  }

  private async run(milliseconds: number, run: () => Promise<unknown> | undefined) {
    while (!this.isStopped) {
      this.runs.push(performance.now());
      await run()?.catch((error: unknown) => {
        if (!this.isStopped) console.error(error); // the next run goes on
      });
      await setTimeout(milliseconds - (performance.now() % milliseconds), undefined, { ref: false });
    }
  }
}

/** What a measurement does with a pipeline from outside. */
class Site {
  private readonly s3: S3Client;
  private schedules: readonly Schedule[] = [];

  constructor(private readonly pipeline: LocalPipeline) {
    this.s3 = new S3Client({ ...operator, endpoint: pipeline.environment.AWS_ENDPOINT_URL_S3 });
  }

  /** Runs loader, starter and writer. */
  runSchedules(everySeconds: number) {
    const { pipeline } = this;
    const { starterFunctionName, writerFunctionName } = pipeline.configuration.jobs;
    const run = (name: string) => new Schedule(everySeconds, () => pipeline.functions.get(name)?.invoke({}));
    const loader = run(pipeline.loaderFunctionName);
    const writer = run(writerFunctionName);
    this.schedules = [loader, writer, run(starterFunctionName)];
    return { loader, writer };
  }

  async putInput(format: "csv" | "ndjson", rows: number) {
    const chunks: Buffer[] = [];
    let text = "";
    for (const line of linesOf(format, rows)) {
      text += line;
      if (text.length < 1_000_000) continue;
      chunks.push(Buffer.from(text));
      text = "";
    }
    const Body = Buffer.concat([...chunks, Buffer.from(text)]);
    const key = `${jobFolders.inputs}rows.${format}`;
    await this.s3.send(new PutObjectCommand({ Bucket: this.pipeline.answersBucket, Key: key, Body }));
    return { key, bytes: Body.length };
  }

  async make(id: string, input: unknown) {
    await this.call("POST", "/jobs", { id, input });
  }

  async job(id: string) {
    return jobSchema.parse(await this.call("GET", `/jobs/${id}`));
  }

  /** Looks at a job, but not all the time. @throws when it has failed */
  async lookAt(id: string) {
    await setTimeout(250);
    const job = await this.job(id);
    if (job.state === "failed") throw new Error(`the job has failed: ${job.errors}`);
    return job;
  }

  async call(method: "GET" | "POST", path: string, body?: unknown): Promise<unknown> {
    const url = new URL(`${this.pipeline.apiUrl}${path}`);
    const headers = signatureHeaders({ method, url }, operator.credentials.accessKeyId);
    const answer = await fetch(url, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${url}: ${answer.status} ${text}`);
    return JSON.parse(text);
  }

  stop() {
    for (const one of this.schedules) one.stop();
    this.s3.destroy();
  }
}
