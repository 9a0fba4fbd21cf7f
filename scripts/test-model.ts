// Tests the model: pytest in the virtual environment that is made for it, then jest on the server around it. What is
// given goes to jest.
import { spawnSync } from "node:child_process";
import { modelPython } from "../local/model-server";

const run = (command: string, args: readonly string[], cwd = ".") =>
  spawnSync(command, args, { cwd, stdio: "inherit" }).status ?? 1;

(async () => {
  const pytest = run(await modelPython(), ["-m", "pytest", "--quiet"], "model");
  const jest = run("npx", ["jest", ...process.argv.slice(2), "--selectProjects", "model"]);
  process.exitCode = pytest || jest;
})().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
