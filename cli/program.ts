import { Command } from "commander";
import { completeCommand, completionCommand } from "./completion";
import { bootstrapCommand } from "./deployment/bootstrap";
import { costCommand } from "./deployment/cost";
import { deployCommand } from "./deployment/deploy";
import { destroyCommand } from "./deployment/destroy";
import { diffCommand } from "./deployment/diff";
import { doctorCommand } from "./deployment/doctor";
import { keypairCommand } from "./deployment/keypair";
import { allCommands, examples, exitCodes, fullName } from "./help";
import { eraseCommand } from "./jobs/erase";
import { failedCommand } from "./jobs/failed";
import { featuresCommand } from "./jobs/features";
import { jobCommand } from "./jobs/job";
import { requestsCommand } from "./jobs/requests";
import { resultsCommand } from "./jobs/results";
import { runCommand } from "./jobs/run";
import { modelCommand } from "./model/model";
import { stateCommand } from "./state/state";
import { statusCommand } from "./status/status";
import { warehouseCommand } from "./warehouse/warehouse";

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
    .addCommand(destroyCommand())
    .addCommand(costCommand())
    .addCommand(modelCommand())
    .addCommand(runCommand())
    .addCommand(featuresCommand())
    .addCommand(requestsCommand())
    .addCommand(jobCommand())
    .addCommand(resultsCommand())
    .addCommand(failedCommand())
    .addCommand(eraseCommand())
    .addCommand(warehouseCommand())
    .addCommand(stateCommand())
    .addCommand(statusCommand())
    .addCommand(completionCommand())
    .addCommand(completeCommand(), { hidden: true });
  for (const command of allCommands(program)) {
    command.configureHelp({ showGlobalOptions: true }).showHelpAfterError(`See: ${fullName(command)} --help`);
  }
  return program;
}
