import { rm, stat } from "node:fs/promises";
import { type ModelServer, type ModelServerOptions, startModelServer, unpackArchive } from "./model-server";
import { type Model, type ModelCall, ModelError, type ModelOutput } from "./sagemaker-runtime";

/** How long SageMaker waits for an answer (https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html). */
export const longestAnswerSeconds = 60;

/** A model's own artifact, which answers on this machine. */
export interface ServedModel extends Pick<ModelServer, "died"> {
  /** Answers what the endpoint is asked. */
  readonly model: Model;
  /** Ends it, and removes what was unpacked for it. */
  stop(): Promise<void>;
}

/**
 * Serves an archive of a model, or the folder of an unpacked one.
 * @throws when there is none, or it cannot be served
 */
export async function serveModel(
  artifact: string,
  options: Pick<ModelServerOptions, "log" | "signal" | "environment"> = {},
): Promise<ServedModel> {
  const found = await stat(artifact).catch(() => undefined);
  if (found === undefined) throw new Error(`There is no archive or folder ${artifact}.`);
  const unpacked = found.isDirectory() ? undefined : await unpackArchive(artifact);
  const remove = async () => {
    if (unpacked !== undefined) await rm(unpacked, { recursive: true, force: true });
  };
  try {
    const server = await startModelServer({ ...options, modelDir: unpacked ?? artifact });
    return {
      model: (call) => ask(server.url, call),
      died: server.died,
      stop: async () => {
        await server.stop();
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function ask(url: string, { body, contentType, accept }: ModelCall): Promise<ModelOutput> {
  const answer = await fetch(`${url}/invocations`, {
    method: "POST",
    headers: { "content-type": contentType, accept },
    body: new Uint8Array(body),
    signal: AbortSignal.timeout(longestAnswerSeconds * 1000),
  }).catch((error: Error) => {
    if (error.name !== "TimeoutError") throw error;
    throw new ModelError(500, `it has not answered within ${longestAnswerSeconds} seconds`);
  });
  if (!answer.ok) throw new ModelError(answer.status, await answer.text());
  return {
    body: Buffer.from(await answer.arrayBuffer()),
    contentType: answer.headers.get("content-type") ?? "",
  };
}
