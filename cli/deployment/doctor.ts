import { Command } from "../shared/command";
import { linesOf } from "../shared/findings";
import { type ConnectionOptions, withConnectionOptions } from "../shared/options";
import type { Examined } from "./doctor-checks";

interface DoctorOptions extends ConnectionOptions {
  readonly json?: true;
  readonly canary?: true;
}

export const doctorCommand = () =>
  withConnectionOptions(
    new Command("doctor").description(
      "Says what an environment still lacks, and how to mend it: account, quotas, tools, buckets, model, deployment.",
    ),
  )
    .option("--canary", "lets the loader try out the warehouse, as `deploy` does, on tables of its own")
    .option("--json", "prints what was found as JSON")
    .explanation(
      [
        "\nA look changes nothing, and invokes nothing without --canary. Each thing is looked at by itself, whatever is wrong with the others; what may not be read",
        "says so in its place. With --local only the pipeline and its endpoint: the rest is AWS's.",
        "\nExits with 0 when there is no problem, else with 1. A warning is none.",
      ].join("\n"),
    )
    .examples(
      "offline-inference doctor --env dev",
      "offline-inference doctor --env dev --profile theirs",
      "offline-inference doctor --env dev --canary",
      "offline-inference doctor --env dev --json | jq '.[] | select(.mark == \"problem\")'",
    )
    .action(async ({ json, canary, ...options }: DoctorOptions) => {
      const { examineEnvironment } = await import("./doctor-checks");
      const findings = await examineEnvironment(options, canary);
      console.log(json ? JSON.stringify(findings, undefined, 2) : groupsOf(findings).join("\n\n"));
      if (options.local) console.error("What else there is to look at is AWS's: local mode needs none of it.");
      if (findings.some(({ mark }) => mark === "problem")) process.exitCode = 1;
    });

/** What was found as text, a group at a time. */
const groupsOf = (findings: readonly Examined[]): string[] =>
  [...new Set(findings.map(({ group }) => group))].map((group) =>
    [group, ...findings.filter((finding) => finding.group === group).flatMap(linesOf)].join("\n"),
  );
