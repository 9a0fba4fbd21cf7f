import { ask } from "./ask";
import { signatureHeaders, signerOf } from "./signature";
import { type Answer, type Request, type StandIn, serve } from "./stand-in";

/**
 * Sees a call on its way to a stand-in: may look at it, hold it up, spoil its answer, pass it on with another body, or
 * never pass it on.
 */
export type OnTheWay = (request: Request, forward: (body?: Buffer) => Promise<Answer>) => Promise<Answer> | Answer;

/** Serves before a stand-in, whose address `target` is. A call with another body is signed again by who signed it. */
export function startPassage(target: string, onTheWay: OnTheWay): Promise<StandIn> {
  return serve((request) => onTheWay(request, (body) => forwardTo(target, request, body)));
}

/** What belongs to one connection, or to how a body is sent on it. */
const ofConnection = new Set(["connection", "keep-alive", "expect", "transfer-encoding", "content-length"]);

async function forwardTo(target: string, request: Request, other?: Buffer): Promise<Answer> {
  const { method, url, headers } = request;
  const kept = Object.entries(headers).filter(([name]) => !ofConnection.has(name));
  const { host = "" } = headers;
  const signature = other && signatureHeaders({ method, url, host }, signerOf(request));
  const address = new URL(target + url.pathname + url.search);
  const answer = await ask(
    address,
    { method, headers: { ...Object.fromEntries(kept), ...signature } },
    other ?? request.body,
  );
  const answered = Object.entries(answer.headers).flatMap(([name, value]): [string, string | string[]][] =>
    value === undefined || (ofConnection.has(name) && !(method === "HEAD" && name === "content-length"))
      ? []
      : [[name, value]],
  );
  return { status: answer.status, headers: Object.fromEntries(answered), body: answer.body };
}
