import { appendFile, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { AwsError, ConnectionCut } from "../../../local/stand-in";
import { contract } from "../../setup/contract";
import { type CountingPipeline, countingPipelines, featureRows } from "../../setup/counting-pipeline";
import { gate } from "../../setup/gate";
import { atTerminal } from "../../setup/program";

const pipelineWith = countingPipelines();

const throttled = () => new AwsError("ThrottlingException", 400, "Rate exceeded");

/** That each of the rows 1 to `count` was written, and how often any was. */
const isWhole = ({ aws }: CountingPipeline, count: number) => {
  const ids = Array.from({ length: count }, (_, row) => String(row + 1));
  return aws.records.size === count && ids.every((id) => aws.records.has(id));
};

const record = (id: string, age: string, city: string, income?: string) => [
  { FeatureName: "event_time", ValueAsString: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) },
  { FeatureName: "id", ValueAsString: id },
  { FeatureName: "age", ValueAsString: age },
  ...(income === undefined ? [] : [{ FeatureName: "income", ValueAsString: income }]),
  { FeatureName: "city", ValueAsString: city },
];

test("every row becomes a record, with quotes, other languages and Windows line ends as they are", async () => {
  const pipeline = await pipelineWith();
  const file = await pipeline.write(
    "rows.csv",
    '\uFEFFcity,id,age\r\n"He said ""no"",\nthen left.",a-1,9223372036854775807\r\n\r\n \u{1F980},b,-0\r\n',
  );
  expect(await pipeline.run("features", "ingest", file)).toMatchObject({
    status: 0,
    stdout: "",
    stderr: expect.stringContaining("2 of 2 rows are written to features.\n"),
  });
  expect(pipeline.aws.bodies.get("a-1")).toEqual(record("a-1", "9223372036854775807", 'He said "no",\nthen left.'));
  expect(pipeline.aws.bodies.get("b")).toEqual(record("b", "0", " \u{1F980}"));
  expect(await pipeline.lines("rows.csv.rejects.csv")).toBeUndefined();
  expect(await readdir(pipeline.path("."))).toEqual(["rows.csv"]);
});

test.each([
  ["a tab and CR", "id\tage\tcity\rb\t7\tx,y;z\r", []],
  ["a semicolon, named by a line of its own", 'sep=;\r\nid;age;city\r\nb;7;"x,y;z"\r\n', []],
  ["any character that is named", "id^age^city\nb^7^x,y;z\n", ["--delimiter", "^"]],
])("values are parted by %s", async (_, content, options) => {
  const pipeline = await pipelineWith();
  const file = await pipeline.write("rows.csv", content);
  expect(await pipeline.run("features", "ingest", file, ...options)).toMatchObject({ status: 0 });
  expect(pipeline.aws.bodies.get("b")).toEqual(record("b", "7", "x,y;z"));
});

test.each([
  ["-", "ingest - < rows"],
  ["/dev/stdin", "ingest /dev/stdin < rows"],
])("%s is a file like any other, whose rejects lie in the working folder", async (path) => {
  const pipeline = await pipelineWith();
  const input = "id,age,city\n1,7,x\n2,old,x\n";
  const started = pipeline.start(["features", "ingest", path], { input, folder: pipeline.path(".") });
  const name = path === "-" ? "stdin" : path;
  expect(await started.ended).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("1 of 2 rows are written to features.\n1 are not; stdin.rejects.csv says why.\n"),
  });
  expect(await pipeline.lines("stdin.rejects.csv")).toHaveLength(2);
  const broken = pipeline.start(["features", "ingest", path], { input: "id,age\n", folder: pipeline.path(".") });
  expect((await broken.ended).stderr).toContain(`${name}:1:1: the header lacks city`);
});

test("a process of the shell is read through, though it gives its rows once", async () => {
  const pipeline = await pipelineWith();
  await pipeline.write("rows.csv", featureRows(3_000));
  const command = '"$@" <(cat rows.csv)';
  const on = ["bash", "-c", command, "bash"];
  const { status, stderr } = await pipeline.start(["features", "ingest"], { on, folder: pipeline.path(".") }).ended;
  expect({ status, stderr }).toMatchObject({ status: 0, stderr: expect.stringContaining("3,000 of 3,000 rows") });
  expect(isWhole(pipeline, 3_000)).toBe(true);
});

test("a group's own names, an event time of the file and columns by other names are mapped", async () => {
  const pipeline = await pipelineWith({
    recordIdentifier: { name: "person", type: "Integral" },
    eventTime: { name: "seen_at", type: "Fractional" },
  });
  const file = await pipeline.write("rows.csv", "number,years,city,note,seen_at,\n7,36,b,kept out,1700000000.5,\n");
  const { status, stderr } = await pipeline.run(
    ...["features", "ingest", file, "--column", "person=number", "--column", "age=years"],
  );
  expect(status).toBe(0);
  expect(stderr.match(/.*passed over.*/g)).toEqual([`${file}: columns that are passed over: note`]);
  expect(pipeline.aws.bodies.get("7")).toEqual([
    { FeatureName: "seen_at", ValueAsString: "1700000000.5" },
    { FeatureName: "person", ValueAsString: "7" },
    { FeatureName: "age", ValueAsString: "36" },
    { FeatureName: "city", ValueAsString: "b" },
  ]);
});

test("rows that cannot be records are kept with their lines and reasons, and the others are written", async () => {
  const pipeline = await pipelineWith({
    recordIdentifier: { name: "id", type: "Integral" },
    refuse: (id) => (id === "9" ? "for good" : undefined),
  });
  const long = "x".repeat(358_401);
  const rows = [
    "7,36,1.5,b",
    '"8",36,1.5,"a\na"',
    "seven,36,1.5,b",
    "9,36,1.5,b",
    "10,,NaN,\u3000\u200B",
    `11,36,1.5,${long}`,
    "12,36",
    "13,36,1.5,b,c",
    '14,3.5,"1,5",b',
    `15,36,1.5,${long.slice(2)}`,
  ];
  const file = await pipeline.write("rows.csv", `id,age,income,city\n${rows.join("\n")}\n`);
  expect(await pipeline.run("features", "ingest", file)).toMatchObject({
    status: 2,
    stdout: "",
    stderr: expect.stringContaining(
      `2 of 10 rows are written to features.\n8 are not; ${file}.rejects.csv says why.\n`,
    ),
  });
  expect([...pipeline.aws.records.keys()].sort()).toEqual(["7", "8"]);
  expect(await pipeline.lines("rows.csv.rejects.csv")).toEqual([
    "id,age,income,city,line,reason",
    'seven,36,1.5,b,5,"id must be a whole number of 64 bits, got ""seven"""',
    "9,36,1.5,b,6,ValidationError: refused",
    '10,,NaN,\u3000\u200B,7,"age is empty; income must be a number, got ""NaN""; leave the field empty where there is no value; city is empty"',
    `11,36,1.5,${long},8,"city has 358,401 bytes, at most 358,400 are allowed"`,
    '12,36,,,9,"the row has 2 values, the header 4"',
    '13,36,1.5,b,10,"the row has 5 values, the header 4; a text with the delimiter in it must stand in quotes"',
    '14,3.5,"1,5",b,11,"age must be a whole number of 64 bits, got ""3.5""; income must be a number, got ""1,5""; write a decimal point, and no comma"',
    `15,36,1.5,${long.slice(2)},12,"the features have together 358,404 bytes, at most 358,400 are allowed"`,
  ]);
});

test("a file of refused rows, put right, is ingested as it is", async () => {
  const pipeline = await pipelineWith();
  const file = await pipeline.write("rejects.csv", "id,age,city,line,reason\n7,36,there,5,age is empty\n");
  const { status, stderr } = await pipeline.run("features", "ingest", file);
  expect(status).toBe(0);
  expect(stderr).not.toContain("passed over");
  expect(pipeline.aws.records.size).toBe(1);
});

test("features that are called as the columns of rejects are keep their values there", async () => {
  const features = ["reason", "line"].map((name) => ({ name, type: "Integral" as const, optional: false }));
  const pipeline = await pipelineWith({ contract: { ...contract, features } });
  const file = await pipeline.write("rows.csv", "id,reason,line\n1,2,3\n4,x,5\n");
  expect(await pipeline.run("features", "ingest", file)).toMatchObject({ status: 2 });
  expect(await pipeline.lines("rows.csv.rejects.csv")).toEqual([
    "id,reason,line,rejected_line,rejected_reason",
    '4,x,5,3,"reason must be a whole number of 64 bits, got ""x"""',
  ]);
});

test("of the rows of one id the last one stays, and how many there are is told", async () => {
  const written: string[] = [];
  const pipeline = await pipelineWith({ recordIdentifier: { name: "id", type: "Integral" } });
  const file = await pipeline.write("rows.csv", "id,age,city\n7,1,a\n8,1,a\n07,2,b\n7,3,c\n");
  const { status, stderr } = await pipeline.run("features", "ingest", file);
  expect({ status, written }).toEqual({ status: 0, written: [] });
  expect(stderr).toContain(
    "2 rows with an id that an earlier row has (line 4 and 2, line 5 and 2). The last row of an id is the one that stays.\n",
  );
  expect(pipeline.aws.bodies.get("7")).toEqual(record("7", "3", "c"));
});

const idItself = { name: "id", type: "Fractional" as const };

test("a row that a group whose event time is the identifier passes over is refused with its line, and counted apart", async () => {
  const pipeline = await pipelineWith({ recordIdentifier: idItself, eventTime: idItself });
  const first = await pipeline.write("first.csv", "id,age,income,city\n7,36,1.5,a\n8,36,,a\n");
  expect(await pipeline.run("features", "ingest", first)).toMatchObject({ status: 0 });
  const file = await pipeline.write("rows.csv", "id,age,income,city\n9,36,1.5,a\n7.0,36,1.50,a\n8,37,,a\n");
  const { status, stderr } = await pipeline.run("features", "ingest", file);
  expect(stderr.split("\n").slice(-4)).toEqual([
    "2 of 3 rows are written to features.",
    "1 row was passed over: Feature Store keeps a record whose event time is not earlier.",
    `1 are not; ${file}.rejects.csv says why.`,
    "",
  ]);
  expect(status).toBe(2);
  expect(await pipeline.lines("rows.csv.rejects.csv")).toEqual([
    "id,age,income,city,line,reason",
    '8,37,,a,4,"passed over: the group\'s event time is the identifier, so that no record ever changes"',
  ]);
  expect(pipeline.aws.bodies.get("8")).toContainEqual({ FeatureName: "age", ValueAsString: "36" });
});

test("a row that is older than what is stored is refused with its line, whether the file or another one has stored it", async () => {
  const pipeline = await pipelineWith();
  const first = await pipeline.write("first.csv", "id,age,city,event_time\na,1,x,2026-01-02T00:00:00Z\n");
  expect(await pipeline.run("features", "ingest", first)).toMatchObject({ status: 0 });
  const rows = [
    "a,2,x,2026-01-01T23:59:59Z", // older than the other file's
    "b,2,x,2026-01-02T00:00:00Z",
    "b,1,x,2026-01-01T00:00:00Z", // older than the row before it
    "c,1,x,2026-01-01T00:00:00Z", // replaced by the next one
    "c,2,x,2026-01-02T00:00:00Z",
    "a,3,x,2026-01-01T23:59:59.500Z", // older too, though newer than that row
    "d,1,x,",
    "d,2,x,",
  ];
  const file = await pipeline.write("rows.csv", `id,age,city,event_time\n${rows.join("\n")}\n`);
  const { status, stderr } = await pipeline.run("features", "ingest", file);
  expect(status).toBe(2);
  expect(stderr).toContain("The one with the latest event time stays.\n");
  expect(stderr).toContain("5 of 8 rows are written to features.\n4 rows with an id");
  expect(stderr).toContain("3 rows were passed over: Feature Store keeps a record");
  const reason = (time: string) =>
    `"passed over: Feature Store has a record of this id with the event time ${time}, which is not earlier"`;
  expect(await pipeline.lines("rows.csv.rejects.csv")).toEqual([
    "id,age,city,event_time,line,reason",
    `${rows[0]},2,${reason("2026-01-02T00:00:00Z")}`,
    `${rows[2]},4,${reason("2026-01-02T00:00:00Z")}`,
    `${rows[5]},7,${reason("2026-01-02T00:00:00Z")}`,
  ]);
  for (const id of ["b", "c", "d"]) {
    expect(pipeline.aws.bodies.get(id)).toContainEqual({ FeatureName: "age", ValueAsString: "2" });
  }
});

test("rows that were written, but could not be read back, are gone on with and told the same", async () => {
  let isAllowed = false;
  const pipeline = await pipelineWith({
    before: (operation) => {
      if (operation === "BatchGetRecord" && !isAllowed) throw new AwsError("AccessDeniedException", 403, "not allowed");
    },
  });
  const rows =
    "a,1,x,2026-01-01T00:00:00Z\na,2,x,2026-01-02T00:00:00Z\nb,2,x,2026-01-02T00:00:00Z\nb,1,x,2026-01-01T00:00:00Z\n";
  const file = await pipeline.write("rows.csv", `id,age,city,event_time\n${rows}`);
  const { status, stderr } = await pipeline.run("features", "ingest", file);
  expect(status).toBe(1);
  expect(stderr).toContain("Cannot read back from the feature group features: AccessDeniedException, not allowed");
  isAllowed = true;
  expect(await pipeline.run("features", "ingest", file, "--resume")).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("3 of 4 rows are written to features."),
  });
  expect(await pipeline.lines("rows.csv.rejects.csv")).toHaveLength(2);
});

test("rows with the time of their writing cost no reading", async () => {
  const pipeline = await pipelineWith();
  const file = await pipeline.write("rows.csv", featureRows(100));
  expect(await pipeline.run("features", "ingest", file)).toMatchObject({ status: 0 });
  expect(Object.fromEntries(pipeline.aws.calls)).toEqual({ BatchWriteRecord: 4 });
});

test("what may be meant otherwise is told once, at the end", async () => {
  const pipeline = await pipelineWith();
  const ids = ["Zo\u00EB", "Zoe\u0308", "8", "\u200B8", "1.23457E+15", "1.23457E+15"];
  const rows = ids.map((id, at) => `${id},36,${at % 2 === 0 ? "NULL" : "na"}\n`);
  const file = await pipeline.write("rows.csv", `id,age,city\n${rows.join("")}`);
  const { status, stderr } = await pipeline.run("features", "ingest", file);
  expect(status).toBe(0);
  expect(stderr.split("\n").slice(-5)).toEqual([
    "6 of 6 rows are written to features.",
    "1 row with an id such as 1.23457E+15 that an earlier row has: a spreadsheet may have shortened other ids (line 7 and 6).",
    "2 rows with an id that differs from an earlier one only by what nobody sees (line 3 and 2, line 5 and 4).",
    "Taken as text: city is NULL in 3 rows, city is na in 3 rows. A missing value is an empty field.",
    "",
  ]);
});

const columns = "the columns are id, age, city; income, event_time may be there too";
const guess = (features: string, named: string) =>
  `your columns: ${named}; put this into config.ts, with request and answer as your model has them:\n  contract: { features: { ${features} }, request: "json", answer: "text", outputs: {} }`;

test.each([
  ["an empty file", "", [`:1:1: the file is empty; ${columns}`]],
  ["no rows", "id,age,city\n", [": no row follows the header"]],
  [
    "columns that are missing or there twice, all at once, with the contract that would fit",
    "id,age,age,text,zip\n1,1,1.5,a,00501\n2,2,,b,\n",
    [
      `:1:8: column "age" is named twice; ${columns}`,
      `:1:1: the header lacks city; ${columns}`,
      guess(
        'age: { type: "Fractional", optional: true }, text: "String", zip: { type: "String", optional: true }',
        "age, text, zip",
      ),
    ],
  ],
  [
    "a quote that is never closed",
    `${featureRows(50)}51,"36\n52,a,b\n`,
    [":52:4: the quote that opens here is never closed"],
  ],
  [
    "a quote that is never closed, with the faults before it",
    'id,age,city\n1,old,b\n2,36,b"c\n',
    [
      ':2:3: age must be a whole number of 64 bits, got "old"',
      ':3:6: the field that starts here has a quote after other text or a space; put the whole field in quotes, and write " in it as ""',
    ],
  ],
  ["UTF-16", Buffer.from("\uFEFFid,age,city\n", "utf16le"), [":1:1: the file is UTF-16 LE; save it as UTF-8"]],
  ["UTF-16 unmarked", Buffer.from("id,age,city\n", "utf16le"), [":1:1: the file is UTF-16 LE; save it as UTF-8"]],
  [
    "Windows-1252",
    Buffer.from("id,age,city\n1,36,\x93K\xF6ln\x94\n", "latin1"),
    [":2:6: the byte 93 is no UTF-8; the file may be Windows-1252; save it as UTF-8"],
  ],
  [
    "Latin-1",
    Buffer.from(`${featureRows(5_000)}5001,36,,K\xF6ln\n`, "latin1"),
    [":5002:11: the byte F6 is no UTF-8; the file may be Windows-1252 or Latin-1; save it as UTF-8"],
  ],
  [
    "a workbook",
    Buffer.from("PK\x03\x04"),
    [":1:1: the file is a workbook or another ZIP archive; save it as CSV in UTF-8"],
  ],
])("%s ends it before anything is written, with the place", async (_, content, faults) => {
  const pipeline = await pipelineWith();
  const file = await pipeline.write("rows.csv", content);
  const { status, stderr } = await pipeline.run("features", "ingest", file);
  const said = stderr.split("\n").filter((line) => !/passed over|rows checked/.test(line));
  expect(said.join("\n")).toBe(faults.map((fault) => `${fault.startsWith(":") ? file : ""}${fault}\n`).join(""));
  expect(status).toBe(1);
  expect(pipeline.aws.calls.size).toBe(0);
});

test("one row is a file", async () => {
  const pipeline = await pipelineWith();
  const file = await pipeline.write("rows.csv", "city,age,id\nx,36,1");
  expect(await pipeline.run("features", "ingest", file)).toMatchObject({ status: 0 });
  expect(pipeline.aws.bodies.get("1")).toEqual(record("1", "36", "x"));
});

test("an environment without a feature group says where features go", async () => {
  const pipeline = await pipelineWith({ hasFeatureGroup: false });
  const file = await pipeline.write("rows.csv", featureRows(1));
  expect(await pipeline.run("features", "ingest", file)).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("`features: false`"),
  });
});

test("a second process at the same rejects is told who is at work, and mixes nothing", async () => {
  const { arrived, pass, release } = gate();
  const pipeline = await pipelineWith({ before: pass });
  const file = await pipeline.write("rows.csv", featureRows(3_000));
  const { child, ended } = pipeline.start(["features", "ingest", file]);
  await arrived;
  const { status, stderr } = await pipeline.run("features", "ingest", file, "--resume");
  expect(status).toBe(1);
  expect(stderr).toMatch(
    new RegExp(
      `^${file}.rejects.csv.journal is being worked at by process ${child.pid} on ${hostname()}, since \\d{4}-.*Z\\. Wait for its end`,
    ),
  );
  child.kill("SIGKILL"); // what it leaves behind keeps nobody away
  await ended;
  release();
  expect(await pipeline.run("features", "ingest", file, "--resume")).toMatchObject({ status: 0 });
  expect(isWhole(pipeline, 3_000)).toBe(true);
  expect(await readdir(pipeline.path("."))).toEqual(["rows.csv"]);
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
  expect(await pipeline.run("features", "ingest", file, "--column", "height=text")).toMatchObject({
    status: 1,
    stderr: "The feature group features has no feature height, only id, age, income, city, event_time\n",
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
  expect(stderr).toContain("Cannot write to the feature group features: AccessDeniedException");
  expect(stderr).toContain("needs the permission sagemaker:BatchWriteRecord and sagemaker:PutRecord on it.");
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
    const { arrived, pass, release } = gate();
    const pipeline = await pipelineWith({
      before: async (_operation, call) => {
        if (call > 100) await pass();
      },
    });
    const rows = featureRows(6_000).replaceAll(/^(\d*7),.*$/gm, "$1,,,b"); // every tenth has no age
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
      stderr: expect.stringContaining("5,400 of 6,000 rows are written to features.\n600 are not"),
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
    await appendFile(file, "5000,36,,b\n");
    expect(await pipeline.run("features", "ingest", file, "--resume")).toMatchObject({
      status: 1,
      stderr: `${file} has changed since 2,000 of its rows were worked through. To begin again, delete ${file}.rejects.csv.journal\n`,
    });
  });

  test("must be read by the same columns", async () => {
    const { pipeline, file } = await interrupted();
    const { status, stderr } = await pipeline.run("features", "ingest", file, "--resume", "--column", "age=income");
    expect(status).toBe(1);
    expect(stderr).toMatch(/^It was begun with columns \[\], not .*To begin again, delete .*\.journal\n$/);
  });

  test("may be begun again, when its journal is deleted", async () => {
    const { pipeline, file } = await interrupted();
    await rm(`${file}.rejects.csv.journal`);
    expect((await pipeline.run("features", "ingest", file)).stderr).not.toContain("did not come to its end");
  });

  test("must have numbers that agree", async () => {
    const { pipeline, file } = await interrupted();
    const journal = `${file}.rejects.csv.journal`;
    const text = await readFile(journal, "utf8");
    await writeFile(journal, text.replace('"accepted":2000', '"accepted":1999'));
    const { status, stderr } = await pipeline.run("features", "ingest", file, "--resume");
    expect(status).toBe(1);
    expect(stderr).toContain(`${journal} is no journal of an unfinished job: ✖ accepted and rejected rows must sum`);
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
  expect(stdout).toMatch(/░ 2,000\/4,500 rows, [\d,]+\/s, ~\d+ s/);
  expect(stdout).toMatch(/█ 4,500\/4,500 rows, [\d,]+\/s/);
  expect(stdout).toContain("4,500 of 4,500 rows are written to features.");
});
