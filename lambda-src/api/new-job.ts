import * as z from "zod";
import { bytesOf } from "../../contract/bytes";
import {
  inputFormats,
  type JobSettings,
  jobFolders,
  jobName,
  jobNameRule,
  jobSettings,
  resultFormats,
} from "../../contract/job";
import { elementsOf, isJson, membersOf } from "../../contract/json-text";
import { listed } from "../../contract/listed";
import { shapeOf } from "../../contract/wire-format";
import { faultOfField, faultsOfNames, InvalidRequest, shortened } from "../../pipeline/request-reader";

/** A job as a caller asks for it. */
export interface AskedJob {
  /** @default the fingerprint names it */
  readonly id?: string;
  /** Where its rows are, or they themselves, a line each. */
  readonly input: { readonly key: string } | { readonly rows: string };
  readonly settings: JobSettings;
}

/** The most that is handed over in a call. More go into a file. */
const mostRows = 1_000;
const mostRowsBytes = 2_000_000;

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html */
const keyBytes = 1_024;

/** A contract has 2,500 features at most, whose names have at most 64 characters. */
const columnsBytes = 500_000;

const day = 86_400;
const shortestDeadline = 60;

/** The longest that a job may take: as long as the queue keeps a message less a day, or half as long where that is short. */
const longestDeadline = (retentionSeconds: number): number =>
  Math.max(shortestDeadline, retentionSeconds < 2 * day ? Math.floor(retentionSeconds / 2) : retentionSeconds - day);

const none = 'must be a JSON object such as {"input": {"key": "inputs/rows.csv"}}, got';
const names = ["id", "input", "format", "columns", "limit", "tenant", "deadline", "result"] as const;
const allNames = `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;

type Format = JobSettings["format"];

/** The format that a key says, which may be that of a compressed file. */
const formatOfKey = (key: string): Format | undefined => {
  const [, extension] = /\.(csv|ndjson|jsonl)(?:\.gz)?$/i.exec(key) ?? [];
  if (extension === undefined) return undefined;
  return extension.toLowerCase() === "csv" ? "csv" : "ndjson";
};

/** A key below `inputs/`, without what HTTP clients take for a way up: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html */
const inputKey = z
  .string()
  .startsWith(jobFolders.inputs)
  .min(jobFolders.inputs.length + 1)
  .refine((key) => bytesOf(key) <= keyBytes && !/\0|\p{Surrogate}/u.test(key))
  .refine((key) => !key.split("/").some((part) => part === "." || part === ".."));

const keyRule = `the key of an object below ${jobFolders.inputs}, of at most ${keyBytes.toLocaleString("en")} UTF-8 bytes and without . and .. between slashes`;

/** An element on a line of its own: in JSON a line ends between values alone. */
const lineOf = (json: string) => `${json.replaceAll(/[\r\n]+/g, " ")}\n`;

/** Reads the rows that are handed over, as text, since a number may have more digits than JavaScript keeps. */
const readRows = (json: string, faults: string[]): string => {
  const elements = elementsOf(json);
  if (elements === undefined || elements.length < 1 || elements.length > mostRows) {
    const given = elements === undefined ? shapeOf(json) : elements.length.toLocaleString("en");
    faults.push(`input.rows must be an array of 1 to ${mostRows.toLocaleString("en")} JSON objects, got ${given}`);
    return "";
  }
  const wrong = elements.flatMap((row, place) =>
    row.startsWith("{") ? [] : [`input.rows[${place}] is ${shapeOf(row)}`],
  );
  if (wrong.length > 0) faults.push(`input.rows must be JSON objects such as {"id": "7"}: ${listed(wrong, 10)}`);
  const rows = elements.map(lineOf).join("");
  const bytes = bytesOf(rows);
  if (bytes > mostRowsBytes) {
    const [most, given] = [mostRowsBytes, bytes].map((count) => count.toLocaleString("en"));
    faults.push(
      `input.rows must have at most ${most} UTF-8 bytes as lines, got ${given}: put more into an object below ${jobFolders.inputs}`,
    );
  }
  return rows;
};

/** Reads where the rows are. */
const readInput = (json: string | undefined, faults: string[]): AskedJob["input"] => {
  const members = json === undefined ? undefined : membersOf(json);
  const given = new Map(members?.map(({ name, text }) => [name, text]));
  const [key, rows] = [given.get("key"), given.get("rows")];
  faults.push(
    ...faultsOfNames(
      "input has",
      members?.map(({ name }) => name) ?? [],
      (name) => name === "key" || name === "rows",
      "key or rows",
    ),
  );
  if ((key === undefined) === (rows === undefined)) {
    const got = json === undefined ? "nothing" : members === undefined ? shapeOf(json) : key ? "both" : "neither";
    faults.push(`input must be a JSON object with either key or rows, got ${got}`);
    return { key: "" };
  }
  if (rows !== undefined) return { rows: readRows(rows, faults) };
  const parsed = inputKey.safeParse(JSON.parse(key ?? ""));
  if (!parsed.success) faults.push(`input.key must be ${keyRule}, got ${shortened(key ?? "")}`);
  return { key: parsed.data ?? "" };
};

const columnsSchema = z.record(z.string().min(1), z.string().min(1));

/**
 * Reads what is asked for by `POST /jobs`. Whether each row is a request is for the starter to say.
 * @param retentionSeconds how long the queue keeps a message
 * @throws InvalidRequest with every fault
 */
export const parseNewJob = (text: string, retentionSeconds: number): AskedJob => {
  if (!isJson(text)) throw new InvalidRequest(`a job ${none} ${shapeOf(text)}`);
  const members = membersOf(text);
  if (members === undefined) throw new InvalidRequest(`a job ${none} ${shapeOf(text)}`);
  const given = new Map(members.map(({ name, text }) => [name, text]));
  const faults: string[] = [];
  /** The value of a member, which may be missing. */
  const read = <Schema extends z.ZodType>(name: (typeof names)[number], schema: Schema, rule: string) => {
    const json = given.get(name);
    if (json === undefined) return undefined;
    const parsed = schema.safeParse(JSON.parse(json));
    if (!parsed.success) faults.push(`${name} must be ${rule}, got ${shortened(json)}`);
    return parsed.data;
  };

  const id = read("id", z.string().regex(jobName), jobNameRule);
  const input = readInput(given.get("input"), faults);
  const format = read("format", z.enum(inputFormats), "csv or ndjson");
  const ofInput = "rows" in input ? "ndjson" : formatOfKey(input.key);
  if ("rows" in input && format === "csv") faults.push('format must be ndjson for rows in the call, got "csv"');
  if (!given.has("format") && ofInput === undefined && "key" in input && input.key !== "") {
    faults.push(`format must be csv or ndjson where the key does not end in .csv or .ndjson, got nothing`);
  }
  const columns = read("columns", columnsSchema, "a JSON object of columns' names by feature");
  if (bytesOf(given.get("columns") ?? "") > columnsBytes) {
    faults.push(`columns must have at most ${columnsBytes.toLocaleString("en")} UTF-8 bytes`);
  }
  if (columns !== undefined && (format ?? ofInput) === "ndjson") {
    faults.push("columns is for csv alone: a row of ndjson names its features");
  }
  const limit = read("limit", z.int().min(1), "a whole number of 1 or more");
  const tenantJson = given.get("tenant");
  const tenant: unknown = tenantJson === undefined ? undefined : JSON.parse(tenantJson);
  faults.push(...[faultOfField("tenant", tenant, shortened(tenantJson ?? "nothing")) ?? []].flat());
  const longest = longestDeadline(retentionSeconds);
  const [least, most] = [shortestDeadline, longest].map((seconds) => seconds.toLocaleString("en"));
  const deadline = read(
    "deadline",
    z.int().min(shortestDeadline).max(longest),
    `a whole number of seconds from ${least} to ${most}, for which the queue is sure to keep a message`,
  );
  const result = read("result", z.enum(resultFormats), "ndjson, csv or parquet");
  faults.push(
    ...faultsOfNames(
      "a job has",
      members.map(({ name }) => name),
      (name) => names.some((one) => one === name),
      allNames,
    ),
  );
  if (faults.length > 0) throw new InvalidRequest(faults.join("; "));
  const settings = { format: format ?? ofInput, columns, limit, tenant, deadlineSeconds: deadline ?? longest, result };
  return { id, input, settings: jobSettings.parse(settings) };
};
