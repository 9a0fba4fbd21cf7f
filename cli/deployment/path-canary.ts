import { setTimeout } from "node:timers/promises";
import { z } from "zod";
import { featureText, jsonObjectOf } from "../../contract/feature-values";
import { elementsOf, membersOf } from "../../contract/json-text";
import type { ModelContract } from "../../contract/model-contract";
import type { Until } from "../../pipeline/clients";
import { firstRowOf } from "../../pipeline/csv";
import { parseRow } from "../../pipeline/request-reader";
import { RequestQueue } from "../../pipeline/requests";
import type { Pipeline } from "../shared/connection";
import { invoke } from "./canary";

/** The input that the canary's rows name. They name no job. */
const canaryInput = "canary";

/** How long the canary may take, in milliseconds. The worker answers it no more then, and makes no dead letter of it. */
const patience = 15 * 60_000;

/** What the loader says of it. */
const told = z.object({
  outcome: z.union([z.literal("answered"), z.object({ code: z.string(), reason: z.string() })]).optional(),
});

/** Between two looks, in milliseconds. */
const interval = 2_000;

/**
 * Asks the whole way: puts a request on the queue, and waits until its outcome is in the warehouse.
 * @param features the request's, as the text of a JSON object
 * @throws where it failed, or was not answered in time
 */
export async function askThroughQueue(pipeline: Pipeline, features: string, until: Until): Promise<void> {
  const deadline = new Date(Date.now() + patience);
  const queue = new RequestQueue(pipeline.queueUrl);
  const { accepted, refused } = await queue.send([{ id: canaryInput, features, deadline }], until);
  const [{ requestId } = { requestId: undefined }] = accepted;
  if (requestId === undefined) throw new Error(`The queue has not taken the canary: ${refused[0]?.reason}`);
  console.error(`The canary ${requestId} is on the queue ...`);
  const loader = { functionName: pipeline.loaderFunctionName };
  while (Date.now() < deadline.getTime()) {
    const { outcome } = told.parse(await invoke(loader, { now: true, requestId }, until));
    if (outcome === "answered") {
      console.error("A golden request went through queue, worker and loader, and the warehouse has its answer.");
      return;
    }
    if (outcome) throw new Error(`The canary ${requestId} failed: ${outcome.reason}.`);
    await setTimeout(interval, undefined, { signal: until.signal });
  }
  throw new Error(`The canary ${requestId} was not answered in ${patience / 60_000} minutes.`);
}

/** The features that the first input of a call's body has, as a request carries them; undefined where they are none. */
export function carriedIn(body: string, contract: ModelContract): string | undefined {
  const features = objectIn(body, contract);
  if (features === undefined) return undefined;
  try {
    parseRow(`{"id":"${canaryInput}","features":${features}}`, { features: contract.features, required: true });
    return features;
  } catch {
    return undefined;
  }
}

/** The first input of a body as the text of a JSON object. It need not fit the contract. */
function objectIn(body: string, { request, features }: ModelContract): string | undefined {
  const [first] = features;
  const member = (name: string) => membersOf(body)?.find((one) => one.name === name)?.text ?? "";
  const named = (value: string | undefined) =>
    first && value !== undefined ? `{${JSON.stringify(first.name)}:${value}}` : undefined;
  const objects: Record<ModelContract["request"], () => string | undefined> = {
    json: () => body,
    instances: () => elementsOf(member("instances"))?.[0],
    jsonlines: () => body.split(/\r?\n/)[0],
    csv: () => {
      const fields = firstRowOf(body) ?? [];
      return jsonObjectOf(
        features,
        features.map(({ type }, place) => featureText(type, fields[place] ?? "") ?? null),
      );
    },
    inputs: () => {
      const inputs = member("inputs");
      const input = elementsOf(inputs)?.[0] ?? inputs;
      return features.length === 1 ? named(input) : input;
    },
    raw: () => named(first?.type === "String" ? JSON.stringify(body) : body),
  };
  return objects[request]();
}
