import { GetObjectCommand, PutObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import * as z from "zod";
import { sampleKey } from "../contract/answers-bucket";
import type { FeatureValues } from "../contract/feature-values";
import type { Feature } from "../contract/model-contract";
import type { Until } from "./clients";

const sampleSchema = z.object({ features: z.array(z.string()), values: z.array(z.string().nullable()) });

/** How long a sample is kept before it is written anew, in milliseconds. */
const anHour = 3_600_000;

/**
 * An input that the model has answered. Where it answers that one again, what fails beside it is at fault itself, and
 * not the model.
 */
export class Sample {
  private written = Number.NEGATIVE_INFINITY;

  /** @param features the contract's: a sample of others is none */
  constructor(
    private readonly bucket: string,
    private readonly features: readonly Feature[],
    private readonly client: S3Client,
  ) {}

  /** Keeps the values of an input that was answered, where the last one is old. Never throws: the next may be kept. */
  async keep(values: FeatureValues, { signal }: Until): Promise<void> {
    const now = Date.now();
    if (now - this.written < anHour) return;
    this.written = now;
    const Body = JSON.stringify({ features: this.names, values });
    const command = new PutObjectCommand({ Bucket: this.bucket, Key: sampleKey, Body });
    await this.client.send(command, { abortSignal: signal }).catch(() => undefined);
  }

  /** The values of the sample; undefined where there is none that can be had. */
  async read({ signal }: Until): Promise<FeatureValues | undefined> {
    try {
      const command = new GetObjectCommand({ Bucket: this.bucket, Key: sampleKey });
      const { Body } = await this.client.send(command, { abortSignal: signal });
      const { data } = sampleSchema.safeParse(JSON.parse((await Body?.transformToString()) ?? ""));
      return data && data.features.join() === this.names.join() ? data.values : undefined;
    } catch {
      return undefined;
    }
  }

  private get names() {
    return this.features.map(({ name }) => name);
  }
}
