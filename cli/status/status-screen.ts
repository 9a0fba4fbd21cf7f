import { createColors } from "../shared/colours";
import { whole } from "../shared/numbers";
import { type Attention, type Metrics, type Part, read, type StatusReport } from "./status-report";
import { agoOf, durationOf } from "./status-words";

export interface ScreenOptions {
  readonly colours: boolean;
  /** Columns that a line may fill. @default 80 */
  readonly width?: number;
}

/** A row of the screen: what it is about, what is so, and what asks for a person there. */
interface Row {
  readonly label: string;
  readonly lines: readonly string[];
  readonly parts: readonly Part[];
}

const labelWidth = 13;
/** Of the 24 of a terminal, what the title leaves. */
const screenLines = 22;

/** A report as one screen: 24 lines of 80 columns hold it, whatever is wrong. */
export function screenOf(report: StatusReport, { colours, width = 80 }: ScreenOptions): string[] {
  const rows = rowsOf(report);
  const drawn = (most: number) => rows.flatMap((row) => drawRow(row, report.attention, most, { colours, width }));
  const roomy = drawn(3);
  const { bold, dim } = createColors(colours);
  const title = `${bold(`${report.environment} in ${report.region}`)}  ${dim(clock(report.at))}`;
  const [paused = ""] = pausedOf(report);
  return [title, paused, ...(roomy.length <= screenLines ? roomy : drawn(2))];
}

function drawRow(
  { label, lines, parts }: Row,
  attention: readonly Attention[],
  most: number,
  { colours, width }: Required<ScreenOptions>,
): string[] {
  const { bold, green, yellow, red } = createColors(colours);
  const [first] = attention.filter(({ part }) => parts.includes(part));
  const sign = { ok: green("✔"), warning: yellow("!"), problem: red("✖"), unknown: yellow("?") }[first?.mark ?? "ok"];
  const paint = { ok: String, warning: yellow, problem: red, unknown: yellow }[first?.mark ?? "ok"];
  const room = Math.max(20, width - labelWidth - 4);
  const wrapped = [...lines, ...adviceOn(first, lines)].flatMap((line) => wrap(line, room));
  const shown = wrapped.slice(0, most);
  if (shown.length < wrapped.length) shown.push(cut(shown.pop() ?? "", room));
  return shown.map((line, place) => {
    if (place === 0) return `  ${sign} ${label.padEnd(labelWidth)}${paint(line)}`;
    return `    ${" ".repeat(labelWidth)}${line.startsWith("→") ? bold(line) : line}`;
  });
}

const pausedOf = ({ paused }: StatusReport) => {
  if (paused === null) return [];
  const until = paused.until === null ? "" : `, until ${clock(paused.until)}`;
  return [`paused since ${clock(paused.since)}${until}`];
};

const cut = (line: string, columns: number) => `${line.slice(0, columns - 1)}…`;

/** A report as one line, for where no screen is. */
export function lineOf(report: StatusReport): string {
  const queue = read(report.queue);
  const deadLetters = read(report.deadLetters);
  const alarms = read(report.alarms);
  const facts = [
    ...pausedOf(report),
    queue && `${whole(queue.waiting)} waiting`,
    queue && `${whole(queue.inFlight)} in flight`,
    deadLetters && `${whole(deadLetters.waiting)} dead letters`,
    alarms && `${whole(alarms.on.length)} alarms on`,
  ].filter((fact) => fact !== undefined);
  const [worst] = report.attention;
  return [clock(report.at), facts.join(", "), worst === undefined ? "all is well" : `${worst.mark}: ${worst.text}`]
    .map((text) => text.replaceAll("\n", " "))
    .join("  ");
}

const clock = (at: string) => at.replace("T", " ").replace(/\.\d+Z$/, " UTC");

/** What a report says of each part, in lines. */
export function rowsOf(report: StatusReport): Row[] {
  const metrics = read(report.metrics);
  const unreadMetrics = "error" in report.metrics ? [report.metrics.error] : undefined;
  return [
    { label: "queue", parts: ["queue"], lines: queueLines(report, metrics) },
    { label: "dead letters", parts: ["deadLetters"], lines: deadLetterLines(report) },
    { label: "endpoint", parts: ["endpoint"], lines: endpointLines(report, metrics) },
    { label: "worker", parts: ["worker"], lines: workerLines(report, metrics) },
    { label: "warehouse", parts: ["warehouse"], lines: warehouseLines(report) },
    report.predictions === null
      ? { label: "jobs", parts: ["jobs"], lines: jobLines(report) }
      : { label: "predictions", parts: ["predictions"], lines: predictionLines(report.predictions) },
    { label: "alarms", parts: ["alarms"], lines: alarmLines(report) },
    ...(unreadMetrics === undefined ? [] : [{ label: "metrics", parts: ["metrics" as const], lines: unreadMetrics }]),
    { label: "last deploy", parts: [], lines: deployLines(report) },
  ];
}

/** What to say of a row beside its facts: what helps, or else what is wrong. */
const adviceOn = (first: Attention | undefined, lines: readonly string[]) => {
  if (first === undefined || lines.includes(first.text)) return [];
  return [first.mend === undefined ? first.text : `→ ${first.mend}`];
};

const unknown = "not known";
const counted = (value: number | null, what: string) =>
  value === null ? `${what} ${unknown}` : `${whole(value)} ${what}`;

function queueLines({ queue: found, emptyInSeconds, firstLoss }: StatusReport, metrics: Metrics | undefined): string[] {
  if ("error" in found) return [found.error];
  const { waiting, inFlight, delayed } = found;
  const total = waiting + inFlight + delayed;
  const resting = delayed === 0 ? [] : [`${whole(delayed)} delayed`];
  const counts = [`${whole(waiting)} waiting`, `${whole(inFlight)} in flight`, ...resting].join(", ");
  const loss = firstLoss === null ? [] : [`${firstLoss.what} at ${clock(firstLoss.at)}`];
  if (total === 0) return [counts, ...loss];
  const oldest = metrics?.oldestRequestSeconds ?? null;
  const age = `oldest ${oldest === null ? unknown : durationOf(oldest)}`;
  if (loss.length > 0) return [`${counts}, ${age}`, ...loss];
  return [counts, emptyInSeconds === null ? age : `${age}, empty in about ${durationOf(emptyInSeconds)}`];
}

function deadLetterLines({ deadLetters: found }: StatusReport): string[] {
  if ("error" in found) return [found.error];
  const { waiting, inFlight, delayed } = found;
  const taken = inFlight === 0 ? "" : `, of which ${whole(inFlight)} being looked at`;
  return [`${whole(waiting + inFlight + delayed)}${taken}`];
}

function endpointLines({ endpoint: found }: StatusReport, metrics: Metrics | undefined): string[] {
  const calls = lately(metrics, ({ endpoint }) => [
    counted(endpoint.invocations, "calls"),
    counted(endpoint.serverErrors, "failed"),
  ]);
  if ("error" in found) return [found.error, ...calls];
  const instances = found.variants.map((variant) => {
    if (variant.instances + variant.wanted === 0) return "on demand";
    if (variant.instances !== variant.wanted) {
      return `${whole(variant.instances)} of ${whole(variant.wanted)} instances`;
    }
    return variant.instances === 1 ? "1 instance" : `${whole(variant.instances)} instances`;
  });
  return [[[found.status, ...instances].join(", "), ...calls].join("; "), `serves ${found.configuration}`];
}

function workerLines({ worker: found }: StatusReport, metrics: Metrics | undefined): string[] {
  const runs = lately(metrics, ({ worker }) => [
    counted(worker.invocations, "runs"),
    counted(worker.errors, "failed"),
    counted(worker.throttles, "throttled"),
    counted(worker.concurrency, "at once"),
  ]);
  if ("error" in found) return [found.error, ...runs];
  const update = found.lastUpdate === "Successful" ? [] : [`update ${found.lastUpdate}`];
  const release = found.modelRelease === null ? [] : [`for model release ${found.modelRelease}`];
  return [[[found.state, ...update].join(", "), ...runs].join("; "), ...release];
}

/** What CloudWatch has counted; nothing where it could not be asked, which has a row of its own. */
const lately = (metrics: Metrics | undefined, of: (metrics: Metrics) => string[]) =>
  metrics === undefined ? [] : [`in ${metrics.minutes} min: ${of(metrics).join(", ")}`];

function warehouseLines({ warehouse: found }: StatusReport): string[] {
  if ("error" in found) return [found.error];
  if ("workgroup" in found) return [`${found.workgroup}, on demand; not asked, so that it is not woken`];
  const { status, availability, nodes, nodeType } = found;
  const state = availability === "Available" ? status : `${status} (${availability})`;
  return [`${state}, ${whole(nodes)} × ${nodeType}`];
}

function jobLines({ jobs: found }: StatusReport): string[] {
  if (found === null) return [unknown];
  if ("error" in found) return [found.error];
  const { open, rows, waiting } = found;
  return open === 0
    ? ["none is open"]
    : [`${whole(open)} open, ${whole(rows - waiting)} of ${whole(rows)} rows ended and loaded`];
}

function predictionLines(found: NonNullable<StatusReport["predictions"]>): string[] {
  if ("error" in found) return [found.error];
  const { perMinute } = found;
  const rate = perMinute === 0 || perMinute >= 10 ? whole(perMinute) : perMinute.toFixed(1);
  const failed = found.failedLastHour === 0 ? "" : `, ${whole(found.failedLastHour)} failed`;
  return [`${whole(found.lastHour)} in the last hour${failed}, now ${rate} a minute`];
}

function alarmLines({ alarms: found }: StatusReport): string[] {
  if ("error" in found) return [found.error];
  const { total, withoutData, on } = found;
  const dark = withoutData === 0 ? "" : `, ${withoutData === total ? "all" : withoutData} without data`;
  if (on.length === 0) return [`none of ${total} on${dark}`];
  return [`${on.length} of ${total} on${dark}: ${on.map(({ name }) => name).join(", ")}`];
}

function deployLines({ lastDeploy, at }: StatusReport): string[] {
  if (lastDeploy === null) return [unknown];
  return [`the ${lastDeploy.of}, ${agoOf(lastDeploy.at, at)} (${clock(lastDeploy.at)})`];
}

/** A text in lines of so many columns, broken at spaces, else within a word. */
function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    if (line !== "" && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = "";
    }
    line = line === "" ? word : `${line} ${word}`;
    for (; line.length > columns; line = line.slice(columns)) lines.push(line.slice(0, columns));
  }
  return [...lines, line];
}
