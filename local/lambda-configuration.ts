import { accountId } from "./credentials";
import { AwsError, json, type StandIn, serve } from "./stand-in";

export interface FunctionDescription {
  readonly name: string;
  readonly timeoutSeconds: number;
  readonly memoryMegabytes: number;
  /** The function's own variables. */
  readonly variables: Readonly<Record<string, string>>;
}

/** Starts Lambda with functions that are there since now. They can be looked at, and are invoked in another way. */
export function startLambda(region: string, functions: readonly FunctionDescription[]): Promise<StandIn> {
  const since = new Date().toISOString().replace("Z", "+0000");
  return serve(({ method, url }) => {
    const [, encodedName] = /^\/2015-03-31\/functions\/([^/]+)\/configuration$/.exec(url.pathname) ?? [];
    if (encodedName === undefined || method !== "GET") {
      throw new AwsError("UnknownOperationException", 404, `no operation at ${method} ${url.pathname}`);
    }
    const name = decodeURIComponent(encodedName);
    const arn = `arn:aws:lambda:${region}:${accountId}:function:${name}`;
    const found = functions.find((one) => one.name === name);
    if (found === undefined) throw new AwsError("ResourceNotFoundException", 404, `Function not found: ${arn}`);
    return json({
      FunctionName: name,
      FunctionArn: arn,
      Timeout: found.timeoutSeconds,
      MemorySize: found.memoryMegabytes,
      Environment: { Variables: found.variables },
      LastModified: since,
      State: "Active",
      LastUpdateStatus: "Successful",
      Version: "$LATEST",
    });
  });
}
