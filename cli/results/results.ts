import { Command } from "../shared/command";
import { type ConnectionOptions, goneOptions, refuseGone, withConnectionOptions } from "../shared/options";
import type { OutputFormat } from "../shared/output";
import { formatOption, outputPlan, safeOption } from "../shared/output-options";
import { parseSince } from "../shared/since";
import { withConnection } from "../shared/with-connection";

interface ResultsOptions extends ConnectionOptions {
  readonly job?: string;
  readonly since?: Date;
  readonly watch?: boolean;
  readonly shares?: true;
  readonly format?: OutputFormat;
  readonly output?: string;
  readonly safe?: true;
}

const gone = { receipt: "results --job NAME --watch" };

/** Names everything of which results can be asked for. @throws where nothing is named, or what does not go together */
function check(ids: readonly string[], options: ResultsOptions) {
  refuseGone(options, gone);
  const { job, since, watch, shares, format, output } = options;
  if (shares && (ids.length > 0 || job !== undefined))
    throw new Error("--shares counts the answers of all inputs and jobs: only --since narrows it.");
  if (ids.length > 0 && job !== undefined) throw new Error("Name either inputs, or a job by --job.");
  if (ids.length === 0 && job === undefined && since === undefined && !shares) {
    throw new Error("Results of what? Name inputs, or a job by --job, or a time by --since.");
  }
  if ([...ids, job].includes("")) throw new Error("An id has at least one character.");
  if (watch && (job === undefined || since !== undefined))
    throw new Error("--watch waits for a whole job: name it by --job.");
  if (format === "parquet" && output === undefined) throw new Error("Parquet is no text: name a file by --output.");
}

async function printAsked(ids: string[], options: ResultsOptions): Promise<void> {
  check(ids, options);
  const how = outputPlan(options, "table");
  const { whileHolding } = await import("../../config/file-lock");
  const { printJob } = await import("../jobs/job-result");
  const { printResults } = await import("./results-print");
  const { printShares } = await import("./results-shares");
  const { job: jobId, since, watch = false, shares = false, output } = options;
  const isWhole = await withConnection(options, ({ pipeline }, signal) => {
    const print = async () => {
      if (shares) return printShares(pipeline, since, how, signal);
      if (jobId !== undefined && since === undefined) return printJob(pipeline, jobId, watch, how, signal);
      const inputIds = ids.length > 0 ? [...new Set(ids)] : undefined;
      return printResults(pipeline, { inputIds, jobId, since }, how, signal);
    };
    return output === undefined ? print() : whileHolding(output, print);
  });
  if (isWhole === false) process.exitCode = 2;
}

export const resultsCommand = () =>
  withConnectionOptions(goneOptions(new Command("results"), gone))
    .description(
      "Prints predictions: the result of a job, those of inputs or since a time, or how often each was given.",
    )
    .argument("[ids...]", "inputs")
    .option("--job <name>", "the result of a job, which has every row of its input")
    .option("--since <time>", "only those made since then: 30s, 15m, 2h, 7d ago, or 2026-01-31T12:00:00Z", parseSince)
    .option("--watch", "waits until the job has ended")
    .option("--shares", "how often each answer was given, and its share, by day and release")
    .addOption(formatOption(["table", "csv", "json", "ndjson", "parquet"], "table"))
    .option("--output <file>", "where they go: a file that is there only once it is whole")
    .addOption(safeOption())
    .explanation(`
A table shows some of the columns. The result of a job has its rows in the input's order: row, id, status, features,
output, the contract's outputs with their types, model_release, predicted_at, code and reason. Other files have id,
output, the contract's outputs, predicted_at, job_id, request_id, endpoint, variant, model_release and requested_at, the
oldest first; above what Redshift's Data API hands out, from some 100,000 on, in no order. --job with --since, or of
requests that are no rows of a job, is such a file.

--shares counts the first text of the contract's outputs, or all of the output where there is none. What is not among the
100 most frequent of its day and release, is longer than 256 bytes or has no such text is one row without an answer.

Exits with 0 when there is a result for all that was asked for; with 2 when an input or a row has none; with 130 after
Ctrl-C, which ends no job.`)
    .examples(
      "offline-inference results 7 8",
      "offline-inference results --job nightly --watch --output nightly.parquet",
      "offline-inference results --since 2h --format csv > latest.csv",
      "offline-inference results --shares --since 7d",
    )
    .action(printAsked);
