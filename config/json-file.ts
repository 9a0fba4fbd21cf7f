import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { ConfigError } from "./faults";
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

/** Writes such a file, in one step: a reader finds the old file or the new one. */
export function writeJsonFile(file: string, content: unknown): void {
  const partial = `${file}.${process.pid}.partial`;
  writeFileSync(partial, `${JSON.stringify(content, null, 2)}\n`);
  renameSync(partial, file);
}

/**
 * Changes such a file, of which no other process writes anything meanwhile.
 * @param change reads what the file says, and writes what it is to say
 * @throws when another process works at it, and what the change throws
 */
export function changeJsonFile(file: string, change: () => void): void {
  const release = holdFile(file);
  try {
    change();
  } finally {
    release();
  }
}
