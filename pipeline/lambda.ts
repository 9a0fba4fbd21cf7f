import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { clientSettings, type Until } from "./clients";

/** Longer than any function runs (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html). */
export const lambdaSettings = clientSettings({ requestTimeout: 905_000, maxAttempts: 1 });

/** A function of Lambda's. */
export class LambdaFunction {
  constructor(
    private readonly name: string,
    private readonly client = new LambdaClient(lambdaSettings),
  ) {}

  /** Runs it once, and waits until it is through. @throws when it cannot be run, and when it fails */
  async invoke(event: object, { signal }: Until): Promise<void> {
    const command = new InvokeCommand({ FunctionName: this.name, Payload: JSON.stringify(event) });
    const { FunctionError } = await this.client.send(command, { abortSignal: signal });
    if (FunctionError !== undefined) throw new Error(`the function ${this.name} failed; its log says why`);
  }
}
