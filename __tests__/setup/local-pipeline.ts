import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type PipelineOptions, type LocalPipeline as Started, startPipeline } from "../../local/pipeline";
import type { Model } from "../../local/sagemaker-runtime";
import { lexicalModel } from "../../samples/paraphrase/lexical-model";
import { type ProgramOptions, runProgram, startProgram } from "./program";

/** A pipeline that runs on this machine, as `npm start -- --keep` has it, and the program that works with it. */
export interface LocalPipeline {
  readonly aws: Started;
  /** A folder of this pipeline's own, for files. */
  readonly folder: string;
  /** Starts `offline-inference ...` on it. */
  start(args: readonly string[], options?: ProgramOptions): ReturnType<typeof startProgram>;
  /** Runs `offline-inference ...` on it. */
  run(...args: string[]): ReturnType<typeof runProgram>;
  stop(): Promise<void>;
}

/**
 * @param model answers the endpoint's invocations @default the stand-in that compares words
 * @param settings of which pipeline @default config.ts's, of the stack that the tests' set-up has synthesized
 */
export async function startLocalPipeline(model: Model = lexicalModel, settings?: PipelineOptions["settings"]) {
  const folder = await mkdtemp(join(tmpdir(), "local-pipeline-"));
  const stack = settings === undefined ? "cdktf.out/stacks/inference-dev" : undefined;
  const aws = await startPipeline({ dataDir: join(folder, "data"), model, settings, environment: "dev", stack });
  const environment = { ...aws.environment, AWS_PROFILE: undefined, OFFLINE_INFERENCE_ENV: "dev" };
  const on = (options: ProgramOptions = {}) => ({
    ...options,
    environment: { ...environment, ...options.environment },
  });
  const pipeline: LocalPipeline = {
    aws,
    folder,
    start: (args, options) => startProgram(args, on(options)),
    run: (...args) => runProgram(args, on()),
    stop: async () => {
      await aws.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
  return pipeline;
}
