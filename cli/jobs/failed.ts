import { Command, Option } from "commander";
import { examples } from "../help";
import { type ConnectionOptions, withConnectionOptions } from "../options";

// `failed` takes the options of a connection wherever they stand, before the name of a command below it or after it.

const redriveCommand = () =>
  withConnectionOptions(new Command("redrive"))
    .description("Sends dead letters back to the queue, each under its request id, and deletes it once it is sent.")
    .option("--reason <text>", "only those with this code, or with this text in their reason: what `failed` shows")
    .addHelpText(
      "after",
      `
Letters that are no requests stay. After an interruption, run it again: nothing is lost, and a request that was sent
twice is answered once. Exits with 0 when all that were meant went back, with 2 when some stay.`,
    )
    .addHelpText(
      "after",
      examples(
        "offline-inference failed redrive",
        "offline-inference failed redrive --reason endpoint_failed --env prod",
      ),
    )
    .action(async (_, command: Command) => {
      const { reason, ...options } = command.optsWithGlobals<ConnectionOptions & { reason?: string }>();
      const { connect } = await import("../connection");
      const { redriveFailed } = await import("./failed-letters");
      const { untilInterrupted } = await import("../interruption");
      const { pipeline } = await connect(options);
      const isDone = await untilInterrupted((signal) => redriveFailed(pipeline, reason, signal));
      if (isDone === false) process.exitCode = 2;
    });

const exportCommand = () =>
  withConnectionOptions(new Command("export"))
    .description("Writes the dead letters, a row each: id, request_id, job_id, code, reason, requested_at and body.")
    .argument("[file]", "where they go, else to standard output")
    .addOption(
      new Option("--format <format>", "without it, as the file's name ends, else csv").choices(["csv", "ndjson"]),
    )
    .addHelpText(
      "after",
      `
They stay in their queue. The CSV can be given to \`requests publish --csv\`.`,
    )
    .addHelpText(
      "after",
      examples(
        "offline-inference failed export failed.csv",
        "offline-inference failed export --format ndjson | jq .reason",
      ),
    )
    .action(async (output: string | undefined, _, command: Command) => {
      const { format, ...options } = command.optsWithGlobals<ConnectionOptions & { format?: "csv" | "ndjson" }>();
      const { connect } = await import("../connection");
      const { exportFailed } = await import("./failed-letters");
      const { untilInterrupted } = await import("../interruption");
      const { pipeline } = await connect(options);
      const byName = output !== undefined && /\.(ndjson|jsonl)$/i.test(output) ? "ndjson" : "csv";
      const how = { format: format ?? byName, output };
      await untilInterrupted((signal) => exportFailed(pipeline, how, signal));
    });

export const failedCommand = () =>
  withConnectionOptions(new Command("failed"))
    .description("Shows what lies in the dead-letter queue, grouped by why, with the ids of the inputs.")
    .option("--json", "all of it, with the ids of requests and jobs")
    .addHelpText(
      "after",
      `
Each letter is hidden from other commands for as long as this one looks.`,
    )
    .addHelpText(
      "after",
      examples("offline-inference failed", "offline-inference failed --json --env prod | jq '.groups[].count'"),
    )
    .addCommand(redriveCommand())
    .addCommand(exportCommand())
    .action(async ({ json = false, ...options }: ConnectionOptions & { json?: boolean }) => {
      const { connect } = await import("../connection");
      const { showFailed } = await import("./failed-letters");
      const { untilInterrupted } = await import("../interruption");
      const { pipeline } = await connect(options);
      await untilInterrupted((signal) => showFailed(pipeline, json, signal));
    });
