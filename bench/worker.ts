import { courseOf } from "../cli/deployment/capacity-course";
import { type BundleMeasurement, measureBundle } from "./bundle";
import type { EndpointProps } from "./endpoint";
import { type Latencies, latencies, latenciesOf, type ProfileName, profileNames } from "./latencies";
import { percent, plainTable, talk, whole } from "./printing";
import { type Measurement, measureOriginal, measureWorker, type WorkerMeasurement, type WorkerSettings } from "./stage";

/** How often the loader is invoked, in seconds: six times as often as by default, so that a run sees it more than once. */
const loaderEverySeconds = 10;
/** Every function at work is a process here. So many hide what one waits for between its batches. */
const functions = 4;
const instancesPerCall = 25;

/** An endpoint, how it is asked, and about how many inputs. */
interface Endpoint extends EndpointProps {
  readonly requests: number;
  readonly asked: Record<WorkerSettings["request"], Pick<WorkerSettings, "batchSize" | "concurrency">>;
}

const small: Endpoint = {
  slots: 4,
  millisecondsPerInput: 40,
  requests: 2_400,
  asked: { json: { batchSize: 100, concurrency: 16 }, instances: { batchSize: 100, concurrency: 4 } },
};
const quick: Endpoint = {
  slots: 4,
  millisecondsPerInput: 4,
  requests: 6_000,
  asked: { json: { batchSize: 200, concurrency: 16 }, instances: { batchSize: 500, concurrency: 8 } },
};
const large: Endpoint = {
  slots: 40,
  millisecondsPerInput: 4,
  requests: 12_000,
  asked: { json: { batchSize: 500, concurrency: 40 }, instances: { batchSize: 1_000, concurrency: 40 } },
};
const endpoints = [small, quick, large];
const formats = ["json", "instances"] as const;

/** Of the original, so few that even the slowest are through when all else is. */
const originalRequests: Record<ProfileName, number> = { hopeful: 8, "as others measured": 5, bad: 3 };

/** What is measured: a format of a call at an endpoint. */
interface Asked {
  readonly profile: ProfileName;
  readonly endpoint: Endpoint;
  readonly request: WorkerSettings["request"];
  /** In the place of the profile's. */
  readonly others?: Partial<Latencies>;
  readonly profiled?: boolean;
}

interface Measured extends Asked {
  readonly measurement: WorkerMeasurement;
}

/** All runs, in the order of the table. */
const runs: readonly Asked[] = profileNames.flatMap((profile) =>
  endpoints.flatMap((endpoint) => formats.map((request) => ({ profile, endpoint, request }))),
);
/** A commit that no profile has. */
const halfASecond = { profile: "hopeful", others: { commit: 500 } } as const;
const more: readonly Asked[] = [
  { ...halfASecond, endpoint: small, request: "json" },
  { ...halfASecond, endpoint: small, request: "instances" },
  { ...halfASecond, endpoint: large, request: "instances" },
];
const profiled: readonly Asked[] = formats.map((request) => ({
  profile: "hopeful",
  endpoint: large,
  request,
  profiled: true,
}));

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = "true";

/** What the cores of this machine bound is measured three times, by turns: of each the median counts. */
const again = [...runs, ...more].filter(({ endpoint, request }) => endpoint === large && request === "instances");

async function main() {
  const started = performance.now();
  talk("measuring the bundle");
  const bundle = await measureBundle("dist/worker/index.cjs");
  talk("measuring the original's calls meanwhile: its pauses take minutes");
  const [originals, measured] = await Promise.all([
    Promise.all(profileNames.map(measureOriginalIn)),
    measureAll([...runs, ...more, ...profiled, ...again, ...again]),
  ]);
  for (const part of report(new Map(originals), measured, bundle)) console.log(part);
  talk(`that took ${((performance.now() - started) / 60_000).toFixed(1)} minutes`);
}

async function measureOriginalIn(profile: ProfileName): Promise<[ProfileName, Measurement]> {
  const scene = { latencies: latenciesOf(profile), endpoint: small };
  return [profile, await measureOriginal(scene, originalRequests[profile])];
}

async function measureAll(all: readonly Asked[]): Promise<Measured[]> {
  const measured: Measured[] = [];
  for (const [place, asked] of all.entries()) {
    const { profile, endpoint, request, others, profiled } = asked;
    talk(`measuring ${place + 1} of ${all.length}: ${nameOf(asked)}, ${whole(endpoint.requests)} requests`);
    const scene = { latencies: latenciesOf(profile, others), endpoint };
    const how = { request, functions, instancesPerCall, loaderEverySeconds, profiled, ...endpoint.asked[request] };
    measured.push({ ...asked, measurement: await measureWorker(scene, how, endpoint.requests) });
  }
  return medians(measured);
}

/** Of what was measured several times, that of median speed. */
function medians(measured: readonly Measured[]): Measured[] {
  const fast = ({ measurement }: Measured) => measurement.predictionsPerSecond;
  return [...new Set(measured.map(nameOf))].flatMap((name) => {
    const alike = measured.filter((one) => nameOf(one) === name).sort((one, other) => fast(one) - fast(other));
    return alike[Math.floor(alike.length / 2)] ?? [];
  });
}

const kilobytes = (bytes: number) => `${(bytes / 1024).toFixed(0)} KB`;
const megabytes = (bytes: number) => `${(bytes / 1024 ** 2).toFixed(0)} MB`;
const seconds = (milliseconds: number) => `${milliseconds / 1000} s`;
/** Inputs that an endpoint answers in a second. */
const speedOf = ({ slots, millisecondsPerInput }: EndpointProps) => (1_000 * slots) / millisecondsPerInput;
const sizeOf = ({ slots, millisecondsPerInput }: EndpointProps) => `${slots} × ${millisecondsPerInput} ms`;
const commitOf = ({ profile, others }: Asked) => latenciesOf(profile, others).commit;

function nameOf(asked: Asked): string {
  return `${sizeOf(asked.endpoint)}, ${asked.request}, ${asked.profile}, a commit of ${seconds(commitOf(asked))}${asked.profiled ? ", profiled" : ""}`;
}

const callsEach = ({ calls, predictions }: Measurement) =>
  [...calls.values()].reduce((sum, count) => sum + count, 0) / predictions;

/** The longest that rows may be on their way after the last message, in seconds: until the next tick, and two loads. */
const longestWay = ({ longestLoadSeconds }: WorkerMeasurement) => loaderEverySeconds + 2 * longestLoadSeconds;

type Originals = ReadonlyMap<ProfileName, Measurement>;

function report(originals: Originals, measured: readonly Measured[], bundle: BundleMeasurement): string[] {
  return [
    latencyTable(),
    speedTable(
      originals,
      measured.filter(({ profiled }) => !profiled),
    ),
    `The queue holds all requests but for a batch from the start. ${functions} functions work at a time, since each is a process ` +
      `here, and ask up to ${instancesPerCall} inputs a call where it holds many. The loader is invoked every ` +
      `${loaderEverySeconds} seconds, where its schedule can have a minute at least; a tick while it runs is passed over. ` +
      "The endpoint counts as busy from when each function has had a batch until they have all that is left in hand. " +
      `${sizeOf(large)} with instances is measured three times by turns, and has the median's row.`,
    callsTable(originals, measured),
    spentTable(measured),
    `The worker's bundle: ${kilobytes(bundle.bytes)} minified, ${kilobytes(bundle.zippedBytes)} zipped; it is imported in ` +
      `${bundle.importMilliseconds.toFixed(0)} ms. A function's process used ` +
      `${megabytes(Math.max(...measured.map(({ measurement }) => measurement.resident)))} at most, ` +
      `${megabytes(Math.max(...measured.map(({ measurement }) => measurement.heap)))} of it heap.`,
    targetsTable(measured, bundle),
  ];
}

function latencyTable(): string {
  const table = plainTable(["milliseconds, ± 20 %", ...profileNames, "source"]);
  for (const [name, { milliseconds, source }] of Object.entries(latencies)) {
    table.push([name, ...milliseconds.map(whole), source.replaceAll(/(?<=[:;]) /g, "\n")]);
  }
  return table.toString();
}

function speedTable(originals: Originals, measured: readonly Measured[]): string {
  const table = plainTable([
    "latencies",
    "commit",
    "endpoint",
    "request",
    "endpoint busy,\nfull queue",
    "predictions/s,\nfull queue",
    "predictions/s,\nover all",
    "a function,\n× original",
    "AWS calls per\nprediction",
    "worker's CPU\na prediction",
    "rows there after\nthe last message",
  ]);
  const row = (measurement: Measurement) => [
    percent(measurement.fullQueue.utilisation),
    measurement.fullQueue.inputsPerSecond.toFixed(2),
    measurement.predictionsPerSecond.toFixed(2),
  ];
  for (const profile of profileNames) {
    const original = originals.get(profile);
    if (original === undefined) continue;
    const place = [profile, seconds(latenciesOf(profile).commit), sizeOf(small), "the original's"];
    table.push([...place, ...row(original), "1", callsEach(original).toFixed(2), "", "at once"]);
    for (const one of measured.filter((other) => other.profile === profile)) {
      const { endpoint, request, measurement } = one;
      table.push([
        profile,
        seconds(commitOf(one)),
        sizeOf(endpoint),
        request,
        ...row(measurement),
        whole(measurement.predictionsPerSecond / functions / original.predictionsPerSecond),
        callsEach(measurement).toFixed(3),
        `${measurement.cpuPerPrediction.toFixed(2)} ms`,
        `${measurement.rowsAfterSeconds.toFixed(1)} s`,
      ]);
    }
  }
  return table.toString();
}

/** The calls of the hopeful profile: those of the others are the same but for the loader's. */
function callsTable(originals: Originals, measured: readonly Measured[]): string {
  const shown = measured.filter(({ profile, others, profiled }) => profile === "hopeful" && !others && !profiled);
  const original = originals.get("hopeful");
  const measurements: Measurement[] = [...(original ? [original] : []), ...shown.map(({ measurement }) => measurement)];
  const names = shown.map(({ endpoint, request }) => `${sizeOf(endpoint)},\n${request}`);
  const table = plainTable(["AWS calls per prediction", ...(original ? ["the\noriginal"] : []), ...names]);
  for (const operation of new Set(measurements.flatMap(({ calls }) => [...calls.keys()]))) {
    const counts = measurements.map(({ calls, predictions }) => (calls.get(operation) ?? 0) / predictions);
    table.push([operation, ...counts.map((count) => (count === 0 ? "" : count.toFixed(4)))]);
  }
  return table.toString();
}

function spentTable(measured: readonly Measured[]): string {
  const shown = measured.flatMap(({ endpoint, request, measurement: { spent } }) =>
    spent ? [{ name: `${sizeOf(endpoint)},\n${request}`, spent }] : [],
  );
  const table = plainTable(["what the worker computes for", ...shown.map(({ name }) => name)]);
  for (const purpose of new Set(shown.flatMap(({ spent }) => [...spent.keys()]))) {
    table.push([purpose, ...shown.map(({ spent }) => percent(spent.get(purpose) ?? 0))]);
  }
  return table.toString();
}

function targetsTable(measured: readonly Measured[], bundle: BundleMeasurement): string {
  const table = plainTable(["", "measured", "target", "met"]);
  const target = (name: string, shown: string, wanted: string, met: boolean) =>
    table.push([name, shown, wanted, met ? "yes" : "no"]);
  const unprofiled = measured.filter(({ profiled }) => !profiled);
  const of = (endpoint: Endpoint, request: WorkerSettings["request"]) =>
    unprofiled.filter((one) => one.endpoint === endpoint && one.request === request);

  for (const request of formats) {
    for (const one of of(small, request)) {
      const { utilisation } = one.measurement.fullQueue;
      target(`${nameOf(one)}: busy`, percent(utilisation), "≥ 99 %", utilisation >= 0.99);
    }
  }
  for (const one of of(small, "instances").filter(({ others }) => !others)) {
    const { predictions, predictionsPerSecond } = one.measurement;
    const measured = predictions / predictionsPerSecond;
    const reckoned = courseOf({ requests: predictions, predictionsPerSecond: speedOf(small), min: 1 }).drainSeconds;
    const apart = Math.abs(measured / reckoned - 1);
    const name = `${nameOf(one)}: drained in ${measured.toFixed(1)} s, by \`capacity\` in ${reckoned.toFixed(1)} s`;
    target(name, percent(apart), "≤ 15 %", apart <= 0.15);
  }
  const speeds = of(large, "instances").map((one) => {
    const { predictionsPerSecond: speed } = one.measurement;
    target(`${nameOf(one)}: over all`, `${whole(speed)}/s`, "≥ 1,200/s", speed >= 1_200);
    return speed;
  });
  const apart = Math.max(...speeds) / Math.min(...speeds) - 1;
  target("these apart from each other", percent(apart), "≤ 25 %", apart <= 0.25);
  for (const [request, most] of [
    ["json", 1.06],
    ["instances", 0.065],
  ] as const) {
    const calls = Math.max(...of(large, request).map(({ measurement }) => callsEach(measurement)));
    target(`${sizeOf(large)}, ${request}: calls a prediction`, calls.toFixed(4), `≤ ${most}`, calls <= most);
  }
  const cpu = Math.max(...of(large, "instances").map(({ measurement }) => measurement.cpuPerPrediction));
  target(`${sizeOf(large)}, instances: worker's CPU a prediction`, `${cpu.toFixed(2)} ms`, "≤ 0.70 ms", cpu <= 0.7);
  for (const one of unprofiled) {
    const { rowsAfterSeconds, longestLoadSeconds } = one.measurement;
    const most = longestWay(one.measurement);
    const wanted = `≤ ${loaderEverySeconds} s + 2 × ${longestLoadSeconds.toFixed(1)} s`;
    target(`${nameOf(one)}: rows there`, `${rowsAfterSeconds.toFixed(1)} s`, wanted, rowsAfterSeconds <= most);
  }
  const { zippedBytes, importMilliseconds } = bundle;
  target("worker bundle, zipped", kilobytes(zippedBytes), "≤ 260 KB", zippedBytes <= 260 * 1024);
  target("import of the bundle", `${whole(importMilliseconds)} ms`, "≤ 165 ms", importMilliseconds <= 165);
  return table.toString();
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
