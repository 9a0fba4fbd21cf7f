import { expectFlat, few } from "./large";

const many = 1_000_000;

test("features ingest takes a million rows in the memory of ten thousand", async () => {
  await expectFlat(
    many,
    (file) => ["features", "ingest", file],
    ({ records }) => {
      expect(records).toEqual({ ids: many, again: few });
    },
  );
});
