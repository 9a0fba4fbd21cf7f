import { resolve } from "node:path";
import { SageMakerFeatureStoreRuntimeClient } from "@aws-sdk/client-sagemaker-featurestore-runtime";
import { clientSettings } from "../../pipeline/clients";
import { type FeatureRow, FeatureStore } from "../../pipeline/features";
import { awsError } from "../aws-error";
import type { Pipeline } from "../connection";
import { whole } from "../numbers";
import { progressOf } from "../progress";
import { DuplicateSearch, type Rows } from "./duplicates";
import { type FeatureFile, openFeatures } from "./feature-rows";
import { Journal, journalOf } from "./journal";
import { beforeAnything, type JobOutcome, type JobRow, workThrough } from "./long-job";

/** Where refused rows of a file are kept. */
export const rejectsOf = (file: string) => `${file}.rejects.csv`;

export interface IngestOptions {
  readonly file: string;
  readonly featureGroup: Pipeline["featureGroup"];
  /** What columns are called that are not called as their features, by feature. @default all are */
  readonly columns?: ReadonlyMap<string, string>;
  /** Where refused rows are kept. What is there is replaced. @default the file's name with .rejects.csv */
  readonly rejectsFile?: string;
  /** Goes on with what did not come to its end. @default begins, and refuses where something can be gone on with */
  readonly resume?: boolean;
  readonly signal: AbortSignal;
}

/**
 * Writes the rows of a CSV file to the feature store. The file is read twice, row by row: nothing is written before all
 * of it is known to be CSV and the rows are found that come again.
 * @throws when the file or the feature store cannot be used, and when it is interrupted
 */
export async function ingestFeatures(options: IngestOptions): Promise<JobOutcome> {
  const { file, featureGroup, columns = new Map(), resume = false, signal } = options;
  const { rejectsFile = rejectsOf(file) } = options;
  const journalFile = journalOf(rejectsFile);
  const source = resolve(file);
  if (resolve(rejectsFile) === source)
    throw new Error(`${file} cannot be both read and written: name another --rejects`);
  const settings = { "feature group": featureGroup.name, columns: JSON.stringify([...columns].sort()) };
  const found = await Journal.find(journalFile);
  if (found === undefined && resume) throw new Error(`There is nothing to resume: ${journalFile} does not exist`);
  if (found !== undefined && !resume) {
    throw new Error(
      `${file} did not come to its end: ${whole(found.done.rows)} of its rows are through. Go on with --resume, or delete ${journalFile} to begin again`,
    );
  }
  await found?.resume(source, settings);

  const open = () => openFeatures(file, featureGroup, columns);
  const { rows, again, rejectsHeader } = await beforeAnything(look(await open(), signal), signal);
  const outputs = [{ file: rejectsFile, header: rejectsHeader }];
  const journal = found ?? (await Journal.begin(journalFile, { source, settings, outputs }));

  const client = new SageMakerFeatureStoreRuntimeClient(clientSettings({ requestTimeout: 10_000 }));
  const { name, features, recordIdentifier, eventTime } = featureGroup;
  const store = new FeatureStore(
    {
      featureGroupName: name,
      features,
      recordIdentifierName: recordIdentifier.name,
      recordIdentifierType: recordIdentifier.type,
      eventTime,
    },
    client,
  );
  try {
    return await workThrough<FeatureRow>({
      journal,
      what: "rows",
      total: rows,
      rows: rowsToWrite(await open(), again),
      rejectsFile,
      work: (features, until) =>
        store.writeEach(features, { signal: until }).catch((error: unknown) => {
          throw awsError(`write to the feature group ${name}`, error);
        }),
      resumeBy: "the same command with --resume",
      signal,
    });
  } finally {
    client.destroy();
  }
}

/** Reads a file of features through once: how many rows it has, and which of them are an earlier one's record again. */
async function look({ rows, rejectsHeader }: FeatureFile, signal: AbortSignal) {
  const search = new DuplicateSearch();
  const progress = progressOf("rows checked");
  try {
    let number = 0;
    for await (const { key, fault } of rows) {
      if (fault === undefined) search.add(number, key);
      number++;
      if (number % 1_000 !== 0) continue;
      progress.update(number);
      signal.throwIfAborted();
    }
    return { rows: number, again: search.find(number), rejectsHeader };
  } finally {
    progress.stop();
    search.stop();
  }
}

async function* rowsToWrite(
  { rows, rejectLine }: FeatureFile,
  again: Rows,
): AsyncGenerator<JobRow<FeatureRow>, void, undefined> {
  let number = 0;
  for await (const { features, source, fault } of rows) {
    const reason = fault ?? (again.has(number) ? "an earlier row is the same record" : undefined);
    yield {
      ...(reason === undefined ? { item: features } : { fault: reason }),
      characters: source.values.reduce((sum, value) => sum + value.length, 0),
      rejectLine: (why) => rejectLine(source, why),
    };
    number++;
  }
}
