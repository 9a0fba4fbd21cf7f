import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type LocalPipeline, startLocalPipeline } from "../../setup/local-pipeline";

let pipeline: LocalPipeline;
beforeAll(async () => {
  pipeline = await startLocalPipeline();
});
afterAll(() => pipeline.stop());

/** A folder in which a job is run: its receipts and results stay there. */
async function deskWith(name: string, csv: string): Promise<string> {
  const folder = join(pipeline.folder, name);
  await mkdir(folder);
  await writeFile(join(folder, "pairs.csv"), csv);
  return folder;
}

const run = (folder: string, ...args: string[]) => pipeline.start(["run", "--csv", "pairs.csv", ...args], { folder });

const pairs = (prefix: string, count: number) =>
  ["id,seq_0,seq_1", ...Array.from({ length: count }, (_, n) => `${prefix}${n},It rains.,It rains.`), ""].join("\n");

test("writes the features, asks, follows, and saves a result for each row", async () => {
  const folder = await deskWith("whole", pairs("whole-", 30));
  const { status, stdout, stderr } = await run(folder, "--job", "whole", "--output", "pairs.results.ndjson").ended;
  expect({ status, stdout, stderr }).toEqual({
    status: 0,
    stdout: "pairs.results.ndjson\n",
    stderr: expect.stringContaining("30 of 30 answered."),
  });
  const results = (await readFile(join(folder, "pairs.results.ndjson"), "utf8")).trim().split("\n");
  expect(results.map((line) => JSON.parse(line).id).sort()).toEqual(
    Array.from({ length: 30 }, (_, n) => `whole-${n}`).sort(),
  );
  expect(JSON.parse(results[0] ?? "")).toMatchObject({ output: "It's a paraphrase", job_id: "whole" });
});

test("asks for no row that was refused, says why, and ends with 2", async () => {
  const rows =
    "pair,premise,hypothesis,label\na,It rains.,It rains.,1\nb,,Empty.,0\na,Again.,Again.,1\nc,Dogs bark.,Cats.,0\n";
  const folder = await deskWith("refused", rows);
  const columns = ["id=pair", "seq_0=premise", "seq_1=hypothesis"].flatMap((column) => ["--column", column]);
  const { status, stdout, stderr } = await run(folder, ...columns, "--job", "refused").ended;
  expect({ status, stdout }).toEqual({ status: 2, stdout: "pairs.results.csv\n" });
  expect(stderr).toContain("3 of 4 rows are written");
  expect(stderr).toContain("1 row with an id that an earlier row has (line 4 and 2).");
  expect(stderr).toContain("3 of 3 answered.");
  const [, ...results] = (await readFile(join(folder, "pairs.results.csv"), "utf8")).trim().split("\n");
  expect(results.map((line) => line.split(",").slice(0, 2)).sort()).toEqual([
    ["a", "It's a paraphrase"],
    ["a", "It's a paraphrase"],
    ["c", "Not a paraphrase"],
  ]);
  expect(await readFile(join(folder, "pairs.csv.rejects.csv"), "utf8")).toContain("seq_0 is empty");
});

test("takes its file by standard input", async () => {
  const folder = await deskWith("piped", "");
  const input = pairs("piped-", 3).replaceAll(",", "\t");
  const started = pipeline.start(["run", "--csv", "-", "--job", "piped"], { folder, input });
  expect(await started.ended).toMatchObject({ status: 0, stdout: "stdin.results.csv\n" });
  expect((await readFile(join(folder, "stdin.results.csv"), "utf8")).trim().split("\n")).toHaveLength(4);
});

test("goes on under its name where it was interrupted, and asks for nothing twice", async () => {
  const folder = await deskWith("interrupted", pairs("interrupted-", 3_000));
  const first = run(folder, "--job", "interrupted");
  await first.printed("stderr", "rows are written to");
  first.child.kill("SIGINT");
  expect((await first.ended).status).toBe(130);

  const second = run(folder, "--job", "interrupted");
  await second.printed("stderr", "requests, ");
  second.child.kill("SIGINT");
  expect((await second.ended).status).toBe(130);

  const third = await run(folder, "--job", "interrupted").ended;
  expect({ status: third.status, stderr: third.stderr }).toEqual({
    status: 0,
    stderr: expect.stringContaining("3,000 of 3,000 answered."),
  });
  const { stdout } = await pipeline.start(["results", "--job", "interrupted", "--format", "ndjson"]).ended;
  const ids = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line).id);
  expect(new Set(ids).size).toBe(3_000);
  expect(ids).toHaveLength(3_000);
});
