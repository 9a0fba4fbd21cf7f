import { appendFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { type LocalPipeline, startLocalPipeline } from "../../setup/local-pipeline";

let pipeline: LocalPipeline;
beforeAll(async () => {
  pipeline = await startLocalPipeline();
  const file = join(pipeline.folder, "pairs.csv");
  const rows = ["a", "b", "c"].map((id) => `${id},It rains.,It rains.`);
  await writeFile(file, ["id,seq_0,seq_1", ...rows, ""].join("\n"));
  const output = join(pipeline.folder, "results.csv");
  expect(await pipeline.run("run", "--csv", file, "--job", "followed", "--output", output)).toMatchObject({
    status: 0,
  });
});
afterAll(() => pipeline.stop());

const linesSchema = z.array(
  z.object({
    at: z.iso.datetime(),
    function: z.string(),
    line: z.looseObject({ requestIds: z.array(z.string()).default([]) }),
  }),
);

test("of a job shows how it went, from the API to the row, and nothing of where outcomes lie", async () => {
  const { status, stdout, stderr } = await pipeline.run("logs", "--job", "followed");
  expect({ status, stderr }).toEqual({
    status: 0,
    stderr: "How far it is: npx offline-inference job followed --env dev\n",
  });
  expect(stdout).toMatch(/^at +function +logged\n/);
  expect(stdout).toMatch(
    / api +a job is made\n[\s\S]* starter +rows are sent, 3 rows\n[\s\S]* worker +outcomes are staged, \d requests?\n[\s\S]* loader +an object is loaded\n/,
  );
  expect(stdout).not.toContain("staged/");
});

test("of a request shows the lines that name it, its job's sending, and its loading", async () => {
  const { stdout } = await pipeline.run("logs", "--job", "followed", "--json");
  const lines = linesSchema.parse(JSON.parse(stdout));
  const ids = lines.flatMap(({ line }) => line.requestIds);
  expect(new Set(ids).size).toBe(3);
  const { status, stdout: way } = await pipeline.run("logs", "--request", ids[0] ?? "");
  expect(status).toBe(0);
  expect(way).toMatch(
    / starter +rows are sent, 3 rows, of the job followed\n[\s\S]* worker +outcomes are staged.*, of the job followed\n[\s\S]* loader +an object is loaded\n$/,
  );
  expect(way).not.toContain("a job is made");
});

test("a line acts on no terminal, whoever chose what is in it, and is whole for machines", async () => {
  const requestId = "of another";
  const reason = "\x1b[2J\x9b2K\u202egone";
  const line = { level: "WARN", message: "request failed", requestId, code: "refused_by_model", reason };
  const log = join(pipeline.folder, "data", "logs", `${await workerName()}.log`);
  await appendFile(log, `${JSON.stringify({ ...line, timestamp: new Date().toISOString() })}\n`);
  const { stdout } = await pipeline.run("logs", "--request", requestId);
  expect(stdout).toContain("WARN request failed: refused_by_model: [2J 2K gone\n");
  const asJson = await pipeline.run("logs", "--request", requestId, "--json");
  expect(["\x1b", "\x9b", "\u202e"].filter((acting) => asJson.stdout.includes(acting))).toEqual([]);
  expect(JSON.parse(asJson.stdout)).toEqual([
    { at: expect.any(String), function: "worker", line: expect.objectContaining(line) },
  ]);
});

const workerName = async () => {
  const { connect } = await import("../../../cli/shared/connection");
  Object.assign(process.env, pipeline.aws.environment);
  return (await connect({ env: "dev" })).pipeline.workerFunctionName;
};

test.each([
  ["of nothing that is named", [], "Of what? Name a request by --request ID, or a job by --job NAME.\n"],
  ["of what nobody logged", ["--request", "follow"], 'Nothing was logged of the request "follow" since '],
  ["of both", ["--request", "a", "--job", "b"], "cannot be used with option"],
])("%s is an error", async (_, args, said) => {
  const { status, stdout, stderr } = await pipeline.run("logs", ...args);
  expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  expect(stderr).toContain(said);
});
