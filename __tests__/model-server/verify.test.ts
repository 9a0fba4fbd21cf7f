import { execFile } from "node:child_process";
import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { create } from "tar";
import { z } from "zod";
import { tinyModel } from "../setup/tiny-model";

const run = promisify(execFile);
const failed = z.object({ code: z.number(), stdout: z.string(), stderr: z.string() });

let tiny: Awaited<ReturnType<typeof tinyModel>>;
/** A checkout of its own, since what is verified is noted in .local/. */
let desk: string;
/** The code of an archive that answers right. */
let code: string;
beforeAll(async () => {
  tiny = await tinyModel();
  desk = await mkdtemp(join(tmpdir(), "desk-"));
  for (const name of ["node_modules", "package.json", "cli", "model", ".venv"]) {
    await symlink(resolve(name), join(desk, name));
  }
  await cp(tiny.folder, join(desk, "model-folder"), { recursive: true });
  code = await readFile(join("model", "inference.py"), "utf8");
});
afterAll(async () => {
  await tiny?.remove();
  await rm(desk, { recursive: true, force: true });
});

/** Verifies an archive with other code in it. */
async function verify(changed: string, ...options: string[]) {
  const folder = join(desk, "model-folder");
  await writeFile(join(folder, "code", "inference.py"), changed);
  await create({ file: join(desk, "model.tar.gz"), gzip: true, cwd: folder }, await readdir(folder));
  const command = ["--import", "tsx", "cli/main.ts", "model", "verify", "model.tar.gz", ...options];
  return run(process.execPath, command, { cwd: desk }).then(
    (said) => ({ code: 0, ...said }),
    (error: unknown) => failed.parse(error),
  );
}
const noted = async () => (await readdir(join(desk, ".local", "verified-models")).catch(() => [])).length;

const reach = `__import__("urllib.request").request.urlopen("http://huggingface.co")`;
const fault =
  "The model reached out to huggingface.co: on SageMaker it has no network, so what it needs must be in its archive.";

test("an archive that gets what it needs from elsewhere is not verified, and it is said from where", async () => {
  const fetching = code.replace("    folder = Path(model_dir)\n", `    ${reach}\n    folder = Path(model_dir)\n`);
  expect(fetching).not.toBe(code);
  const { code: status, stdout, stderr } = await verify(fetching);
  expect([status, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(/^The model could not be served\. Its log ends:\n {2}The model in .* cannot be loaded:\n/m);
  expect(stderr.trim().split("\n").at(-1)?.trim()).toBe(fault);
  expect(await noted()).toBe(0);
});

test("an archive that reaches out when it is asked is not verified, even where it answers without", async () => {
  const asking = `    try: ${reach}\n    except OSError: pass\n`;
  const calling = code.replace(
    "    import torch\n\n    batch, length",
    `${asking}    import torch\n\n    batch, length`,
  );
  expect(calling).not.toBe(code);
  const { code: status, stdout } = await verify(calling);
  expect(status).toBe(1);
  expect(stdout).toMatch(/^0 of 6 answers of model\.tar\.gz are the golden ones\.\n/);
  expect(stdout).toContain(`got      HTTP 500 ${fault}\n`);
  expect(await noted()).toBe(0);
});

test("an archive that has all that it needs is verified", async () => {
  const { code: status, stdout } = await verify(code);
  expect([status, stdout]).toEqual([0, "6 of 6 answers of model.tar.gz are the golden ones.\n"]);
  expect(await noted()).toBe(1);
});

test("the last digits of a score are no fault, and another label or another score is one", async () => {
  const scores = { label: "yes", score: 0.75, scores: { no: 0.25, yes: 0.75 } };
  const request = JSON.stringify({ seq_0: "a", seq_1: "b" });
  await writeFile(join(desk, "scores.json"), JSON.stringify([{ request, response: JSON.stringify(scores) }]));
  const answering = (answer: unknown) => {
    const changed = code.replace("return json.dumps(answer),", `return ${JSON.stringify(JSON.stringify(answer))},`);
    expect(changed).not.toBe(code);
    return verify(changed, "--golden", "scores.json");
  };
  const said = [
    await answering({ ...scores, score: 0.7504, scores: { yes: 0.7504, no: 0.2496 } }),
    await answering({ ...scores, score: 0.752 }),
    await answering({ ...scores, label: "no" }),
    await answering({ ...scores, scores: { no: 0.25 } }),
  ];
  expect(said.map(({ code: status }) => status)).toEqual([0, 1, 1, 1]);
});
