import type { StagedObject } from "../../contract/answers-bucket";
import { tables } from "../../contract/load-tables";
import { within } from "../../pipeline/clients";
import { Loader, nothingLoaded } from "../../pipeline/loading";

const staged = (count: number): StagedObject[] =>
  Array.from({ length: count }, (_, n) => ({ key: `staged/2026013112/${n}`, version: 1, writtenAt: new Date() }));

/** A loader on a warehouse that has time for so many objects a load, and the sizes of the loads it was asked for. */
const loaderThatTakes = (most: number, count = 3_000) => {
  let waiting = staged(count);
  const sizes: number[] = [];
  const loader = new Loader({
    outcomes: {
      list: async (count) => ({ objects: waiting.slice(0, count), newer: 0 }),
      urlOf: (key) => `s3://answers/${key}`,
      writeManifest: async (keys) => {
        sizes.push(keys.length);
        return "manifests/1.json";
      },
      delete: async (keys) => {
        waiting = waiting.filter(({ key }) => !keys.includes(key));
      },
      reject: async () => {
        throw new Error("nothing is at fault");
      },
    },
    database: {
      read: async () => [],
      rowsOf: async () => [],
      transaction: async () => {
        if ((sizes.at(-1) ?? 0) > most) throw new Error("its time was over");
        return { id: "1", rows: [] };
      },
    },
    jobs: { read: async () => undefined, replace: async () => undefined },
    copyRoleArn: "arn:aws:iam::123456789012:role/copy",
    tables,
  });
  return { loader, sizes, left: () => waiting.length };
};

test("takes fewer objects after a load that was too large for its time, until all is loaded", async () => {
  const { loader, sizes, left } = loaderThatTakes(300);
  let failures = 0;
  while (left() > 0 && sizes.length < 1_000) {
    await loader.load(nothingLoaded(), within(60_000)).catch(() => failures++);
  }
  expect(left()).toBe(0);
  expect(sizes.slice(0, 4)).toEqual([2_000, 1_000, 500, 250]);
  expect(failures).toBeLessThan(sizes.length);
});

test("takes two thousand at once where that goes well", async () => {
  const { loader, sizes } = loaderThatTakes(2_000);
  const loaded = nothingLoaded();
  await loader.load(loaded, within(60_000));
  expect(loaded).toMatchObject({ objects: 2_000, more: true });
  await loader.load(loaded, within(60_000));
  expect(loaded).toMatchObject({ objects: 3_000, more: false });
  expect(sizes).toEqual([2_000, 1_000]);
});

test("waits for an object to be old enough, but not where more is staged than a load takes", async () => {
  const anHour = 3_600;
  const few = loaderThatTakes(2_000, 2_000);
  const nothing = nothingLoaded();
  await few.loader.load(nothing, within(60_000), anHour);
  expect([few.sizes, nothing.more]).toEqual([[], false]);
  const many = loaderThatTakes(2_000, 2_001);
  const loaded = nothingLoaded();
  do await many.loader.load(loaded, within(60_000), anHour);
  while (loaded.more);
  expect(many.sizes).toEqual([2_000, 1]);
});
