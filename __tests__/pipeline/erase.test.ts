import { gunzipSync } from "node:zlib";
import { DeleteObjectCommand, GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { SageMakerFeatureStoreRuntimeClient } from "@aws-sdk/client-sagemaker-featurestore-runtime";
import { folders, stagedKey } from "../../contract/answers-bucket";
import { outcomeVersion } from "../../contract/outcome";
import { operator } from "../../local/credentials";
import { startFeatureStore } from "../../local/feature-store";
import { type OnTheWay, startPassage } from "../../local/passage";
import { startS3 } from "../../local/s3";
import type { StandIn } from "../../local/stand-in";
import { within } from "../../pipeline/clients";
import { type ErasureProps, placesOf } from "../../pipeline/erase";
import { FeatureStore } from "../../pipeline/features";
import { Jobs } from "../../pipeline/jobs";
import { contentOf } from "../../pipeline/outcomes";
import { answered, failed } from "../setup/outcomes";

const bucket = "answers";
const until = within(3_600_000);

let s3Service: StandIn;
let passage: StandIn;
let s3: S3Client;
/** What happens to the calls of what erases. */
let onTheWay: OnTheWay | undefined;
beforeEach(async () => {
  onTheWay = undefined;
  s3Service = await startS3({ buckets: [bucket] });
  passage = await startPassage(s3Service.url, (request, forward) => onTheWay?.(request, forward) ?? forward());
  s3 = new S3Client({ ...operator, endpoint: s3Service.url });
});
afterEach(async () => {
  s3.destroy();
  await passage.stop();
  await s3Service.stop();
});

const none = { hidden: 0, whole: true, seen: 0 };
/** A place of an input, where nothing is found in the queue and the warehouse. */
const placeOf = (name: string, more: Partial<ErasureProps> = {}) => {
  const client = new S3Client({ ...operator, endpoint: passage.url });
  const places = placesOf({
    id: "7",
    bucket,
    s3: client,
    jobs: new Jobs(bucket, client),
    database: { read: async () => [], transaction: async () => ({ id: "", rows: [] }) },
    deadLetters: { look: async () => none, remove: async () => none },
    ...more,
  });
  const found = places.find((place) => place.name === name);
  if (found === undefined) throw new Error(`no place ${name}, only ${places.map(({ name }) => name).join(", ")}`);
  return found;
};

describe("what is staged", () => {
  const name = "answers and failures that are not loaded";
  const stage = async (...given: Parameters<typeof contentOf>[0]) => {
    const key = stagedKey(
      given.map(({ requestId }) => requestId),
      outcomeVersion,
      `object-${given.length}`,
      new Date(),
    );
    await s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: await contentOf(given) }));
    return key;
  };
  const textOf = async (Key: string) => {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key }));
    return gunzipSync((await Body?.transformToByteArray()) ?? "").toString();
  };

  test("loses the lines of the input, and keeps the others as they are, under the same key", async () => {
    const others = [answered({ inputId: "70" }), failed({ inputId: undefined }), answered({ inputId: "7 " })];
    const [first, second, third] = others;
    if (!first || !second || !third) throw new Error("three others");
    const key = await stage(first, answered(), second, failed({ inputId: "7" }), third);
    const expected = gunzipSync(await contentOf(others)).toString();
    expect((await placeOf(name).walk(false, until)).counts).toEqual([{ what: name, count: 2 }]);
    expect(await placeOf(name).walk(true, until)).toEqual({ counts: [{ what: name, count: 2 }], inTheWay: [] });
    expect(await textOf(key)).toBe(expected);
    expect(await placeOf(name).walk(true, until)).toEqual({ counts: [], inTheWay: [] });
  });

  test("does not come back where it is loaded and deleted while it is written anew", async () => {
    const key = await stage(answered(), answered({ inputId: "8" }));
    onTheWay = async ({ method }, forward) => {
      if (method === "PUT") await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }));
      return forward();
    };
    expect(await placeOf(name).walk(true, until)).toEqual({ counts: [], inTheWay: [] });
    await expect(textOf(key)).rejects.toMatchObject({ name: "NoSuchKey" });
  });

  test.each([folders.staged, folders.rejected])("in %s by a newer version stays, and is named", async (folder) => {
    const key = stagedKey([], outcomeVersion + 1, "x", new Date()).replace(folders.staged, folder);
    await s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: "of another form" }));
    expect((await placeOf(name).walk(true, until)).inTheWay).toEqual([
      `A newer version of this project wrote s3://${bucket}/${key}: erase by that one.`,
    ]);
  });

  test("that cannot be read stays, and is named", async () => {
    const key = `${folders.staged}2026013112/x.any.v1.ndjson.gz`;
    await s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: "no gzip" }));
    expect((await placeOf(name).walk(true, until)).inTheWay).toEqual([
      `s3://${bucket}/${key} cannot be read: mend it, or delete it if it is of no use.`,
    ]);
  });
});

describe("dead letters", () => {
  test("of which no id can be read, or that are hidden, are in the way", async () => {
    const letter = { messageId: "m", code: "malformed", reason: "", body: "" };
    const deadLetters: ErasureProps["deadLetters"] = {
      look: async (visit) => {
        await visit([letter, { ...letter, id: "7" }, { ...letter, id: "8" }]);
        return { ...none, hidden: 2 };
      },
      remove: async () => none,
    };
    const { counts, inTheWay } = await placeOf("the dead-letter queue", { deadLetters }).walk(false, until);
    expect(counts).toEqual([{ what: "dead letters", count: 1 }]);
    expect(inTheWay).toEqual([
      expect.stringMatching(/^Not all dead letters could be seen/),
      "No id can be read in 1 of the dead letters: `failed export` shows them.",
    ]);
  });
});

describe("a record of features", () => {
  const features = [{ name: "age", type: "Integral" as const, optional: false }];
  const types = features.map(({ name, type }) => ({ name, type: String(type) }));
  const inYears = String(Date.now() / 1000 + 1e9);

  test.each([
    ["an event time of this moment", "String" as const, "event_time", "String" as const, undefined],
    ["an event time that is years ahead", "String" as const, "event_time", "Fractional" as const, inYears],
    [
      "the identifier as its event time, as in a group that was taken over",
      "Fractional" as const,
      "id",
      "Fractional" as const,
      undefined,
    ],
  ])("is deleted for good with %s", async (_, idType, timeName, timeType, since) => {
    const group = {
      name: "people",
      recordIdentifierFeatureName: "id",
      eventTimeFeatureName: timeName,
      features: [
        { name: "id", type: String(idType) },
        ...(timeName === "id" ? [] : [{ name: timeName, type: String(timeType) }]),
        ...types,
      ],
    };
    const service = await startFeatureStore({ groups: [group] });
    const client = new SageMakerFeatureStoreRuntimeClient({ ...operator, endpoint: service.url });
    const eventTime = { name: timeName, type: timeType };
    const props = { featureGroupName: group.name, features, recordIdentifierType: idType, eventTime };
    const store = new FeatureStore(props, client);
    for (const id of ["7", "8", "9007199254740993"]) {
      await store.write([{ id, values: ["41"], since }]);
      const place = placeOf("the feature group", { id, features: store });
      expect((await place.walk(false, until)).counts).toEqual([{ what: "record of features", count: 1 }]);
      await place.walk(true, until);
      expect(await place.walk(true, until)).toEqual({ counts: [], inTheWay: [] });
    }
    client.destroy();
    await service.stop();
  });
});
