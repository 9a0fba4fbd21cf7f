import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { z } from "zod";
import { widthOf } from "../../cli/shared/text-table";
import { signatureHeaders } from "../../local/signature";

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
    "examples",
    "model",
  ])
    await symlink(resolve(name), join(desk, name));
});
afterAll(() => rm(desk, { recursive: true, force: true }));

/** `npm start` after its build. */
function start(...given: (string | Record<string, string>)[]) {
  const args = given.filter((one) => typeof one === "string");
  const env = Object.assign({ ...process.env }, ...given.filter((one) => typeof one !== "string"));
  const child = spawn(process.execPath, ["--import", "tsx", "cli/start.ts", ...args], { cwd: desk, env });
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

const modeOf = async (path: string) => ((await stat(join(desk, path))).mode & 0o777).toString(8);
const postgresRuns = () => existsSync(join(desk, ".local/postgres/postmaster.pid"));

test("predicts every row of the sample file, shows the first with their answers, and ends with 0", async () => {
  const { status, stdout, stderr } = await start({ LINES: "32" }).ended();
  expect({ status, stderr }).toEqual({ status: 0, stderr: expect.stringContaining("48 of 48 answered.") });
  const lines = stdout.split("\n");
  expect(lines[0]).toMatch(/^id +seq_0 +seq_1 +prediction$/);
  expect(lines[1]).toMatch(/^1 +Heavy rain is expected in the valley on Sunday\. .* It's a paraphrase$/);
  expect(lines[3]).toMatch(/^3 .* Not a paraphrase$/);
  expect(stdout).toContain("It's a paraphrase: 30, Not a paraphrase: 18\n");
  expect(stdout).toContain("The whole result: .local/results.csv");
  expect((await readFile(join(desk, ".local/results.csv"), "utf8")).trim().split("\n")).toHaveLength(49);
  expect(stderr).toContain("To look at: .local/report.html\n");
  expect(await readFile(join(desk, ".local/report.html"), "utf8")).toContain("<caption>48 answers");
  expect(stdout).toContain("Next:\n  npm start -- rows.csv ");
  const npmSays = 8;
  expect(npmSays + stdout.trim().split("\n").length + stderr.trim().split("\n").length).toBeLessThan(32); // nothing scrolls away
  expect(stderr).toContain("The model is a stand-in");
  expect(postgresRuns()).toBe(false);
});

test("fits a narrow terminal, wide characters and all", async () => {
  const [one, other] = ["猫は窓辺で眠る。".repeat(9), "窓辺で猫が眠る。".repeat(9)];
  await writeFile(join(desk, "wide.csv"), `id,seq_0,seq_1\n1,${one},${other}\n`);
  const { status, stdout } = await start({ COLUMNS: "60" }, "wide.csv").ended();
  expect(status).toBe(0);
  for (const line of stdout.split("\n")) expect(widthOf(line)).toBeLessThanOrEqual(60);
  expect(stdout).toMatch(/^1 +猫.*… +窓.*… +\w+ a paraphrase$/m);
});

test("refuses a broken file by line and column, without starting anything", async () => {
  await writeFile(join(desk, "broken.csv"), 'id,seq_0,seq_1\n1,a,b\n1,c,\n2,"d,e\n');
  const { status, stdout, stderr } = await start("broken.csv").ended();
  expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  expect(stderr).toContain("broken.csv:3:5: seq_1 is empty\n");
  expect(stderr).toContain("broken.csv:4:3: the quote that opens here is never closed\n");
  expect(stderr).not.toContain("Starting");
});

test("says which contract would fit a file of other columns", async () => {
  await writeFile(join(desk, "people.csv"), "id,age,income,city\n1,34,1200.5,Lisbon\n2,51,900,Porto\n");
  const { status, stdout, stderr } = await start("people.csv").ended();
  expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  expect(stderr).toContain("your columns: age, income, city");
  expect(stderr).toContain('features: { age: "Integral", income: "Fractional", city: "String" }');
});

test("npm runs it in the project's folder, and a file is taken from where npm was called", async () => {
  await mkdir(join(desk, "data"), { recursive: true });
  await writeFile(join(desk, "data", "others.csv"), "id,size\n1,34\n");
  const called = { npm_lifecycle_event: "start", INIT_CWD: join(desk, "data") };
  const { status, stderr } = await start(called, "others.csv").ended();
  expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining("your columns: size;") });
});

test("asks for nothing where a row is at fault, and ends with 1", async () => {
  const tooLong = "x".repeat(1_025);
  await writeFile(join(desk, "mine.csv"), `id,seq_0,seq_1\nmine,One and the same.,One and the same.\n${tooLong},a,b\n`);
  const { status, stdout, stderr } = await start("mine.csv").ended();
  expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  expect(stderr).toContain("mine.csv:3:1: id must be ");
  expect(stderr).toContain("1 of 2 rows are at fault: nothing is asked.");
});

test("an example of examples/ runs in the place of config.ts, and its answers are JSON", async () => {
  const { status, stdout, stderr } = await start("--example", "text-generation").ended();
  expect({ status, stderr }).toEqual({ status: 0, stderr: expect.stringContaining("6 of 6 answered.") });
  expect(stdout).toMatch(/^id +prompt +prediction$/m);
  expect(stdout).toContain('[{"generated_text":"');
  expect(stdout).toContain("6 answers, most of them different");
});

test("refuses an example that there is not, by name", async () => {
  const { status, stderr } = await start("--example", "tabula").ended();
  expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining("tabular, text-generation") });
});

test("says at once that there is no Python", async () => {
  const { status, stdout, stderr } = await start({ PATH: desk }, "--example", "tabular").ended();
  expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  expect(stderr).toContain("The model needs Python 3.11 or newer as python3 in PATH.\n");
});

test("keeps running when told to, works for others meanwhile, and ends everything at Ctrl-C", async () => {
  await writeFile(join(desk, "few.csv"), "id,seq_0,seq_1\n1,One and the same.,One and the same.\n3,One.,Other.\n");
  const run = start("--keep", "few.csv");
  await run.printed("stderr", "Running until Ctrl-C.");
  const stdout = await run.printed("stdout", "/#");
  const exports = await readFile(join(desk, ".local/env.sh"), "utf8");
  const exported = new Map(
    [...exports.matchAll(/^export (\w+)=(.*)$/gm)].map(([, name = "", value = ""]) => [name, value]),
  );
  const url = `${exported.get("API_URL")}/predict`;

  const second = await start("few.csv").ended();
  expect(second).toMatchObject({ status: 1, stdout: "", stderr: expect.stringContaining(".local/run") });

  const signed = (method: string, address: string) =>
    signatureHeaders({ method, url: new URL(address) }, exported.get("AWS_ACCESS_KEY_ID") ?? "");
  const post = async (headers: Record<string, string>) =>
    fetch(url, { method: "POST", headers, body: JSON.stringify({ id: "3" }) });
  expect((await post({})).status).toBe(403);
  const posted = await post(await signed("POST", url));
  expect(posted.status).toBe(202);
  const { requestId } = z.object({ requestId: z.string() }).parse(await posted.json());

  const answers = z.object({ predictions: z.array(z.object({ requestId: z.string(), output: z.string() })) });
  const find = async () => {
    const found = await fetch(`${url}/3`, { headers: await signed("GET", `${url}/3`) });
    const { predictions } = answers.parse(await found.json());
    return predictions.find((prediction) => prediction.requestId === requestId);
  };
  let found = await find();
  while (found === undefined) found = await find();
  expect(found.output).toBe("Not a paraphrase");
  expect(postgresRuns()).toBe(true);
  expect(await modeOf(".local")).toBe("700");
  for (const file of ["environment.json", "env.sh"]) expect(await modeOf(`.local/${file}`)).toBe("600");

  const [, curl = ""] = /^curl:\n([\s\S]*?)\n\n/m.exec(stdout) ?? [];
  const called = spawnSync("sh", ["-euc", curl], { cwd: desk, encoding: "utf8" });
  expect(called).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/"requestId":.*"output":"It's a paraphrase"/),
  });
  const [address = ""] = stdout.match(/http:\S+#\w+/) ?? [];
  const { origin, hash } = new URL(address);
  const looked = await fetch(`${origin}/state`, {
    method: "POST",
    headers: { authorization: `Bearer ${hash.slice(1)}` },
  });
  expect(await looked.json()).toMatchObject({ jobs: [{ rows: "2 of 2 answered" }], failures: [] });

  run.interrupt();
  const { status, stderr } = await run.ended();
  expect({ status, stderr }).toEqual({ status: 130, stderr: expect.stringMatching(/Running until Ctrl-C\.\n$/) });
  expect(postgresRuns()).toBe(false);
  expect(existsSync(join(desk, ".local/env.sh"))).toBe(false);
  const servers = [...exported].filter(([name]) => name.startsWith("AWS_ENDPOINT_URL") || name === "API_URL");
  expect(servers).toHaveLength(13);
  for (const server of [address, ...servers.map(([, url]) => url)])
    await expect(fetch(server)).rejects.toThrow("fetch failed");
});

test("leaves what the last --keep holds, until it is told to delete it", async () => {
  const [database, results] = [join(desk, ".local/postgres/PG_VERSION"), join(desk, ".local/results.csv")];
  const held = await readFile(results, "utf8");
  for (const args of [["few.csv"], ["--keep", "few.csv"]]) {
    const { status, stdout, stderr } = await start(...args).ended();
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toContain(".local/ holds what the last --keep left");
    expect(stderr).toContain("npm start -- --fresh");
    expect([existsSync(database), await readFile(results, "utf8")]).toEqual([true, held]);
  }
  const { status } = await start("--fresh", "few.csv").ended();
  expect([status, (await readFile(results, "utf8")) === held]).toEqual([0, false]);
});

test("can be interrupted before it is ready", async () => {
  const run = start();
  await run.printed("stderr", "stand-ins for AWS");
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
