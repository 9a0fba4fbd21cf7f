import * as jobs from "../faults/jobs";
import { killAtRandom, nothingLost } from "../faults/kills";

test.each(["repeatable read", "serializable"] as const)(
  "each of 100,000 requests has one row, though worker and loader are killed 300 times: %s",
  async (isolation) => {
    const scale = { requests: 100_000, kills: 300 };
    expect(await killAtRandom({ ...scale, isolation, seed: 20_260_201 })).toEqual(nothingLost(scale));
  },
);

test("a job of 1,000,000 rows has each row once in its result, though its functions are killed 300 times", async () => {
  const run = { rows: 1_000_000, kills: 300, senders: 100, seed: 20_261_129 };
  expect(await jobs.runJob(run)).toEqual(jobs.nothingLost(run));
});
