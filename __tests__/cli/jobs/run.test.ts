import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startPassage } from "../../../local/passage";
import { AwsError } from "../../../local/stand-in";
import { type LocalPipeline, startLocalPipeline } from "../../setup/local-pipeline";

let pipeline: LocalPipeline;
beforeAll(async () => {
  pipeline = await startLocalPipeline();
});
afterAll(() => pipeline.stop());

/** A folder in which a job is run: its results stay there. */
async function deskWith(name: string, csv: string): Promise<string> {
  const folder = join(pipeline.folder, name);
  await mkdir(folder);
  await writeFile(join(folder, "pairs.csv"), csv);
  return folder;
}

const run = (folder: string, ...args: string[]) => pipeline.start(["run", "--csv", "pairs.csv", ...args], { folder });

const pairs = (prefix: string, count: number) =>
  ["id,seq_0,seq_1", ...Array.from({ length: count }, (_, n) => `${prefix}${n},It rains.,It rains.`), ""].join("\n");

const linesIn = async (folder: string, file: string) => (await readFile(join(folder, file), "utf8")).trim().split("\n");

test("asks, follows, and saves each row with its answer, in the order of its file", async () => {
  const folder = await deskWith("whole", pairs("whole-", 30));
  const { status, stdout, stderr } = await run(folder, "--job", "whole", "--output", "pairs.results.ndjson").ended;
  expect({ status, stdout, stderr }).toEqual({
    status: 0,
    stdout: "pairs.results.ndjson\n",
    stderr: expect.stringContaining("30 of 30 answered."),
  });
  const results = (await linesIn(folder, "pairs.results.ndjson")).map((line) => JSON.parse(line));
  expect(results.map(({ id }) => id)).toEqual(Array.from({ length: 30 }, (_, n) => `whole-${n}`));
  expect(results[0]).toMatchObject({ row: 1, status: "answered", seq_0: "It rains.", output: "It's a paraphrase" });
});

test("with --json prints the job alone, as the API gives it", async () => {
  const folder = await deskWith("machines", pairs("machines-", 3));
  const { status, stdout, stderr } = await run(folder, "--job", "machines", "--json").ended;
  expect({ status, job: JSON.parse(stdout) }).toMatchObject({
    status: 0,
    job: { id: "machines", state: "completed", counts: { total: 3, answered: 3 }, createdAt: expect.any(String) },
  });
  expect(stderr).toContain("3 rows in pairs.results.csv.");
});

test("asks for nothing where a row is at fault, and says which", async () => {
  const folder = await deskWith("refused", "id,seq_0,seq_1\na,It rains.,It rains.\nb,,Empty.\n");
  const { status, stdout, stderr } = await run(folder, "--job", "refused").ended;
  expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  expect(stderr).toContain("pairs.csv:3:3: seq_0 is empty");
  expect(stderr).toContain("1 of 2 rows are at fault: nothing is asked.");
  expect(await pipeline.run("job", "refused")).toMatchObject({ status: 1, stderr: expect.stringContaining("no job") });
});

test("sends a file again only where S3 would delete it while its job may read it", async () => {
  const folder = await deskWith("again", pairs("again-", 3));
  let lapses: Date | undefined;
  const sent: string[] = [];
  const passage = await startPassage(pipeline.aws.environment.AWS_ENDPOINT_URL_S3 ?? "", async (request, forward) => {
    const { method, url } = request;
    if (!url.pathname.includes("/inputs/")) return forward();
    if (method === "PUT") sent.push(url.pathname);
    const answer = await forward();
    const expiry = lapses && { "x-amz-expiration": `expiry-date="${lapses.toUTCString()}", rule-id="inputs"` };
    return { ...answer, headers: { ...answer.headers, ...expiry } };
  });
  const sendings = async (days?: number) => {
    lapses = days === undefined ? undefined : new Date(Date.now() + 86_400_000 * days);
    sent.length = 0;
    const environment = { AWS_ENDPOINT_URL_S3: passage.url };
    const { ended } = pipeline.start(["run", "--csv", "pairs.csv", "--job", "again"], { folder, environment });
    expect(await ended).toMatchObject({ status: 0 });
    return sent.length;
  };
  expect(await sendings()).toBe(1);
  expect(await sendings()).toBe(0);
  expect(await sendings(29)).toBe(0);
  expect(await sendings(13)).toBe(1);
  await passage.stop();
});

test("takes columns of other names, and says what is passed over and what may be meant otherwise", async () => {
  const rows = "pair,premise,hypothesis,label\na,It rains.,It rains.,1\na,Again.,Again.,1\nc,Dogs bark.,Cats.,0\n";
  const folder = await deskWith("columns", rows);
  const columns = ["id=pair", "seq_0=premise", "seq_1=hypothesis"].flatMap((column) => ["--column", column]);
  const { status, stderr } = await run(folder, ...columns, "--job", "columns").ended;
  expect(status).toBe(0);
  expect(stderr).toContain("columns that are passed over: label");
  expect(stderr).toContain("1 row with an id that an earlier row has (line 3 and 2).");
  expect((await linesIn(folder, "pairs.results.csv")).map((line) => line.split(",").slice(0, 3).join())).toEqual([
    "row,id,status",
    "1,a,answered",
    "2,a,answered",
    "3,c,answered",
  ]);
});

test("takes its file by standard input", async () => {
  const folder = await deskWith("piped", "");
  const input = pairs("piped-", 3).replaceAll(",", "\t");
  const started = pipeline.start(["run", "--csv", "-", "--job", "piped"], { folder, input });
  expect(await started.ended).toMatchObject({ status: 0, stdout: "stdin.results.csv\n" });
  expect(await linesIn(folder, "stdin.results.csv")).toHaveLength(4);
});

test("leaves the job running when it is interrupted, says how to go on, and under its name has the same job", async () => {
  const folder = await deskWith("interrupted", pairs("interrupted-", 3_000));
  const first = run(folder, "--job", "interrupted");
  await first.printed("stderr", "The job is interrupted.");
  first.child.kill("SIGINT");
  const ended = await first.ended;
  expect(ended.status).toBe(130);
  expect(ended.stderr).toContain("npx offline-inference job interrupted --wait --env dev");

  const other = await deskWith("another machine", pairs("interrupted-", 3_000));
  const second = await run(other, "--job", "interrupted").ended;
  expect({ status: second.status, stderr: second.stderr }).toEqual({
    status: 0,
    stderr: expect.stringContaining("The job interrupted was started"),
  });
  expect(await linesIn(other, "pairs.results.csv")).toHaveLength(3_001);
  const { stdout } = await pipeline.run("results", "--since", "1h", "--job", "interrupted", "--format", "ndjson");
  expect(stdout.trim().split("\n")).toHaveLength(3_000);
});

test("refuses another file under a name that is taken, and proposes one", async () => {
  const folder = await deskWith("taken", pairs("taken-", 2));
  expect(await run(folder, "--job", "taken").ended).toMatchObject({ status: 0 });
  await writeFile(join(folder, "pairs.csv"), pairs("other-", 2));
  const { status, stderr } = await run(folder, "--job", "taken").ended;
  expect(status).toBe(1);
  expect(stderr).toMatch(
    /its input had another content .* Give this one another name, such as taken-20\d\d-\d\d-\d\d/s,
  );
});

test("asks for the first rows alone, and for what the feature store has; a dry run counts", async () => {
  const folder = await deskWith("some", pairs("some-", 10));
  const dry = await run(folder, "--limit", "3", "--dry-run").ended;
  expect(dry).toMatchObject({ status: 0, stderr: expect.stringContaining("3 would be asked about.") });
  expect(dry.stderr).toContain("It costs about $0.00");
  const dear = await run(folder, "--max-cost", "0").ended;
  expect(dear).toMatchObject({ status: 1, stdout: "" });
  expect(dear.stderr).toMatch(/^10 rows cost about \$[\d.]+, and --max-cost allows \$0\.00\.\nNothing was asked\.$/m);
  await writeFile(join(folder, "ids.csv"), "id\na\nb\nc\n");
  const ids = (...args: string[]) =>
    pipeline.start(["run", "--csv", "ids.csv", "--dry-run", ...args], { folder }).ended;
  expect(await ids()).toMatchObject({ status: 0, stderr: expect.stringContaining("3 would be asked about.") });
  expect(await ids("--limit", "2")).toMatchObject({ stderr: expect.stringContaining("2 would be asked about.") });
  expect(await run(folder, "--limit", "3", "--ingest").ended).toMatchObject({ status: 0 });
  expect(await linesIn(folder, "pairs.results.csv")).toHaveLength(4);
  const all = await pipeline.start(["run", "--all", "--job", "all"], { folder }).ended;
  expect(all).toMatchObject({ status: 0, stdout: "all.results.csv\n" });
  const answered = (await linesIn(folder, "all.results.csv")).slice(1).map((line) => line.split(",")[1]);
  expect(answered.sort()).toEqual(Array.from({ length: 10 }, (_, n) => `some-${n}`).sort());
});

describe("the report", () => {
  const rows = Array.from(
    { length: 30 },
    (_, n) => `r-${n},It rains.,It rains.,${n < 6 ? "Not" : "It's"} a paraphrase`,
  );
  const textIn = async (folder: string, file: string) =>
    (await readFile(join(folder, file), "utf8")).replace(/<(style|script)[\s\S]*?<\/\1>/g, "").replace(/<[^>]+>/g, " ");

  test("is written beside the result: answers by the labels of the file, and how long requests waited", async () => {
    const folder = await deskWith("reported", ["id,seq_0,seq_1,label", ...rows, ""].join("\n"));
    const { status, stderr } = await run(folder, "--job", "reported").ended;
    expect({ status, stderr }).toEqual({
      status: 0,
      stderr: expect.stringContaining("To look at: pairs.report.html\n"),
    });
    const text = await textIn(folder, "pairs.report.html");
    expect(text).toContain("80%");
    expect(text).toContain("How long the oldest of them had waited");
    expect(text).not.toContain("Cannot read");
  });

  test("is of the newest job where none is named, beside the one before, and says what it cannot know", async () => {
    const folder = await deskWith("later", pairs("later-", 5));
    expect(await run(folder, "--job", "later").ended).toMatchObject({ status: 0 });
    const report = (...args: string[]) => pipeline.start(["report", ...args], { folder }).ended;
    expect(await report()).toEqual({ status: 0, signal: null, stdout: "later.report.html\n", stderr: "" });
    expect(await textIn(folder, "later.report.html")).toContain("The job before, reported, of");
    const passage = await startPassage(pipeline.aws.environment.AWS_ENDPOINT_URL_REDSHIFT_DATA ?? "", () => {
      throw new AwsError("AccessDeniedException", 403, "not allowed");
    });
    const environment = { AWS_ENDPOINT_URL_REDSHIFT_DATA: passage.url };
    const { ended } = pipeline.start(["report", "later"], { folder, environment });
    expect(await ended).toMatchObject({ status: 0 });
    expect(await textIn(folder, "later.report.html")).toContain(
      "Cannot read how long requests waited: AccessDeniedException, not allowed",
    );
    await passage.stop();
  });

  test("is refused with the labels of another file, and of a job that is not there", async () => {
    const folder = await deskWith("strange", ["id,seq_0,seq_1,label", ...rows.toReversed(), ""].join("\n"));
    const report = (...args: string[]) => pipeline.start(["report", ...args], { folder }).ended;
    expect(await report("reported", "--labels", "pairs.csv")).toMatchObject({
      status: 1,
      stderr: `pairs.csv is not this job's file, whose row 1 is "r-0".\n`,
    });
    await writeFile(join(folder, "pairs.csv"), pairs("r-", 30));
    expect(await report("reported", "--labels", "pairs.csv")).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("pairs.csv has no column of labels"),
    });
    expect(await report("nobody")).toMatchObject({ status: 1, stderr: expect.stringContaining("There is no job") });
  });
});
