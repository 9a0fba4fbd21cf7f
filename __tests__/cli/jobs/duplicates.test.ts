import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuplicateSearch } from "../../../cli/jobs/duplicates";

test("finds exactly the rows whose key came before, among more than is held at a time", () => {
  const search = new DuplicateSearch();
  const count = 200_000;
  for (let row = 0; row < count; row++) {
    if (row % 5 !== 4) search.add(row, `key ${row % 3 === 0 ? row : row - (row % 1_000)}`);
  }
  const seen = new Set<number>();
  const expected: number[] = [];
  for (let row = 0; row < count; row++) {
    if (row % 5 === 4) continue;
    const key = row % 3 === 0 ? row : row - (row % 1_000);
    if (seen.has(key)) expected.push(row);
    seen.add(key);
  }
  const again = search.find(count);
  search.stop();
  expect(Array.from({ length: count }, (_, row) => row).filter((row) => again.has(row))).toEqual(expected);
});

test("leaves no temporary files", () => {
  const folder = mkdtempSync(join(tmpdir(), "temporary-"));
  const search = new DuplicateSearch(folder);
  expect(readdirSync(folder)).toHaveLength(1);
  search.stop();
  expect(readdirSync(folder)).toEqual([]);
  rmSync(folder, { recursive: true });
});
