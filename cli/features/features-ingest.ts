import { resolve } from "node:path";
import { SageMakerFeatureStoreRuntimeClient } from "@aws-sdk/client-sagemaker-featurestore-runtime";
import { whileHolding } from "../../config/file-lock";
import { clientSettings } from "../../pipeline/clients";
import { columnsOf } from "../../pipeline/csv";
import { type FeatureRow, FeatureStore, passedOverReason, recordKey } from "../../pipeline/features";
import { failedTo, namingActions } from "../shared/aws-error";
import type { Pipeline } from "../shared/connection";
import { nameOf, openCsv } from "../shared/csv";
import { whole } from "../shared/numbers";
import { checkInputs, type Inputs, reasonOf, tellPassedOver } from "./feature-rows";
import { Journal, journalOf } from "./journal";
import { beforeAnything, type JobOutcome, type JobRow, type LongJob, workThrough } from "./long-job";

/** Where refused rows of a file are kept. */
export const rejectsOf = (path: string) => `${nameOf(path)}.rejects.csv`;

export interface IngestOptions {
  /** A file whose rules have a feature group. */
  readonly inputs: Inputs;
  readonly featureGroup: NonNullable<Pipeline["featureGroup"]>;
  /** Where refused rows are kept. What is there is replaced. */
  readonly rejectsFile: string;
  /** Goes on with what did not come to its end. @default begins, and refuses where something can be gone on with */
  readonly resume?: boolean;
  readonly signal: AbortSignal;
}

/** How writing a file's rows went. */
export interface IngestOutcome extends JobOutcome {
  /** What is told at the end. */
  readonly notes: readonly string[];
}

/**
 * Writes the rows of a file to the feature store. The file is read twice, row by row: nothing is written before all of
 * it is known to be CSV. Of the rows of one id the last one stays, but where rows have event times: then the one with the
 * greatest. A row that is passed over for a stored record is refused.
 * @throws when the file or the feature store cannot be used, when another process writes the same rejects, and when it
 * is interrupted
 */
export function ingestFeatures(options: IngestOptions): Promise<IngestOutcome> {
  const { inputs, rejectsFile } = options;
  if (resolve(rejectsFile) === inputs.file.identity.file) {
    throw new Error(`${inputs.file.name} cannot be both read and written: name another --rejects`);
  }
  return whileHolding(journalOf(rejectsFile), () => ingest(options));
}

async function ingest({ inputs, featureGroup, rejectsFile, resume = false, signal }: IngestOptions) {
  const { file } = inputs;
  const begun = {
    source: file.identity,
    settings: {
      "feature group": featureGroup.name,
      columns: JSON.stringify([...inputs.rules.columns].sort()),
      delimiter: file.delimiter,
    },
    outputs: [{ file: rejectsFile, header: inputs.rejectsHeader }],
  };
  const found = await journalFound(journalOf(rejectsFile), file.name, resume);
  await found?.resume(begun.source, begun.settings);

  tellPassedOver(inputs);
  const { rows, notes } = await beforeAnything(checkInputs(inputs, signal), signal);
  const journal = found ?? (await Journal.begin(journalOf(rejectsFile), begun));

  const client = namingActions(new SageMakerFeatureStoreRuntimeClient(clientSettings({ requestTimeout: 10_000 })));
  // Where all have the time of their writing, none is older than what is stored.
  const isTimed = featureGroup.eventTime.name === featureGroup.recordIdentifier.name || inputs.hasEventTimes;
  try {
    const outcome = await workThrough<FeatureRow>({
      journal,
      what: "rows",
      total: rows,
      rows: rowsToWrite(inputs),
      rejectsFile,
      work: writingTo(featureGroup, client, isTimed),
      resumeBy: file.isPipe ? "the same input and command with --resume" : "the same command with --resume",
      signal,
    });
    const count = isTimed && outcome.rejectsFile !== undefined ? await countPassedOver(inputs, rejectsFile) : 0;
    return { ...outcome, notes: count === 0 ? notes : [...notes, passedOverNote(count)] };
  } finally {
    client.destroy();
  }
}

/** @throws where there is nothing to resume, and where something else than resuming is asked */
async function journalFound(journalFile: string, name: string, resume: boolean): Promise<Journal | undefined> {
  const found = await Journal.find(journalFile);
  if (found === undefined && resume) throw new Error(`There is nothing to resume: ${journalFile} does not exist`);
  if (found !== undefined && !resume) {
    throw new Error(
      `${name} did not come to its end: ${whole(found.done.rows)} of its rows are through. Go on with --resume, or delete ${journalFile} to begin again`,
    );
  }
  return found;
}

/** Writes a window of rows; where they are timed it reads them back, and refuses those that were passed over. */
function writingTo(
  { name, features, recordIdentifier, eventTime }: IngestOptions["featureGroup"],
  client: SageMakerFeatureStoreRuntimeClient,
  isTimed: boolean,
): LongJob<FeatureRow>["work"] {
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
  return async (items, until) => {
    const rows = isTimed ? items.map((row) => ({ ...row, since: row.since ?? store.timeNow() })) : items;
    const reasons = await writeInOrder(store, rows, recordIdentifier.type, until).catch(
      failedTo(`write to the feature group ${name}`),
    );
    if (!isTimed) return reasons;
    const taken = [...rows.keys()].filter((place) => reasons[place] === undefined);
    const written = taken.flatMap((place) => rows[place] ?? []);
    const passedOver = await store
      .passedOver(written, { signal: until })
      .catch(failedTo(`read back from the feature group ${name}`));
    for (const [at, place] of taken.entries()) reasons[place] = passedOver[at];
    return reasons;
  };
}

const passedOverNote = (count: number) =>
  `${count === 1 ? "1 row was" : `${whole(count)} rows were`} passed over: Feature Store keeps a record whose event time is not earlier.`;

/** How many of the refused rows were passed over. */
async function countPassedOver({ rejectColumns: [, reason] }: Inputs, rejectsFile: string): Promise<number> {
  const file = await openCsv(rejectsFile);
  try {
    const { valueIn } = columnsOf(rejectsFile, file.header, { required: [reason] });
    let count = 0;
    for await (const row of file.rows()) if (valueIn(row, reason)?.startsWith(passedOverReason)) count++;
    return count;
  } finally {
    await file.close();
  }
}

/** Writes rows as {@link FeatureStore.writeEach} does, but those of one record one after the other: the last one stays. */
async function writeInOrder(
  store: FeatureStore,
  rows: readonly FeatureRow[],
  type: Parameters<typeof recordKey>[1],
  signal: AbortSignal,
): Promise<(string | undefined)[]> {
  const times = new Map<string, number>();
  const rounds: number[][] = [];
  for (const [place, { id }] of rows.entries()) {
    const key = recordKey(id, type) ?? id;
    const round = times.get(key) ?? 0;
    times.set(key, round + 1);
    const places = rounds[round] ?? [];
    places.push(place);
    rounds[round] = places;
  }
  const reasons: (string | undefined)[] = rows.map(() => undefined);
  for (const places of rounds) {
    const round = places.flatMap((place) => rows[place] ?? []);
    const said = await store.writeEach(round, { signal });
    for (const [at, place] of places.entries()) reasons[place] = said[at];
  }
  return reasons;
}

async function* rowsToWrite(inputs: Inputs): AsyncGenerator<JobRow<FeatureRow>, void, undefined> {
  for await (const row of inputs.rows()) {
    const { features, source } = row;
    const reason = reasonOf(row);
    yield {
      ...(reason === undefined ? { item: features } : { fault: reason }),
      characters: source.text.length,
      rejectLine: (why) => inputs.rejectLine(source, why),
    };
  }
}
