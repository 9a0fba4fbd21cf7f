/**
 * Does work that can be told to end: its signal is aborted when the process is, by Ctrl-C too.
 * @throws what the work throws, or that it was interrupted
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const interruption = new AbortController();
  const interrupt = (name: NodeJS.Signals) => interruption.abort(new Error(`Interrupted by ${name}.`));
  const signals: NodeJS.Signals[] = ["SIGINT", "SIGTERM"];
  for (const signal of signals) process.on(signal, interrupt);
  try {
    return await work(interruption.signal);
  } catch (error) {
    throw interruption.signal.aborted ? interruption.signal.reason : error;
  } finally {
    for (const signal of signals) process.off(signal, interrupt);
  }
}
