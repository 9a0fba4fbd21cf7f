import {
  BatchGetRecordCommand,
  BatchWriteRecordCommand,
  type BatchWriteRecordEntry,
  SageMakerFeatureStoreRuntimeClient,
} from "@aws-sdk/client-sagemaker-featurestore-runtime";
import * as z from "zod";
import { clientSettings, reasonOf, type Until } from "./clients";
import { Failure } from "./failures";
import { backOff, limiter, runsOf } from "./flow";

/** What the model is asked about. */
export interface SentencePair {
  readonly seq_0: string;
  readonly seq_1: string;
}

/** The types that Feature Store knows for a record's identifier. */
export const recordIdentifierTypes = ["String", "Integral", "Fractional"] as const;

export type RecordIdentifierType = (typeof recordIdentifierTypes)[number];

export interface FeatureStoreProps {
  readonly featureGroupName: string;
  /** The type of the feature `id`, which identifies a record. */
  readonly recordIdentifierType: RecordIdentifierType;
  /** The feature that says since when a record holds, for writing. It may be `id` itself. @default event_time, a String */
  readonly eventTime?: { readonly name: string; readonly type: "String" | "Fractional" };
}

/** A row of features. */
export interface FeatureRow extends SentencePair {
  readonly id: string;
}

const readsPerCall = 100;
const writesPerCall = 25;
const callsInFlight = 10;
const attempts = 4;

const numerals = { Integral: /^[+-]?\d{1,19}$/, Fractional: /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?$/i };

/**
 * One spelling for each record: "7" and "7.0" are the same one where identifiers are numbers. Undefined for what
 * identifies none, and would fail the whole call that it is part of.
 */
const recordKey = (id: string, type: RecordIdentifierType): string | undefined => {
  if (type === "String") return id;
  if (!numerals[type].test(id)) return undefined;
  if (type === "Integral") return BigInt.asIntN(64, BigInt(id)) === BigInt(id) ? String(BigInt(id)) : undefined;
  return Number.isFinite(Number(id)) ? String(Number(id)) : undefined;
};

const recordSchema = z.array(z.object({ FeatureName: z.string(), ValueAsString: z.string().optional() }));

const sentencesOf = (record: unknown): SentencePair | Failure => {
  const values = new Map(
    recordSchema.parse(record).map(({ FeatureName, ValueAsString }) => [FeatureName, ValueAsString]),
  );
  const [seq_0, seq_1] = [values.get("seq_0"), values.get("seq_1")];
  if (seq_0 !== undefined && seq_1 !== undefined) return { seq_0, seq_1 };
  const missing = ["seq_0", "seq_1"].filter((name) => values.get(name) === undefined);
  return new Failure("missing_feature", `the input's record has no ${missing.join(" and no ")}`, "final");
};

const failed = (reason: string, kind: "own" | "shared") => new Failure("feature_store_failed", reason, kind);

/** The feature group that holds the inputs' sentences. */
export class FeatureStore {
  constructor(
    private readonly props: FeatureStoreProps,
    private readonly client = new SageMakerFeatureStoreRuntimeClient(clientSettings({ requestTimeout: 3_000 })),
  ) {}

  /** The features of each input, or why they are not to be had. Never throws for one of them, nor for a failed call. */
  async read(inputIds: readonly string[], until?: Until): Promise<Map<string, SentencePair | Failure>> {
    const { recordIdentifierType: type } = this.props;
    const keys = new Map(inputIds.map((id) => [id, recordKey(id, type)]));
    const spellings = new Map<string, string>();
    for (const [id, key] of keys) if (key !== undefined && !spellings.has(key)) spellings.set(key, id);

    const found = new Map<string, SentencePair | Failure>();
    const inFlight = limiter(callsInFlight);
    const runs = runsOf([...spellings.values()], { count: readsPerCall });
    await Promise.all(runs.map((run) => inFlight(() => this.readRun(run, found, until))));

    const resultOf = (key: string | undefined) =>
      key === undefined
        ? new Failure("malformed", `the feature group's identifiers are ${type}, which this input's id is not`, "final")
        : (found.get(key) ?? new Failure("unknown_input", "the feature group has no such input", "final"));
    return new Map([...keys].map(([id, key]) => [id, resultOf(key)]));
  }

  /** Reads up to 100 records into `found`, which is keyed by `recordKey`. */
  private async readRun(ids: readonly string[], found: Map<string, SentencePair | Failure>, until?: Until) {
    const { featureGroupName, recordIdentifierType } = this.props;
    const keep = (id: string, result: SentencePair | Failure) =>
      found.set(recordKey(id, recordIdentifierType) ?? id, result);
    let left = ids;
    try {
      for (let attempt = 1; left.length > 0 && attempt <= attempts; attempt++) {
        if (attempt > 1) await backOff(attempt - 1, until?.signal);
        const { Records, Errors, UnprocessedIdentifiers } = await this.client.send(
          new BatchGetRecordCommand({
            Identifiers: [
              {
                FeatureGroupName: featureGroupName,
                RecordIdentifiersValueAsString: [...left],
                FeatureNames: ["seq_0", "seq_1"],
              },
            ],
          }),
          { abortSignal: until?.signal },
        );
        if (Records === undefined) throw new Error("its answer names no records");
        for (const { RecordIdentifierValueAsString: id = "", Record } of Records) keep(id, sentencesOf(Record));
        for (const { RecordIdentifierValueAsString: id = "", ErrorCode } of Errors ?? []) {
          keep(id, failed(`the feature store failed for this input: ${ErrorCode}`, "own"));
        }
        left = (UnprocessedIdentifiers ?? []).flatMap((group) => group.RecordIdentifiersValueAsString ?? []);
      }
      for (const id of left) keep(id, failed("the feature store left this input unprocessed", "shared"));
    } catch (error) {
      for (const id of left) keep(id, failed(`the feature store failed: ${reasonOf(error)}`, "shared"));
    }
  }

  /**
   * Writes rows of features, replacing what an id had.
   * @throws when some were not written, with their ids and the reasons.
   */
  async write(rows: readonly FeatureRow[], until?: Until): Promise<void> {
    const { featureGroupName, eventTime = { name: "event_time", type: "String" } } = this.props;
    const now = new Date();
    const since = eventTime.type === "String" ? now.toISOString() : String(now.getTime() / 1000);
    const entries = rows.map(({ id, seq_0, seq_1 }): BatchWriteRecordEntry => {
      const values = { [eventTime.name]: since, id, seq_0, seq_1 };
      return {
        FeatureGroupName: featureGroupName,
        Record: Object.entries(values).map(([FeatureName, ValueAsString]) => ({ FeatureName, ValueAsString })),
      };
    });
    const inFlight = limiter(callsInFlight);
    const runs = runsOf(entries, { count: writesPerCall });
    const failures = (await Promise.all(runs.map((run) => inFlight(() => this.writeRun(run, until))))).flat();
    if (failures.length > 0) {
      const [some, rest] = [failures.slice(0, 10), failures.length - 10];
      const more = rest > 0 ? [`and ${rest} more`] : [];
      throw new Error(
        `${failures.length} of ${rows.length} rows were not written to ${featureGroupName}: ${[...some, ...more].join("; ")}`,
      );
    }
  }

  /** Writes up to 25 records, and says which of them failed and why. */
  private async writeRun(entries: BatchWriteRecordEntry[], until?: Until): Promise<string[]> {
    const failures: string[] = [];
    const fail = (entry: BatchWriteRecordEntry | undefined, reason = "no reason given") => {
      const id = entry?.Record?.find(({ FeatureName }) => FeatureName === "id")?.ValueAsString;
      failures.push(`id ${JSON.stringify(id)}: ${reason}`);
    };
    let left = entries;
    for (let attempt = 1; left.length > 0 && attempt <= attempts; attempt++) {
      if (attempt > 1) await backOff(attempt - 1, until?.signal);
      const { Errors, UnprocessedEntries } = await this.client.send(new BatchWriteRecordCommand({ Entries: left }), {
        abortSignal: until?.signal,
      });
      for (const { Entry, ErrorCode, ErrorMessage } of Errors ?? []) fail(Entry, `${ErrorCode}: ${ErrorMessage}`);
      left = UnprocessedEntries ?? [];
    }
    for (const entry of left) fail(entry, "left unprocessed");
    return failures;
  }
}
