import { Claim, Lost } from "../../pipeline/claim";
import { within } from "../../pipeline/clients";

interface Place {
  readonly rows: number;
  readonly claimedUntil?: Date;
}

/** A bucket of one object, which is written by its tag as S3 writes it. */
class Bucket {
  value?: Place;
  etag?: string;
  isDown = false;
  writings = 0;

  readonly replace = async (_key: string, value: unknown, etag: string | undefined) => {
    if (this.isDown) throw new Error("ServiceUnavailable");
    if (etag !== this.etag) return undefined;
    this.value = value as Place;
    this.etag = String(++this.writings);
    return this.etag;
  };

  take() {
    const { value, etag } = this;
    const found = value && etag ? { value, etag } : undefined;
    return Claim.take<Place>(this, "jobs/nightly/merge.json", found, { rows: 0 }, within(3_600_000));
  }
}

const until = within(3_600_000);
const seconds = (count: number) => jest.advanceTimersByTimeAsync(1_000 * count);

let bucket: Bucket;
let claim: Claim<Place>;
beforeEach(async () => {
  jest.useFakeTimers();
  bucket = new Bucket();
  claim = (await bucket.take()) ?? fail("it was free");
});
afterEach(async () => {
  bucket.isDown = false;
  await claim.release(until);
  jest.useRealTimers();
});

const fail = (why: string): never => {
  throw new Error(why);
};

test("what is claimed is another's a minute after its holder was killed", async () => {
  await seconds(59);
  await expect(bucket.take()).resolves.toBeUndefined();
  await seconds(2);
  await expect(bucket.take()).resolves.toBeDefined();
});

test("what is kept stays its holder's for as long as that takes", async () => {
  claim.keep(until);
  await seconds(600);
  await expect(bucket.take()).resolves.toBeUndefined();
});

test("a renewal and a writing at once lose nothing", async () => {
  claim.keep(until);
  for (let rows = 1; rows <= 10; rows++) {
    await Promise.all([claim.move({ rows }, until), seconds(20)]);
    expect(bucket.value?.rows).toBe(rows);
  }
  await claim.release(until);
  expect(bucket.value).toEqual({ rows: 10 });
});

test("a renewal that S3 does not take is made good by the next", async () => {
  claim.keep(until);
  bucket.isDown = true;
  await seconds(30);
  bucket.isDown = false;
  await seconds(45);
  await expect(bucket.take()).resolves.toBeUndefined();
});

test("after it was another's, it writes nothing more", async () => {
  claim.keep(until);
  bucket.isDown = true;
  await seconds(70);
  bucket.isDown = false;
  const other = await bucket.take();
  await seconds(60);
  await expect(claim.move({ rows: 5 }, until)).rejects.toThrow(Lost);
  await other?.move({ rows: 7 }, until);
  await claim.release(until);
  expect(bucket.value?.rows).toBe(7);
});

test("what is released is anyone's at once, and is renewed no more", async () => {
  claim.keep(until);
  await claim.release(until);
  const { writings } = bucket;
  await seconds(120);
  expect(bucket.writings).toBe(writings);
  await expect(bucket.take()).resolves.toBeDefined();
});
