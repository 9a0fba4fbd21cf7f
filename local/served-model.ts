import { rm, stat } from "node:fs/promises";
import { startModelServer, unpackArchive } from "./model-server";
import { type Model, ModelError } from "./sagemaker-runtime";

/** A model's own artifact, which answers on this machine. */
export interface ServedModel {
  /** Answers what the endpoint is asked. */
  readonly model: Model;
  /** Ends it, and removes what was unpacked for it. */
  stop(): Promise<void>;
}

/**
 * Serves an archive of a model, or the folder of an unpacked one.
 * @throws when there is none, or it cannot be served
 */
export async function serveModel(artifact: string): Promise<ServedModel> {
  const found = await stat(artifact).catch(() => undefined);
  if (found === undefined) throw new Error(`There is no archive or folder ${artifact}.`);
  const unpacked = found.isDirectory() ? undefined : await unpackArchive(artifact);
  const remove = async () => {
    if (unpacked !== undefined) await rm(unpacked, { recursive: true, force: true });
  };
  try {
    const server = await startModelServer({ modelDir: unpacked ?? artifact });
    return {
      model: (body) => ask(server.url, body),
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

async function ask(url: string, body: unknown): Promise<unknown> {
  const answer = await fetch(`${url}/invocations`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new ModelError(answer.status, await answer.text());
  return answer.json();
}
