import { expectFlat } from "./large";

const many = 200_000;

test("run checks two hundred thousand rows in the memory of ten thousand, and asks for none", async () => {
  await expectFlat(
    many,
    (file) => ["run", "--csv", file, "--dry-run"],
    ({ requests }) => {
      expect(requests).toEqual({ ids: 0, again: 0 });
    },
  );
});
