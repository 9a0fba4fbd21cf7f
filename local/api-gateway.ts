import { randomUUID } from "node:crypto";
import { z } from "zod";
import { accountId } from "./credentials";
import type { LocalFunction } from "./lambda";
import { signerOf } from "./signature";
import { type Answer, AwsError, json, type Request, type StandIn, serve } from "./stand-in";

export interface Route {
  /** The resource's path: `/predict/{id}`, `/{proxy+}`, `/`. */
  readonly resourcePath: string;
  /** An HTTP method, or `ANY`. */
  readonly httpMethod: string;
  /** Who may call it: everybody, or who signs the call. @default "NONE" */
  readonly authorization?: "NONE" | "AWS_IAM";
  readonly function: Pick<LocalFunction, "invoke">;
}

export interface ApiGatewayOptions {
  readonly stageName: string;
  readonly routes: Route[];
}

/** What a proxied function must return; anything else is a malformed proxy response. */
const proxyResult = z.object({
  statusCode: z.number().int(),
  headers: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).nullish(),
  multiValueHeaders: z.record(z.string(), z.array(z.string())).nullish(),
  body: z.string().nullish(),
  isBase64Encoded: z.boolean().nullish(),
});

/** Starts the stage of a REST API with Lambda proxy integrations. It does not throttle. */
export async function startApiGateway({ stageName, routes }: ApiGatewayOptions): Promise<StandIn> {
  const server = await serve(async (request) => {
    const [, stage, path] = /^\/([^/]+)(\/.*)?$/.exec(request.url.pathname) ?? [];
    if (stage !== stageName) return json({ message: "Forbidden" }, 403);
    const route = match(routes, request.method, path ?? "/");
    if (!route) return json({ message: "Missing Authentication Token" }, 403);
    if (route.authorization === "AWS_IAM") {
      try {
        signerOf(request);
      } catch (error) {
        return json({ message: error instanceof AwsError ? error.message : String(error) }, 403);
      }
    }
    try {
      const event = proxyEvent(request, stageName, path ?? "/", route);
      return toAnswer(proxyResult.parse(await route.function.invoke(event)));
    } catch {
      return json({ message: "Internal server error" }, 502);
    }
  });
  return { url: `${server.url}/${stageName}`, stop: server.stop };
}

interface Match extends Route {
  readonly pathParameters: Record<string, string>;
}

/** The method of the resource that fits the path best: fixed parts before `{name}`, that before `{name+}`. */
function match(routes: Route[], httpMethod: string, path: string): Match | undefined {
  const fitting = routes.flatMap((route) => {
    const found = pattern(route.resourcePath).exec(path);
    return found ? [{ ...route, pathParameters: { ...found.groups } }] : [];
  });
  const [best] = fitting
    .map(({ resourcePath }) => resourcePath)
    .sort((one, other) => (rank(one) < rank(other) ? -1 : 1));
  const methods = fitting.filter(({ resourcePath }) => resourcePath === best);
  return (
    methods.find((route) => route.httpMethod === httpMethod) ?? methods.find((route) => route.httpMethod === "ANY")
  );
}

const pattern = (resourcePath: string) =>
  new RegExp(`^${resourcePath.replace(/\{(\w+)\+\}/g, "(?<$1>.+)").replace(/\{(\w+)\}/g, "(?<$1>[^/]+)")}/?$`);

const rank = (resourcePath: string) =>
  resourcePath
    .split("/")
    .map((part) => (part.endsWith("+}") ? 2 : part.startsWith("{") ? 1 : 0))
    .join("");

/** The event of a REST API's proxy integration. Path parameters come as they stand in the URL, the query decoded. */
function proxyEvent(request: Request, stage: string, path: string, route: Match) {
  const { method, url, headers, body } = request;
  const multiHeaders = Object.entries(headers).map(([name, value]) => [name, [value ?? []].flat()] as const);
  const queryNames = [...new Set(url.searchParams.keys())];
  const query = queryNames.map((name) => [name, url.searchParams.getAll(name)] as const);
  const last = (entries: (readonly [string, string[]])[]) =>
    Object.fromEntries(entries.map(([name, values]) => [name, values.at(-1)]));
  const now = new Date();
  return {
    resource: route.resourcePath,
    path,
    httpMethod: method,
    headers: last(multiHeaders),
    multiValueHeaders: Object.fromEntries(multiHeaders),
    queryStringParameters: query.length > 0 ? last(query) : null,
    multiValueQueryStringParameters: query.length > 0 ? Object.fromEntries(query) : null,
    pathParameters: Object.keys(route.pathParameters).length > 0 ? route.pathParameters : null,
    stageVariables: null,
    requestContext: {
      accountId,
      apiId: "local",
      domainName: headers.host ?? "",
      httpMethod: method,
      path: url.pathname,
      protocol: "HTTP/1.1",
      requestId: randomUUID(),
      requestTime: now.toUTCString(),
      requestTimeEpoch: now.getTime(),
      resourceId: "local",
      resourcePath: route.resourcePath,
      stage,
      identity: { sourceIp: "127.0.0.1", userAgent: headers["user-agent"] ?? null },
    },
    body: body.length > 0 ? body.toString() : null,
    isBase64Encoded: false,
  };
}

function toAnswer({
  statusCode,
  headers,
  multiValueHeaders,
  body,
  isBase64Encoded,
}: z.infer<typeof proxyResult>): Answer {
  const single = Object.entries(headers ?? {}).map(([name, value]) => [name, String(value)]);
  return {
    status: statusCode,
    headers: { "content-type": "application/json", ...Object.fromEntries(single), ...multiValueHeaders },
    body: isBase64Encoded ? Buffer.from(body ?? "", "base64") : (body ?? ""),
  };
}
