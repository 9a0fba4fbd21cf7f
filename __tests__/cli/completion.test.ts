import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { promisify } from "node:util";
import { loadConfig } from "../../config";

const run = promisify(execFile);
const launcher = resolve("cli/offline-inference.mjs");
const complete = async (...words: string[]) => {
  const { stdout, stderr } = await run(process.execPath, [launcher, "complete", "--", ...words]);
  expect(stderr).toBe("");
  return stdout.split("\n").flatMap((line) => (line === "" ? [] : [line.split("\t")[0]]));
};

const environments = Object.keys(loadConfig().environments);
const stacks = ["state", ...environments.map((name) => `inference-${name}`)];

test.each([
  ["a command", [""], ["bootstrap", "diff", "deploy", "help"]],
  ["a command that is begun", ["model", "co"], ["compile"]],
  ["what help is asked about", ["help", "model", "co"], ["compile"]],
  ["an option", ["diff", "inference-dev", "--ma"], ["--markdown"]],
  ["an option of the program", ["state", "doctor", "--d"], ["--debug"]],
  ["an environment", ["model", "upload", "model.tar.gz", "--env", ""], environments],
  ["an environment after =", ["model", "upload", "--env=d"], ["--env=dev"]],
  ["an environment after = as bash splits it", ["model", "upload", "--env", "=", "d"], ["dev"]],
  ["an environment of which nothing is written after =", ["model", "upload", "--env", "="], environments],
  ["a stack", ["deploy", ""], stacks],
  ["a stack after options", ["deploy", "--allow-destroy", "aws_sqs_queue.old", "--auto-approve", "s"], ["state"]],
  ["a choice", ["completion", ""], ["bash", "zsh", "fish"]],
])("%s is completed", async (_what, words, found) => {
  expect(await complete(...words)).toEqual(expect.arrayContaining(found));
});

test.each([
  ["a file", ["keypair", "import", ""]],
  ["a second stack", ["deploy", "state", ""]],
  ["a value that may be any", ["diff", "state", "--save", ""]],
  ["an option after --", ["diff", "--", "--js"]],
  ["a command that there is none of", ["nonsense", "more", "--env", ""]],
])("%s is left to the shell", async (_what, words) => {
  expect(await complete(...words)).toEqual([]);
});

test("bash completes both ways to call it, and the script may be read twice", async () => {
  const script = `
    source <(${process.execPath} ${launcher} completion bash)
    source <(${process.execPath} ${launcher} completion bash)
    ask() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); __offline_inference "$1"; echo "\${COMPREPLY[*]}"; }
    ask offline-inference model up
    ask npx offline-inference completion ''
    ask npx other ''
    ask npx off
    ask offline-inference 'it'"'"'s $(echo odd)' "'"
    complete -p offline-inference npx
  `;
  const { stdout, stderr } = await run("bash", ["--norc", "-c", script]);
  expect({ stdout: stdout.split("\n"), stderr }).toEqual({
    stdout: [
      "upload",
      "bash zsh fish",
      "",
      "",
      "",
      "complete -o bashdefault -o default -F __offline_inference offline-inference",
      "complete -o bashdefault -o default -F __offline_inference npx",
      "",
    ],
    stderr: "",
  });
});

test.each(["bash", "zsh", "fish"])("what %s reads asks this very program, wherever the shell is", async (shell) => {
  const { stdout } = await run(process.execPath, [launcher, "completion", shell], { cwd: "/" });
  expect(stdout).toContain(`node '${launcher}' complete -- `);
});
