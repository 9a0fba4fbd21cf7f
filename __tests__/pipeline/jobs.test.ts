import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { factsOf, type JobRequest, jobCancel, jobCursor, openMark, stopMark } from "../../contract/job";
import { operator } from "../../local/credentials";
import { type OnTheWay, startPassage } from "../../local/passage";
import { s3Error, startS3 } from "../../local/s3";
import type { StandIn } from "../../local/stand-in";
import { within } from "../../pipeline/clients";
import { Jobs } from "../../pipeline/jobs";

const bucket = "answers";
let service: StandIn;
let passage: StandIn;
let s3: S3Client;
let jobs: Jobs;
let hindrance: OnTheWay | undefined;

beforeEach(async () => {
  hindrance = undefined;
  service = await startS3({ buckets: [bucket] });
  passage = await startPassage(service.url, (request, forward) => hindrance?.(request, forward) ?? forward());
  s3 = new S3Client({ ...operator, endpoint: passage.url, maxAttempts: 1 });
  jobs = new Jobs(bucket, s3);
});
afterEach(async () => {
  s3.destroy();
  await passage.stop();
  await service.stop();
});

const until = within(3_600_000);
const put = (Key: string, Body: string | Buffer) => s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body }));
const key = factsOf("nightly").cancel;
const cancelledAt = new Date("2026-11-28T01:02:03.456Z");
const cursor = (next: number) => ({ v: 1, next, line: 1 });

const requestOf = (id: string): JobRequest => ({
  v: 1,
  id,
  fingerprint: "f",
  createdAt: new Date("2026-11-28T00:00:00Z"),
  deadline: new Date("2026-11-29T00:00:00Z"),
  input: { key: "inputs/rows.csv", etag: '"e"', bytes: 7 },
  settings: { format: "csv", columns: {}, deadlineSeconds: 86_400, result: "ndjson" },
});

/** Answers the first calls with this. */
const firstCalls = (count: number, status: number, code: string) => {
  let calls = 0;
  hindrance = (_, forward) => (calls++ < count ? s3Error(status, code, "for once") : forward());
};

test("a fact is read as it was written, and what is not there is nothing", async () => {
  expect(await jobs.read(key, jobCancel, until)).toBeUndefined();
  expect(await jobs.create(key, { v: 1, cancelledAt }, until)).toBe(true);
  const read = await jobs.read(key, jobCancel, until);
  expect(read).toEqual({ value: { v: 1, cancelledAt }, etag: expect.stringMatching(/^".+"$/) });
});

test("of a hundred that create a fact at once, one does", async () => {
  const created = await Promise.all(Array.from({ length: 100 }, (_, n) => jobs.create(key, cursor(n + 1), until)));
  const [winner = -1, ...others] = created.flatMap((is, n) => (is ? [n] : []));
  expect(others).toEqual([]);
  expect((await jobs.read(key, jobCursor, until))?.value.next).toBe(winner + 1);
});

test("of a hundred that replace what they read, one does, and what it gets lets it go on", async () => {
  const first = await jobs.replace(key, cursor(1), undefined, until);
  expect(first).toBeDefined();
  expect(await jobs.replace(key, cursor(1), undefined, until)).toBeUndefined();
  const tags = await Promise.all(Array.from({ length: 100 }, (_, n) => jobs.replace(key, cursor(n + 2), first, until)));
  const [second, ...others] = tags.filter((tag) => tag !== undefined);
  expect(others).toEqual([]);
  expect(await jobs.replace(key, cursor(1_000), second, until)).toBeDefined();
});

test("what is gone is not replaced", async () => {
  expect(await jobs.replace(key, cursor(2), '"0"', until)).toBeUndefined();
});

test("a creation that conflicts with another is tried again, and a replacement is given back", async () => {
  firstCalls(3, 409, "ConditionalRequestConflict");
  expect(await jobs.create(key, cursor(1), until)).toBe(true);
  const etag = (await jobs.read(key, jobCursor, until))?.etag;
  firstCalls(1, 409, "ConditionalRequestConflict");
  expect(await jobs.replace(key, cursor(2), etag, until)).toBeUndefined();
  expect(await jobs.replace(key, cursor(2), etag, until)).toBeDefined();
});

test("a creation that conflicts for ever ends with its time", async () => {
  firstCalls(Number.POSITIVE_INFINITY, 409, "ConditionalRequestConflict");
  await expect(jobs.create(key, cursor(1), within(200))).rejects.toMatchObject({ name: "AbortError" });
});

test.each([
  ["forbidden", 403, "AccessDenied"],
  ["of no bucket", 404, "NoSuchBucket"],
])("a call that is %s is an error, and nothing that is not there", async (_, status, code) => {
  firstCalls(Number.POSITIVE_INFINITY, status, code);
  await expect(jobs.read(key, jobCancel, until)).rejects.toMatchObject({ name: code });
  await expect(jobs.create(key, {}, until)).rejects.toMatchObject({ name: code });
  await expect(jobs.replace(key, {}, '"0"', until)).rejects.toMatchObject({ name: code });
});

test.each([
  ["no JSON", "{oops"],
  ["blank", " "],
  ["another thing", '{"v":2,"cancelledAt":"yesterday"}'],
  ["in another encoding", Buffer.from([0xff, 0xfe, 0x7b])],
])("a fact that is %s is an error that names its key", async (_, body) => {
  await put(key, body);
  await expect(jobs.read(key, jobCancel, until)).rejects.toThrow(
    "s3://answers/jobs/nightly/cancel.json is not as it was written: ",
  );
});

test("a fact is not read beyond what one may have", async () => {
  await put(key, `{"v":1,"cancelledAt":"2026-11-28T01:02:03Z"}${" ".repeat(2_000_000)}`);
  await expect(jobs.read(key, jobCancel, until)).rejects.toThrow(
    "s3://answers/jobs/nightly/cancel.json must be at most 2,000,000 bytes",
  );
  expect(await jobs.create("jobs/other/cancel.json", {}, until)).toBe(true);
});

test("the facts of a job are those that are there, and without a request it is none", async () => {
  await put(key, JSON.stringify({ v: 1, cancelledAt }));
  expect(await jobs.facts("nightly", until)).toBeUndefined();
  const request = requestOf("nightly");
  await jobs.create(factsOf("nightly").request, request, until);
  expect(await jobs.facts("nightly", until)).toEqual({ request, cancel: { v: 1, cancelledAt } });
});

test("an input is known by its tag and size, and the same rows are the same input", async () => {
  expect(await jobs.input("inputs/rows", until)).toBeUndefined();
  const written = await jobs.writeInput("inputs/rows", "é\n", until);
  expect(written).toMatchObject({ key: "inputs/rows", bytes: 3 });
  expect(await jobs.input("inputs/rows", until)).toEqual(written);
  expect(await jobs.writeInput("inputs/rows", "é\n", until)).toEqual(written);
});

test("an input that many write at once is written once, and again only where S3 is about to delete it", async () => {
  let days = 30;
  let written = 0;
  hindrance = async ({ method }, forward) => {
    const answer = await forward();
    if (method === "PUT" && answer.status === 200) written++;
    const expiry = `expiry-date="${new Date(Date.now() + 86_400_000 * days).toUTCString()}", rule-id="inputs"`;
    return method === "HEAD" ? { ...answer, headers: { ...answer.headers, "x-amz-expiration": expiry } } : answer;
  };
  await Promise.all(Array.from({ length: 20 }, () => jobs.writeInput("inputs/rows", "é\n", until)));
  expect(written).toBe(1);
  days = 13;
  await jobs.writeInput("inputs/rows", "é\n", until);
  expect(written).toBe(2);
});

test("the open jobs are those that have marks, whatever else lies beside them", async () => {
  expect(await jobs.open(until)).toEqual(new Map());
  for (const one of [openMark("a"), openMark("b"), stopMark("b"), stopMark("c"), stopMark("c")]) {
    await jobs.mark(one, until);
  }
  for (const other of ["open/a/other", "open/.x/job", "open/job", "open/a/b/job"]) await put(other, "other");
  const since = expect.any(Date);
  expect(await jobs.open(until)).toEqual(
    new Map([
      ["a", { since, isOpen: true, stopped: false }],
      ["b", { since, isOpen: true, stopped: true, stoppedAt: since }],
      ["c", { since, isOpen: false, stopped: true, stoppedAt: since }],
    ]),
  );
});

describe("the newest jobs", () => {
  /** Lists these keys, each with its time, a page a call. */
  const listing = (...pages: (readonly (readonly [key: string, time: string])[])[]) => {
    hindrance = ({ url }, forward) => {
      if (!url.searchParams.has("list-type")) return forward();
      const place = Number(url.searchParams.get("continuation-token") ?? 0);
      const contents = (pages[place] ?? []).map(
        ([key, time]) => `<Contents><Key>${key}</Key><LastModified>${time}</LastModified></Contents>`,
      );
      const more = place + 1 < pages.length;
      const next = more ? `<NextContinuationToken>${place + 1}</NextContinuationToken>` : "";
      const body = `<ListBucketResult><IsTruncated>${more}</IsTruncated>${contents.join("")}${next}</ListBucketResult>`;
      return { status: 200, headers: { "content-type": "application/xml" }, body };
    };
  };
  const at = (day: number) => `2026-11-${day}T00:00:00.000Z`;

  test("come by the time of their request, page after page, each once", async () => {
    listing(
      [
        ["jobs/a/cancel.json", at(30)],
        ["jobs/a/request.json", at(11)],
        ["jobs/b/counts.json", at(30)],
        ["jobs/b/request.json", at(13)],
      ],
      [
        ["jobs/c/request.json", at(12)],
        ["jobs/d/request.json", at(12)],
        ["jobs/ e/request.json", at(14)],
        ["jobs/f/other.json", at(14)],
        ["jobs/g/h/request.json", at(14)],
      ],
    );
    const first = await jobs.newest(2, undefined, until);
    expect(first).toEqual([
      { id: "b", at: new Date(at(13)) },
      { id: "c", at: new Date(at(12)) },
    ]);
    expect((await jobs.newest(2, first.at(-1), until)).map(({ id }) => id)).toEqual(["d", "a"]);
    expect(await jobs.newest(2, { id: "a", at: new Date(at(11)) }, until)).toEqual([]);
  });

  test("are read with all their facts, a few at a time", async () => {
    const ids = Array.from({ length: 50 }, (_, n) => `job-${n}`);
    for (const id of ids) await jobs.create(factsOf(id).request, requestOf(id), until);
    let now = 0;
    let most = 0;
    hindrance = async (_, forward) => {
      most = Math.max(most, ++now);
      const answer = await forward();
      now--;
      return answer;
    };
    const found = await jobs.factsOfAll([...ids, "none"], until);
    expect(found.map((facts) => (facts instanceof Error ? facts : facts?.request.id))).toEqual([...ids, undefined]);
    expect(most).toBeLessThanOrEqual(48);
  });
});
