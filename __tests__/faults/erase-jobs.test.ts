import { createHash } from "node:crypto";
import { gunzipSync, gzipSync } from "node:zlib";
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { factsOf, type JobManifest, type JobRequest, jobManifest, openMark } from "../../contract/job";
import type { ResultRow } from "../../contract/job-result";
import { operator } from "../../local/credentials";
import { type OnTheWay, startPassage } from "../../local/passage";
import { startS3 } from "../../local/s3";
import type { StandIn } from "../../local/stand-in";
import { within } from "../../pipeline/clients";
import { filesOfJobs } from "../../pipeline/erase-jobs";
import { partEndings, partsOf } from "../../pipeline/job-result";
import { Jobs } from "../../pipeline/jobs";
import { contract } from "../setup/contract";

const Bucket = "answers";
const until = within(3_600_000);

let s3Service: StandIn;
let passage: StandIn;
let s3: S3Client;
let erasing: S3Client;
/** What happens to the calls of what erases. */
let onTheWay: OnTheWay | undefined;
beforeEach(async () => {
  onTheWay = undefined;
  s3Service = await startS3({ buckets: [Bucket] });
  passage = await startPassage(s3Service.url, (request, forward) => onTheWay?.(request, forward) ?? forward());
  s3 = new S3Client({ ...operator, endpoint: s3Service.url });
  erasing = new S3Client({ ...operator, endpoint: passage.url, maxAttempts: 1 });
});
afterEach(async () => {
  erasing.destroy();
  s3.destroy();
  await passage.stop();
  await s3Service.stop();
});

const put = async (Key: string, body: string | Uint8Array) => {
  const { ETag: etag = "" } = await s3.send(new PutObjectCommand({ Bucket, Key, Body: Buffer.from(body) }));
  return etag;
};
const bytesOf = async (Key: string) => {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
  return Buffer.from((await Body?.transformToByteArray()) ?? "");
};
const textOf = async (key: string) => {
  const bytes = await bytesOf(key);
  return (key.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString();
};
const keysBelow = async (Prefix: string) => {
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket, Prefix }));
  return Contents.map(({ Key }) => Key ?? "");
};

const walk = (isTaken: boolean) =>
  filesOfJobs({
    id: "7",
    bucket: Bucket,
    s3: erasing,
    jobs: new Jobs(Bucket, erasing),
    idColumn: "id",
    keepDays: 30,
  }).walk(isTaken, until);
const ofInputs = (count: number) => ({ what: "rows of inputs of jobs", count });
const ofResults = (count: number) => ({ what: "rows of results of jobs", count });

/** Writes the request of a job of an input. */
const ask = async (id: string, key: string, settings: Partial<JobRequest["settings"]> = {}) => {
  const input = { key, etag: "", bytes: 1 };
  const request: JobRequest = {
    v: 1,
    id,
    fingerprint: "",
    createdAt: new Date(),
    deadline: new Date(),
    input,
    settings: { format: "csv", columns: {}, deadlineSeconds: 60, result: "ndjson", ...settings },
  };
  await put(factsOf(id).request, JSON.stringify(request));
};

describe("an input", () => {
  const csv = 'id,seq_0,seq_1\n7,"a,\n""b",c\n70,x,y\n7 ,x,y\n7,last,row';
  const left = "id,seq_0,seq_1\n70,x,y\n7 ,x,y\n";

  test.each([
    ["CSV", "inputs/a.csv", csv, left],
    ["CSV that is compressed", "inputs/a.csv.gz", csv, left],
    [
      "CSV that says its delimiter",
      "inputs/a.csv",
      "\uFEFFsep=;\r\nseq_0;id\r\nx,y;7\r\nz;8\r\n",
      "\uFEFFsep=;\r\nseq_0;id\r\nz;8\r\n",
    ],
    [
      "NDJSON",
      "inputs/a.ndjson",
      '{"id":"7","features":{}}\n{"features":{"id":"7"},"id":"8"}\n',
      '{"features":{"id":"7"},"id":"8"}\n',
    ],
    ["NDJSON that is compressed", "inputs/a.ndjson.gz", '{ "id" : "\\u0037" }\n\n{"id":"8"}', '\n{"id":"8"}\n'],
  ])("that is %s loses the rows of one id, under the same key", async (_, key, text, expected) => {
    await put(key, key.endsWith(".gz") ? gzipSync(text) : text);
    const rows = (await walk(false)).counts;
    expect(await textOf(key)).toBe(text);
    expect(await walk(true)).toEqual({ counts: rows, inTheWay: [] });
    expect(rows).toEqual([ofInputs(text === csv ? 2 : 1)]);
    expect(await textOf(key)).toBe(expected);
    expect(await walk(true)).toEqual({ counts: [], inTheWay: [] });
  });

  test("whose job calls the id's column otherwise is read as that job does", async () => {
    await put("inputs/people", "person,id\n7,1\n8,7\n");
    await ask("nightly", "inputs/people", { columns: { id: "person" } });
    expect((await walk(true)).counts).toEqual([ofInputs(1)]);
    expect(await textOf("inputs/people")).toBe("person,id\n8,7\n");
  });

  test("of a job that has not ended stays until it has, and is named", async () => {
    await put("inputs/a.csv", csv);
    await ask("nightly", "inputs/a.csv");
    await new Jobs(Bucket, s3).mark(openMark("nightly"), until);
    expect(await walk(true)).toEqual({
      counts: [],
      inTheWay: [expect.stringMatching(/^The job nightly has not ended, and needs its input/)],
    });
    expect(await textOf("inputs/a.csv")).toBe(csv);
    await s3.send(new DeleteObjectCommand({ Bucket, Key: openMark("nightly") }));
    expect(await walk(true)).toEqual({ counts: [ofInputs(2)], inTheWay: [] });
  });

  test("that is written over meanwhile is left as it is then, and named", async () => {
    await put("inputs/a.csv", csv);
    onTheWay = async ({ method }, forward) => {
      if (method === "PUT") await put("inputs/a.csv", "id\n9\n");
      return forward();
    };
    expect(await walk(true)).toEqual({
      counts: [],
      inTheWay: [`s3://${Bucket}/inputs/a.csv has changed meanwhile: run this again.`],
    });
    expect(await textOf("inputs/a.csv")).toBe("id\n9\n");
  });

  describe("that is written anew in parts, for it is larger than one", () => {
    const others = Array.from({ length: 20_000 }, (_, place) => `${place + 100},${"x".repeat(1_000)}\n`);
    const rows = (...erased: string[]) =>
      ["id,text\n", ...others.slice(0, 17_000), ...erased, ...others.slice(17_000)].join("");
    const large = rows("7,erased\n");
    const key = "inputs/large.csv";
    const xml = (name: string, text: string) => ({
      status: 200,
      headers: { "content-type": "application/xml" },
      body: Buffer.from(`<${name}>${text}</${name}>`),
    });
    let parts: Map<string, Buffer>;
    let isAborted: boolean;
    let atPart: (number: string) => Promise<unknown> | undefined;
    beforeEach(async () => {
      parts = new Map();
      isAborted = false;
      atPart = () => undefined;
      await put(key, large);
      // The stand-in for S3 has no uploads in parts. As in S3, If-Match is looked at when the upload is completed:
      // https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
      onTheWay = async ({ method, url, headers, body }, forward) => {
        const number = url.searchParams.get("partNumber");
        if (method === "POST" && url.searchParams.has("uploads")) {
          return xml("InitiateMultipartUploadResult", "<UploadId>1</UploadId>");
        }
        if (number !== null) {
          await atPart(number);
          parts.set(number, body);
          return { status: 200, headers: { etag: `"${number}"` }, body: Buffer.from("") };
        }
        if (method === "DELETE" && url.searchParams.has("uploadId")) isAborted = true;
        else if (method === "POST" && url.searchParams.has("uploadId")) {
          const { ETag } = await s3.send(new HeadObjectCommand({ Bucket, Key: key }));
          if (headers["if-match"] !== ETag) {
            return { ...xml("Error", "<Code>PreconditionFailed</Code>"), status: 412 };
          }
          await put(key, Buffer.concat(["1", "2"].map((one) => parts.get(one) ?? Buffer.from(""))));
          return xml("CompleteMultipartUploadResult", "<ETag>2</ETag>");
        } else return forward();
        return { status: 204, headers: {}, body: Buffer.from("") };
      };
    });

    test("loses the rows of one id, and nothing else", async () => {
      expect(await walk(true)).toEqual({ counts: [ofInputs(1)], inTheWay: [] });
      expect([...parts.keys()].sort()).toEqual(["1", "2"]);
      expect((await textOf(key)) === rows()).toBe(true); // of 20 MB no difference is printed
    });

    test("is left as it is, and named, where it is written over before the last part is there", async () => {
      atPart = (number) => (number === "2" ? put(key, "id\n9\n") : undefined);
      expect(await walk(true)).toEqual({
        counts: [],
        inTheWay: [`s3://${Bucket}/${key} has changed meanwhile: run this again.`],
      });
      expect([await textOf(key), isAborted]).toEqual(["id\n9\n", true]);
    });

    test("stays whole where a part is refused, and its parts are given up", async () => {
      atPart = (number) => (number === "2" ? Promise.reject(new Error("no way")) : undefined);
      await expect(walk(true)).rejects.toThrow();
      expect([(await textOf(key)) === large, isAborted]).toEqual([true, true]);
    });
  });

  test.each([
    ["a header without an id", "inputs/a.csv", "name\n7\n", "the header has no column id"],
    ["a quote that is never closed", "inputs/a.csv", 'id,x\n7,"a\n', "is never closed"],
    ["a line that is no JSON", "inputs/a.ndjson", '{"id":"7"}\n{"secret\n', "line 2 is no JSON"],
    ["another content than gzip", "inputs/a.csv.gz", "id\n7\n", "incorrect header check"],
  ])("with %s stays, and is named without its content", async (_, key, text, why) => {
    await put(key, text);
    const { counts, inTheWay } = await walk(true);
    expect({ counts, inTheWay }).toEqual({ counts: [], inTheWay: [expect.stringContaining(why)] });
    expect(inTheWay[0]).toContain(`s3://${Bucket}/${key} cannot be read (`);
    expect(inTheWay[0]).not.toContain("secret");
    expect(await textOf(key).catch(() => text)).toBe(text);
  });
});

describe("a result", () => {
  async function* rowsFor(ids: readonly string[]) {
    for (const [place, id] of ids.entries()) {
      const fate = { output: "yes", values: [], modelRelease: "2026-01", predictedAt: new Date(0) };
      const row: ResultRow = { row: place + 1, id, features: '{"seq_0":"a \\"b\\", c","seq_1":"d"}', fate };
      yield row;
    }
  }
  /** Writes the result of a job with a row for each of these, two a part. @returns its manifest */
  const finish = async (id: string, format: "ndjson" | "csv", ids: readonly string[]) => {
    const shape = { format, contract: { ...contract, outputs: [] }, carriesFeatures: true };
    const parts: JobManifest["parts"] = [];
    for await (const { body, rows, bytes, sha256 } of partsOf(rowsFor(ids), shape, { rows: 2, bytes: 1e6 })) {
      const key = `results/${id}/01923f8e-0000-7000-8000-000000000000/part-${parts.length + 1}${partEndings[format]}`;
      await put(key, body);
      parts.push({ key, rows, bytes, sha256 });
    }
    const tally = { answered: ids.length, failed: 0, expired: 0, cancelled: 0, lost: 0, releases: [] };
    const times = { asOf: new Date(), endedAt: new Date() };
    const manifest: JobManifest = {
      v: 1,
      id,
      outcome: "completed",
      format,
      rows: ids.length,
      ...tally,
      parts,
      contract: "",
      ...times,
    };
    await put(factsOf(id).manifest, JSON.stringify(manifest));
    return manifest;
  };
  const read = async (id: string) => jobManifest.parse(JSON.parse(await textOf(factsOf(id).manifest)));
  /** What the parts of a manifest say is what they are. */
  const check = async ({ parts }: JobManifest) => {
    for (const { key, bytes, sha256 } of parts) {
      const body = await bytesOf(key);
      expect({ key, bytes: body.length, sha256: createHash("sha256").update(body).digest("hex") }).toEqual({
        key,
        bytes,
        sha256,
      });
    }
  };

  test.each(["ndjson", "csv"] as const)("in %s loses the rows of one id, and its manifest says so", async (format) => {
    const before = await finish("nightly", format, ["7", "8", "9", "10", "7"]);
    const untouched = before.parts[1];
    const rest = await finish("other", format, ["8", "9", "10"]);
    expect((await walk(false)).counts).toEqual([ofResults(2)]);
    expect(await walk(true)).toEqual({ counts: [ofResults(2)], inTheWay: [] });

    const after = await read("nightly");
    await check(after);
    expect(after.parts.map(({ rows }) => rows)).toEqual([1, 2, 0]);
    expect(after.parts[1]).toEqual(untouched);
    expect(after).toEqual({ ...before, parts: after.parts, erased: [{ at: expect.any(Date), rows: 2 }] });
    expect((await keysBelow("results/nightly/")).sort()).toEqual(
      [factsOf("nightly").manifest, ...after.parts.map(({ key }) => key)].sort(),
    );
    const texts = await Promise.all(after.parts.map(({ key }) => textOf(key)));
    const whole = await Promise.all(rest.parts.map(({ key }) => textOf(key)));
    const line = (text: string, id: string) =>
      text.split("\n").find((line) => line.includes(format === "csv" ? `,${id},` : `"id":"${id}"`));
    expect(line(texts[0] ?? "", "8")).toBe(line(whole[0] ?? "", "8")?.replace(/1/, "2"));
    expect(texts.join("")).not.toMatch(format === "csv" ? /^\d+,7,/m : /"id":"7"/);
    expect(await walk(true)).toEqual({ counts: [], inTheWay: [] });
    expect((await read("nightly")).erased).toHaveLength(1);
  });

  test("is whole, with a manifest that is right, where it is cut off before the manifest is written", async () => {
    const before = await finish("nightly", "ndjson", ["7", "8"]);
    onTheWay = ({ method, url }, forward) => {
      if (method === "PUT" && url.pathname.endsWith("manifest.json")) throw new Error("cut off");
      return forward();
    };
    await expect(walk(true)).rejects.toThrow();
    expect(await read("nightly")).toEqual(before);
    await check(before);
    onTheWay = undefined;
    expect((await walk(true)).counts).toEqual([ofResults(1)]);
    await check(await read("nightly"));
    expect((await walk(true)).counts).toEqual([]);
  });

  test("that was cut off before the old parts were deleted loses those the next time", async () => {
    const before = await finish("nightly", "ndjson", ["7", "8"]);
    onTheWay = ({ method, url }, forward) => {
      if (method === "POST" && url.searchParams.has("delete")) throw new Error("cut off");
      return forward();
    };
    await expect(walk(true)).rejects.toThrow();
    onTheWay = undefined;
    expect(await keysBelow("results/nightly/")).toContain(before.parts[0]?.key);
    expect((await walk(true)).counts).toEqual([ofResults(1)]);
    expect(await keysBelow("results/nightly/")).not.toContain(before.parts[0]?.key);
    expect((await read("nightly")).erased).toHaveLength(1);
    await check(await read("nightly"));
  });

  test("in Parquet, and one of a job that has not ended, stay and are named", async () => {
    await put("results/columns/01923f8e-0000-7000-8000-000000000000/part-1.parquet", "PAR1");
    const before = await finish("nightly", "ndjson", ["7"]);
    await new Jobs(Bucket, s3).mark(openMark("nightly"), until);
    const { counts, inTheWay } = await walk(true);
    expect(counts).toEqual([]);
    expect(inTheWay).toEqual([
      expect.stringMatching(/^The result of the job columns is Parquet, and is not looked into\. It lapses on \d{4}-/),
      expect.stringMatching(/^The job nightly has not ended, and needs its result/),
    ]);
    expect(await read("nightly")).toEqual(before);
  });
});
