import { Command } from "../shared/command";
import { type ConnectionOptions, commandsFor, goneOptions, refuseGone, withConnectionOptions } from "../shared/options";
import { withConnection } from "../shared/with-connection";

interface JobOptions extends ConnectionOptions {
  readonly wait?: true;
  readonly json?: true;
}

/** What `job` did before jobs were the pipeline's own, and what does it now. */
const gone = {
  cancel: "job cancel NAME",
  receipt: "job NAME, which any machine can follow",
  output: "results --job NAME --output FILE",
};

const listCommand = () =>
  withConnectionOptions(new Command("list"))
    .description("Lists the newest jobs.")
    .examples("offline-inference job list --env dev")
    .action(async (_: ConnectionOptions, command: Command) => {
      const options: JobOptions = command.optsWithGlobals();
      const { listJobs } = await import("./job-look");
      await withConnection(options, ({ pipeline }, signal) => listJobs(pipeline, options, signal));
    });

const cancelCommand = () =>
  withConnectionOptions(new Command("cancel"))
    .description("Ends a job: nothing more of it is asked. Answers that came are kept, and stand in its result.")
    .argument("<name>", "the job")
    .examples("offline-inference job cancel nightly")
    .action(async (id: string, _: ConnectionOptions, command: Command) => {
      const options: JobOptions = command.optsWithGlobals();
      const { cancelJob } = await import("./job-look");
      await withConnection(options, ({ pipeline }, signal) => cancelJob(pipeline, id, options, signal));
    });

export const jobCommand = () =>
  withConnectionOptions(goneOptions(new Command("job"), gone))
    .description("Says how far a job is: how many of its rows are answered, have failed and wait.")
    .argument("[name]", "the job, as `run --job` has named it")
    .option("--wait", "waits until it has ended")
    .option("--json", "prints it for machines, as the API gives it")
    .explanation(`
Exits with 0; with --wait only when every row is answered, and with 2 when one is not; with 130 after Ctrl-C, which ends
no job.`)
    .examples(
      "offline-inference job nightly",
      "offline-inference job nightly --wait && echo done",
      "offline-inference job nightly --json | jq .counts",
      "offline-inference job list",
      "offline-inference job cancel nightly",
    )
    .action(async (id: string | undefined, options: JobOptions) => {
      refuseGone(options, gone);
      if (id === undefined) throw new Error(`Which job? Name it. All there are: ${commandsFor(options)("job list")}`);
      const { showJob } = await import("./job-look");
      const isWhole = await withConnection(options, ({ pipeline }, signal) => showJob(pipeline, id, options, signal));
      if (isWhole === false && options.wait) process.exitCode = 2;
    })
    .addCommand(listCommand())
    .addCommand(cancelCommand());
