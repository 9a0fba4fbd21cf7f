import { SageMakerFeatureStoreRuntimeClient } from "@aws-sdk/client-sagemaker-featurestore-runtime";
import { z } from "zod";
import type { FeatureType } from "../../contract/model-contract";
import { operator } from "../../local/credentials";
import { startFeatureStore } from "../../local/feature-store";
import { type Answer, AwsError, json, parseBody, type StandIn, serve } from "../../local/stand-in";
import { Failure } from "../../pipeline/failures";
import { FeatureStore, type FeatureStoreProps } from "../../pipeline/features";
import { Patience } from "../../pipeline/flow";
import { contract } from "../setup/contract";

const started: StandIn[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((one) => one.stop()));
});

const storeAt = async (standIn: Promise<StandIn>, props: Partial<FeatureStoreProps> = {}) => {
  const { url, stop } = await standIn;
  started.push({ url, stop });
  const client = new SageMakerFeatureStoreRuntimeClient({ ...operator, endpoint: url });
  const usual = { featureGroupName: "customers", features: contract.features, recordIdentifierType: "String" } as const;
  return new FeatureStore({ ...usual, ...props }, client);
};

const group = (recordIdentifierType: FeatureType, eventTime = { name: "event_time", type: "String" }) => ({
  name: "customers",
  recordIdentifierFeatureName: "id",
  eventTimeFeatureName: eventTime.name,
  features: [
    { name: "id", type: recordIdentifierType },
    ...(eventTime.name === "id" ? [] : [eventTime]),
    ...contract.features,
  ],
});

const readSchema = z.object({
  Identifiers: z.tuple([z.object({ RecordIdentifiersValueAsString: z.array(z.string()) })]),
});
const writeSchema = z.object({
  Entries: z.array(z.object({ Record: z.array(z.object({ FeatureName: z.string(), ValueAsString: z.string() })) })),
});

/** A feature store that answers each read as it is told; what it was asked for stands in `asked`. */
const storeThat = (answer: (ids: string[], call: number) => Answer, asked: string[][] = []) =>
  storeAt(
    serve((request) => {
      const ids = parseBody(request, readSchema, "ValidationError").Identifiers[0].RecordIdentifiersValueAsString;
      return answer(ids, asked.push(ids));
    }),
  );

const recordOf = (id: string) => ({
  FeatureGroupName: "customers",
  RecordIdentifierValueAsString: id,
  Record: [
    { FeatureName: "age", ValueAsString: "36" },
    { FeatureName: "income", ValueAsString: "1.50" },
    { FeatureName: "city", ValueAsString: `city of ${id}` },
  ],
});
const valuesOf = (id: string) => ["36", "1.50", `city of ${id}`];
const unprocessed = (ids: string[]) =>
  ids.length > 0 ? [{ FeatureGroupName: "customers", RecordIdentifiersValueAsString: ids }] : [];

test("writes features and reads them of each input, more than one call holds", async () => {
  const store = await storeAt(startFeatureStore({ groups: [group("String")] }));
  const ids = Array.from({ length: 230 }, (_, n) => `id-${n}`);
  await store.write(ids.map((id) => ({ id, values: valuesOf(id) })));
  expect(await store.read(ids)).toEqual(new Map(ids.map((id) => [id, valuesOf(id)])));
});

test("asks once for an input that is wanted twice", async () => {
  const asked: string[][] = [];
  const store = await storeThat(
    (ids) => json({ Records: ids.map(recordOf), Errors: [], UnprocessedIdentifiers: [] }),
    asked,
  );
  await store.read(["a", "b", "a"]);
  expect(asked).toEqual([["a", "b"]]);
});

test("knows an input that the group has not, for good", async () => {
  const store = await storeAt(startFeatureStore({ groups: [group("String")] }));
  expect(await store.read(["nobody"])).toEqual(
    new Map([["nobody", new Failure("unknown_input", "the feature group has no such input", "never")]]),
  );
});

const recordWith = (values: Record<string, string>) =>
  storeThat(([id = ""]) => {
    const Record = Object.entries(values).map(([FeatureName, ValueAsString]) => ({ FeatureName, ValueAsString }));
    return json({ Records: [{ ...recordOf(id), Record }], Errors: [], UnprocessedIdentifiers: [] });
  });

test.each([
  [{}, "has no age, city"],
  [{ age: "36.5", city: "Lyon" }, "has a value of another type as age"],
  [{ age: "seven", income: "much", city: "" }, "has no city and has a value of another type as age, income"],
])("knows a record that misses what must be there, or has what may not, for good: %j", async (record, faults) => {
  const store = await recordWith(record);
  expect((await store.read(["a"])).get("a")).toEqual(
    new Failure("missing_feature", `the input's record ${faults}`, "never"),
  );
});

test("reads every number to the digit, and an optional feature that is not there as null", async () => {
  const store = await recordWith({ age: "9223372036854775807", city: "Lyon" });
  expect((await store.read(["a"])).get("a")).toEqual(["9223372036854775807", null, "Lyon"]);
});

test("writes no value for an optional feature that has none", async () => {
  const store = await storeAt(startFeatureStore({ groups: [group("String")] }));
  await store.write([{ id: "a", values: ["36", null, "Lyon"] }]);
  expect((await store.read(["a"])).get("a")).toEqual(["36", null, "Lyon"]);
});

test.each([
  {
    type: "Fractional" as const,
    good: ["7", "7.0", "+7", "-1.5e3", ".5"],
    bad: ["seven", "", "0x7", "7 ", "1e999", "NaN"],
  },
  {
    type: "Integral" as const,
    good: ["7", "007", "-7", "9223372036854775807"],
    bad: ["7.0", "9223372036854775808", "1e3"],
  },
])("keeps ids that are not $type out of the call, which they would fail", async ({ type, good, bad }) => {
  const store = await storeAt(startFeatureStore({ groups: [group(type)] }), { recordIdentifierType: type });
  await store.write(
    [...new Set(good.map(Number))].map((id) => ({
      id: BigInt.asIntN(64, BigInt(Math.trunc(id))) === BigInt(Math.trunc(id)) ? String(id) : "9223372036854775807",
      values: valuesOf("n"),
    })),
  );
  const found = await store.read([...good, ...bad]);
  for (const id of good) expect([id, found.get(id)]).toEqual([id, valuesOf("n")]);
  for (const id of bad) {
    expect(found.get(id)).toEqual(
      new Failure("malformed", `the feature group's identifiers are ${type}, which this input's id is not`, "never"),
    );
  }
});

test("writes to a group whose identifier is its event time", async () => {
  const idItself = { name: "id", type: "Fractional" as const };
  const store = await storeAt(startFeatureStore({ groups: [group("Fractional", idItself)] }), {
    recordIdentifierType: "Fractional",
    eventTime: idItself,
  });
  await store.write([{ id: "7", values: valuesOf("7") }]);
  expect((await store.read(["7"])).get("7")).toEqual(valuesOf("7"));
});

test("gives the last row of an id the latest event time, however fast they follow each other", async () => {
  const store = await storeAt(startFeatureStore({ groups: [group("String")] }));
  for (let age = 1; age <= 50; age++) await store.write([{ id: "a", values: [String(age), "1.50", "Lyon"] }]);
  expect((await store.read(["a"])).get("a")).toEqual(["50", "1.50", "Lyon"]);
});

const timed = (id: string, age: string, since: string) => ({ id, values: [age, null, "Lyon"], since });

test("knows of rows which the feature store passed over, by its record of a later or the same event time", async () => {
  const store = await storeAt(startFeatureStore({ groups: [group("String")] }));
  await store.write([timed("a", "1", "2026-01-02T00:00:00Z")]);
  const rows = [
    timed("a", "2", "2026-01-02T00:00:00.000Z"),
    timed("b", "1", "2026-01-01T00:00:00Z"),
    timed("a", "1", "2026-01-01T00:00:00Z"), // older, and says what is stored
  ];
  for (const row of rows) await store.write([row]);
  expect(await store.passedOver(rows)).toEqual([
    "passed over: Feature Store has a record of this id with the event time 2026-01-02T00:00:00Z, which is not earlier",
    undefined,
    undefined,
  ]);
});

test("knows more rows than a call reads, by any spelling of their ids and values", async () => {
  const idItself = { name: "id", type: "Fractional" as const };
  const store = await storeAt(startFeatureStore({ groups: [group("Fractional", idItself)] }), {
    recordIdentifierType: "Fractional",
    eventTime: idItself,
  });
  const rows = Array.from({ length: 230 }, (_, n) => ({ id: String(n), values: ["36", "1.50", "Lyon"] }));
  await store.write(rows);
  const again = rows.map(({ id }, n) => ({ id: `${id}.0`, values: [n === 200 ? "37" : "36", "1.5", "Lyon"] }));
  await store.write(again);
  const reasons = await store.passedOver(again);
  expect(reasons.flatMap((reason, place) => (reason === undefined ? [] : [[place, reason]]))).toEqual([
    [200, "passed over: the group's event time is the identifier, so that no record ever changes"],
  ]);
});

test("looks again for a row that is not shown yet, and says of one that never is that it may be deleted", async () => {
  const asked: string[][] = [];
  const store = await storeThat((ids, call) => {
    const record = {
      ...recordOf("a"),
      Record: [...recordOf("a").Record, { FeatureName: "event_time", ValueAsString: "2026-01-02T00:00:00Z" }],
    };
    return json({ Records: call < 3 ? [] : ids.includes("a") ? [record] : [], Errors: [], UnprocessedIdentifiers: [] });
  }, asked);
  const row = (id: string) => ({ id, values: valuesOf(id), since: "2026-01-02T00:00:00Z" });
  expect(await store.passedOver([row("a"), row("gone")])).toEqual([
    undefined,
    "passed over: Feature Store does not show it; its record may have been deleted since",
  ]);
  expect(asked).toEqual([["a", "gone"], ["a", "gone"], ["a", "gone"], ["gone"]]);
});

test("asks again for what was left unprocessed, and only for that", async () => {
  const asked: string[][] = [];
  const store = await storeThat((ids, call) => {
    const left = call === 1 ? ["b"] : [];
    const Records = ids.filter((id) => !left.includes(id)).map(recordOf);
    return json({ Records, Errors: [], UnprocessedIdentifiers: unprocessed(left) });
  }, asked);
  expect(await store.read(["a", "b"])).toEqual(new Map(["a", "b"].map((id) => [id, valuesOf(id)])));
  expect(asked).toEqual([["a", "b"], ["b"]]);
});

test("gives up what stays unprocessed for now, not for good", async () => {
  const asked: string[][] = [];
  const store = await storeThat(
    (ids) => json({ Records: [], Errors: [], UnprocessedIdentifiers: unprocessed(ids) }),
    asked,
  );
  expect((await store.read(["a"])).get("a")).toEqual(
    new Failure("feature_store_failed", "the feature store left this input unprocessed", "later"),
  );
  expect(asked).toHaveLength(4);
});

test("reads the others when one fails", async () => {
  const error = {
    FeatureGroupName: "customers",
    RecordIdentifierValueAsString: "b",
    ErrorCode: "InternalFailure",
    ErrorMessage: "",
  };
  const store = await storeThat(() => json({ Records: [recordOf("a")], Errors: [error], UnprocessedIdentifiers: [] }));
  expect(await store.read(["a", "b"])).toEqual(
    new Map<string, unknown>([
      ["a", valuesOf("a")],
      ["b", new Failure("feature_store_failed", "the feature store failed for this input: InternalFailure", "alone")],
    ]),
  );
});

test("holds no input to be unknown because a call failed", async () => {
  const store = await storeThat(() => {
    throw new AwsError("AccessForbidden", 403, "not you");
  });
  expect((await store.read(["a"])).get("a")).toEqual(
    new Failure("feature_store_failed", "the feature store failed: AccessForbidden: not you", "later"),
  );
});

test("writes again what was left unprocessed", async () => {
  const written: string[][] = [];
  const store = await storeAt(
    serve((request) => {
      const { Entries } = parseBody(request, writeSchema, "ValidationError");
      const ids = Entries.map(
        ({ Record }) => Record.find(({ FeatureName }) => FeatureName === "id")?.ValueAsString ?? "",
      );
      const left = written.push(ids) === 1 ? Entries.slice(1) : [];
      return json({
        Errors: [],
        UnprocessedEntries: left.map((entry) => ({ FeatureGroupName: "customers", ...entry })),
      });
    }),
  );
  await store.write([
    { id: "a", values: valuesOf("a") },
    { id: "b", values: valuesOf("b") },
  ]);
  expect(written).toEqual([["a", "b"], ["b"]]);
});

test("says which rows were not written, and why", async () => {
  const store = await storeAt(startFeatureStore({ groups: [group("Integral")] }), { recordIdentifierType: "Integral" });
  const rows = ["1", "one"].map((id) => ({ id, values: valuesOf(id) }));
  await expect(store.write(rows)).rejects.toThrow(
    '1 of 2 rows were not written to customers: id "one": ValidationError: feature id must be Integral, got one',
  );
});

test("says of each row why the feature store refuses it, and tries again what it could not take now", async () => {
  let calls = 0;
  const store = await storeAt(
    serve((request) => {
      const { Entries } = parseBody(request, writeSchema, "ValidationError");
      const errorOf = (place: number, ErrorCode: string) => ({
        Entry: Entries[place],
        ErrorCode,
        ErrorMessage: "so it is",
      });
      calls++;
      return json({ Errors: calls === 1 ? [errorOf(0, "ValidationError"), errorOf(2, "InternalFailure")] : [] });
    }),
  );
  const rows = ["a", "b", "c"].map((id) => ({ id, values: valuesOf(id) }));
  expect(await store.writeEach(rows)).toEqual(["ValidationError: so it is", undefined, undefined]);
  expect(calls).toBe(2);
});

test.each([
  ["is throttled", () => new AwsError("ThrottlingException", 400, "Rate exceeded"), "Rate exceeded"],
  ["leaves all unprocessed", () => undefined, "the feature store leaves records unprocessed"],
])("gives up a store that %s for longer than patience lasts", async (_, errorOf, message) => {
  const store = await storeAt(
    serve((request) => {
      const error = errorOf();
      if (error !== undefined) throw error;
      return json({ UnprocessedEntries: parseBody(request, writeSchema, "ValidationError").Entries });
    }),
  );
  const rows = [{ id: "a", values: valuesOf("a") }];
  await expect(store.writeEach(rows, undefined, new Patience(200))).rejects.toThrow(message);
});

test("lists the identifiers of all records, more than a page holds", async () => {
  const store = await storeAt(startFeatureStore({ groups: [group("String")] }));
  const ids = Array.from({ length: 230 }, (_, n) => `id-${n}`);
  await store.write(ids.map((id) => ({ id, values: valuesOf(id) })));
  const listed: string[] = [];
  for await (const page of store.list()) listed.push(...page);
  expect(listed.sort()).toEqual(ids.sort());
});

test("lists on where it was when listing is throttled", async () => {
  let calls = 0;
  const store = await storeAt(
    serve((request) => {
      calls++;
      if (calls % 5 !== 0) throw new AwsError("ThrottlingException", 400, "Rate exceeded");
      const { NextToken } = parseBody(request, z.object({ NextToken: z.string().optional() }), "ValidationError");
      return json(
        NextToken === undefined ? { RecordIdentifiers: ["a"], NextToken: "2" } : { RecordIdentifiers: ["b"] },
      );
    }),
  );
  const listed: string[] = [];
  for await (const page of store.list()) listed.push(...page);
  expect(listed).toEqual(["a", "b"]);
});
