import { Command } from "commander";
import { bootstrapCommand } from "./bootstrap";
import { deployCommand } from "./deploy";
import { diffCommand } from "./diff";
import { failedCommand } from "./failed";
import { importTfvarsCommand } from "./import-tfvars";
import { jobCommand } from "./job";
import { modelCommand } from "./model";
import { resultsCommand } from "./results";
import { stateCommand } from "./state";

const program = new Command("offline-inference")
  .description("Deploys and looks after the pipeline. Each command says more: offline-inference help <command>.")
  .addCommand(bootstrapCommand())
  .addCommand(diffCommand())
  .addCommand(deployCommand())
  .addCommand(failedCommand())
  .addCommand(importTfvarsCommand())
  .addCommand(jobCommand())
  .addCommand(modelCommand())
  .addCommand(resultsCommand())
  .addCommand(stateCommand());

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = "true";
program.parseAsync().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
});
