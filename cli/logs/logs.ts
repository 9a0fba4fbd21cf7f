import { Option } from "commander";
import { Command } from "../shared/command";
import { type ConnectionOptions, withConnectionOptions } from "../shared/options";
import { parseSince } from "../shared/since";
import { withConnection } from "../shared/with-connection";

interface LogsOptions extends ConnectionOptions {
  readonly request?: string;
  readonly job?: string;
  readonly since?: Date;
  readonly json?: true;
}

export const logsCommand = () =>
  withConnectionOptions(
    new Command("logs")
      .description("Shows what the functions logged of a request or of a job, in its order.")
      .addOption(new Option("--request <id>", "the request, by its request id").conflicts("job"))
      .option("--job <name>", "the job, with the rows that its starter has sent")
      .addOption(
        new Option("--since <time>", "from when on it looks: 30m, 2h, 7d, or an ISO 8601 time (default: 1d)").argParser(
          parseSince,
        ),
      )
      .option("--json", "prints each line as its function wrote it, in a JSON array"),
  )
    .explanation(`
A line has up to 500 ids, and never a feature or an answer. It reads 2,000 lines and for a minute at most, and says where
there is more. Exits with 0; with 1 on errors, and where nothing was logged.`)
    .examples(
      "offline-inference logs --request 0192f3c1-5a7e-7000-8000-5f2d1c9b7a10",
      "offline-inference logs --job nightly --since 6h",
      "offline-inference logs --job nightly --json | jq '.[] | select(.line.level == \"ERROR\")'",
    )
    .action(async ({ request, job, since, json, ...options }: LogsOptions) => {
      const about = request === undefined ? job && ({ job } as const) : ({ request } as const);
      if (!about) throw new Error("Of what? Name a request by --request ID, or a job by --job NAME.");
      const { findLines } = await import("./log-lines");
      const { printLines } = await import("./logs-print");
      await withConnection(options, async (connection, signal) => {
        const found = await findLines(connection, about, since ?? parseSince("1d"), signal);
        printLines(connection.pipeline, found, json ?? false);
      });
    });
