// Tests the model: pytest in the virtual environment that is made for it, with AWS's own inference toolkit in another one,
// then jest on the server around it. What is given goes to jest.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { modelPython } from "../local/model-server";
import { pythonWith } from "../local/python";

const run = (command: string, args: readonly string[], cwd = ".") =>
  spawnSync(command, args, { cwd, stdio: "inherit" }).status ?? 1;

(async () => {
  const toolkit = join("model", "tests", "toolkit", "requirements.txt");
  process.env.TOOLKIT_PYTHON = await pythonWith(
    "toolkit",
    toolkit,
    "Installing AWS's inference toolkit in .venv (once) ...",
  );
  const pytest = run(await modelPython(), ["-m", "pytest", "--quiet"], "model");
  const jest = run("npx", ["jest", ...process.argv.slice(2), "--selectProjects", "model"]);
  process.exitCode = pytest || jest;
})().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
