/** The folders of the answers bucket. */
export const folders = {
  /** Outcomes that wait to be loaded, an object a batch, in a folder for each hour. */
  staged: "staged/",
  /** What a load copies, an object a load. */
  manifests: "manifests/",
  /** Staged objects whose data is at fault. */
  rejected: "rejected/",
  /** Large results on their way to their reader. */
  unloads: "unloads/",
} as const;

/** How long what was deleted or written over in the bucket can be had back, in days. */
export const oldVersionDays = 7;

/** A request that was answered, to tell a bad request from a service that fails for all. */
export const sampleKey = "sample.json";

/** A UUID of version 7, or of a job's row (8): it begins with the milliseconds of its time. */
const timeOrdered = /^([0-9a-f]{8})-[0-9a-f]{4}-[78][0-9a-f]{3}-[89ab]/;

/** The time that an id of this project's begins with: 8 characters, as a sort key sees it. @returns undefined for an id of others */
export const timeOfId = (id: string): string | undefined => timeOrdered.exec(id)?.[1];

/** An object of outcomes that waits to be loaded. */
export interface StagedObject {
  readonly key: string;
  /** The version of its lines. */
  readonly version: number;
  /** The least and the greatest time that its request ids begin with. @default some are others' ids, which have none */
  readonly range?: readonly [least: string, greatest: string];
  /** When it was written, as S3 says. */
  readonly writtenAt: Date;
}

/**
 * The key of an object of outcomes: never the same twice, so that none is written over while it is loaded.
 * @param id an id of its own, a time-ordered one
 */
export const stagedKey = (requestIds: readonly string[], version: number, id: string, now: Date): string => {
  const hour = now.toISOString().slice(0, 13).replace(/\D/g, "");
  const times = requestIds.map(timeOfId).sort();
  const [least] = times;
  const greatest = times.at(-1); // an id without a time is sorted last
  const range = greatest === undefined ? "any" : `${least}-${greatest}`;
  return `${folders.staged}${hour}/${id}.${range}.v${version}.ndjson.gz`;
};

const staged = /^staged\/\d{10}\/[^/.]+\.(?:any|([0-9a-f]{8})-([0-9a-f]{8}))\.v(\d+)\.ndjson\.gz$/;

/** Reads the key of an object of outcomes. @returns undefined where it is none */
export const parseStagedKey = (key: string): Omit<StagedObject, "writtenAt"> | undefined => {
  const [is, least, greatest, version] = staged.exec(key) ?? [];
  if (is === undefined) return undefined;
  const range = least !== undefined && greatest !== undefined && { range: [least, greatest] as const };
  return { key, version: Number(version), ...range };
};
