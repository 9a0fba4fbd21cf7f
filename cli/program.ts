import type { Command as Plain } from "commander";
import { version } from "../package.json";
import { completeCommand, completionCommand } from "./completion";
import { bootstrapCommand } from "./deployment/bootstrap";
import { capacityCommand } from "./deployment/capacity";
import { costCommand } from "./deployment/cost";
import { deployCommand } from "./deployment/deploy";
import { destroyCommand } from "./deployment/destroy";
import { diffCommand } from "./deployment/diff";
import { doctorCommand } from "./deployment/doctor";
import { initCommand } from "./deployment/init";
import { keypairCommand } from "./deployment/keypair";
import { pauseCommand, resumeCommand } from "./deployment/pause";
import { failedCommand } from "./failures/failed";
import { eraseCommand } from "./features/erase";
import { featuresCommand } from "./features/features";
import { jobCommand } from "./jobs/job";
import { runCommand } from "./jobs/run";
import { logsCommand } from "./logs/logs";
import { modelCommand } from "./model/model";
import { requestsCommand } from "./requests/requests";
import { reportCommand } from "./results/report";
import { resultsCommand } from "./results/results";
import { Command } from "./shared/command";
import { allCommands, exitCodes, fullName } from "./shared/help";
import { stateCommand } from "./state/state";
import { statusCommand } from "./status/status";
import { warehouseCommand } from "./warehouse/warehouse";

/** Shows the help of a command, of one within another too. */
const helpCommand = () =>
  new Command("help")
    .description("Shows the help of a command.")
    .argument("[command...]", "as it is called: model ship")
    .examples("offline-inference help model ship")
    .action((words: string[], _options: unknown, help: Command) => {
      let found = help.parent ?? help;
      for (const word of words) {
        const next = found.commands.find((command) => command.name() === word || command.aliases().includes(word));
        if (next === undefined) return found.error(`error: unknown command '${word}'`);
        found = next;
      }
      found.outputHelp();
    });

/** The program with all its commands. What they need is loaded when they run. */
export function program(): Plain {
  const program = new Command("offline-inference")
    .description("Deploys and looks after the pipeline. Each command says more: offline-inference help <command>.")
    .version(version, "--version", "print which version this is")
    .option("--debug", "with an error, print where it comes from")
    .helpCommand(false)
    .examples("offline-inference diff inference-dev", "offline-inference help model ship")
    .explanation(exitCodes)
    .commandsGroup("Work:")
    .addCommand(runCommand())
    .addCommand(jobCommand())
    .addCommand(featuresCommand())
    .addCommand(requestsCommand())
    .addCommand(resultsCommand())
    .addCommand(reportCommand())
    .addCommand(failedCommand())
    .addCommand(eraseCommand())
    .addCommand(warehouseCommand())
    .commandsGroup("Model:")
    .addCommand(modelCommand())
    .commandsGroup("Deploy:")
    .addCommand(initCommand())
    .addCommand(keypairCommand())
    .addCommand(bootstrapCommand())
    .addCommand(diffCommand())
    .addCommand(deployCommand())
    .addCommand(destroyCommand())
    .addCommand(pauseCommand())
    .addCommand(resumeCommand())
    .commandsGroup("Look after:")
    .addCommand(statusCommand())
    .addCommand(logsCommand())
    .addCommand(doctorCommand())
    .addCommand(costCommand())
    .addCommand(capacityCommand())
    .addCommand(stateCommand())
    .addCommand(completionCommand())
    .addCommand(helpCommand())
    .addCommand(completeCommand(), { hidden: true });
  for (const command of allCommands(program)) {
    command.configureHelp({ showGlobalOptions: true }).showHelpAfterError(`See: ${fullName(command)} --help`);
  }
  return program;
}
