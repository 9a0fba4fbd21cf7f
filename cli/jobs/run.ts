import { Command } from "commander";
import { examples } from "../help";
import { type ConnectionOptions, withConnectionOptions } from "../options";
import { aboutInputs, columnOption, delimiterOption } from "./features";
import type { OutputFormat } from "./output";
import { formatOption, outputPlan, safeOption } from "./output-options";

interface RunOptions extends ConnectionOptions {
  readonly csv: string;
  readonly column: ReadonlyMap<string, string>;
  readonly job?: string;
  readonly delimiter?: string;
  readonly format?: OutputFormat;
  readonly output?: string;
  readonly safe?: true;
}

export const runCommand = () =>
  withConnectionOptions(
    new Command("run")
      .description(
        "Does a whole job: writes a file's features, asks for predictions, follows them and saves the results.",
      )
      .requiredOption("--csv <file>", "a file with a header, or - for standard input")
      .addOption(columnOption())
      .addOption(delimiterOption())
      .option("--job <name>", "what the job is called (default: a new name, made of the time)")
      .addOption(formatOption(["csv", "json", "ndjson", "parquet"], "csv"))
      .option("--output <file>", "where the results go (default: the CSV file's name with .results.<format>)")
      .addOption(safeOption()),
  )
    .addHelpText(
      "after",
      `${aboutInputs}\n` +
        "After an interruption run it again with the same --job: what is done is not done again. Prints where the results\n" +
        "are. Exits with 0 when every row has its prediction; with 2 when a row was refused or its request failed, and says\n" +
        "why; with 130 after Ctrl-C.",
    )
    .addHelpText(
      "after",
      examples(
        "offline-inference run --csv people.csv --env dev",
        "offline-inference run --csv people.csv --job nightly --output nightly.parquet",
      ),
    )
    .action(async ({ csv, column, delimiter, job, format, output, safe, ...connection }: RunOptions) => {
      const plan = outputPlan({ format, output, safe }, "csv");
      const { whileHolding } = await import("../../config/file-lock");
      const { connect } = await import("../connection");
      const { untilInterrupted } = await import("../interruption");
      const { nameOf, withCsv } = await import("./csv");
      const { runJob } = await import("./run-job");
      const { pipeline } = await connect(connection);
      const results = output ?? `${nameOf(csv).replace(/\.csv$/i, "")}.results.${plan.format}`;
      const isWhole = await untilInterrupted((signal) =>
        whileHolding(results, () =>
          withCsv(csv, { delimiter, signal }, (file) =>
            runJob({ pipeline, file, path: csv, columns: column, job, ...plan, output: results, signal }),
          ),
        ),
      );
      if (isWhole === undefined) return;
      console.log(results);
      if (!isWhole) process.exitCode = 2;
    });
