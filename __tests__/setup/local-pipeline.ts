import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type LocalAws, startAws } from "../../local/aws";
import { lexicalModel } from "../../local/lexical-model";
import type { Model } from "../../local/sagemaker-runtime";
import { type ProgramOptions, runProgram, startProgram } from "./program";

/** A pipeline that runs on this machine, as `npm start -- --keep` has it, and the program that works with it. */
export interface LocalPipeline {
  readonly aws: LocalAws;
  /** A folder of this pipeline's own, for files. */
  readonly folder: string;
  /** Starts `offline-inference ...` on it. */
  start(args: readonly string[], options?: ProgramOptions): ReturnType<typeof startProgram>;
  /** Runs `offline-inference ...` on it. */
  run(...args: string[]): ReturnType<typeof runProgram>;
  stop(): Promise<void>;
}

/** @param model answers the endpoint's invocations @default the stand-in that compares words */
export async function startLocalPipeline(model: Model = lexicalModel) {
  const folder = await mkdtemp(join(tmpdir(), "local-pipeline-"));
  const aws = await startAws({ stack: "inference-dev", dataDir: join(folder, "data"), model });
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
