import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Environment, loadConfig, type Settings } from "../config";
import { type LocalAws, type LocalAwsOptions, mustBeFree, startAws } from "./aws";
import { makePrivateFolder } from "./private-folder";

export interface PipelineOptions extends Omit<LocalAwsOptions, "stack"> {
  /** Settings in the place of those of config.ts, with another contract say. @default config.ts's */
  readonly settings?: Settings;
  /** Which of their environments it is. @default their `defaultEnvironment`, or else the first of them */
  readonly environment?: string;
  /** Folder of a stack of these settings that is synthesized already. @default it is synthesized from them */
  readonly stack?: string;
}

/** A pipeline that runs on this machine. */
export interface LocalPipeline extends LocalAws {
  /** The environment that it is. */
  readonly configuration: Environment;
}

/** The environment of settings that a pipeline is made of. @throws ConfigError, and when there is no such environment */
export function configurationOf({ settings, environment }: Pick<PipelineOptions, "settings" | "environment"> = {}) {
  const { shared, environments } = loadConfig(settings);
  const name = environment ?? shared.defaultEnvironment ?? Object.keys(environments)[0] ?? "";
  const found = environments[name];
  if (found === undefined)
    throw new Error(`There is no environment ${name}, only ${Object.keys(environments).join(", ")}`);
  return { shared, configuration: found };
}

/**
 * Runs the pipeline of an environment on this machine, by the functions' bundles in dist/ as they are deployed.
 * @throws when the settings are wrong, there are no bundles, or another run has `dataDir`
 */
export async function startPipeline(options: PipelineOptions): Promise<LocalPipeline> {
  const { settings, environment, dataDir, stack, ...rest } = options;
  const read = configurationOf({ settings, environment });
  await mustBeFree(dataDir);
  makePrivateFolder(dataDir);
  const aws = await startAws({ ...rest, dataDir, stack: stack ?? (await synthesize(read, dataDir)) });
  return Object.assign(aws, { configuration: read.configuration });
}

type Read = ReturnType<typeof configurationOf>;

/** Writes an environment's stack below a folder, `cdktf.out`, and gives the stack's own. */
export async function synthesize({ shared, configuration }: Read, dataDir: string): Promise<string> {
  const [{ App }, { InferenceStack }] = await Promise.all([import("cdktf"), import("../stacks/inference-stack")]);
  const outdir = join(dataDir, "cdktf.out");
  rmSync(outdir, { recursive: true, force: true });
  mkdirSync(outdir, { recursive: true });
  const app = new App({ skipValidation: true, outdir });
  const { node } = new InferenceStack(app, `inference-${configuration.name}`, shared, configuration);
  app.synth();
  return join(outdir, "stacks", node.id);
}
