import { pipeline, Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { GetObjectCommand, S3Client } from "@aws-sdk/client-s3";
import * as z from "zod";
import type { JobRequest } from "../contract/job";
import { clientSettings, type Until } from "./clients";
import { headBytes } from "./csv";
import {
  type InputFault,
  type InputPlace,
  type InputRow,
  type InputRules,
  InvalidInput,
  isFault,
  openInput,
  readInput,
} from "./job-input";

type Input = JobRequest["input"];

const bodySchema = z.instanceof(Readable);
const failureSchema = z.object({ name: z.string() });

/** What S3 answers where an object is not what it was, by the name of the error. */
const lost = new Map([
  ["PreconditionFailed", "has changed since the job was made"],
  ["NoSuchKey", "is gone"],
]);

/** Whether an input is inflated as it is read, and so can be read from its start alone. */
export const isCompressed = ({ key }: Input) => key.endsWith(".gz");

/** Inputs of jobs, in the answers bucket. Each is read as it was when its job was made. */
export class InputFiles {
  constructor(
    private readonly bucket: string,
    private readonly client = new S3Client(clientSettings({ requestTimeout: 30_000 })),
  ) {}

  /**
   * The rows of an input, or what is wrong with each, in their order. What ends them is the last fault: it is no more
   * what it was, or cannot be inflated, say.
   * @param from what is known of the row that is the first to be given
   */
  async *rows(
    input: Input,
    rules: InputRules,
    from: Omit<InputPlace, "offset"> & { readonly offset?: number },
    until: Until,
  ): AsyncGenerator<InputRow | InputFault, void, undefined> {
    const { row, line, offset } = from;
    try {
      if (row > 1 && offset !== undefined && !isCompressed(input)) {
        const opened = await openInput(await this.head(input, until), rules);
        yield* opened.rows(this.chunks(input, offset, until), { row, line, offset });
        return;
      }
      for await (const one of readInput(this.chunks(input, 0, until), rules)) {
        if (isFault(one) || one.row >= row) yield one;
      }
    } catch (error) {
      if (!(error instanceof InvalidInput)) throw error;
      yield* error.faults;
    }
  }

  private async head(input: Input, until: Until): Promise<Buffer> {
    const body = await this.get(input, `bytes=0-${headBytes - 1}`, until);
    return Buffer.concat(await body.toArray());
  }

  /** The bytes from one on, inflated where the key says that they are compressed. */
  private async *chunks(input: Input, offset: number, until: Until): AsyncGenerator<Buffer, void, undefined> {
    const body = await this.get(input, offset === 0 ? undefined : `bytes=${offset}-`, until);
    if (!isCompressed(input)) return yield* body;
    try {
      // An error of either stream destroys the other, and ends the loop.
      yield* pipeline(body, createGunzip(), () => {});
    } catch (error) {
      const { data } = z.object({ code: z.string().startsWith("Z_") }).safeParse(error);
      if (data === undefined) throw error;
      throw new InvalidInput([{ reason: `the input's key ends in .gz, and it is no whole gzip (${data.code})` }]);
    }
  }

  private async get({ key, etag }: Input, Range: string | undefined, { signal }: Until): Promise<Readable> {
    const command = new GetObjectCommand({ Bucket: this.bucket, Key: key, IfMatch: etag, Range });
    try {
      return bodySchema.parse((await this.client.send(command, { abortSignal: signal })).Body);
    } catch (error) {
      const why = lost.get(failureSchema.safeParse(error).data?.name ?? "");
      if (why === undefined) throw error;
      throw new InvalidInput([{ reason: `the input s3://${this.bucket}/${key} ${why}` }]);
    }
  }
}
