import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { localDataDir } from "../../cli/shared/connection";
import { runName } from "./settings";

const stepSchema = z.object({
  name: z.string(),
  passed: z.boolean(),
  seconds: z.number(),
  /** What it has shown. */
  proves: z.array(z.string()),
  /** What was wrong. */
  fault: z.string().optional(),
});

const recordSchema = z.object({
  name: z.string().regex(runName),
  account: z.string(),
  region: z.string(),
  profile: z.string().optional(),
  /** Where it ran: only what ran on AWS proves anything of AWS. */
  on: z.enum(["AWS", "stand-ins"]),
  startedAt: z.iso.datetime(),
  /** What was done, in its order. */
  steps: z.array(stepSchema),
  /** What is made and not yet removed, in its order: a step that has failed may have made some of it. */
  made: z.array(z.enum(["state", "environment"])),
  /** What could not be removed, when that was tried last. */
  left: z.array(z.string()),
  /** When it was found that nothing is left. */
  removedAt: z.iso.datetime().optional(),
});

/** What a run did, and what is there because of it. It is written before anything is made. */
export type RunRecord = z.infer<typeof recordSchema>;
export type StepRecord = z.infer<typeof stepSchema>;

/** The folder of a run. */
export const folderOf = (name: string) => join(localDataDir, name);
export const checkoutOf = (name: string) => join(folderOf(name), "checkout");
/** The file of all that a run's commands printed. */
export const logOf = (name: string) => join(folderOf(name), "log.txt");
export const recordFileOf = (name: string) => join(folderOf(name), "record.json");

/** Writes it in one step: a reader finds the old one or the new one. */
export function writeRecord(record: RunRecord): void {
  const file = recordFileOf(record.name);
  writeFileSync(`${file}.partial`, `${JSON.stringify(record, undefined, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.partial`, file);
}

/** @throws where there is none, or it cannot be read */
export function readRecord(name: string): RunRecord {
  const file = recordFileOf(name);
  if (!existsSync(file)) throw new Error(`There is no run ${name} here: ${file} does not exist.`);
  const { data, error } = recordSchema.safeParse(JSON.parse(readFileSync(file, "utf8")));
  if (data === undefined) throw new Error(`${file} cannot be read:\n${z.prettifyError(error)}`);
  return data;
}

/** The runs of this checkout that may have left something, the oldest first. */
export function unfinishedRuns(): RunRecord[] {
  const names = existsSync(localDataDir) ? readdirSync(localDataDir).sort() : [];
  return names
    .filter((name) => runName.test(name) && existsSync(recordFileOf(name)))
    .map(readRecord)
    .filter(({ removedAt }) => removedAt === undefined);
}
