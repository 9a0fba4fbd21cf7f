import { setTimeout } from "node:timers/promises";
import { z } from "zod";
import { contractFile, type ModelContract } from "../contract/model-contract";
import type { Names } from "../contract/names";
import { accountId, operator } from "../local/credentials";
import { type Answer, AwsError, json, parseBody, type Request, type StandIn, serve } from "../local/stand-in";
import { contract as usualContract } from "./contract";
import { jittered } from "./latencies";

/** Calls of the feature store. */
export type Operation = "BatchGetRecord" | "BatchWriteRecord" | "PutRecord";

export interface CountingAwsOptions {
  /** What the pipeline and its model agree on. @default two features, first and second, both String */
  readonly contract?: ModelContract;
  /** Whether there is a feature group. @default true */
  readonly hasFeatureGroup?: boolean;
  /** The record identifier of the feature group. @default id, a String */
  readonly recordIdentifier?: { readonly name: string; readonly type: "String" | "Integral" | "Fractional" };
  /** @default event_time, a String */
  readonly eventTime?: { readonly name: string; readonly type: "String" | "Fractional" };
  /** How long each call takes, in milliseconds, a fifth more or less. @default as short as it can be */
  readonly milliseconds?: number;
  /** Sees a call, counted from 1 for each operation, before it does anything. What it throws is the answer. */
  readonly before?: (operation: Operation, call: number) => void | Promise<void>;
  /** The same when it has done all, and would be answered. */
  readonly after?: (operation: Operation, call: number) => void | Promise<void>;
  /** What becomes of an entry, by its record's id: it is taken, but where this says otherwise. */
  readonly refuse?: (id: string) => "for now" | "for good" | undefined;
}

export interface CountingAws extends StandIn {
  /** What to set for a program that is to use it. */
  readonly environment: Record<string, string>;
  /** How often each record was written, by id. */
  readonly records: ReadonlyMap<string, number>;
  /** Each record as it is stored. */
  readonly bodies: ReadonlyMap<string, unknown>;
  readonly calls: ReadonlyMap<Operation, number>;
}

/**
 * Starts what the commands that feed a pipeline need of AWS, as one server that does little but count, so that they are
 * what is measured: SSM with the pipeline's names, S3 with its contract, and the feature store.
 * @param keepsBodies whether bodies are kept too @default true
 */
export async function startCountingAws(options: CountingAwsOptions = {}, keepsBodies = true): Promise<CountingAws> {
  const { contract = usualContract, milliseconds = 0, before, after } = options;
  const taken = new Taken(options, keepsBodies);
  const { records, bodies } = taken;
  const answers = answersOf(taken);
  const calls = new Map<Operation, number>();
  const server: StandIn = await serve(async (request) => {
    const name = nameOf(request);
    if (name === "GetParameter") {
      return json({ Parameter: { Name: "names", Value: JSON.stringify(namesAt(server.url, options)) } });
    }
    if (name === "contract") return json(contract);
    if (name === "counts") return json(countsOf(records));
    if (name === undefined) throw new AwsError("UnknownOperationException", 404, `no operation at ${request.url}`);
    const call = (calls.get(name) ?? 0) + 1;
    calls.set(name, call);
    if (milliseconds > 0) await setTimeout(jittered(milliseconds));
    await before?.(name, call);
    const answer = answers[name](request);
    await after?.(name, call);
    return answer;
  });
  return { ...server, environment: environmentOf(server.url), records, bodies, calls };
}

const usualIdentifier = { name: "id", type: "String" } as const;
const usualEventTime = { name: "event_time", type: "String" } as const;

/** What was taken, and how often. */
class Taken {
  readonly records = new Map<string, number>();
  readonly bodies = new Map<string, unknown>();
  private readonly times = new Map<string, number>();

  constructor(
    private readonly options: CountingAwsOptions,
    private readonly keepsBodies: boolean,
  ) {}

  /** @returns why it is not taken, where it is refused */
  record(record: z.infer<typeof recordSchema>) {
    const { recordIdentifier = usualIdentifier, eventTime = usualEventTime, refuse } = this.options;
    const textOf = (name: string) => record.find(({ FeatureName }) => FeatureName === name)?.ValueAsString ?? "";
    const id = textOf(recordIdentifier.name);
    const refusal = refuse?.(id);
    if (refusal !== undefined) return refusal;
    this.records.set(id, (this.records.get(id) ?? 0) + 1);
    if (!this.keepsBodies) return undefined;
    const time = textOf(eventTime.name);
    const moment = eventTime.type === "String" ? Date.parse(time) : Number(time);
    if (moment > (this.times.get(id) ?? Number.NEGATIVE_INFINITY)) {
      this.times.set(id, moment);
      this.bodies.set(id, record);
    }
    return undefined;
  }
}

const answersOf = (taken: Taken): Record<Operation, (request: Request) => Answer> => ({
  BatchGetRecord: (request) => {
    const { Identifiers } = parseBody(request, batchGetSchema, "ValidationError");
    const Records = Identifiers.flatMap(({ RecordIdentifiersValueAsString }) => RecordIdentifiersValueAsString)
      .filter((id) => taken.bodies.has(id))
      .map((id) => ({ RecordIdentifierValueAsString: id, Record: taken.bodies.get(id) }));
    return json({ Records, Errors: [], UnprocessedIdentifiers: [] });
  },
  BatchWriteRecord: (request) => {
    const answer: { Errors: unknown[]; UnprocessedEntries: unknown[] } = { Errors: [], UnprocessedEntries: [] };
    for (const Entry of parseBody(request, batchWriteSchema, "ValidationError").Entries) {
      const refusal = taken.record(Entry.Record);
      if (refusal === "for now") answer.UnprocessedEntries.push(Entry);
      if (refusal === "for good") {
        answer.Errors.push({ Entry, ErrorCode: "ValidationError", ErrorMessage: "refused" });
      }
    }
    return json(answer);
  },
  PutRecord: (request) => {
    taken.record(parseBody(request, z.object({ Record: recordSchema }), "ValidationError").Record);
    return json({});
  },
});

const namesAt = (
  url: string,
  { hasFeatureGroup = true, recordIdentifier = usualIdentifier, eventTime = usualEventTime }: CountingAwsOptions,
): Names => ({
  queue_url: `${url}/000000000000/requests`,
  dead_letter_queue_url: `${url}/000000000000/dead-letters`,
  worker_function_name: "worker",
  loader_function_name: "loader",
  starter_function_name: "starter",
  writer_function_name: "writer",
  api_url: `${url}/dev`,
  answers_bucket: "answers",
  endpoint_name: "endpoint",
  contract_url: `s3://models/${contractFile}`,
  ...(hasFeatureGroup && {
    feature_group_name: "features",
    record_identifier: recordIdentifier,
    event_time: eventTime,
  }),
  redshift_cluster_identifier: "warehouse",
  redshift_database_name: "predictions",
  redshift_reader: "reader",
  redshift_unload_role_arn: `arn:aws:iam::${accountId}:role/unload`,
});

/** What to set for a program that is to use a server of {@link startCountingAws}. */
export const environmentOf = (url: string): Record<string, string> => ({
  AWS_ACCESS_KEY_ID: operator.credentials.accessKeyId,
  AWS_SECRET_ACCESS_KEY: operator.credentials.secretAccessKey,
  AWS_ENDPOINT_URL: url,
  OFFLINE_INFERENCE_ENV: "dev",
});

/** How many ids there are, and how often one of them came again. */
export const countsSchema = z.object({ ids: z.number(), again: z.number() });

function countsOf(counts: ReadonlyMap<string, number>): z.infer<typeof countsSchema> {
  let again = 0;
  for (const times of counts.values()) again += times - 1;
  return { ids: counts.size, again };
}

const recordSchema = z.array(z.object({ FeatureName: z.string(), ValueAsString: z.string() }));
const batchWriteSchema = z.object({
  Entries: z.array(z.object({ FeatureGroupName: z.string(), Record: recordSchema })).max(25),
});
const batchGetSchema = z.object({
  Identifiers: z.array(z.object({ RecordIdentifiersValueAsString: z.array(z.string()).max(100) })),
});

function nameOf({ method, url, headers }: Request): Operation | "GetParameter" | "contract" | "counts" | undefined {
  const [, target = ""] = String(headers["x-amz-target"] ?? "").split(".");
  if (target === "GetParameter") return target;
  if (url.pathname === "/counts") return "counts";
  if (method === "GET" && url.pathname === `/models/${contractFile}`) return "contract";
  if (method === "POST" && url.pathname === "/BatchGetRecord") return "BatchGetRecord";
  if (method === "POST" && url.pathname === "/BatchWriteRecord") return "BatchWriteRecord";
  if (method === "PUT" && url.pathname.startsWith("/FeatureGroup/")) return "PutRecord";
  return undefined;
}
