import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RedshiftDataClient } from "@aws-sdk/client-redshift-data";
import { S3Client } from "@aws-sdk/client-s3";
import { Command } from "commander";
import { z } from "zod";
import { operator } from "../local/credentials";
import { type LocalPipeline, startPipeline } from "../local/pipeline";
import { jsonModel } from "../local/sagemaker-runtime";
import { signatureHeaders } from "../local/signature";
import { within } from "../pipeline/clients";
import { limiter, runsOf } from "../pipeline/flow";
import { newId } from "../pipeline/ids";
import { Outcomes } from "../pipeline/outcomes";
import { RedshiftData } from "../pipeline/redshift";
import { Results } from "../pipeline/results";
import { settingsOf } from "./contract";
import { count, medianOf, plainTable, talk, whole } from "./printing";

/** Rows of a job, of which one in a hundred failed. */
const rowsPerJob = 10_000;
const rowsPerObject = 100;
/** The most rows of a statement that makes some. */
const rowsPerFill = 500_000;
/** How far apart in time two rows are, in milliseconds: a hundred a second. */
const apart = 10;
/** Rows of the last minute, whatever there is beside them. */
const recentRows = 1_000;
const times = 9;

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = "true";

/** What was timed with so many rows in the table, in milliseconds. */
interface Measured {
  readonly rows: number;
  readonly milliseconds: ReadonlyMap<string, number>;
  readonly rowsPerSecond: number;
}

async function main(sizes: readonly number[], loadedRows: number) {
  const dataDir = mkdtempSync(join(tmpdir(), "offline-inference-bench-"));
  try {
    const settings = settingsOf("json", { loading: { everyMinutes: 60 } });
    const model = jsonModel(() => "never asked");
    const pipeline = await startPipeline({ dataDir, model, settings, environment: "bench" });
    const bench = new WarehouseBench(pipeline);
    try {
      await bench.mapZones();
      const measured: Measured[] = [];
      for (const rows of sizes) {
        talk(`making ${whole(rows)} rows`);
        await bench.fillTo(rows);
        talk("reading");
        const milliseconds = await bench.timeReading();
        talk(`loading ${whole(loadedRows)} rows`);
        const loadMilliseconds = await bench.timeLoad(loadedRows);
        milliseconds.set(loading(loadedRows), loadMilliseconds);
        measured.push({ rows, milliseconds, rowsPerSecond: (loadedRows * 1000) / loadMilliseconds });
        talk([...milliseconds].map(([name, taken]) => `${name}: ${taken.toFixed(1)} ms`).join("; "));
      }
      for (const part of report(measured, loadedRows)) console.log(part);
    } finally {
      bench.stop();
      await pipeline.stop();
    }
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

const runSchema = z.object({ objects: z.number(), answers: z.number(), more: z.boolean() });

class WarehouseBench {
  private readonly redshift: RedshiftDataClient;
  private readonly s3: S3Client;
  private readonly database: RedshiftData;
  private readonly results: Results;
  private readonly outcomes: Outcomes;
  /** When the newest of the rows that are made was made; all others are older. */
  private readonly newest = Date.now() - 24 * 3600 * 1000;
  private made = 0;

  constructor(private readonly pipeline: LocalPipeline) {
    const { environment: to, clusterId, databaseName, answersBucket } = pipeline;
    this.redshift = new RedshiftDataClient({ ...operator, endpoint: to.AWS_ENDPOINT_URL_REDSHIFT_DATA });
    this.s3 = new S3Client({ ...operator, endpoint: to.AWS_ENDPOINT_URL_S3, forcePathStyle: true });
    this.database = new RedshiftData({ clusterId, databaseName }, this.redshift);
    this.results = new Results({ clusterId, databaseName }, this.redshift);
    this.outcomes = new Outcomes(answersBucket, this.s3);
  }

  /** Has PostgreSQL pass over blocks of other times, as Redshift's zone maps do for every column. */
  async mapZones() {
    await this.run("CREATE INDEX zones_of_results ON prediction_results USING brin (predicted_at)");
    await this.run("CREATE INDEX zones_of_failures ON prediction_failures USING brin (failed_at)");
  }

  /** Makes rows until there are so many, each older than those before it. */
  async fillTo(rows: number) {
    for (; this.made < rows; this.made += rowsPerFill) {
      await this.insert(this.made + 1, Math.min(rows, this.made + rowsPerFill), this.newest);
    }
    this.made = rows;
    const now = Date.now();
    await this.insert(-recentRows + 1, 0, now - recentRows * apart);
    await this.run("DELETE FROM prediction_jobs");
    await this.run(
      `INSERT INTO prediction_jobs (job_id, run, answered, failed, expired, cancelled, commits, first_at, last_at)
       SELECT job_id, '', COUNT(*), COUNT(*) / 100, 0, 0, 1, MIN(predicted_at), MAX(predicted_at)
       FROM prediction_results WHERE job_id IS NOT NULL GROUP BY job_id`,
    );
    for (const table of ["prediction_results", "prediction_failures", "prediction_jobs"]) {
      await this.run(`VACUUM ANALYZE ${table}`); // as Redshift does by itself
    }
  }

  /** The median of each query, in milliseconds. The row that is asked about is another each time. */
  async timeReading(): Promise<Map<string, number>> {
    const { made } = this;
    const any = () => Math.ceil(Math.random() * made);
    const until = () => within(300_000);
    const reads: [string, () => Promise<unknown>][] = [
      ["GET of a request's answer", () => this.get(any(), true)],
      ["GET of an input's answers, by no key", () => this.get(any(), false)],
      ["the count of `status`", () => this.results.countsSince([new Date(Date.now() - 300_000)], until())],
    ];
    const taken = new Map(reads.map(([name]): [string, number[]] => [name, []]));
    for (const [, read] of reads) await read();
    // By turns, so that what else the machine does for a second is not in all figures of one of them.
    for (let time = 0; time < times; time++) {
      for (const [name, read] of reads) {
        const started = performance.now();
        await read();
        taken.get(name)?.push(performance.now() - started);
      }
    }
    return new Map([...taken].map(([name, each]): [string, number] => [name, medianOf(each)]));
  }

  /** Stages rows, and has the loader load them. @returns what that took, in milliseconds */
  async timeLoad(rows: number): Promise<number> {
    const oneOfSome = limiter(16);
    const ids = Array.from({ length: rows }, () => newId());
    const said = { endpoint: "endpoint", variant: "AllTraffic", modelRelease: "2026-01", output: "not_covered" };
    const anHourAgo = new Date(Date.now() - 3_600_000); // none of them is counted as recent
    const at = { requestedAt: anHourAgo, predictedAt: anHourAgo };
    const objects = runsOf(ids, { count: rowsPerObject });
    await Promise.all(
      objects.map((run) =>
        oneOfSome(() =>
          this.outcomes.put(
            run.map((requestId) => ({ requestId, inputId: requestId.slice(-12), jobId: "loaded", ...said, ...at })),
            within(60_000),
          ),
        ),
      ),
    );
    let [found, answers] = [0, 0];
    const started = performance.now();
    while (found < objects.length) {
      const run = runSchema.parse(await this.pipeline.loader());
      if (run.objects === 0) throw new Error(`${objects.length} objects were staged, and ${found} found`);
      found += run.objects;
      answers += run.answers;
    }
    if (answers !== rows) throw new Error(`${rows} rows were staged, and ${answers} loaded`);
    return performance.now() - started;
  }

  stop() {
    for (const client of [this.redshift, this.s3]) client.destroy();
  }

  private async get(row: number, ofRequest: boolean) {
    const url = new URL(`${this.pipeline.apiUrl}/predict/input-${row}`);
    if (ofRequest) url.searchParams.set("requestId", requestOf(this.newest - row * apart, row));
    const headers = signatureHeaders({ method: "GET", url }, operator.credentials.accessKeyId);
    const response = await fetch(url, { headers });
    if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
    await response.arrayBuffer();
  }

  /** Makes rows, each older than the one before it, and one failure for a hundred of them. */
  private async insert(first: number, last: number, newest: number) {
    const time = (row: string) => `to_timestamp((${newest} - ${row} * ${apart}) / 1000.0) AT TIME ZONE 'UTC'`;
    const hex = `lpad(to_hex(${newest} - row * ${apart}), 12, '0')`;
    const id = (kind: string) =>
      `substr(${hex}, 1, 8) || '-' || substr(${hex}, 9, 4) || '-7000-${kind}-' || lpad(to_hex(abs(row)), 12, '0')`;
    const job = `'job-' || (row / ${rowsPerJob})`;
    await this.run(
      `INSERT INTO prediction_results SELECT ${id("8000")}, 'input-' || row, ${job}, 'not_covered', 'endpoint', 'AllTraffic', '2026-01', ${time("row")}, ${time("row")}
       FROM generate_series(${last}::BIGINT, ${first}, -1) AS row`,
    );
    await this.run(
      `INSERT INTO prediction_failures SELECT ${id("9000")}, 'failed-' || row, ${job}, 'refused_by_model', 'the model refused the input (400)', ${time("row")}, ${time("row")}
       FROM generate_series(${last}::BIGINT, ${first}, -100) AS row`,
    );
  }

  private async run(sql: string) {
    await this.database.run(sql, within(1_800_000));
  }
}

/** The request id that the database makes of a row. */
function requestOf(time: number, row: number): string {
  const hex = time.toString(16).padStart(12, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-${row.toString(16).padStart(12, "0")}`;
}

const loading = (rows: number) => `a load of ${whole(rows)} rows in ${whole(rows / rowsPerObject)} objects`;

function report(measured: readonly Measured[], loadedRows: number): string[] {
  const table = plainTable([
    "milliseconds, by rows in the table",
    ...measured.map(({ rows }) => whole(rows)),
    "the most\nagainst the fewest",
    "met: ≤ 2 ×",
  ]);
  for (const name of measured[0]?.milliseconds.keys() ?? []) {
    const taken = measured.map(({ milliseconds }) => milliseconds.get(name) ?? Number.NaN);
    const ratio = (taken.at(-1) ?? Number.NaN) / (taken[0] ?? Number.NaN);
    const shown = taken.map((time) => (time < 100 ? time.toFixed(1) : whole(time)));
    table.push([name, ...shown, `${ratio.toFixed(1)} ×`, ratio <= 2 ? "yes" : "no"]);
  }
  const rates = measured.map(({ rows, rowsPerSecond }) => `${whole(rowsPerSecond)} rows/s into ${whole(rows)}`);
  return [
    table.toString(),
    `The loader loads ${whole(loadedRows)} rows at ${rates.join(", ")}; 40,000 rows/s are wanted.`,
    `Each figure is the median of ${times}, a load one. All goes through the deployed functions or the commands' own ` +
      "queries, and the Data API's stand-in. PostgreSQL stands for Redshift: its index for the sort key, a BRIN index of " +
      "the times for the zone maps. What neither finds grows with the rows, as it does at Redshift, which then reads the " +
      "column alone.",
  ];
}

const program = new Command("npm run bench:warehouse --")
  .description(
    "Measures how loading and reading grow with the rows of the warehouse. Ten million rows take 5 GB on disk.",
  )
  .option(
    "--rows <counts...>",
    "how many rows, from few to many (default: 100000 1000000 10000000)",
    (text, before: number[] = []) => [...before, count(text)],
  )
  .option("--load <rows>", "how many rows are loaded each time (default: 500000)", count)
  .parse();
const options = z
  .object({ rows: z.array(z.number()).default([100_000, 1_000_000, 10_000_000]), load: z.number().default(500_000) })
  .parse(program.opts());
main(options.rows, options.load).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
