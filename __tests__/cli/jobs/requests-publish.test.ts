import { readdir } from "node:fs/promises";
import { AwsError, ConnectionCut } from "../../../local/stand-in";
import { type CountingPipeline, countingPipelines, featureRows } from "../../setup/counting-pipeline";
import { gate } from "../../setup/gate";
import { atTerminal } from "../../setup/program";

const pipelineWith = countingPipelines();

/** The rows of a receipt, without its header. */
const receiptIn = async (pipeline: CountingPipeline, name = "receipt.csv") => {
  const [header, ...rows] = (await pipeline.lines(name)) ?? [];
  expect(header).toBe("id,request_id,job_id");
  return rows.map((row) => row.split(","));
};
const notAllowed = () => new AwsError("AccessDeniedException", 403, "not allowed");

test("each id is asked for once, under one job, and the receipt says by which request", async () => {
  const pipeline = await pipelineWith();
  const receipt = pipeline.path("receipt.csv");
  expect(await pipeline.run("requests", "publish", "7", "a b", "7", "--job", "nightly", "--receipt", receipt)).toEqual({
    status: 0,
    signal: null,
    stdout: `${receipt}\n`,
    stderr: expect.stringContaining("3 of 3 requests are sent, as the job nightly.\n"),
  });
  const rows = await receiptIn(pipeline);
  expect(rows.map(([id, , job]) => [id, job])).toEqual([
    ["7", "nightly"],
    ["a b", "nightly"],
    ["7", "nightly"],
  ]);
  const requestIds = rows.map(([, requestId = ""]) => requestId);
  const run = requestIds[0]?.replace(/\.1$/, "") ?? "";
  expect(run).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  expect(requestIds).toEqual([1, 2, 3].map((number) => `${run}.${number}`));
  expect([...pipeline.aws.requests.keys()].sort()).toEqual(requestIds);
  expect(pipeline.aws.bodies.get(`${run}.2`)).toEqual({
    id: "a b",
    requestId: `${run}.2`,
    jobId: "nightly",
    requestedAt: expect.stringMatching(/^\d{4}-/),
  });
  expect(await readdir(pipeline.path("."))).toEqual(["receipt.csv"]);
});

test("ids come from standard input, one a line, and a job is named where none is", async () => {
  const pipeline = await pipelineWith();
  const receipt = pipeline.path("receipt.csv");
  const input = "1\r\n\n2 3\nlast";
  const { status, stderr } = await pipeline.start(["requests", "publish", "-", "--receipt", receipt], { input }).ended;
  expect(status).toBe(0);
  const [, job] = /as the job (\S+)\./.exec(stderr) ?? [];
  expect(job).toMatch(/^\d{4}(-\d\d){5}-[0-9a-f]{4}$/);
  expect((await receiptIn(pipeline)).map(([id, , jobId]) => [id, jobId])).toEqual([
    ["1", job],
    ["2 3", job],
    ["last", job],
  ]);
});

test("a receipt that is sent again makes no new requests", async () => {
  const pipeline = await pipelineWith();
  const [first, second] = [pipeline.path("first.csv"), pipeline.path("second.csv")];
  await pipeline.run("requests", "publish", "7", "8", "--job", "nightly", "--receipt", first);
  expect(await pipeline.run("requests", "publish", "--csv", first, "--receipt", second)).toMatchObject({ status: 0 });
  expect([...pipeline.aws.requests.values()]).toEqual([2, 2]);
  expect(await pipeline.lines("second.csv")).toEqual(await pipeline.lines("first.csv"));
});

test("what no request can be is kept with the reason, and the others are sent", async () => {
  const pipeline = await pipelineWith({ refuse: (id) => (id === "own" ? "for good" : undefined) });
  const file = await pipeline.write(
    "ids.csv",
    `note,id,request_id\nx,7,\nx,"8 ",\nx,,\nx,9,own\nx,${"y".repeat(1025)},\n`,
  );
  const receipt = pipeline.path("receipt.csv");
  const { status, stdout, stderr } = await pipeline.run(
    ...["requests", "publish", "--csv", file, "--job", "j", "--receipt", receipt],
  );
  expect([status, stdout]).toEqual([2, `${receipt}\n`]);
  const rejects = pipeline.path("receipt.rejects.csv");
  expect(stderr).toContain(`1 of 5 requests are sent, as the job j.\n4 are not; ${rejects} says why.\n`);
  const [[, requestId = ""] = []] = await receiptIn(pipeline);
  const run = requestId.replace(/\.1$/, "");
  const rule = "Unicode text of 1 to 1,024 UTF-8 bytes, without NUL and without a space at its end";
  expect(await pipeline.lines("receipt.rejects.csv")).toEqual([
    "id,request_id,job_id,row,reason",
    `8 ,${run}.2,j,2,"id must be ${rule}, got ""8 """`,
    `,${run}.3,j,3,"id must be ${rule}, got """""`,
    "9,own,j,4,the queue refused it: InvalidMessageContents",
    `${"y".repeat(1025)},${run}.5,j,5,"id must be ${rule}, got ""${"y".repeat(79)}…"`,
  ]);
});

test("a request id that stands for another input or job in an earlier row is refused, and twice the same is not", async () => {
  const pipeline = await pipelineWith();
  const file = await pipeline.write(
    "ids.csv",
    "id,request_id,job_id\n7,one,j\n8,two,j\n7,one,j\n9,one,j\n7,one,other\n",
  );
  const receipt = pipeline.path("receipt.csv");
  const { status } = await pipeline.run("requests", "publish", "--csv", file, "--receipt", receipt);
  expect(status).toBe(2);
  const reason = '"request_id ""one"" stands for another request in line 2: another input or job"';
  expect(await pipeline.lines("receipt.rejects.csv")).toEqual([
    "id,request_id,job_id,row,reason",
    `9,one,j,4,${reason}`,
    `7,one,other,5,${reason}`,
  ]);
  expect([...pipeline.aws.requests]).toEqual([
    ["one", 2],
    ["two", 1],
  ]);
});

test("a file comes by standard input, and what is left of it is sent when it is gone on with", async () => {
  let isAllowed = false;
  const pipeline = await pipelineWith({
    before: (_, call) => {
      if (call > 200 && !isAllowed) throw notAllowed();
    },
  });
  const receipt = pipeline.path("receipt.csv");
  const args = ["requests", "publish", "--csv", "-", "--receipt", receipt];
  expect((await pipeline.start(args, { input: featureRows(3_000).replaceAll(",", ";") }).ended).status).toBe(1);
  isAllowed = true;
  expect(await pipeline.run("requests", "publish", "--resume", receipt)).toMatchObject({ status: 0 });
  expect(pipeline.aws.requests.size).toBe(3_000);
  expect(await readdir(pipeline.path("."))).toEqual(["receipt.csv"]);
});

test("without a feature group, requests need a file, whose faulty rows are kept as they are", async () => {
  const pipeline = await pipelineWith({ hasFeatureGroup: false });
  expect((await pipeline.run("requests", "publish", "7")).stderr).toContain("name a file of them by --csv");
  const file = await pipeline.write("rows.csv", "id,age,city,request_id\na,36,x,r\nb,old,y,\n,37,z,\n");
  const dry = await pipeline.run("requests", "publish", "--csv", file, "--dry-run");
  expect(dry.status).toBe(2);
  expect(dry.stderr).toContain(`${file}:3:3: age must be a whole number of 64 bits, got "old"\n`);
  expect(dry.stderr).toContain(`${file}:4:1: id must be `);
  expect(dry.stderr).toContain("1 of 3 requests would be sent.\n");
});

test("nothing is sent where one of the ids typed can be none: all of them are named", async () => {
  const pipeline = await pipelineWith();
  const { status, stderr } = await pipeline.run("requests", "publish", "7", "8 ", "");
  expect(status).toBe(1);
  expect(stderr).toMatch(/^id must be .* got "8 "\nid must be .* got ""\n$/);
  expect(pipeline.aws.calls.size).toBe(0);
});

test("a dry run says what would be sent and what is wrong where, and leaves nothing", async () => {
  const pipeline = await pipelineWith();
  const file = await pipeline.write("ids.csv", 'id\n7\n"8\n9"\n"8 "\n');
  const dry = await pipeline.run("requests", "publish", "--csv", file, "--dry-run");
  expect(dry).toMatchObject({ status: 2, stdout: "" });
  expect(dry.stderr).toMatch(/ids\.csv:5:1: id must be .*, got "8 "\n2 of 3 requests would be sent\.\n$/);
  const fine = pipeline.start(["requests", "publish", "-", "--dry-run"], { input: "1\n2\n" });
  expect(await fine.ended).toMatchObject({ status: 0, stdout: "", stderr: "2 of 2 requests would be sent.\n" });
  expect(pipeline.aws.calls.size).toBe(0);
  expect(await readdir(pipeline.path("."))).toEqual(["ids.csv"]);
});

test.each([
  ["nothing to send", [], "Which inputs? Name them: ids, - for standard input, --csv FILE or --all.\n"],
  ["two things to send", ["7", "--all"], "Only one of ID, --all can say what is sent.\n"],
  ["standard input among ids", ["7", "-"], "- stands alone: it reads the ids from standard input.\n"],
  [
    "a job for what has one",
    ["--resume", "r.csv", "--job", "j"],
    "--resume goes on as it was begun: --job, --receipt and --dry-run are not for it.\n",
  ],
  ["nothing to go on with", ["--resume", "r.csv"], "There is nothing to resume: r.csv.journal does not exist\n"],
  ["no id at all", ["-"], "There is no id to send a request for.\n"],
  ["a job that is no name", ["7", "--job", ""], /^--job: jobId must be Unicode text of 1 to 128 UTF-8 bytes/],
])("%s is refused", async (_, args, message) => {
  const pipeline = await pipelineWith();
  const receipt = args.includes("--resume") ? [] : ["--receipt", pipeline.path("r.csv")];
  const { status, stderr } = await pipeline.run("requests", "publish", ...args, ...receipt);
  expect(status).toBe(1);
  expect(stderr).toMatch(message);
});

test("a receipt is never written over", async () => {
  const pipeline = await pipelineWith();
  const receipt = await pipeline.write("receipt.csv", "precious\n");
  const { status, stderr } = await pipeline.run("requests", "publish", "7", "--receipt", receipt);
  expect([status, stderr]).toEqual([1, `${receipt} is there already: a receipt is never written over\n`]);
  expect(await pipeline.lines("receipt.csv")).toEqual(["precious"]);
});

test("throttling, failures of the service, cut connections and partly failed batches only make it slower", async () => {
  const once = new Set<string>();
  const pipeline = await pipelineWith({
    before: (_, call) => {
      if (call % 7 === 1) throw new AwsError("RequestThrottled", 403, "Rate exceeded");
      if (call % 7 === 2) throw new AwsError("InternalError", 500, "failed");
    },
    after: (_, call) => {
      if (call % 7 === 3) throw new ConnectionCut();
    },
    refuse: (id) => {
      if (!id.endsWith("5") || once.has(id)) return undefined;
      once.add(id);
      return "for now";
    },
  });
  const file = await pipeline.write("ids.csv", featureRows(1_000));
  const receipt = pipeline.path("receipt.csv");
  expect(await pipeline.run("requests", "publish", "--csv", file, "--receipt", receipt)).toMatchObject({ status: 0 });
  const sent = (await receiptIn(pipeline)).map(([, requestId]) => requestId);
  expect(new Set(sent).size).toBe(1_000);
  expect([...pipeline.aws.requests.keys()].sort()).toEqual(sent.sort());
});

test.each([
  ["Ctrl-C", "SIGINT", { status: 130, signal: null }],
  ["being killed", "SIGKILL", { status: null, signal: "SIGKILL" }],
] as const)(
  "after %s in the middle --resume sends the rest: no request is lost, none becomes two",
  async (_, signal, how) => {
    const { arrived, pass, release } = gate();
    const pipeline = await pipelineWith({
      after: async (_operation, call) => {
        if (call > 250) await pass(); // on the queue, and not yet answered
      },
    });
    const input = Array.from({ length: 5_000 }, (_id, row) => (row % 10 === 3 ? `${row} \n` : `${row}\n`)).join("");
    const receipt = pipeline.path("receipt.csv");
    const { child, ended } = pipeline.start(["requests", "publish", "-", "--receipt", receipt], { input });
    await arrived;
    child.kill(signal);
    if (signal === "SIGKILL") await ended;
    release();
    const { stderr, ...end } = await ended;
    expect(end).toMatchObject(how);
    if (signal === "SIGINT") {
      expect(stderr).toContain(
        `of 5,000 requests are through. Go on: offline-inference requests publish --resume ${receipt}\n`,
      );
    }

    const resumed = await pipeline.run("requests", "publish", "--resume", receipt);
    expect(resumed).toMatchObject({ status: 2, stdout: `${receipt}\n` });
    expect(resumed.stderr).toContain("4,500 of 5,000 requests are sent");
    const rows = await receiptIn(pipeline);
    const ids = rows.map(([id]) => Number(id));
    expect(ids).toEqual(Array.from({ length: 5_000 }, (_id, row) => row).filter((row) => row % 10 !== 3));
    expect([...pipeline.aws.requests.keys()].sort()).toEqual(rows.map(([, requestId]) => requestId).sort());
    const rejects = (await pipeline.lines("receipt.rejects.csv")) ?? [];
    expect([rejects.length, new Set(rejects).size]).toEqual([501, 501]);
    expect((await readdir(pipeline.path("."))).sort()).toEqual(["receipt.csv", "receipt.rejects.csv"]);
  },
);

test("a file that did not come to its end is not begun a second time", async () => {
  let isAllowed = false;
  const pipeline = await pipelineWith({
    before: (_, call) => {
      if (call > 200 && !isAllowed) throw notAllowed();
    },
  });
  const file = await pipeline.write("ids.csv", featureRows(3_000));
  const receipt = pipeline.path("receipt.csv");
  const { status, stderr } = await pipeline.run("requests", "publish", "--csv", file, "--receipt", receipt);
  expect(status).toBe(1);
  expect(stderr).toContain("Cannot send to the queue requests: AccessDeniedException");
  const again = ["requests", "publish", "--csv", file, "--receipt", pipeline.path("other.csv")];
  expect(await pipeline.run(...again)).toMatchObject({
    status: 1,
    stderr: `${file} did not come to its end: 2,000 of its rows are through. Go on with --resume ${receipt}, or delete ${receipt}.journal to begin again\n`,
  });
  isAllowed = true;
  expect(await pipeline.run("requests", "publish", "--resume", receipt)).toMatchObject({ status: 0 });
  expect(await receiptIn(pipeline)).toHaveLength(3_000);
  expect(pipeline.aws.requests.size).toBe(3_000);
});

test("a terminal sees a bar with the rate and the time left", async () => {
  const pipeline = await pipelineWith();
  const file = await pipeline.write("ids.csv", featureRows(2_500));
  const args = ["requests", "publish", "--csv", file, "--receipt", pipeline.path("receipt.csv")];
  const { status, stdout } = await pipeline.start(args, { on: atTerminal }).ended;
  expect(status).toBe(0);
  expect(stdout).toMatch(/░ 2000\/2500 requests, [\d,]+\/s, [\d,]+ s left/);
  expect(stdout).toMatch(/█ 2500\/2500 requests, [\d,]+\/s, 0 s left/);
});
