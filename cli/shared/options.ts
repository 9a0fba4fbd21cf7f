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

/** How a command is called for the pipeline that this one works with: `npx offline-inference failed --env prod`. */
export type CommandFor = (command: string) => string;

/** Spells commands with the options by which a pipeline was chosen. */
export function commandsFor({ env, profile, region, local }: ConnectionOptions): CommandFor {
  const chosen = Object.entries({ env, profile, region }).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name} ${value}`],
  );
  const options = [...(local ? ["--local"] : chosen), ""].join(" ").trimEnd();
  return (command) => `npx offline-inference ${command}${options === "" ? "" : ` ${options}`}`;
}

/** Adds those of {@link ConnectionOptions} that lead to a pipeline on AWS. */
export const withAwsOptions = <Any extends Command>(command: Any): Any =>
  command
    .addOption(environmentOption())
    .option("--profile <name>", "a profile of AWS's configuration files")
    .option("--region <code>", "another region than config.ts names");

/** Adds the options of {@link ConnectionOptions}. */
export const withConnectionOptions = <Any extends Command>(command: Any): Any =>
  withAwsOptions(command).addOption(
    new Option("--local", "works with the pipeline that `npm start -- --keep` runs on this machine").conflicts([
      "profile",
      "region",
    ]),
  );

/** Options of earlier versions by their names, each with what does the same now. */
export type Gone = Readonly<Record<string, string>>;

const flagOf = (name: string) => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** Lets a command know options that it no longer has, so that it can say what takes their place. */
export function goneOptions<Any extends Command>(command: Any, gone: Gone): Any {
  for (const name of Object.keys(gone)) command.addOption(new Option(`${flagOf(name)} [value]`).hideHelp());
  return command;
}

/** @throws where one of them was given, with what takes its place */
export function refuseGone(given: object, gone: Gone): void {
  const lines = Object.entries(gone).flatMap(([name, instead]) =>
    name in given ? [`${flagOf(name)} is gone. Now it is: ${commandsFor({})(instead)}`] : [],
  );
  if (lines.length > 0) throw new Error(lines.join("\n"));
}
