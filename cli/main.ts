import { inspect } from "node:util";
import { messageOf } from "./findings";
import { Interruption } from "./interruption";
import { guardTerminal } from "./printing";
import { program } from "./program";

guardTerminal();
const offlineInference = program();
let isRead = true;

/** Says what is wrong, and ends with it: where it comes from is for those who ask. */
function fail(error: unknown) {
  if (!isRead) return;
  console.error(offlineInference.opts().debug === true ? inspect(error) : messageOf(error) || String(error));
  process.exitCode = error instanceof Interruption ? error.exitCode : 1;
}

/** Ends quietly, and in order where a command has something to put away. */
function endUnread(error: NodeJS.ErrnoException) {
  if (error.code !== "EPIPE") throw error;
  if (!isRead) return;
  isRead = false;
  process.exitCode = 141; // as a shell says it of a program that is ended by SIGPIPE
  if (!process.emit("SIGTERM", "SIGTERM")) process.exit();
}

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = "true";
for (const stream of [process.stdout, process.stderr]) stream.on("error", endUnread);
process.on("uncaughtException", (error) => {
  fail(error);
  process.exit();
});
offlineInference.hook("preAction", async () => {
  if (!Object.keys(process.env).some((name) => /^https?_proxy$/i.test(name))) return;
  const { throughProxy } = await import("./proxy");
  throughProxy(process.env);
});
offlineInference.parseAsync().catch(fail);
