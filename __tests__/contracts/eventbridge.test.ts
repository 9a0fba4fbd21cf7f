import { EventBridgeClient, PutEventsCommand, type PutEventsRequestEntry } from "@aws-sdk/client-eventbridge";
import { operator } from "../../local/credentials";
import { type EventBridge, startEventBridge } from "../../local/eventbridge";

let bus: EventBridge;
let client: EventBridgeClient;

beforeEach(async () => {
  bus = await startEventBridge();
  client = new EventBridgeClient({ ...operator, endpoint: bus.url });
});
afterEach(async () => {
  client.destroy();
  await bus.stop();
});

const entry = { Source: "ours", DetailType: "Done", Detail: '{"jobId":"nightly"}' };
const put = (...Entries: PutEventsRequestEntry[]) => client.send(new PutEventsCommand({ Entries }));

test("PutEvents keeps what it takes, each with an id of its own", async () => {
  const { FailedEntryCount, Entries = [] } = await put(entry, { ...entry, Detail: "{}" });
  expect(FailedEntryCount).toBe(0);
  expect(bus.events).toEqual([
    { id: Entries[0]?.EventId, source: "ours", detailType: "Done", detail: { jobId: "nightly" } },
    { id: Entries[1]?.EventId, source: "ours", detailType: "Done", detail: {} },
  ]);
  expect(new Set(bus.events.map(({ id }) => id)).size).toBe(2);
});

test.each([
  ["without a source", { ...entry, Source: undefined }, "InvalidArgument"],
  ["without a type", { ...entry, DetailType: "" }, "InvalidArgument"],
  ["without detail", { ...entry, Detail: undefined }, "InvalidArgument"],
  ["whose detail is no JSON", { ...entry, Detail: "{" }, "MalformedDetail"],
  ["whose detail is no object", { ...entry, Detail: "[]" }, "MalformedDetail"],
  ["in AWS's own name", { ...entry, Source: "aws.s3" }, "NotAuthorizedForSourceException"],
  ["for another bus", { ...entry, EventBusName: "other" }, "InvalidArgument"],
])("PutEvents answers 200 to an entry %s, says that it failed, and takes its neighbour", async (_, bad, ErrorCode) => {
  const { FailedEntryCount, Entries } = await put(bad, entry);
  expect(FailedEntryCount).toBe(1);
  expect(Entries).toEqual([{ ErrorCode, ErrorMessage: expect.any(String) }, { EventId: expect.any(String) }]);
  expect(bus.events).toHaveLength(1);
});

test("fails as many entries as it is told to", async () => {
  bus.fail(1);
  const { FailedEntryCount, Entries } = await put(entry, entry);
  expect(FailedEntryCount).toBe(1);
  expect(Entries?.[0]).toEqual({ ErrorCode: "InternalFailure", ErrorMessage: "for once" });
  expect((await put(entry)).FailedEntryCount).toBe(0);
  expect(bus.events).toHaveLength(2);
});

test.each([0, 11])("PutEvents refuses %i entries", async (count) => {
  await expect(put(...Array.from({ length: count }, () => entry))).rejects.toMatchObject({
    name: "ValidationException",
  });
});
