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

/** What belongs to one connection, or to how a body is sent on it. */
const ofConnection = new Set(["host", "connection", "keep-alive", "expect", "transfer-encoding", "content-length"]);

async function forwardTo(target: string, { method, url, headers, body }: Request): Promise<Answer> {
  const kept = Object.entries(headers).flatMap(([name, value]): [string, string][] =>
    typeof value === "string" && !ofConnection.has(name) ? [[name, value]] : [],
  );
  const response = await fetch(target + url.pathname + url.search, {
    method,
    headers: kept,
    redirect: "manual",
    ...(body.length > 0 && { body: new Uint8Array(body) }),
  });
  const answered: [string, string][] = [];
  response.headers.forEach((value, name) => {
    if (!ofConnection.has(name) || (method === "HEAD" && name === "content-length")) answered.push([name, value]);
  });
  return {
    status: response.status,
    headers: Object.fromEntries(answered),
    ...(method !== "HEAD" && { body: Buffer.from(await response.arrayBuffer()) }),
  };
}
