import { Command } from "commander";
import { bootstrapCommand } from "./bootstrap";
import { completeCommand, completionCommand } from "./completion";
import { deployCommand } from "./deploy";
import { diffCommand } from "./diff";
import { doctorCommand } from "./doctor";
import { failedCommand } from "./failed";
import { featuresCommand } from "./features";
import { allCommands, examples, exitCodes, fullName } from "./help";
import { importTfvarsCommand } from "./import-tfvars";
import { jobCommand } from "./job";
import { keypairCommand } from "./keypair";
import { modelCommand } from "./model";
import { requestsCommand } from "./requests";
import { resultsCommand } from "./results";
import { runCommand } from "./run";
import { stateCommand } from "./state";
import { statusCommand } from "./status";

/** The program with all its commands. What they need is loaded when they run. */
export function program(): Command {
  const program = new Command("offline-inference")
    .description("Deploys and looks after the pipeline. Each command says more: offline-inference help <command>.")
    .option("--debug", "with an error, print where it comes from")
    .addHelpText("after", examples("offline-inference diff inference-dev", "offline-inference help model ship"))
    .addHelpText("after", exitCodes)
    .addCommand(doctorCommand())
    .addCommand(keypairCommand())
    .addCommand(bootstrapCommand())
    .addCommand(diffCommand())
    .addCommand(deployCommand())
    .addCommand(modelCommand())
    .addCommand(runCommand())
    .addCommand(featuresCommand())
    .addCommand(requestsCommand())
    .addCommand(jobCommand())
    .addCommand(resultsCommand())
    .addCommand(failedCommand())
    .addCommand(stateCommand())
    .addCommand(statusCommand())
    .addCommand(importTfvarsCommand())
    .addCommand(completionCommand())
    .addCommand(completeCommand(), { hidden: true });
  for (const command of allCommands(program)) {
    command.configureHelp({ showGlobalOptions: true }).showHelpAfterError(`See: ${fullName(command)} --help`);
  }
  return program;
}
