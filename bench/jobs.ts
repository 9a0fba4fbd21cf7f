import { Command, Option } from "commander";
import { z } from "zod";
import {
  type FairnessMeasurement,
  type LargeJobMeasurement,
  measureFairness,
  measureLargeJob,
  measureSending,
  type SendingMeasurement,
} from "./job-stage";
import { latenciesOf } from "./latencies";
import { count, medianOf, megabytes, percent, plainTable, talk, whole } from "./printing";

/** About what a call to the queue takes within a region, in milliseconds. */
const callMilliseconds = 10;
/** An input of more rows is measured as CSV alone. */
const mostNdjsonRows = 1_000_000;
/** The pipeline on which jobs run. */
const deployed = {
  latencies: latenciesOf("hopeful"),
  endpoint: { slots: 4, millisecondsPerInput: 40 },
  batchSize: 100,
  functions: 2,
  everySeconds: 10,
} as const;
const smallRows = 100;
const looks = 50;

const parts = ["sending", "cancel", "fairness"] as const;

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = "true";

interface Options {
  readonly rows: readonly number[];
  readonly sent: number;
  readonly job: number;
  readonly full: number;
  readonly beside: number;
  readonly times: number;
  readonly only: readonly (typeof parts)[number][];
}

type Sending = SendingMeasurement & { readonly format: string };

async function main({ rows: sizes, sent: mostSent, job, full: fullSeconds, beside, times, only }: Options) {
  const started = performance.now();
  if (only.includes("sending")) {
    const measured: Sending[] = [];
    for (const rows of sizes) {
      for (const format of rows > mostNdjsonRows ? (["csv"] as const) : (["csv", "ndjson"] as const)) {
        talk(`measuring the starter on ${whole(rows)} rows of ${format}`);
        measured.push({ format, ...(await measureSending({ rows, format, mostSent, callMilliseconds })) });
      }
    }
    print(reportSending(measured));
  }
  if (only.includes("cancel")) {
    talk(`measuring a job of ${whole(job)} rows, which is cancelled after ${fullSeconds} s with a full queue`);
    print(reportLargeJob(await measureLargeJob({ ...deployed, rows: job, fullSeconds, looks })));
  }
  if (only.includes("fairness")) {
    talk(`measuring a job of ${smallRows} rows alone and beside one of ${whole(beside)}, ${times} times each`);
    print(reportFairness(await measureFairness({ ...deployed, rows: smallRows, times, rowsBeside: beside }), beside));
  }
  talk(`that took ${((performance.now() - started) / 60_000).toFixed(1)} minutes`);
}

const seconds = (milliseconds: number) => `${(milliseconds / 1000).toFixed(2)} s`;
const yes = (isMet: boolean) => (isMet ? "yes" : "no");

const print = (report: readonly string[]) => {
  for (const part of report) console.log(part);
};

const targetsTable = () => plainTable(["", "measured", "target", "met"]);

function reportSending(measured: readonly Sending[]): string[] {
  const table = plainTable([
    "input",
    "rows",
    "bytes",
    "rows/s checked",
    "rows sent",
    "rows/s sent",
    "CPU a row",
    "peak memory",
  ]);
  for (const { format, rows, bytes, checkSeconds, sent, rowsPerSecond, cpuPerRow, resident } of measured) {
    const checked = whole(rows / checkSeconds);
    table.push([
      format,
      whole(rows),
      megabytes(bytes),
      checked,
      whole(sent),
      whole(rowsPerSecond),
      `${cpuPerRow.toFixed(3)} ms`,
      megabytes(resident),
    ]);
  }
  const targets = targetsTable();
  const rate = medianOf(measured.map(({ rowsPerSecond }) => rowsPerSecond));
  const largest = Math.max(...measured.map(({ rows }) => rows));
  const resident = Math.max(...measured.filter(({ rows }) => rows === largest).map(({ resident }) => resident));
  targets.push(
    ["starter: rows sent in a second, the median", whole(rate), "≥ 4,000", yes(rate >= 4_000)],
    [`starter: memory at ${whole(largest)} rows`, megabytes(resident), "≤ 250 MB", yes(resident <= 250 * 1024 ** 2)],
  );
  return [
    table.toString(),
    `The deployed starter, on a queue that counts and keeps nothing, where a call takes ${callMilliseconds} ms, a fifth more ` +
      "or less. The whole input is checked, which includes the start of API and starter; then rows are sent until there are as many as the table says.",
    targets.toString(),
  ];
}

function reportLargeJob(measured: LargeJobMeasurement): string[] {
  const { rows, sentPerSecond, fullQueue, looks, waiting, counts } = measured;
  const { lastCallSeconds, cancelledSeconds, inHandSeconds, loads, writeSeconds } = measured;
  const targets = targetsTable();
  const [median, most] = [medianOf(looks), Math.max(...looks)];
  const { utilisation, inputsPerSecond } = fullQueue;
  const met = { looks: most <= 1000, busy: utilisation >= 0.99, last: lastCallSeconds <= 30 };
  targets.push(
    ["rows/s until the queue is full, workers beside", whole(sentPerSecond), "", ""],
    ["endpoint busy from then on", percent(utilisation), "≥ 99 %", yes(met.busy)],
    ["GET of the job, median", seconds(median), "≤ 1 s", yes(median <= 1000)],
    ["GET of the job, the longest", seconds(most), "≤ 1 s", yes(met.looks)],
    ["cancelled: the endpoint's last call", `${lastCallSeconds.toFixed(1)} s`, "≤ 30 s and one in hand", yes(met.last)],
    [`cancelled: loads after the ${inHandSeconds} s of a worker`, `${loads}`, "≤ 2", yes(loads <= 2)],
    ["cancelled: the job is `cancelled`", `${cancelledSeconds.toFixed(1)} s`, "", ""],
  );
  return [
    targets.toString(),
    `A job of ${whole(rows)} rows, ${whole(waiting)} of which waited when it was cancelled: ${whole(counts.answered)} were answered, ` +
      `${whole(counts.cancelled)} cancelled; the writer took ${writeSeconds.toFixed(1)} s for the result. The endpoint answered ` +
      `${inputsPerSecond.toFixed(0)} a second. ${sceneText()}`,
  ];
}

function reportFairness({ alone, beside, later, left }: FairnessMeasurement, rowsBeside: number): string[] {
  const table = plainTable([
    "p95 from asked to answered",
    ...alone.map((_, time) => `${time + 1}`),
    "median",
    "× alone",
    "target",
    "met",
  ]);
  const usual = medianOf(alone);
  for (const [name, taken] of [
    ["alone", alone],
    [`beside ${whole(rowsBeside)} rows`, beside],
    ["beside them, six minutes later", later],
  ] as const) {
    const ratio = medianOf(taken) / usual;
    const target = taken === alone ? ["", ""] : ["≤ 3 ×", yes(ratio <= 3)];
    table.push([name, ...taken.map(seconds), seconds(medianOf(taken)), ratio.toFixed(1), ...target]);
  }
  return [
    table.toString(),
    `A job of ${smallRows} rows, asked for in one call. Of the job beside it ${whole(left)} rows were left in the end. The six ` +
      `minutes have passed for the queue's memory of groups alone. ${sceneText()}`,
  ];
}

const sceneText = () => {
  const { endpoint, latencies, batchSize, functions, everySeconds } = deployed;
  return (
    `The endpoint has ${endpoint.slots} slots and takes ${endpoint.millisecondsPerInput} ms an input and ${latencies.endpointCall} a ` +
    `call, S3 ${latencies.s3}, SQS ${latencies.sqs}, all assumed; ${functions} workers take batches of ${batchSize}; loader, starter and ` +
    `writer are invoked every ${everySeconds} s, where their schedules have a minute.`
  );
};

const program = new Command("npm run bench:jobs --")
  .description(
    "Measures how jobs are sent, cancelled, and answered beside each other. For a look: " +
      "--rows 10000 --sent 10000 --job 10000 --full 5 --times 1. Ten million rows are a file of 1 GB, which is held in memory.",
  )
  .option(
    "--rows <counts...>",
    "how many rows the starter's inputs have (default: 100000 1000000 10000000)",
    (text, before: number[] = []) => [...before, count(text)],
  )
  .option("--sent <rows>", "how many of each are sent at most", count, 100_000)
  .option("--job <rows>", "how many rows the job has that is cancelled", count, 1_000_000)
  .option("--full <seconds>", "how long its queue is full before", count, 60)
  .option("--beside <rows>", "how many rows the job has that a small one runs beside", count, 100_000)
  .option("--times <count>", "how often the small one runs", count, 3)
  .addOption(new Option("--only <parts...>", "what is measured").choices(parts).default(parts))
  .parse();
const options = z
  .object({
    rows: z.array(z.number()).default([100_000, 1_000_000, 10_000_000]),
    sent: z.number(),
    job: z.number(),
    full: z.number(),
    beside: z.number(),
    times: z.number(),
    only: z.array(z.enum(parts)),
  })
  .parse(program.opts());
main(options).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
