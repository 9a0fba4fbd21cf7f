import { Command } from "commander";
import { examples } from "../help";
import { type ConnectionOptions, withConnectionOptions } from "../options";
import { columnOption, delimiterOption } from "./features";
import type { RequestSource } from "./requests-publish";

interface PublishOptions extends ConnectionOptions {
  readonly csv?: string;
  readonly column: ReadonlyMap<string, string>;
  readonly delimiter?: string;
  readonly all?: true;
  readonly job?: string;
  readonly receipt?: string;
  readonly resume?: string;
  readonly dryRun?: true;
}

const publishCommand = () =>
  withConnectionOptions(
    new Command("publish")
      .description("Asks for a prediction of each input: puts requests on the queue, and keeps a receipt of them.")
      .argument("[id...]", "the inputs; - reads them from standard input, one a line")
      .option("--csv <file>", "the inputs of a CSV file with a column id, such as a receipt; - reads standard input")
      .addOption(columnOption())
      .addOption(delimiterOption())
      .option("--all", "every input that the feature store has")
      .option("--job <name>", "the job that the requests are stored with (default: a new name, made of the time)")
      .option("--receipt <file>", "where the receipt goes (default: receipts/<job>-<run>.csv)")
      .option("--dry-run", "check the requests and count them, and send none")
      .option("--resume <receipt>", "go on with what did not come to its end"),
  )
    .addHelpText(
      "after",
      "\nThe receipt has id, request_id and job_id of each request that the queue has taken; its path is printed. Where the\n" +
        "CSV file has request_id and job_id, they are kept: a request that is sent again is the same one, and is answered\n" +
        "once. A row is refused whose request_id stands for another input or job in an earlier row: the first 1,500,000\n" +
        "of a file are compared. Without a feature group, the file has the features too, and its requests carry them.\n" +
        "What is refused is kept beside the receipt, with the reason. What is throttled is tried again.\n" +
        "\nExit codes: 0 all requests are sent, 1 it failed, 2 some were refused, 130 it was interrupted.",
    )
    .addHelpText(
      "after",
      examples(
        "offline-inference requests publish 7 8 9 --env dev",
        "offline-inference requests publish --csv requests.csv --job nightly --env dev",
        "offline-inference requests publish - --env dev < ids.txt",
        "offline-inference requests publish --resume receipts/nightly.csv",
      ),
    )
    .action(publish);

async function publish(ids: readonly string[], options: PublishOptions): Promise<void> {
  mustNameOneSource(ids, options);
  const { connect } = await import("../connection");
  const { untilInterrupted } = await import("../interruption");
  const { dryRun, publishRequests, resumePublishing, sourceOf } = await import("./requests-publish");
  const { withCsv } = await import("./csv");
  const { whole } = await import("../numbers");
  const { csv, column: columns, delimiter, job, receipt: receiptFile, resume } = options;
  const { pipeline } = await connect(options);
  const { contract, featureGroup, queueUrl } = pipeline;

  const publishFrom = async (source: RequestSource, signal: AbortSignal) => {
    const rules = { contract, featureGroup, columns };
    if (!options.dryRun) return publishRequests({ source, rules, queueUrl, job, receiptFile, signal });
    const { rows, refused, faults, notes } = await dryRun({ source, rules, job, signal });
    for (const line of [...faults, ...notes]) console.error(line);
    console.error(`${whole(rows - refused)} of ${whole(rows)} requests would be sent.`);
    if (refused > 0) process.exitCode = 2;
    return undefined;
  };
  const outcome = await untilInterrupted((signal) => {
    if (resume !== undefined) return resumePublishing(resume, pipeline, signal);
    if (csv !== undefined) return withCsv(csv, { delimiter, signal }, (file) => publishFrom({ csv: file }, signal));
    return publishFrom(sourceOf(ids, options.all ?? false, featureGroup, signal), signal);
  });
  if (outcome === undefined) return;
  const { rows, accepted, rejected, rejectsFile, notes } = outcome;
  console.error(`${whole(accepted)} of ${whole(rows)} requests are sent, as the job ${outcome.job}.`);
  for (const note of notes) console.error(note);
  if (accepted > 0) console.log(outcome.receiptFile);
  if (rejectsFile === undefined) return;
  console.error(`${whole(rejected)} are not; ${rejectsFile} says why.`);
  process.exitCode = 2;
}

/** @throws when it is not said, or said in two ways, what is to be sent, and when --resume is given what it has already */
function mustNameOneSource(ids: readonly string[], { csv, all, resume, job, receipt, dryRun }: PublishOptions): void {
  const sources = { ID: ids.length > 0, "--csv": csv !== undefined, "--all": all, "--resume": resume !== undefined };
  const named = Object.entries(sources).flatMap(([name, isNamed]) => (isNamed ? [name] : []));
  if (named.length === 0) {
    throw new Error("Which inputs? Name them: ids, - for standard input, --csv FILE or --all.");
  }
  if (named.length > 1) throw new Error(`Only one of ${named.join(", ")} can say what is sent.`);
  if (ids.length > 1 && ids.includes("-")) throw new Error("- stands alone: it reads the ids from standard input.");
  if (resume !== undefined && (job !== undefined || receipt !== undefined || dryRun)) {
    throw new Error("--resume goes on as it was begun: --job, --receipt and --dry-run are not for it.");
  }
}

export const requestsCommand = () =>
  new Command("requests")
    .description("Asks for predictions.")
    .addHelpText("after", examples("offline-inference requests publish --all --env dev"))
    .addCommand(publishCommand());
