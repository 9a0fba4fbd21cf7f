import {
  BatchGetRecordCommand,
  BatchWriteRecordCommand,
  DeleteRecordCommand,
  type FeatureValue,
  GetRecordCommand,
  ListRecordsCommand,
  PutRecordCommand,
  SageMakerFeatureStoreRuntimeClient,
} from "@aws-sdk/client-sagemaker-featurestore-runtime";
import { operator } from "../../local/credentials";
import { startFeatureStore } from "../../local/feature-store";
import type { StandIn } from "../../local/stand-in";

const features = [
  { name: "title", type: "String" },
  { name: "text", type: "String" },
];
const group = {
  name: "documents",
  recordIdentifierFeatureName: "id",
  eventTimeFeatureName: "event_time",
  features: [{ name: "id", type: "String" }, { name: "event_time", type: "String" }, ...features],
};
/** As the original made it: numbers for ids, and the id for the event time too. */
const original = {
  name: "original",
  recordIdentifierFeatureName: "id",
  eventTimeFeatureName: "id",
  features: [{ name: "id", type: "Fractional" }, ...features],
};

let service: StandIn;
let client: SageMakerFeatureStoreRuntimeClient;

beforeEach(async () => {
  service = await startFeatureStore({ groups: [group, original] });
  client = new SageMakerFeatureStoreRuntimeClient({ ...operator, endpoint: service.url, maxAttempts: 1 });
});
afterEach(async () => {
  client.destroy();
  await service.stop();
});

const values = (features: Record<string, string>): FeatureValue[] =>
  Object.entries(features).map(([FeatureName, ValueAsString]) => ({ FeatureName, ValueAsString }));
const record = (id: string, event_time = "2026-01-01T00:00:00Z") =>
  values({ id, event_time, title: `${id}, first`, text: `${id}, second` });
const put = (Record: FeatureValue[], FeatureGroupName = group.name) =>
  client.send(new PutRecordCommand({ FeatureGroupName, Record }));
const get = (id: string, FeatureNames?: string[]) =>
  client.send(new GetRecordCommand({ FeatureGroupName: group.name, RecordIdentifierValueAsString: id, FeatureNames }));
const getAll = (ids: string[], FeatureGroupName = group.name, FeatureNames?: string[]) =>
  client.send(
    new BatchGetRecordCommand({
      Identifiers: [{ FeatureGroupName, RecordIdentifiersValueAsString: ids, FeatureNames }],
    }),
  );
const write = (records: FeatureValue[][]) =>
  client.send(
    new BatchWriteRecordCommand({ Entries: records.map((Record) => ({ FeatureGroupName: group.name, Record })) }),
  );
const numbered = (count: number) => Array.from({ length: count }, (_, index) => `n${index}`);

describe("reading one record", () => {
  test("gives the features that were asked for, or all", async () => {
    await put(record("a"));
    expect((await get("a")).Record).toEqual(record("a"));
    expect((await get("a", ["text"])).Record).toEqual(values({ text: "a, second" }));
  });

  test("gives nothing for a record that is not there, and no error", async () => {
    expect((await get("missing")).Record).toBeUndefined();
  });

  test("fails for a group that is not there", async () => {
    const command = new GetRecordCommand({ FeatureGroupName: "other", RecordIdentifierValueAsString: "a" });
    await expect(client.send(command)).rejects.toMatchObject({ name: "ResourceNotFound" });
  });
});

describe("reading many records", () => {
  test("gives those that are there and leaves out those that are not", async () => {
    await write([record("a"), record("b")]);
    const { Records, Errors, UnprocessedIdentifiers } = await getAll(["a", "missing", "b"], group.name, ["title"]);
    expect(
      Records?.map(({ RecordIdentifierValueAsString, Record }) => [RecordIdentifierValueAsString, Record]),
    ).toEqual([
      ["a", values({ title: "a, first" })],
      ["b", values({ title: "b, first" })],
    ]);
    expect([Errors, UnprocessedIdentifiers]).toEqual([[], []]);
  });

  test("takes 100 identifiers and no more", async () => {
    expect((await getAll(numbered(100))).Records).toEqual([]);
    await expect(getAll(numbered(101))).rejects.toMatchObject({ name: "ValidationError" });
  });

  test("reports a group that is not there record by record", async () => {
    const { Errors } = await getAll(["a"], "other");
    expect(Errors).toMatchObject([{ RecordIdentifierValueAsString: "a", ErrorCode: "ResourceNotFound" }]);
  });

  test.each([
    ["an identifier twice", () => getAll(["a", "a"])],
    ["a feature that the group has not", () => getAll(["a"], group.name, ["seq_2"])],
    ["an identifier that is no number, of a group whose identifiers are", () => getAll(["1", "x"], original.name)],
  ])("refuses the whole call for %s", async (_, call) => {
    await expect(call()).rejects.toMatchObject({ name: "ValidationError" });
  });

  test("knows a number by any of its spellings", async () => {
    await put(values({ id: "7", title: "first", text: "second" }), original.name);
    const { Records } = await getAll(["7.0"], original.name);
    expect(Records).toMatchObject([{ RecordIdentifierValueAsString: "7.0" }]);
  });
});

describe("writing", () => {
  test("replaces a record by a newer one, and never by an older or one of the same time", async () => {
    await put(record("a", "2026-01-02T00:00:00Z"));
    await put(values({ id: "a", event_time: "2026-01-01T00:00:00Z", title: "older" }));
    expect((await get("a")).Record).toEqual(record("a", "2026-01-02T00:00:00Z"));
    await put(values({ id: "a", event_time: "2026-01-02T00:00:00.000Z", title: "as old" }));
    expect((await get("a")).Record).toEqual(record("a", "2026-01-02T00:00:00Z"));
    const newer = values({ id: "a", event_time: "2026-01-02T00:00:00.001Z", title: "newer" });
    await put(newer);
    expect((await get("a")).Record).toEqual(newer);
  });

  test("takes 25 entries and no more", async () => {
    expect(await write(numbered(25).map((id) => record(id)))).toMatchObject({ Errors: [], UnprocessedEntries: [] });
    await expect(write(numbered(26).map((id) => record(id)))).rejects.toMatchObject({ name: "ValidationError" });
  });

  test("reports the entries that are wrong, and writes the others", async () => {
    const wrong = values({ id: "b", event_time: "2026-01-01T00:00:00Z", seq_2: "third" });
    const { Errors } = await write([record("a"), wrong, record("c")]);
    expect(Errors).toMatchObject([{ Entry: { Record: wrong }, ErrorCode: "ValidationError" }]);
    expect((await getAll(["a", "b", "c"])).Records).toHaveLength(2);
  });

  test.each([
    ["a feature that the group has not", values({ id: "a", event_time: "2026-01-01T00:00:00Z", seq_2: "x" }), "seq_2"],
    ["no identifier", values({ event_time: "2026-01-01T00:00:00Z" }), "must have feature id"],
    ["no event time", values({ id: "a" }), "must have feature event_time"],
    ["an event time in another form", record("a", "2026-01-01"), "event_time"],
    ["a feature twice", [...record("a"), ...values({ title: "again" })], "title is given twice"],
    ["a value over 358,400 bytes", [...record("a").slice(0, 3), ...values({ text: "x".repeat(358_401) })], "358400"],
  ])("refuses a record with %s", async (_, record, message) => {
    await expect(put(record)).rejects.toMatchObject({
      name: "ValidationError",
      message: expect.stringContaining(message),
    });
  });

  test("refuses what is no number where the group has numbers", async () => {
    await expect(put(values({ id: "one" }), original.name)).rejects.toMatchObject({ name: "ValidationError" });
  });
});

test("lists the identifiers of a group, page by page", async () => {
  await write([record("a"), record("b"), record("c")]);
  const list = (NextToken?: string) =>
    client.send(new ListRecordsCommand({ FeatureGroupName: group.name, MaxResults: 2, NextToken }));
  const first = await list();
  const second = await list(first.NextToken);
  expect([first.RecordIdentifiers, second.RecordIdentifiers]).toEqual([["a", "b"], ["c"]]);
  expect(second.NextToken).toBeUndefined();
});

describe("DeleteRecord", () => {
  const erase = (RecordIdentifierValueAsString: string, EventTime: string) =>
    client.send(
      new DeleteRecordCommand({
        FeatureGroupName: group.name,
        RecordIdentifierValueAsString,
        EventTime,
        DeletionMode: "HardDelete",
      }),
    );

  // https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_feature_store_DeleteRecord.html
  test("deletes a record for good by a later event time, and refuses to by the record's own", async () => {
    await put(record("7"));
    await expect(erase("7", "2026-01-01T00:00:00Z")).rejects.toMatchObject({ name: "ValidationError" });
    expect(await get("7")).toMatchObject({ Record: record("7") });
    await erase("7", "2026-01-01T00:00:01Z");
    expect((await get("7")).Record).toBeUndefined();
    await put(record("7"));
    expect(await get("7")).toMatchObject({ Record: record("7") });
  });

  test("takes no event time in another form, and no other group", async () => {
    await expect(erase("7", "now")).rejects.toMatchObject({ name: "ValidationError" });
    const elsewhere = { FeatureGroupName: "none", RecordIdentifierValueAsString: "7", EventTime: "1" };
    await expect(
      client.send(new DeleteRecordCommand({ ...elsewhere, DeletionMode: "HardDelete" })),
    ).rejects.toMatchObject({ name: "ResourceNotFound" });
  });
});
