import { z } from "zod";
import { accountId } from "./credentials";
import { FunctionError } from "./lambda";
import { serveSigned } from "./signature";
import { AwsError, json, type Request, type StandIn } from "./stand-in";

export interface FunctionDescription {
  readonly name: string;
  readonly timeoutSeconds: number;
  readonly memoryMegabytes: number;
  /** The function's own variables. */
  readonly variables: Readonly<Record<string, string>>;
  /** Runs it. @throws FunctionError as a function of {@link startFunction} does */
  invoke(event: unknown): Promise<unknown>;
}

/** The most of an event, in bytes, by how it is invoked (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html). */
const eventBytes = { RequestResponse: 6 * 1024 * 1024, Event: 1024 * 1024 };
const invocationType = z.enum(["RequestResponse", "Event"]).default("RequestResponse");

/**
 * Starts Lambda with functions that are there since now. They can be looked at and invoked. An asynchronous invocation
 * that fails is not tried again, as where `maximum_retry_attempts` is 0.
 */
export function startLambda(region: string, functions: readonly FunctionDescription[]): Promise<StandIn> {
  const since = new Date().toISOString().replace("Z", "+0000");
  const find = (encodedName: string): FunctionDescription => {
    const name = decodeURIComponent(encodedName);
    const found = functions.find((one) => one.name === name);
    if (found) return found;
    const message = `Function not found: ${arnOf(region, name)}`;
    throw new AwsError("ResourceNotFoundException", 404, message, { Type: "User" });
  };
  return serveSigned((request) => {
    const { method, url } = request;
    const [, name, what] = /^\/2015-03-31\/functions\/([^/]+)\/(configuration|invocations)$/.exec(url.pathname) ?? [];
    if (name !== undefined && method === "GET" && what === "configuration") return describe(find(name), region, since);
    if (name !== undefined && method === "POST" && what === "invocations") return invoke(find(name), request);
    throw new AwsError("UnknownOperationException", 404, `no operation at ${method} ${url.pathname}`);
  });
}

const arnOf = (region: string, name: string) => `arn:aws:lambda:${region}:${accountId}:function:${name}`;

function describe(
  { name, timeoutSeconds, memoryMegabytes, variables }: FunctionDescription,
  region: string,
  since: string,
) {
  return json({
    FunctionName: name,
    FunctionArn: arnOf(region, name),
    Timeout: timeoutSeconds,
    MemorySize: memoryMegabytes,
    Environment: { Variables: variables },
    LastModified: since,
    State: "Active",
    LastUpdateStatus: "Successful",
    Version: "$LATEST",
  });
}

async function invoke(found: FunctionDescription, { headers, body }: Request) {
  const type = invocationType.safeParse(headers["x-amz-invocation-type"]);
  if (!type.success) throw new AwsError("InvalidParameterValueException", 400, z.prettifyError(type.error));
  if (body.length > eventBytes[type.data]) {
    const message = `${body.length} byte payload is too large for the ${type.data} invocation type`;
    throw new AwsError("RequestTooLargeException", 413, message);
  }
  const running = found.invoke(eventOf(body));
  if (type.data === "Event") {
    running.catch(() => {}); // its log says so
    return { status: 202 };
  }
  const executed = { "x-amz-executed-version": "$LATEST" };
  try {
    return json((await running) ?? null, 200, executed);
  } catch (error) {
    const { errorType, message } = error instanceof FunctionError ? error : new FunctionError("Error", String(error));
    return json({ errorType, errorMessage: message }, 200, { ...executed, "x-amz-function-error": "Unhandled" });
  }
}

function eventOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString() || "{}");
  } catch {
    throw new AwsError("InvalidRequestContentException", 400, "Could not parse request body into json");
  }
}
