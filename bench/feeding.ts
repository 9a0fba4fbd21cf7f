import { fork } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { z } from "zod";
import { runProgram } from "../__tests__/setup/program";
import { contract } from "./contract";
import { countsSchema } from "./counting-aws";

const featuresOf = (row: number) => ({
  first: `Heavy rain is expected in valley ${row} on Sunday.`,
  second: `On Sunday, valley ${row} expects heavy rain.`,
});

/** Rows of features with ids from 1 to `rows`, as CSV with a header, or as NDJSON. */
export function* linesOf(format: "csv" | "ndjson", rows: number): Generator<string, void, undefined> {
  if (format === "csv") yield `id,${contract.features.map(({ name }) => name)}\n`;
  for (let row = 1; row <= rows; row++) {
    const features = featuresOf(row);
    yield format === "csv"
      ? `${row},${features.first},"${features.second}"\n`
      : `${JSON.stringify({ id: String(row), features })}\n`;
  }
}

/** Writes a CSV file of features, with ids from 1 to `rows`. */
export async function writeFeatures(file: string, rows: number): Promise<void> {
  await pipeline(Readable.from(linesOf("csv", rows), { objectMode: false }), createWriteStream(file));
}

/** What feeds a pipeline is measured on: a process that counts what it is sent. */
export interface CountingProcess {
  readonly url: string;
  /** How many ids it was sent, and how often one of them again. */
  counts(): Promise<z.infer<typeof countsSchema>>;
  stop(): Promise<void>;
}

/** @param milliseconds how long each call takes @default as short as it can be */
export async function startCountingProcess(milliseconds = 0): Promise<CountingProcess> {
  const child = fork(join(__dirname, "counting-aws-process.ts"), [String(milliseconds)], {
    execArgv: ["--import", "tsx"],
  });
  const ended = once(child, "exit");
  const [url] = z.tuple([z.string()], z.unknown()).parse(await once(child, "message"));
  return {
    url,
    counts: async () => countsSchema.parse(await (await fetch(new URL("/counts", url))).json()),
    stop: async () => {
      child.disconnect();
      await ended;
    },
  };
}

/** How a run of the program went. */
export interface MeasuredRun {
  readonly status: number | null;
  readonly stderr: string;
  readonly seconds: number;
  /** The most memory that it held, in bytes. */
  readonly peakBytes: number;
}

/** Runs a program, and prints at the end the most memory that it held: in KB, but on macOS in bytes. */
const withPeak = [
  "python3",
  "-c",
  "import resource, subprocess, sys\nstatus = subprocess.call(sys.argv[1:])\nprint('peak', resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)\nsys.exit(status)",
];

/** Runs `offline-inference ...` in an environment, such as that of a {@link CountingProcess}. */
export async function runMeasured(
  variables: Readonly<Record<string, string>>,
  args: readonly string[],
): Promise<MeasuredRun> {
  const started = performance.now();
  const environment = { ...variables, AWS_PROFILE: undefined };
  const { status, stderr } = await runProgram(args, { environment, on: withPeak });
  const [, peak] = /^peak (\d+)$/m.exec(stderr) ?? [];
  return {
    status,
    stderr,
    seconds: (performance.now() - started) / 1000,
    peakBytes: Number(peak) * (process.platform === "darwin" ? 1 : 1024),
  };
}
