import { z } from "zod";
import { serveSigned } from "./signature";
import { type Answer, AwsError, json, parseBody, type Request, type StandIn } from "./stand-in";

/** A feature group's definition. */
export interface FeatureGroup {
  readonly name: string;
  readonly recordIdentifierFeatureName: string;
  readonly eventTimeFeatureName: string;
  readonly features: { readonly name: string; readonly type: string }[];
}

const limits = { identifiersPerCall: 100, entriesPerCall: 25, valueBytes: 358_400, recordsPerPage: 100 };

const featureValue = z.object({ FeatureName: z.string(), ValueAsString: z.string() });
const record = z.array(featureValue).min(1);
type Record = z.infer<typeof record>;
const entry = z.looseObject({ FeatureGroupName: z.string(), Record: record });
const batchGetRecord = z.object({
  Identifiers: z
    .array(
      z.object({
        FeatureGroupName: z.string(),
        RecordIdentifiersValueAsString: z.array(z.string()).min(1),
        FeatureNames: z.array(z.string()).optional(),
      }),
    )
    .min(1),
});
const batchWriteRecord = z.object({ Entries: z.array(entry).min(1).max(limits.entriesPerCall) });
const putRecord = z.object({ Record: record });
const listRecords = z.object({
  MaxResults: z.number().int().min(1).max(limits.recordsPerPage).default(limits.recordsPerPage),
  NextToken: z.string().regex(/^\d+$/).optional(),
});

const invalid = (message: string) => new AwsError("ValidationError", 400, message);

/** Starts the Feature Store runtime, with the online stores of these groups in memory, empty. */
export function startFeatureStore({ groups }: { groups: FeatureGroup[] }): Promise<StandIn> {
  const stores = new Map(groups.map((group) => [group.name, new OnlineStore(group)]));

  return serveSigned((request) => {
    const { method, url } = request;
    const [, encodedName, list] = /^\/FeatureGroup\/([^/]+)(\/ListRecords)?$/.exec(url.pathname) ?? [];
    const name = encodedName && decodeURIComponent(encodedName);
    if (method === "POST" && url.pathname === "/BatchGetRecord") return batchGet(stores, request);
    if (method === "POST" && url.pathname === "/BatchWriteRecord") return batchWrite(stores, request);
    if (method === "POST" && name && list) return listIdentifiers(existing(stores, name), request);
    if (method === "GET" && name) return get(existing(stores, name), url.searchParams);
    if (method === "DELETE" && name) return remove(existing(stores, name), url.searchParams);
    if (method === "PUT" && name) return put(stores.get(name), name, request);
    throw new AwsError("UnknownOperationException", 404, `no operation at ${method} ${url.pathname}`);
  });
}

type Stores = Map<string, OnlineStore>;

function batchGet(stores: Stores, request: Request): Answer {
  const { Identifiers } = parseBody(request, batchGetRecord, "ValidationError");
  const asked = Identifiers.flatMap(({ RecordIdentifiersValueAsString: ids, FeatureGroupName, FeatureNames }) =>
    ids.map((id) => ({ id, group: FeatureGroupName, featureNames: FeatureNames })),
  );
  if (asked.length > limits.identifiersPerCall) {
    throw invalid(`${asked.length} record identifiers, at most ${limits.identifiersPerCall} are allowed in a call`);
  }
  const seen = new Set<string>();
  for (const { group, id } of asked) {
    const key = JSON.stringify([group, stores.get(group)?.keyOf(id) ?? id]);
    if (seen.has(key)) throw invalid(`record identifier ${id} of feature group ${group} is given twice`);
    seen.add(key);
  }
  const Records = [];
  const Errors = [];
  for (const { group, id, featureNames } of asked) {
    const owner = { FeatureGroupName: group, RecordIdentifierValueAsString: id };
    const store = stores.get(group);
    if (!store) {
      Errors.push({ ...owner, ErrorCode: "ResourceNotFound", ErrorMessage: `no feature group ${group}` });
      continue;
    }
    const found = store.read(id, featureNames);
    if (found) Records.push({ ...owner, Record: found });
  }
  return json({ Records, Errors, UnprocessedIdentifiers: [] });
}

function batchWrite(stores: Stores, request: Request): Answer {
  const { Entries } = parseBody(request, batchWriteRecord, "ValidationError");
  const Errors = [];
  for (const Entry of Entries) {
    try {
      const store = stores.get(Entry.FeatureGroupName);
      if (!store) throw invalid(`no feature group ${Entry.FeatureGroupName}`);
      store.write(Entry.Record);
    } catch (error) {
      if (!(error instanceof AwsError)) throw error;
      Errors.push({ Entry, ErrorCode: error.name, ErrorMessage: error.message });
    }
  }
  return json({ Errors, UnprocessedEntries: [] });
}

function listIdentifiers(store: OnlineStore, request: Request): Answer {
  const { MaxResults, NextToken = "0" } = parseBody(request, listRecords, "ValidationError");
  const start = Number(NextToken);
  const identifiers = store.identifiers();
  const end = start + MaxResults;
  return json({
    RecordIdentifiers: identifiers.slice(start, end),
    ...(end < identifiers.length && { NextToken: String(end) }),
  });
}

function get(store: OnlineStore, query: URLSearchParams): Answer {
  const id = query.get("RecordIdentifierValueAsString");
  if (id === null) throw invalid("RecordIdentifierValueAsString is missing");
  const featureNames = query.getAll("FeatureName");
  const found = store.read(id, featureNames.length > 0 ? featureNames : undefined);
  return json(found ? { Record: found } : {}); // a missing record is no error
}

function put(store: OnlineStore | undefined, name: string, request: Request): Answer {
  if (!store) throw invalid(`no feature group ${name}`);
  store.write(parseBody(request, putRecord, "ValidationError").Record);
  return json({});
}

const deleteRecord = z.strictObject({
  RecordIdentifierValueAsString: z.string(),
  EventTime: z.string(),
  DeletionMode: z.literal("HardDelete", "only HardDelete is known on this desk"),
});

function remove(store: OnlineStore, query: URLSearchParams): Answer {
  const given = deleteRecord.safeParse(Object.fromEntries(query));
  if (!given.success) throw invalid(z.prettifyError(given.error));
  store.remove(given.data.RecordIdentifierValueAsString, given.data.EventTime);
  return json({});
}

function existing(stores: Stores, name: string): OnlineStore {
  const store = stores.get(name);
  if (!store) throw new AwsError("ResourceNotFound", 404, `no feature group ${name}`);
  return store;
}

/** The newest record of each identifier. */
class OnlineStore {
  private readonly records = new Map<string, { eventTime: number; record: Record }>();
  private readonly types: Map<string, string>;

  constructor(private readonly group: FeatureGroup) {
    this.types = new Map(group.features.map(({ name, type }) => [name, type]));
  }

  /** Throws a ValidationError for an identifier or a feature name that the group cannot have. */
  read(id: string, featureNames?: string[]): Record | undefined {
    for (const name of featureNames ?? []) this.typeOf(name);
    const found = this.records.get(this.keyOf(id))?.record;
    return found?.filter(({ FeatureName }) => featureNames?.includes(FeatureName) ?? true);
  }

  write(values: Record) {
    const byName = new Map<string, string>();
    for (const { FeatureName, ValueAsString } of values) {
      if (byName.has(FeatureName)) throw invalid(`feature ${FeatureName} is given twice`);
      this.check(FeatureName, ValueAsString);
      byName.set(FeatureName, ValueAsString);
    }
    const { name, recordIdentifierFeatureName, eventTimeFeatureName } = this.group;
    const id = byName.get(recordIdentifierFeatureName);
    const time = byName.get(eventTimeFeatureName);
    if (id === undefined || time === undefined) {
      const missing = id === undefined ? recordIdentifierFeatureName : eventTimeFeatureName;
      throw invalid(`a record of ${name} must have feature ${missing}`);
    }
    const key = this.keyOf(id);
    const eventTime = this.momentOf(time);
    const stored = this.records.get(key);
    if (!stored || eventTime > stored.eventTime) this.records.set(key, { eventTime, record: values });
  }

  /**
   * Deletes a record for good. What AWS answers where there is none is not documented.
   * @throws as https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_feature_store_DeleteRecord.html says, where the
   * record's event time is not earlier
   */
  remove(id: string, time: string) {
    const key = this.keyOf(id);
    this.check(this.group.eventTimeFeatureName, time);
    const stored = this.records.get(key);
    if (stored && this.momentOf(time) <= stored.eventTime) {
      throw invalid(`EventTime ${time} must be later than the record's`);
    }
    this.records.delete(key);
  }

  identifiers(): string[] {
    return [...this.records.keys()].sort();
  }

  /** One key for all spellings of a number. */
  keyOf(id: string): string {
    this.check(this.group.recordIdentifierFeatureName, id);
    return this.typeOf(this.group.recordIdentifierFeatureName) === "String" ? id : String(Number(id));
  }

  private momentOf(time: string): number {
    return this.typeOf(this.group.eventTimeFeatureName) === "String" ? Date.parse(time) : Number(time);
  }

  private typeOf(featureName: string): string {
    const type = this.types.get(featureName);
    if (type !== undefined) return type;
    const known = [...this.types.keys()].join(", ");
    throw invalid(`feature group ${this.group.name} has no feature ${featureName}, only ${known}`);
  }

  private check(featureName: string, value: string) {
    const type = this.typeOf(featureName);
    const bytes = Buffer.byteLength(value);
    if (bytes > limits.valueBytes) {
      throw invalid(`feature ${featureName} has ${bytes} bytes, at most ${limits.valueBytes} are allowed`);
    }
    if (!valueForms[type]?.test(value)) throw invalid(`feature ${featureName} must be ${type}, got ${value}`);
    if (featureName === this.group.eventTimeFeatureName && type === "String" && !eventTimeForm.test(value)) {
      throw invalid(
        `event time ${featureName} must be yyyy-MM-dd'T'HH:mm:ssZ or yyyy-MM-dd'T'HH:mm:ss.SSSZ, got ${value}`,
      );
    }
  }
}

const valueForms: { [type: string]: RegExp | undefined } = {
  String: /^.+$/s,
  Integral: /^[+-]?\d+$/,
  Fractional: /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i,
};
const eventTimeForm = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$/;
