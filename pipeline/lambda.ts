import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import * as z from "zod";
import { beginningOf } from "../contract/bytes";
import { parsedJson } from "../contract/json-text";
import { clientSettings, type Until } from "./clients";

/** Longer than any function runs, in milliseconds (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html). */
export const longestRun = 905_000;
export const lambdaSettings = clientSettings({ requestTimeout: longestRun, maxAttempts: 1 });

/** A function ran, and failed. */
export class FunctionFailed extends Error {
  override readonly name = "FunctionFailed";

  /** @param reason what the function says, in its own words */
  constructor(
    functionName: string,
    readonly reason: string,
  ) {
    super(`The function ${functionName} failed: ${reason}`);
  }
}

/** What Lambda answers where a function failed (https://docs.aws.amazon.com/lambda/latest/dg/nodejs-exceptions.html). */
const failureSchema = z.object({ errorMessage: z.string().min(1) });

/** The most of a reason that is kept, in bytes: a payload may be 6 MB. */
const reasonBytes = 4_000;

/** A function of Lambda's. */
export class LambdaFunction {
  constructor(
    private readonly name: string,
    private readonly client = new LambdaClient(lambdaSettings),
  ) {}

  /**
   * Runs it once, and waits until it is through.
   * @returns what it answers, undefined where that is nothing or no JSON
   * @throws FunctionFailed when it fails; and when it cannot be run
   */
  async invoke(event: object, { signal }: Until): Promise<unknown> {
    const command = new InvokeCommand({ FunctionName: this.name, Payload: JSON.stringify(event) });
    const { FunctionError, Payload } = await this.client.send(command, { abortSignal: signal });
    const answer = parsedJson(Payload?.transformToString() ?? "");
    if (FunctionError === undefined) return answer;
    const { data } = failureSchema.safeParse(answer);
    throw new FunctionFailed(this.name, beginningOf(data?.errorMessage ?? "Its log says why.", reasonBytes));
  }

  /** Lets it run once, and does not wait for it. @throws where Lambda does not take it on */
  async start(event: object, { signal }: Until): Promise<void> {
    const input = { FunctionName: this.name, Payload: JSON.stringify(event), InvocationType: "Event" as const };
    await this.client.send(new InvokeCommand(input), { abortSignal: signal });
  }
}
