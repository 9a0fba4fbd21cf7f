import { createWriteStream } from "node:fs";
import { dirname } from "node:path";
import type { FeatureValues } from "../contract/feature-values";
import type { ModelContract } from "../contract/model-contract";
import { type ModelAnswer, wireFormatOf } from "../contract/wire-format";
import { Log } from "../local/model-server";
import { patiently, silenceSeconds } from "../local/patience";
import { makePrivateFolder } from "../local/private-folder";
import { type Model, ModelError } from "../local/sagemaker-runtime";
import { serveModel } from "../local/served-model";

/** A model that answers on this machine, and of which it is told when it does not. */
export interface WatchedModel {
  readonly model: Model;
  /** Aborted when it ends by itself, with the reason. */
  readonly died: AbortSignal;
  /** What is added where it is told of: the end of its log. */
  logEnd(): string;
  stop(): Promise<void>;
}

/** A model in this process, which has no log and does not end. */
export const inProcess = (model: Model): WatchedModel => ({
  model,
  died: new AbortController().signal,
  logEnd: () => "",
  stop: async () => {},
});

/**
 * Serves an archive. That it takes long, fails at a call or is silent is told at once, each once, with the end of its log.
 * @param logFile gets what its code prints
 * @param environment is added to what its container is told
 * @throws when it cannot be served
 */
export async function watchedModel(
  artifact: string,
  logFile: string,
  tell: (line: string) => void,
  signal: AbortSignal,
  environment: Readonly<Record<string, string>>,
): Promise<WatchedModel> {
  makePrivateFolder(dirname(logFile));
  const file = createWriteStream(logFile, { mode: 0o600 });
  const log = new Log((text) => file.write(text));
  const loading = (seconds: number) => tell(`The model is being loaded, for ${seconds} seconds now.${log.end}`);
  const served = await patiently(serveModel(artifact, { log, signal, environment }), loading);
  const died = new AbortController();
  served.died.then((reason) => died.abort(new Error(reason)));
  const told = new Set<string>();
  const tellOnce = (what: string, line: string) => {
    if (!told.has(what)) tell(`${line}${log.end}`);
    told.add(what);
  };
  return {
    model: async (call) => {
      const silent = setTimeout(
        () => tellOnce("silent", `The model has not answered a call for ${silenceSeconds} seconds.`),
        silenceSeconds * 1000,
      );
      try {
        return await served.model(call);
      } catch (error) {
        const isRefusal = error instanceof ModelError && error.status < 500;
        if (!isRefusal) tellOnce("failed", `The model failed at a call: ${reasonOf(error)}.`);
        throw error;
      } finally {
        clearTimeout(silent);
      }
    },
    died: died.signal,
    logEnd: () => log.end,
    stop: async () => {
      await served.stop();
      file.end();
    },
  };
}

/** The first line of what was said. */
const reasonOf = (error: unknown) => {
  const [line = ""] = (error instanceof Error ? error.message : String(error)).split("\n");
  return error instanceof ModelError ? `${line} (${error.status})` : line;
};

/** So many inputs may be refused before it is said that the model answers none. */
const rowsTried = 3;

/**
 * Asks about the first rows as the worker will, so that a model which does not fit the contract is told of before
 * anything else starts: one alone until one is answered, then some in a call where a call holds many.
 * @throws with what was answered instead
 */
export async function mustAnswer(
  { model, logEnd }: Pick<WatchedModel, "model" | "logEnd">,
  contract: ModelContract,
  rows: readonly FeatureValues[],
): Promise<void> {
  const format = wireFormatOf(contract);
  const fault = (what: string) => new Error(`The model does not fit the contract: ${what}.${logEnd()}`);
  const ask = async (asked: readonly FeatureValues[]): Promise<readonly ModelAnswer[]> => {
    const { contentType, accept } = format;
    const body = Buffer.from(format.bodyOf(asked.map((values) => format.inputOf(values))));
    const answer = await model({ body, contentType, accept });
    const answers = format.answersOf(Buffer.from(answer.body), asked.length);
    if ("unexpected" in answers) throw fault(answers.unexpected);
    for (const one of answers) if ("unexpected" in one) throw fault(one.unexpected);
    return answers;
  };
  const tried = rows.slice(0, rowsTried);
  for (const [place, values] of tried.entries()) {
    try {
      await ask([values]);
      break;
    } catch (error) {
      if (!(error instanceof ModelError)) throw error;
      const isLast = place === tried.length - 1;
      if (error.status < 500 && !isLast) continue; // it may be the row
      const which = place === 0 ? "the first row" : `each of the first ${place + 1} rows`;
      const did = error.status < 500 ? "refuses" : "failed at";
      throw new Error(`The model ${did} ${which}: ${reasonOf(error)}.${logEnd()}`);
    }
  }
  if (format.holdsMany && tried.length > 1) {
    await ask(tried).catch((error: unknown) => {
      if (!(error instanceof ModelError)) throw error; // the worker halves such a call
    });
  }
}
