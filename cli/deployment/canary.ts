import { readFileSync } from "node:fs";
import { join } from "node:path";
import { LambdaClient } from "@aws-sdk/client-lambda";
import { z } from "zod";
import { readStack } from "../../local/terraform";
import type { Until } from "../../pipeline/clients";
import { FunctionFailed, LambdaFunction, lambdaSettings } from "../../pipeline/lambda";
import { awsError, namingActions } from "../shared/aws-error";
import { messageOf } from "../shared/findings";
import { whole } from "../shared/numbers";

/** A function on AWS, and whom it is asked as. */
export interface FunctionOnAws {
  readonly functionName: string;
  /** @default AWS's usual environment */
  readonly region?: string;
  /** @default AWS's usual environment */
  readonly profile?: string;
}

/** A stack without a schedule need not be one that can be read as this project's. */
const withSchedule = z.object({ resource: z.object({ aws_scheduler_schedule: z.record(z.string(), z.unknown()) }) });

/** Functions that can try themselves out, by the ends of the addresses of their schedules, which have their names. */
const tryable = /\.(loading|writing)_schedule$/;

/**
 * The functions of a synthesized stack that can try out the warehouse.
 * @param folder the stack's folder
 * @returns none where the stack has no warehouse
 */
export function canariesOf(folder: string): FunctionOnAws[] {
  const file = readFileSync(join(folder, "cdk.tf.json"), "utf8");
  if (!withSchedule.safeParse(JSON.parse(file)).success) return [];
  const stack = readStack(folder);
  const schedules = stack.all("aws_scheduler_schedule", z.object({ name: z.string() }));
  return schedules.flatMap(({ address, name: functionName }) =>
    tryable.test(address) ? [{ functionName, region: stack.region, profile: stack.profile }] : [],
  );
}

/**
 * Invokes a function, and waits until it is through.
 * @returns what it answers
 * @throws FunctionFailed when it fails; for people when it cannot be run
 */
export async function invoke(
  { functionName, region, profile }: FunctionOnAws,
  event: object,
  { signal }: Until,
): Promise<unknown> {
  const client = namingActions(new LambdaClient({ ...lambdaSettings, region, profile }));
  try {
    return await new LambdaFunction(functionName, client).invoke(event, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof FunctionFailed ? error : awsError(`run the function ${functionName}`, error);
  } finally {
    client.destroy();
  }
}

/** What a run of the loader answers, as far as it is read. */
const runSchema = z.object({
  objects: z.number(),
  rejected: z.array(z.unknown()),
  more: z.boolean(),
  /** A version before this one knows of no pause. */
  paused: z.boolean().default(false),
});

/** Runs the loader until nothing is left that it can load. @returns why it could not; undefined where it could */
export async function loadStaged(loader: FunctionOnAws, until: Until): Promise<string | undefined> {
  console.error(`${loader.functionName} loads what is staged ...`);
  try {
    for (;;) {
      const { objects, rejected, more, paused } = runSchema.parse(await invoke(loader, { now: true }, until));
      if (objects > 0) console.error(`${whole(objects)} objects are loaded ...`);
      if (paused) return "The warehouse is paused: nothing can be loaded.";
      if (!more) return undefined;
      if (objects + rejected.length === 0) return "The loader comes no further: its log says why.";
    }
  } catch (error) {
    until.signal.throwIfAborted();
    return messageOf(error);
  }
}

const passedSchema = z.object({ passed: z.array(z.string()) });

/**
 * Lets a function try out on the real warehouse what AWS does not document.
 * @returns what was tried, each in a sentence
 * @throws with Redshift's own words where something does not work
 */
export async function tryOut(canary: FunctionOnAws, until: Until): Promise<readonly string[]> {
  const { data } = passedSchema.safeParse(await invoke(canary, { canary: true }, until));
  if (data) return data.passed;
  throw new Error(`${canary.functionName} tried nothing: it is of a version before this one. Deploy this one first.`);
}
