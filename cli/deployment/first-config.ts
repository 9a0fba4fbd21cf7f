import { existsSync, readFileSync } from "node:fs";
import { defaultContract, defaultModelName } from "../../config/default-model";
import { ConfigError } from "../../config/faults";
import { writeWhole } from "../../config/json-file";
import { readConfig } from "../../config/schema";
import { sourceOf } from "../../config/spoken-contract";
import { type Answers, configText, placeholders, prefixOf, settingsOf } from "../../config/starter";
import { guessFeatures } from "../features/guess-contract";
import { lineOf } from "../shared/asking";
import { withCsv } from "../shared/csv";
import { interruptible } from "../shared/interruption";
import { commandsFor } from "../shared/options";

/** What can be said of a project on the command line. */
export interface InitOptions {
  readonly project?: string;
  readonly owner?: string;
  readonly region?: string;
  readonly stateBucket?: string;
  readonly model?: string;
  readonly features?: string;
  readonly from?: string;
}

/** The answers that are known so far. */
type Given = Partial<Answers>;

interface Question {
  readonly of: Exclude<keyof Answers, "prefix">;
  readonly flag: string;
  readonly asks: string;
  /** What a text on the command line or at the terminal says. */
  readonly read: (text: string) => Given;
  /** The answer where none is given. @default there must be one */
  readonly usual?: (given: Given) => string | undefined;
}

const regionOfShell = () => process.env.AWS_REGION || process.env.AWS_DEFAULT_REGION;
const usualFeatures = Object.fromEntries(defaultContract.features.map(({ name, type }) => [name, type]));

/** What is asked, in this order. */
const questions: readonly Question[] = [
  {
    of: "project",
    flag: "--project",
    asks: "Project, a tag of every resource",
    read: (project) => ({ project, prefix: prefixOf(project) }),
  },
  { of: "owner", flag: "--owner", asks: "Owner, whom to ask: a tag too", read: (owner) => ({ owner }) },
  { of: "region", flag: "--region", asks: "AWS region", read: (region) => ({ region }), usual: regionOfShell },
  {
    of: "stateBucket",
    flag: "--state-bucket",
    asks: "Bucket of Terraform's state, which is yet to be made: a name that nobody else in the world has",
    read: (stateBucket) => ({ stateBucket }),
  },
  {
    of: "features",
    flag: "--features",
    asks: "Features of an input, with their types: String, Integral or Fractional, and a ? behind what may be missing",
    read: (list) => (list === listOf(usualFeatures) ? {} : { features: featuresIn(list) }),
    usual: () => listOf(usualFeatures),
  },
  {
    of: "model",
    flag: "--model",
    asks: "Model's name",
    read: (model) => ({ model }),
    usual: ({ features }) => (features === undefined ? defaultModelName : undefined),
  },
];

/** Features as they are written on the command line: `age:Integral,city:String?`. @throws where one is there twice */
function featuresIn(list: string): Record<string, unknown> {
  const features = list.split(",").map((one) => {
    const [, name = "", type = "", mark] = /^(.*?)\s*(?::\s*(\w*)(\?)?)?$/s.exec(one.trim()) ?? [];
    return [name, mark === undefined ? type : { type, optional: true }] as const;
  });
  const names = features.map(([name]) => name);
  const twice = names.find((name, place) => names.indexOf(name) !== place);
  if (twice !== undefined) throw new ConfigError([`model.contract.features.${twice}: got it twice; allowed: once`]);
  return Object.fromEntries(features);
}

const listOf = (features: Readonly<Record<string, unknown>>) =>
  Object.entries(features)
    .map(([name, type]) => `${name}:${type}`)
    .join(",");

/** What init asks about, as faults name it; whatever else is wrong is told when the file is written. */
const isAsked = (fault: string) => /^(project|owner|prefix|region|stateBucket|got|model\.(name|contract))/.test(fault);

/** What the schema says of answers, with harmless ones in the place of those that are not known yet. */
function faultsOf(given: Given): string[] {
  try {
    readConfig(settingsOf({ ...placeholders, ...given }), {});
    return [];
  } catch (error) {
    return faultsIn(error);
  }
}

const faultsIn = (error: unknown): string[] => {
  if (!(error instanceof ConfigError)) throw error;
  return [...new Set(error.faults.map((fault) => fault.replace(/^environments\.(dev|prod)(\.|: )/, "")))];
};

/** What a text says in answer to a question, or why it cannot be taken. */
function readAnswer({ read }: Question, text: string): { said: Given; faults: string[] } {
  try {
    const said = read(text);
    return { said, faults: faultsOf(said).filter(isAsked) };
  } catch (error) {
    return { said: {}, faults: faultsIn(error) };
  }
}

/** The features that the columns of a CSV file would be. @throws where there are none */
async function featuresFrom(file: string, signal: AbortSignal): Promise<Given> {
  const features = await withCsv(file, { signal }, (csv) => {
    const names = (csv.header?.values ?? []).map((name) => name.trim());
    const twice = names.find((name, place) => names.indexOf(name) !== place);
    if (twice !== undefined) throw new Error(`${file}: the column ${JSON.stringify(twice)} is named twice.`);
    return guessFeatures(csv);
  });
  if (features === undefined)
    throw new Error(`${file} says no features: it needs a header with more than id, and a row.`);
  console.error(`Features, by the columns of ${file}: ${sourceOf(features)}`);
  return { features };
}

async function askUntilRight(question: Question, given: Given, signal: AbortSignal): Promise<Given> {
  const usual = question.usual?.(given);
  for (;;) {
    const line = await lineOf(`${question.asks}${usual === undefined ? "" : ` [${usual}]`}: `, signal);
    signal.throwIfAborted();
    if (line === undefined) throw new Error(`Nothing was written: ${file} needs all answers.`);
    const { said, faults } = readAnswer(question, line === "" ? (usual ?? "") : line);
    if (faults.length === 0) return said;
    console.error(faults.join("\n"));
  }
}

const file = "config.ts";

/** @throws where config.ts is not as it was shipped */
function mustBeUnedited(): void {
  if (!existsSync("cdktf.json")) throw new Error(`${process.cwd()} is no project: it has no cdktf.json.`);
  if (!existsSync(file) || readFileSync(file, "utf8") === configText(placeholders)) return;
  throw new Error(`${file} has been edited, and is not written over. Edit it by hand: docs/configuration.md`);
}

/**
 * Writes config.ts of what the options say, and of what is asked at the terminal for the others.
 * @throws with all that is wrong or lacks, before anything is asked; where config.ts has been edited
 */
export async function writeFirstConfig(options: InitOptions): Promise<void> {
  mustBeUnedited();
  const answers = await interruptible(async (signal) => {
    let given: Given = options.from === undefined ? {} : await featuresFrom(options.from, signal);
    const faults = faultsOf(given).filter(isAsked);
    for (const question of questions) {
      const text = options[question.of];
      if (text === undefined) continue;
      const read = readAnswer(question, text);
      given = { ...given, ...read.said };
      faults.push(...read.faults);
    }
    const open = questions.filter(({ of }) => options[of] === undefined && given[of] === undefined);
    if (!process.stdin.isTTY) faults.push(...lacking(open, given));
    if (faults.length > 0) throw new Error([`Nothing was written to ${file}:`, ...faults].join("\n  "));
    for (const question of open) {
      const usual = question.usual?.(given);
      const isAsking = process.stdin.isTTY || usual === undefined;
      given = { ...given, ...(isAsking ? await askUntilRight(question, given, signal) : question.read(usual)) };
    }
    return { ...placeholders, ...given };
  });
  mustBeUnedited(); // the questions may have taken a while
  writeWhole(file, configText(answers));
  const open = faultsOf(answers);
  if (open.length > 0) throw new Error([`${file} is written, and needs more:`, ...open].join("\n  "));
  console.error(`${file} is written. What else is missing: ${commandsFor({})("doctor")}`);
}

/** The options without which nobody knows an answer. */
function lacking(open: readonly Question[], given: Given): string[] {
  return open.flatMap(({ flag, asks, usual }) =>
    usual?.(given) === undefined ? [`${flag} is missing, and this is no terminal to ask at. ${asks}`] : [],
  );
}
