import { join } from "node:path";
import { readReceipt } from "../../cli/jobs/receipt";
import { expectFlat, few } from "./large";

const many = 200_000; // `npm run bench:cli` sends a million, which takes some minutes

test("requests publish takes two hundred thousand rows in the memory of ten thousand", async () => {
  await expectFlat(
    many,
    (file) => ["requests", "publish", "--csv", file, "--receipt", `${file}.receipt.csv`],
    async ({ requests }, folder) => {
      expect(requests).toEqual({ ids: few + many, again: 0 });
      let entries = 0;
      for await (const { id } of readReceipt(join(folder, `${many}.csv.receipt.csv`))) {
        entries++;
        if (id !== String(entries)) throw new Error(`entry ${entries} is of the input ${id}`);
      }
      expect(entries).toBe(many);
    },
  );
});
