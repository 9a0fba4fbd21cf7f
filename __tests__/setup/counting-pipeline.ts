import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CountingAws, type CountingAwsOptions, startCountingAws } from "../../bench/counting-aws";
import { contract } from "./contract";
import { type ProgramOptions, runProgram, startProgram } from "./program";

/** The program, in a folder of its own, on a stand-in that counts what it is sent. */
export interface CountingPipeline {
  readonly aws: CountingAws;
  path(name: string): string;
  write(name: string, content: string | Buffer): Promise<string>;
  /** The lines of a file there; undefined where it is not. */
  lines(name: string): Promise<string[] | undefined>;
  run(...args: string[]): ReturnType<typeof runProgram>;
  start(args: readonly string[], options?: ProgramOptions): ReturnType<typeof startProgram>;
  stop(): Promise<void>;
}

async function startCountingPipeline(options?: CountingAwsOptions): Promise<CountingPipeline> {
  const folder = await mkdtemp(join(tmpdir(), "counting-"));
  const aws = await startCountingAws({ contract, ...options });
  const environment = { ...aws.environment, AWS_PROFILE: undefined };
  const path = (name: string) => join(folder, name);
  return {
    aws,
    path,
    write: async (name, content) => {
      await writeFile(path(name), content);
      return path(name);
    },
    lines: async (name) =>
      existsSync(path(name)) ? (await readFile(path(name), "utf8")).split("\n").slice(0, -1) : undefined,
    run: (...args) => runProgram(args, { environment }),
    start: (args, given) => startProgram(args, { ...given, environment }),
    stop: async () => {
      await aws.stop();
      await rm(folder, { recursive: true });
    },
  };
}

/** Starts pipelines for the tests of a file, each of which is stopped after the test that it was started in. */
export function countingPipelines() {
  const started: CountingPipeline[] = [];
  afterEach(async () => {
    await Promise.all(started.splice(0).map((pipeline) => pipeline.stop()));
  });
  return async (options?: CountingAwsOptions) => {
    const pipeline = await startCountingPipeline(options);
    started.push(pipeline);
    return pipeline;
  };
}

/** A CSV file of inputs, with rows from 1 to `count`. */
export const featureRows = (count: number) =>
  `id,age,income,city\n${Array.from({ length: count }, (_, row) => `${row + 1},36,1.5,city of ${row + 1}\n`).join("")}`;
