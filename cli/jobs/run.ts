import { Command, Option } from "commander";
import { examples } from "../help";
import { type ConnectionOptions, withConnectionOptions } from "../options";
import { columnOption } from "./features";

interface RunOptions extends ConnectionOptions {
  readonly csv: string;
  readonly column: ReadonlyMap<string, string>;
  readonly job?: string;
  readonly format: "csv" | "json" | "ndjson" | "parquet";
  readonly output?: string;
}

export const runCommand = () =>
  withConnectionOptions(
    new Command("run")
      .description(
        "Does a whole job: writes a file's features, asks for predictions, follows them and saves the results.",
      )
      .requiredOption("--csv <file>", "UTF-8, with a header: the record's identifier, seq_0 and seq_1")
      .addOption(columnOption())
      .option("--job <name>", "what the job is called (default: a new name, made of the time)")
      .addOption(
        new Option("--format <format>", "what the results are saved as")
          .choices(["csv", "json", "ndjson", "parquet"])
          .default("csv"),
      )
      .option("--output <file>", "where the results go (default: the CSV file's name with .results.<format>)"),
  )
    .addHelpText(
      "after",
      "\nAfter an interruption run it again with the same --job: what is done is not done again. Prints where the results\n" +
        "are. Exits with 0 when every row has its prediction; with 2 when a row was refused or its request failed, and says\n" +
        "why; with 130 after Ctrl-C.",
    )
    .addHelpText(
      "after",
      examples(
        "offline-inference run --csv pairs.csv --env dev",
        "offline-inference run --csv pairs.csv --job nightly --format parquet --output nightly.parquet",
      ),
    )
    .action(async ({ csv, column, job, format, output, ...connection }: RunOptions) => {
      const { connect } = await import("../connection");
      const { untilInterrupted } = await import("../interruption");
      const { runJob } = await import("./run-job");
      const { pipeline } = await connect(connection);
      const results = output ?? `${csv.replace(/\.csv$/i, "")}.results.${format}`;
      const isWhole = await untilInterrupted((signal) =>
        runJob({ pipeline, file: csv, columns: column, job, format, output: results, signal }),
      );
      if (isWhole === undefined) return;
      console.log(results);
      if (!isWhole) process.exitCode = 2;
    });
