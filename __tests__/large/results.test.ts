import { createReadStream } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { ExecuteStatementCommand, RedshiftDataClient } from "@aws-sdk/client-redshift-data";
import { runMeasured } from "../../bench/feeding";
import { operator } from "../../local/credentials";
import { type LocalPipeline, startLocalPipeline } from "../setup/local-pipeline";

const few = 10_000;
const many = 400_000; // more than the Data API hands out at once
const megabyte = 1024 ** 2;

/** Puts results of a job into the warehouse, as many as are said. */
async function insert({ clusterId, environment }: LocalPipeline["aws"], jobId: string, rows: number) {
  const endpoint = environment.AWS_ENDPOINT_URL_REDSHIFT_DATA;
  const client = new RedshiftDataClient({ ...operator, endpoint });
  const { Status } = await client.send(
    new ExecuteStatementCommand({
      ClusterIdentifier: clusterId,
      Database: "predictions",
      WaitTimeSeconds: 30,
      Sql: `INSERT INTO prediction_results SELECT '${jobId}-' || n, n, '${jobId}', 'answer ' || n, 'e', 'v', '1', now(), now() FROM generate_series(1, ${rows}) AS n`,
    }),
  );
  client.destroy();
  if (Status !== "FINISHED") throw new Error(`the rows were not inserted: ${Status}`);
}

test("results takes four hundred thousand rows in the memory of ten thousand, each once", async () => {
  const pipeline = await startLocalPipeline();
  try {
    const { environment } = pipeline.aws;
    const peaks: number[] = [];
    for (const [jobId, rows] of [
      ["few", few],
      ["many", many],
    ] as const) {
      await insert(pipeline.aws, jobId, rows);
      const file = join(pipeline.folder, `${jobId}.csv`);
      const command = ["results", "--job", jobId, "--output", file];
      const { status, stderr, peakBytes } = await runMeasured(
        { ...environment, OFFLINE_INFERENCE_ENV: "dev" },
        command,
      );
      if (status !== 0) throw new Error(stderr);
      peaks.push(peakBytes);
      const seen = new Uint8Array(rows + 1);
      for await (const line of createInterface({ input: createReadStream(file) })) {
        const [id = "", output] = line.split(",");
        if (id === "id") continue;
        if (output !== `answer ${id}`) throw new Error(`the input ${id} has another's answer`);
        seen[Number(id)] = (seen[Number(id)] ?? 0) + 1;
      }
      expect(seen.subarray(1).every((times) => times === 1)).toBe(true);
    }
    const [small = 0, large = 0] = peaks;
    expect(small).toBeGreaterThan(0);
    expect(large - small).toBeLessThan(120 * megabyte);
  } finally {
    await pipeline.stop();
  }
});
