import fc from "fast-check";
import { timeOfId } from "../../contract/answers-bucket";
import {
  endingOf,
  factsOf,
  fingerprintOf,
  type JobCounts,
  type JobFacts,
  type JobFailed,
  type JobManifest,
  type JobRequest,
  type JobSettings,
  type JobState,
  jobName,
  jobOf,
  jobRequest,
  openMark,
  parseMark,
  parseRequestId,
  requestIdOf,
  rowCountsOf,
  runOf,
  stateOf,
  stopMark,
  unnamed,
} from "../../contract/job";

const visibilitySeconds = 120;
const now = new Date("2026-11-28T12:00:00.000Z");
const ago = (seconds: number) => new Date(now.getTime() - 1_000 * seconds);

const settings: JobSettings = { format: "csv", columns: {}, deadlineSeconds: 86_400, result: "ndjson" };
const input = { key: "inputs/rows.csv", etag: '"e"', bytes: 7 };
const request: JobRequest = {
  v: 1,
  id: "nightly",
  fingerprint: fingerprintOf(input, settings),
  createdAt: ago(3_600),
  deadline: ago(-82_800),
  input,
  settings,
};
const ofMillion = { usd: 2.5, isAtLeast: false };
const none = { answered: 0, failed: 0, expired: 0, cancelled: 0 };
const checkedOf = (rows: number) => ({ v: 1, rows, carriesFeatures: true, checkedAt: ago(60) }) as const;
const countsOf = (more: Partial<JobCounts>): JobCounts => ({
  v: 1,
  ...none,
  commits: 1,
  firstAt: ago(60),
  lastAt: ago(30),
  open: [],
  ...more,
});
const manifestOf = (more: Partial<JobManifest> = {}): JobManifest => ({
  v: 1,
  id: "nightly",
  outcome: "completed",
  format: "ndjson",
  rows: 3,
  ...none,
  answered: 3,
  lost: 0,
  parts: [{ key: "results/nightly/part-00001.ndjson", rows: 3, bytes: 9, sha256: "s" }],
  releases: [],
  contract: "c",
  asOf: ago(2),
  endedAt: ago(1),
  ...more,
});
const failed: JobFailed = { v: 1, failedAt: ago(5), errors: ["line 2: no id"], more: 0 };
const cancel = { v: 1, cancelledAt: ago(10) } as const;
const late: JobRequest = { ...request, deadline: now };

test.each<[state: JobState, facts: Partial<JobFacts>]>([
  ["validating", {}],
  ["validating", { request: late }],
  ["in_progress", { checked: checkedOf(3) }],
  ["in_progress", { checked: checkedOf(3), counts: countsOf({ answered: 2 }) }],
  ["in_progress", { checked: checkedOf(3), counts: countsOf({ failed: 3, open: [{ minute: ago(60), count: 1 }] }) }],
  ["finalizing", { checked: checkedOf(3), counts: countsOf({ failed: 3, open: [{ minute: ago(120), count: 1 }] }) }],
  ["finalizing", { checked: checkedOf(3), counts: countsOf({ answered: 2, expired: 1 }) }],
  ["finalizing", { checked: checkedOf(0) }],
  ["finalizing", { checked: checkedOf(3), request: late }],
  ["failed", { failed }],
  ["failed", { failed, cancel }],
  ["failed", { failed, checked: checkedOf(3) }],
  ["cancelling", { cancel }],
  ["cancelling", { cancel, checked: checkedOf(3), request: late }],
  ["completed", { checked: checkedOf(3), manifest: manifestOf() }],
  ["completed", { checked: checkedOf(3), cancel, manifest: manifestOf() }],
  [
    "cancelled",
    { checked: checkedOf(3), cancel, manifest: manifestOf({ outcome: "cancelled", answered: 1, cancelled: 2 }) },
  ],
  [
    "expired",
    { checked: checkedOf(3), request: late, manifest: manifestOf({ outcome: "expired", answered: 1, expired: 2 }) },
  ],
  ["failed", { checked: checkedOf(3), counts: countsOf({ answered: 3, failed: 1 }) }],
  ["failed", { checked: checkedOf(3), counts: countsOf({ answered: 3, failed: 1 }), manifest: manifestOf() }],
  ["failed", { checked: checkedOf(4), manifest: manifestOf() }],
  ["failed", { checked: checkedOf(3), manifest: manifestOf({ answered: 2 }) }],
  ["failed", { checked: checkedOf(3), manifest: manifestOf({ parts: [] }) }],
])("a job is %s by these facts: %j", (state, facts) => {
  expect(stateOf({ request, ...facts }, visibilitySeconds, now)).toBe(state);
});

const few = fc.integer({ min: 0, max: 1_000 });
const endings = { answered: few, failed: few, expired: few, cancelled: few };
const someFacts = fc.record(
  {
    request: fc.constantFrom(request, late),
    checked: few.map(checkedOf),
    failed: fc.constant(failed),
    cancel: fc.constant(cancel),
    counts: fc
      .record({ ...endings, open: fc.array(fc.record({ minute: few.map((seconds) => ago(seconds)), count: few })) })
      .map(countsOf),
  },
  { requiredKeys: ["request"] },
);

describe("counts", () => {
  test("are none until the input is checked", () => {
    expect(rowCountsOf({ request, counts: countsOf({ answered: 1 }) }, visibilitySeconds, now)).toBeUndefined();
  });

  test("of a job that was sent as often as it has rows sum, whatever else is known", () => {
    const whole = fc.tuple(few, few, few, few, few).map(([waiting, answered, failed, expired, cancelled]) => {
      const counts = countsOf({ answered, failed, expired, cancelled });
      return { request, checked: checkedOf(waiting + answered + failed + expired + cancelled), counts };
    });
    fc.assert(
      fc.property(
        whole,
        fc.array(fc.record({ minute: few.map((seconds) => ago(seconds)), count: few })),
        (facts, open) => {
          const { total = 0, ...rest } =
            rowCountsOf({ ...facts, counts: { ...facts.counts, open } }, visibilitySeconds, now) ?? {};
          expect(Object.values(rest).reduce((sum, one) => sum + one, 0)).toBe(total);
        },
      ),
    );
  });

  test("are never below nothing", () => {
    fc.assert(
      fc.property(someFacts, (facts) => {
        for (const one of Object.values(rowCountsOf(facts, visibilitySeconds, now) ?? {})) {
          expect(one).toBeGreaterThanOrEqual(0);
        }
      }),
    );
  });

  test("hold a request that may yet be answered to wait until its message would have come back", () => {
    const of = (seconds: number) => {
      const open = [{ minute: ago(seconds), count: 2 }];
      return rowCountsOf({ request, checked: checkedOf(5), counts: countsOf({ failed: 3, open }) }, 120, now);
    };
    expect(of(119)).toMatchObject({ waiting: 4, failed: 1 });
    expect(of(120)).toMatchObject({ waiting: 2, failed: 3 });
  });

  test("of a job with a result are the result's, whatever came later", () => {
    const counts = countsOf({ answered: 3 });
    const manifest = manifestOf({ answered: 1, cancelled: 2 });
    const found = rowCountsOf({ request, checked: checkedOf(3), counts, manifest }, visibilitySeconds, now);
    expect(found).toEqual({ total: 3, waiting: 0, ...none, answered: 1, cancelled: 2 });
  });
});

describe("a job as it is shown", () => {
  test("says which of its rows have changed since its result was written", () => {
    const facts = { request, checked: checkedOf(3), manifest: manifestOf({ answered: 1, failed: 2 }) };
    const changed = (answered: number) =>
      jobOf({ ...facts, counts: countsOf({ answered }) }, visibilitySeconds, ofMillion, now).result?.changedSince;
    expect([0, 1, 3].map(changed)).toEqual([0, 0, 2]);
  });

  test("has fifteen fields at most, whatever is known of it", () => {
    fc.assert(
      fc.property(someFacts, fc.boolean(), (facts, is) => {
        const job = jobOf({ ...facts, manifest: is ? manifestOf() : undefined }, visibilitySeconds, ofMillion, now);
        expect(Object.keys(job).length).toBeLessThanOrEqual(15);
      }),
    );
  });

  test("costs what its rows do, and once it has ended what those do that were asked", () => {
    const costOf = (facts: Partial<JobFacts>, of = ofMillion) =>
      jobOf({ request, ...facts }, visibilitySeconds, of, now).cost;
    const checked = checkedOf(2_000_000);
    expect(costOf({})).toBeUndefined();
    expect(costOf({ checked })).toEqual({ usd: 5, isAtLeast: false });
    expect(costOf({ checked, counts: countsOf({ answered: 1_000_000 }) })).toEqual({ usd: 5, isAtLeast: false });
    const manifest = manifestOf({ answered: 300_000, failed: 100_000, cancelled: 1_600_000 });
    expect(costOf({ checked, manifest }, { usd: 2.5, isAtLeast: true })).toEqual({ usd: 1, isAtLeast: true });
    expect(costOf({ checked: checkedOf(1) })).toEqual({ usd: 0.000003, isAtLeast: false });
  });

  test("tells which of its numbers cannot all be so", () => {
    const errorsOf = (facts: Partial<JobFacts>) =>
      jobOf({ request, checked: checkedOf(3), ...facts }, visibilitySeconds, ofMillion, now).errors;
    expect(errorsOf({ counts: countsOf({ answered: 3, failed: 1 }) })).toEqual([
      "the input has 3 rows, and 4 are counted to have ended",
    ]);
    expect(errorsOf({ manifest: manifestOf({ answered: 2, parts: [] }) })).toEqual([
      "the input has 3 rows, the result's parts have 0, and 2 are counted in it",
    ]);
    expect(errorsOf({ counts: countsOf({ answered: 3 }), manifest: manifestOf() })).toBeUndefined();
    const [part] = manifestOf().parts;
    const parts = part ? [{ ...part, rows: 1 }] : [];
    expect(errorsOf({ manifest: manifestOf({ parts, erased: [{ at: now, rows: 2 }] }) })).toBeUndefined();
    expect(errorsOf({ manifest: manifestOf({ parts, erased: [{ at: now, rows: 1 }] }) })).toHaveLength(1);
  });

  test("tells the first faults of its input, and how many more there are", () => {
    const { state, errors, endedAt } = jobOf(
      { request, failed: { ...failed, errors: ["a"], more: 7 } },
      120,
      ofMillion,
      now,
    );
    expect({ state, errors, endedAt }).toEqual({
      state: "failed",
      errors: ["a", "and 7 more"],
      endedAt: failed.failedAt,
    });
  });
});

describe("a fingerprint", () => {
  /** Names of features: `__proto__` is none, since they begin with a letter or a digit. */
  const feature = fc.string({ minLength: 1 }).filter((name) => name !== "__proto__");
  const names = fc.dictionary(feature, fc.string(), { noNullPrototype: true });
  const someSettings = fc.record(
    {
      format: fc.constantFrom("csv" as const, "ndjson" as const),
      columns: names,
      limit: fc.integer({ min: 1 }),
      tenant: fc.string(),
      deadlineSeconds: fc.integer({ min: 60, max: 1_000_000 }),
      result: fc.constantFrom("ndjson" as const, "csv" as const, "parquet" as const),
    },
    { requiredKeys: ["format", "columns", "deadlineSeconds", "result"], noNullPrototype: true },
  );
  const reversed = <T extends object>(value: T): T =>
    Object.assign(
      {},
      ...Object.entries(value)
        .reverse()
        .map(([name, one]) => ({ [name]: one })),
    );

  test("is the same for the same settings in any order", () => {
    fc.assert(
      fc.property(someSettings, (one) => {
        const other = reversed({ ...one, columns: reversed(one.columns) });
        expect(fingerprintOf(input, other)).toBe(fingerprintOf(input, one));
      }),
    );
  });

  test("is the same for what request.json gives back", () => {
    fc.assert(
      fc.property(someSettings, (one) => {
        const read = jobRequest.parse(JSON.parse(JSON.stringify({ ...request, settings: one })));
        expect(fingerprintOf(read.input, read.settings)).toBe(fingerprintOf(input, one));
      }),
    );
  });

  test("is that of the content, not of its place", () => {
    expect(fingerprintOf({ ...input }, settings)).toBe(request.fingerprint);
    expect(fingerprintOf({ etag: '"f"', bytes: 7 }, settings)).not.toBe(request.fingerprint);
    expect(fingerprintOf({ etag: '"e"', bytes: 8 }, settings)).not.toBe(request.fingerprint);
  });

  test.each<Partial<JobSettings>>([
    { format: "ndjson" },
    { columns: { age: "Age" } },
    { limit: 1 },
    { tenant: "a" },
    { deadlineSeconds: 60 },
    { result: "csv" },
  ])("is another for %j", (more) => {
    expect(fingerprintOf(input, { ...settings, ...more })).not.toBe(request.fingerprint);
  });

  test("is the name of a job that has none", () => {
    expect(unnamed(request.fingerprint)).toMatch(jobName);
  });
});

describe("the ids of a job's requests", () => {
  const times = fc.date({ min: new Date(0), max: new Date("9999-12-31T23:59:59.999Z"), noInvalidDate: true });
  const row = fc.integer({ min: 1, max: 0xff_ff_ff_ff_ff });

  test("sort as its rows do, and are read back", () => {
    fc.assert(
      fc.property(fc.stringMatching(jobName), times, row, row, (id, createdAt, one, other) => {
        const run = runOf({ id, createdAt });
        const [first, second] = [requestIdOf(run, one), requestIdOf(run, other)];
        expect(Math.sign(Buffer.compare(Buffer.from(first), Buffer.from(second)))).toBe(Math.sign(one - other));
        expect(parseRequestId(first)).toEqual({ run, row: one });
        expect(run).toHaveLength(23);
      }),
    );
  });

  test("are UUIDs that begin with the job's time", () => {
    const id = requestIdOf(runOf(request), 1);
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(timeOfId(id)).toBe(request.createdAt.getTime().toString(16).padStart(12, "0").slice(0, 8));
  });

  test("are those of no other job, though it be made at the same time", () => {
    expect(runOf({ ...request, id: "other" })).not.toBe(runOf(request));
    expect(runOf({ ...request, createdAt: ago(3_599) })).not.toBe(runOf(request));
  });

  test.each(["mine", "019ac2f0-5a3b-7c1d-8e2f-3a4b5c6d7e8f", `${"0".repeat(36)}`, ""])("are not such as %j", (id) => {
    expect(parseRequestId(id)).toBeUndefined();
  });
});

test("marks are read as they are written, and nothing else is one", () => {
  fc.assert(
    fc.property(fc.stringMatching(jobName), (id) => {
      expect(parseMark(openMark(id))).toEqual({ id, mark: "job" });
      expect(parseMark(stopMark(id))).toEqual({ id, mark: "stop" });
    }),
  );
  for (const key of ["open/job", "open/a/b/job", "open/.a/job", "open/a/other", factsOf("a").request]) {
    expect(parseMark(key)).toBeUndefined();
  }
});

test("what was late or cancelled is no failure", () => {
  expect(["expired", "cancelled", "conflict", "not_answered"].map(endingOf)).toEqual([
    "expired",
    "cancelled",
    "failed",
    "failed",
  ]);
});
