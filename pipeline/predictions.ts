import { InvokeEndpointCommand, ModelError, SageMakerRuntimeClient } from "@aws-sdk/client-sagemaker-runtime";
import * as z from "zod";
import { clientSettings, type Until } from "./clients";
import type { SentencePair } from "./features";
import { limiter } from "./flow";

export interface ModelEndpointProps {
  readonly endpointName: string;
  /** Requests in flight at the endpoint at once; further ones wait. */
  readonly concurrency: number;
}

/** What the model said of a pair. */
export interface Answer {
  readonly output: string;
  /** The production variant that answered. */
  readonly variant: string;
  /** How long the endpoint took, in milliseconds. */
  readonly latency: number;
}

/** The model will not have this input, now or later. */
export class InputRefused extends Error {
  override readonly name = "InputRefused";
}

/** The model could not answer now. What it said stays out of this, for it may quote the input. */
export class ModelFailed extends Error {
  override readonly name = "ModelFailed";
}

/** The model's answer is not what was agreed. */
export class UnexpectedAnswer extends Error {
  override readonly name = "UnexpectedAnswer";
}

/** Of a model's 4xx, those that speak of the caller or the moment rather than of the input. */
const notTheInput = new Set([401, 403, 404, 405, 408, 415, 429]);

const failureOf = (error: unknown) => {
  if (!(error instanceof ModelError)) return error;
  const { OriginalStatusCode: status = 500 } = error;
  return status >= 400 && status < 500 && !notTheInput.has(status)
    ? new InputRefused(`the model refused the input (${status})`)
    : new ModelFailed(`the model failed (${status})`);
};

const responseSchema = z.object({
  Body: z
    .instanceof(Uint8Array)
    .transform((bytes) => JSON.parse(Buffer.from(bytes).toString("utf8")))
    .pipe(z.string()),
  InvokedProductionVariant: z.string().min(1),
});

/** The endpoint that the model answers at. */
export class ModelEndpoint {
  private readonly inFlight;

  constructor(
    private readonly props: ModelEndpointProps,
    private readonly client = new SageMakerRuntimeClient(clientSettings({ requestTimeout: 60_000 })),
  ) {
    this.inFlight = limiter(props.concurrency);
  }

  /**
   * Asks the model about a pair of sentences.
   * @throws InputRefused when the model will never answer it, ModelFailed, UnexpectedAnswer, or an error of the SDK.
   */
  predict({ seq_0, seq_1 }: SentencePair, until?: Until): Promise<Answer> {
    return this.inFlight(async () => {
      const command = new InvokeEndpointCommand({
        EndpointName: this.props.endpointName,
        ContentType: "application/json",
        Accept: "application/json",
        Body: JSON.stringify({ seq_0, seq_1 }),
      });
      const started = performance.now();
      const response = await this.client.send(command, { abortSignal: until?.signal }).catch((error) => {
        throw failureOf(error);
      });
      const latency = performance.now() - started;
      try {
        const { Body: output, InvokedProductionVariant: variant } = responseSchema.parse(response);
        return { output, variant, latency };
      } catch {
        throw new UnexpectedAnswer("the model must answer with a JSON string");
      }
    });
  }
}
