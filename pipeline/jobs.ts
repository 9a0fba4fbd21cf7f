import { addAbortSignal, Readable } from "node:stream";
import {
  GetObjectCommand,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  PutObjectCommand,
  type PutObjectCommandInput,
  S3Client,
} from "@aws-sdk/client-s3";
import * as z from "zod";
import {
  factsOf,
  type JobFacts,
  type JobRequest,
  jobCancel,
  jobChecked,
  jobCounts,
  jobFailed,
  jobFolders,
  jobManifest,
  jobName,
  jobRequest,
  parseMark,
} from "../contract/job";
import { parsedJson } from "../contract/json-text";
import { clientSettings, type Until } from "./clients";
import { backOff, limiter } from "./flow";
import { objectsBelow } from "./s3";

/** The most that a fact may have, in bytes. None that this project writes comes near it. */
const factBytes = 2_000_000;

/** Jobs whose facts are read at once. */
const jobsAtOnce = 8;

/** A fact, and which writing of it was read. */
export interface Fact<T> {
  readonly value: T;
  readonly etag: string;
}

/** What the marks of a job say. */
export interface Marks {
  /** When the oldest of them was put. */
  readonly since: Date;
  /** Whether it has not ended. One that has may leave its stop mark behind for a while. */
  readonly isOpen: boolean;
  /** Whether nothing more of it is to be asked. */
  readonly stopped: boolean;
  /** Since when that is so. @default it is not so */
  readonly stoppedAt?: Date;
}

/** A job by its place among the others, of which the newest is the first. */
export interface JobPlace {
  readonly id: string;
  /** When its `request.json` was written, to the second, as S3 says. */
  readonly at: Date;
}

/** An object that may be a job's input. */
export interface FoundInput extends Readonly<JobRequest["input"]> {
  /** When S3 deletes it. @default it says nothing of that */
  readonly lapses?: Date;
}

/** When S3 deletes an object: https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html */
export const lapseOf = ({ Expiration = "" }: HeadObjectCommandOutput): Date | undefined => {
  const [, date = ""] = /expiry-date="([^"]+)"/.exec(Expiration) ?? [];
  const lapses = new Date(date);
  return Number.isNaN(lapses.getTime()) ? undefined : lapses;
};

/** A queue keeps a message for 14 days at most, so that no job and its result take longer. In milliseconds. */
const longestJob = 14 * 86_400_000;

/** Whether an object that S3 deletes then outlasts any job that begins now. */
export const isLasting = (lapses: Date | undefined) =>
  lapses === undefined || lapses.getTime() > Date.now() + longestJob;

type NewObject = Omit<PutObjectCommandInput, "Bucket">;

/** A fact that is no such thing. */
export class InvalidFact extends Error {
  override readonly name = "InvalidFact";
}

const failureSchema = z.object({ name: z.string(), $metadata: z.object({ httpStatusCode: z.number() }) });

/** What S3 says that ended a call so: the name of the error, and the status. @throws what is no answer of S3's */
const refusalOf = (error: unknown): { name: string; status: number } => {
  const { data } = failureSchema.safeParse(error);
  if (data === undefined) throw error;
  return { name: data.name, status: data.$metadata.httpStatusCode };
};

/** Of a HEAD, which has no body, S3 says no more than that. */
const isMissing = (error: unknown) => ["NoSuchKey", "NotFound"].includes(refusalOf(error).name);

const bodySchema = z.instanceof(Readable);

/** The text of a fact. @returns undefined where it is larger than one may be: the rest is not read */
const textOf = async (body: Readable): Promise<string | undefined> => {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > factBytes) return undefined;
  }
  return Buffer.concat(chunks).toString();
};

/** Whether one job comes before another: the newer one, and of those of one second the one whose id sorts first. */
const isBefore = (one: JobPlace, other: JobPlace) =>
  one.at.getTime() === other.at.getTime() ? one.id < other.id : one.at > other.at;

/**
 * The jobs, in the answers bucket: their facts and their marks. Whoever uses it may list that bucket: to others S3 says
 * of an object that is not there that it is forbidden.
 */
export class Jobs {
  constructor(
    private readonly bucket: string,
    private readonly client = new S3Client(clientSettings({ requestTimeout: 10_000 })),
  ) {}

  /** Reads a fact. @returns undefined where it is not there @throws InvalidFact with its key */
  async read<Schema extends z.ZodType>(
    key: string,
    schema: Schema,
    { signal }: Until,
  ): Promise<Fact<z.output<Schema>> | undefined> {
    const command = new GetObjectCommand({ Bucket: this.bucket, Key: key });
    const object = await this.client.send(command, { abortSignal: signal }).catch((error: unknown) => {
      if (isMissing(error)) return undefined;
      throw error;
    });
    if (object === undefined) return undefined;
    const text = await textOf(addAbortSignal(signal, bodySchema.parse(object.Body)));
    if (text === undefined) {
      throw new InvalidFact(`s3://${this.bucket}/${key} must be at most ${factBytes.toLocaleString("en")} bytes`);
    }
    const parsed = schema.safeParse(parsedJson(text));
    if (parsed.success) return { value: parsed.data, etag: object.ETag ?? "" };
    const faults = parsed.error.issues.map(({ path, message }) => [path.join("."), message].filter(Boolean).join(": "));
    throw new InvalidFact(`s3://${this.bucket}/${key} is not as it was written: ${faults.join("; ")}`);
  }

  /**
   * Writes a fact that is not there yet.
   * @returns false where it was there. That may be one's own, whose answer was lost: read it.
   */
  async create(key: string, value: unknown, until: Until): Promise<boolean> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.put({ Key: key, Body: JSON.stringify(value), IfNoneMatch: "*" }, until);
        return true;
      } catch (error) {
        const { status } = refusalOf(error);
        if (status === 412) return false;
        if (status !== 409) throw error;
        await backOff(Math.min(attempt, 5), until.signal);
      }
    }
  }

  /**
   * Writes a fact over the writing of it that was read.
   * @param etag of that @default it was not there
   * @returns the tag of what is written; undefined where another has written meanwhile, or it is gone: read it again
   */
  async replace(key: string, value: unknown, etag: string | undefined, until: Until): Promise<string | undefined> {
    return this.putOver({ Key: key, Body: JSON.stringify(value) }, etag, until);
  }

  private async putOver(object: NewObject, etag: string | undefined, until: Until): Promise<string | undefined> {
    const condition = etag === undefined ? { IfNoneMatch: "*" } : { IfMatch: etag };
    try {
      return await this.put({ ...object, ...condition }, until);
    } catch (error) {
      const { name, status } = refusalOf(error);
      if (status === 412 || status === 409 || name === "NoSuchKey") return undefined;
      throw error;
    }
  }

  /** Puts a mark, which may be there already. */
  async mark(key: string, until: Until): Promise<void> {
    await this.put({ Key: key, Body: "", ContentLength: 0 }, until); // of an empty body the SDK says no length
  }

  /**
   * Writes rows as an input, under a key that is made of them: what is there is the same input, and is written again only
   * where it does not last. Its tag would be another one then where a KMS key encrypts it.
   */
  async writeInput(key: string, rows: string, until: Until): Promise<FoundInput> {
    const Body = Buffer.from(rows);
    for (;;) {
      const found = await this.input(key, until);
      if (found !== undefined && isLasting(found.lapses)) return found;
      const etag = await this.putOver({ Key: key, Body }, found?.etag, until);
      if (etag !== undefined) return { key, etag, bytes: Body.length };
    }
  }

  /** What a job would read under this key. @returns undefined where nothing is there */
  async input(key: string, { signal }: Until): Promise<FoundInput | undefined> {
    const command = new HeadObjectCommand({ Bucket: this.bucket, Key: key });
    try {
      const found = await this.client.send(command, { abortSignal: signal });
      const { ETag: etag = "", ContentLength: bytes = 0 } = found;
      return { key, etag, bytes, lapses: lapseOf(found) };
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  /** All that is known of a job. @returns undefined where there is none */
  async facts(id: string, until: Until): Promise<JobFacts | undefined> {
    const keys = factsOf(id);
    const [request, checked, failed, cancel, counts, manifest] = await Promise.all([
      this.read(keys.request, jobRequest, until),
      this.read(keys.checked, jobChecked, until),
      this.read(keys.failed, jobFailed, until),
      this.read(keys.cancel, jobCancel, until),
      this.read(keys.counts, jobCounts, until),
      this.read(keys.manifest, jobManifest, until),
    ]);
    return (
      request && {
        request: request.value,
        checked: checked?.value,
        failed: failed?.value,
        cancel: cancel?.value,
        counts: counts?.value,
        manifest: manifest?.value,
      }
    );
  }

  /**
   * Whether facts are left of a job that has lapsed: they were written after its `request.json`, and lapse after it. Those
   * of a new one under its name would be taken for its.
   */
  async hasRest(id: string, until: Until): Promise<boolean> {
    const { request, ...others } = factsOf(id);
    const rest = new Set<string>(Object.values(others));
    const found = { request: false, rest: false };
    for (const folder of [jobFolders.jobs, jobFolders.results]) {
      for await (const { key } of objectsBelow(this.client, this.bucket, `${folder}${id}/`, until)) {
        found.request ||= key === request;
        found.rest ||= rest.has(key);
      }
    }
    return found.rest && !found.request;
  }

  /** The jobs that have marks: those that have not ended, and those of which a mark was left. */
  async open(until: Until): Promise<Map<string, Marks>> {
    const found = new Map<string, Marks>();
    for await (const { key, writtenAt: at } of objectsBelow(this.client, this.bucket, jobFolders.open, until)) {
      const parsed = parseMark(key);
      if (parsed === undefined) continue;
      const { id, mark } = parsed;
      const { since, isOpen, stoppedAt } = found.get(id) ?? { since: at, isOpen: false };
      const stop = mark === "stop" ? at : stoppedAt;
      found.set(id, {
        since: at < since ? at : since,
        isOpen: isOpen || mark === "job",
        stopped: stop !== undefined,
        ...(stop && { stoppedAt: stop }),
      });
    }
    return found;
  }

  /**
   * The newest jobs after a place.
   *
   * S3 lists by name, not by time, and a folder has no time. So all keys below `jobs/` are listed, up to six a job and
   * a thousand a call, which say when each `request.json` was written. To read those would be a call for each job.
   */
  async newest(limit: number, after: JobPlace | undefined, until: Until): Promise<JobPlace[]> {
    const found: JobPlace[] = [];
    for await (const { key, writtenAt: at } of objectsBelow(this.client, this.bucket, jobFolders.jobs, until)) {
      const [, id] = /^jobs\/([^/]+)\/request\.json$/.exec(key) ?? [];
      if (id === undefined || !jobName.test(id)) continue;
      const place = { id, at };
      if (after === undefined || isBefore(after, place)) found.push(place);
    }
    return found.sort((one, other) => (isBefore(one, other) ? -1 : 1)).slice(0, limit);
  }

  /** All that is known of jobs, each by its place; undefined for what is none any more, and what is wrong with its facts. */
  async factsOfAll(ids: readonly string[], until: Until): Promise<(JobFacts | InvalidFact | undefined)[]> {
    const limited = limiter(jobsAtOnce);
    const read = (id: string) =>
      this.facts(id, until).catch((error: unknown) => {
        if (error instanceof InvalidFact) return error;
        throw error;
      });
    return Promise.all(ids.map((id) => limited(() => read(id))));
  }

  private async put(input: NewObject, { signal }: Until): Promise<string> {
    const command = new PutObjectCommand({ Bucket: this.bucket, ...input });
    const { ETag = "" } = await this.client.send(command, { abortSignal: signal });
    return ETag;
  }
}
