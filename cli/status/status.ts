import { Command } from "../shared/command";
import { numberAs } from "../shared/numbers-read";
import { type ConnectionOptions, withConnectionOptions } from "../shared/options";

interface StatusOptions extends ConnectionOptions {
  readonly json?: true;
  /** Between two looks, in seconds; true where no number was given. */
  readonly watch?: number | true;
}

const everySeconds = 10;
const secondsOf = numberAs(/^\d+$/, "Allowed: a whole number of seconds from 1 to 3600.", [1, 3_600]);

export const statusCommand = () =>
  withConnectionOptions(
    new Command("status").description(
      "Shows on one screen how a deployed pipeline is: queue, dead letters, endpoint, worker, warehouse, alarms.",
    ),
  )
    .option("--json", "prints it as JSON; with --watch one line a look")
    .option(
      "--watch [seconds]",
      `looks again every so many seconds until Ctrl-C; ${everySeconds} without a number`,
      secondsOf,
    )
    .explanation(
      [
        "\nA look changes nothing. What may not be read, or does not answer within ten seconds, says so in its place.",
        "\nExits with 0 when all is well, with 2 when something asks for a person, with 1 when something could not be",
        "read. A watch exits with 0 at Ctrl-C, its usual end.",
      ].join("\n"),
    )
    .examples(
      "offline-inference status --env dev",
      "offline-inference status --env dev --watch",
      "offline-inference status --local --json | jq .queue.waiting",
    )
    .action(async ({ json, watch, ...options }: StatusOptions) => {
      const { showStatus, watchStatus } = await import("./status-show");
      if (watch === undefined) return showStatus(options, { json });
      const { untilInterrupted } = await import("../shared/interruption");
      const seconds = watch === true ? everySeconds : watch;
      await untilInterrupted((signal) => watchStatus(options, { json, seconds, signal }));
      process.exitCode = 0;
    });
