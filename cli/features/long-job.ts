import { setMaxListeners } from "node:events";
import { whole } from "../shared/numbers";
import { progressOf } from "../shared/progress";
import type { Counts, Journal } from "./journal";

/** How a job ended that works through many rows. */
export interface JobOutcome extends Counts {
  /** Where each refused row is, with why. @default none was refused */
  readonly rejectsFile?: string;
}

/** What is held of a file at a time: so many rows, or what takes so many characters. */
const windowRows = 2_000;
const windowCharacters = 16_000_000;

/** How long the calls under way may take after Ctrl-C. */
const graceMilliseconds = 5_000;

/** A row of the source that is still to be worked through, or why it is refused. */
export interface JobRow<Item> {
  readonly item?: Item;
  readonly characters: number;
  /** The row's line of the rejects file, with that reason. */
  readonly rejectLine: (reason: string) => string;
  readonly fault?: string;
}

export interface LongJob<Item> {
  readonly journal: Journal;
  /** What is counted: `requests`. */
  readonly what: string;
  readonly total: number;
  /** All rows of the source. Those that are through already are passed over. */
  readonly rows: AsyncIterable<JobRow<Item>>;
  readonly rejectsFile: string;
  /** Does a window of rows, and says of each, by its place, why it is refused; undefined where it is done. */
  readonly work: (items: readonly Item[], signal: AbortSignal) => Promise<(string | undefined)[]>;
  /** What to type to go on with the job. */
  readonly resumeBy: string;
  readonly signal: AbortSignal;
}

/**
 * Works through the rows of a source in windows, from where its journal stands, and ends the journal.
 * @throws when it is interrupted or cannot go on, with how far it is and how to go on; the journal stays then
 */
export async function workThrough<Item>(job: LongJob<Item>): Promise<JobOutcome> {
  const { journal, what, total, rows, rejectsFile, signal } = job;
  const through = journal.done.rows;
  const progress = progressOf(what, total, through);
  const grace = graceAfter(signal);
  let window: JobRow<Item>[] = [];
  let characters = 0;

  const finishWindow = async () => {
    const items = window.flatMap(({ item }) => (item === undefined ? [] : [item]));
    const reasons = (await job.work(items, grace)).values();
    let { accepted, rejected } = journal.done;
    for (const { item, fault, rejectLine } of window) {
      const reason = fault ?? (item === undefined ? undefined : reasons.next().value);
      if (reason === undefined) accepted++;
      else {
        rejected++;
        journal.add(rejectsFile, rejectLine(reason));
      }
    }
    await journal.checkpoint({ rows: journal.done.rows + window.length, accepted, rejected });
    progress.update(journal.done.rows);
    [window, characters] = [[], 0];
  };

  try {
    let row = 0;
    for await (const next of rows) {
      if (row++ < through) continue;
      window.push(next);
      characters += next.characters;
      if (window.length < windowRows && characters < windowCharacters) continue;
      await finishWindow();
      signal.throwIfAborted();
    }
    if (window.length > 0) await finishWindow();
    await journal.end();
    return { ...journal.done, ...(journal.done.rejected > 0 && { rejectsFile }) };
  } catch (error) {
    await journal.close();
    const { rows: done } = journal.done;
    const standing = `${whole(done)} of ${whole(total)} ${what} are through. Go on: ${job.resumeBy}`;
    progress.stop();
    if (signal.aborted) {
      console.error(`Interrupted. ${standing}`);
      throw error;
    }
    throw new Error(`${error instanceof Error ? error.message : error}\n${standing}`);
  } finally {
    progress.stop();
  }
}

/** Waits for what comes before a job's work, and says so if it is interrupted there. */
export async function beforeAnything<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return work.catch((error: unknown) => {
    if (signal.aborted) console.error("Interrupted before anything was sent.");
    throw error;
  });
}

/** Aborted some seconds after another signal is. */
function graceAfter(signal: AbortSignal): AbortSignal {
  const grace = new AbortController();
  setMaxListeners(0, grace.signal); // every call under way listens to it
  const abortLater = () => setTimeout(() => grace.abort(signal.reason), graceMilliseconds).unref();
  signal.addEventListener("abort", abortLater, { once: true });
  return grace.signal;
}
