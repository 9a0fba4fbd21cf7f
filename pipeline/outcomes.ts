import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import { CopyObjectCommand, GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { folders, parseStagedKey, type StagedObject, stagedKey, timeOfId } from "../contract/answers-bucket";
import { beginningOf, bytesOf } from "../contract/bytes";
import { type Column, timestamp } from "../contract/columns";
import { failureColumns, type StoredFailure } from "../contract/failure-table";
import { lineOf, type Outcome, outcomeVersion } from "../contract/outcome";
import { type Prediction, predictionColumns } from "../contract/prediction-table";
import { clientSettings, type Until } from "./clients";
import { Failure } from "./failures";
import { newId } from "./ids";
import { deleteObjects, pagesBelow } from "./s3";

const [unzip, zip] = [promisify(gunzip), promisify(gzip)];

/**
 * The most that the values of a row may be, in UTF-8 bytes: the Data API hands out 64 KB a row
 * (https://docs.aws.amazon.com/redshift/latest/mgmt/data-api.html), of which 1 KB is assumed to go to what frames them.
 */
const rowBytes = 65_536 - 1_024;

/** Why the warehouse can never keep a prediction exactly as it is; undefined where it can. */
export const unstorable = (prediction: Prediction): Failure | undefined => {
  let sum = 0;
  for (const [property, value] of Object.entries(prediction)) {
    const column = columns.get(property);
    if (column === undefined || value === undefined) continue;
    const text = value instanceof Date ? timestamp(value) : value;
    const bytes = bytesOf(text);
    const fault = tooLong(column.name, bytes, column.maxBytes);
    if (fault) return fault;
    if (/\0|\p{Surrogate}/u.test(text)) {
      return new Failure("unexpected_answer", `${column.name} must be Unicode text without NUL`, "never");
    }
    sum += bytes;
  }
  return tooLong("a row", sum, rowBytes);
};

const columns: ReadonlyMap<string, Column> = new Map(Object.entries(predictionColumns));

const tooLong = (what: string, bytes: number, most: number) => {
  if (bytes <= most) return undefined;
  const [allowed, given] = [most, bytes].map((count) => count.toLocaleString("en"));
  return new Failure("too_large", `${what} must be at most ${allowed} UTF-8 bytes, got ${given}`, "never");
};

/** A failure as the warehouse can keep it. Its reason is for people, and may be cut. */
const storable = (failure: StoredFailure): StoredFailure => {
  const reason = failure.reason.replaceAll(/\0|\p{Surrogate}/gu, "\uFFFD");
  return { ...failure, reason: beginningOf(reason, failureColumns.reason.maxBytes) };
};

const isFailure = (outcome: Outcome): outcome is StoredFailure => "code" in outcome;

/** The content of an object of outcomes: a line each, compressed. */
export const contentOf = (outcomes: readonly Outcome[]): Promise<Buffer> => {
  const lines = outcomes.map((outcome) => `${lineOf(isFailure(outcome) ? storable(outcome) : outcome)}\n`);
  return zip(lines.join(""), { level: 1 });
};

/** The outcomes on their way from the worker to the warehouse, in the answers bucket. */
export class Outcomes {
  constructor(
    private readonly bucket: string,
    private readonly client = new S3Client(clientSettings({ requestTimeout: 10_000 })),
  ) {}

  /**
   * Writes outcomes as one object. Check each prediction by `unstorable` first.
   * @returns its key
   * @throws when it is not known that they are written. Writing them again is harmless.
   */
  async put(outcomes: readonly Outcome[], { signal }: Until): Promise<string> {
    const now = new Date();
    const requestIds = outcomes.map(({ requestId }) => requestId);
    const Key = stagedKey(requestIds, outcomeVersion, newId(now.getTime()), now);
    await this.write(Key, await contentOf(outcomes), { signal });
    return Key;
  }

  /** Writes an object. */
  async write(Key: string, Body: Uint8Array | string, { signal }: Until): Promise<void> {
    await this.client.send(new PutObjectCommand({ Bucket: this.bucket, Key, Body }), { abortSignal: signal });
  }

  /**
   * What waits to be loaded, the oldest first, so many objects at most. Others in that folder are passed over, and those
   * that a newer version of this project wrote are counted.
   */
  async list(most: number, until: Until): Promise<{ objects: StagedObject[]; newer: number }> {
    const found: StagedObject[] = [];
    let newer = 0;
    for await (const page of this.staged(until)) {
      for (const object of page) {
        if (object.version > outcomeVersion) newer++;
        else found.push(object);
      }
      if (found.length >= most) break;
    }
    return { objects: found.slice(0, most), newer };
  }

  /** All that waits to be loaded, whichever version wrote it. */
  async waiting(until: Until): Promise<StagedObject[]> {
    const found: StagedObject[] = [];
    for await (const page of this.staged(until)) found.push(...page);
    return found;
  }

  /** The same, a page at a time. */
  private async *staged(until: Until): AsyncGenerator<StagedObject[], void, undefined> {
    for await (const page of pagesBelow(this.client, this.bucket, folders.staged, until)) {
      yield page.flatMap(({ key, writtenAt }) => {
        const staged = parseStagedKey(key);
        return staged === undefined ? [] : [{ ...staged, writtenAt }];
      });
    }
  }

  /** Whether the outcome of a request is in an object. False for one that is loaded and gone meanwhile. */
  async holds({ key, range }: StagedObject, requestId: string, { signal }: Until): Promise<boolean> {
    const time = timeOfId(requestId);
    if (range && (time === undefined || time < range[0] || time > range[1])) return false;
    try {
      const { Body } = await this.client.send(new GetObjectCommand({ Bucket: this.bucket, Key: key }), {
        abortSignal: signal,
      });
      const lines = await unzip((await Body?.transformToByteArray()) ?? "");
      return lines.includes(`"request_id":${JSON.stringify(requestId)}`);
    } catch (error) {
      if (error instanceof Error && error.name === "NoSuchKey") return false;
      throw error;
    }
  }

  /** The place of an object as COPY and UNLOAD name it. */
  urlOf(key: string): string {
    return `s3://${this.bucket}/${key}`;
  }

  /** Writes the list of objects that a COPY loads, none of which it may pass over. @returns the list's key */
  async writeManifest(keys: readonly string[], until: Until): Promise<string> {
    const manifest = `${folders.manifests}${newId()}.json`;
    const entries = keys.map((key) => ({ url: this.urlOf(key), mandatory: true }));
    await this.write(manifest, JSON.stringify({ entries }), until);
    return manifest;
  }

  /** Deletes objects that are loaded. One that is gone already is none of its concern. @throws where one stays */
  async delete(keys: readonly string[], until: Until): Promise<void> {
    const objects = keys.map((Key) => ({ Key }));
    await deleteObjects(this.client, this.bucket, objects, until);
  }

  /**
   * Sets an object aside whose data is at fault. It stays in `rejected/`, under the rest of its key. One that is gone has
   * been set aside by another loader.
   */
  async reject({ key }: StagedObject, until: Until): Promise<void> {
    const command = new CopyObjectCommand({
      Bucket: this.bucket,
      CopySource: `${this.bucket}/${key}`,
      Key: key.replace(folders.staged, folders.rejected),
    });
    await this.client.send(command, { abortSignal: until.signal }).catch((error: Error) => {
      if (error.name !== "NoSuchKey") throw error;
    });
    await this.delete([key], until);
  }
}
