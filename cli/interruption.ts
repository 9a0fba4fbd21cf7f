import { setMaxListeners } from "node:events";

/** What a shell makes of a program that Ctrl-C has ended. */
export const interrupted = 130;

/**
 * Runs something that Ctrl-C, or an end that is asked for by SIGTERM, may stop: the signal says so, and whatever goes on
 * has the time to leave things in order. The process then ends with 130. A second Ctrl-C ends it at once.
 * @returns what the work returns; undefined where it was interrupted
 */
export async function untilInterrupted<Result>(
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result | undefined> {
  const interruption = new AbortController();
  const { signal } = interruption;
  setMaxListeners(0, signal); // every call under way listens to it
  const abort = () => {
    if (signal.aborted) process.exit(interrupted);
    interruption.abort();
  };
  for (const name of ["SIGINT", "SIGTERM"]) process.on(name, abort);
  try {
    return await work(signal);
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  } finally {
    if (signal.aborted) process.exitCode = interrupted;
    for (const name of ["SIGINT", "SIGTERM"]) process.off(name, abort);
  }
}
