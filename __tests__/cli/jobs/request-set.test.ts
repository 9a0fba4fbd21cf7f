import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { RequestSet } from "../../../cli/jobs/request-set";

const runs = [randomUUID(), randomUUID()];
const requestId = fc.oneof(
  fc.tuple(fc.constantFrom(...runs), fc.integer({ min: 0, max: 9_000 })).map(([run, row]) => `${run}.${row}`),
  fc.constantFrom("7", "a.1", "", `${runs[0]}.01`, `${runs[0]}.-1`, `${runs[0]}`, `${runs[0]}.1234567890`),
);

test("holds what any set of request ids does", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), requestId), { maxLength: 200 }), (steps) => {
      const [set, known] = [new RequestSet(), new Set<string>()];
      for (const [isAdded, id] of steps) {
        const changes = known.has(id) !== isAdded;
        expect(isAdded ? set.add(id) : set.delete(id)).toBe(changes);
        if (isAdded) known.add(id);
        else known.delete(id);
        expect([set.has(id), set.size]).toEqual([isAdded, known.size]);
      }
      expect([...set].sort()).toEqual([...known].sort());
      const ofRuns = [...set.prefixes.values()].reduce((sum, size) => sum + size, 0);
      expect(ofRuns + set.otherIds.size).toBe(known.size);
    }),
  );
});

test("takes little more than a bit for each of a million requests of a run", () => {
  const before = process.memoryUsage().arrayBuffers;
  const set = new RequestSet();
  for (let row = 1; row <= 1_000_000; row++) set.add(`${runs[0]}.${row}`);
  expect(set.size).toBe(1_000_000);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000);
});
