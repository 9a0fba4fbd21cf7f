import { Command } from "../shared/command";
import { type ConnectionOptions, withConnectionOptions } from "../shared/options";
import { formatOption, type OutputChoice, outputPlan, safeOption } from "../shared/output-options";
import { withConnection } from "../shared/with-connection";

// `failed` takes the options of a connection wherever they stand, before the name of a command below it or after it.

const redriveCommand = () =>
  withConnectionOptions(new Command("redrive"))
    .description("Sends dead letters back to the queue, each under its request id, and deletes it once it is sent.")
    .option("--reason <text>", "only those with this code, or with this text in their reason: what `failed` shows")
    .explanation(`
Letters that are no requests stay. After an interruption, run it again: nothing is lost, and a request that was sent
twice is answered once. Exits with 0 when all that were meant went back, with 2 when some stay.`)
    .examples(
      "offline-inference failed redrive",
      "offline-inference failed redrive --reason endpoint_failed --env prod",
    )
    .action(async (_, command: Command) => {
      const { reason, ...options } = command.optsWithGlobals<ConnectionOptions & { reason?: string }>();
      const { redriveFailed } = await import("./failed-letters");
      const isDone = await withConnection(options, ({ pipeline }, signal) => redriveFailed(pipeline, reason, signal));
      if (isDone === false) process.exitCode = 2;
    });

const exportCommand = () =>
  withConnectionOptions(new Command("export"))
    .description("Writes the dead letters, a row each: id, request_id, job_id, code, reason, requested_at and body.")
    .argument("[file]", "where they go, else to standard output")
    .addOption(formatOption(["csv", "json", "ndjson", "parquet"], "csv"))
    .addOption(safeOption())
    .explanation(`
They stay in their queue. The CSV can be given to \`run --csv\`, but not with --safe, which changes ids.`)
    .examples(
      "offline-inference failed export failed.csv",
      "offline-inference failed export --format ndjson | jq .reason",
    )
    .action(async (output: string | undefined, _, command: Command) => {
      const { format, safe, ...options } = command.optsWithGlobals<ConnectionOptions & OutputChoice>();
      const how = outputPlan({ format, output, safe }, "csv");
      const { whileHolding } = await import("../../config/file-lock");
      const { exportFailed } = await import("./failed-letters");
      await withConnection(options, ({ pipeline }, signal) => {
        const write = () => exportFailed(pipeline, how, signal);
        return output === undefined ? write() : whileHolding(output, write);
      });
    });

export const failedCommand = () =>
  withConnectionOptions(new Command("failed"))
    .description("Shows what lies in the dead-letter queue, grouped by code and rule, with the ids of the inputs.")
    .option("--json", "all of it, with the ids of requests and jobs")
    .explanation(`
These are what can go back to the queue. How many requests of a job failed, and why, \`job\` knows without them.
Each letter is hidden from other commands for as long as this one looks.`)
    .examples("offline-inference failed", "offline-inference failed --json --env prod | jq '.groups[].count'")
    .addCommand(redriveCommand())
    .addCommand(exportCommand())
    .action(async ({ json = false, ...options }: ConnectionOptions & { json?: boolean }) => {
      const { showFailed } = await import("./failed-letters");
      await withConnection(options, ({ pipeline }, signal) => showFailed(pipeline, json, signal));
    });
