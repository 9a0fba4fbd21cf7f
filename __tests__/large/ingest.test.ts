import { expectFlat, few, many } from "./large";

test("features ingest takes a million rows in the memory of ten thousand", async () => {
  await expectFlat(
    (file) => ["features", "ingest", file],
    ({ records }) => {
      expect(records).toEqual({ ids: many, again: few });
    },
  );
});
