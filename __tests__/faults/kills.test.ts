import { killAtRandom, nothingLost } from "./kills";

test.each(["repeatable read", "serializable"] as const)(
  "each of 10,000 requests has one row, though worker and loader are killed 30 times: %s",
  async (isolation) => {
    const scale = { requests: 10_000, kills: 30 };
    expect(await killAtRandom({ ...scale, isolation, seed: 20_260_131 })).toEqual(nothingLost(scale));
  },
);
