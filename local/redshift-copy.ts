import { once } from "node:events";
import { gunzipSync } from "node:zlib";
import { Client, type PoolClient } from "pg";
import { z } from "zod";
import { type ClusterRole, S3Refused } from "./cluster-role";

/** COPY of what a manifest lists, in the only form that is known here. */
export interface Copy {
  readonly table: string;
  readonly columns: string;
  readonly manifestUrl: string;
  readonly roleArn: string;
}

const form =
  /^\s*COPY (\w+) \(([\w, ]+)\) FROM '([^']+)' IAM_ROLE '([^']+)' FORMAT JSON 'auto' GZIP MANIFEST TIMEFORMAT 'auto' COMPUPDATE OFF STATUPDATE OFF\s*$/;

/** Reads a COPY. @returns undefined where it is none of the known form */
export function copyOf(sql: string): Copy | undefined {
  const [, table, columns, manifestUrl, roleArn] = form.exec(sql) ?? [];
  if (!table || !columns || !manifestUrl || !roleArn) return undefined;
  return { table, columns, manifestUrl, roleArn };
}

/** A row that cannot be loaded, and the object that it is in. */
export class LoadError extends Error {
  constructor(
    readonly table: string,
    readonly fileName: string,
    /** What is said of it in `sys_load_error_detail`. */
    readonly detail: string,
  ) {
    super(`Load into table '${table}' failed.  Check 'sys_load_error_detail' system table for details.`);
  }
}

/** The most of one row (https://docs.aws.amazon.com/redshift/latest/dg/r_COPY.html). */
const rowBytes = 4 * 1024 * 1024;
/** So much is given to the database at a time, in UTF-16 code units, and so many objects are read at the same time. */
const chunkLength = 2_000_000;
const readsAtOnce = 64;

const manifestSchema = z.object({
  entries: z.array(z.object({ url: z.string(), mandatory: z.boolean().default(false) })),
});
type Entry = z.infer<typeof manifestSchema>["entries"][number];

/** An object's rows, as the elements of a JSON list. */
interface File {
  readonly url: string;
  readonly rows: string;
}

/**
 * Loads objects into a table, in the transaction that is open. Names and values are taken as COPY documents them: a name
 * that is no column is passed over, a missing value and null are NULL, a text ends at its first NUL.
 * @param skips whether COPY does not find an object that is there, by its address and its place in the manifest
 * @returns the number of rows
 * @throws LoadError for a row that cannot be loaded, S3Refused, and the database's own errors
 */
export async function runCopy(
  client: PoolClient,
  { table, columns, manifestUrl }: Copy,
  s3: ClusterRole,
  skips: (url: string, place: number) => boolean = () => false,
): Promise<number> {
  const entries = await manifestOf(s3, manifestUrl);
  const isSkipped = new Set(entries.filter(({ url }, place) => skips(url, place)));
  const insert = `INSERT INTO ${table} (${columns}) SELECT ${columns} FROM json_populate_recordset(NULL::${table}, $1)`;
  const insertRows = async (rows: string) => (await client.query(insert, [`[${rows}]`])).rowCount ?? 0;
  await client.query("SAVEPOINT copy");

  const load = async (files: readonly File[]) => {
    try {
      return await insertRows(files.map(({ rows }) => rows).join(","));
    } catch (error) {
      if (!isOfData(error)) throw error;
      await client.query("ROLLBACK TO SAVEPOINT copy");
      for (const { url, rows } of files) {
        await insertRows(rows).catch((refusal) => {
          throw isOfData(refusal) ? new LoadError(table, url, detailOf(refusal)) : refusal;
        });
      }
      throw error;
    }
  };

  let loaded = 0;
  let found = 0;
  let waiting: File[] = [];
  let loading = Promise.resolve(0);
  for (let start = 0; start < entries.length; start += readsAtOnce) {
    const read = await Promise.allSettled(
      entries.slice(start, start + readsAtOnce).map(async (entry) => {
        if (!isSkipped.has(entry)) return fileOf(s3, entry, table);
        if (entry.mandatory) throw gone();
        return undefined;
      }),
    );
    for (const one of read) {
      if (one.status === "rejected") {
        await loading; // whose fault comes first
        throw one.reason;
      }
      if (one.value === undefined) continue;
      found++;
      if (one.value.rows !== "") waiting.push(one.value);
    }
    if (waiting.reduce((sum, { rows }) => sum + rows.length, 0) < chunkLength) continue;
    loaded += await loading;
    loading = load(waiting); // while more is read
    loading.catch(() => {}); // it is told where it is waited for
    waiting = [];
    await sent(client, loading);
  }
  if (found === 0) throw gone(); // whatever is mandatory
  loaded += await loading;
  return waiting.length > 0 ? loaded + (await load(waiting)) : loaded;
}

/**
 * Waits until PostgreSQL has all of a query, or is done with it. Its socket takes some 200 KB at a time, in turns of the
 * event loop: PostgreSQL would wait for each as long as a turn takes in which much else is done.
 */
async function sent(client: PoolClient, query: Promise<unknown>) {
  const stream = client instanceof Client ? client.connection.stream : undefined;
  if (stream?.writableNeedDrain) await Promise.race([once(stream, "drain"), query]);
}

const gone = () => new S3Refused(404, "NoSuchKey", "The specified key does not exist.");

async function manifestOf(s3: ClusterRole, url: string): Promise<Entry[]> {
  const body = await s3.get(url).catch((error) => {
    throw error instanceof S3Refused ? new Error(`Problem reading manifest file - ${error.message}`) : error;
  });
  return manifestSchema.parse(JSON.parse(body.toString())).entries;
}

/** An object's rows. @returns undefined where it is not there and need not be */
async function fileOf(s3: ClusterRole, { url, mandatory }: Entry, table: string): Promise<File | undefined> {
  const zipped = await s3.get(url).catch((error) => {
    if (!mandatory && error instanceof S3Refused && error.message.includes("NoSuchKey")) return undefined;
    throw error;
  });
  if (zipped === undefined) return undefined;
  const body = inflated(zipped);
  const fault = (detail: string) => new LoadError(table, url, detail);
  const rows = textOf(body, fault)
    .split("\n")
    .map((line) => rowOf(line, fault));
  return { url, rows: rows.filter((row) => row !== "").join(",") };
}

/** Many objects are small: by turns in a thread of its own, each would take longer. */
function inflated(zipped: Buffer): Buffer {
  try {
    return gunzipSync(zipped);
  } catch {
    // It is not documented that a row says which object this is.
    throw new Error("failed to inflate with zlib: invalid or incomplete deflate data");
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function textOf(body: Buffer, fault: (detail: string) => LoadError): string {
  try {
    return utf8.decode(body);
  } catch {
    throw fault("String contains invalid or unsupported UTF8 codepoints.");
  }
}

/** A line as the database is given it. */
function rowOf(line: string, fault: (detail: string) => LoadError): string {
  const text = line.trim();
  if (text.length * 3 > rowBytes && Buffer.byteLength(text) > rowBytes)
    throw fault("Input data exceeds maximum row size of 4 MB");
  if (text !== "" && !(text.startsWith("{") && text.endsWith("}"))) throw fault("Invalid JSONPath format: no object");
  if (!text.includes("\\u0000")) return text;
  try {
    return JSON.stringify(
      JSON.parse(text, (_, value) => (typeof value === "string" ? value.replace(/\0.*/s, "") : value)),
    );
  } catch {
    throw fault("Invalid value.");
  }
}

/** Whether the database refuses a statement for its data. */
const isOfData = (error: unknown) => /^2[23]/.test(sqlState(error));

const sqlState = (error: unknown) => z.object({ code: z.string() }).safeParse(error).data?.code ?? "";

/** What Redshift says of PostgreSQL's errors. */
function detailOf(error: unknown): string {
  const state = sqlState(error);
  if (state === "22001" || state === "23514") return "String length exceeds DDL length";
  if (state === "23502") return "Missing data for not-null field";
  if (state === "22007" || state === "22008") return "Invalid timestamp format or value [YYYY-MM-DD HH24:MI:SS]";
  return "Invalid value.";
}
