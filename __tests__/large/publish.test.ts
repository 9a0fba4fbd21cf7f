import { join } from "node:path";
import { readReceipt } from "../../cli/jobs/receipt";
import { expectFlat, few, many } from "./large";

test("requests publish takes a million rows in the memory of ten thousand", async () => {
  await expectFlat(
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
