import { stripVTControlCharacters } from "node:util";
import { commandsFor } from "../../../cli/shared/options";
import { reportOf, type Surroundings } from "../../../cli/status/status-attention";
import type { Readings } from "../../../cli/status/status-report";
import { lineOf, screenOf } from "../../../cli/status/status-screen";
import { loadConfig } from "../../../config";
import { dev } from "../../setup/dev";

const surroundings: Surroundings = {
  local: false,
  connection: {
    shared: loadConfig().shared,
    environment: dev,
    pipeline: {
      commandFor: commandsFor({ env: "dev" }),
      queueUrl: "https://sqs.us-east-1.amazonaws.com/000000000000/requests",
      deadLetterQueueUrl: "https://sqs.us-east-1.amazonaws.com/000000000000/requests-dead-letters",
      workerFunctionName: "worker",
      loaderFunctionName: "loader",
      writerFunctionName: "writer",
      apiUrl: "https://api.execute-api.us-east-1.amazonaws.com/dev",
      endpointName: "classifier",
      contract: dev.model.contract,
      featureGroup: {
        name: "features",
        features: dev.model.contract.features,
        recordIdentifier: { name: "id", type: "String" },
        eventTime: { name: "event_time", type: "String" },
      },
      warehouse: { clusterId: "warehouse", databaseName: "predictions", databaseUser: "reader" },
      answers: { bucket: "answers", unloadRoleArn: "arn:aws:iam::000000000000:role/unload" },
    },
  },
};

const { connection } = surroundings;

const now = "2026-01-31T12:00:00.000Z";
const earlier = (seconds: number) => new Date(Date.parse(now) - 1000 * seconds).toISOString();

const busyEndpoint = {
  status: "InService",
  configuration: "classifier-7f3a",
  failure: null,
  modifiedAt: earlier(3 * 86_400),
  variants: [{ name: "first", instances: 2, wanted: 2 }],
};

/** A pipeline at work, where nothing asks for a person. */
const busy: Readings = {
  environment: "dev",
  region: "us-east-1",
  at: now,
  paused: null,
  queue: { waiting: 12_000, inFlight: 320, delayed: 0 },
  deadLetters: { waiting: 0, inFlight: 0, delayed: 0 },
  metrics: {
    minutes: 15,
    oldestRequestSeconds: 190,
    worker: { invocations: 300, errors: 0, throttles: 0, concurrency: 4 },
    endpoint: { invocations: 3_000, serverErrors: 0 },
  },
  endpoint: busyEndpoint,
  worker: { state: "Active", lastUpdate: "Successful", modelRelease: "7f3a", modifiedAt: earlier(7_200) },
  warehouse: { status: "available", availability: "Available", nodeType: "ra3.large", nodes: 2 },
  predictions: { lastHour: 40_000, failedLastHour: 0, perMinute: 616 },
  jobs: null,
  alarms: { total: 6, withoutData: 0, on: [] },
};

const reported = (changes: Partial<Readings> = {}, { local }: { local?: true } = {}) =>
  reportOf(
    { ...busy, ...changes },
    {
      local: local === true,
      connection: {
        ...connection,
        pipeline: { ...connection.pipeline, commandFor: commandsFor(local ? { local } : { env: "dev" }) },
      },
    },
  );
const attentionTo = (...given: Parameters<typeof reported>) =>
  reported(...given).attention.map(({ part, mark, mend }) => [part, mark, ...(mend === undefined ? [] : [mend])]);
const screen = (changes?: Partial<Readings>) => screenOf(reported(changes), { colours: false });

test("shows a pipeline at work", () => {
  expect(screen()).toEqual([
    "dev in us-east-1  2026-01-31 12:00:00 UTC",
    "",
    "  ✔ queue        12,000 waiting, 320 in flight",
    "                 oldest 3 min, empty in about 20 min",
    "  ✔ dead letters 0",
    "  ✔ endpoint     InService, 2 instances; in 15 min: 3,000 calls, 0 failed",
    "                 serves classifier-7f3a",
    "  ✔ worker       Active; in 15 min: 300 runs, 0 failed, 0 throttled, 4 at once",
    "                 for model release 7f3a",
    "  ✔ warehouse    available, 2 × ra3.large",
    "  ✔ predictions  40,000 in the last hour, now 616 a minute",
    "  ✔ alarms       none of 6 on",
    "  ✔ last deploy  the worker, 2 h ago (2026-01-31 10:00:00 UTC)",
  ]);
  expect(lineOf(reported())).toBe(
    "2026-01-31 12:00:00 UTC  12,000 waiting, 320 in flight, 0 dead letters, 0 alarms on  all is well",
  );
});

test("shows a warehouse on demand as it is not asked, and jobs by what is loaded of them", () => {
  const onDemand = {
    endpoint: { ...busyEndpoint, variants: [{ name: "first", instances: 0, wanted: 0 }] },
    warehouse: { workgroup: "poc-dev" },
    predictions: null,
    jobs: { open: 2, rows: 10_000, waiting: 2_500 },
  };
  expect(attentionTo(onDemand)).toEqual([]);
  expect(screen(onDemand)).toEqual(
    expect.arrayContaining([
      "  ✔ queue        12,000 waiting, 320 in flight",
      "                 oldest 3 min",
      "  ✔ endpoint     InService, on demand; in 15 min: 3,000 calls, 0 failed",
      "  ✔ warehouse    poc-dev, on demand; not asked, so that it is not woken",
      "  ✔ jobs         2 open, 7,500 of 10,000 rows ended and loaded",
    ]),
  );
  expect(screen({ ...onDemand, jobs: { open: 0, rows: 0, waiting: 0 } })).toContain("  ✔ jobs         none is open");
  const unlisted = { error: "Cannot list the jobs: no answer in 10 s." };
  expect(attentionTo({ ...onDemand, jobs: unlisted })).toEqual([["jobs", "unknown"]]);
  expect(screen({ ...onDemand, jobs: unlisted })).toContain(`  ? jobs         ${unlisted.error}`);
});

test("signs say the same with colours and without", () => {
  const report = reported({ deadLetters: { waiting: 3, inFlight: 0, delayed: 0 } });
  const coloured = screenOf(report, { colours: true });
  expect(coloured.join("\n")).toContain("\x1b[31m");
  expect(coloured.map(stripVTControlCharacters)).toEqual(screenOf(report, { colours: false }));
});

const long = "why ".repeat(100).trim();
const unread = { error: `Cannot look: ${"x".repeat(300)}` };

describe("a paused environment", () => {
  const none = { error: "none while the environment is paused" };
  const pause = { since: earlier(86_400), until: earlier(-3 * 86_400) };
  const paused = { paused: pause, endpoint: none, predictions: none };
  const warehouse = { status: "paused", availability: "Unavailable", nodeType: "ra3.large", nodes: 1 };
  const at = (oldestRequestSeconds: number, firstDeadline?: { job: string; at: string }) => {
    const { connection } = surroundings;
    const environment = { ...connection.environment, pause: { ...pause, firstDeadline } };
    const readings = { ...busy, ...paused, warehouse, metrics: metrics({ oldestRequestSeconds }) };
    return reportOf(readings, { local: false, connection: { ...connection, environment } });
  };

  test("asks for nobody while there is time, and says until when it is and what is lost first", () => {
    const report = at(3_600);
    expect(report.attention).toEqual([]);
    const lines = screenOf(report, { colours: false });
    expect(lines.slice(1, 4)).toEqual([
      "paused since 2026-01-30 12:00:00 UTC, until 2026-02-03 12:00:00 UTC",
      "  ✔ queue        12,000 waiting, 320 in flight, oldest 1 h",
      "                 the oldest request expires at 2026-02-04 11:00:00 UTC",
    ]);
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
    expect(lines.some((line) => line.startsWith("  ✔ endpoint     none while the environment is paused"))).toBe(true);
  });

  test("asks for somebody who resumes it a day before something is lost", () => {
    const mend = "npx offline-inference resume --env dev";
    const lost = (report: ReturnType<typeof at>) => report.attention.map(({ part, text, mend }) => [part, text, mend]);
    expect(lost(at(3 * 86_400 + 60))).toEqual([
      ["queue", "At 2026-02-01T11:59:00.000Z the oldest request expires.", mend],
    ]);
    const deadline = { job: "nightly", at: earlier(-3_600) };
    expect(lost(at(60, deadline))).toEqual([
      ["queue", `At ${deadline.at} the deadline of the job nightly passes.`, mend],
    ]);
  });
});

test.each<[string, Partial<Readings>]>([
  [
    "nothing can be read",
    {
      queue: unread,
      deadLetters: unread,
      metrics: unread,
      endpoint: unread,
      worker: unread,
      warehouse: unread,
      predictions: unread,
      alarms: unread,
    },
  ],
  [
    "all is wrong",
    {
      queue: { waiting: 1_234_567, inFlight: 120_000, delayed: 120_000 },
      deadLetters: { waiting: 1_000_000, inFlight: 1_000, delayed: 0 },
      metrics: {
        minutes: 15,
        oldestRequestSeconds: 300_000,
        worker: { invocations: 1_000_000, errors: 1_000_000, throttles: 1_000_000, concurrency: 1_000 },
        endpoint: { invocations: 1_000_000, serverErrors: 1_000_000 },
      },
      endpoint: {
        status: "UpdateRollbackFailed",
        configuration: "c".repeat(63),
        failure: long,
        modifiedAt: now,
        variants: [{ name: "first", instances: 1, wanted: 20 }],
      },
      worker: { state: "Failed", lastUpdate: "Failed", modelRelease: "7f3a", modifiedAt: now },
      warehouse: { status: "incompatible-parameters", availability: "Unavailable", nodeType: "ra3.large", nodes: 2 },
      predictions: unread,
      alarms: {
        total: 6,
        withoutData: 1,
        on: [1, 2, 3, 4, 5].map((n) => ({ name: `poc-dev-alarm-${n}`, reason: long, since: now })),
      },
    },
  ],
])("holds it on 24 lines of 80 columns when %s", (_, changes) => {
  const lines = screen(changes);
  expect(lines.length).toBeLessThanOrEqual(24);
  expect(lines.filter((line) => line.length > 80)).toEqual([]);
  expect(lines.filter((line) => line.endsWith("…")).length).toBeGreaterThan(0); // where it was cut it says so
  for (const label of ["queue", "dead letters", "endpoint", "worker", "warehouse", "predictions", "alarms"]) {
    expect(lines.filter((line) => line.startsWith(` ${label} `, 3))).toHaveLength(1);
  }
});

const workerLog = "aws logs tail /aws/lambda/worker --since 15m";

test.each<[string, Partial<Readings>, unknown[]]>([
  ["nothing", {}, []],
  [
    "a dead letter",
    { deadLetters: { waiting: 0, inFlight: 1, delayed: 0 } },
    [["deadLetters", "problem", "npx offline-inference failed --env dev"]],
  ],
  [
    "a stalled queue",
    { predictions: { lastHour: 9, failedLastHour: 9, perMinute: 0 }, metrics: metrics({ oldestRequestSeconds: 300 }) },
    [["queue", "warning", workerLog]],
  ],
  [
    "a queue that has just begun",
    { predictions: { lastHour: 0, failedLastHour: 0, perMinute: 0 }, metrics: metrics({ oldestRequestSeconds: 299 }) },
    [],
  ],
  [
    "a quarter of the retention",
    { metrics: metrics({ oldestRequestSeconds: 86_400 }) },
    [["queue", "warning", workerLog]],
  ],
  [
    "a failing endpoint",
    { endpoint: endpoint({ status: "Failed", failure: "no capacity" }) },
    [["endpoint", "problem"]],
  ],
  ["an endpoint on its way", { endpoint: endpoint({ status: "Updating" }) }, [["endpoint", "warning"]]],
  [
    "too few instances",
    { endpoint: endpoint({ variants: [{ name: "first", instances: 1, wanted: 2 }] }) },
    [["endpoint", "warning"]],
  ],
  [
    "a model that fails",
    { metrics: metrics({ endpoint: { invocations: 9, serverErrors: 2 } }) },
    [["endpoint", "warning", "aws logs tail /aws/sagemaker/Endpoints/classifier --since 15m"]],
  ],
  [
    "an idle worker",
    { worker: { state: "Inactive", lastUpdate: "Successful", modelRelease: null, modifiedAt: now } },
    [],
  ],
  [
    "a worker whose update failed",
    { worker: { state: "Active", lastUpdate: "Failed", modelRelease: null, modifiedAt: now } },
    [["worker", "problem"]],
  ],
  [
    "throttles",
    { metrics: metrics({ worker: { invocations: 9, errors: 0, throttles: 1, concurrency: 9 } }) },
    [["worker", "warning"]],
  ],
  [
    "a paused warehouse",
    { warehouse: { status: "paused", availability: "Unavailable", nodeType: "ra3.large", nodes: 1 } },
    [["warehouse", "problem", "aws redshift resume-cluster --cluster-identifier warehouse"]],
  ],
  [
    "a warehouse in maintenance",
    { warehouse: { status: "available", availability: "Maintenance", nodeType: "ra3.large", nodes: 1 } },
    [["warehouse", "warning"]],
  ],
  [
    "the worst first",
    { queue: { error: "no" }, alarms: { total: 2, withoutData: 0, on: [{ name: "a", reason: "b", since: null }] } },
    [
      ["alarms", "problem"],
      ["queue", "unknown"],
    ],
  ],
])("%s asks for a person as it should", (_, changes, expected) => {
  expect(attentionTo(changes)).toEqual(expected);
});

test("in local mode the commands that help are those of local mode", () => {
  const changes = {
    deadLetters: { waiting: 1, inFlight: 0, delayed: 0 },
    metrics: metrics({
      worker: { invocations: 9, errors: 1, throttles: 0, concurrency: 9 },
      endpoint: { invocations: 9, serverErrors: 2 },
    }),
  };
  expect(attentionTo(changes, { local: true })).toEqual([
    ["deadLetters", "problem", "npx offline-inference failed --local"],
    ["endpoint", "warning"],
    ["worker", "warning", "less .local/logs/worker.log"],
  ]);
});

test("says what is not known to be so, and shows no zero for it", () => {
  const lines = screen({
    metrics: metrics({
      oldestRequestSeconds: null,
      worker: { invocations: null, errors: null, throttles: 0, concurrency: null },
    }),
  }).join("\n");
  expect(lines).toContain("oldest not known");
  expect(lines).toContain("runs not known, failed not known, 0");
});

test.each([
  [4, "just now"],
  [42, "42 s ago"],
  [150, "3 min ago"],
  [7_200, "2 h ago"],
  [2.9 * 86_400, "3 days ago"],
])("a deployment %s s ago was %s", (seconds, words) => {
  const worker = { state: "Active", lastUpdate: "Successful", modelRelease: null, modifiedAt: earlier(seconds) };
  expect(screen({ worker }).at(-1)).toContain(`the worker, ${words} (2026-01-`);
});

type Read<Name extends keyof Readings> = Exclude<Readings[Name], { error: string }>;

function metrics(changes: Partial<Read<"metrics">>) {
  return { ...unlessUnread(busy.metrics), ...changes };
}

function endpoint(changes: Partial<Read<"endpoint">>) {
  return { ...unlessUnread(busy.endpoint), ...changes };
}

function unlessUnread<Part extends object>(part: Part | { error: string }): Part {
  if ("error" in part) throw new Error("it was not read");
  return part;
}
