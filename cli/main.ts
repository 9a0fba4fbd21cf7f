import { Command } from "commander";
import { bootstrapCommand } from "./bootstrap";
import { deployCommand } from "./deploy";
import { diffCommand } from "./diff";
import { importTfvarsCommand } from "./import-tfvars";
import { modelCommand } from "./model";
import { stateCommand } from "./state";
import { statusCommand } from "./status";

const program = new Command("offline-inference")
  .description("Deploys and looks after the pipeline. Each command says more: offline-inference help <command>.")
  .addCommand(bootstrapCommand())
  .addCommand(diffCommand())
  .addCommand(deployCommand())
  .addCommand(importTfvarsCommand())
  .addCommand(modelCommand())
  .addCommand(stateCommand())
  .addCommand(statusCommand());

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = "true";
program.parseAsync().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
});
