import { callBytes, serverlessCallBytes } from "../contract/wire-format";
import { serveSigned } from "./signature";
import { AwsError, type StandIn } from "./stand-in";

/** The model's container answered with an error status. */
export class ModelError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** An invocation, as the model's container gets it. */
export interface ModelCall {
  readonly body: Buffer;
  readonly contentType: string;
  /** The content type that is wished for. */
  readonly accept: string;
}

/** What the container answers with the status 200. */
export interface ModelOutput {
  readonly body: Buffer | string;
  readonly contentType: string;
}

/** Answers an invocation, whatever the bytes mean. Throws {@link ModelError} for a status other than 200. */
export type Model = (call: ModelCall) => Promise<ModelOutput> | ModelOutput;

const json = "application/json";

/** A model that speaks JSON: `answer` takes the parsed body and gives what is written as JSON. */
export const jsonModel =
  (answer: (body: unknown) => unknown): Model =>
  async ({ body, contentType }) => {
    if (!contentType.startsWith(json)) {
      throw new ModelError(415, `content type must be ${json}, got ${contentType || "none"}`);
    }
    let parsed: unknown;
    try {
      parsed = JSON.parse(body.toString());
    } catch {
      throw new ModelError(400, "the body is not JSON");
    }
    return { body: JSON.stringify(await answer(parsed)), contentType: json };
  };

export interface SageMakerRuntimeOptions {
  readonly endpointName: string;
  readonly variantName: string;
  readonly model: Model;
  /** Whether the endpoint is one on demand, whose calls are smaller. @default false */
  readonly isServerless?: boolean;
}

/** Starts the SageMaker runtime with one endpoint of one variant. Bodies and content types pass through unchanged. */
export function startSageMakerRuntime(options: SageMakerRuntimeOptions): Promise<StandIn> {
  const { endpointName, variantName, model, isServerless = false } = options;
  const mostBytes = isServerless ? serverlessCallBytes : callBytes;
  return serveSigned(async ({ url, method, headers, body }) => {
    const [, encodedName] = /^\/endpoints\/([^/]+)\/invocations$/.exec(url.pathname) ?? [];
    if (encodedName === undefined || method !== "POST") {
      throw new AwsError("UnknownOperationException", 404, `no operation at ${method} ${url.pathname}`);
    }
    const name = decodeURIComponent(encodedName);
    if (name !== endpointName) throw new AwsError("ValidationError", 400, `Endpoint ${name} of account not found.`);
    if (body.byteLength > mostBytes) {
      throw new AwsError("ValidationError", 413, `Body is ${body.byteLength} bytes, at most ${mostBytes} fit.`);
    }
    const target = headers["x-amzn-sagemaker-target-variant"];
    if (target !== undefined && target !== variantName) {
      throw new AwsError("ValidationError", 400, `Variant ${target} of endpoint ${name} not found.`);
    }
    try {
      const { accept = json, "content-type": contentType = "" } = headers;
      const answer = await model({ body, contentType, accept });
      const answered = { "content-type": answer.contentType, "x-amzn-invoked-production-variant": variantName };
      return { status: 200, headers: answered, body: answer.body };
    } catch (error) {
      throw modelError(error, variantName);
    }
  });
}

function modelError(error: unknown, variantName: string): AwsError {
  const { status, message } = error instanceof ModelError ? error : new ModelError(500, String(error));
  const text = `Received server error (${status}) from ${variantName} with message "${message}".`;
  return new AwsError("ModelError", 424, text, { OriginalStatusCode: status, OriginalMessage: message });
}
