import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import type { z } from "zod";
import { ConfigError, faultsOf } from "./faults";
import { holdFile } from "./file-lock";

/** What a file beside config.ts says, unchecked: nothing where there is no file. @throws ConfigError when it is no JSON */
export function readJsonFile(file: string): unknown {
  if (!existsSync(file)) return {};
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new ConfigError([`no JSON: ${error instanceof Error ? error.message : error}`], [file]);
  }
}

/** Writes a file in one step: a reader finds the old file or the new one. */
export function writeWhole(file: string, text: string): void {
  const partial = `${file}.${process.pid}.partial`;
  writeFileSync(partial, text);
  renameSync(partial, file);
}

/** A JSON file beside config.ts, reviewed like it, whose content is checked whenever it is read or written. */
export const reviewedFile = <Content>(usual: string, schema: z.ZodType<Content>) => {
  /** Gives the content, or every fault there is, a line each. */
  const check = (
    written: unknown,
  ): { content: Content; faults?: undefined } | { content?: undefined; faults: string[] } => {
    const { success, data, error } = schema.safeParse(written);
    if (success) return { content: data };
    return { faults: faultsOf([], error).map((line) => `${usual}: ${line.replace(/^settings: /, "")}`) };
  };
  /** @throws ConfigError with every fault there is */
  const read = (file = usual): Content => {
    const checked = check(readJsonFile(file));
    if (checked.faults) throw new ConfigError(checked.faults, [file]);
    return checked.content;
  };
  const write = (content: Content, file = usual) =>
    writeWhole(file, `${JSON.stringify(schema.parse(content), null, 2)}\n`);
  /** Changes it, while no other process does. @throws ConfigError with every fault of the file, and when another process is at work */
  const change = (make: (content: Content) => Content, file = usual): void => {
    const release = holdFile(file);
    try {
      write(make(read(file)), file);
    } finally {
      release();
    }
  };
  return { check, read, write, change };
};
