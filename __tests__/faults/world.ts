import { gzipSync } from "node:zlib";
import { DeleteObjectCommand, GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from "@aws-sdk/client-s3";
import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
} from "@aws-sdk/client-sqs";
import { z } from "zod";
import { folders, stagedKey } from "../../contract/answers-bucket";
import { factsOf, jobCounts, jobFolders, quietCodes, requestIdOf as requestIdOfRow, runOf } from "../../contract/job";
import { fateOrder } from "../../contract/job-table";
import type { RequestFormat } from "../../contract/model-contract";
import { lineOf } from "../../contract/outcome";
import type { LocalFunction } from "../../local/lambda";
import { ModelError } from "../../local/sagemaker-runtime";
import type { Answer, Request } from "../../local/stand-in";
import type { FeatureRow } from "../../pipeline/features";
import { newId } from "../../pipeline/ids";
import { contractIn, modelOf, valuesIn } from "../setup/contract";
import { type Service, startDesk } from "../setup/desk";
import { sqsClient } from "../setup/queues";
import { createConflict, type Fault, hinderingOf, isSilent, type Operation, operationOf } from "./faults";

/** What a message is like. What becomes of it in the end follows from that alone, whatever goes wrong meanwhile. */
export const kinds = [
  "plain",
  "with a request id",
  "with the request id of another",
  "for the input of another",
  "near its expiry",
  "a row of a job",
  "a row of a job past its deadline",
  "malformed",
  "for an unknown input",
  "for an incomplete input",
  "refused by the model",
] as const;
export type Kind = (typeof kinds)[number];

/** How the queue hands out what it has. */
export const deliveries = [
  "at once",
  "in threes",
  "backwards",
  "each twice",
  "to two workers",
  "again after its end",
  "and half is not deleted",
  "after a redrive",
] as const;
export type Delivery = (typeof deliveries)[number];

/** How what is staged is loaded after a delivery. */
export const loadings = ["not at all", "by one", "by two", "by two while workers write"] as const;
export type Loading = (typeof loadings)[number];

/** What lies among the staged objects beside those of the workers. */
export const strangers = [
  "cut",
  "no JSON",
  "with a row that is too long",
  "of a newer version",
  "loaded before",
] as const;
export type Stranger = (typeof strangers)[number];

/** What happens to a queue of messages while faults last. Afterwards all is well, and it is delivered until it is empty. */
export interface Schedule {
  readonly messages: readonly Kind[];
  readonly rounds: readonly (readonly [Delivery, Loading])[];
  readonly faults: readonly Fault[];
  /** @default none */
  readonly objects?: readonly Stranger[];
  /** Whether a function that waits in vain has all its time. @default it has little */
  readonly isPatient?: boolean;
}

/** Where a request ends: in a row with this output, or as a failure with this code, and a dead letter unless it is quiet. */
type End = { readonly output: string } | { readonly code: string };

interface PutStranger {
  readonly kind: Stranger;
  readonly key: string;
}

const isFaulty = (kind: Stranger) => kind !== "of a newer version" && kind !== "loaded before";

/** The input of rows that no message asked for. */
const stranger = "a stranger";

const strangerLine = () => {
  const requestId = newId();
  const now = new Date();
  const said = { output: "yes", endpoint: "classifier", variant: "first", modelRelease: "2026-01" };
  return `${lineOf({ requestId, inputId: stranger, requestedAt: now, predictedAt: now, ...said })}\n`;
};

const retentionSeconds = 1_209_600;
/** After that long an input that is not there is no longer waited for. */
const age = 20 * 60_000;
/** More than a schedule takes. */
const visibilitySeconds = 600;

const refusal = "no, thank you";
const outputOf = (city: string) => `in ${city}`;

/** Of a call with an input that it refuses, it refuses all. */
const model = modelOf((cities) => {
  if (cities.some((city) => city.startsWith(refusal))) throw new ModelError(400, "cannot read this");
  return cities.map(outputOf);
});

const batchResponse = z.object({ batchItemFailures: z.array(z.object({ itemIdentifier: z.string() })) });

/** What each of several is to wait for: that all are there, or that the end of one has come. */
const meetingOf = (size: number, endOfOne: Promise<unknown>) => {
  let arrived = 0;
  let open = () => {};
  const allThere = new Promise<void>((resolve) => {
    open = resolve;
  });
  return async () => {
    arrived += 1;
    if (arrived === size) open();
    await Promise.race([allThere, endOfOne]);
  };
};

const inRuns = <T>(items: readonly T[], count: number): T[][] => {
  const runs = Math.ceil(items.length / count);
  return Array.from({ length: runs }, (_, run) => items.slice(run * count, (run + 1) * count));
};

export interface WorldSettings {
  /** Of the warehouse's transactions. */
  readonly isolation: "repeatable read" | "serializable";
  /** In which the model is asked. */
  readonly request: RequestFormat;
  /** Who makes the request ids: the clients of this project, so that they begin with their time, or others. */
  readonly ids: "ours" | "theirs";
  /** The loader's bundle. @default the one that is deployed */
  readonly loaderBundle?: string;
}

const functionNames = ["first worker", "second worker", "first loader", "second loader"] as const;
type FunctionName = (typeof functionNames)[number];

/** Worker and loader between their queue and AWS, where every delivery and every call can go wrong. */
export const startWorld = async ({ loaderBundle, ...settings }: WorldSettings) => {
  let skipsObjects = false;
  const desk = await startDesk({
    model,
    isolation: settings.isolation,
    copySkips: (_, place) => skipsObjects && place % 2 === 0,
  });
  await desk.rows(createConflict);
  const sqs = sqsClient();
  const { queueUrl, deadLetterQueueUrl } = desk;

  const workerOf = (name: FunctionName, timeoutSeconds: number) =>
    desk.worker(
      { timeoutSeconds },
      {
        AWS_SESSION_TOKEN: name, // goes with every call, and so says whose it is
        INSTANCES_PER_CALL: "4",
        MAX_RECEIVE_COUNT: "3",
        MESSAGE_RETENTION_SECONDS: String(retentionSeconds),
      },
      { ...contractIn(settings.request), answer: "json" }, // what is no JSON is none of its answers
    );
  const loaderOf = (name: FunctionName, timeoutSeconds: number) =>
    desk.loader(
      { timeoutSeconds, ...(loaderBundle !== undefined && { bundle: loaderBundle }) },
      { AWS_SESSION_TOKEN: name },
    );
  const functionsOf = (seconds: { worker: number; loader: number }): Record<FunctionName, LocalFunction> => ({
    "first worker": workerOf("first worker", seconds.worker),
    "second worker": workerOf("second worker", seconds.worker),
    "first loader": loaderOf("first loader", seconds.loader),
    "second loader": loaderOf("second loader", seconds.loader),
  });
  /** Where a function waits in vain it is given little time. Of its time, a loader keeps five seconds. */
  const functions = { patient: functionsOf({ worker: 30, loader: 60 }), hasty: functionsOf({ worker: 4, loader: 7 }) };
  let atWork = functions.patient;

  let faults: readonly Fault[] = [];
  /** What each function does last: nobody waits for an answer to its calls afterwards. */
  const invocations = new Map<FunctionName, Promise<unknown>>();
  /** Holds a function at a call until the other one is there too, where there is another. */
  const meetings = new Map<Operation, () => Promise<void>>();
  const calls = new Map<string, number>();
  const met = new Set<string>();
  const underWay = new Set<Promise<Answer>>();

  /** Invokes functions at once, which meet at a call. Gives undefined for one that failed. */
  const invoke = (names: readonly FunctionName[], event: unknown, meetingPlace: Operation) => {
    const answers = names.map((name) => {
      const answer = atWork[name].invoke(event).catch(() => undefined);
      invocations.set(name, answer);
      return answer;
    });
    meetings.set(meetingPlace, meetingOf(names.length, Promise.race(answers)));
    return Promise.all(answers);
  };

  const onTheWay = (request: Request, forward: (body?: Buffer) => Promise<Answer>) => {
    const operation = operationOf(request);
    const passOn = async (body?: Buffer) => {
      await meetings.get(operation)?.();
      return forward(body);
    };
    if (operation === "CopyOfManifest") skipsObjects = false;
    const number = (calls.get(operation) ?? 0) + 1;
    calls.set(operation, number);
    const fault = faults.find(
      ({ operation: its, from, count }) => its === operation && number >= from && number < from + count,
    );
    if (!fault) return passOn();
    met.add(`${operation}: ${fault.what}`);
    const token = request.headers["x-amz-security-token"];
    const callers = functionNames.filter((name) => (token === undefined ? name.endsWith("loader") : name === token));
    return hinderingOf(fault)({
      request,
      forward: passOn,
      abandoned: Promise.all(callers.map((name) => invocations.get(name))),
      kill: () => {
        for (const name of callers) atWork[name].kill();
      },
      deleteByHand: () => deleteObject(toDelete),
      skipObjects: (skips) => {
        skipsObjects = skips;
      },
    });
  };
  /** A function that is gone does not end what it began. */
  const watched: typeof onTheWay = (request, forward) => {
    const answer = Promise.resolve(onTheWay(request, forward));
    underWay.add(answer);
    const ended = () => underWay.delete(answer);
    answer.then(ended, ended);
    return answer;
  };
  const services: (Service | "COPY")[] = [
    "COPY",
    "REDSHIFT_DATA",
    "S3",
    "SAGEMAKER_FEATURESTORE_RUNTIME",
    "SAGEMAKER_RUNTIME",
    "SQS",
  ];
  for (const service of services) desk.hindrances[service] = watched;

  const Bucket = desk.answersBucket;
  const keysIn = async (Prefix: string) => {
    const { Contents = [] } = await desk.s3.send(new ListObjectsV2Command({ Bucket, Prefix }));
    return Contents.map(({ Key = "" }) => Key);
  };
  const deleteObject = async (Key: string) => {
    await desk.s3.send(new DeleteObjectCommand({ Bucket, Key }));
  };

  /** All that can be received now, hidden from the next. */
  const receive = async (from: string) => {
    const received: Message[] = [];
    for (;;) {
      const { Messages = [] } = await sqs.send(
        new ReceiveMessageCommand({
          QueueUrl: from,
          MaxNumberOfMessages: 10,
          VisibilityTimeout: visibilitySeconds,
          MessageSystemAttributeNames: ["All"],
          MessageAttributeNames: ["All"],
        }),
      );
      if (Messages.length === 0) return received;
      received.push(...Messages);
    }
  };

  const entriesOf = (messages: readonly Message[]) =>
    inRuns(messages, 10).map((run) => run.map(({ ReceiptHandle }, place) => ({ Id: String(place), ReceiptHandle })));
  const remove = async (messages: readonly Message[], QueueUrl = queueUrl) => {
    for (const Entries of entriesOf(messages)) await sqs.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }));
  };
  /** Their visibility ends. Says nothing of those that are deleted already. */
  const show = async (messages: readonly Message[]) => {
    for (const entries of entriesOf(messages)) {
      const Entries = entries.map((entry) => ({ ...entry, VisibilityTimeout: 0 }));
      await sqs.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl: queueUrl, Entries }));
    }
  };

  const send = async (bodies: readonly string[]) => {
    const ids: string[] = [];
    for (const run of inRuns(bodies, 10)) {
      const Entries = run.map((MessageBody, place) => ({ Id: String(place), MessageBody }));
      const { Successful = [] } = await sqs.send(new SendMessageBatchCommand({ QueueUrl: queueUrl, Entries }));
      const byPlace = new Map(Successful.map(({ Id, MessageId = "" }) => [Id, MessageId]));
      ids.push(...run.map((_, place) => byPlace.get(String(place)) ?? ""));
    }
    return ids;
  };

  /** Moves the dead letters back to the queue, where each is a new message. */
  const redrive = async () => {
    const letters = await receive(deadLetterQueueUrl);
    await send(letters.map(({ Body = "" }) => Body));
    await remove(letters, deadLetterQueueUrl);
  };

  /** Ids of the messages that are near their expiry. */
  const old = new Set<string>();
  const recordOf = ({ MessageId = "", ReceiptHandle, Body, Attributes }: Message) => {
    const SentTimestamp = String(Date.now() - (old.has(MessageId) ? 0.9 * retentionSeconds * 1000 : age));
    return {
      messageId: MessageId,
      receiptHandle: ReceiptHandle,
      body: Body,
      attributes: { ...Attributes, SentTimestamp },
      messageAttributes: {},
      eventSource: "aws:sqs",
    };
  };

  /** Hands a batch to workers at once, and gives the messages that this ends. */
  const work = async (workers: readonly FunctionName[], batch: readonly Message[]): Promise<Message[]> => {
    const answers = await invoke(workers, { Records: batch.map(recordOf) }, "PutOutcomes");
    return answers.flatMap((answer) => {
      if (answer === undefined) return [];
      const failed = new Set(batchResponse.parse(answer).batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
      return batch.filter(({ MessageId = "" }) => !failed.has(MessageId));
    });
  };

  const load = (loading: Loading) => {
    if (loading === "not at all") return [];
    const loaders: FunctionName[] = loading === "by one" ? ["first loader"] : ["first loader", "second loader"];
    return invoke(loaders, {}, "BatchExecuteStatement");
  };

  /** Delivers all that can be received as the event source mapping does, and lets what it leaves be received again. */
  const deliver = async (delivery: Delivery): Promise<number> => {
    if (delivery === "after a redrive") await redrive();
    const messages = await receive(queueUrl);
    if (delivery === "backwards") messages.reverse();
    const batches = inRuns(messages, delivery === "in threes" ? 3 : 10).map((batch) =>
      delivery === "each twice" ? [...batch, ...batch] : batch,
    );
    const workers: FunctionName[] =
      delivery === "to two workers" ? ["first worker", "second worker"] : ["first worker"];
    const ended = new Set<Message>();
    for (const batch of batches) for (const message of await work(workers, batch)) ended.add(message);
    const kept = delivery === "and half is not deleted" ? [...ended].filter((_, place) => place % 2 === 0) : [];
    for (const message of kept) ended.delete(message);
    await remove([...ended]);
    if (delivery === "again after its end") {
      for (const batch of inRuns([...ended], 10)) await work(["second worker"], batch);
    }
    await show(messages.filter((message) => !ended.has(message)));
    return messages.length;
  };

  /** Delivers and loads once. */
  const playRound = async ([delivery, loading]: readonly [Delivery, Loading]) => {
    if (loading === "by two while workers write") await Promise.all([load(loading), deliver(delivery)]);
    else await deliver(delivery);
    await load(loading);
  };

  /** Goes on until nothing is left, which takes a few rounds where all is well. */
  const finish = async () => {
    await Promise.allSettled(underWay);
    for (let rounds = 0; (await deliver("at once")) > 0; rounds++) {
      if (rounds === 10) throw new Error("the queue is never empty, though nothing hinders the worker any more");
    }
    for (const loader of ["first loader", "second loader"] as const) await atWork[loader].invoke({});
  };

  const requestIdOf = (text = "") => z.object({ requestId: z.string() }).parse(JSON.parse(text)).requestId;

  const grouped = (pairs: readonly (readonly [string, string])[]) => {
    const groups: Record<string, string[]> = {};
    for (const [id, value] of pairs) groups[id] = [...(groups[id] ?? []), value];
    return groups;
  };

  /** What came of a schedule's requests: the output of every row, and the code of every failure and dead letter, by request id. */
  const found = async () => {
    const rows = z
      .array(z.object({ request_id: z.string(), output: z.string() }))
      .parse(await desk.rows("SELECT request_id, output FROM prediction_results WHERE input_id <> $1", [stranger]));
    // What was delivered for the last time is a failure too, until it ends.
    const failures = z.array(z.object({ request_id: z.string(), code: z.string() })).parse(
      await desk.rows(`SELECT request_id, code FROM prediction_failures AS failure WHERE code <> 'not_answered' OR NOT (
EXISTS (SELECT 1 FROM prediction_results AS stored WHERE stored.request_id = failure.request_id) OR
EXISTS (SELECT 1 FROM prediction_failures AS other WHERE other.request_id = failure.request_id AND other.code <> failure.code))`),
    );
    const dead = await receive(deadLetterQueueUrl);
    await remove(dead, deadLetterQueueUrl);
    const letters = new Set<string>();
    for (const { Body, MessageAttributes } of dead) {
      letters.add(JSON.stringify([requestIdOf(Body), MessageAttributes?.code?.StringValue ?? "no code"])); // a copy of a letter counts as the letter
      expect(MessageAttributes?.reason?.StringValue).toMatch(/./);
    }
    return {
      rows: grouped(rows.map(({ request_id: id, output }) => [id, output])),
      failures: grouped(failures.map(({ request_id: id, code }) => [id, code])),
      letters: grouped([...letters].map((letter) => z.tuple([z.string(), z.string()]).parse(JSON.parse(letter)))),
      jobs: await desk.rows(
        "SELECT job_id, answered::int, failed::int, expired::int FROM prediction_jobs ORDER BY job_id",
      ),
      told: await toldOf(),
      staged: await keysIn(folders.staged),
      rejected: await keysIn(folders.rejected),
    };
  };

  const expected = async (ends: ReadonlyMap<string, End>, objects: readonly PutStranger[]) => {
    const rows: [string, string][] = [];
    const failures: [string, string][] = [];
    for (const [requestId, end] of ends) {
      if ("output" in end) rows.push([requestId, end.output]);
      else failures.push([requestId, end.code]);
    }
    const counted = `SELECT job_id, SUM(answered)::int AS answered, SUM(failed)::int AS failed, SUM(expired)::int AS expired FROM (
SELECT job_id, 1 AS answered, 0 AS failed, 0 AS expired FROM prediction_results UNION ALL
(SELECT DISTINCT ON (request_id, job_id) job_id, 0, (code <> 'expired')::int, (code = 'expired')::int FROM prediction_failures AS failure
WHERE NOT EXISTS (SELECT 1 FROM prediction_results AS stored WHERE stored.request_id = failure.request_id AND stored.job_id = failure.job_id)
ORDER BY request_id, job_id, ${fateOrder})) AS outcomes
WHERE job_id IS NOT NULL GROUP BY job_id ORDER BY job_id`;
    return {
      rows: grouped(rows),
      failures: grouped(failures),
      letters: grouped(failures.filter(([, code]) => !quietCodes.includes(code))),
      jobs: await desk.rows(counted),
      told: await desk.rows(`SELECT 'jobs/' || job_id || '/counts.json' AS key, answered::int, failed::int, expired::int, cancelled::int, commits::int
FROM prediction_jobs WHERE run <> '' ORDER BY job_id`),
      staged: objects.flatMap(({ kind, key }) => (kind === "of a newer version" ? [key] : [])).sort(),
      rejected: objects
        .flatMap(({ kind, key }) => (isFaulty(kind) ? [key.replace(folders.staged, folders.rejected)] : []))
        .sort(),
    };
  };

  let schedules = 0;
  /** An object that waits to be loaded and that nobody misses. */
  let toDelete = "";

  /** Puts an object among the staged ones, and gives its key. */
  const putStaged = async (content: Buffer, version = 1) => {
    const Key = stagedKey([newId()], version, newId(), new Date());
    await desk.s3.send(new PutObjectCommand({ Bucket, Key, Body: content }));
    return Key;
  };

  const putStranger = async (kind: Stranger): Promise<PutStranger> => {
    const line = strangerLine();
    switch (kind) {
      case "cut": {
        const whole = gzipSync(line.repeat(20));
        return { kind, key: await putStaged(whole.subarray(0, whole.length - 20)) };
      }
      case "no JSON":
        return { kind, key: await putStaged(gzipSync(`${line}{"request_id":\n`)) };
      case "with a row that is too long":
        return { kind, key: await putStaged(gzipSync(line + line.replace(stranger, "x".repeat(1_025)))) };
      case "of a newer version":
        return { kind, key: await putStaged(gzipSync('{"v":2}\n'), 2) };
      case "loaded before": {
        const key = await putStaged(gzipSync(line));
        const { Body } = await desk.s3.send(new GetObjectCommand({ Bucket, Key: key }));
        const content = Buffer.from((await Body?.transformToByteArray()) ?? "");
        await desk.loader().invoke({});
        await desk.s3.send(new PutObjectCommand({ Bucket, Key: key, Body: content }));
        return { kind, key };
      }
    }
  };

  /** Writes a job down, so that its rows are counted, and gives it. */
  const startJob = async (id: string) => {
    const job = { id, createdAt: new Date() };
    const input = { key: "inputs/rows.csv", etag: '"1"', bytes: 1 };
    const settings = { format: "csv", deadlineSeconds: 60 };
    const request = { v: 1, ...job, fingerprint: "1", deadline: job.createdAt, input, settings };
    const Body = JSON.stringify(request);
    await desk.s3.send(new PutObjectCommand({ Bucket, Key: factsOf(id).request, Body }));
    return job;
  };

  /** What the facts of a job say of how its rows have ended, each as often as it is written. */
  const toldOf = async () => {
    const keys = (await keysIn(jobFolders.jobs)).filter((key) => key.endsWith("/counts.json"));
    return Promise.all(
      keys.map(async (Key) => {
        const { Body } = await desk.s3.send(new GetObjectCommand({ Bucket, Key }));
        const { answered, failed, expired, cancelled, commits } = jobCounts.parse(
          JSON.parse((await Body?.transformToString()) ?? ""),
        );
        return { key: Key, answered, failed, expired, cancelled, commits };
      }),
    );
  };

  /** Sends the messages of a schedule, with what they ask for in the feature store, and gives where each must end. */
  const begin = async (prefix: string, messages: readonly Kind[]) => {
    const records: FeatureRow[] = [];
    const inputOf = (name: string, word = `'; DROP TABLE prediction_results; -- "😀"`) => {
      const id = `${prefix}/${name}`;
      const city = `${word} of ${id}`;
      records.push({ id, values: valuesIn(city) });
      return { id, end: { output: JSON.stringify(outputOf(city)) } };
    };
    const common = inputOf("common");
    const job = await startJob(prefix);
    const rowOf = (place: number) => ({ jobId: job.id, requestId: requestIdOfRow(runOf(job), place + 1) });
    const twin = settings.ids === "ours" ? newId() : `${prefix}/twin`;
    const requests = messages.map((kind, place): { body: object | string; end: End; requestId?: string } => {
      const name = `${place}`;
      const requestId = settings.ids === "ours" ? newId() : `${prefix}/request-${place}`;
      switch (kind) {
        case "malformed":
          return { body: "{oops", end: { code: "malformed" } };
        case "for an unknown input":
          return { body: { id: `${prefix}/unknown-${name}` }, end: { code: "unknown_input" } };
        case "for an incomplete input":
          return { body: { id: `${prefix}/incomplete-${name}` }, end: { code: "missing_feature" } };
        case "refused by the model":
          return { body: { id: inputOf(name, refusal).id }, end: { code: "refused_by_model" } };
        case "for the input of another":
          return { body: { id: common.id }, end: common.end };
        case "with the request id of another": {
          return { body: { id: common.id, requestId: twin }, end: common.end, requestId: twin };
        }
        case "with a request id": {
          const { id, end } = inputOf(name);
          return { body: { id, requestId }, end, requestId };
        }
        case "a row of a job": {
          const { id, end } = inputOf(name);
          return { body: { id, ...rowOf(place) }, end, requestId: rowOf(place).requestId };
        }
        case "a row of a job past its deadline": {
          const body = { id: inputOf(name).id, ...rowOf(place), deadline: "2026-01-31T12:00:00Z" };
          return { body, end: { code: "expired" }, requestId: body.requestId };
        }
        default: {
          const { id, end } = inputOf(name);
          return { body: { id }, end };
        }
      }
    });
    const inJob = (body: object, place: number) => {
      if ("jobId" in body) return body;
      if ("requestId" in body && body.requestId === twin) return { ...body, jobId: `${prefix}/job-0` };
      return place % 3 === 2 ? body : { ...body, jobId: `${prefix}/job-${place % 3}` };
    };
    await desk.features.write(records);
    for (const [place, kind] of messages.entries()) {
      if (kind !== "for an incomplete input") continue;
      await desk.putRecord({
        id: `${prefix}/incomplete-${place}`,
        event_time: new Date().toISOString(),
        age: "36",
      });
    }
    const ids = await send(
      requests.map(({ body }, place) => (typeof body === "string" ? body : JSON.stringify(inJob(body, place)))),
    );
    old.clear();
    for (const [place, kind] of messages.entries()) if (kind === "near its expiry") old.add(ids[place] ?? "");
    return new Map(requests.map(({ end, requestId }, place) => [requestId ?? ids[place] ?? "", end]));
  };

  /** Takes away what a schedule left that failed. */
  const clean = async () => {
    await remove(await receive(queueUrl));
    await remove(await receive(deadLetterQueueUrl), deadLetterQueueUrl);
    for (const folder of [...Object.values(folders), jobFolders.jobs])
      for (const key of await keysIn(folder)) await deleteObject(key);
    await desk.rows("TRUNCATE prediction_results, prediction_failures, prediction_jobs");
  };

  return {
    /**
     * Plays a schedule to its end, and expects every request to have come to its own, just once.
     * @returns the faults that a call has met, as `<operation>: <what>`
     */
    play: async ({
      messages,
      rounds,
      faults: given,
      objects = [],
      isPatient = false,
    }: Schedule): Promise<Set<string>> => {
      const prefix = `schedule-${++schedules}`;
      await clean();
      const put: PutStranger[] = [];
      for (const kind of objects) put.push(await putStranger(kind));
      toDelete = await putStaged(gzipSync(strangerLine()));
      calls.clear();
      met.clear();
      const ends = await begin(prefix, messages);

      atWork = given.some(isSilent) && !isPatient ? functions.hasty : functions.patient;
      const onceInAWhile: readonly Operation[] = ["PutSample", "ListOpen"]; // a warm one has just done it
      if (given.some(({ operation }) => onceInAWhile.includes(operation))) atWork["first worker"].kill();
      faults = given;
      for (const round of rounds) await playRound(round);
      faults = [];
      atWork = functions.patient;
      await finish();
      expect({ ...settings, ...(await found()) }).toEqual({ ...settings, ...(await expected(ends, put)) });
      return new Set(met);
    },
    stop: async () => {
      sqs.destroy();
      await desk.stop();
    },
  };
};

export type World = Awaited<ReturnType<typeof startWorld>>;

/**
 * Plays a schedule in which a call meets a fault. Where a machine is too slow for a hasty function to come to that call,
 * it is played once more with patient ones.
 */
export const playUntilMet = async (
  world: World,
  schedule: Schedule,
  { operation, what }: Pick<Fault, "operation" | "what">,
) => {
  const fault = `${operation}: ${what}`;
  const met = await world.play(schedule);
  if (!met.has(fault)) expect(await world.play({ ...schedule, isPatient: true })).toContain(fault);
};
