import { randomUUID } from "node:crypto";
import { closeSync, openSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import { hostname } from "node:os";
import { z } from "zod";

/** Who works at a file, as the file beside it says. */
const holderSchema = z.object({ pid: z.int().positive(), host: z.string(), since: z.string(), key: z.uuid() });

type Holder = z.infer<typeof holderSchema>;

/** What this process holds. */
const held = new Set<string>();

/**
 * Keeps other processes from working at a file, which need not be there: a file beside it, `<file>.lock`, says who does.
 * What a process of this machine has left behind that is no more is taken over.
 * @returns lets go of it
 * @throws when another process works at it, with its number, its machine, and since when
 */
export function holdFile(file: string): () => void {
  const lock = `${file}.lock`;
  const mine: Holder = { pid: process.pid, host: hostname(), since: new Date().toISOString(), key: randomUUID() };
  while (!create(lock, mine)) takeOver(file, lock, mine);
  held.add(mine.key);
  const release = () => {
    if (held.delete(mine.key)) rmSync(lock, { force: true });
  };
  process.once("exit", release);
  return () => {
    process.off("exit", release);
    release();
  };
}

/** Does work while no other process works at a file. @throws as {@link holdFile} and the work do */
export async function whileHolding<Result>(file: string, work: () => Promise<Result>): Promise<Result> {
  const release = holdFile(file);
  try {
    return await work();
  } finally {
    release();
  }
}

/** Writes a lock that is not there yet, and says whether it was not. */
function create(lock: string, holder: Holder): boolean {
  let opened: number;
  try {
    opened = openSync(lock, "wx");
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw new Error(`cannot write ${lock}: ${error instanceof Error ? error.message : error}`);
  }
  try {
    writeSync(opened, JSON.stringify(holder));
  } finally {
    closeSync(opened);
  }
  return true;
}

/** Removes a lock whose process is no more, as the only one that does. @throws when the process is there */
function takeOver(file: string, lock: string, mine: Holder): void {
  const holder = holderOf(lock);
  if (holder === "gone") return;
  if (holder === "unknown" || !isGone(holder)) throw new Error(atWork(file, lock, holder));
  const claim = `${lock}.${holder.key}`;
  if (!create(claim, mine)) throw new Error(atWork(file, claim, holderOf(claim)));
  const now = holderOf(lock);
  const isStill = typeof now === "object" && now.key === holder.key; // no one else removes it now
  if (isStill) renameSync(lock, `${claim}.gone`);
  rmSync(`${claim}.gone`, { force: true });
  rmSync(claim, { force: true });
}

function holderOf(lock: string): Holder | "gone" | "unknown" {
  try {
    return holderSchema.parse(JSON.parse(readFileSync(lock, "utf8")));
  } catch (error) {
    return codeOf(error) === "ENOENT" ? "gone" : "unknown";
  }
}

/** Whether a lock's process has ended: that is known of this machine's alone. */
function isGone({ pid, host, key }: Holder): boolean {
  if (host !== hostname()) return false;
  if (pid === process.pid) return !held.has(key);
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return codeOf(error) === "ESRCH";
  }
}

const codeOf = (error: unknown) =>
  typeof error === "object" && error !== null && "code" in error ? error.code : undefined;

const atWork = (file: string, lock: string, holder: Holder | "gone" | "unknown") =>
  typeof holder === "object"
    ? `${file} is being worked at by process ${holder.pid} on ${holder.host}, since ${holder.since}. Wait for its end; if there is no such process any more, delete ${lock}`
    : `${file} is being worked at by another process. Wait for its end; if there is none, delete ${lock}`;
