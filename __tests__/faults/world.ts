import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
} from "@aws-sdk/client-sqs";
import { z } from "zod";
import type { RequestFormat } from "../../contract/model-contract";
import type { LocalFunction } from "../../local/lambda";
import { ModelError } from "../../local/sagemaker-runtime";
import type { Answer, Request } from "../../local/stand-in";
import type { FeatureRow } from "../../pipeline/features";
import { contractIn, modelOf, valuesIn } from "../setup/contract";
import { type Service, startDesk } from "../setup/desk";
import { sqsClient } from "../setup/queues";
import { createConflict, type Fault, hinderingOf, isSilent, operationOf } from "./faults";

/** What a message is like. What becomes of it in the end follows from that alone, whatever goes wrong meanwhile. */
export const kinds = [
  "plain",
  "with a request id",
  "with the request id of another",
  "for the input of another",
  "near its expiry",
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

/** What happens to a queue of messages while faults last. Afterwards all is well, and it is delivered until it is empty. */
export interface Schedule {
  readonly messages: readonly Kind[];
  readonly rounds: readonly Delivery[];
  readonly faults: readonly Fault[];
}

/** Where a request ends: in a row with this output, or in the dead-letter queue for this reason. */
type End = { readonly output: string } | { readonly code: string };

const retentionSeconds = 1_209_600;
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
}

/** The pipeline's worker between its queue and AWS, where every delivery and every call can go wrong. */
export const startWorld = async (settings: WorldSettings) => {
  const desk = await startDesk({ model, isolation: settings.isolation });
  await desk.rows(createConflict);
  const sqs = sqsClient();
  const { queueUrl, deadLetterQueueUrl } = desk;

  const workerOf = (name: string, timeoutSeconds: number) =>
    desk.worker(
      { timeoutSeconds },
      {
        AWS_SESSION_TOKEN: name, // goes with every call, and so says whose it is
        INSTANCES_PER_CALL: "4",
        MESSAGE_RETENTION_SECONDS: String(retentionSeconds),
      },
      { ...contractIn(settings.request), answer: "json" }, // what is no JSON is none of its answers
    );
  const workersOf = (timeoutSeconds: number) => {
    return { first: workerOf("first", timeoutSeconds), second: workerOf("second", timeoutSeconds) };
  };
  /** Where a worker waits in vain it is given little time. */
  const workers = { patient: workersOf(30), hasty: workersOf(2) };
  let atWork = workers.patient;

  let faults: readonly Fault[] = [];
  let abandoned = Promise.resolve();
  /** Holds a writer until the other one writes too, where there is another. */
  let meetOther = async () => {};
  const calls = new Map<string, number>();
  const met = new Set<string>();
  const underWay = new Set<Promise<Answer>>();

  const onTheWay = (request: Request, forward: (body?: Buffer) => Promise<Answer>) => {
    const operation = operationOf(request);
    const passOn = async (body?: Buffer) => {
      if (operation === "BatchExecuteStatement") await meetOther();
      return forward(body);
    };
    const number = (calls.get(operation) ?? 0) + 1;
    calls.set(operation, number);
    const fault = faults.find(
      ({ operation: its, from, count }) => its === operation && number >= from && number < from + count,
    );
    if (!fault) return passOn();
    met.add(`${operation}: ${fault.what}`);
    const caller = request.headers["x-amz-security-token"] === "first" ? atWork.first : atWork.second;
    return hinderingOf(fault)({ request, forward: passOn, abandoned, kill: () => caller.kill() });
  };
  /** A worker that is gone does not end what it began. */
  const watched: typeof onTheWay = (request, forward) => {
    const answer = Promise.resolve(onTheWay(request, forward));
    underWay.add(answer);
    const ended = () => underWay.delete(answer);
    answer.then(ended, ended);
    return answer;
  };
  const services: Service[] = ["REDSHIFT_DATA", "SAGEMAKER_FEATURESTORE_RUNTIME", "SAGEMAKER_RUNTIME", "SQS"];
  for (const service of services) desk.hindrances[service] = watched;

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
    const SentTimestamp = old.has(MessageId)
      ? String(Date.now() - 0.9 * retentionSeconds * 1000)
      : Attributes?.SentTimestamp;
    return {
      messageId: MessageId,
      receiptHandle: ReceiptHandle,
      body: Body,
      attributes: { ...Attributes, SentTimestamp },
      messageAttributes: {},
      eventSource: "aws:sqs",
    };
  };

  /** Hands a batch to a worker, and gives the messages that this ends. */
  const invoke = async (worker: LocalFunction, batch: readonly Message[]): Promise<Message[]> => {
    const answer = await worker.invoke({ Records: batch.map(recordOf) }).catch(() => undefined);
    if (answer === undefined) return [];
    const failed = new Set(batchResponse.parse(answer).batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
    return batch.filter(({ MessageId = "" }) => !failed.has(MessageId));
  };

  /** Delivers all that can be received as the event source mapping does, and lets what it leaves be received again. */
  const deliver = async (delivery: Delivery): Promise<number> => {
    if (delivery === "after a redrive") await redrive();
    const messages = await receive(queueUrl);
    if (delivery === "backwards") messages.reverse();
    const batches = inRuns(messages, delivery === "in threes" ? 3 : 10).map((batch) =>
      delivery === "each twice" ? [...batch, ...batch] : batch,
    );
    const { first, second } = atWork;
    const together = delivery === "to two workers" ? [first, second] : [first];
    const ended = new Set<Message>();
    for (const batch of batches) {
      const invocations = together.map((worker) => invoke(worker, batch));
      abandoned = Promise.all(invocations).then(() => undefined);
      meetOther = meetingOf(together.length, Promise.race(invocations));
      for (const message of (await Promise.all(invocations)).flat()) ended.add(message);
    }
    const kept = delivery === "and half is not deleted" ? [...ended].filter((_, place) => place % 2 === 0) : [];
    for (const message of kept) ended.delete(message);
    await remove([...ended]);
    if (delivery === "again after its end") {
      for (const batch of inRuns([...ended], 10)) {
        const again = invoke(second, batch);
        abandoned = again.then(() => undefined);
        await again;
      }
    }
    await show(messages.filter((message) => !ended.has(message)));
    return messages.length;
  };

  const deliverAll = async () => {
    await Promise.allSettled(underWay);
    for (let rounds = 0; (await deliver("at once")) > 0; rounds++) {
      if (rounds === 10) throw new Error("the queue is never empty, though nothing hinders the worker any more");
    }
  };

  const requestIdOf = (text = "") => z.object({ requestId: z.string() }).parse(JSON.parse(text)).requestId;

  /** What came of a schedule's requests: the output of every row, and the code of every dead letter, by request id. */
  const found = async (prefix: string) => {
    const stored = z
      .array(z.object({ request_id: z.string(), output: z.string() }))
      .parse(
        await desk.rows("SELECT request_id, output FROM prediction_results WHERE input_id LIKE $1 || '/%'", [prefix]),
      );
    const rows: Record<string, string[]> = {};
    for (const { request_id, output } of stored) rows[request_id] = [...(rows[request_id] ?? []), output];
    const dead = await receive(deadLetterQueueUrl);
    await remove(dead, deadLetterQueueUrl);
    const letters: Record<string, string[]> = {};
    for (const { Body, MessageAttributes } of dead) {
      const codes = letters[requestIdOf(Body)] ?? [];
      // A copy of a letter counts as the letter.
      letters[requestIdOf(Body)] = [...new Set([...codes, MessageAttributes?.code?.StringValue ?? "no code"])];
      expect(MessageAttributes?.reason?.StringValue).toMatch(/./);
    }
    return { rows, letters };
  };

  const expected = (ends: ReadonlyMap<string, End>) => {
    const rows: Record<string, string[]> = {};
    const letters: Record<string, string[]> = {};
    for (const [requestId, end] of ends) {
      if ("output" in end) rows[requestId] = [end.output];
      else letters[requestId] = [end.code];
    }
    return { rows, letters };
  };

  let schedules = 0;

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
    const requests = messages.map((kind, place): { body: unknown; end: End; requestId?: string } => {
      const name = `${place}`;
      const requestId = `${prefix}/request-${place}`;
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
          const twin = `${prefix}/twin`;
          return { body: { id: common.id, requestId: twin }, end: common.end, requestId: twin };
        }
        case "with a request id": {
          const { id, end } = inputOf(name);
          return { body: { id, requestId }, end, requestId };
        }
        default: {
          const { id, end } = inputOf(name);
          return { body: { id }, end };
        }
      }
    });
    await desk.features.write(records);
    for (const [place, kind] of messages.entries()) {
      if (kind !== "for an incomplete input") continue;
      await desk.putRecord({
        id: `${prefix}/incomplete-${place}`,
        event_time: new Date().toISOString(),
        age: "36",
      });
    }
    const ids = await send(requests.map(({ body }) => (typeof body === "string" ? body : JSON.stringify(body))));
    old.clear();
    for (const [place, kind] of messages.entries()) if (kind === "near its expiry") old.add(ids[place] ?? "");
    return new Map(requests.map(({ end, requestId }, place) => [requestId ?? ids[place] ?? "", end]));
  };

  return {
    /**
     * Plays a schedule to its end, and expects every request to have come to its own, just once.
     * @returns the faults that a call has met, as `<operation>: <what>`
     */
    play: async ({ messages, rounds, faults: given }: Schedule): Promise<Set<string>> => {
      const prefix = `schedule-${++schedules}`;
      await remove(await receive(queueUrl)); // what a schedule left that failed
      await remove(await receive(deadLetterQueueUrl), deadLetterQueueUrl);
      calls.clear();
      met.clear();
      const ends = await begin(prefix, messages);

      atWork = given.some(isSilent) ? workers.hasty : workers.patient;
      faults = given;
      for (const delivery of rounds) await deliver(delivery);
      faults = [];
      atWork = workers.patient;
      await deliverAll();
      expect({ ...settings, ...(await found(prefix)) }).toEqual({ ...settings, ...expected(ends) });
      return new Set(met);
    },
    stop: async () => {
      sqs.destroy();
      await desk.stop();
    },
  };
};

export type World = Awaited<ReturnType<typeof startWorld>>;
