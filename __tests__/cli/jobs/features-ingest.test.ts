import { appendFile, rm } from "node:fs/promises";
import { AwsError, ConnectionCut } from "../../../local/stand-in";
import { type CountingPipeline, countingPipelines, featureRows } from "../../setup/counting-pipeline";
import { atTerminal } from "../../setup/program";

const pipelineWith = countingPipelines();

const throttled = () => new AwsError("ThrottlingException", 400, "Rate exceeded");

/** That each of the rows 1 to `count` was written, and how often any was. */
const isWhole = ({ aws }: CountingPipeline, count: number) => {
  const ids = Array.from({ length: count }, (_, row) => String(row + 1));
  return aws.records.size === count && ids.every((id) => aws.records.has(id));
};

test("every row becomes a record, with quotes, other languages and Windows line ends as they are", async () => {
  const pipeline = await pipelineWith();
  const file = await pipeline.write(
    "rows.csv",
    '\uFEFFseq_1,id,seq_0\r\n"He said ""no"",\nthen left.",a-1,\u{1F980}\r\n\r\nb,2,c',
  );
  expect(await pipeline.run("features", "ingest", file)).toMatchObject({
    status: 0,
    stdout: "",
    stderr: expect.stringContaining("2 of 2 rows are written to sentences.\n"),
  });
  expect(pipeline.aws.bodies.get("a-1")).toEqual([
    { FeatureName: "event_time", ValueAsString: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) },
    { FeatureName: "id", ValueAsString: "a-1" },
    { FeatureName: "seq_0", ValueAsString: "\u{1F980}" },
    { FeatureName: "seq_1", ValueAsString: 'He said "no",\nthen left.' },
  ]);
  expect(await pipeline.lines("rows.csv.rejects.csv")).toBeUndefined();
  expect(await pipeline.lines("rows.csv.rejects.csv.journal")).toBeUndefined();
});

test("a group's own names, an event time of the file and columns by other names are mapped", async () => {
  const pipeline = await pipelineWith({
    recordIdentifier: { name: "pair_id", type: "Integral" },
    eventTime: { name: "seen_at", type: "Fractional" },
  });
  const file = await pipeline.write("rows.csv", "number,premise,seq_1,note,seen_at\n7,a,b,kept out,1700000000.5\n");
  const { status } = await pipeline.run(
    ...["features", "ingest", file, "--column", "pair_id=number", "--column", "seq_0=premise"],
  );
  expect(status).toBe(0);
  expect(pipeline.aws.bodies.get("7")).toEqual([
    { FeatureName: "seen_at", ValueAsString: "1700000000.5" },
    { FeatureName: "pair_id", ValueAsString: "7" },
    { FeatureName: "seq_0", ValueAsString: "a" },
    { FeatureName: "seq_1", ValueAsString: "b" },
  ]);
});

test("rows that cannot be records are kept with their lines and reasons, and the others are written", async () => {
  const pipeline = await pipelineWith({
    recordIdentifier: { name: "id", type: "Integral" },
    refuse: (id) => (id === "9" ? "for good" : undefined),
  });
  const long = "x".repeat(358_401);
  const rows = [
    "7,a,b",
    '"8","a\na",b',
    "07,c,d",
    "seven,a,b",
    "9,a,b",
    "10,,",
    `11,${long},b`,
    "12,a",
    "13,a,b,c",
    "7.0,a,b",
    `14,${long.slice(2)},${"é".repeat(2)}`,
  ];
  const file = await pipeline.write("rows.csv", `id,seq_0,seq_1\n${rows.join("\n")}\n`);
  expect(await pipeline.run("features", "ingest", file)).toMatchObject({
    status: 2,
    stdout: "",
    stderr: expect.stringContaining(
      `2 of 11 rows are written to sentences.\n9 are not; ${file}.rejects.csv says why.\n`,
    ),
  });
  expect([...pipeline.aws.records.keys()].sort()).toEqual(["7", "8"]);
  expect(await pipeline.lines("rows.csv.rejects.csv")).toEqual([
    "id,seq_0,seq_1,line,reason",
    "07,c,d,5,an earlier row is the same record",
    'seven,a,b,6,"id must be a whole number of 64 bits, got ""seven"""',
    "9,a,b,7,ValidationError: refused",
    "10,,,8,seq_0 is empty; seq_1 is empty",
    `11,${long},b,9,"seq_0 has 358,401 bytes, at most 358,400 are allowed"`,
    '12,a,,10,"the row has 2 values, the header 3"',
    '13,a,b,11,"the row has 4 values, the header 3"',
    '7.0,a,b,12,"id must be a whole number of 64 bits, got ""7.0"""',
    `14,${long.slice(2)},éé,13,"the sentences have together 358,403 bytes, at most 358,400 are allowed"`,
  ]);
});

test("a file of refused rows, put right, is ingested as it is", async () => {
  const pipeline = await pipelineWith();
  const file = await pipeline.write("rejects.csv", "id,seq_0,seq_1,line,reason\n7,now,there,5,seq_0 is empty\n");
  expect(await pipeline.run("features", "ingest", file)).toMatchObject({ status: 0 });
  expect(pipeline.aws.records.size).toBe(1);
});

test.each([
  ["an empty file", "", ":1: the file is empty; the columns are id, seq_0, seq_1; event_time may be there too"],
  ["no rows", "id,seq_0,seq_1\n", ": no row follows the header"],
  [
    "columns that are unknown, missing or there twice, all at once",
    "id,id,text,seq_0\n1,1,a,b\n",
    ['column "id" is named twice', 'column "text" is unknown', "the header lacks seq_1"].map(
      (fault) => `:1: ${fault}; the columns are id, seq_0, seq_1; event_time may be there too`,
    ),
  ],
  [
    "a quote that is never closed",
    `${featureRows(50)}51,"a,b\n52,a,b\n`,
    ":52: the quote that opens here is never closed",
  ],
])("%s ends it before anything is written, with the line", async (_, content, faults) => {
  const pipeline = await pipelineWith();
  const file = await pipeline.write("rows.csv", content);
  const { status, stderr } = await pipeline.run("features", "ingest", file);
  expect(stderr).toBe(
    [faults]
      .flat()
      .map((fault) => `${file}${fault}\n`)
      .join(""),
  );
  expect(status).toBe(1);
  expect(pipeline.aws.calls.size).toBe(0);
});

test("the file itself is never replaced by what is refused of it", async () => {
  const pipeline = await pipelineWith();
  const file = await pipeline.write("rows.csv", featureRows(1));
  expect(await pipeline.run("features", "ingest", file, "--rejects", file)).toMatchObject({
    status: 1,
    stderr: `${file} cannot be both read and written: name another --rejects\n`,
  });
  expect(await pipeline.lines("rows.csv")).toHaveLength(2);
});

test("a feature that the group has not is refused by its name", async () => {
  const pipeline = await pipelineWith();
  const file = await pipeline.write("rows.csv", featureRows(1));
  expect(await pipeline.run("features", "ingest", file, "--column", "seq_2=text")).toMatchObject({
    status: 1,
    stderr: "The feature group sentences has no feature seq_2, only id, seq_0, seq_1, event_time\n",
  });
});

test("throttling, failures of the service, cut connections and unprocessed entries only make it slower", async () => {
  const once = new Set<string>();
  const pipeline = await pipelineWith({
    before: (_, call) => {
      if (call % 5 === 1) throw throttled();
      if (call % 5 === 2) throw new AwsError("InternalFailure", 500, "failed");
    },
    after: (_, call) => {
      if (call % 5 === 3) throw new ConnectionCut();
    },
    refuse: (id) => {
      if (Number(id) % 10 !== 0 || once.has(id)) return undefined;
      once.add(id);
      return "for now";
    },
  });
  const file = await pipeline.write("rows.csv", featureRows(2_500));
  expect(await pipeline.run("features", "ingest", file)).toMatchObject({ status: 0 });
  expect(isWhole(pipeline, 2_500)).toBe(true);
});

test("what no further attempt can help ends it, says how far it is, and can be gone on with", async () => {
  let isAllowed = false;
  const pipeline = await pipelineWith({
    before: (_, call) => {
      if (call > 100 && !isAllowed) throw new AwsError("AccessDeniedException", 403, "not allowed");
    },
  });
  const file = await pipeline.write("rows.csv", featureRows(5_000));
  const { status, stderr } = await pipeline.run("features", "ingest", file);
  expect(status).toBe(1);
  expect(stderr).toContain("Cannot write to the feature group sentences: AccessDeniedException");
  expect(stderr).toContain("2,000 of 5,000 rows are through. Go on: the same command with --resume\n");

  expect(await pipeline.run("features", "ingest", file)).toMatchObject({
    status: 1,
    stderr: `${file} did not come to its end: 2,000 of its rows are through. Go on with --resume, or delete ${file}.rejects.csv.journal to begin again\n`,
  });
  isAllowed = true;
  const written = pipeline.aws.records.get("1");
  expect(await pipeline.run("features", "ingest", file, "--resume")).toMatchObject({
    status: 0,
    stderr: expect.stringContaining("5,000 of 5,000 rows are written"),
  });
  expect(isWhole(pipeline, 5_000)).toBe(true);
  expect(pipeline.aws.records.get("1")).toBe(written); // what was through is not written again
});

test.each([
  ["Ctrl-C", "SIGINT", { status: 130, signal: null }],
  ["being killed", "SIGKILL", { status: null, signal: "SIGKILL" }],
] as const)(
  "after %s in the middle --resume writes what is missing, and keeps each refused row once",
  async (_, signal, how) => {
    let release = () => {};
    let arrive = () => {};
    const arrived = new Promise<void>((resolve) => {
      arrive = resolve;
    });
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const pipeline = await pipelineWith({
      before: async (_operation, call) => {
        if (call <= 100) return;
        arrive();
        await released;
      },
    });
    const rows = featureRows(6_000).replaceAll(/^(\d*7),.*$/gm, "$1,,b"); // every tenth has no first sentence
    const file = await pipeline.write("rows.csv", rows);
    const { child, ended } = pipeline.start(["features", "ingest", file]);
    await arrived; // in the second window
    child.kill(signal);
    if (signal === "SIGKILL") await ended;
    release();
    const { stderr, ...end } = await ended;
    expect(end).toMatchObject(how);
    if (signal === "SIGINT")
      expect(stderr).toMatch(/Interrupted\. [24],000 of 6,000 rows are through\. Go on: the same/);
    expect(await pipeline.lines("rows.csv.rejects.csv.journal")).toBeDefined();

    expect(await pipeline.run("features", "ingest", file, "--resume")).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("5,400 of 6,000 rows are written to sentences.\n600 are not"),
    });
    expect(pipeline.aws.records.size).toBe(5_400);
    const rejects = (await pipeline.lines("rows.csv.rejects.csv")) ?? [];
    expect(rejects).toHaveLength(601);
    expect(new Set(rejects).size).toBe(601);
    expect(await pipeline.lines("rows.csv.rejects.csv.journal")).toBeUndefined();
  },
);

describe("what is gone on with", () => {
  const interrupted = async () => {
    const pipeline = await pipelineWith({
      before: (_, call) => {
        if (call > 80) throw new AwsError("AccessDeniedException", 403, "not allowed");
      },
    });
    const file = await pipeline.write("rows.csv", featureRows(4_000));
    expect(await pipeline.run("features", "ingest", file)).toMatchObject({ status: 1 });
    return { pipeline, file };
  };

  test("must be the same file still", async () => {
    const { pipeline, file } = await interrupted();
    await appendFile(file, "5000,a,b\n");
    expect(await pipeline.run("features", "ingest", file, "--resume")).toMatchObject({
      status: 1,
      stderr: `${file} has changed since 2,000 of its rows were worked through. To begin again, delete ${file}.rejects.csv.journal\n`,
    });
  });

  test("must be read by the same columns", async () => {
    const { pipeline, file } = await interrupted();
    const { status, stderr } = await pipeline.run("features", "ingest", file, "--resume", "--column", "seq_0=seq_1");
    expect(status).toBe(1);
    expect(stderr).toMatch(/^It was begun with columns \[\], not .*To begin again, delete .*\.journal\n$/);
  });

  test("may be begun again, when its journal is deleted", async () => {
    const { pipeline, file } = await interrupted();
    await rm(`${file}.rejects.csv.journal`);
    expect((await pipeline.run("features", "ingest", file)).stderr).not.toContain("did not come to its end");
  });

  test("must have been begun", async () => {
    const pipeline = await pipelineWith();
    const file = await pipeline.write("rows.csv", featureRows(1));
    expect(await pipeline.run("features", "ingest", file, "--resume")).toMatchObject({
      status: 1,
      stderr: `There is nothing to resume: ${file}.rejects.csv.journal does not exist\n`,
    });
  });
});

test("a terminal sees a bar with the rate and the time left", async () => {
  const pipeline = await pipelineWith();
  const file = await pipeline.write("rows.csv", featureRows(4_500));
  const { status, stdout } = await pipeline.start(["features", "ingest", file], { on: atTerminal }).ended;
  expect(status).toBe(0);
  expect(stdout).toMatch(/░ 2000\/4500 rows, [\d,]+\/s, [\d,]+ s left/);
  expect(stdout).toMatch(/█ 4500\/4500 rows, [\d,]+\/s, 0 s left/);
  expect(stdout).toContain("4,500 of 4,500 rows are written to sentences.");
});
