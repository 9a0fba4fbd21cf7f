import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import { tracedModel } from "../cli/model/model-archive";
import { modelPython, startModelServer } from "../local/model-server";
import { limiter, runsOf } from "../pipeline/flow";
import { startToolkit } from "./toolkit";

const run = promisify(execFile);
const programs = resolve("bench", "model");

/** What a model is asked about, with a name of its own. */
export interface Input {
  readonly id: string;
  readonly features: Readonly<Record<string, string>>;
}

/** A way of asking a model. */
export interface Way {
  /**
   * Whose inference.py answers: the archive's, the one of the pipeline that this one replaces, or that one with its
   * tokenizer made anew for each call.
   */
  readonly code: "archive" | "original" | "original, tokenizer a call";
  readonly request: "json" | "instances";
  /** 1 for the request "json". */
  readonly inputsPerCall: number;
  /** Inputs that the model is given at a time, at most. */
  readonly batch: number;
  /** Whether every input is padded to the length that the model was traced at, as one that was compiled must have it. */
  readonly padsAll: boolean;
}

/** What came of asking. */
export interface Serving {
  /** By an input's id. */
  readonly answers: ReadonlyMap<string, string>;
  readonly calls: number;
  /** The median of the passes. */
  readonly inputsPerSecond: number;
  /** How long a call took, in milliseconds. */
  readonly latency: { readonly p50: number; readonly p99: number };
}

interface MeasureOptions {
  /** Processes with the model, and calls under way at a time. */
  readonly workers: number;
  /** How many times all inputs are asked about. */
  readonly passes: number;
  /** The Python of AWS's own serving stack, which serves then. @default model/serve.py does */
  readonly toolkit?: string;
}

/**
 * Asks a served model about inputs, as many calls at a time as it has workers. Each worker is warm when it is measured.
 * @param modelDir the folder of an unpacked archive
 * @throws when a call is not answered, or a pass has another answer to an input than the one before
 */
export async function measureServing(
  modelDir: string,
  way: Way,
  inputs: readonly Input[],
  { workers, passes, toolkit }: MeasureOptions,
): Promise<Serving> {
  const served = await archiveFor(modelDir, way);
  try {
    const environment = { SAGEMAKER_MODEL_SERVER_WORKERS: String(workers) };
    const server = await (toolkit === undefined
      ? startModelServer({ modelDir: served, environment })
      : startToolkit(served, toolkit, environment));
    try {
      const ask = asking(server.url, way.request);
      const calls = runsOf(inputs, { count: way.inputsPerCall });
      const pass = (asked: Input[][]) => {
        const oneOfSome = limiter(workers);
        return Promise.all(asked.map((call) => oneOfSome(() => ask(call))));
      };
      await pass(Array(3 * workers).fill(calls[0] ?? [])); // TorchScript makes its code in the first two calls
      const answers = new Map<string, string>();
      const latencies: number[] = [];
      const speeds: number[] = [];
      for (let count = 0; count < passes; count++) {
        const begun = performance.now();
        const answered = await pass(calls);
        speeds.push((inputs.length * 1000) / (performance.now() - begun));
        for (const { milliseconds, given } of answered) {
          latencies.push(milliseconds);
          for (const [id, answer] of given) {
            const before = answers.get(id) ?? answer;
            if (before !== answer) throw new Error(`The input ${id} got "${before}", and then "${answer}".`);
            answers.set(id, answer);
          }
        }
      }
      const latency = { p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99) };
      return { answers, calls: latencies.length, inputsPerSecond: quantile(speeds, 0.5), latency };
    } finally {
      await server.stop();
    }
  } finally {
    await rm(served, { recursive: true });
  }
}

/** What ways answered other than the first of them that was asked about the input, as lines. */
export function unlikeAnswers(servings: readonly (Pick<Serving, "answers"> & { readonly way: string })[]): string[] {
  const first = new Map<string, { way: string; answer: string }>();
  const unlike: string[] = [];
  for (const { way, answers } of servings) {
    for (const [id, answer] of answers) {
      const before = first.get(id);
      if (before === undefined) first.set(id, { way, answer });
      else if (before.answer !== answer)
        unlike.push(`${id}: "${answer}" by ${way}; "${before.answer}" by ${before.way}`);
    }
  }
  return unlike;
}

/** The smallest value that so large a part of all is not above. */
function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? Number.NaN;
}

/** The folder of an archive that is asked in a way: the same but for its code, and for the shape in its model. */
async function archiveFor(modelDir: string, { code, batch, padsAll }: Way): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "bench-model-"));
  try {
    for (const name of await readdir(modelDir)) {
      if (name !== "code" && name !== tracedModel) await symlink(resolve(modelDir, name), join(folder, name));
    }
    const reshape = [join(programs, "reshape.py"), join(modelDir, tracedModel), join(folder, tracedModel)];
    await run(await modelPython(), [...reshape, String(batch), padsAll ? "0" : "1"]).catch((error: unknown) => {
      throw new Error(`The model cannot be measured: ${saidBy(error)}`);
    });
    if (code === "archive") {
      await symlink(resolve(modelDir, "code"), join(folder, "code"));
    } else {
      await mkdir(join(folder, "code"));
      const [name, ...others] = code === "original" ? ["original.py"] : ["per_call.py", "original.py"];
      await cp(join(programs, name ?? ""), join(folder, "code", "inference.py"));
      for (const other of others) await cp(join(programs, other), join(folder, "code", other));
    }
    return folder;
  } catch (error) {
    await rm(folder, { recursive: true });
    throw error;
  }
}

const failure = z.object({ stderr: z.string().min(1) });
const saidBy = (error: unknown) => failure.safeParse(error).data?.stderr.trim().split("\n").at(-1) ?? String(error);

interface Answered {
  readonly milliseconds: number;
  /** The inputs' ids with their answers. */
  readonly given: [string, string][];
}

const answer = z.string();

/** Asks by one of the formats. */
function asking(url: string, request: Way["request"]) {
  return async (inputs: readonly Input[]): Promise<Answered> => {
    const instances = inputs.map(({ features }) => features);
    const begun = performance.now();
    const response = await fetch(`${url}/invocations`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(request === "json" ? instances[0] : { instances }),
    });
    const text = await response.text();
    const milliseconds = performance.now() - begun;
    if (!response.ok) throw new Error(`The model answered ${response.status}. ${text.split("\n")[0]}`);
    const body: unknown = JSON.parse(text);
    const answers =
      request === "json"
        ? [answer.parse(body)]
        : z.object({ predictions: z.array(answer).length(inputs.length) }).parse(body).predictions;
    return { milliseconds, given: inputs.map(({ id }, place) => [id, answers[place] ?? ""]) };
  };
}
