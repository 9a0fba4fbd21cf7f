import { Readable } from "node:stream";
import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { operator } from "../../local/credentials";
import { startPassage } from "../../local/passage";
import { s3Error, startS3 } from "../../local/s3";
import type { StandIn } from "../../local/stand-in";

const Bucket = "answers";
let service: StandIn;
let s3: S3Client;

beforeEach(async () => {
  service = await startS3({ buckets: [Bucket] });
  s3 = clientOf(service); // with no setting of its path: an address that is a number has none before it
});
afterEach(async () => {
  s3.destroy();
  await service.stop();
});

const clientOf = ({ url }: StandIn) => new S3Client({ ...operator, endpoint: url, maxAttempts: 1 });
const put = (Key: string, Body: string | Buffer = "body", more = {}) =>
  s3.send(new PutObjectCommand({ Bucket, Key, Body, ...more }));
const get = async (Key: string, more = {}) => {
  const { Body, ...answer } = await s3.send(new GetObjectCommand({ Bucket, Key, ...more }));
  return { ...answer, text: await Body?.transformToString() };
};
const refusal = (name: string, httpStatusCode: number) => ({ name, $metadata: { httpStatusCode } });

test("an object is there as it was put, whatever its name", async () => {
  const Key = "a/b c/+&<'\"é🦊=?#%41.json";
  const { ETag } = await put(Key, "one");
  expect(await get(Key)).toMatchObject({ text: "one", ContentLength: 3, ETag });
  expect(await s3.send(new HeadObjectCommand({ Bucket, Key }))).toMatchObject({ ContentLength: 3, ETag });
  const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket }));
  expect(Contents).toMatchObject([{ Key, Size: 3, ETag }]);
  expect(Contents?.[0]?.LastModified).toBeInstanceOf(Date);
});

test("a body may come as a stream, and be large", async () => {
  const large = Buffer.alloc(9_000_000, "0123456789");
  await put("large", large);
  expect(await get("large")).toMatchObject({ ContentLength: large.length, text: large.toString() });
  const Body = Readable.from([large.subarray(0, 100), large.subarray(100, 70_000)]);
  await s3.send(new PutObjectCommand({ Bucket, Key: "stream", Body, ContentLength: 70_000 }));
  expect((await get("stream")).text).toBe(large.toString("utf8", 0, 70_000));
});

test("a part of an object is had by its range, and only of the version that is meant", async () => {
  const { ETag } = await put("key", "0123456789");
  expect(await get("key", { Range: "bytes=2-4", IfMatch: ETag })).toMatchObject({
    text: "234",
    ContentRange: "bytes 2-4/10",
  });
  expect((await get("key", { Range: "bytes=7-" })).text).toBe("789");
  expect((await get("key", { Range: "bytes=-2" })).text).toBe("89");
  await expect(get("key", { Range: "bytes=10-" })).rejects.toMatchObject(refusal("InvalidRange", 416));
  await put("key", "another");
  await expect(get("key", { IfMatch: ETag })).rejects.toMatchObject(refusal("PreconditionFailed", 412));
});

test("what is not there is named", async () => {
  await expect(get("nothing")).rejects.toMatchObject(refusal("NoSuchKey", 404));
  await expect(s3.send(new HeadObjectCommand({ Bucket, Key: "nothing" }))).rejects.toMatchObject(
    refusal("NotFound", 404),
  );
  const list = s3.send(new ListObjectsV2Command({ Bucket: "nowhere" }));
  await expect(list).rejects.toMatchObject(refusal("NoSuchBucket", 404));
  await expect(s3.send(new HeadBucketCommand({ Bucket: "nowhere" }))).rejects.toMatchObject(refusal("NotFound", 404));
  await s3.send(new CreateBucketCommand({ Bucket: "nowhere" }));
  await s3.send(new HeadBucketCommand({ Bucket: "nowhere" }));
});

describe("a conditional write", () => {
  test("writes what is not there, once", async () => {
    const outcomes = await Promise.allSettled([1, 2, 3].map((n) => put("once", `${n}`, { IfNoneMatch: "*" })));
    expect(outcomes.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected", "rejected"]);
    await expect(put("once", "x", { IfNoneMatch: "*" })).rejects.toMatchObject(refusal("PreconditionFailed", 412));
  });

  test("writes over the version that is meant, and over no other", async () => {
    await expect(put("key", "x", { IfMatch: '"0"' })).rejects.toMatchObject(refusal("NoSuchKey", 404));
    const { ETag } = await put("key", "one");
    await put("key", "two", { IfMatch: ETag });
    await expect(put("key", "x", { IfMatch: ETag })).rejects.toMatchObject(refusal("PreconditionFailed", 412));
    expect((await get("key")).text).toBe("two");
  });

  test("can be made to conflict", async () => {
    const passage = await startPassage(service.url, () => s3Error(409, "ConditionalRequestConflict", "a conflict"));
    const client = clientOf(passage);
    const command = new PutObjectCommand({ Bucket, Key: "key", Body: "x", IfNoneMatch: "*" });
    await expect(client.send(command)).rejects.toMatchObject(refusal("ConditionalRequestConflict", 409));
    client.destroy();
    await passage.stop();
  });
});

test("objects are deleted up to 1,000 at a time, and one that is gone is deleted too", async () => {
  await put("a");
  const ask = (keys: string[], Quiet = false) =>
    s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: keys.map((Key) => ({ Key })), Quiet } }));
  expect((await ask(["a", "b&<"])).Deleted).toEqual([{ Key: "a" }, { Key: "b&<" }]);
  expect((await ask(["a"], true)).Deleted).toBeUndefined();
  const many = Array.from({ length: 1_001 }, (_, n) => `${n}`);
  await ask(many.slice(1));
  await expect(ask(many)).rejects.toMatchObject(refusal("MalformedXML", 400));
  await s3.send(new DeleteObjectCommand({ Bucket, Key: "a" }));
  expect((await s3.send(new ListObjectsV2Command({ Bucket }))).KeyCount).toBe(0);
});

test("a listing comes in pages of 1,000, in the order of its bytes", async () => {
  const keys = Array.from({ length: 1_001 }, (_, n) => `staged/${String(n).padStart(4, "0")}`);
  for (const key of [...keys, "other", "staged/~"]) await put(key);
  const first = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: "staged/" }));
  expect(first.Contents?.map(({ Key }) => Key)).toEqual(keys.slice(0, 1_000));
  expect(first.IsTruncated).toBe(true);
  const ContinuationToken = first.NextContinuationToken;
  const second = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: "staged/", ContinuationToken }));
  expect(second.Contents?.map(({ Key }) => Key)).toEqual([keys.at(-1), "staged/~"]);
  expect(second.IsTruncated).toBe(false);
  const few = await s3.send(new ListObjectsV2Command({ Bucket, MaxKeys: 1 }));
  expect(few.Contents?.map(({ Key }) => Key)).toEqual(["other"]);
});

test("the only version of an object is the object, and is deleted as one", async () => {
  const keys = Array.from({ length: 1_001 }, (_, n) => `staged/${String(n).padStart(4, "0")}`);
  for (const key of [...keys, "a&b"]) await put(key);
  const Prefix = "staged/";
  const first = await s3.send(new ListObjectVersionsCommand({ Bucket, Prefix }));
  expect(first).toMatchObject({ IsTruncated: true, NextKeyMarker: keys[999], NextVersionIdMarker: "null" });
  expect(first.Versions?.[0]).toMatchObject({ Key: keys[0], VersionId: "null", IsLatest: true, Size: 4 });
  expect(first.Versions?.[0]?.LastModified).toBeInstanceOf(Date);
  const { NextKeyMarker: KeyMarker, NextVersionIdMarker: VersionIdMarker } = first;
  const second = await s3.send(new ListObjectVersionsCommand({ Bucket, Prefix, KeyMarker, VersionIdMarker }));
  expect(second).toMatchObject({ IsTruncated: false, Versions: [{ Key: keys[1_000] }] });
  const Objects = [{ Key: "a&b", VersionId: "null" }];
  await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }));
  await expect(get("a&b")).rejects.toMatchObject(refusal("NoSuchKey", 404));
});

test("an object is copied, unless it is gone", async () => {
  await put("staged/a b", "rows");
  const copy = (from: string) =>
    s3.send(new CopyObjectCommand({ Bucket, CopySource: encodeURI(`${Bucket}/${from}`), Key: "rejected/a b" }));
  await copy("staged/a b");
  expect((await get("rejected/a b")).text).toBe("rows");
  await expect(copy("gone")).rejects.toMatchObject(refusal("NoSuchKey", 404));
});

test("what it does not do is no success", async () => {
  const unknown = [
    () => s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: "Enabled" } })),
    () => s3.send(new ListObjectVersionsCommand({ Bucket, Delimiter: "/" })),
    () => s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: "key", VersionId: "1" }] } })),
    () => s3.send(new ListObjectsV2Command({ Bucket, Delimiter: "/" })),
    () => put("key", "x", { IfNoneMatch: '"0"' }),
    () => put("key", "x", { ServerSideEncryption: "aws:kms" }),
    () => put("key", "x", { ContentEncoding: "gzip" }),
    () => get("key", { VersionId: "1" }),
  ];
  for (const call of unknown) await expect(call()).rejects.toMatchObject({ $metadata: { httpStatusCode: 501 } });
});

test("a call that is not signed is refused", async () => {
  expect((await fetch(`${service.url}/${Bucket}/key`)).status).toBe(403);
});
