import { setTimeout } from "node:timers/promises";
import { LambdaClient } from "@aws-sdk/client-lambda";
import { RedshiftDataClient } from "@aws-sdk/client-redshift-data";
import { clientSettings, isTransient } from "../../pipeline/clients";
import { FunctionFailed, LambdaFunction, lambdaSettings } from "../../pipeline/lambda";
import { Results } from "../../pipeline/results";
import { awsError, namingActions } from "../aws-error";
import type { Pipeline } from "../connection";

/** The results of a deployed pipeline, read as the user that IAM lends to people, with more patience than the API has. */
export const resultsOf = ({ warehouse, answers, contract }: Pipeline) =>
  new Results(
    { ...warehouse, outputs: contract.outputs, unloads: { bucket: answers.bucket, roleArn: answers.unloadRoleArn } },
    new RedshiftDataClient(clientSettings({ requestTimeout: 30_000, maxAttempts: 6 })),
  );

/** How long a look waits for a run of the loader, in milliseconds. One that takes longer goes on meanwhile. */
const loaderPatience = 10_000;

/**
 * Lets the loader load what is staged, so that a look at the warehouse sees it; never by two runs at once. Where that is
 * not allowed, or fails, it is told once, and what is staged comes by the loader's own schedule.
 * @param tell told what goes wrong
 */
export function loadingOf(
  { loaderFunctionName }: Pipeline,
  tell: (text: string) => void,
  signal: AbortSignal,
): () => Promise<void> {
  const client = namingActions(new LambdaClient(lambdaSettings));
  const loader = new LambdaFunction(loaderFunctionName, client);
  const told = new Set<string>();
  let running: Promise<unknown> | undefined;
  let isAllowed = true;
  const fail = (error: unknown) => {
    if (signal.aborted || isTransient(error)) return;
    isAllowed = !(error instanceof Error && /AccessDenied/.test(error.name));
    const failed = error instanceof FunctionFailed; // each time in other words, as with an id in them
    const { message } = failed ? error : awsError(`run the loader ${loaderFunctionName}`, error);
    const key = failed ? error.name : message;
    if (!told.has(key)) tell(`${message} Answers are seen once its schedule has loaded them.`);
    told.add(key);
  };
  return async () => {
    if (!isAllowed) return;
    running ??= loader
      .invoke({}, { signal })
      .catch(fail)
      .finally(() => {
        running = undefined;
      });
    await Promise.race([running, setTimeout(loaderPatience, undefined, { ref: false })]);
  };
}
