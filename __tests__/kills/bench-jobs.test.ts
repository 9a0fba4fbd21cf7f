import { measureFairness, measureLargeJob, measureSending } from "../../bench/job-stage";
import { latencies, latenciesOf } from "../../bench/latencies";

/** Nothing takes time, so that only what is counted matters. */
const none = Object.fromEntries(Object.keys(latencies).map((name) => [name, 0]));
const deployed = { latencies: latenciesOf("hopeful", none), batchSize: 100, functions: 2 };
const inOrder = (...values: number[]) => expect(values).toEqual(values.toSorted((one, other) => one - other));

test.each(["csv", "ndjson"] as const)(
  "the starter sends so many rows of an input, and says what it used: %s",
  async (format) => {
    const measured = await measureSending({ rows: 3_500, format, mostSent: 2_000, callMilliseconds: 0 });
    expect(measured).toMatchObject({ rows: 3_500, bytes: expect.any(Number) });
    inOrder(2_000, measured.sent, 3_500);
    for (const name of ["bytes", "checkSeconds", "rowsPerSecond", "resident"] as const) {
      expect(measured[name]).toBeGreaterThan(0);
    }
  },
);

test("a job is looked at while the endpoint works on it, and cancelled with rows that wait", async () => {
  const scene = { ...deployed, endpoint: { slots: 4, millisecondsPerInput: 40 }, everySeconds: 1 };
  const measured = await measureLargeJob({ ...scene, rows: 3_000, fullSeconds: 2, looks: 3 });
  const { answered, cancelled, ...others } = measured.counts;
  expect(others).toEqual({ total: 3_000, waiting: 0, failed: 0, expired: 0 });
  expect(answered + cancelled).toBe(3_000);
  expect(answered).toBeGreaterThan(0);
  expect(cancelled).toBeGreaterThan(0);
  expect(measured.looks).toHaveLength(3);
  expect(measured.fullQueue.utilisation).toBeGreaterThan(0);
  inOrder(measured.lastCallSeconds, measured.cancelledSeconds);
  expect(measured.waiting).toBeGreaterThan(0);
});

test("a small job is answered beside a large one, which is fed meanwhile", async () => {
  // Without a load nothing is known of the large job's speed, and 10,000 rows of it are on the queue.
  const scene = { ...deployed, endpoint: { slots: 4, millisecondsPerInput: 10 }, everySeconds: 3_600 };
  const { alone, beside, later, left } = await measureFairness({ ...scene, rows: 20, times: 1, rowsBeside: 30_000 });
  for (const taken of [alone, beside, later]) {
    expect(taken).toHaveLength(1);
    for (const milliseconds of taken) expect(milliseconds).toBeGreaterThan(0);
  }
  inOrder(1, left, 30_000);
});
