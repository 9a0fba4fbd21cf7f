import Table from "cli-table3";
import { type BundleMeasurement, measureBundle } from "./bundle";
import { awsLatencies } from "./latencies";
import { type Measurement, startStage, type WorkerMeasurement, type WorkerSettings } from "./stage";

/** What the worker is measured with: formats of a call, each at growing batch sizes. */
const heldAlike = { functions: 3, instancesPerCall: 25, heapMegabytes: 128 };
const workers: WorkerSettings[] = [10, 50, 100].flatMap((batchSize) => [
  { request: "json", batchSize, endpointConcurrency: 8, ...heldAlike },
  { request: "instances", batchSize, endpointConcurrency: 4, ...heldAlike },
]);
const workerRequests = 800;
const originalRequests = 10;

/** A batch of more than 10 messages must have a window, and a second is the shortest. */
const windowSeconds = 1;
/** Memory that Lambda gives a whole processor with. */
const megabytesPerProcessor = 1_769;

interface Measured extends WorkerSettings {
  readonly measurement: WorkerMeasurement;
}

/** What the command prints for its caller goes to stdout, what it says meanwhile to stderr. */
const talk = (line: string) => console.error(line);

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = "true";

async function main() {
  talk("measuring the bundle");
  const bundle = await measureBundle("dist/worker/index.cjs");
  const stage = await startStage(awsLatencies, workerRequests);
  try {
    talk(
      `measuring the original's calls over ${originalRequests} requests meanwhile: its pauses take most of a minute`,
    );
    const [original, measured] = await Promise.all([
      stage.measureOriginal(originalRequests),
      measureWorkers((settings) => stage.measureWorker(settings, workerRequests)),
    ]);
    for (const part of report(original, measured, bundle)) console.log(part);
  } finally {
    await stage.stop();
  }
}

async function measureWorkers(measure: (settings: WorkerSettings) => Promise<WorkerMeasurement>): Promise<Measured[]> {
  const measured: Measured[] = [];
  for (const settings of workers) {
    talk(`measuring ${nameOf(settings)} over ${workerRequests} requests`);
    measured.push({ ...settings, measurement: await measure(settings) });
  }
  return measured;
}

function report(original: Measurement, measured: Measured[], bundle: BundleMeasurement): string[] {
  const chosen = (["json", "instances"] as const).flatMap((request) => recommended(measured, request) ?? []);
  return [
    speedTable(original, measured),
    `The queue holds ${workerRequests} requests from the start (${originalRequests} for the original), so most of the ` +
      "time from sent to stored is waiting. It counts as full until its last batch is handed over.",
    callsTable(original, measured),
    `The worker's bundle: ${kilobytes(bundle.bytes)} minified, ${kilobytes(bundle.zippedBytes)} zipped; ` +
      `it is imported in ${bundle.importMilliseconds.toFixed(0)} ms.`,
    ...chosen.map(recommendation),
    targetsTable(original, measured, chosen, bundle),
  ];
}

const nameOf = ({ request, batchSize }: WorkerSettings) => `${request}, batches of ${batchSize}`;
const kilobytes = (bytes: number) => `${(bytes / 1024).toFixed(0)} KB`;
const megabytes = (bytes: number) => `${(bytes / 1024 ** 2).toFixed(0)} MB`;
const percent = (part: number) => `${(part * 100).toFixed(1)} %`;
const milliseconds = (time: number) => `${Math.round(time).toLocaleString("en")} ms`;

const callsEach = ({ calls, predictions }: Measurement) =>
  [...calls.values()].reduce((sum, count) => sum + count, 0) / predictions;

/** How many times as many predictions a function brings forth as the original's does. */
const timesOriginal = (original: Measurement, { functions, measurement }: Measured) =>
  measurement.predictionsPerSecond / functions / original.predictionsPerSecond;

function speedTable(original: Measurement, measured: Measured[]): string {
  const table = plainTable([
    "request",
    "batch",
    "functions",
    "endpoint busy,\nfull queue",
    "predictions/s,\nfull queue",
    "predictions/s,\nover all",
    "a function,\n× original",
    "AWS calls per\nprediction",
    "sent to stored,\np50",
    "sent to stored,\np99",
    "heap",
  ]);
  const row = (measurement: Measurement, times: number) => [
    percent(measurement.fullQueue.utilisation),
    measurement.fullQueue.inputsPerSecond.toFixed(2),
    measurement.predictionsPerSecond.toFixed(2),
    times.toFixed(0),
    callsEach(measurement).toFixed(2),
    milliseconds(measurement.sentToStored.p50),
    milliseconds(measurement.sentToStored.p99),
  ];
  table.push(["the original", 10, 1, ...row(original, 1), ""]);
  for (const one of measured) {
    const { request, batchSize, functions, measurement } = one;
    const times = timesOriginal(original, one);
    table.push([request, batchSize, functions, ...row(measurement, times), megabytes(measurement.heap)]);
  }
  return table.toString();
}

function callsTable(original: Measurement, measured: Measured[]): string {
  const measurements = [original, ...measured.map(({ measurement }) => measurement)];
  const names = measured.map(({ request, batchSize }) => `${request},\n${batchSize}`);
  const table = plainTable(["AWS calls per prediction", "the\noriginal", ...names]);
  for (const operation of new Set(measurements.flatMap(({ calls }) => [...calls.keys()]))) {
    const counts = measurements.map(({ calls, predictions }) => (calls.get(operation) ?? 0) / predictions);
    table.push([operation, ...counts.map((count) => (count === 0 ? "" : count.toFixed(2)))]);
  }
  return table.toString();
}

/** The smallest batch that keeps the endpoint as busy as the best one does, but for two points. */
function recommended(measured: Measured[], request: WorkerSettings["request"]): Measured | undefined {
  const candidates = measured.filter((one) => one.request === request);
  const utilisationOf = ({ measurement }: Measured) => measurement.fullQueue.utilisation;
  const best = Math.max(...candidates.map(utilisationOf));
  return candidates.find((one) => utilisationOf(one) >= best - 0.02);
}

function recommendation(one: Measured): string {
  const { request, batchSize, functions, endpointConcurrency, instancesPerCall, measurement } = one;
  const { resident, cpuPerPrediction, predictionsPerSecond } = measurement;
  const processor = (predictionsPerSecond / functions) * (cpuPerPrediction / 1000);
  // Twice what was used, for longer texts and a slower processor than this one.
  const memory = 2 * Math.max(resident / 1024 ** 2, processor * megabytesPerProcessor);
  return (
    `Recommended for the request "${request}": batches of ${batchSize} with a window of ${windowSeconds} s, ` +
    `${functions} functions at most, ${endpointConcurrency} calls in flight from each` +
    `${request === "instances" ? ` of ${instancesPerCall} inputs at most` : ""}, ${Math.ceil(memory / 128) * 128} MB ` +
    `(a function's process used ${megabytes(resident)}, and ${percent(processor)} of a processor).`
  );
}

function targetsTable(
  original: Measurement,
  measured: Measured[],
  chosen: Measured[],
  bundle: BundleMeasurement,
): string {
  const table = plainTable(["", "measured", "target", "met"]);
  const target = (name: string, shown: string, wanted: string, met: boolean) =>
    table.push([name, shown, wanted, met ? "yes" : "no"]);
  for (const one of chosen) {
    const most = one.request === "json" ? 1.1 : 0.1;
    const calls = callsEach(one.measurement);
    const { utilisation } = one.measurement.fullQueue;
    const times = timesOriginal(original, one);
    target(`${nameOf(one)}: AWS calls per prediction`, calls.toFixed(2), `≤ ${most}`, calls <= most);
    target(`${nameOf(one)}: endpoint busy with a full queue`, percent(utilisation), "≥ 95 %", utilisation >= 0.95);
    target(
      `${nameOf(one)}: speed of a function against the original's`,
      `${times.toFixed(0)} ×`,
      "≥ 200 ×",
      times >= 200,
    );
  }
  const heap = Math.max(...measured.map(({ measurement }) => measurement.heap));
  const { zippedBytes, importMilliseconds } = bundle;
  target("worker bundle, zipped", kilobytes(zippedBytes), "≤ 1,024 KB", zippedBytes <= 1024 ** 2);
  target("import of the bundle", milliseconds(importMilliseconds), "≤ 200 ms", importMilliseconds <= 200);
  target("heap, at batches up to 100", megabytes(heap), "≤ 128 MB", heap <= 128 * 1024 ** 2);
  return table.toString();
}

const plainTable = (head: string[]) =>
  new Table({ head, style: { head: [], border: [], compact: true }, colAligns: ["left"] });

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
