import { inspect } from "node:util";
import { CommanderError } from "commander";
import { program } from "./program";
import { messageOf } from "./shared/findings";
import { allCommands } from "./shared/help";
import { endWhenUnread, Interruption, isUnread } from "./shared/interruption";
import { guardTerminal } from "./shared/printing";
import { workInProject } from "./shared/project-root";

guardTerminal();
const offlineInference = program();
workInProject(offlineInference);
for (const command of allCommands(offlineInference)) command.exitOverride(); // the process ends when all is printed

/** Says what is wrong, and ends with it: where it comes from is for those who ask. */
function fail(error: unknown) {
  if (isUnread()) return;
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode; // it has said what is wrong
    return;
  }
  console.error(offlineInference.opts().debug === true ? inspect(error) : messageOf(error) || String(error));
  process.exitCode = error instanceof Interruption ? error.exitCode : 1;
}

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = "true";
endWhenUnread();
process.on("uncaughtException", (error) => {
  fail(error);
  process.exit();
});
offlineInference.hook("preAction", async () => {
  if (!Object.keys(process.env).some((name) => /^https?_proxy$/i.test(name))) return;
  const { throughProxy } = await import("./shared/proxy");
  throughProxy(process.env);
});
offlineInference.parseAsync().catch(fail);
