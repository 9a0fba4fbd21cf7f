import { setMaxListeners } from "node:events";
import * as z from "zod";
import { beginningOf } from "../contract/bytes";

/** What every AWS client here is made with. Node's own default is to wait for ever. */
export interface CallLimits {
  /** The longest that one attempt may take, in milliseconds. */
  readonly requestTimeout: number;
  /** Attempts in all, for what the SDK holds to be worth another (throttling, 5xx, a cut connection). @default 3 */
  readonly maxAttempts?: number;
}

/** The settings of an SDK client that ends every call in bounded time. */
export const clientSettings = ({ requestTimeout, maxAttempts = 3 }: CallLimits) => ({
  maxAttempts,
  requestHandler: { connectionTimeout: 2_000, requestTimeout, throwOnRequestTimeout: true },
});

/** How long a call of ours may go on in all. Every call that takes this stops when the signal is given. */
export interface Until {
  readonly signal: AbortSignal;
}

/** Until so many milliseconds from now. */
export const within = (milliseconds: number): Until => {
  const signal = AbortSignal.timeout(Math.floor(milliseconds));
  setMaxListeners(0, signal); // every call in flight listens to it
  return { signal };
};

/** The most bytes of a reason. What a service, or what stands before it, says may be a whole page. */
const reasonBytes = 1_024;

/** What a log, or a message's reason, says of an error. */
export const reasonOf = (error: unknown): string =>
  beginningOf(error instanceof Error ? `${error.name}: ${error.message}` : String(error), reasonBytes);

const failureSchema = z.object({
  name: z.string(),
  code: z.string().optional(),
  $metadata: z.object({ httpStatusCode: z.number().optional() }).optional(),
});

/** Whether a name of an error says that the same call may well succeed later. */
export const isTransientName = (name: string) =>
  /throttl|toomanyrequests|limitexceeded|timeout|internal|unavailable/i.test(name);

/** Whether the same call may well succeed later: it was throttled, the service failed, or the connection did. */
export const isTransient = (error: unknown): boolean => {
  const { data } = failureSchema.safeParse(error);
  if (data === undefined) return false;
  const { name, code = "", $metadata: { httpStatusCode: status = 0 } = {} } = data;
  return isTransientName(name) || status >= 500 || status === 429 || /^(ECONN|EPIPE|ETIMEDOUT|EAI_AGAIN)/.test(code);
};
