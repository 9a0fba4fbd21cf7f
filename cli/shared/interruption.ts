import { setMaxListeners } from "node:events";
import { constants } from "node:os";

/** Why a command ends before it is done: it was told to. Its exit code is the one that a shell gives for the signal. */
export class Interruption extends Error {
  readonly exitCode: number;

  constructor(signal: NodeJS.Signals) {
    super(`Interrupted by ${signal}.`);
    this.exitCode = 128 + constants.signals[unread ? "SIGPIPE" : signal];
  }
}

let unread = false;

/** Whether nobody reads what this process prints any more. */
export const isUnread = (): boolean => unread;

/**
 * From here on the process ends quietly when nobody reads what it prints any more, as a shell says it of a program that is
 * ended by SIGPIPE: with 141, and in order where a command has something to put away.
 */
export function endWhenUnread(): void {
  const end = (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    if (unread) return;
    unread = true;
    process.exitCode = 128 + constants.signals.SIGPIPE;
    if (!process.emit("SIGTERM", "SIGTERM")) process.exit();
  };
  for (const stream of [process.stdout, process.stderr]) stream.on("error", end);
}

/**
 * Does work that can be told to end: its signal is aborted when the process is, by Ctrl-C too, and it has the time to
 * leave things in order. A second Ctrl-C ends it at once.
 * @throws what the work throws, or else an Interruption
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const { signal } = controller;
  setMaxListeners(0, signal); // every call under way listens to it
  const interrupt = (name: NodeJS.Signals) => {
    const interruption = new Interruption(name);
    if (signal.aborted) process.exit(interruption.exitCode);
    controller.abort(interruption);
  };
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const name of signals) process.on(name, interrupt);
  try {
    return await work(signal);
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    for (const name of signals) process.off(name, interrupt);
  }
}

/**
 * Does work that can be told to end, and is then no failure: it has said what was to be said.
 * @returns what the work returns; undefined where it was interrupted, and then the process ends as a shell expects it
 */
export async function untilInterrupted<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
  try {
    return await interruptible(work);
  } catch (error) {
    if (!(error instanceof Interruption)) throw error;
    process.exitCode = error.exitCode;
    return undefined;
  }
}
