import { createServer, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import { z } from "zod";

/** Something on loopback that answers like an AWS service. */
export interface StandIn {
  /** What to set the service's `AWS_ENDPOINT_URL_*` to. */
  readonly url: string;
  /** Ends it; requests under way are cut off. */
  stop(): Promise<void>;
}

export interface Request {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Record<string, string | string[]>;
  readonly body?: string | Buffer;
}

/** An error as AWS's JSON protocols carry it: its name tells the SDK which exception to throw. */
export class AwsError extends Error {
  constructor(
    override readonly name: string,
    readonly status: number,
    message: string,
    readonly details: Record<string, unknown> = {},
  ) {
    super(message);
  }
}

/** Nothing is answered: the connection is cut. */
export class ConnectionCut extends Error {}

/**
 * Serves HTTP on 127.0.0.1. An {@link AwsError} thrown by `answer` is sent as AWS sends it, and a
 * {@link ConnectionCut} is not answered. What a page of another site has a browser call is refused with 403.
 * @param port @default a free one
 */
export async function serve(answer: (request: Request) => Promise<Answer> | Answer, port = 0): Promise<StandIn> {
  const server = createServer(async (incoming, outgoing) => {
    const answered = await answerOrError(incoming, answer);
    if (answered === undefined) incoming.socket.destroy();
    else outgoing.writeHead(answered.status, answered.headers).end(answered.body);
  });
  server.keepAliveTimeout = 60_000; // a client that takes a connection again must find it open
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  const address = z.object({ port: z.number() }).parse(server.address());
  return {
    url: `http://127.0.0.1:${address.port}`,
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answerOrError(
  incoming: IncomingMessage,
  answer: (request: Request) => Promise<Answer> | Answer,
): Promise<Answer | undefined> {
  try {
    const { method = "GET", url = "/", headers } = incoming;
    const chunks: Buffer[] = [];
    if (method !== "GET") for await (const chunk of incoming) chunks.push(chunk); // it takes time, and GET has no body
    mustBeLocal(headers);
    return await answer({ method, url: new URL(url, "http://127.0.0.1"), headers, body: Buffer.concat(chunks) });
  } catch (error) {
    if (error instanceof ConnectionCut) return undefined;
    return errorAnswer(error);
  }
}

/** An error as AWS sends it. */
export function errorAnswer(error: unknown): Answer {
  const { name, status, message, details } =
    error instanceof AwsError ? error : new AwsError("InternalFailure", 500, String(error));
  return json({ __type: name, Message: message, ...details }, status, { "x-amzn-errortype": name });
}

/**
 * Refuses a request for another host than loopback, by whatever name it came here, and one from a page of another host.
 * @throws AwsError
 */
export function mustBeLocal({ host = "", origin = "http://localhost" }: IncomingHttpHeaders): void {
  const isLoopback = (address: string) => /^https?:\/\/(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/i.test(address);
  if (isLoopback(`http://${host}`) && isLoopback(origin)) return;
  throw new AwsError("AccessDeniedException", 403, "only loopback's own hosts and pages are answered");
}

/** An answer with a JSON body. */
export function json(body: unknown, status = 200, headers: Record<string, string> = {}): Answer {
  return { status, headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(body) };
}

/** A request's JSON body as `schema` has it; anything else is the service's own validation error, `errorName`. */
export function parseBody<Schema extends z.ZodType>(
  { body }: Request,
  schema: Schema,
  errorName: "ValidationException" | "ValidationError",
): z.infer<Schema> {
  const parsed = jsonOf(schema).safeParse(body.toString() || "{}");
  if (!parsed.success) throw new AwsError(errorName, 400, z.prettifyError(parsed.error));
  return parsed.data;
}

/** What a text holds as JSON. */
export const jsonOf = <Schema extends z.ZodType>(schema: Schema) =>
  z
    .string()
    .transform((text, context): unknown => {
      try {
        return JSON.parse(text);
      } catch {
        context.addIssue("the body is not JSON");
        return z.NEVER;
      }
    })
    .pipe(schema);
