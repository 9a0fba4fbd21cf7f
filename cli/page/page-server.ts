import { randomBytes, timingSafeEqual } from "node:crypto";
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { type Answer, json, type Request, type StandIn, serve } from "../../local/stand-in";
import { RefusedByApi } from "../jobs/jobs-api";

/** Where the page is, unless another program has the port. */
const usualPort = 4780;

const asked = z.object({ id: z.string(), features: z.record(z.string(), z.string()).optional() });
const followed = z.object({ id: z.string(), requestId: z.string(), after: z.coerce.date().optional() });
const meant = z.object({ rule: z.string().optional() });

/** What the page shows and does. Each answer is sent as JSON. */
export interface PageWork {
  /** Everything that the page shows at a moment. */
  state(): Promise<object>;
  /** Asks for a prediction of a row. @throws RefusedByApi */
  ask(row: z.infer<typeof asked>): Promise<object>;
  /** Where a request is, and what became of it. A failure until `after` is passed over. */
  follow(request: z.infer<typeof followed>): Promise<object>;
  /** Sends dead letters back to the queue. @default all */
  redrive(which: z.infer<typeof meant>): Promise<object>;
}

const files: Readonly<Record<string, readonly [name: string, type: string]>> = {
  "/": ["local.html", "text/html"],
  "/look.css": ["look.css", "text/css"],
  "/local.css": ["local.css", "text/css"],
  "/local.js": ["local.js", "text/javascript"],
};

const headers = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "cache-control": "no-store",
};

/**
 * Serves the page to its user: what it shows and does is had by the key alone, which stands in its address behind `#`, so
 * that no other user of this machine has it, and no page of another site.
 * @param port where it is served @default a free one, where another program has that
 * @returns its address, with the key
 */
export async function startPage(work: PageWork, port = usualPort): Promise<StandIn> {
  const key = randomBytes(16).toString("hex");
  const expected = Buffer.from(`Bearer ${key}`);
  const does: Readonly<Record<string, (body: unknown) => Promise<object>>> = {
    "/state": () => work.state(),
    "/ask": (body) => work.ask(asked.parse(body)),
    "/follow": (body) => work.follow(followed.parse(body)),
    "/redrive": (body) => work.redrive(meant.parse(body)),
  };
  const answer = async ({ method, url, headers: given, body }: Request): Promise<Answer> => {
    const { host, origin = `http://${host}`, authorization = "" } = given;
    if (origin !== `http://${host}`) return json({ error: "only the page itself is answered" }, 403);
    const file = Object.hasOwn(files, url.pathname) ? files[url.pathname] : undefined;
    if (file && method === "GET") {
      const [name, type] = file;
      return {
        status: 200,
        headers: { "content-type": `${type}; charset=utf-8` },
        body: await readFile(`cli/page/${name}`),
      };
    }
    const sent = Buffer.from(authorization);
    if (sent.length !== expected.length || !timingSafeEqual(sent, expected))
      return json({ error: "Open the address that npm start has printed: it ends with this run's key." }, 401);
    const act = Object.hasOwn(does, url.pathname) ? does[url.pathname] : undefined;
    if (act === undefined || method !== "POST")
      return json({ error: `there is no ${method} ${url.pathname} here` }, 404);
    return json(await act(body.length === 0 ? {} : JSON.parse(body.toString())));
  };
  const guarded = async (request: Request): Promise<Answer> => {
    const answered = await answer(request).catch(failed);
    return { ...answered, headers: { ...headers, ...answered.headers } };
  };
  const server = await serve(guarded, port).catch((error: unknown) => {
    if (isTaken(error)) return serve(guarded);
    throw error;
  });
  return { url: `${server.url}/#${key}`, stop: server.stop };
}

const isTaken = (error: unknown) =>
  typeof error === "object" && error !== null && "code" in error && error.code === "EADDRINUSE";

function failed(error: unknown): Answer {
  if (error instanceof RefusedByApi) return json({ error: error.message }, error.status);
  if (error instanceof z.ZodError) return json({ error: z.prettifyError(error) }, 400);
  if (error instanceof SyntaxError) return json({ error: "the body is not JSON" }, 400);
  return json({ error: error instanceof Error ? error.message : String(error) }, 502);
}
