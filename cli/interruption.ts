import { setMaxListeners } from "node:events";
import { constants } from "node:os";

/** Why a command ends before it is done: it was told to. Its exit code is the one that a shell gives for the signal. */
export class Interruption extends Error {
  readonly exitCode: number;

  constructor(signal: NodeJS.Signals) {
    super(`Interrupted by ${signal}.`);
    this.exitCode = 128 + constants.signals[signal];
  }
}

/**
 * Runs something that Ctrl-C, or an end that is asked for by SIGTERM, may stop: the signal says so, and whatever goes on
 * has the time to leave things in order. The process then ends as a shell expects it, with 130 or 143. A second Ctrl-C
 * ends it at once.
 * @returns what the work returns; undefined where it was interrupted
 */
export async function untilInterrupted<Result>(
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result | undefined> {
  const controller = new AbortController();
  const { signal } = controller;
  setMaxListeners(0, signal); // every call under way listens to it
  const interrupt = (name: NodeJS.Signals) => {
    const interruption = new Interruption(name);
    if (signal.aborted) process.exit(interruption.exitCode);
    process.exitCode = interruption.exitCode;
    controller.abort(interruption);
  };
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const name of signals) process.on(name, interrupt);
  try {
    return await work(signal);
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  } finally {
    for (const name of signals) process.off(name, interrupt);
  }
}
