import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { PoolClient, QueryArrayResult } from "pg";
import type { ClusterRole } from "./cluster-role";

const deflate = promisify(gzip);

/** UNLOAD in the only form that is known here. */
export interface Unload {
  readonly select: string;
  /** What the addresses of all that is written begin with. */
  readonly to: string;
  readonly roleArn: string;
  /** Whether one node writes part after part, so that rows are in order over all. */
  readonly isSerial: boolean;
}

const form =
  /^\s*UNLOAD \('((?:[^']|'')*)'\) TO '([^']+)' IAM_ROLE '([^']+)' FORMAT JSON GZIP MANIFEST VERBOSE( PARALLEL OFF)?(?: KMS_KEY_ID '[^']+' ENCRYPTED)?\s*$/;

/** Reads an UNLOAD. @returns undefined where it is none of the known form */
export function unloadOf(sql: string): Unload | undefined {
  const [, select, to, roleArn, serial] = form.exec(sql) ?? [];
  if (!select || !to || !roleArn) return undefined;
  return { select: select.replaceAll("''", "'"), to, roleArn, isSerial: serial !== undefined };
}

/**
 * Slices of the cluster, each of which writes files of its own: rows are in order within a file, not over all. With
 * PARALLEL OFF one writes all (https://docs.aws.amazon.com/redshift/latest/dg/r_UNLOAD.html).
 */
const slices = 4;
const rowsAtOnce = 10_000;

/** A column's type by PostgreSQL's number, as the manifest names it. @default a text */
const types: { readonly [type: number]: string | undefined } = {
  16: "boolean",
  20: "bigint",
  21: "smallint",
  23: "integer",
  700: "real",
  701: "double precision",
  1082: "date",
  1114: "timestamp without time zone",
  1184: "timestamp with time zone",
  1700: "numeric",
};
const numbers = new Set([20, 21, 23, 700, 701, 1700]);

interface Column {
  readonly name: string;
  readonly type: number;
}

interface Entry {
  readonly url: string;
  readonly meta: { readonly content_length: number; readonly record_count: number };
}

/**
 * Writes the rows of a query, in the transaction that is open: objects of gzipped lines of JSON, and after them the list
 * of them, `<to>manifest`, with the members that AWS documents
 * (https://docs.aws.amazon.com/redshift/latest/dg/r_UNLOAD_command_examples.html). Of no rows nothing is written, which
 * is what is known of the objects; of the list it is assumed.
 * @param select the query as PostgreSQL takes it
 * @param partRows the most rows of an object
 * @returns the number of rows
 */
export async function runUnload(
  client: PoolClient,
  { select, to, isSerial }: Omit<Unload, "roleArn">,
  s3: ClusterRole,
  partRows = 100_000,
): Promise<number> {
  if (/\bLIMIT\s+\d+(\s+OFFSET\s+\d+)?[\s;]*$/i.test(select)) throw new Error("LIMIT clause is not supported");
  if (await s3.hasAny(to)) {
    throw new Error(
      "Specified unload destination on S3 is not empty. Consider using a different bucket / prefix, manually removing the target files in S3, or using the ALLOWOVERWRITE option.",
    );
  }
  await client.query(`DECLARE unload NO SCROLL CURSOR FOR ${select}`);
  const entries: Entry[] = [];
  const length = isSerial ? 1 : slices;
  const parts = Array.from({ length }, (_, slice) => ({ slice, number: 0, lines: [] as string[] }));
  const write = async (part: (typeof parts)[number]) => {
    const body = await deflate(part.lines.join(""), { level: 1 });
    const [slice, number] = [String(part.slice).padStart(4, "0"), String(part.number).padStart(2, "0")];
    const url = `${to}${isSerial ? String(part.number).padStart(3, "0") : `${slice}_part_${number}`}.gz`;
    await s3.put(url, body);
    entries.push({ url, meta: { content_length: body.length, record_count: part.lines.length } });
    part.number++;
    part.lines = [];
  };
  let columns: Column[] = [];
  let count = 0;
  for (let last = false; !last; ) {
    const page: QueryArrayResult<(string | null)[]> = await client.query({
      text: `FETCH ${rowsAtOnce} FROM unload`,
      rowMode: "array",
      types: { getTypeParser: () => (text: string) => text },
    });
    columns = page.fields.map(({ name, dataTypeID: type }) => ({ name, type }));
    for (const row of page.rows) {
      const part = parts[count % length];
      part?.lines.push(`${lineOf(columns, row)}\n`);
      count++;
      if (part && part.lines.length >= partRows) await write(part);
    }
    last = page.rows.length < rowsAtOnce;
  }
  await client.query("CLOSE unload");
  for (const part of parts) if (part.lines.length > 0) await write(part);
  if (count > 0) await s3.put(`${to}manifest`, Buffer.from(manifestOf(columns, entries)));
  return count;
}

/** A row as a line of JSON: NULL is null, and a time is a text. */
const lineOf = (columns: readonly Column[], row: readonly (string | null)[]): string => {
  const members = columns.map(({ name, type }, place) => {
    const text = row[place] ?? null;
    const value = text === null || isBare(type, text) ? bare(type, text) : JSON.stringify(text);
    return `${JSON.stringify(name)}:${value}`;
  });
  return `{${members.join(",")}}`;
};

const isBare = (type: number, text: string) => type === 16 || (numbers.has(type) && /^-?\d/.test(text));
const bare = (type: number, text: string | null) => (type === 16 && text !== null ? String(text === "t") : text);

const manifestOf = (columns: readonly Column[], entries: readonly Entry[]) => {
  const sum = (name: keyof Entry["meta"]) => entries.reduce((total, { meta }) => total + meta[name], 0);
  const elements = columns.map(({ name, type }) => ({ name, type: { base: types[type] ?? "character varying" } }));
  return JSON.stringify({
    entries,
    schema: { elements },
    meta: { content_length: sum("content_length"), record_count: sum("record_count") },
    author: { name: "Amazon Redshift", version: "1.0.0" },
  });
};
