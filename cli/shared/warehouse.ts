import { setTimeout } from "node:timers/promises";
import { LambdaClient } from "@aws-sdk/client-lambda";
import { RedshiftDataClient } from "@aws-sdk/client-redshift-data";
import { clientSettings, isTransient } from "../../pipeline/clients";
import { FunctionFailed, LambdaFunction, lambdaSettings } from "../../pipeline/lambda";
import { Results } from "../../pipeline/results";
import { awsError, namingActions } from "./aws-error";
import type { Pipeline } from "./connection";
import { inRole } from "./reader-role";

/**
 * The results of a deployed pipeline, read as the user that IAM lends to people, or in the role that they take on, with
 * more patience than the API has.
 */
export const resultsOf = ({ warehouse, answers, contract }: Pipeline) =>
  new Results(
    {
      ...warehouse,
      outputs: contract.outputs,
      unloads: { bucket: answers.bucket, roleArn: answers.unloadRoleArn, kmsKeyId: answers.unloadKmsKeyId },
    },
    new RedshiftDataClient({
      ...clientSettings({ requestTimeout: 30_000, maxAttempts: 6 }),
      ...("workgroupName" in warehouse && { credentials: inRole(warehouse.readerRoleArn) }),
    }),
  );

/** How long a look waits for a run of a function, in milliseconds. One that takes longer goes on meanwhile. */
const runPatience = 10_000;

/** A function that runs on a schedule, and sooner where a command waits for what it does. */
interface Scheduled {
  readonly functionName: string;
  /** What it is invoked with. */
  readonly event: object;
  /** What it is called for people. */
  readonly what: "loader" | "writer";
  /** What becomes of its work where it cannot be run. */
  readonly otherwise: string;
}

/** Loads what is staged. */
export const loaderOf = ({ loaderFunctionName: functionName }: Pipeline): Scheduled => {
  return {
    functionName,
    event: { now: true },
    what: "loader",
    otherwise: "Answers are seen once its schedule has loaded them.",
  };
};

/** Writes the results of jobs. */
export const writerOf = ({ writerFunctionName: functionName }: Pipeline): Scheduled => {
  return {
    functionName,
    event: {},
    what: "writer",
    otherwise: "The result is there once its schedule has written it.",
  };
};

/**
 * Runs a function now, never twice at once. Where that is not allowed, or fails, it is told once, and its schedule does
 * the same.
 * @param tell told what goes wrong
 */
export function running(
  { functionName, event, what, otherwise }: Scheduled,
  tell: (text: string) => void,
  signal: AbortSignal,
): () => Promise<void> {
  const client = namingActions(new LambdaClient(lambdaSettings));
  const scheduled = new LambdaFunction(functionName, client);
  const told = new Set<string>();
  let underWay: Promise<unknown> | undefined;
  let isAllowed = true;
  const fail = (error: unknown) => {
    if (signal.aborted || isTransient(error)) return;
    isAllowed = !(error instanceof Error && /AccessDenied/.test(error.name));
    const failed = error instanceof FunctionFailed; // each time in other words, as with an id in them
    const { message } = failed ? error : awsError(`run the ${what} ${functionName}`, error);
    const key = failed ? error.name : message;
    if (!told.has(key)) tell(`${message} ${otherwise}`);
    told.add(key);
  };
  return async () => {
    if (!isAllowed) return;
    underWay ??= scheduled
      .invoke(event, { signal })
      .catch(fail)
      .finally(() => {
        underWay = undefined;
      });
    await Promise.race([underWay, setTimeout(runPatience, undefined, { ref: false })]);
  };
}
