import { Option } from "commander";
import { aboutInputs, columnOption, delimiterOption } from "../features/features";
import { Command } from "../shared/command";
import type { CsvFile } from "../shared/csv";
import { numberAs } from "../shared/numbers-read";
import { type ConnectionOptions, withConnectionOptions } from "../shared/options";
import type { OutputFormat } from "../shared/output";
import { formatOption, outputPlan, safeOption } from "../shared/output-options";
import { parseDuration } from "../shared/since";
import { withConnection } from "../shared/with-connection";

interface RunOptions extends ConnectionOptions {
  readonly csv?: string;
  readonly all?: true;
  readonly column: ReadonlyMap<string, string>;
  readonly delimiter?: string;
  readonly job?: string;
  readonly limit?: number;
  readonly tenant?: string;
  readonly deadline?: number;
  readonly ingest?: true;
  readonly maxCost?: number;
  readonly dryRun?: true;
  readonly format?: OutputFormat;
  readonly output?: string;
  readonly safe?: true;
  readonly json?: true;
}

const readLimit = numberAs(/^[1-9]\d{0,8}$/, "Write a whole number, 1 or more.");
const readDollars = numberAs(/^\d{1,9}(\.\d+)?$/, "Write US dollars, such as 5 or 0.50.");

/** @throws where it is not said, or said in two ways, what is asked */
function check({ csv, all, ingest }: RunOptions): void {
  if (csv === undefined && !all)
    throw new Error("Which rows? Name them: --csv FILE, --csv - for standard input, or --all.");
  if (csv !== undefined && all) throw new Error("Only one of --csv and --all can say what is asked.");
  if (all && ingest) throw new Error("--all asks for what the feature store has: --ingest has nothing to write.");
}

async function run(options: RunOptions): Promise<void> {
  check(options);
  const { csv, column: columns, delimiter, job, limit, tenant, deadline, ingest, maxCost, json } = options;
  const plan = outputPlan(options, "csv");
  const { whileHolding } = await import("../../config/file-lock");
  const { nameOf, withCsv } = await import("../shared/csv");
  const { foreseen, runJob, withAllIds } = await import("./run-job");
  const { waitingOn } = await import("./waiting");
  const name = csv === undefined ? "all" : nameOf(csv).replace(/\.csv$/i, "");
  const results = options.output ?? `${name}.results.${plan.format}`;
  const isWhole = await withConnection(options, (connection, signal) => {
    const { pipeline } = connection;
    const work = async (file: CsvFile) => {
      if (options.dryRun) {
        const bounds = { limit, deadline, maxCost, waiting: await waitingOn(pipeline, signal) };
        for (const line of await foreseen(connection, { file, columns }, bounds, signal)) console.error(line);
        return undefined;
      }
      const isBounded = (deadline ?? maxCost) !== undefined;
      const within = isBounded ? { ...connection, deadline, maxCost } : undefined;
      const path = `${results.replace(/(\.results)?\.[^./\\]+$/, "")}.report.html`;
      const report = { path, environment: connection.environment, isLocal: options.local === true };
      const settings = { job, limit, tenant, deadline, within, ingest, report, json };
      return whileHolding(results, () =>
        runJob({ pipeline, file, columns, ...settings, ...plan, output: results, signal }),
      );
    };
    return csv === undefined ? withAllIds(pipeline, signal, work) : withCsv(csv, { delimiter, signal }, work);
  });
  if (isWhole === undefined) return;
  if (!json) console.log(results);
  if (!isWhole) process.exitCode = 2;
}

export const runCommand = () =>
  withConnectionOptions(
    new Command("run")
      .description("Runs a job: asks for a prediction of each row of a file, follows it and saves the result.")
      .option("--csv <file>", "a file with a header, or - for standard input")
      .option("--all", "every input that the feature store has")
      .addOption(columnOption())
      .addOption(delimiterOption())
      .option("--job <name>", "what the job is called (default: a name made of the rows and the settings)")
      .addOption(new Option("--limit <rows>", "asks for the first rows alone").argParser(readLimit))
      .option("--tenant <name>", "for whom it is asked: no tenant makes the others wait (default: the job)")
      .addOption(
        new Option(
          "--deadline <time>",
          "ends the job after that: 30m, 6h, 2d (default: the longest there is)",
        ).argParser(parseDuration),
      )
      .option("--ingest", "writes the rows to the feature store too, before anything is asked")
      .addOption(
        new Option("--max-cost <usd>", "asks for nothing where it would cost more, in US dollars").argParser(
          readDollars,
        ),
      )
      .option("--dry-run", "checks the rows, says how many would be asked, how long it takes and what it costs")
      .addOption(formatOption(["csv", "json", "ndjson", "parquet"], "csv"))
      .option("--output <file>", "where the result goes (default: the CSV file's name with .results.<format>)")
      .addOption(safeOption())
      .addOption(new Option("--json", "prints the job for machines, as GET /jobs/{id} gives it").conflicts("dryRun")),
  )
    .explanation(
      `${aboutInputs}\n` +
        "A job belongs to the pipeline: it goes on after Ctrl-C, and any machine may follow it. The same rows and settings\n" +
        "under the same name are the same job: nothing is asked twice. Where a row is at fault, nothing is asked at all.\n" +
        "A file of ids alone is looked up in the feature store.\n\n" +
        "Prints where the result is; with --json the job, and where the result is on standard error. Writes a page to look at\n" +
        "beside the result, as `report` does. Exits with 0 when every row has its prediction; with 2 when one has none, and\n" +
        "says why; with 130 after Ctrl-C.",
    )
    .examples(
      "offline-inference run --csv people.csv --env dev",
      "offline-inference run --csv people.csv --job nightly-2026-11-28 --deadline 6h --output nightly.parquet",
      "offline-inference run --all",
    )
    .action(run);
