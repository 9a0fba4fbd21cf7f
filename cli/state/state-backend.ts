import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { stackFolder } from "../shared/terraform";

/** Where the state of a stack is. */
export interface StateBackend {
  readonly bucket: string;
  readonly key: string;
  readonly region: string;
  /** @default AWS's usual environment */
  readonly profile?: string;
}

const synthesized = z.object({
  terraform: z.object({
    backend: z.object({
      s3: z.object({
        bucket: z.string(),
        key: z.string(),
        region: z.string(),
        profile: z.string().optional(),
      }),
    }),
  }),
});

/**
 * Where the state of a synthesized stack is.
 * @throws when there is no such stack, or its state is not in S3
 */
export function stateBackend(stack: string): StateBackend {
  const file = join(stackFolder(stack), "cdk.tf.json");
  const { data, error } = synthesized.safeParse(JSON.parse(readFileSync(file, "utf8")));
  if (data === undefined) {
    throw new Error(`${file} names no bucket, key and region for the state in S3:\n${z.prettifyError(error)}`);
  }
  return data.terraform.backend.s3;
}
