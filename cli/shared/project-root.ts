import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { Command } from "commander";
import { allCommands } from "./help";

/** The nearest folder with a cdktf.json, from one upwards; undefined where there is none. */
function projectRoot(folder: string): string | undefined {
  if (existsSync(join(folder, "cdktf.json"))) return folder;
  const above = dirname(folder);
  return above === folder ? undefined : projectRoot(above);
}

/** The scripts of package.json that take what people write behind `--`. */
const ownScripts = ["start", "bootstrap", "diff", "deploy"];

/** Where the user stands: npm runs a script in the project's folder, wherever it was called. */
const standing = ({ npm_lifecycle_event: script = "", INIT_CWD: called }: NodeJS.ProcessEnv) =>
  called !== undefined && ownScripts.includes(script) ? called : process.cwd();

/** What stands in help for the path of a file or folder. */
export const pathName = /^(file|folder|archive|other-archive|artifact|csv|path)$/;

/**
 * Lets a program be run anywhere in a project: it works in the project's folder, and paths that people write are taken
 * from where they stand. Where there is no project, it works where it is.
 */
export function workInProject(program: Command): void {
  const here = standing(process.env);
  const root = projectRoot(process.cwd());
  if (root === undefined || root === here) return;
  process.chdir(root);
  const fromHere = (path: string) => (path === "-" ? path : resolve(here, path));
  for (const command of allCommands(program)) {
    for (const argument of command.registeredArguments) {
      if (pathName.test(argument.name())) argument.argParser(fromHere);
    }
    for (const option of command.options) {
      if (!pathName.test(/<(.*)>$/.exec(option.flags)?.[1] ?? "")) continue;
      option.argParser(fromHere);
      const usual: unknown = option.defaultValue;
      const name = option.attributeName();
      if (typeof usual === "string") command.setOptionValueWithSource(name, fromHere(usual), "default");
    }
  }
}
