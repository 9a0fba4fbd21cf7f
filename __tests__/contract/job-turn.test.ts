import type { StagedObject } from "../../contract/answers-bucket";
import { type JobFacts, runOf } from "../../contract/job";
import { type Surroundings, turnOf } from "../../contract/job-turn";

const at = (seconds: number) => new Date(Date.UTC(2026, 10, 28) + 1_000 * seconds);
const request: JobFacts["request"] = {
  v: 1,
  id: "nightly",
  fingerprint: "f",
  createdAt: at(0),
  deadline: at(1_000),
  input: { key: "inputs/rows.csv", etag: '"e"', bytes: 7 },
  settings: { format: "csv", columns: {}, deadlineSeconds: 1_000, result: "ndjson" },
};
const checked = { v: 1, rows: 10, carriesFeatures: true, checkedAt: at(1) } as const;
const counts = (answered: number, open: { minute: Date; count: number }[] = [], failed = 0) => {
  const times = { firstAt: at(2), lastAt: at(3) };
  return { v: 1, answered, failed, expired: 0, cancelled: 0, commits: 1, ...times, open } as const;
};
const cancel = { v: 1, cancelledAt: at(100) } as const;
const around = (seconds: number, more: Partial<Surroundings> = {}): Surroundings => ({
  staged: [],
  visibilitySeconds: 360,
  workerSeconds: 60,
  now: at(seconds),
  ...more,
});
const time = runOf(request).slice(0, 8);
const staged = (seconds: number, range?: [string, string]): StagedObject => ({
  key: "staged/2026112800/a.any.v1.ndjson.gz",
  version: 1,
  writtenAt: at(seconds),
  range,
});

test("rows of it wait, or none does", () => {
  expect(turnOf({ request }, around(5))).toBe("wait");
  expect(turnOf({ request, checked }, around(5))).toBe("wait");
  expect(turnOf({ request, checked, counts: counts(9) }, around(5))).toBe("wait");
  expect(turnOf({ request, checked, counts: counts(10) }, around(5))).toBe("write");
  expect(turnOf({ request, checked: { ...checked, rows: 0 } }, around(5))).toBe("write");
});

test("a row that may be answered yet waits until the queue has shown its message again", () => {
  const facts = { request, checked, counts: counts(9, [{ minute: at(0), count: 1 }], 1) };
  expect(turnOf(facts, around(359))).toBe("wait");
  expect(turnOf(facts, around(361))).toBe("write");
});

test("it has a result, or never gets one", () => {
  const failed = { v: 1 as const, failedAt: at(2), errors: ["no"], more: 0 };
  expect(turnOf({ request, failed }, around(5))).toBe("end");
  expect(turnOf({ request, checked, cancel, failed }, around(5))).toBe("end");
});

test("after its deadline the calls in hand end, and what they staged is loaded", () => {
  const facts = { request, checked };
  expect(turnOf(facts, around(1_065))).toBe("wait");
  expect(turnOf(facts, around(1_066))).toBe("write");
  expect(turnOf(facts, around(9_999, { staged: [staged(2_000), staged(1_065)] }))).toBe("wait");
  expect(turnOf(facts, around(9_999, { staged: [staged(2_000), staged(1_066)] }))).toBe("write");
});

test("what cannot hold an outcome of it is not waited for", () => {
  const one = (least: string, greatest: string) =>
    turnOf({ request, checked }, around(9_999, { staged: [staged(5, [least, greatest])] }));
  expect(one(time, time)).toBe("wait");
  expect(one("00000000", "ffffffff")).toBe("wait");
  expect(one("00000000", "00000001")).toBe("write");
  expect(one("ffffffff", "ffffffff")).toBe("write");
});

test("after it was cancelled workers see its stop mark, then their calls in hand end", () => {
  const facts = { request, checked, cancel };
  expect(turnOf(facts, around(900))).toBe("wait"); // nobody was told to stop
  expect(turnOf(facts, around(215, { stoppedAt: at(140) }))).toBe("wait");
  expect(turnOf(facts, around(216, { stoppedAt: at(140) }))).toBe("write");
  expect(turnOf(facts, around(216, { stoppedAt: at(140), staged: [staged(200)] }))).toBe("wait");
  expect(turnOf(facts, around(176, { stoppedAt: at(50) }))).toBe("write"); // the clock of S3 is slow
  expect(turnOf(facts, around(175, { stoppedAt: at(50) }))).toBe("wait");
  expect(turnOf(facts, around(1_066))).toBe("write"); // the deadline holds in any case
});
