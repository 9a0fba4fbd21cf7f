import { InvalidArgumentError, Option } from "commander";
import { Command } from "../shared/command";
import { commandsFor, environmentOption } from "../shared/options";
import type { Agreement } from "./golden";

const recipeOption = () =>
  new Option(
    "--recipe <name>",
    "torch-neuron (the usual one) or neo for Inf1, torch-neuronx for Inf2; a CPU needs none",
  );

const packageCommand = () =>
  new Command("package")
    .description("Writes the archive that SageMaker starts a model from, out of a folder with a model.json.")
    .argument("<folder>", "holds model.json, which says what the model speaks, and the files that it names")
    .option("--output <file>", "where the archive goes", "model.tar.gz")
    .explanation(
      "\nmodel/trace.py writes such a folder of a Hugging Face classifier, and docs/your-model.md says what stands in\n" +
        "model.json. The same files give the same archive on every machine. Prints its SHA-256, as sha256sum does.",
    )
    .examples(
      "offline-inference model package traced",
      "offline-inference model package examples/tabular/model --output artifact/model.tar.gz",
    )
    .action(async (folder: string, { output }: { output: string }) => {
      const { packageModel } = await import("./model-package");
      console.log(`${await packageModel(folder, output)}  ${output}`);
    });

const uploadCommand = () =>
  new Command("upload")
    .description("Puts an archive into the bucket of the models, under its SHA-256, unless it is there.")
    .argument("<archive>", "what `model package` has written")
    .addOption(environmentOption())
    .explanation("\nPrints the archive's address.")
    .examples("offline-inference model upload model.tar.gz --env dev")
    .action(async (archive: string, { env }: { env?: string }) => {
      const { modelEnvironment } = await import("./model-environment");
      const { uploadModel } = await import("./model-upload");
      console.log((await uploadModel(archive, modelEnvironment(env))).url);
    });

interface VerifyOptions {
  readonly golden?: string;
  readonly endpoint?: string;
  readonly env?: string;
  readonly deadline?: number;
}

const verifyCommand = () =>
  new Command("verify")
    .description("Asks a model its golden requests: an archive on this machine as SageMaker runs it, or an endpoint.")
    .argument("[archive]", "what `model package` has written; beside --endpoint only whose golden requests are asked")
    .option("--golden <file>", "requests and answers, in the place of those that the archive or the release has")
    .option("--endpoint <name>", "asks each production variant of an endpoint on AWS")
    .addOption(environmentOption())
    .addOption(
      new Option(
        "--deadline <seconds>",
        "how long all requests to an endpoint may take in all (default: 300)",
      ).argParser(secondsOf),
    )
    .explanation(
      "\nWithout --endpoint it needs no AWS. The model has no network, as on SageMaker: one that reaches out is wrong. With\n" +
        "--endpoint and no archive the golden requests are those of the environment's current release, and releases.json\n" +
        "says then what was proven. Exits with 0 when all answers are right, else with 1.",
    )
    .examples(
      "offline-inference model verify model.tar.gz",
      "offline-inference model verify model.tar.gz --golden answers.json",
      "offline-inference model verify --endpoint poc-dev-paraphrase-bert-en-endpoint --env dev",
    )
    .action(async (archive: string | undefined, { endpoint, env, golden, deadline }: VerifyOptions) => {
      const print = ({ asked, agreed, faults }: Agreement, of: string) => {
        console.log([`${agreed} of ${asked} answers of ${of} are the golden ones.`, ...faults].join("\n  "));
        if (agreed < asked) process.exitCode = 1;
      };
      if (endpoint !== undefined) {
        const { verifyEndpoint } = await import("./model-verify-endpoint");
        const answers = await verifyEndpoint(endpoint, { archive, golden, env, deadlineSeconds: deadline });
        for (const { variant, ...found } of answers) print(found, `${endpoint}, variant ${variant},`);
        return;
      }
      if (archive === undefined) {
        throw new Error("Name an archive or --endpoint, as in model verify model.tar.gz");
      }
      const { verifyModel } = await import("./model-verify");
      print(await verifyModel(archive, golden), archive);
    });

const secondsOf = (text: string): number => {
  const seconds = Number(text);
  if (seconds > 0 && seconds <= 3600) return seconds;
  throw new InvalidArgumentError(`It must be more than 0 and 3600 at most, got ${text}.`);
};

const compareCommand = () =>
  new Command("compare")
    .description("Asks two models about the rows of a CSV file on this machine, and says where they differ.")
    .argument("<archive>", "an archive of a model, or the folder of an unpacked one: what is served now, say")
    .argument("<other-archive>", "another: what is to be served")
    .requiredOption("--csv <file>", "a column for each feature; `label` where the right answer is known, and `id`")
    .addOption(environmentOption())
    .explanation(
      "\nPrints on how many rows they agree, how often each is right where rows have a label, and the rows that differ. A\n" +
        "label is the answer's text, or its number in model.json. Exits with 1 where that is less than `model.gate` of the\n" +
        "environment wants.",
    )
    .examples(
      "offline-inference model compare served.tar.gz model.tar.gz --csv samples/paraphrase/labelled-pairs.csv --env dev",
    )
    .action(async (a: string, b: string, { csv, env }: { csv: string; env?: string }) => {
      const { targetOf } = await import("../shared/connection");
      const { compareModels, comparisonText, faultsBy } = await import("./model-compare");
      const { gate = {} } = targetOf({ env }, {}).environment.model;
      const comparison = await compareModels([a, b], csv);
      console.log(comparisonText(comparison));
      const faults = faultsBy(gate, comparison);
      if (faults.length > 0) throw new Error(faults.join("\n"));
    });

const compileCommand = () =>
  new Command("compile")
    .description(
      "Compiles an archive for the instances of an environment, by a job of SageMaker's, unless it has been.",
    )
    .argument("<archive>", "what `model package` has written")
    .addOption(environmentOption())
    .addOption(recipeOption())
    .explanation(
      "\nFollows the job. It goes on where the command is interrupted, and is found when that is run again. Prints the\n" +
        "compiled archive's address.",
    )
    .examples(
      "offline-inference model compile model.tar.gz --env dev",
      "offline-inference model compile model.tar.gz --env dev --recipe neo",
    )
    .action(async (archive: string, { env, recipe }: { env?: string; recipe?: string }) => {
      const { modelEnvironment } = await import("./model-environment");
      const { compileModel } = await import("./model-compile");
      const of = modelEnvironment(env);
      const compiled = await compileModel(archive, of, recipe);
      if (compiled !== undefined) console.log(of.bucket.urlOf(compiled.artifact.key));
    });

interface ReleaseOptions {
  readonly env?: string;
  readonly recipe?: string;
  readonly unverified?: true;
  readonly rollback?: true;
  readonly wait?: true;
}

const releaseCommand = () =>
  new Command("release")
    .description(
      "Writes into releases.json which archive an environment serves; `diff` shows it, and `deploy` applies it.",
    )
    .argument("[archive]", "what has been verified, uploaded and, for Inferentia, compiled")
    .addOption(environmentOption())
    .addOption(recipeOption())
    .option("--unverified", "release an archive that `model verify` has not found right on this machine")
    .addOption(
      new Option("--rollback", "make the release before the current one again").conflicts(["recipe", "unverified"]),
    )
    .option(
      "--wait",
      "then wait until the endpoint serves it, while it is deployed elsewhere, and ask it the golden requests",
    )
    .explanation(
      "\nThe archive must speak the contract of config.ts. Exits with 0, else with 1, with --wait also when SageMaker takes\n" +
        "back what was deployed, or an answer is not the golden one. The waiting ends by Ctrl-C, and then the release stays\n" +
        "in releases.json.",
    )
    .examples(
      "offline-inference model release model.tar.gz --env dev",
      "offline-inference model release --rollback --env dev --wait",
    )
    .action(async (archive: string | undefined, { env, rollback, wait, ...options }: ReleaseOptions) => {
      if ((archive === undefined) !== (rollback === true)) {
        throw new Error("Name either an archive or --rollback, as in model release model.tar.gz --env dev");
      }
      const { modelEnvironment } = await import("./model-environment");
      const { releaseIsServed, releaseModel, rollBack } = await import("./model-release");
      const of = modelEnvironment(env);
      const { name } = of.environment;
      console.log(archive === undefined ? rollBack(of) : await releaseModel(archive, of, options));
      console.error(`What that changes on AWS: ${commandsFor({})(`diff inference-${name}`)}`);
      if (wait) await releaseIsServed(name);
    });

const shipCommand = () =>
  new Command("ship")
    .description("Does all of it: traces and packages a model, verifies, uploads, compiles and releases it, and plans.")
    .argument(
      "<folder>",
      "a Hugging Face model with its tokenizer, as save_pretrained leaves them, or any with a model.json",
    )
    .addOption(environmentOption())
    .addOption(recipeOption())
    .explanation(
      "\nWhat is done already is skipped: after an interruption, run it again. Prints what `diff` prints, and exits as it does.",
    )
    .examples("offline-inference model ship artifact --env dev")
    .action(async (folder: string, { env, recipe }: { env?: string; recipe?: string }) => {
      const { modelEnvironment } = await import("./model-environment");
      const { shipModel } = await import("./model-ship");
      if (!(await shipModel(folder, modelEnvironment(env), recipe))) process.exitCode = 2;
    });

export const modelCommand = () =>
  new Command("model")
    .description("Brings a model behind the endpoint: packages, verifies, uploads, compiles and releases it.")
    .examples("offline-inference model ship artifact --env dev", "offline-inference model release --env dev --rollback")
    .addCommand(packageCommand())
    .addCommand(verifyCommand())
    .addCommand(compareCommand())
    .addCommand(uploadCommand())
    .addCommand(compileCommand())
    .addCommand(releaseCommand())
    .addCommand(shipCommand());
