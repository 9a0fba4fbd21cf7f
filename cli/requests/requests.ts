import { Command } from "../shared/command";
import { type ConnectionOptions, goneOptions, refuseGone, withConnectionOptions } from "../shared/options";

interface PublishOptions extends ConnectionOptions {
  readonly job?: string;
  readonly tenant?: string;
}

/** What `publish` did before there were jobs, and what does it now. */
const gone = {
  csv: "run --csv FILE",
  all: "run --all",
  receipt: "run --csv FILE --job NAME, and results --job NAME --watch",
  resume: "run --csv FILE under the same --job",
  dryRun: "run --csv FILE --dry-run",
};

const publishCommand = () =>
  withConnectionOptions(
    goneOptions(new Command("publish"), gone)
      .description("Asks for a prediction of single inputs, which the feature store has. Files are asked by `run`.")
      .argument("[ids...]", "the inputs")
      .option("--job <name>", "the job that the predictions are stored with (default: none)")
      .option("--tenant <name>", "for whom it is asked: no tenant makes the others wait"),
  )
    .explanation(
      "\nPrints the id and the request_id of each request that the queue has taken, as CSV. Exits with 2 where it has not\n" +
        "taken one, and says why.",
    )
    .examples("offline-inference requests publish 7 8 9 --env dev")
    .action(publish);

async function publish(ids: readonly string[], options: PublishOptions): Promise<void> {
  refuseGone(options, gone);
  if (ids.includes("-")) throw new Error("`requests publish -` is now: run --csv -, with a header line.");
  if (ids.length === 0) throw new Error("Which inputs? Name them by their ids. Files are asked by: run --csv FILE");
  const { connect } = await import("../shared/connection");
  const { untilInterrupted } = await import("../shared/interruption");
  const { patienceMilliseconds } = await import("../../pipeline/features");
  const { Patience } = await import("../../pipeline/flow");
  const { faultOf, RequestQueue } = await import("../../pipeline/requests");
  const { csvLine } = await import("../../pipeline/csv");
  const { job: jobId, tenant } = options;
  const { pipeline } = await connect(options);
  if (pipeline.featureGroup === undefined) {
    throw new Error(
      "This environment has no feature group (`features: false` in config.ts): requests carry their features, so name a file of them: run --csv FILE.",
    );
  }
  const requests = ids.map((id) => ({ id, jobId, tenant }));
  const faults = [...new Set(requests.flatMap((request) => faultOf(request) ?? []))];
  if (faults.length > 0) throw new Error(faults.join("\n"));
  const queue = new RequestQueue(pipeline.queueUrl);
  const sent = await untilInterrupted((signal) => queue.send(requests, { signal }, new Patience(patienceMilliseconds)));
  if (sent === undefined) return;
  process.stdout.write(csvLine(["id", "request_id"]));
  for (const { id, requestId } of sent.accepted) process.stdout.write(csvLine([id, requestId]));
  for (const { id, reason } of sent.refused) console.error(`${id}: ${reason}`);
  if (sent.refused.length > 0) process.exitCode = 2;
}

export const requestsCommand = () =>
  new Command("requests")
    .description("Asks for predictions.")
    .examples("offline-inference requests publish 7 8 9 --env dev")
    .addCommand(publishCommand());
