import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { z } from "zod";
import { factsOf, jobFolders, jobManifest, jobStates, rowCounts } from "../../contract/job";
import type { Way } from "../../local/aws";
import { operator } from "../../local/credentials";
import type { OnTheWay } from "../../local/passage";
import { startPipeline } from "../../local/pipeline";
import { signatureHeaders } from "../../local/signature";
import { modelOf } from "../setup/contract";
import { numbersOf } from "./random";

export interface JobRun {
  readonly rows: number;
  /** How many times a function is killed while the job runs. */
  readonly kills: number;
  /** How many times the job is sent. */
  readonly senders: number;
  readonly seed: number;
}

const shownJob = z.object({
  id: z.string(),
  state: z.enum(jobStates),
  counts: rowCounts.optional(),
});
type ShownJob = z.output<typeof shownJob>;

const nothingCounted = { total: 0, waiting: 0, answered: 0, failed: 0, expired: 0, cancelled: 0 };

const resultRow = z.object({ row: z.number(), id: z.string(), status: z.string(), output: z.string() });

const scheduleMilliseconds = 500;
const batchSize = 50;
/** Rows that the starter claims at once at most. */
const range = 1_000;

const ways: readonly Way[] = ["sageMaker", "redshiftData", "s3", "sqs", "warehouseToS3"];

/**
 * Runs a job of many rows whose city is its number, sent by many at once, while each of the functions is killed now and
 * then, at its own call or another's.
 * @returns what there is in the end, and whatever was wrong at one of the looks meanwhile
 */
export const runJob = async ({ rows, kills, senders, seed }: JobRun) => {
  const random = numbersOf(seed);
  /** The most calls of AWS from one kill to the next. It grows with the job, so that its kills are not all at its start. */
  const longestRest = Math.ceil(rows / kills / 5);
  const folder = mkdtempSync(join(tmpdir(), "jobs-"));
  let asked = 0;
  const model = modelOf((cities) => {
    asked += cities.length;
    return cities.map((city) => `in ${city}`);
  });

  let killed = 0;
  let rest = random(longestRest);
  let victims: readonly { kill(): void }[] = [];
  const killSome = () => {
    if (victims.length === 0 || killed === kills || rest-- > 0) return;
    rest = random(longestRest);
    killed++;
    victims[random(victims.length)]?.kill();
  };
  const onTheWay: OnTheWay = async (_, forward) => {
    killSome();
    const answer = await forward();
    killSome();
    return answer;
  };
  const aws = await startPipeline({
    settings: {
      project: "jobs",
      owner: "nobody",
      prefix: "poc",
      region: "us-east-1",
      stateBucket: "jobs-state",
      environments: {
        dev: {
          features: false,
          model: { contract: { features: { age: "Integral", city: "String" }, request: "instances", answer: "text" } },
          inference: { timeoutSeconds: 10, batchSize },
        },
      },
    },
    environment: "dev",
    dataDir: join(folder, "data"),
    model,
    onTheWay: Object.fromEntries(ways.map((way) => [way, onTheWay])),
  });
  const s3 = new S3Client({ ...operator, endpoint: aws.environment.AWS_ENDPOINT_URL_S3 });
  const Bucket = aws.answersBucket;
  const { starterFunctionName, writerFunctionName } = aws.configuration.jobs;

  /** Calls the API until it answers, which a killed function does not. */
  const call = async (
    method: "GET" | "POST",
    path: string,
    body?: unknown,
  ): Promise<{ status: number; json: unknown }> => {
    const url = new URL(`${aws.apiUrl}${path}`);
    for (;;) {
      const headers = signatureHeaders({ method, url }, operator.credentials.accessKeyId);
      const answer = await fetch(url, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
      if (answer.status < 500) return { status: answer.status, json: await answer.json() };
    }
  };
  const objectOf = async (Key: string) => {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
    return Buffer.from((await Body?.transformToByteArray()) ?? []);
  };
  const keysIn = async (Prefix: string) => {
    const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket, Prefix }));
    return Contents.flatMap(({ Key }) => Key ?? []);
  };

  try {
    const lines = Array.from({ length: rows }, (_, place) => `c-${place + 1},36,${place + 1}\n`);
    const input = { key: `${jobFolders.inputs}rows.csv` };
    await s3.send(new PutObjectCommand({ Bucket, Key: input.key, Body: `id,age,city\n${lines.join("")}` }));
    victims = [...aws.functions.values()];

    const id = "nightly";
    const send = () => call("POST", "/jobs", { id, input, format: "csv" });
    const sent = await Promise.all(Array.from({ length: senders }, send));
    const statuses = sent.map(({ status }) => status);

    let ended: ShownJob | undefined;
    /** Runs a function as its schedule does, which is faster here. */
    const run = async (name: string) => {
      while (ended === undefined) {
        await setTimeout(scheduleMilliseconds);
        await aws.functions
          .get(name)
          ?.invoke({})
          .catch(() => undefined);
      }
    };
    const faults: string[] = [];
    const hasEnded = ({ state }: ShownJob) => ["completed", "failed", "expired", "cancelled"].includes(state);
    const look = async () => {
      let [looks, answeredBefore] = [0, 0];
      while (ended === undefined) {
        await setTimeout(scheduleMilliseconds);
        const job = shownJob.parse((await call("GET", `/jobs/${id}`)).json);
        looks++;
        const { total, waiting, answered, failed, expired, cancelled } = job.counts ?? nothingCounted;
        if (waiting + answered + failed + expired + cancelled !== total) faults.push(JSON.stringify(job.counts));
        if (answered < answeredBefore) faults.push(`${answered} answered, after ${answeredBefore}`);
        answeredBefore = answered;
        const isTold = (await keysIn(jobFolders.open)).length === 0;
        if (hasEnded(job) && isTold) ended = job;
      }
      return looks;
    };
    const [looks] = await Promise.all([
      look(),
      run(starterFunctionName),
      run(aws.loaderFunctionName),
      run(writerFunctionName),
    ]);
    victims = [];

    const again = await send();
    const manifest = jobManifest.parse(JSON.parse((await objectOf(factsOf(id).manifest)).toString()));
    const parts = await Promise.all(manifest.parts.map(({ key }) => objectOf(key)));
    const result = parts.flatMap((part) =>
      gunzipSync(part)
        .toString()
        .trimEnd()
        .split("\n")
        .map((line) => resultRow.parse(JSON.parse(line))),
    );
    const wrong = result.filter(
      ({ row, id, status, output }, place) =>
        row !== place + 1 || id !== `c-${row}` || status !== "answered" || output !== `in ${row}`,
    );
    return {
      // One whose function was killed after it had made the job is told, when it asks again, that the job is there.
      isMadeOnce: statuses.filter((status) => status === 201).length <= 1,
      others: statuses.filter((status) => status !== 200 && status !== 201),
      again: again.status,
      faults,
      isLookedAt: looks > 0,
      state: ended?.state,
      counts: ended?.counts,
      rows: result.length,
      wrong,
      killed,
      isAskedTooOften: asked > rows + killed * (range + batchSize * aws.configuration.inference.maximumConcurrency),
      staged: (await keysIn("staged/")).length,
      open: (await keysIn(jobFolders.open)).length,
    };
  } finally {
    s3.destroy();
    await aws.stop();
    rmSync(folder, { recursive: true, force: true });
  }
};

/** What there is when each row has its answer once. */
export const nothingLost = ({ rows, kills }: Pick<JobRun, "rows" | "kills">) => ({
  isMadeOnce: true,
  others: [],
  again: 200,
  faults: [],
  isLookedAt: true,
  state: "completed",
  counts: { total: rows, waiting: 0, answered: rows, failed: 0, expired: 0, cancelled: 0 },
  rows,
  wrong: [],
  killed: kills,
  isAskedTooOften: false,
  staged: 0,
  open: 0,
});
