import { AwsError, type Request, type StandIn, serve } from "./stand-in";

/** The model's container answered with an error status. */
export class ModelError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** Answers the parsed body of an invocation. Throws {@link ModelError} for a status other than 200. */
export type Model = (body: unknown) => Promise<unknown> | unknown;

export interface SageMakerRuntimeOptions {
  readonly endpointName: string;
  readonly variantName: string;
  readonly model: Model;
}

const bodyBytes = 6_291_456;

/** Starts the SageMaker runtime with one endpoint of one variant, whose model speaks JSON. */
export function startSageMakerRuntime({ endpointName, variantName, model }: SageMakerRuntimeOptions): Promise<StandIn> {
  return serve(async (request) => {
    const [, encodedName] = /^\/endpoints\/([^/]+)\/invocations$/.exec(request.url.pathname) ?? [];
    if (encodedName === undefined || request.method !== "POST") {
      throw new AwsError("UnknownOperationException", 404, `no operation at ${request.method} ${request.url.pathname}`);
    }
    const name = decodeURIComponent(encodedName);
    if (name !== endpointName) throw new AwsError("ValidationError", 400, `Endpoint ${name} of account not found.`);
    if (request.body.byteLength > bodyBytes) {
      throw new AwsError("ValidationError", 413, `Body is ${request.body.byteLength} bytes, at most ${bodyBytes} fit.`);
    }
    const answer = await ask(model, request).catch((error) => {
      throw modelError(error, variantName);
    });
    return {
      status: 200,
      headers: { "content-type": "application/json", "x-amzn-invoked-production-variant": variantName },
      body: JSON.stringify(answer),
    };
  });
}

async function ask(model: Model, { body, headers }: Request): Promise<unknown> {
  const contentType = headers["content-type"] ?? "";
  if (!contentType.startsWith("application/json")) {
    throw new ModelError(415, `content type must be application/json, got ${contentType || "none"}`);
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString());
  } catch {
    throw new ModelError(400, "the body is not JSON");
  }
  return model(parsed);
}

function modelError(error: unknown, variantName: string): AwsError {
  const { status, message } = error instanceof ModelError ? error : new ModelError(500, String(error));
  const text = `Received server error (${status}) from ${variantName} with message "${message}".`;
  return new AwsError("ModelError", 424, text, { OriginalStatusCode: status, OriginalMessage: message });
}
