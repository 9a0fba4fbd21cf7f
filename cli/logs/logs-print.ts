import { z } from "zod";
import type { Pipeline } from "../shared/connection";
import { counted } from "../shared/numbers";
import { visible } from "../shared/printing";
import { textTable } from "../shared/text-table";
import type { About, FoundLines, LogLine } from "./log-lines";

/** What of a line people read. Where an outcome is staged is the machine's own affair. */
const lineSchema = z.looseObject({
  level: z.string().default("INFO"),
  message: z.string().default(""),
  code: z.string().optional(),
  reason: z.string().optional(),
  job: z.string().optional(),
  rows: z.number().optional(),
  requestIds: z.array(z.string()).default([]),
});

/** A line in words, without what says only that it is about what was asked for. */
function inWords({ line }: LogLine, about: About): string {
  const { data } = lineSchema.safeParse(line);
  if (data === undefined) return typeof line === "string" ? line : JSON.stringify(line);
  const { level, message, code, reason, job, rows, requestIds } = data;
  const why = [code, reason].filter(Boolean).join(": ");
  const count = requestIds.length > 1 || "job" in about ? requestIds.length : 0;
  return [
    level === "INFO" ? "" : `${level} `,
    message,
    ...(rows === undefined ? [] : [`, ${counted(rows, "row")}`]),
    ...(count === 0 ? [] : [`, ${counted(count, "request")}`]),
    ...(job === undefined || "job" in about ? [] : [`, of the job ${job}`]),
    ...(why === "" ? [] : [`: ${why}`]),
  ].join("");
}

/** Prints lines. What in them would act on a terminal is shown as a space, or as JSON writes it. @throws where there is none */
export function printLines(pipeline: Pipeline, { about, since, lines, more }: FoundLines, json: boolean): void {
  if (json) console.log(visible(JSON.stringify(lines, undefined, 2)));
  else if (lines.length > 0) {
    const rows = lines.map((line) => [line.at.toISOString(), line.function, inWords(line, about)]);
    console.log(textTable(["at", "function", "logged"], rows));
  }
  if (more !== undefined) console.error(`There may be more: ${more}. Ask from a later time on: --since`);
  if (lines.length > 0) {
    if (!json && "job" in about) console.error(`How far it is: ${pipeline.commandFor(`job ${about.job}`)}`);
    return;
  }
  const what = "job" in about ? `the job ${JSON.stringify(about.job)}` : `the request ${JSON.stringify(about.request)}`;
  throw new Error(
    `Nothing was logged of ${what} since ${since.toISOString()}. Look further back: --since 7d. A log line takes some seconds to be found.`,
  );
}
