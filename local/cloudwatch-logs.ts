import { createReadStream, existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { z } from "zod";
import { serveSigned } from "./signature";
import { AwsError, json, parseBody, type StandIn } from "./stand-in";

const filterLogEvents = z.object({
  logGroupName: z.string(),
  filterPattern: z.string().default(""),
  startTime: z.number().default(0),
  limit: z.number().int().positive().max(10_000).default(10_000),
  nextToken: z.string().regex(/^\d+$/).optional(),
});

const dated = z.object({ timestamp: z.iso.datetime() });

/**
 * Starts CloudWatch Logs over the files that functions log to. It knows FilterLogEvents, with patterns of terms of which a line has
 * one: `"a"`, `?"a" ?"b"`. A line that says no time of its own has that of the one before.
 * @param folder with a file for each function, `<function>.log`
 */
export function startCloudWatchLogs(folder: string): Promise<StandIn> {
  return serveSigned(async (request) => {
    const operation = String(request.headers["x-amz-target"]).replace(/^Logs_20140328\./, "");
    if (operation !== "FilterLogEvents")
      throw new AwsError("UnknownOperationException", 404, `no operation ${operation}`);
    const {
      logGroupName,
      filterPattern,
      startTime,
      limit,
      nextToken = "0",
    } = parseBody(request, filterLogEvents, "ValidationException");
    const terms = termsOf(filterPattern);
    const file = fileOf(folder, logGroupName);
    const events: { timestamp: number; message: string }[] = [];
    let [place, timestamp] = [0, 0];
    for await (const message of createInterface({
      input: createReadStream(file),
      crlfDelay: Number.POSITIVE_INFINITY,
    })) {
      timestamp = timeOf(message) ?? timestamp;
      if (place++ < Number(nextToken) || timestamp < startTime || message === "") continue;
      if (terms.length > 0 && !terms.some((term) => message.includes(term))) continue;
      events.push({ timestamp, message });
      if (events.length === limit) return json({ events, nextToken: String(place) });
    }
    return json({ events });
  });
}

/** @throws AwsError where there is no such log group */
function fileOf(folder: string, logGroupName: string): string {
  const [, name = ""] = /^\/aws\/lambda\/([\w-]+)$/.exec(logGroupName) ?? [];
  const file = join(folder, `${name}.log`);
  if (name !== "" && existsSync(file)) return file;
  throw new AwsError("ResourceNotFoundException", 400, `The specified log group does not exist: ${logGroupName}`);
}

/** @throws AwsError where it is another pattern than this knows */
function termsOf(pattern: string): string[] {
  const term = /\??"((?:[^"\\]|\\.)*)"/g;
  if (pattern.replace(term, "").trim() !== "") {
    throw new AwsError("InvalidParameterException", 400, `Invalid filter pattern here: ${pattern}`);
  }
  return [...pattern.matchAll(term)].map(([, text = ""]) => text.replace(/\\(.)/g, "$1"));
}

function timeOf(message: string): number | undefined {
  if (!message.startsWith("{")) return undefined;
  try {
    return Date.parse(dated.parse(JSON.parse(message)).timestamp);
  } catch {
    return undefined;
  }
}
