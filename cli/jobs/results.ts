import { Command } from "commander";
import { examples } from "../help";
import { type ConnectionOptions, withConnectionOptions } from "../options";
import type { OutputFormat } from "./output";
import { formatOption, outputPlan, safeOption } from "./output-options";
import { parseSince } from "./since";

interface ResultsOptions extends ConnectionOptions {
  readonly job?: string;
  readonly receipt?: string;
  readonly since?: Date;
  readonly watch?: boolean;
  readonly format?: OutputFormat;
  readonly output?: string;
  readonly safe?: true;
}

/** Names everything of which results can be asked for. @throws where nothing is named, or what does not go together */
function check(ids: readonly string[], { job, receipt, since, watch, format, output }: ResultsOptions) {
  const named = [ids.length > 0, job !== undefined, receipt !== undefined].filter((isNamed) => isNamed).length;
  if (named > 1) throw new Error("Name either inputs, or a job by --job, or a receipt by --receipt.");
  if (named === 0 && since === undefined) {
    throw new Error(
      "Results of what? Name inputs, or a job by --job, or a receipt by --receipt, or a time by --since.",
    );
  }
  if ([...ids, job].includes("")) throw new Error("An id has at least one character.");
  if (watch && receipt === undefined) throw new Error("--watch follows a receipt: name it by --receipt.");
  if (format === "parquet" && output === undefined) throw new Error("Parquet is no text: name a file by --output.");
}

export const resultsCommand = () =>
  withConnectionOptions(new Command("results"))
    .description("Prints predictions: those of inputs, of a job, of a receipt or since a time.")
    .argument("[ids...]", "inputs")
    .option("--job <id>", "those of a job")
    .option("--receipt <file>", "those of the requests that a receipt of `requests publish` names")
    .option("--since <time>", "only those made since then: 30s, 15m, 2h, 7d ago, or 2026-01-31T12:00:00Z", parseSince)
    .option("--watch", "waits until every request of the receipt is answered or has failed")
    .addOption(formatOption(["table", "csv", "json", "ndjson", "parquet"], "table"))
    .option("--output <file>", "where they go: a file that is there only once it is whole")
    .addOption(safeOption())
    .addHelpText(
      "after",
      `
A table shows some of the columns; files have id, output, the contract's outputs with their types, predicted_at, job_id,
request_id, endpoint, variant, model_release and requested_at. Why requests failed is said on standard error.

They come oldest first. Above what Redshift's Data API hands out, from some 100,000 on, they come through S3 and in no
order; any number takes the same memory.

Exits with 0 when there is a result for all that was asked for; with 2 when an input has none, a request of the job
failed, or not every request of the receipt is answered; with 130 after Ctrl-C, which ends no request.`,
    )
    .addHelpText(
      "after",
      examples(
        "offline-inference results 7 8",
        "offline-inference results --job nightly --since 2h --format csv > nightly.csv",
        "offline-inference results --receipt receipts/nightly.csv --watch --format parquet --output nightly.parquet",
      ),
    )
    .action(async (ids: string[], options: ResultsOptions) => {
      check(ids, options);
      const how = outputPlan(options, "table");
      const { whileHolding } = await import("../../config/file-lock");
      const { connect } = await import("../connection");
      const { untilInterrupted } = await import("../interruption");
      const { printReceipt, printResults } = await import("./results-print");
      const { job: jobId, receipt, since, watch = false, output } = options;
      const { pipeline } = await connect(options);
      const selection = { inputIds: ids.length > 0 ? [...new Set(ids)] : undefined, jobId, since };
      const isWhole = await untilInterrupted((signal) => {
        const print = () =>
          receipt === undefined
            ? printResults(pipeline, selection, how, signal)
            : printReceipt(pipeline, { receipt, since, watch, ...how }, signal);
        return output === undefined ? print() : whileHolding(output, print);
      });
      if (isWhole === false) process.exitCode = 2;
    });
