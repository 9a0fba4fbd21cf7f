import { once } from "node:events";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CommanderError, Option } from "commander";
import { z } from "zod";
import type { Environment, Settings, Shared } from "../config";
import { defaultContract } from "../config/default-model";
import { whileHolding } from "../config/file-lock";
import type { ModelContract } from "../contract/model-contract";
import { exampleNames, exampleOf } from "../examples";
import { mustBeFree } from "../local/aws";
import { removeLocalEnvironment, writeLocalEnvironment } from "../local/environment-file";
import { configurationOf, startPipeline } from "../local/pipeline";
import { makePrivateFolder } from "../local/private-folder";
import { lexicalModel, sampleRows as sample } from "../samples";
import { checkInputs, type Inputs, openInputs, reasonOf } from "./features/feature-rows";
import { type FirstRow, firstLook, rowsShown } from "./first-look";
import { runJob } from "./jobs/run-job";
import { inProcess, mustAnswer, type WatchedModel, watchedModel } from "./local-model";
import { type Call, callsOf } from "./page/calls";
import { startPage } from "./page/page-server";
import { pageWork } from "./page/page-work";
import { Command } from "./shared/command";
import { localDataDir as dataDir, pipelineOf } from "./shared/connection";
import { type CsvFile, withCsv } from "./shared/csv";
import { endWhenUnread, isUnread, untilInterrupted } from "./shared/interruption";
import { guardTerminal } from "./shared/printing";
import { workInProject } from "./shared/project-root";
import { inPlaces, terminalWidth } from "./shared/text-table";

/** What the command prints for its caller goes to stdout, what it says meanwhile to stderr. */
const talk = (line: string) => console.error(line);

const resultsFile = join(dataDir, "results.csv");
/** Says that a run with --keep has left its predictions, results and logs here. */
const keptMark = join(dataDir, "kept");

/** What is run, with which model, on which rows. */
interface Project {
  /** @default config.ts's */
  readonly settings?: Settings;
  readonly shared: Shared;
  readonly configuration: Environment;
  readonly file: string;
  /** Says which model it is. */
  readonly about: string;
  serve(signal: AbortSignal): Promise<WatchedModel>;
}

const optionsSchema = z.object({
  keep: z.boolean().default(false),
  fresh: z.boolean().default(false),
  model: z.string().optional(),
  example: z.string().optional(),
});
type Options = z.infer<typeof optionsSchema>;

function projectOf(file: string | undefined, { model: artifact, example: name }: Options): Project {
  const example = name === undefined ? undefined : exampleOf(name);
  const { shared, configuration } = configurationOf({ settings: example?.settings });
  const { contract } = configuration.model;
  const variables = configuration.model.endpoint ? {} : configuration.model.variables;
  const archive = (folder: string) => (signal: AbortSignal) =>
    watchedModel(folder, join(dataDir, "model.log"), talk, signal, variables);
  const settings = example?.settings;
  const rows = file ?? example?.rows ?? sample;
  if (artifact !== undefined) {
    const about = `The model is that of ${artifact}.`;
    return { settings, shared, configuration, file: rows, about, serve: archive(artifact) };
  }
  if (example !== undefined) {
    const { model } = example;
    const serve = async (signal: AbortSignal) =>
      "standIn" in model ? inProcess(model.standIn) : archive(await model.archive())(signal);
    return { settings, shared, configuration, file: rows, about: example.about, serve };
  }
  if (namesOf(contract) !== namesOf(defaultContract)) {
    throw new Error(
      `The stand-in for a model knows ${namesOf(defaultContract)}, and the contract in config.ts has ${namesOf(contract)}. Bring a model: npm start -- --model FOLDER ROWS.csv`,
    );
  }
  const about = "The model is a stand-in: it compares words, and was never trained.";
  return { shared, configuration, file: rows, about, serve: async () => inProcess(lexicalModel) };
}

const namesOf = ({ features }: ModelContract) => features.map(({ name }) => name).join(", ");

/** The environment's feature group as a file of inputs is read by it; undefined where requests carry their features. */
function featureGroupOf({ features, model: { contract } }: Environment) {
  if (features === false) return undefined;
  const { groupName: name, recordIdentifier, eventTime } = features;
  return { name, features: contract.features, recordIdentifier, eventTime };
}

/** Runs the whole pipeline on this machine over the rows of a file, and says whether each got its prediction. */
async function start(file: string | undefined, options: Options, signal: AbortSignal): Promise<boolean> {
  const project = projectOf(file, options);
  const { contract } = project.configuration.model;
  const featureGroup = featureGroupOf(project.configuration);
  return withCsv(project.file, { signal }, async (csv) => {
    const inputs = await openInputs(csv, { contract, featureGroup, columns: new Map() });
    const { rows, refused } = await checkInputs(inputs, signal);
    if (refused === rows) throw new Error(await whyNone(inputs));
    const first = await firstRows(inputs);
    makePrivateFolder(dataDir);
    return whileHolding(join(dataDir, "run"), async () => {
      await mustBeFree(dataDir);
      mayBeReplaced(options);
      rmSync(resultsFile, { force: true });
      talk(project.about);
      const model = await project.serve(signal);
      try {
        await mustAnswer(
          model,
          contract,
          first.map(({ values }) => values),
        );
        return await run(project, model, csv, first, options.keep, signal);
      } catch (error) {
        throw model.died.aborted ? model.died.reason : error;
      } finally {
        await model.stop();
      }
    });
  });
}

/** Forgets what the last --keep left, where that was said. @throws where it was not */
function mayBeReplaced({ fresh }: Options): void {
  if (existsSync(keptMark) && !fresh)
    throw new Error(
      `${dataDir}/ holds what the last --keep left: its predictions, results and logs. Move the folder to keep them, or let this run delete them: npm start -- --fresh`,
    );
  rmSync(keptMark, { force: true });
}

/** Why the first row is refused, where all are. */
async function whyNone(inputs: Inputs): Promise<string> {
  for await (const row of inputs.rows()) {
    const reason = reasonOf(row);
    if (reason !== undefined) return `${inputs.file.name}:${row.source.line}: ${reason}; no other row is better.`;
  }
  return `${inputs.file.name} has no rows.`;
}

async function firstRows(inputs: Inputs): Promise<FirstRow[]> {
  const first: FirstRow[] = [];
  for await (const row of inputs.rows()) {
    if (reasonOf(row) === undefined) first.push(row.features);
    if (first.length === rowsShown()) break;
  }
  return first;
}

async function run(
  { settings, shared, configuration }: Project,
  { model, died }: WatchedModel,
  csv: CsvFile,
  first: readonly FirstRow[],
  keep: boolean,
  interrupted: AbortSignal,
): Promise<boolean> {
  const signal = AbortSignal.any([interrupted, died]);
  signal.throwIfAborted();
  talk("Starting the pipeline, and stand-ins for AWS ...");
  const aws = await startPipeline({ dataDir, model, settings, environment: configuration.name });
  try {
    signal.throwIfAborted();
    delete process.env.AWS_PROFILE;
    Object.assign(process.env, aws.environment);
    const pipeline = await pipelineOf(configuration, {}, { local: true });
    const columns = new Map<string, string>();
    const report = { path: join(dataDir, "report.html"), environment: configuration, isLocal: true };
    const job = { pipeline, file: csv, columns, format: "csv", output: resultsFile, safe: false, report } as const;
    const isWhole = await runJob({ ...job, ingest: pipeline.featureGroup !== undefined, signal });
    console.log(await firstLook(resultsFile, pipeline.contract, first));
    console.log(`\nThe whole result: ${resultsFile}. Logs and data: ${dataDir}/`);
    console.log(nextSteps(configuration, keep));
    if (keep) {
      const { name: environment, namesParameter } = configuration;
      const variables = { ...aws.environment, QUEUE_URL: aws.queueUrl, API_URL: aws.apiUrl };
      writeLocalEnvironment(dataDir, { environment, namesParameter, variables });
      writeFileSync(keptMark, "");
      const isSigned = configuration.api.authorization === "AWS_IAM";
      const calls = first[0] ? callsOf(pipeline, first[0], { dataDir, isSigned }) : [];
      const work = pageWork({ shared, environment: configuration, pipeline }, calls, signal);
      const page = await startPage(work);
      try {
        console.log(usageOf(calls, page.url));
        talk("Running until Ctrl-C.");
        if (!signal.aborted) await once(signal, "abort");
      } finally {
        await page.stop();
      }
      signal.throwIfAborted();
    }
    return isWhole;
  } finally {
    removeLocalEnvironment(dataDir);
    await aws.stop();
  }
}

/** What to try next. */
function nextSteps({ model: { contract } }: Environment, keep: boolean): string {
  const columns = ["id", ...contract.features.map(({ name }) => name)];
  const shown = columns.length > 8 ? `${columns.slice(0, 8).join(", ")}, …` : columns.join(", ");
  const steps = [
    ["npm start -- rows.csv", `your own rows: ${shown}`],
    ["npm start -- --model FOLDER", "a model: a folder with code/inference.py"],
    [`npm start -- --example ${exampleNames[0]}`, `another project: ${exampleNames.join(", ")}`],
    ...(keep ? [] : [["npm start -- --keep", "goes on running, with a page to look at"]]),
  ];
  const lines = steps.map(([command = "", what]) => `  ${command.padEnd(32)} ${what}`);
  return ["Next:", ...lines.map((line) => inPlaces(line, terminalWidth()).trimEnd())].join("\n");
}

/** What to type in another terminal, and what to open. */
const usageOf = (calls: readonly Call[], url: string) =>
  `\n${calls.map((call) => `${call.with}:\n${call.text}\n`).join("\n")}\nThe same to look at, for you alone: ${url}`;

async function main() {
  const program = new Command("npm start --")
    .description("Runs the pipeline on this machine, without AWS: one prediction for each row of a CSV file.")
    .argument("[file]", `CSV file with the columns id and the contract's features (default: ${sample})`)
    .option("--model <artifact>", "the archive of a model that answers, or the folder of an unpacked one")
    .addOption(new Option("--example <name>", "a project of examples/ in the place of config.ts").choices(exampleNames))
    .option("--keep", "go on running until Ctrl-C, with a page to look at, for other programs too")
    .option("--fresh", "delete what the last --keep left: its predictions, results and logs")
    .explanation("\nExits with 0 when every row has its prediction, else with 1, and with 130 after Ctrl-C.");
  workInProject(program);
  program.exitOverride().parse();
  const options = optionsSchema.parse(program.opts());
  const file = z.string().optional().parse(program.processedArgs[0]);
  const complete = await untilInterrupted((signal) => start(file, options, signal));
  if (complete === false) process.exitCode = 1;
}

guardTerminal();
endWhenUnread();
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = "true";
main().catch((error: unknown) => {
  if (isUnread()) return;
  if (!(error instanceof CommanderError)) talk(error instanceof Error ? error.message : String(error));
  process.exitCode = error instanceof CommanderError ? error.exitCode : 1;
});
