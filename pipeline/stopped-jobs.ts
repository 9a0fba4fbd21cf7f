import { paginateListObjectsV2, type S3Client } from "@aws-sdk/client-s3";
import * as z from "zod";
import { jobFolders, parseMark } from "../contract/job";
import { reasonOf, type Until, within } from "./clients";

/** How old what is known of the marks may be, in milliseconds. */
const listedEvery = 10_000;

/** The longest that a batch waits for the marks, in milliseconds. */
const listingTime = 2_000;

const foundSchema = z.array(z.object({ Key: z.string() }));

/** Which jobs are stopped, as the marks in `open/` say: the last that is known of them, where S3 does not tell. */
export class StoppedJobs {
  private known: ReadonlySet<string> = new Set();
  private listedAt = Number.NEGATIVE_INFINITY;
  private listing = Promise.resolve();

  /** @param onFault told why they could not be listed */
  constructor(
    private readonly bucket: string,
    private readonly client: S3Client,
    private readonly onFault: (reason: string) => void,
  ) {}

  /** The ids of the jobs of which nothing more is to be asked. Never throws. */
  async ids(until: Until): Promise<ReadonlySet<string>> {
    const now = Date.now();
    if (now - this.listedAt >= listedEvery) {
      this.listedAt = now;
      this.listing = this.list(until).catch((error) => this.onFault(reasonOf(error)));
    }
    await this.listing;
    return this.known;
  }

  private async list({ signal }: Until): Promise<void> {
    const stopped = new Set<string>();
    const abortSignal = AbortSignal.any([signal, within(listingTime).signal]);
    const input = { Bucket: this.bucket, Prefix: jobFolders.open };
    for await (const { Contents = [] } of paginateListObjectsV2({ client: this.client }, input, { abortSignal })) {
      for (const { Key } of foundSchema.parse(Contents)) {
        const found = parseMark(Key);
        if (found?.mark === "stop") stopped.add(found.id);
      }
    }
    this.known = stopped;
  }
}
