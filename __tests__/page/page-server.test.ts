import { request } from "node:http";
import { RefusedByApi } from "../../cli/jobs/jobs-api";
import { type PageWork, startPage } from "../../cli/page/page-server";
import { json, type StandIn, serve } from "../../local/stand-in";

const work: PageWork = {
  state: async () => ({ environment: "dev" }),
  ask: async ({ id, features }) => {
    if (id === "") throw new RefusedByApi(400, "id must be at least one character");
    return { id, features };
  },
  follow: async ({ after }) => ({ after }),
  redrive: async ({ rule }) => {
    if (rule === "broken") throw new Error("the queue is gone");
    return { said: [rule ?? "all"] };
  },
};

let page: StandIn;
let origin: string;
let authorization: string;
beforeAll(async () => {
  page = await startPage(work, 0);
  const { hash, origin: at } = new URL(page.url);
  [origin, authorization] = [at, `Bearer ${hash.slice(1)}`];
});
afterAll(() => page.stop());

/** Asks with these headers, of which fetch lets nobody set all. */
const ask = (method: string, path: string, headers: Record<string, string>, body = "") =>
  new Promise<{ status?: number; headers: object; text: string }>((resolve, reject) => {
    request(`${origin}${path}`, { method, headers }, async (answer) => {
      let text = "";
      for await (const chunk of answer) text += chunk;
      resolve({ status: answer.statusCode, headers: answer.headers, text });
    })
      .once("error", reject)
      .end(body);
  });
const post = async (path: string, body = "", headers: Record<string, string> = { authorization }) => {
  const { status, text } = await ask("POST", path, headers, body);
  return [status, JSON.parse(text)];
};

test.each(["/", "/look.css", "/local.css", "/local.js"])(
  "hands out %s, which may load nothing from elsewhere",
  async (path) => {
    const { status, headers } = await ask("GET", path, {});
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      "content-type": expect.stringMatching(/^text\/(html|css|javascript); charset=utf-8$/),
      "content-security-policy": expect.stringMatching(
        /^default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; /,
      ),
      "x-content-type-options": "nosniff",
    });
  },
);

test("answers by the run's key alone, in JSON", async () => {
  expect(await post("/state")).toEqual([200, { environment: "dev" }]);
  expect(await post("/ask", '{"id":"7","features":{"seq_0":"a"}}')).toEqual([
    200,
    { id: "7", features: { seq_0: "a" } },
  ]);
  expect(await post("/follow", '{"id":"7","requestId":"r","after":"2026-01-31T12:00:00.000Z"}')).toEqual([
    200,
    { after: "2026-01-31T12:00:00.000Z" },
  ]);
  expect(await post("/redrive", "{}")).toEqual([200, { said: ["all"] }]);
  const wrong: Record<string, string>[] = [{}, { authorization: "Bearer " }, { authorization: `${authorization}0` }];
  for (const path of ["/state", "/ask", "/follow", "/redrive", "/nothing"])
    for (const headers of wrong)
      expect(await post(path, "", headers)).toEqual([401, { error: expect.stringContaining("this run's key") }]);
});

test("refuses another host, as a name that was made to lead here, and another page", async () => {
  const { host } = new URL(origin);
  expect((await ask("GET", "/", { host: "attacker.example" })).status).toBe(403);
  for (const other of ["https://attacker.example", "http://localhost:1", `https://${host}`, "null"])
    for (const [method, path] of [
      ["POST", "/redrive"],
      ["GET", "/"],
    ] as const)
      expect((await ask(method, path, { authorization, host, origin: other })).status).toBe(403);
  expect((await ask("POST", "/state", { authorization, host, origin: `http://${host}` })).status).toBe(200);
});

test("says what is wrong", async () => {
  expect(await post("/ask", '{"id":""}')).toEqual([400, { error: "id must be at least one character" }]);
  expect(await post("/ask", '{"id":7}')).toEqual([400, { error: expect.stringContaining("id") }]);
  expect(await post("/ask", "{")).toEqual([400, { error: "the body is not JSON" }]);
  expect(await post("/redrive", '{"rule":"broken"}')).toEqual([502, { error: "the queue is gone" }]);
  expect(await post("/nothing")).toEqual([404, { error: "there is no POST /nothing here" }]);
  expect((await ask("GET", "/state", { authorization })).status).toBe(404);
});

test("is at another port where another program has its own", async () => {
  const other = await serve(() => json({}));
  const port = Number(new URL(other.url).port);
  const moved = await startPage(work, port);
  expect(new URL(moved.url).port).not.toBe(String(port));
  expect((await fetch(new URL("/", moved.url))).status).toBe(200);
  await moved.stop();
  await other.stop();
});
