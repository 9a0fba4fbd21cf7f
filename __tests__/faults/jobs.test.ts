import { nothingLost, runJob } from "./jobs";

test("a job of 10,000 rows, sent by a hundred, has each row once in its result, though its functions are killed 30 times", async () => {
  const run = { rows: 10_000, kills: 30, senders: 100, seed: 20_261_128 };
  expect(await runJob(run)).toEqual(nothingLost(run));
});
