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

export const modelCommand = () =>
  new Command("model")
    .description("Brings a model behind the endpoint: packages it and uploads it.")
    .addCommand(packageCommand())
    .addCommand(uploadCommand());
