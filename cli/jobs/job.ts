import { Command, Option } from "commander";
import { examples } from "../help";
import { type ConnectionOptions, withConnectionOptions } from "../options";

interface JobCommandOptions extends ConnectionOptions {
  readonly receipt?: string[];
  readonly wait?: boolean;
  readonly cancel?: boolean;
  readonly output?: string;
}

const add = (path: string, paths: string[] = []) => [...paths, path];

/** @throws where an option stands without the one that it belongs to */
function check(id: string | undefined, { receipt, wait, cancel, output }: JobCommandOptions) {
  if (id === "") throw new Error("A job's id has at least one character.");
  if (id === undefined && (receipt ?? wait ?? cancel ?? output) !== undefined) throw new Error("Which job? Name it.");
  if (output !== undefined && !cancel) throw new Error("--output is where --cancel keeps what it takes off the queue.");
}

export const jobCommand = () =>
  withConnectionOptions(new Command("job"))
    .description(
      "Says how far a job is: how many of its requests are answered, failed and wait. Without an id: all jobs.",
    )
    .argument("[id]", "the job, as `requests publish --job` has named it")
    .option("--receipt <file>", "says which requests the job is; may be given several times", add)
    .option("--wait", "waits until none of its requests waits")
    .addOption(
      new Option("--cancel", "takes what has not been started off the queue, and keeps it in a receipt").conflicts([
        "wait",
        "receipt",
      ]),
    )
    .option("--output <file>", "where --cancel keeps it; it is added to (default: receipts/<job>-cancelled.csv)")
    .addHelpText(
      "after",
      `
How many wait is known from the receipts in receipts/ that begin with the job's name, or from those named. What was
cancelled is no longer waited for, unless a later receipt names it again.

What --cancel has taken off goes back under the same request ids by \`requests publish --csv\`; its file is printed.
What the worker has begun goes on. Cut off, it has lost nothing: a request in its file may be answered as well.
A request that carries its features stays on the queue, since the file does not hold them.

Exits with 0; with --wait only when every request is answered, and with 2 when some failed or were cancelled; with --cancel
with 2 when requests that carry their features stay; with 130 after Ctrl-C, which ends no request.`,
    )
    .addHelpText(
      "after",
      examples(
        "offline-inference job nightly",
        "offline-inference job nightly --wait && echo done",
        "offline-inference job nightly --cancel",
        "offline-inference job",
      ),
    )
    .action(async (id: string | undefined, options: JobCommandOptions) => {
      check(id, options);
      const { connect } = await import("../connection");
      const { untilInterrupted } = await import("../interruption");
      const { receipt: receipts, wait = false, cancel = false, output } = options;
      const { pipeline } = await connect(options);
      if (id !== undefined && cancel) {
        const { cancelJob } = await import("./job-cancel");
        await untilInterrupted((signal) => cancelJob(pipeline, id, output, signal));
        return;
      }
      const { listJobs, showJob } = await import("./job-look");
      const isDone = await untilInterrupted(async (signal) =>
        id === undefined ? listJobs(pipeline, signal) : showJob(pipeline, id, { receipts, wait }, signal),
      );
      if (isDone === false && wait) process.exitCode = 2;
    });
