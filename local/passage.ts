import { type Answer, type Request, type StandIn, serve } from "./stand-in";

/**
 * Sees a call on its way to a stand-in: may look at it, hold it up, spoil its answer, pass it on with another body, or
 * never pass it on.
 */
export type OnTheWay = (request: Request, forward: (body?: Buffer) => Promise<Answer>) => Promise<Answer> | Answer;

/** Serves before a stand-in, whose address `target` is. */
export function startPassage(target: string, onTheWay: OnTheWay): Promise<StandIn> {
  return serve((request) => onTheWay(request, (body = request.body) => forwardTo(target, { ...request, body })));
}

const requestHeaders = ["authorization", "content-type", "x-amz-target", "accept"];
const answerHeaders = ["content-type", "x-amzn-errortype", "x-amzn-invoked-production-variant"];

async function forwardTo(target: string, { method, url, headers, body }: Request): Promise<Answer> {
  const kept = requestHeaders.flatMap((name) => {
    const value = headers[name];
    return typeof value === "string" ? [[name, value] as const] : [];
  });
  const response = await fetch(new URL(url.pathname + url.search, target), {
    method,
    headers: Object.fromEntries(kept),
    ...(body.length > 0 && { body: new Uint8Array(body) }),
  });
  const answered = answerHeaders.flatMap((name) => {
    const value = response.headers.get(name);
    return value === null ? [] : [[name, value] as const];
  });
  return {
    status: response.status,
    headers: Object.fromEntries(answered),
    body: Buffer.from(await response.arrayBuffer()),
  };
}
