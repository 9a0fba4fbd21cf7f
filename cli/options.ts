import { type Command, Option } from "commander";

/** What a command that works with a deployed pipeline is told: which one, and as whom. */
export interface ConnectionOptions {
  readonly env?: string;
  readonly profile?: string;
  readonly region?: string;
  readonly local?: true;
}

/** The option that names an environment. */
export const environmentOption = () =>
  new Option(
    "--env <environment>",
    "one of the environments of config.ts, where `defaultEnvironment` says which without this",
  ).env("OFFLINE_INFERENCE_ENV");

/** Adds the options of {@link ConnectionOptions}. */
export const withConnectionOptions = (command: Command): Command =>
  command
    .addOption(environmentOption())
    .option("--profile <name>", "a profile of AWS's configuration files")
    .option("--region <code>", "another region than config.ts names")
    .addOption(
      new Option("--local", "works with the pipeline that `npm start -- --keep` runs on this machine").conflicts([
        "profile",
        "region",
      ]),
    );
