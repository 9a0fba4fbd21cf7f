import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import { GetObjectCommand, PutObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import * as z from "zod";
import { folders, parseStagedKey, sampleKey } from "../contract/answers-bucket";
import { countField, nothing, textField } from "../contract/columns";
import { tables } from "../contract/load-tables";
import { outcomeVersion } from "../contract/outcome";
import type { Until } from "./clients";
import type { DeadLetters } from "./dead-letters";
import type { FeatureStore } from "./features";
import { limiter } from "./flow";
import type { Jobs } from "./jobs";
import type { RedshiftData } from "./redshift";
import { deleteObjects, objectsBelow } from "./s3";

const [unzip, zip] = [promisify(gunzip), promisify(gzip)];

/** What of an input lies in a place, or was taken out of it. */
export interface Found {
  /** How many of what, none of which is 0. */
  readonly counts: readonly { readonly what: string; readonly count: number }[];
  /** What keeps some of it there, each a sentence. */
  readonly inTheWay: readonly string[];
}

/** Where data of an input may lie. */
export interface Place {
  /** What it is called for people. */
  readonly name: string;
  /** Looks for the input, and takes out what is found where that is wanted. Once more is harmless. */
  walk(isTaken: boolean, until: Until): Promise<Found>;
}

export interface ErasureProps {
  /** What requests call the input, to the letter. */
  readonly id: string;
  /** The answers bucket. */
  readonly bucket: string;
  readonly s3: S3Client;
  readonly jobs: Pick<Jobs, "open" | "input">;
  /** The warehouse, as its admin: no other user may delete. */
  readonly database: Pick<RedshiftData, "read" | "transaction">;
  readonly deadLetters: Pick<DeadLetters, "look" | "remove">;
  /** @default there is no feature group */
  readonly features?: Pick<FeatureStore, "timeOf" | "erase">;
}

/**
 * The places where data of an input may lie, in the order in which it is taken out: what is staged before the warehouse,
 * since a load that is under way by then ends before the warehouse's rows are deleted.
 */
export const placesOf = (props: ErasureProps): Place[] => [
  ...(props.features ? [featureStore(props.id, props.features)] : []),
  deadLetterQueue(props),
  staged(props),
  warehouse(props),
  sample(props),
];

/** Counts by what they count, as {@link Found} has them. */
export const countsOf = (counts: Readonly<Record<string, number>>): Found["counts"] =>
  Object.entries(counts).flatMap(([what, count]) => (count > 0 ? [{ what, count }] : []));

/** What a job that has not ended keeps: its result could not be written without it. */
export const ofOpenJob = (jobId: string, what: string) =>
  `The job ${jobId} has not ended, and needs ${what}: wait for its end or cancel it, then run this again.`;

export const openJobs = async (jobs: ErasureProps["jobs"], until: Until): Promise<Set<string>> =>
  new Set([...(await jobs.open(until))].flatMap(([id, { isOpen }]) => (isOpen ? [id] : [])));

const featureStore = (id: string, features: NonNullable<ErasureProps["features"]>): Place => ({
  name: "the feature group",
  walk: async (isTaken, until) => {
    const time = await features.timeOf(id, until);
    if (isTaken && time !== undefined) await features.erase(id, time, until);
    return { counts: countsOf({ "record of features": time === undefined ? 0 : 1 }), inTheWay: [] };
  },
});

const deadLetterQueue = ({ id, deadLetters }: ErasureProps): Place => ({
  name: "the dead-letter queue",
  walk: async (isTaken, until) => {
    let [found, unreadable] = [0, 0];
    const isOfInput = (letter: { readonly id?: string }) => {
      if (letter.id === undefined) unreadable++;
      if (letter.id === id) found++;
      return letter.id === id;
    };
    const walked = isTaken
      ? await deadLetters.remove(isOfInput, until)
      : await deadLetters.look((letters) => {
          for (const letter of letters) isOfInput(letter);
        }, until);
    const unseen = walked.hidden > 0 || !walked.whole;
    return {
      counts: countsOf({ "dead letters": found }),
      inTheWay: [
        ...(unseen
          ? ["Not all dead letters could be seen, since some are hidden: run this again in two minutes."]
          : []),
        ...(unreadable > 0
          ? [`No id can be read in ${unreadable} of the dead letters: \`failed export\` shows them.`]
          : []),
      ],
    };
  },
});

const lineSchema = z.object({ input_id: z.string().nullish(), job_id: z.string().nullish() });

/** A line of a staged object. @returns undefined where it is none */
const readLine = (text: string) => {
  try {
    return lineSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
};

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Objects that are looked at at once. */
const atOnce = 8;

const staged = ({ id, bucket, s3, jobs }: ErasureProps): Place => ({
  name: "answers and failures that are not loaded",
  walk: async (isTaken, until) => {
    const open = await openJobs(jobs, until);
    const kept = new Set<string>();
    const inTheWay: string[] = [];
    let count = 0;
    const look = async (key: string) => {
      const { version = 0 } = parseStagedKey(key.replace(folders.rejected, folders.staged)) ?? {};
      if (version > outcomeVersion) {
        inTheWay.push(`A newer version of this project wrote s3://${bucket}/${key}: erase by that one.`);
        return;
      }
      const body = await bodyOf(s3, bucket, key, until);
      if (body === undefined) return; // it was loaded meanwhile
      const lines = await linesOf(body.bytes);
      const read = lines?.map(readLine);
      if (lines === undefined || read === undefined || read.includes(undefined)) {
        inTheWay.push(`s3://${bucket}/${key} cannot be read: mend it, or delete it if it is of no use.`);
        return;
      }
      const left = lines.filter((_, place) => {
        const { input_id, job_id } = read[place] ?? {};
        const isOpen = job_id !== undefined && job_id !== null && open.has(job_id);
        if (input_id === id && isOpen) kept.add(job_id);
        return input_id !== id || isOpen;
      });
      const removed = lines.length - left.length;
      if (removed === 0) return;
      if (isTaken) {
        if (left.length === 0) await deleteObjects(s3, bucket, [{ Key: key }], until);
        else if (
          !(await replace(s3, bucket, key, await zip(left.map((line) => `${line}\n`).join("")), body.etag, until))
        )
          return; // it was loaded meanwhile: the warehouse has it
      }
      count += removed;
    };
    const limited = limiter(atOnce);
    const looks: Promise<void>[] = [];
    for (const folder of [folders.staged, folders.rejected]) {
      for await (const { key } of objectsBelow(s3, bucket, folder, until)) looks.push(limited(() => look(key)));
    }
    await Promise.all(looks);
    for (const job of kept) inTheWay.push(ofOpenJob(job, "what became of its rows"));
    return { counts: countsOf({ "answers and failures that are not loaded": count }), inTheWay };
  },
});

/** The lines of an object that gzip made. @returns undefined where it is none */
const linesOf = async (bytes: Uint8Array): Promise<string[] | undefined> => {
  try {
    return decoder
      .decode(await unzip(bytes))
      .split("\n")
      .filter((line) => line !== "");
  } catch {
    return undefined;
  }
};

const original = "original_prediction_results";

const rowCount = z
  .tuple([textField, z.union([textField, nothing]), countField])
  .transform(([what, jobId, count]) => ({ what, jobId, count }));

const warehouse = ({ id, database, jobs }: ErasureProps): Place => ({
  name: "the warehouse",
  walk: async (isTaken, until) => {
    const open = await openJobs(jobs, until);
    const isThere = `SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_name = '${original}'`;
    const found = await database.read(z.tuple([textField]), isThere, {}, until);
    /** The tables by what their rows are, each with what its rows of the input are known by. */
    const sources = new Map([
      ["answers in the warehouse", { table: tables.results, where: "input_id = :id" }],
      ["failures in the warehouse", { table: tables.failures, where: "input_id = :id" }],
      ...found.map(() => {
        const where = "CAST(input_id AS VARCHAR(1024)) = :id";
        return ["answers of the deployment that was taken over", { table: original, where }] as const;
      }),
    ]);
    const jobOf = (table: string) => (table === original ? "CAST(NULL AS VARCHAR(128))" : "job_id");
    const selects = [...sources].map(
      ([what, { table, where }]) =>
        `SELECT CAST('${what}' AS VARCHAR(64)) AS what, ${jobOf(table)} AS job_id FROM ${table} WHERE ${where}`,
    );
    const count = `SELECT what, job_id, COUNT(*) FROM (${selects.join(" UNION ALL ")}) AS found GROUP BY what, job_id`;
    const rows = await database.read(rowCount, count, { id }, until);
    const kept = new Set(rows.flatMap(({ jobId }) => (jobId !== undefined && open.has(jobId) ? [jobId] : [])));
    const counts: Record<string, number> = {};
    for (const { what, jobId, count } of rows) {
      if (jobId === undefined || !kept.has(jobId)) counts[what] = (counts[what] ?? 0) + count;
    }
    if (isTaken && Object.keys(counts).length > 0) {
      // An open job's name has no character that a literal could not.
      const others = [...kept].map((job) => `'${job}'`).join(", ");
      const unless = (table: string) =>
        kept.size > 0 && table !== original ? ` AND COALESCE(job_id, '') NOT IN (${others})` : "";
      const deletions = [...sources.values()].map(
        ({ table, where }) => `DELETE FROM ${table} WHERE ${where}${unless(table)}`,
      );
      // The lock lets a load come to its end first, whose rows are then seen.
      const done = await database.transaction([`LOCK ${tables.lock}`, ...deletions], until, { id });
      for (const [place, what] of [...sources.keys()].entries())
        counts[what] = done.rows[place + 1] ?? counts[what] ?? 0;
    }
    return {
      counts: countsOf(counts),
      inTheWay: [...kept].map((job) => ofOpenJob(job, "what became of its rows")),
    };
  },
});

/** The features of an input are kept there without its id, so nobody knows whether they are this one's. */
const sample = ({ bucket, s3, jobs }: ErasureProps): Place => ({
  name: sampleKey,
  walk: async (isTaken, until) => {
    const found = await jobs.input(sampleKey, until);
    if (isTaken && found) await deleteObjects(s3, bucket, [{ Key: sampleKey }], until);
    return { counts: countsOf({ "sample of features, without an id": found ? 1 : 0 }), inTheWay: [] };
  },
});

const failureSchema = z.object({ name: z.string() });
/** What S3 calls an error; nothing where it is none of its. */
export const nameOf = (error: unknown) => failureSchema.safeParse(error).data?.name ?? "";

/** An object as it is now. @returns undefined where it is gone */
const bodyOf = async (client: S3Client, Bucket: string, Key: string, { signal }: Until) => {
  try {
    const { Body, ETag: etag } = await client.send(new GetObjectCommand({ Bucket, Key }), { abortSignal: signal });
    return { bytes: (await Body?.transformToByteArray()) ?? new Uint8Array(), etag };
  } catch (error) {
    if (nameOf(error) === "NoSuchKey") return undefined;
    throw error;
  }
};

/** Writes an object over the one that was read. @returns false where that one is gone, or is another by now */
const replace = async (
  client: S3Client,
  Bucket: string,
  Key: string,
  Body: Uint8Array,
  IfMatch: string | undefined,
  { signal }: Until,
): Promise<boolean> => {
  try {
    await client.send(new PutObjectCommand({ Bucket, Key, Body, IfMatch }), { abortSignal: signal });
    return true;
  } catch (error) {
    if (["NoSuchKey", "PreconditionFailed"].includes(nameOf(error))) return false;
    throw error;
  }
};
