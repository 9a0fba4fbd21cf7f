import { createHash } from "node:crypto";
import { pipeline as connected, Readable } from "node:stream";
import { createGunzip, createGzip } from "node:zlib";
import { GetObjectCommand } from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import * as z from "zod";
import { factsOf, type JobFacts, type JobManifest, jobFolders, jobManifest } from "../contract/job";
import type { Until } from "./clients";
import { InvalidCsv } from "./csv";
import { countsOf, type ErasureProps, type Found, nameOf, ofOpenJob, openJobs, type Place } from "./erase";
import { newId } from "./ids";
import { InvalidFact, type Jobs } from "./jobs";
import { type Erased, type RowFormat, UnreadableRows, withoutInput } from "./row-eraser";
import { deleteObjects, objectsBelow } from "./s3";

export interface JobFilesProps extends Pick<ErasureProps, "id" | "bucket" | "s3"> {
  readonly jobs: Pick<Jobs, "open" | "input" | "newest" | "factsOfAll" | "read" | "replace">;
  /** What the column of the id is called in inputs that are CSV, where their job says nothing else. */
  readonly idColumn: string;
  /** How long results are kept, in days. */
  readonly keepDays: number;
}

/**
 * The inputs and the results of jobs. A part of a result is written anew under another key, and its manifest says so: whatever
 * is cut off in between, the manifest is right, and the next walk goes on.
 */
export const filesOfJobs = (props: JobFilesProps): Place => ({
  name: "inputs and results of jobs",
  walk: (isTaken, until) => new JobFiles(props, isTaken, until).walk(),
});

const failureSchema = z.object({ code: z.string().optional(), message: z.string() });
const bodySchema = z.instanceof(Readable);

/** An object was written over, or deleted, since it was looked at. */
class Changed extends Error {
  override readonly name = "Changed";
}

/** A part of a result that has rows of the input. */
interface FoundPart {
  readonly key: string;
  readonly rows: number;
  readonly etag: string;
  readonly how: RowFormat;
}

/** One walk through the files of jobs. */
class JobFiles {
  private readonly counts = { "rows of inputs of jobs": 0, "rows of results of jobs": 0 };
  private readonly inTheWay: string[] = [];

  constructor(
    private readonly props: JobFilesProps,
    private readonly isTaken: boolean,
    private readonly until: Until,
  ) {}

  async walk(): Promise<Found> {
    const { jobs } = this.props;
    const open = await openJobs(jobs, this.until);
    const all = await jobs.newest(Number.POSITIVE_INFINITY, undefined, this.until);
    const ids = all.map(({ id }) => id);
    const known = (await jobs.factsOfAll(ids, this.until)).flatMap((facts) => {
      if (!(facts instanceof InvalidFact)) return facts ?? [];
      this.inTheWay.push(facts.message);
      return [];
    });
    await this.inputs(known, open);
    await this.results(open);
    return { counts: countsOf(this.counts), inTheWay: this.inTheWay };
  }

  private async inputs(known: readonly JobFacts[], open: ReadonlySet<string>): Promise<void> {
    const { bucket, s3, idColumn } = this.props;
    for await (const { key } of objectsBelow(s3, bucket, jobFolders.inputs, this.until)) {
      const requests = known.flatMap(({ request }) => (request.input.key === key ? [request] : []));
      const [, ending] = /\.(csv|ndjson|jsonl)(?:\.gz)?$/.exec(key) ?? [];
      const format = requests[0]?.settings.format ?? (ending === undefined || ending === "csv" ? "csv" : "ndjson");
      const idColumns = [...requests.flatMap(({ settings }) => settings.columns[idColumn] ?? []), idColumn];
      await this.guarded(key, async () => {
        const how = { format, idColumns };
        const { rows, etag } = await this.look(key, how);
        if (rows === 0) return;
        const needed = requests.filter((request) => open.has(request.id));
        for (const { id } of needed) this.inTheWay.push(ofOpenJob(id, "its input"));
        if (needed.length > 0) return;
        if (this.isTaken) await this.rewrite({ key, etag }, key, how);
        this.counts["rows of inputs of jobs"] += rows;
      });
    }
  }

  private async results(open: ReadonlySet<string>): Promise<void> {
    const { bucket, s3, keepDays } = this.props;
    const parts = new Map<string, FoundPart[]>();
    const parquet = new Map<string, Date>();
    for await (const { key, writtenAt } of objectsBelow(s3, bucket, jobFolders.results, this.until)) {
      const [, job = ""] = key.split("/");
      if (key === factsOf(job).manifest) continue;
      if (key.endsWith(".parquet")) parquet.set(job, writtenAt);
      else {
        await this.guarded(key, async () => {
          const how = { format: key.includes(".csv") ? "csv" : "ndjson", idColumns: ["id"], delimiter: "," } as const;
          const { rows, etag } = await this.look(key, how);
          if (rows > 0) parts.set(job, [...(parts.get(job) ?? []), { key, rows, etag, how }]);
        });
      }
    }
    for (const [job, writtenAt] of parquet) {
      const lapses = new Date(writtenAt.getTime() + (keepDays + 1) * 86_400_000).toISOString().slice(0, 10);
      const url = `s3://${bucket}/${jobFolders.results}${job}/`;
      this.inTheWay.push(
        `The result of the job ${job} is Parquet, and is not looked into. It lapses on ${lapses}; to be sure, delete ${url}.`,
      );
    }
    for (const [job, found] of parts) {
      if (open.has(job)) this.inTheWay.push(ofOpenJob(job, "its result"));
      else await this.guarded(factsOf(job).manifest, () => this.eraseIn(job, found));
    }
  }

  /** Takes rows out of the parts of a result. Parts that no manifest names, of a run that was cut off, are deleted whole. */
  private async eraseIn(job: string, found: readonly FoundPart[]): Promise<void> {
    const { bucket, s3, jobs } = this.props;
    if (this.isTaken) {
      const key = factsOf(job).manifest;
      const fact = await jobs.read(key, jobManifest, this.until);
      const named = found.filter((one) => fact?.value.parts.some((part) => part.key === one.key));
      const folder = `${jobFolders.results}${job}/${newId()}/`;
      const written = new Map<string, JobManifest["parts"][number]>();
      for (const part of named) {
        written.set(part.key, await this.rewrite(part, `${folder}${part.key.split("/").at(-1)}`, part.how));
      }
      if (fact && named.length > 0) {
        const parts = fact.value.parts.map((part) => written.get(part.key) ?? part);
        const rows = named.reduce((sum, part) => sum + part.rows, 0);
        const erased = [...(fact.value.erased ?? []), { at: new Date(), rows }];
        const next = { ...fact.value, parts, erased };
        if ((await jobs.replace(key, next, fact.etag, this.until)) === undefined) throw new Changed();
      }
      const old = found.map(({ key: Key }) => ({ Key }));
      await deleteObjects(s3, bucket, old, this.until);
    }
    this.counts["rows of results of jobs"] += found.reduce((sum, part) => sum + part.rows, 0);
  }

  /** Does something about an object. One that cannot be read, or has changed, is in the way, and keeps no other. */
  private async guarded(key: string, work: () => Promise<void>): Promise<void> {
    const url = `s3://${this.props.bucket}/${key}`;
    try {
      await work();
    } catch (error) {
      const { code, message: why = "" } = failureSchema.safeParse(error).data ?? {};
      if (error instanceof InvalidCsv || error instanceof UnreadableRows || code?.startsWith("Z_")) {
        this.inTheWay.push(`${url} cannot be read (${why}): delete it if it is of no use.`);
      } else if (error instanceof Changed || ["NoSuchKey", "PreconditionFailed"].includes(nameOf(error))) {
        this.inTheWay.push(`${url} has changed meanwhile: run this again.`);
      } else throw error;
    }
  }

  /** How many rows of the input an object has. */
  private async look(key: string, how: RowFormat): Promise<Erased & { etag: string }> {
    const erased = { rows: 0, all: 0 };
    const { body, etag } = await this.get(key);
    for await (const _ of withoutInput(unzipped(key, body), this.props.id, how, erased));
    return { ...erased, etag };
  }

  private async get(key: string, etag?: string): Promise<{ body: Readable; etag: string }> {
    const { bucket: Bucket, s3 } = this.props;
    const command = new GetObjectCommand({ Bucket, Key: key, IfMatch: etag });
    const { Body, ETag = "" } = await s3.send(command, { abortSignal: this.until.signal });
    return { body: bodySchema.parse(Body), etag: ETag };
  }

  /** Writes an object without the input's rows: under another key, or over the one that was looked at. */
  private async rewrite(from: { readonly key: string; readonly etag: string }, to: string, how: RowFormat) {
    const { id, bucket: Bucket, s3: client } = this.props;
    const erased: Erased = { rows: 0, all: 0 };
    const { body } = await this.get(from.key, from.etag);
    const left = Readable.from(withoutInput(unzipped(from.key, body), id, how, erased));
    const hash = createHash("sha256");
    let bytes = 0;
    async function* counted(chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        hash.update(chunk);
        bytes += chunk.length;
        yield chunk;
      }
    }
    const zipped = from.key.endsWith(".gz") ? connected(left, createGzip(), () => {}) : left;
    const Body = Readable.from(counted(zipped));
    const params = { Bucket, Key: to, Body, ...(to === from.key && { IfMatch: from.etag }) };
    const upload = new Upload({ client, params, partSize: 16 * 1024 * 1024 });
    const abort = () => void upload.abort();
    this.until.signal.addEventListener("abort", abort, { once: true });
    try {
      await upload.done();
    } finally {
      this.until.signal.removeEventListener("abort", abort);
    }
    return { key: to, rows: erased.all - erased.rows, bytes, sha256: hash.digest("hex") };
  }
}

/** The bytes of an object, inflated where its key says that they are compressed. An error of either stream ends both. */
const unzipped = (key: string, body: Readable): AsyncIterable<Buffer> =>
  key.endsWith(".gz") ? connected(body, createGunzip(), () => {}) : body;
