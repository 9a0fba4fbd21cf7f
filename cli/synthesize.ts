import { execFile } from "node:child_process";
import { promisify } from "node:util";

const node = async (args: string[], signal?: AbortSignal) => {
  await promisify(execFile)(process.execPath, args, { signal }).catch((error) => {
    throw new Error(`cannot synthesize: ${error.stderr || error.message}`);
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
