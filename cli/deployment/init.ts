import { Option } from "commander";
import { Command } from "../shared/command";
import type { InitOptions } from "./first-config";

export const initCommand = () =>
  new Command("init")
    .description("Asks what is yours, and writes config.ts: once, before the first deployment.")
    .option("--project <name>", "the tag Project of every resource")
    .option("--owner <whom>", "the tag Owner of every resource: whom to ask")
    .option("--region <code>", "where everything is deployed (default: AWS_REGION, or else AWS_DEFAULT_REGION)")
    .option(
      "--state-bucket <name>",
      "the bucket of Terraform's state, which is made: a name that no one else in the world has",
    )
    .option(
      "--model <name>",
      "what the model is called; the names of its resources follow from it (default: the default model's)",
    )
    .option(
      "--features <list>",
      "what an input of the model is: age:Integral,income:Fractional,city:String? (default: the default model's)",
    )
    .addOption(
      new Option("--from <file>", "a CSV file whose columns are the features, beside id").conflicts("features"),
    )
    .explanation(
      "\nAsks for what no option says; where there is no terminal, it says which options lack. A ? behind a type lets an input\n" +
        "lack that feature. A config.ts that somebody has edited is never written over: edit it by hand then.",
    )
    .examples(
      "offline-inference init",
      "offline-inference init --from rows.csv --model credit-risk",
      "offline-inference init --project churn --owner ml@example.com --region eu-west-1 --state-bucket churn-tf-state",
    )
    .action(async (options: InitOptions) => {
      const { writeFirstConfig } = await import("./first-config");
      await writeFirstConfig(options);
    });
