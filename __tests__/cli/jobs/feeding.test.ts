import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { RedshiftDataClient } from "@aws-sdk/client-redshift-data";
import { readReceipt } from "../../../cli/jobs/receipt";
import { operator } from "../../../local/credentials";
import { within } from "../../../pipeline/clients";
import { Results } from "../../../pipeline/results";
import { type LocalPipeline, startLocalPipeline } from "../../setup/local-pipeline";
import { loadOutcomes } from "../../setup/outcomes";

let pipeline: LocalPipeline;
beforeAll(async () => {
  pipeline = await startLocalPipeline();
  Object.assign(process.env, pipeline.aws.environment);
});
afterAll(() => pipeline.stop());

test("what is ingested is listed, asked for and answered, each under the request that its receipt names", async () => {
  const { aws, folder, run } = pipeline;
  const file = join(folder, "rows.csv");
  const ids = Array.from({ length: 120 }, (_, row) => String(row + 1)); // more than a page
  await writeFile(file, `id,seq_0,seq_1\n${ids.map((id) => `${id},the same,the same\n`).join("")}`);
  expect(await run("features", "ingest", file)).toMatchObject({ status: 0 });
  const receipt = join(folder, "receipt.csv");
  expect(await run("requests", "publish", "--all", "--job", "nightly", "--receipt", receipt)).toMatchObject({
    status: 0,
    stdout: `${receipt}\n`,
  });

  const entries = [];
  for await (const entry of readReceipt(receipt)) entries.push(entry);
  expect(entries.map(({ id }) => id).sort()).toEqual([...ids].sort());
  const client = new RedshiftDataClient({ ...operator, endpoint: aws.environment.AWS_ENDPOINT_URL_REDSHIFT_DATA });
  const results = new Results({ clusterId: aws.clusterId, databaseName: aws.databaseName }, client);
  const answered = async () => {
    const found: string[] = [];
    for await (const page of results.select({ jobId: "nightly" }, within(60_000)))
      found.push(...page.map(({ inputId, requestId }) => `${inputId} ${requestId}`));
    return found;
  };
  while ((await answered()).length < ids.length) await loadOutcomes([]); // each look takes its time
  expect((await answered()).sort()).toEqual(entries.map(({ id, requestId }) => `${id} ${requestId}`).sort());
  client.destroy();
});
