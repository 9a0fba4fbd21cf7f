import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";

const failure = /^(\w*Error\b[^\n]*: [\s\S]*?)\n {4}at /m;

const node = async (args: string[], signal?: AbortSignal) => {
  if (!existsSync("main.ts")) {
    throw new Error(`cannot synthesize: ${process.cwd()} has no main.ts. Run it in the folder of the project.`);
  }
  await promisify(execFile)(process.execPath, args, { signal }).catch((error) => {
    const said: string = error.stderr || error.message;
    const [, what = said] = (process.argv.includes("--debug") ? null : failure.exec(said)) ?? [];
    throw new Error(`cannot synthesize: ${what}`);
  });
};

/** Bundles every function into dist/, as they are deployed. @throws with what esbuild says */
export const bundle = () => node(["scripts/build.mjs"]);

/**
 * Writes the Terraform of every stack into cdktf.out/stacks, of the bundles that are in dist/.
 * @param args what main.ts is called with
 * @throws with what is wrong in the configuration
 */
export const synthesize = (args: readonly string[] = [], signal?: AbortSignal) =>
  node(["--import", "tsx", "main.ts", ...args], signal);
