import { InvalidArgumentError } from "commander";
import { Command } from "../shared/command";
import { environmentOption } from "../shared/options";

/** @throws InvalidArgumentError */
function parseUntil(text: string): Date {
  const isTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/.test(text);
  const [, amount, unit = ""] = /^(\d{1,4})([hd])$/.exec(text) ?? [];
  const hours = Number(amount) * (unit === "d" ? 24 : 1);
  const until = amount === undefined ? new Date(isTime ? text : Number.NaN) : new Date(Date.now() + 3_600_000 * hours);
  if (until.getTime() > Date.now()) return until;
  throw new InvalidArgumentError(
    "It is a time to come, such as 2026-11-30T07:00Z, or a while from now, such as 12h or 3d.",
  );
}

interface Options {
  readonly env?: string;
  readonly until?: Date;
  readonly autoApprove?: true;
}

export const pauseCommand = () =>
  new Command("pause")
    .description(
      "Takes away what an environment costs at rest, the endpoint and the cluster's nodes, and keeps all else.",
    )
    .option("--until <time>", "refuses where a request would expire, or a job's deadline pass, before then", parseUntil)
    .addOption(environmentOption())
    .option("--auto-approve", "do not ask before anything is changed")
    .explanation(
      [
        "\nThe worker is handed no more requests; what is in flight is answered, and what is staged is loaded. Then the plan of the",
        "paused environment is applied, and the cluster paused. Requests and jobs are taken all the same, and wait. What is lost",
        "first, where nobody resumes it, is said here, by `status`, and by an alarm in time.",
        "\npaused.json says which environments are paused: commit it. Run it again where it was interrupted.",
        "\nExits with 2, and pauses nothing, when something else would be lost; with 1 on errors.",
      ].join("\n"),
    )
    .examples("offline-inference pause --env dev", "offline-inference pause --env dev --until 3d")
    .action(async (options: Options) => {
      const { pause } = await import("./pausing");
      if (!(await pause(options))) process.exitCode = 2;
    });

export const resumeCommand = () =>
  new Command("resume")
    .description("Brings a paused environment back, and ends when it answers.")
    .addOption(environmentOption())
    .option("--auto-approve", "do not ask before anything is changed")
    .explanation(
      [
        "\nThe cluster is resumed, the plan without the pause applied, and what `deploy` proves is proven: the canary of the",
        "warehouse, that the endpoint serves, and its golden answers. Then a golden request goes through the queue, and its answer",
        "must be in the warehouse within 15 minutes. It is a row of the input `canary`. Run it again where it was interrupted.",
        "\nExits with 2, and applies nothing, when something stateful would be lost; with 1 on errors, and when a canary is not answered.",
      ].join("\n"),
    )
    .examples("offline-inference resume --env dev")
    .action(async (options: Options) => {
      const { resume } = await import("./pausing");
      if (!(await resume(options))) process.exitCode = 2;
    });
