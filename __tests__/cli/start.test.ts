import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { z } from "zod";

/** A checkout of its own, since a run has .local/ and cdktf.out/ for itself. */
let desk: string;
beforeAll(async () => {
  desk = await mkdtemp(join(tmpdir(), "desk-"));
  for (const name of [
    "node_modules",
    "package.json",
    "cdktf.json",
    "dist",
    "lambda-src",
    "main.ts",
    "cli",
    "local",
    "samples",
  ])
    await symlink(resolve(name), join(desk, name));
});
afterAll(() => rm(desk, { recursive: true, force: true }));

/** `npm start` after its build. */
function start(...args: string[]) {
  const child = spawn(process.execPath, ["--import", "tsx", "cli/start.ts", ...args], { cwd: desk });
  const output = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk: Buffer) => {
    output.stdout += chunk;
  });
  child.stderr.on("data", (chunk: Buffer) => {
    output.stderr += chunk;
  });
  const closed = once(child, "close");
  return {
    ended: async () => {
      const [status] = await closed;
      return { status, ...output };
    },
    /** Waits until a stream holds `text`, and gives all that it held by then. */
    printed: async (stream: "stdout" | "stderr", text: string) => {
      while (!output[stream].includes(text)) {
        const more = await Promise.race([once(child[stream], "data"), closed.then(() => undefined)]);
        if (more === undefined) throw new Error(`it ended without printing "${text}": ${output.stderr}`);
      }
      return output[stream];
    },
    interrupt: () => child.kill("SIGINT"),
  };
}

const postgresRuns = () => existsSync(join(desk, ".local/postgres/postmaster.pid"));

test("predicts every row of the sample file, prints them, and ends with 0", async () => {
  const { status, stdout, stderr } = await start().ended();
  expect({ status, stderr }).toEqual({ status: 0, stderr: expect.stringContaining("48 of 48 requests, ") });
  const rows = stdout.split("\n").filter((line) => / (It's|Not) a paraphrase +│$/.test(line));
  expect(rows.map((line) => line.split("│")[1]?.trim())).toEqual(
    Array.from({ length: 48 }, (_, row) => String(row + 1)),
  );
  expect(rows[0]).toContain("It's a paraphrase");
  expect(rows[2]).toContain("Not a paraphrase");
  expect(stdout).toContain("48 of 48 requests have a prediction");
  expect(stdout).toMatch(/^\d+\.\d\d s .*: \d+ predictions\/s$/m);
  expect(stdout).toContain("The data lies in .local/");
  expect(stderr).toContain("The model is a stand-in");
  expect(postgresRuns()).toBe(false);
});

test("refuses a broken file by line and column, without starting anything", async () => {
  await writeFile(join(desk, "broken.csv"), 'id,seq_0,seq_1\n1,a,b\n1,c,\n2,"d,e\n');
  const { status, stdout, stderr } = await start("broken.csv").ended();
  expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  expect(stderr.split("\n")).toEqual([
    'broken.csv:3:1: id "1" is used twice, first in line 2',
    "broken.csv:3:5: seq_1 is empty",
    "broken.csv:4:3: the quote that opens here is never closed",
    "",
  ]);
});

test("ends with 1 and says why when a row has no prediction", async () => {
  const tooLong = "x".repeat(1_025);
  await writeFile(join(desk, "mine.csv"), `id,seq_0,seq_1\nmine,One and the same.,One and the same.\n${tooLong},a,b\n`);
  const { status, stdout } = await start("mine.csv").ended();
  expect(status).toBe(1);
  expect(stdout).toMatch(/^│ mine .*│ It's a paraphrase +│$/m);
  expect(stdout).toContain("1 of 2 requests have a prediction (It's a paraphrase: 1)");
  expect(stdout).toContain(`id "${tooLong}" has none: id must be `);
});

test("keeps running when told to, works for others meanwhile, and ends everything at Ctrl-C", async () => {
  await writeFile(join(desk, "few.csv"), "id,seq_0,seq_1\n1,One and the same.,One and the same.\n3,One.,Other.\n");
  const run = start("--keep", "few.csv");
  const stdout = await run.printed("stdout", "predict/1");
  const exported = new Map(
    [...stdout.matchAll(/^export (\w+)=(.*)$/gm)].map(([, name = "", value = ""]) => [name, value]),
  );
  const url = `${exported.get("API_URL")}/predict`;

  const posted = await fetch(url, { method: "POST", body: JSON.stringify({ id: "3" }) });
  expect(posted.status).toBe(202);
  const { requestId } = z.object({ requestId: z.string() }).parse(await posted.json());

  const answers = z.object({ predictions: z.array(z.object({ requestId: z.string(), output: z.string() })) });
  const find = async () => {
    const { predictions } = answers.parse(await (await fetch(`${url}/3`)).json());
    return predictions.find((prediction) => prediction.requestId === requestId);
  };
  let found = await find();
  while (found === undefined) found = await find();
  expect(found.output).toBe("Not a paraphrase");
  expect(postgresRuns()).toBe(true);

  run.interrupt();
  const { status, stderr } = await run.ended();
  expect({ status, stderr }).toEqual({ status: 130, stderr: expect.stringMatching(/Running until Ctrl-C\.\n$/) });
  expect(postgresRuns()).toBe(false);
  const servers = [...exported].filter(([name]) => name.startsWith("AWS_ENDPOINT_URL") || name === "API_URL");
  expect(servers).toHaveLength(10);
  for (const [, server] of servers) await expect(fetch(server)).rejects.toThrow("fetch failed");
});

test("can be interrupted before it is ready", async () => {
  const run = start();
  await run.printed("stderr", "Starting the stand-ins");
  run.interrupt();
  const { status, stdout } = await run.ended();
  expect({ status, stdout }).toEqual({ status: 130, stdout: "" });
  expect(postgresRuns()).toBe(false);
});

test("says how it is used", async () => {
  const { status, stdout } = await start("--help").ended();
  expect(status).toBe(0);
  expect(stdout).toContain("Usage: npm start -- [options] [file]");
});
