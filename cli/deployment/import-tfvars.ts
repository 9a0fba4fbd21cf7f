import { Command } from "commander";
import { examples } from "../help";

export const importTfvarsCommand = () =>
  new Command("import-tfvars")
    .description("Turns the original's terraform.tfvars into settings to paste into config.ts, without its password.")
    .argument("<file>", "the original's variables, in HCL; or in JSON, if its name ends in .json")
    .addHelpText("after", "\nThe settings go to standard output, what changes and why to standard error.")
    .addHelpText("after", examples("offline-inference import-tfvars terraform.tfvars > settings.ts"))
    .action(async (file: string) => {
      const { importTfvars } = await import("./tfvars");
      const { typescript, warnings } = await importTfvars(file);
      console.error([`${file}: what changes, and why`, ...warnings].join("\n  "));
      console.log(typescript);
      console.error("Put these settings in the place of those in config.ts, and keep the other environments there.");
    });
