import { request } from "node:http";
import { json, type StandIn, serve } from "../../local/stand-in";
import { sqsUrl } from "../setup/queues";

let standIn: StandIn;
beforeAll(async () => {
  standIn = await serve(() => json({}));
});
afterAll(() => standIn.stop());

/** Asks with these headers, of which fetch lets nobody set all, and gives the status. */
const statusOf = (url: string, headers: Record<string, string>) =>
  new Promise<number | undefined>((resolve, reject) => {
    request(url, { headers }, (answer) => resolve(answer.resume().statusCode))
      .once("error", reject)
      .end();
  });

describe.each([
  ["a stand-in", () => standIn.url],
  ["SQS", () => `${sqsUrl()}/health`],
])("%s", (_, urlOf) => {
  const port = () => new URL(urlOf()).port;

  test("refuses another host than loopback's, as a name that was made to lead here", async () => {
    for (const host of [
      "attacker.example",
      `attacker.example:${port()}`,
      "127.0.0.1.attacker.example",
      "localhost.attacker.example",
    ])
      expect(await statusOf(urlOf(), { host })).toBe(403);
  });

  test("refuses what a page of another site has a browser call", async () => {
    for (const origin of ["https://attacker.example", "http://localhost.attacker.example", "null"])
      expect(await statusOf(urlOf(), { origin })).toBe(403);
  });
});

test("a stand-in answers by each name of loopback, and to its pages", async () => {
  for (const host of ["127.0.0.1", "localhost", "[::1]"]) {
    expect(await statusOf(standIn.url, { host: `${host}:${new URL(standIn.url).port}` })).toBe(200);
    expect(await statusOf(standIn.url, { host, origin: `http://${host}:3000` })).toBe(200);
  }
});
