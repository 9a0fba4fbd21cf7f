import { InvalidArgumentError, Option } from "commander";
import { Command } from "../shared/command";
import { type ConnectionOptions, withConnectionOptions } from "../shared/options";
import { withConnection } from "../shared/with-connection";

interface IngestOptions extends ConnectionOptions {
  readonly delimiter?: string;
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
  new Option("--column <feature=column>", "the column that a feature is in, where it has another name")
    .default(new Map<string, string>(), "as the features")
    .argParser(addColumn);

const readDelimiter = (given: string): string => {
  const named: Record<string, string> = { tab: "\t", "\\t": "\t" };
  const delimiter = named[given] ?? given;
  if (!/^[^"\r\n]$/.test(delimiter)) throw new InvalidArgumentError("Write one character, or tab.");
  return delimiter;
};

/** Says what is between two values of a row. */
export const delimiterOption = () =>
  new Option(
    "--delimiter <character>",
    "what is between two values of a row (default: the header says it: , ; tab or |)",
  ).argParser(readDelimiter);

/** What every command that reads inputs says of their file. */
export const aboutInputs = `
The file is CSV in UTF-8, and - stands for standard input. Its header names the columns in any order: the id, and each
feature of the contract, of which optional ones may be missing. An empty field is a missing value. Other columns are
passed over.
`;

async function ingest(
  path: string,
  { column, delimiter, rejects, resume, ...connection }: IngestOptions,
): Promise<void> {
  const { withCsv } = await import("../shared/csv");
  const { openInputs } = await import("./feature-rows");
  const { ingestFeatures, rejectsOf } = await import("./features-ingest");
  const { whole } = await import("../shared/numbers");
  await withConnection(connection, async ({ pipeline: { contract, featureGroup, commandFor } }, signal) => {
    if (featureGroup === undefined) {
      throw new Error(
        `This environment has no feature group (\`features: false\` in config.ts): requests carry their features. Ask for predictions of a file: ${commandFor("run --csv FILE")}`,
      );
    }
    const outcome = await withCsv(path, { delimiter, signal }, async (file) => {
      const inputs = await openInputs(file, { contract, featureGroup, columns: column });
      return ingestFeatures({ inputs, featureGroup, rejectsFile: rejects ?? rejectsOf(path), resume, signal });
    });
    const { rows, accepted, rejected, rejectsFile, notes } = outcome;
    console.error(`${whole(accepted)} of ${whole(rows)} rows are written to ${featureGroup.name}.`);
    for (const note of notes) console.error(note);
    if (rejectsFile === undefined) return;
    console.error(`${whole(rejected)} are not; ${rejectsFile} says why.`);
    process.exitCode = 2;
  });
}

const ingestCommand = () =>
  withConnectionOptions(
    new Command("ingest")
      .description("Writes the rows of a CSV file to the feature store.")
      .argument("<csv>", "a file with a header, or - for standard input")
      .addOption(columnOption())
      .addOption(delimiterOption())
      .option(
        "--rejects <file>",
        "where refused rows are kept, in place of what is there (default: the CSV file's name with .rejects.csv)",
      )
      .option("--resume", "go on with what did not come to its end"),
  )
    .explanation(`${aboutInputs}
A row is refused where its id is none, or a feature has no value that it may have. It is kept with its line and the
reason; put right, that file can be ingested as it is. Of the rows of one id the last one stays; how many ids come again
is told, of up to 1,500,000. What is throttled is tried again. After Ctrl-C, or a failure, --resume goes on where it
ended.

Feature Store keeps the record with the later event time, and passes the other one over without a word. A row has the
event time that the file says, if it has a column of them, else the time of its writing by the clock of this machine.
Rows of a file with event times are read back, and those that were passed over are refused. So are those of a group
whose event time is the identifier, as of one that was taken over: there a record never changes.

Exit codes: 0 all rows are written, 1 it failed, 2 some rows were refused, 130 it was interrupted.`)
    .examples(
      "offline-inference features ingest requests.csv --env dev",
      "offline-inference features ingest people.csv --column age=years --column income=salary",
      "gunzip -c people.csv.gz | offline-inference features ingest -",
      "offline-inference features ingest requests.csv --env dev --resume",
    )
    .action(ingest);

export const featuresCommand = () =>
  new Command("features")
    .description("Fills the feature store.")
    .examples("offline-inference features ingest requests.csv --env dev")
    .addCommand(ingestCommand());
