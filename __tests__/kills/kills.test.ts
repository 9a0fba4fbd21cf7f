import { killAtRandom, nothingLost } from "../faults/kills";

test.each(["repeatable read", "serializable"] as const)(
  "each of 100,000 requests has one row, though worker and loader are killed 300 times: %s",
  async (isolation) => {
    const scale = { requests: 100_000, kills: 300 };
    expect(await killAtRandom({ ...scale, isolation, seed: 20_260_201 })).toEqual(nothingLost(scale));
  },
);
