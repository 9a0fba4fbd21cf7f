import { timeOfId } from "../../contract/answers-bucket";
import { newId } from "../../pipeline/ids";

test("an id begins with its time, is a UUID of version 7, and is never the same twice", () => {
  const at = Date.UTC(2026, 0, 31, 12);
  const ids = Array.from({ length: 1_000 }, (_, n) => newId(at + n));
  for (const [n, id] of ids.entries()) {
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(Number.parseInt(id.replace("-", "").slice(0, 12), 16)).toBe(at + n);
    expect(timeOfId(id)).toBe(id.slice(0, 8));
  }
  expect([...ids].sort()).toEqual(ids);
  expect(new Set(Array.from({ length: 1_000 }, () => newId(at))).size).toBe(1_000);
});

test.each(["7", "", "01890a5d-ac96-4b1c-9c7b-0123456789ab", "x01890a5d-ac96-774b-bcce-b302099a8057"])(
  "an id that others made has no time: %j",
  (id) => {
    expect(timeOfId(id)).toBeUndefined();
  },
);
