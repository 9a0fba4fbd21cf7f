import { z } from "zod";
import type { LocalFunction } from "../../local/lambda";
import type { OnTheWay } from "../../local/passage";
import { within } from "../../pipeline/clients";
import { newId } from "../../pipeline/ids";
import { modelOf } from "../setup/contract";
import { type Desk, startDesk } from "../setup/desk";

let desk: Desk;
let loader: LocalFunction;
let writer: LocalFunction;
beforeAll(async () => {
  desk = await startDesk({ model: modelOf((cities) => cities), workgroupName: "warehouse" });
  loader = desk.loader({}, { LOAD_EVERY_MINUTES: "60" });
  writer = desk.writer();
});
afterAll(() => desk.stop());
beforeEach(() => {
  desk.unhinder();
});

const runSchema = z.looseObject({ objects: z.number(), oldestSeconds: z.number() });
const run = async (event = {}) => runSchema.parse(await loader.invoke(event));

const stage = (requestId = newId()) => {
  const at = new Date();
  const said = { output: "yes", endpoint: "classifier", variant: "first", modelRelease: "2026-01" };
  const answer = { requestId, inputId: "7", requestedAt: at, predictedAt: at, ...said };
  return desk.staged.put([answer], within(60_000));
};

/** S3 as it says when objects were written once so many minutes have passed. */
const minutesLater =
  (minutes: number): OnTheWay =>
  async (_, forward) => {
    const answer = await forward();
    const moved = (_: string, time: string) =>
      `<LastModified>${new Date(Date.parse(time) - 60_000 * minutes).toISOString()}</LastModified>`;
    const body = String(answer.body ?? "").replaceAll(/<LastModified>([^<]+)<\/LastModified>/g, moved);
    return body.includes("<LastModified>") ? { ...answer, body } : answer;
  };

test("lets the warehouse sleep until what is staged is an hour old, and loads it then", async () => {
  const before = desk.statements;
  await stage();
  for (let minute = 0; minute < 60; minute++) {
    desk.hindrances.S3 = minutesLater(minute);
    expect(await run()).toMatchObject({ objects: 0 });
    await writer.invoke({});
  }
  expect(desk.statements - before).toBe(0);

  desk.hindrances.S3 = minutesLater(60);
  expect(await run()).toMatchObject({ objects: 1, answers: 1, oldestSeconds: expect.any(Number) });
  expect(desk.statements - before).toBe(1);
});

test("loads at once where that is asked for, and asks nothing where nothing is staged", async () => {
  await stage();
  expect(await run({ now: true })).toMatchObject({ objects: 1, answers: 1 });
  const before = desk.statements;
  expect(await run({ now: true })).toMatchObject({ objects: 0 });
  desk.hindrances.S3 = minutesLater(600);
  expect(await run()).toMatchObject({ objects: 0 });
  expect(desk.statements).toBe(before);
});

test("tries out what AWS does not document, but for what people's role may", async () => {
  expect(await loader.invoke({ canary: true })).toEqual({
    passed: [
      "the loader writes to the bucket and owns its tables.",
      "the loader loads an answer and a failure.",
      "the same again writes nothing.",
      "an object at fault is refused, and Redshift names it.",
    ],
  });
});
