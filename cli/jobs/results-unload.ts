import { type Selection, type Unloading, unloadStatement } from "../../pipeline/results";
import type { Pipeline } from "../connection";
import { whole } from "../numbers";
import { cannot } from "./results-print";
import { resultsOf } from "./warehouse";

export interface UnloadOptions {
  /** Where to, `s3://bucket/prefix`. @default a folder below `unloadS3Uri` */
  readonly to?: string;
  /** Where the configuration lets the warehouse write. */
  readonly unloadS3Uri?: string;
  /** Whether to write CSV. @default Parquet */
  readonly csv: boolean;
}

const asFolder = (uri: string) => (uri.endsWith("/") ? uri : `${uri}/`);

/** Lets Redshift write predictions to S3, and prints where they are. */
export async function unloadResults(
  pipeline: Pipeline,
  selection: Pick<Selection, "inputIds" | "jobId" | "since">,
  { to, unloadS3Uri, csv }: UnloadOptions,
  signal: AbortSignal,
): Promise<void> {
  if (to === undefined && unloadS3Uri === undefined) {
    throw new Error(
      "Where to? Redshift may write nowhere yet: set `warehouse.unloadS3Uri` in config.ts to s3://<bucket>/<prefix>, and deploy.",
    );
  }
  const folder = new Date().toISOString().replace(/[:.]/g, "-");
  const how: Unloading = {
    to: asFolder(to ?? `${asFolder(unloadS3Uri ?? "")}${folder}`),
    format: csv ? "csv" : "parquet",
  };
  unloadStatement(selection, how, pipeline.contract.outputs); // says what is wrong with it before anything is asked
  const results = resultsOf(pipeline);
  const count = await results.count(selection, { signal }).catch(cannot("count the results", signal));
  console.error(`Redshift writes ${whole(count)} result${count === 1 ? "" : "s"} to ${how.to} ...`);
  await results.unload(selection, how, { signal }).catch(cannot(`let Redshift write to ${how.to}`, signal));
  console.log(how.to);
}
