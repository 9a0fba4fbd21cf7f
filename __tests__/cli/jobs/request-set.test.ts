import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { RequestSet, type RequestState } from "../../../cli/jobs/request-set";

const runs = [randomUUID(), randomUUID()];
const requestId = fc.oneof(
  fc.tuple(fc.constantFrom(...runs), fc.integer({ min: 0, max: 9_000 })).map(([run, row]) => `${run}.${row}`),
  fc.constantFrom("7", "a.1", "", `${runs[0]}.01`, `${runs[0]}.-1`, `${runs[0]}`, `${runs[0]}.1234567890`),
);
const inputId = fc.constantFrom("7", "8", "é");
const added = fc.tuple(fc.constant("add"), requestId, inputId, fc.constantFrom("waiting", "cancelled"));
const ended = fc.tuple(
  fc.constant("end"),
  requestId,
  fc.option(inputId, { nil: undefined }),
  fc.constantFrom("answered", "failed"),
);

test("knows of any requests what they are for and how they stand", () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(added, ended), { maxLength: 200 }), (steps) => {
      const set = new RequestSet();
      const known = new Map<string, { inputId: string; state: RequestState }>();
      for (const [what, requestId, inputId, state] of steps) {
        const before = known.get(requestId);
        if (what === "add" && inputId !== undefined && (state === "waiting" || state === "cancelled")) {
          set.add(requestId, inputId, state);
          known.set(requestId, { inputId, state });
        } else if (state === "answered" || state === "failed") {
          set.end(requestId, inputId, state);
          const isOurs = before !== undefined && (inputId ?? before.inputId) === before.inputId;
          if (isOurs && before.state !== "answered") known.set(requestId, { ...before, state });
        }
        const now = known.get(requestId);
        expect(set.stateOf(requestId)).toBe(now?.state);
        expect(["7", "8", "é"].filter((one) => set.has(requestId, one))).toEqual(now ? [now.inputId] : []);
      }
      expect(set.size).toBe(known.size);
      for (const state of ["waiting", "answered", "failed", "cancelled"] as const) {
        const standing = [...known].flatMap(([requestId, one]) => (one.state === state ? [requestId] : []));
        expect(set.counts[state]).toBe(standing.length);
        expect(set.otherIds(state).every((requestId) => standing.includes(requestId))).toBe(true);
      }
      const ofRuns = [...set.prefixes.values()].reduce((sum, size) => sum + size, 0);
      expect(ofRuns + set.otherIds("waiting", "answered", "failed", "cancelled").length).toBe(known.size);
    }),
  );
});

test("takes little more than five bytes for each of a million requests of a run", () => {
  const before = process.memoryUsage().arrayBuffers;
  const set = new RequestSet();
  for (let row = 1; row <= 1_000_000; row++) set.add(`${runs[0]}.${row}`, String(row), "waiting");
  expect(set.size).toBe(1_000_000);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(6_000_000);
});
