import { existsSync } from "node:fs";
import { Command, InvalidArgumentError, Option } from "commander";
import { compiledOn } from "../../cli/model/model-jobs";
import { recipeFor } from "../../cli/model/model-recipes";
import { ask, isYes, mustBeAskable } from "../../cli/shared/asking";
import { targetOf } from "../../cli/shared/connection";
import { messageOf } from "../../cli/shared/findings";
import { Interruption, interruptible } from "../../cli/shared/interruption";
import { guardTerminal } from "../../cli/shared/printing";
import { throughProxy } from "../../cli/shared/proxy";
import { loadConfig, type Settings } from "../../config";
import { whileHolding } from "../../config/file-lock";
import { makePrivateFolder } from "../../local/private-folder";
import { accountOf, hasApiGatewayRole, thingsOf } from "./account";
import { makeCheckout } from "./checkout";
import { costLines } from "./costs";
import {
  checkoutOf,
  folderOf,
  logOf,
  type RunRecord,
  readRecord,
  recordFileOf,
  unfinishedRuns,
  writeRecord,
} from "./record";
import { remove } from "./removal";
import { onStandIns } from "./run-commands";
import { runSteps } from "./run-steps";
import { nameAt, runName, smokeSettings } from "./settings";
import { type StepOptions, stepsOf, writeRows } from "./steps";
import { keepReport } from "./unproven";

interface SmokeOptions {
  readonly env?: string;
  readonly long?: true;
  readonly rows: number;
  readonly apart: number;
  readonly name?: string;
  readonly clean?: string | true;
  readonly autoApprove?: true;
}

const say = (line: string) => console.error(line);
const goesOn = (name: string) => `npm run smoke -- --clean ${name}`;

/** Makes an environment of its own, tries everything out, and takes it away. @returns whether all of it went well */
async function smoke(options: SmokeOptions): Promise<boolean> {
  const { env, long = false, rows, apart: apartSeconds, name = nameAt(new Date()), autoApprove } = options;
  const { shared, environment } = targetOf({ env });
  const as = { region: shared.region, profile: shared.profile };
  const account = await accountOf(as);
  if (shared.account !== undefined && shared.account !== account) {
    throw new Error(`You are signed in to the account ${account}, and config.ts names ${shared.account}.`);
  }
  const apiGatewayRole = !(await hasApiGatewayRole(as));
  const settings = smokeSettings(shared, environment, { name, account, apiGatewayRole });
  const made = loadConfig(settings).environments[name];
  if (made === undefined || made.model.endpoint) throw new Error(`There is no environment ${name}.`);
  const found = await thingsOf({ name, account }, as);
  if (found.length > 0) {
    throw new Error([`The account ${account} has this already, of a run of that name:`, ...found].join("\n  "));
  }

  say(`${name} is made in the account ${account}, in ${shared.region}, is tried out and taken away. It costs:`);
  const compiles = recipeFor(made.model.instanceType) !== undefined;
  const costs = {
    region: shared.region,
    isLong: long,
    prices: shared.prices,
    compiledOn: compiles ? compiledOn : undefined,
  };
  for (const line of costLines(made, costs)) say(line);
  if (!autoApprove) {
    mustBeAskable();
    const answer = await interruptible((signal) => ask("Go on? [y/N] ", signal));
    if (!isYes(answer)) throw new Error("Nothing was made.");
  }

  if (existsSync(folderOf(name)))
    throw new Error(`${folderOf(name)} is of another run of that name: name another one.`);
  makePrivateFolder(folderOf(name));
  const record: RunRecord = {
    name,
    account,
    ...as,
    on: onStandIns() ? "stand-ins" : "AWS",
    startedAt: new Date().toISOString(),
    steps: [],
    made: [],
    left: [],
  };
  const how = { name, longRows: long ? rows : undefined, apartSeconds };
  return whileHolding(recordFileOf(name), () => tryOut(record, settings, how));
}

/** Does all steps of a run, and takes away what they made. @returns whether all of it went well */
async function tryOut(record: RunRecord, settings: Settings, how: StepOptions): Promise<boolean> {
  const { name } = record;
  writeRecord(record);
  say(`Each step's output is in ${logOf(name)}. Ctrl-C ends the steps, and takes away what there is.`);
  const { failed, ...after } = await interruptible(async (signal) => {
    await makeCheckout(checkoutOf(name), settings);
    writeRows(checkoutOf(name), how);
    return runSteps(record, stepsOf(how), { signal, tell: say });
  }).catch((error: unknown) => {
    say(messageOf(error));
    if (error instanceof Interruption) process.exitCode = error.exitCode;
    return { ...readRecord(name), failed: true };
  });
  return end(after, !failed);
}

/** Takes away what a run made, and says what became of it. @returns whether all went well */
async function end(run: RunRecord, wentWell: boolean): Promise<boolean> {
  const { name } = run;
  say(`What was made is taken away now. Ctrl-C leaves the rest of it, and ${goesOn(name)} goes on.`);
  const record = await remove(run, say);
  if (record.removedAt === undefined) {
    say([`This is left of ${name}, and may cost:`, ...record.left].join("\n  "));
    say(`Go on: ${goesOn(name)}`);
    return false;
  }
  say(`Nothing is left of ${name}. What stays: SageMaker's records and logs of a job that compiled.`);
  const kept = keepReport(record);
  if (kept.length > 0) say(`Commit what this has shown: ${kept.join(" ")}`);
  return wentWell && record.steps.every(({ passed }) => passed);
}

/** Goes on taking away what runs left. @returns whether nothing is left */
async function clean(name?: string): Promise<boolean> {
  const runs = name === undefined ? unfinishedRuns() : [readRecord(name)];
  if (runs.length === 0) say("No run of this checkout has left anything.");
  let isGone = true;
  for (const { name } of runs) {
    const record = await whileHolding(recordFileOf(name), async () => {
      const run = readRecord(name);
      const account = await accountOf(run);
      if (run.account !== account) {
        throw new Error(`${name} is in the account ${run.account}, and you are signed in to ${account}.`);
      }
      await end(run, true);
      return readRecord(name);
    });
    isGone &&= record.removedAt !== undefined;
  }
  return isGone;
}

const wholeNumber = (given: string): number => {
  if (!/^[1-9]\d{0,6}$/.test(given)) throw new InvalidArgumentError("Write a whole number, 1 or more.");
  return Number(given);
};

const named = (given: string): string => {
  if (!runName.test(given)) throw new InvalidArgumentError("Write smoke- and up to 12 lowercase letters and digits.");
  return given;
};

const command = new Command("smoke")
  .description("Tries the whole pipeline out on AWS, in an environment of its own that is gone afterwards.")
  .addOption(
    new Option("--env <environment>", "whose region, network, instances and nodes it has").env("OFFLINE_INFERENCE_ENV"),
  )
  .option("--long", "asks a job of 100,000 rows too, and one of 100 while it is under way")
  .option("--rows <count>", "rows of the long job", wholeNumber, 100_000)
  .option("--apart <seconds>", "how long after the long job the other one begins", wholeNumber, 360)
  .addOption(new Option("--name <name>", "what the environment is called (default: by the clock)").argParser(named))
  .option("--clean [name]", "takes away what a run has left, or all runs have")
  .option("--auto-approve", "do not ask before anything is made")
  .addHelpText(
    "after",
    "\nExits with 0 when every step passed and nothing is left, else with 1, and with 130 after Ctrl-C.",
  )
  .hook("preAction", () => throughProxy(process.env))
  .action(async (options: SmokeOptions) => {
    const wentWell =
      options.clean === undefined
        ? await smoke(options)
        : await clean(typeof options.clean === "string" ? named(options.clean) : undefined);
    if (!wentWell) process.exitCode ??= 1;
  });

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = "true";
guardTerminal();
command.parseAsync().catch((error: unknown) => {
  console.error(messageOf(error));
  process.exitCode = error instanceof Interruption ? error.exitCode : 1;
});
