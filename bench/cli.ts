import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { PutRecordCommand, SageMakerFeatureStoreRuntimeClient } from "@aws-sdk/client-sagemaker-featurestore-runtime";
import { operator } from "../local/credentials";
import { contract } from "./contract";
import { environmentOf } from "./counting-aws";
import { type CountingProcess, type MeasuredRun, runMeasured, startCountingProcess, writeFeatures } from "./feeding";
import { medianOf, megabytes, plainTable, talk, whole } from "./printing";

/** About what a call to either service takes within a region, in milliseconds. */
const callMilliseconds = 10;
const sizes = [10_000, 100_000, 1_000_000];
const singleCalls = 500;
const startUps = 11;

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = "true";

interface Measured {
  readonly name: string;
  readonly original: string;
  /** Of the loop that makes a call for each row. */
  readonly singleRowsPerSecond: number;
  readonly runs: readonly (MeasuredRun & { readonly rows: number })[];
}

async function main() {
  const folder = await mkdtemp(join(tmpdir(), "bench-"));
  const aws = await startCountingProcess(callMilliseconds);
  try {
    talk(`measuring --help, ${startUps} times`);
    const startMilliseconds = await medianStartUp();
    for (const rows of sizes) await writeFeatures(fileOf(folder, rows), rows);
    for (const part of report(await measureIngest(aws, folder), startMilliseconds)) console.log(part);
  } finally {
    await aws.stop();
    await rm(folder, { recursive: true });
  }
}

const fileOf = (folder: string, rows: number) => join(folder, `${rows}.csv`);

async function measureIngest({ url }: CountingProcess, folder: string): Promise<Measured> {
  const client = new SageMakerFeatureStoreRuntimeClient({ ...operator, endpoint: url });
  const singleRowsPerSecond = await rateOfSingleCalls("PutRecord", (row) =>
    client.send(
      new PutRecordCommand({
        FeatureGroupName: "features",
        Record: [
          { FeatureName: "id", ValueAsString: String(row) },
          { FeatureName: "event_time", ValueAsString: "2026-01-01T00:00:00Z" },
          ...contract.features.map(({ name }) => ({ FeatureName: name, ValueAsString: "a" })),
        ],
      }),
    ),
  );
  client.destroy();
  const runs = await runAll(url, (rows) => ["features", "ingest", fileOf(folder, rows)]);
  return { name: "features ingest", original: "PutRecord", singleRowsPerSecond, runs };
}

/** Rows a second of a loop that makes one call after the other, as the original's user does. */
async function rateOfSingleCalls(what: string, call: (row: number) => Promise<unknown>): Promise<number> {
  talk(`measuring ${singleCalls} calls of ${what}, one by one`);
  await call(0); // the connection
  const started = performance.now();
  for (let row = 1; row <= singleCalls; row++) await call(row);
  return (singleCalls * 1000) / (performance.now() - started);
}

async function runAll(url: string, commandOn: (rows: number) => string[]) {
  const runs = [];
  for (const rows of sizes) {
    const command = commandOn(rows);
    talk(`measuring ${command.slice(0, 2).join(" ")} of ${whole(rows)} rows`);
    const run = await runMeasured(environmentOf(url), command);
    if (run.status !== 0) throw new Error(`${command.join(" ")} failed: ${run.stderr}`);
    runs.push({ ...run, rows });
  }
  return runs;
}

/** How long the program takes to print its help, in milliseconds: the median. */
async function medianStartUp(): Promise<number> {
  const times: number[] = [];
  for (let time = 0; time < startUps; time++) {
    const started = performance.now();
    await promisify(execFile)(process.execPath, ["cli/offline-inference.mjs", "--help"]);
    times.push(performance.now() - started);
  }
  return medianOf(times);
}

const rateOf = ({ rows, seconds }: { rows: number; seconds: number }) => rows / seconds;

function report({ name, original, singleRowsPerSecond, runs }: Measured, startMilliseconds: number): string[] {
  const speed = plainTable(["", "rows", "seconds", "rows/s", "× single calls", "peak memory"]);
  const targets = plainTable(["", "measured", "target", "met"]);
  speed.push([`a loop of ${original}`, whole(singleCalls), "", whole(singleRowsPerSecond), "1", ""]);
  for (const run of runs) {
    const times = rateOf(run) / singleRowsPerSecond;
    speed.push([
      name,
      whole(run.rows),
      run.seconds.toFixed(1),
      whole(rateOf(run)),
      times.toFixed(0),
      megabytes(run.peakBytes),
    ]);
  }
  const times = Math.max(...runs.map(rateOf)) / singleRowsPerSecond;
  const [first = 0, last = 0] = [runs[0]?.peakBytes, runs.at(-1)?.peakBytes];
  targets.push(
    [`${name}: speed against single calls`, `${times.toFixed(0)} ×`, "≥ 20 ×", times >= 20 ? "yes" : "no"],
    [
      `${name}: memory of the largest file against the smallest`,
      `${(last / first).toFixed(2)} ×`,
      "≤ 1.50 ×",
      last / first <= 1.5 ? "yes" : "no",
    ],
  );
  const start = `${whole(startMilliseconds)} ms`;
  targets.push(["--help, median", start, "< 300 ms", startMilliseconds < 300 ? "yes" : "no"]);
  return [
    speed.toString(),
    `A call takes ${callMilliseconds} ms, a fifth more or less; a run's seconds include the start of the program and the first reading of the file.`,
    targets.toString(),
  ];
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
