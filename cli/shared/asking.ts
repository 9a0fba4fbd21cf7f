import { createInterface } from "node:readline/promises";
import { drawingOn } from "./printing";

/** @param flag with which nobody is asked @throws when nobody can be asked */
export function mustBeAskable(flag = "--auto-approve") {
  if (process.stdin.isTTY) return;
  throw new Error(`Nobody can be asked here, since this is no terminal. With ${flag} nobody is asked.`);
}

/** Asks on the terminal. The end of the input is no answer, and Ctrl-C is none. */
export const ask = async (question: string, interruption: AbortSignal): Promise<string> =>
  (await lineOf(question, interruption)) ?? "";

/** Asks on the terminal. @returns undefined at the end of the input, and where it was interrupted */
export async function lineOf(question: string, interruption: AbortSignal): Promise<string | undefined> {
  const terminal = createInterface({ input: process.stdin, output: drawingOn(process.stderr) });
  const end = new AbortController();
  terminal.once("close", () => end.abort());
  terminal.once("SIGINT", () => process.emit("SIGINT", "SIGINT")); // Ctrl-C, which is only a key while it is asked
  const signal = AbortSignal.any([end.signal, interruption]);
  try {
    return (await terminal.question(question, { signal })).trim();
  } catch (error) {
    if (!signal.aborted) throw error;
    console.error();
    return undefined;
  } finally {
    terminal.close();
  }
}

/** Whatever is no yes is a no. */
export const isYes = (answer: string): boolean => /^y(es)?$/i.test(answer);
