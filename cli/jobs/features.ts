import { Command, InvalidArgumentError, Option } from "commander";
import { examples } from "../help";
import { type ConnectionOptions, withConnectionOptions } from "../options";

interface IngestOptions extends ConnectionOptions {
  readonly column: ReadonlyMap<string, string>;
  readonly rejects?: string;
  readonly resume?: true;
}

const addColumn = (given: string, columns: ReadonlyMap<string, string>): ReadonlyMap<string, string> => {
  const [, feature, column] = /^([^=]+)=(.+)$/s.exec(given) ?? [];
  if (feature === undefined || column === undefined) throw new InvalidArgumentError("Write FEATURE=COLUMN.");
  return new Map([...columns, [feature, column]]);
};

/** Says what columns are called; may be repeated. */
export const columnOption = () =>
  new Option(
    "--column <feature=column>",
    "the column that a feature is in, where it has another name; columns of no feature are passed over then",
  )
    .default(new Map<string, string>(), "as the features")
    .argParser(addColumn);

const ingestCommand = () =>
  withConnectionOptions(
    new Command("ingest")
      .description("Writes the rows of a CSV file to the feature store.")
      .argument(
        "<csv>",
        "UTF-8, with a header: the record's identifier, seq_0, seq_1, and the event time if it has one",
      )
      .addOption(columnOption())
      .option(
        "--rejects <file>",
        "where refused rows are kept, in place of what is there (default: the CSV file's name with .rejects.csv)",
      )
      .option("--resume", "go on with what did not come to its end"),
  )
    .addHelpText(
      "after",
      "\nA row is refused where its id is none, a sentence is empty or too long, or an earlier row is the same record. It is\n" +
        "kept with its line and the reason; put right, that file can be ingested as it is. What is throttled is tried again.\n" +
        "After Ctrl-C, or a failure, --resume goes on where it ended.\n" +
        "\nExit codes: 0 all rows are written, 1 it failed, 2 some rows were refused, 130 it was interrupted.",
    )
    .addHelpText(
      "after",
      examples(
        "offline-inference features ingest requests.csv --env dev",
        "offline-inference features ingest pairs.csv --column seq_0=premise --column seq_1=hypothesis",
        "offline-inference features ingest requests.csv --env dev --resume",
      ),
    )
    .action(async (file: string, { column, rejects, resume, ...connection }: IngestOptions) => {
      const { connect } = await import("../connection");
      const { untilInterrupted } = await import("../interruption");
      const { ingestFeatures } = await import("./features-ingest");
      const { whole } = await import("../numbers");
      const { featureGroup } = (await connect(connection)).pipeline;
      const outcome = await untilInterrupted((signal) =>
        ingestFeatures({ file, featureGroup, columns: column, rejectsFile: rejects, resume, signal }),
      );
      if (outcome === undefined) return;
      const { rows, accepted, rejected, rejectsFile } = outcome;
      console.error(`${whole(accepted)} of ${whole(rows)} rows are written to ${featureGroup.name}.`);
      if (rejectsFile === undefined) return;
      console.error(`${whole(rejected)} are not; ${rejectsFile} says why.`);
      process.exitCode = 2;
    });

export const featuresCommand = () =>
  new Command("features")
    .description("Fills the feature store.")
    .addHelpText("after", examples("offline-inference features ingest requests.csv --env dev"))
    .addCommand(ingestCommand());
