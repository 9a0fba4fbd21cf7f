import { setTimeout } from "node:timers/promises";
import { showsColours } from "../shared/colours";
import { connect } from "../shared/connection";
import type { ConnectionOptions } from "../shared/options";
import { reportOf } from "./status-attention";
import { StatusReader } from "./status-read";
import type { StatusReport } from "./status-report";
import { lineOf, screenOf } from "./status-screen";
import { liveScreen } from "./status-terminal";

interface ShowOptions {
  /** Whether the report is printed as data. @default as one screen */
  readonly json?: boolean;
}

const screenHere = (report: StatusReport) =>
  screenOf(report, { colours: showsColours(process.stdout), width: process.stdout.columns || undefined });

/** Prints how a pipeline is, and sets what the process exits with by that. @throws as {@link connect} */
export async function showStatus(options: ConnectionOptions, { json = false }: ShowOptions): Promise<void> {
  const look = await lookAt(options);
  try {
    const report = await look.report(new AbortController().signal);
    console.log(json ? JSON.stringify(report, null, 2) : screenHere(report).join("\n"));
    process.exitCode = exitCodeOf(report);
  } finally {
    look.close();
  }
}

/**
 * Prints how a pipeline is every so many seconds, until the signal is given: on a terminal always in the same place, of
 * which the last stays, else a line each time.
 * @throws as {@link connect}
 */
export async function watchStatus(
  options: ConnectionOptions,
  watch: ShowOptions & { readonly seconds: number; readonly signal: AbortSignal },
): Promise<void> {
  const { json = false, seconds, signal } = watch;
  const look = await lookAt(options);
  const live = json || !process.stdout.isTTY ? undefined : liveScreen();
  const printed = (report: StatusReport) => console.log(json ? JSON.stringify(report) : lineOf(report));
  try {
    for (;;) {
      const report = await look.report(signal);
      if (live === undefined) printed(report);
      else live.show(screenHere(report), `Looks again every ${seconds} s. Ctrl-C ends it.`);
      await setTimeout(1000 * seconds, undefined, { signal });
    }
  } finally {
    live?.stop();
    look.close();
  }
}

async function lookAt(options: ConnectionOptions) {
  const connection = await connect(options);
  const reader = new StatusReader(connection);
  return {
    report: async (signal: AbortSignal) =>
      reportOf(await reader.read(signal), { connection, local: options.local === true }),
    close: () => reader.close(),
  };
}

const exitCodeOf = ({ attention }: StatusReport) => {
  if (attention.some(({ mark }) => mark !== "unknown")) return 2;
  return attention.length === 0 ? 0 : 1;
};
