import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { promisify } from "node:util";
import { deflateRawSync } from "node:zlib";
import { medianOf } from "./printing";

const times = 15;

export interface BundleMeasurement {
  readonly bytes: number;
  /** Deflated, as in the zip that is deployed. */
  readonly zippedBytes: number;
  /** How much longer a new process takes for loading it than for loading nothing, in milliseconds: the medians of fifteen. */
  readonly importMilliseconds: number;
}

/** Measures a function's bundle: what a cold start has to fetch and load. */
export async function measureBundle(file: string): Promise<BundleMeasurement> {
  const bundle = readFileSync(file);
  const [loading, nothing]: [number[], number[]] = [[], []];
  for (let time = 0; time < times; time++) {
    nothing.push(await millisecondsOf(""));
    loading.push(await millisecondsOf(`require(${JSON.stringify(resolve(file))})`));
  }
  return {
    bytes: bundle.byteLength,
    zippedBytes: deflateRawSync(bundle).byteLength,
    importMilliseconds: medianOf(loading) - medianOf(nothing),
  };
}

async function millisecondsOf(script: string): Promise<number> {
  const started = performance.now();
  await promisify(execFile)(process.execPath, ["-e", script], {
    env: { ...process.env, AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true" },
  });
  return performance.now() - started;
}
