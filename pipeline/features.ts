import {
  BatchGetRecordCommand,
  BatchWriteRecordCommand,
  type BatchWriteRecordEntry,
  DeleteRecordCommand,
  ListRecordsCommand,
  SageMakerFeatureStoreRuntimeClient,
} from "@aws-sdk/client-sagemaker-featurestore-runtime";
import * as z from "zod";
import { type FeatureValues, featureText } from "../contract/feature-values";
import { listed } from "../contract/listed";
import type { Feature, FeatureType } from "../contract/model-contract";
import { clientSettings, isTransient, isTransientName, reasonOf, type Until } from "./clients";
import { Failure } from "./failures";
import { backOff, limiter, Patience, runsOf } from "./flow";

export interface FeatureStoreProps {
  readonly featureGroupName: string;
  /** The features of an input, in the contract's order. */
  readonly features: readonly Feature[];
  /** The feature that identifies a record, for writing. @default id */
  readonly recordIdentifierName?: string;
  /** Its type. */
  readonly recordIdentifierType: FeatureType;
  /** The feature that says since when a record holds, for writing. It may be the identifier. @default event_time, a String */
  readonly eventTime?: { readonly name: string; readonly type: "String" | "Fractional" };
}

/** A row of features. */
export interface FeatureRow {
  readonly id: string;
  readonly values: FeatureValues;
  /** Since when it holds, as the group's event time has it. @default now */
  readonly since?: string;
}

const readsPerCall = 100;
/** The most values that one call reads, so that its answer stays small however many features there are. */
const valuesPerCall = 10_000;
const writesPerCall = 25;
const callsInFlight = 10;
const writesInFlight = 40;
const attempts = 4;
/** How long a service may take nothing at all of what is to be written or listed. */
export const patienceMilliseconds = 60_000;

const numerals = { Integral: /^[+-]?\d{1,19}$/, Fractional: /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?$/i };

/**
 * One spelling for each record: "7" and "7.0" are the same one where identifiers are numbers. Undefined for what
 * identifies none, and would fail the whole call that it is part of.
 */
export const recordKey = (id: string, type: FeatureType): string | undefined => {
  if (type === "String") return id;
  if (!numerals[type].test(id)) return undefined;
  if (type === "Integral") return BigInt.asIntN(64, BigInt(id)) === BigInt(id) ? String(BigInt(id)) : undefined;
  return Number.isFinite(Number(id)) ? String(Number(id)) : undefined;
};

const recordSchema = z.array(z.object({ FeatureName: z.string(), ValueAsString: z.string().optional() }));

/** The values of a record, or what it lacks and what is none. */
const valuesOf = (record: unknown, features: readonly Feature[]): FeatureValues | Failure => {
  const stored = new Map(
    recordSchema.parse(record).map(({ FeatureName, ValueAsString = "" }) => [FeatureName, ValueAsString]),
  );
  const textOf = ({ name }: Feature) => stored.get(name) ?? "";
  const values = features.map((feature) => {
    const text = textOf(feature);
    return text === "" ? null : featureText(feature.type, text);
  });
  const named = (what: string, kind: (value: string | null | undefined, feature: Feature) => boolean) => {
    const names = features.filter((feature, place) => kind(values[place], feature)).map(({ name }) => name);
    return names.length === 0 ? [] : [`${what} ${listed(names, namesShown)}`];
  };
  const faults = [
    ...named("has no", (value, { optional }) => value === null && !optional),
    ...named("has a value of another type as", (value) => value === undefined),
  ];
  if (faults.length > 0) {
    return new Failure("missing_feature", `the input's record ${faults.join(" and ")}`, "never");
  }
  return values.map((value) => value ?? null);
};

const namesShown = 10;

const failed = (reason: string, retry: "alone" | "later") => new Failure("feature_store_failed", reason, retry);

/** The feature group that holds the inputs' features. */
export class FeatureStore {
  /** The last event time that was given by {@link timeNow}, in milliseconds. */
  private lastTime = 0;

  constructor(
    private readonly props: FeatureStoreProps,
    private readonly client = new SageMakerFeatureStoreRuntimeClient(clientSettings({ requestTimeout: 3_000 })),
  ) {}

  /** The features of each input, or why they are not to be had. Never throws for one of them, nor for a failed call. */
  async read(inputIds: readonly string[], until?: Until): Promise<Map<string, FeatureValues | Failure>> {
    const { recordIdentifierType: type } = this.props;
    const keys = new Map(inputIds.map((id) => [id, recordKey(id, type)]));
    const spellings = new Map<string, string>();
    for (const [id, key] of keys) if (key !== undefined && !spellings.has(key)) spellings.set(key, id);

    const found = new Map<string, FeatureValues | Failure>();
    const inFlight = limiter(callsInFlight);
    const runs = runsOf([...spellings.values()], { count: this.readsPerCall });
    await Promise.all(runs.map((run) => inFlight(() => this.readRun(run, found, until))));

    const resultOf = (key: string | undefined) =>
      key === undefined
        ? new Failure("malformed", `the feature group's identifiers are ${type}, which this input's id is not`, "never")
        : (found.get(key) ?? new Failure("unknown_input", "the feature group has no such input", "never"));
    return new Map([...keys].map(([id, key]) => [id, resultOf(key)]));
  }

  private get readsPerCall(): number {
    return Math.max(1, Math.min(readsPerCall, Math.floor(valuesPerCall / this.props.features.length)));
  }

  /** Reads up to 100 records into `found`, which is keyed by `recordKey`. */
  private async readRun(ids: readonly string[], found: Map<string, FeatureValues | Failure>, until?: Until) {
    const { features, recordIdentifierType } = this.props;
    const keep = (id: string, result: FeatureValues | Failure) =>
      found.set(recordKey(id, recordIdentifierType) ?? id, result);
    let left = ids;
    try {
      for (let attempt = 1; left.length > 0 && attempt <= attempts; attempt++) {
        if (attempt > 1) await backOff(attempt - 1, until?.signal);
        const names = features.map(({ name }) => name);
        const { Records, Errors, UnprocessedIdentifiers } = await this.get(left, names, until);
        if (Records === undefined) throw new Error("its answer names no records");
        for (const { RecordIdentifierValueAsString: id = "", Record } of Records) keep(id, valuesOf(Record, features));
        for (const { RecordIdentifierValueAsString: id = "", ErrorCode } of Errors ?? []) {
          keep(id, failed(`the feature store failed for this input: ${ErrorCode}`, "alone"));
        }
        left = (UnprocessedIdentifiers ?? []).flatMap((group) => group.RecordIdentifiersValueAsString ?? []);
      }
      for (const id of left) keep(id, failed("the feature store left this input unprocessed", "later"));
    } catch (error) {
      for (const id of left) keep(id, failed(`the feature store failed: ${reasonOf(error)}`, "later"));
    }
  }

  /** One call for the named features of up to 100 records. */
  private get(ids: readonly string[], FeatureNames: string[], until?: Until) {
    const { featureGroupName: FeatureGroupName } = this.props;
    const Identifiers = [{ FeatureGroupName, RecordIdentifiersValueAsString: [...ids], FeatureNames }];
    return this.client.send(new BatchGetRecordCommand({ Identifiers }), { abortSignal: until?.signal });
  }

  /**
   * Writes rows of features, replacing what an id had.
   * @throws when some were not written, with their ids and the reasons; as {@link writeEach}
   */
  async write(rows: readonly FeatureRow[], until?: Until): Promise<void> {
    const reasons = await this.writeEach(rows, until);
    const failures = rows.flatMap(({ id }, place) => {
      const reason = reasons[place];
      return reason === undefined ? [] : [`id ${JSON.stringify(id)}: ${reason}`];
    });
    if (failures.length > 0) {
      const [some, rest] = [failures.slice(0, 10), failures.length - 10];
      const more = rest > 0 ? [`and ${rest} more`] : [];
      throw new Error(
        `${failures.length} of ${rows.length} rows were not written to ${this.props.featureGroupName}: ${[...some, ...more].join("; ")}`,
      );
    }
  }

  /**
   * Writes rows of features, replacing what an id had, and says of each, by its place, why the feature store refuses it;
   * undefined where it takes it, see {@link passedOver}. What is throttled, fails or is left unprocessed is tried again.
   * @throws when patience ends, or when another attempt is of no use
   */
  async writeEach(
    rows: readonly FeatureRow[],
    until?: Until,
    patience = new Patience(patienceMilliseconds),
  ): Promise<(string | undefined)[]> {
    const reasons: (string | undefined)[] = rows.map(() => undefined);
    const now = this.timeNow();
    const writings = rows.map((row, place) => ({ place, id: row.id, entry: this.entryOf(row, now) }));
    const inFlight = limiter(writesInFlight);
    const runs = runsOf(writings, { count: writesPerCall });
    await Promise.all(runs.map((run) => inFlight(() => this.writeRun(run, reasons, patience, until))));
    return reasons;
  }

  /** The event time of a row that has none of its own: greater each time, so that the last row of an id is the one that stays. */
  timeNow(): string {
    this.lastTime = Math.max(Date.now(), this.lastTime + 1);
    return this.eventTime.type === "String" ? new Date(this.lastTime).toISOString() : String(this.lastTime / 1000);
  }

  private get eventTime() {
    return this.props.eventTime ?? defaultEventTime;
  }

  /** Whether the event time is the identifier, so that no record ever changes. */
  private get isFixed(): boolean {
    return this.eventTime.name === (this.props.recordIdentifierName ?? "id");
  }

  private entryOf({ id, values, since = "" }: FeatureRow, now: string): BatchWriteRecordEntry {
    const { featureGroupName, features, recordIdentifierName = "id" } = this.props;
    const keys = this.isFixed ? [] : [{ FeatureName: this.eventTime.name, ValueAsString: since || now }];
    const record = features.flatMap(({ name: FeatureName }, place) => {
      const ValueAsString = values[place] ?? null;
      return ValueAsString === null ? [] : [{ FeatureName, ValueAsString }];
    });
    return {
      FeatureGroupName: featureGroupName,
      Record: [...keys, { FeatureName: recordIdentifierName, ValueAsString: id }, ...record],
    };
  }

  /** Writes up to 25 records, until each is written or has its reason. */
  private async writeRun(
    run: readonly Writing[],
    reasons: (string | undefined)[],
    patience: Patience,
    until?: Until,
  ): Promise<void> {
    const { recordIdentifierName = "id" } = this.props;
    const idOf = ({ Record }: BatchWriteRecordEntry) =>
      Record?.find(({ FeatureName }) => FeatureName === recordIdentifierName)?.ValueAsString;
    const within = (writings: readonly Writing[], entry: BatchWriteRecordEntry | undefined) => {
      const id = entry && idOf(entry);
      const found = writings.filter((writing) => writing.id === id);
      if (found.length === 0) throw new Error("the feature store answers for a record that it was not given");
      return found;
    };
    let left = run;
    for (let attempt = 1; left.length > 0; attempt++) {
      const given = left;
      let failure: unknown;
      try {
        const Entries = given.map(({ entry }) => entry);
        const answer = await this.client.send(new BatchWriteRecordCommand({ Entries }), {
          abortSignal: until?.signal,
        });
        const again = new Set((answer.UnprocessedEntries ?? []).flatMap((entry) => within(given, entry)));
        failure = new Error("the feature store leaves records unprocessed");
        for (const { Entry, ErrorCode = "no code", ErrorMessage = "no reason given" } of answer.Errors ?? []) {
          for (const writing of within(given, Entry)) {
            if (isTransientName(ErrorCode)) {
              again.add(writing);
              failure = new Error(`the feature store failed: ${ErrorCode}: ${ErrorMessage}`);
            } else reasons[writing.place] = `${ErrorCode}: ${ErrorMessage}`;
          }
        }
        left = given.filter((writing) => again.has(writing));
      } catch (error) {
        if (!isTransient(error)) throw error;
        failure = error;
      }
      if (left.length < given.length) patience.renew();
      if (left.length > 0) await patience.wait(attempt, failure, until?.signal);
    }
  }

  /**
   * Says of rows that were just written, by place, why one of them is not what is stored; undefined where it is, and where
   * a later row of these with a greater event time is. Feature Store keeps the record with the greater event time, and
   * answers as if it had taken the other one too
   * (https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_feature_store_PutRecord.html).
   * @param rows in the order of their writing, each with its event time
   * @throws as {@link writeEach}
   */
  async passedOver(
    rows: readonly FeatureRow[],
    until?: Until,
    patience = new Patience(patienceMilliseconds),
  ): Promise<(string | undefined)[]> {
    const reasons: (string | undefined)[] = rows.map(() => undefined);
    const records = new Map<string, Written[]>();
    for (const [place, { id, values, since = "" }] of rows.entries()) {
      const key = recordKey(id, this.props.recordIdentifierType) ?? id;
      const written = records.get(key) ?? [];
      written.push({ place, id, values, time: this.momentOf(this.isFixed ? id : since) });
      records.set(key, written);
    }
    const inFlight = limiter(callsInFlight);
    const runs = runsOf([...records.entries()], { count: this.readsPerCall });
    await Promise.all(runs.map((run) => inFlight(() => this.readBack(run, reasons, patience, until))));
    return reasons;
  }

  /** Reads up to 100 records back, until each row has its reason or is what is stored. */
  private async readBack(
    run: readonly (readonly [string, readonly Written[]])[],
    reasons: (string | undefined)[],
    patience: Patience,
    until?: Until,
  ): Promise<void> {
    const { features, recordIdentifierType: type } = this.props;
    const names = [...features.map(({ name }) => name), this.eventTime.name];
    const keyOf = (id = "") => recordKey(id, type) ?? id;
    let left = run;
    for (let attempt = 1, looks = 1; left.length > 0; attempt++) {
      const given = left;
      let failure: unknown = new Error("the feature store does not show what it was given");
      try {
        const ids = given.flatMap(([, [written]]) => written?.id ?? []);
        const { Records = [], Errors = [], UnprocessedIdentifiers = [] } = await this.get(ids, names, until);
        const unread = new Set([
          ...Errors.map(({ RecordIdentifierValueAsString }) => keyOf(RecordIdentifierValueAsString)),
          ...UnprocessedIdentifiers.flatMap(({ RecordIdentifiersValueAsString: some = [] }) => some.map(keyOf)),
        ]);
        const [error] = Errors;
        if (error) failure = new Error(`the feature store failed: ${error.ErrorCode}: ${error.ErrorMessage}`);
        const stored = new Map(
          Records.map(({ RecordIdentifierValueAsString, Record }) => [
            keyOf(RecordIdentifierValueAsString),
            new Map(recordSchema.parse(Record).map(({ FeatureName, ValueAsString }) => [FeatureName, ValueAsString])),
          ]),
        );
        left = given.filter(([key, written]) => {
          if (unread.has(key)) return true;
          const record = stored.get(key);
          const others = this.notIn(record, written);
          const time = record?.get(this.eventTime.name);
          // A record that is older than a row, or not there, may be shown still although the row is stored by now.
          const isSure = others.every((one) => time !== undefined && this.momentOf(time) >= one.time);
          if (!isSure && looks < attempts) return true;
          for (const { place } of others) reasons[place] = this.whyNot(time);
          return false;
        });
        looks++;
      } catch (error) {
        if (!isTransient(error)) throw error;
        failure = error;
      }
      if (left.length < given.length) patience.renew();
      if (left.length > 0) await patience.wait(attempt, failure, until?.signal);
    }
  }

  /** The rows of a record that are not what is stored, nor replaced by a later one of them that is. */
  private notIn(record: StoredRecord | undefined, written: readonly Written[]): Written[] {
    let replacedUntil = Number.NEGATIVE_INFINITY;
    return written.toReversed().filter(({ values, time }) => {
      const isStored = record !== undefined && this.holds(record, values);
      const isReplaced = time < replacedUntil;
      if (isStored) replacedUntil = Math.max(replacedUntil, time);
      return !isStored && !isReplaced;
    });
  }

  /** Whether a stored record has these values of the features, in whatever digits. */
  private holds(record: StoredRecord, values: FeatureValues): boolean {
    return this.props.features.every(({ name, type }, place) => {
      const [stored, given] = [record.get(name) ?? "", values[place] ?? ""];
      if (stored === "" || given === "") return stored === given;
      return type === "Fractional" ? Number(stored) === Number(given) : featureText(type, stored) === given;
    });
  }

  private whyNot(time: string | undefined): string {
    const why =
      time === undefined
        ? "Feature Store does not show it; its record may have been deleted since"
        : this.isFixed
          ? "the group's event time is the identifier, so that no record ever changes"
          : `Feature Store has a record of this id with the event time ${time}, which is not earlier`;
    return `${passedOverReason}${why}`;
  }

  /**
   * The event time of an input's record.
   * @returns undefined where there is no such record
   * @throws when it cannot be read
   */
  async timeOf(id: string, until?: Until): Promise<string | undefined> {
    if (recordKey(id, this.props.recordIdentifierType) === undefined) return undefined;
    const answer = await this.get([id], [this.eventTime.name], until);
    const { Records: [found] = [], Errors: [error] = [], UnprocessedIdentifiers = [] } = answer;
    if (error) throw new Error(`the feature store failed: ${error.ErrorCode}: ${error.ErrorMessage}`);
    if (UnprocessedIdentifiers.length > 0) throw new Error("the feature store left this input unprocessed");
    return found && (recordSchema.parse(found.Record)[0]?.ValueAsString ?? "");
  }

  /**
   * Deletes an input's record for good. Feature Store does so only by a later event time than the record's
   * (https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_feature_store_DeleteRecord.html).
   * @param time of the record, by {@link timeOf}
   */
  async erase(id: string, time: string, until?: Until): Promise<void> {
    const { featureGroupName: FeatureGroupName } = this.props;
    const EventTime = this.timeAfter(time);
    const record = { FeatureGroupName, RecordIdentifierValueAsString: id, EventTime };
    const command = new DeleteRecordCommand({ ...record, DeletionMode: "HardDelete" });
    await this.client.send(command, { abortSignal: until?.signal });
  }

  /** Now, or later where an event time is not before that. */
  private timeAfter(time: string): string {
    const moment = this.momentOf(time);
    if (this.eventTime.type === "String") return new Date(Math.max(Date.now(), moment + 1)).toISOString();
    return String(Math.max(Date.now() / 1000, moment + 1 > moment ? moment + 1 : 2 * moment)); // an identifier may be huge
  }

  /** An event time as a number that grows with it. */
  private momentOf(time: string): number {
    return this.eventTime.type === "String" ? Date.parse(time) : Number(time);
  }

  /**
   * The identifiers of all records, page by page.
   * @throws as {@link writeEach}
   */
  async *list(until?: Until): AsyncGenerator<readonly string[], void, undefined> {
    const patience = new Patience(patienceMilliseconds);
    const { featureGroupName: FeatureGroupName } = this.props;
    let NextToken: string | undefined;
    let attempt = 1;
    do {
      try {
        const page = await this.client.send(
          new ListRecordsCommand({ FeatureGroupName, NextToken, MaxResults: listedPerCall }),
          { abortSignal: until?.signal },
        );
        yield page.RecordIdentifiers ?? [];
        ({ NextToken } = page);
        attempt = 1;
        patience.renew();
      } catch (error) {
        if (!isTransient(error)) throw error;
        await patience.wait(attempt++, error, until?.signal);
      }
    } while (NextToken !== undefined || attempt > 1);
  }
}

const listedPerCall = 100;
const defaultEventTime = { name: "event_time", type: "String" } as const;

/** What the reason begins with why a row that was written is not what is stored. */
export const passedOverReason = "passed over: ";

/** A record as it is stored: the value of each feature. */
type StoredRecord = ReadonlyMap<string, string | undefined>;

/** A row that was written, by its place. */
interface Written {
  readonly place: number;
  readonly id: string;
  readonly values: FeatureValues;
  readonly time: number;
}

/** A record on its way: its place among those to be written, and the entry of the call. */
interface Writing {
  readonly place: number;
  readonly id: string;
  readonly entry: BatchWriteRecordEntry;
}
