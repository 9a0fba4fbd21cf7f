import { pipeline, Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { GetObjectCommand, S3Client } from "@aws-sdk/client-s3";
import * as z from "zod";
import { folders } from "../contract/answers-bucket";
import { clientSettings, type Until, within } from "./clients";
import { backOff, runsOf } from "./flow";
import { newId } from "./ids";
import { deleteObjects } from "./s3";

export interface UnloadsProps {
  /** The answers bucket. */
  readonly bucket: string;
  /** The role by which the cluster writes there. */
  readonly roleArn: string;
  /** The KMS key that it encrypts with. @default S3's own */
  readonly kmsKeyId?: string;
}

/** The list of what was unloaded (https://docs.aws.amazon.com/redshift/latest/dg/r_UNLOAD.html). */
const manifestSchema = z.object({
  entries: z.array(z.object({ url: z.string(), meta: z.object({ record_count: z.number() }) })),
});
const rowSchema = z.record(z.string(), z.union([z.string(), z.number(), z.null()]));
const bodySchema = z.instanceof(Readable);

const manifestOf = (folder: string) => `${folder}manifest`;
const nameOf = (place: number) => `c${place}`;

const linesPerPage = 1_000;
/** How often in a row a part may break off without a further line. */
const attempts = 4;

/** A value of a row in the form that the Data API gives it. */
const fieldOf = (value: string | number | null) => {
  if (value === null) return { isNull: true };
  return typeof value === "string" ? { stringValue: value } : { doubleValue: value };
};

/** Large results on their way from the warehouse to their reader, each in a folder of the answers bucket. */
export class Unloads {
  constructor(
    private readonly props: UnloadsProps,
    private readonly client = new S3Client(clientSettings({ requestTimeout: 30_000, maxAttempts: 6 })),
  ) {}

  /** A folder that no result has. */
  newFolder(): string {
    return `${folders.unloads}${newId()}/`;
  }

  /**
   * The statement that writes a result into a folder. A value is found there by its place among the expressions.
   * @param order of its rows over all parts, which one node writes one after another: an expression @default they have none
   */
  statement(expressions: readonly string[], source: string, folder: string, order?: string): string {
    const { bucket, roleArn, kmsKeyId } = this.props;
    const columns = expressions.map((expression, place) => `${expression} AS ${nameOf(place)}`);
    const sorted = order === undefined ? "" : ` ORDER BY ${order}`;
    const select = `SELECT ${columns.join(", ")} ${source}${sorted}`;
    const serial = order === undefined ? "" : " PARALLEL OFF";
    // By itself it encrypts with S3's own key, whatever the bucket's is.
    const encrypted = kmsKeyId === undefined ? "" : ` KMS_KEY_ID '${kmsKeyId}' ENCRYPTED`;
    return `UNLOAD ('${select.replaceAll("'", "''")}') TO 's3://${bucket}/${folder}' IAM_ROLE '${roleArn}' FORMAT JSON GZIP MANIFEST VERBOSE${serial}${encrypted}`;
  }

  /**
   * The rows of a result, a page at a time, in the form that the Data API gives them. It is removed afterwards.
   * @param width how many values a row has
   * @throws when not every row that was written can be read
   */
  async *pages(folder: string, width: number, until: Until): AsyncGenerator<unknown[][], void, undefined> {
    try {
      for await (const page of this.rows(folder, width, until)) yield page.map((row) => row.map(fieldOf));
    } finally {
      await this.remove(folder);
    }
  }

  /**
   * The same as plain values, in the order that the statement names, where it names one. What is read stays.
   * @param from rows that are passed over: objects that have no others are not read
   */
  async *rows(
    folder: string,
    width: number,
    until: Until,
    from = 0,
  ): AsyncGenerator<(string | number | null)[][], void, undefined> {
    let passed = from;
    for (const { key, rows } of await this.parts(folder, until)) {
      if (passed < rows) {
        for await (const lines of this.part(key, rows, passed, until)) {
          yield lines.map((row) => Array.from({ length: width }, (_, place) => row[nameOf(place)] ?? null));
        }
      }
      passed = Math.max(0, passed - rows);
    }
  }

  /** Empties the folder of a result, as far as this may delete there; the bucket deletes the rest after a while. */
  async remove(folder: string): Promise<void> {
    const until = within(10_000);
    const parts = await this.parts(folder, until).catch(() => []);
    const objects = [...parts.map(({ key }) => key), manifestOf(folder)].map((Key) => ({ Key }));
    await deleteObjects(this.client, this.props.bucket, objects, until).catch(() => undefined);
  }

  /** The objects of a result, by their numbers. */
  private async parts(folder: string, until: Until): Promise<{ key: string; rows: number }[]> {
    let text = "";
    for await (const chunk of (await this.get(manifestOf(folder), until)).setEncoding("utf8")) text += chunk;
    const { entries } = manifestSchema.parse(JSON.parse(text));
    const parts = entries.map(({ url, meta }) => ({ key: new URL(url).pathname.slice(1), rows: meta.record_count }));
    return parts.sort((one, other) => one.key.localeCompare(other.key, "en", { numeric: true }));
  }

  /**
   * The rows of a part. Where it breaks off it is read again from its start, and what was had is passed over.
   * @param passed rows that are passed over in any case
   */
  private async *part(key: string, rows: number, passed: number, until: Until) {
    let had = passed;
    for (let attempt = 1; ; attempt++) {
      const before = had;
      try {
        let number = 0;
        for await (const lines of this.lines(key, until)) {
          const fresh = lines.slice(Math.max(0, had - number));
          number += lines.length;
          for (const run of runsOf(fresh, { count: linesPerPage })) {
            const page = run.map((line) => rowOf(line, key));
            had += page.length;
            yield page;
          }
        }
        if (had === rows) return;
        throw new Error(`${key} has ${had} rows and not the ${rows} that were written`);
      } catch (error) {
        if (had > before) attempt = 1;
        if (until.signal.aborted || attempt === attempts || had > rows) throw error;
        await backOff(attempt, until.signal);
      }
    }
  }

  private async *lines(key: string, until: Until): AsyncGenerator<string[], void, undefined> {
    // An error of either stream destroys the other, and ends the loop.
    const text = pipeline(await this.get(key, until), createGunzip(), () => {}).setEncoding("utf8");
    let rest = "";
    for await (const chunk of text) {
      const lines = `${rest}${chunk}`.split("\n");
      rest = lines.pop() ?? "";
      yield lines;
    }
    if (rest !== "") yield [rest];
  }

  private async get(Key: string, { signal }: Until): Promise<Readable> {
    const command = new GetObjectCommand({ Bucket: this.props.bucket, Key });
    const { Body } = await this.client.send(command, { abortSignal: signal });
    return bodySchema.parse(Body);
  }
}

/** @throws without a word of what it holds, where it is none */
const rowOf = (line: string, key: string) => {
  try {
    return rowSchema.parse(JSON.parse(line));
  } catch {
    throw new Error(`${key} has a line that is no row`);
  }
};
