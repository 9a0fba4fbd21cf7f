import { expectFlat, few } from "./large";

const many = 300_000; // `npm run bench:cli` ingests a million, which takes some minutes

test("features ingest takes three hundred thousand rows in the memory of ten thousand", async () => {
  await expectFlat(
    many,
    (file) => ["features", "ingest", file],
    (counts) => {
      expect(counts).toEqual({ ids: many, again: few });
    },
  );
});
