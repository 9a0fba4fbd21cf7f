import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { create } from "tar";
import { z } from "zod";
import { withCsv } from "../../cli/shared/csv";
import type { Model } from "../../local/sagemaker-runtime";
import { serveModel } from "../../local/served-model";
import { sampleRows } from "../../samples";
import { paraphrases } from "../../samples/paraphrase/lexical-model";
import { tinyModel } from "../setup/tiny-model";

const run = promisify(execFile);
const linked = [
  "node_modules",
  "package.json",
  "cdktf.json",
  "lambda-src",
  "main.ts",
  "cli",
  "local",
  "samples",
  "examples",
  "model",
  ".venv",
];
const failed = z.object({ code: z.number(), stdout: z.string(), stderr: z.string() });

let tiny: Awaited<ReturnType<typeof tinyModel>>;
/** A checkout of its own, since a run has .local/ and cdktf.out/ for itself. */
let desk: string;
beforeAll(async () => {
  tiny = await tinyModel();
  desk = await mkdtemp(join(tmpdir(), "desk-"));
  for (const name of linked) await symlink(resolve(name), join(desk, name));
  await mkdir(join(desk, "tmp"));
  await run(process.execPath, [resolve("scripts", "build.mjs")], { cwd: desk });
});
afterAll(async () => {
  await tiny?.remove();
  await rm(desk, { recursive: true, force: true });
});

const node = (...args: string[]) =>
  run(process.execPath, args, {
    cwd: desk,
    env: { ...process.env, TMPDIR: join(desk, "tmp") },
  }).then(
    (said) => ({ code: 0, ...said }),
    (error: unknown) => failed.parse(error),
  );
const start = (...args: string[]) => node("--import", "tsx", "cli/start.ts", ...args);

/** What a model of JSON answers. */
async function ask(model: Model, body: unknown): Promise<unknown> {
  const json = "application/json";
  const answer = await model({ body: Buffer.from(JSON.stringify(body)), contentType: json, accept: json });
  return JSON.parse(answer.body.toString());
}

/** What the model itself answers to the rows of the sample file. */
async function answersOf(artifact: string) {
  const instances: { seq_0: string; seq_1: string }[] = [];
  await withCsv(sampleRows, {}, async (file) => {
    for await (const { values } of file.rows()) instances.push({ seq_0: values[1] ?? "", seq_1: values[2] ?? "" });
  });
  const { model, stop } = await serveModel(artifact);
  try {
    const { predictions } = z.object({ predictions: z.array(z.string()) }).parse(await ask(model, { instances }));
    return { standIn: instances.map(paraphrases), predictions };
  } finally {
    await stop();
  }
}

test("npm start answers with the model of an archive, in the stand-in's place, and leaves nothing of it behind", async () => {
  const archive = join(desk, "model.tar.gz");
  await create({ file: archive, gzip: true, cwd: tiny.folder }, await readdir(tiny.folder));
  const { standIn, predictions } = await answersOf(tiny.folder);
  expect(predictions).not.toEqual(standIn); // or it could not be told who answers

  const { code, stdout, stderr } = await start("--model", "model.tar.gz");
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining("The model is that of model.tar.gz.") });
  expect(stderr).not.toContain("stand-in:");
  const table = stdout.split("\n").flatMap((line) => / ((?:It's|Not) a paraphrase)$/.exec(line)?.[1] ?? []);
  expect(table).toEqual(predictions.slice(0, 10));
  expect((await readdir(join(desk, "tmp"))).filter((name) => name.startsWith("model-"))).toEqual([]);
});

test("npm start refuses what is no model before it starts anything", async () => {
  expect(await start("--model", "nowhere.tar.gz")).toEqual({
    code: 1,
    stdout: "",
    stderr: "The model is that of nowhere.tar.gz.\nThere is no archive or folder nowhere.tar.gz.\n",
  });
  const { code, stdout, stderr } = await start("--model", "samples/paraphrase/requests.csv");
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toContain("samples/paraphrase/requests.csv could not be unpacked (");
});

test("a served model speaks both contracts, and refuses as its container would", async () => {
  const pair = { seq_0: "The choir sings on Friday.", seq_1: "On Friday the choir sings." };
  const { model, stop } = await serveModel(tiny.folder);
  try {
    expect(await ask(model, pair)).toBe("It's a paraphrase");
    const error = 'an instance must be {"seq_0": "<sentence>", "seq_1": "<sentence>"}';
    expect(await ask(model, { instances: [pair, {}] })).toEqual({ predictions: ["It's a paraphrase", { error }] });
    await expect(ask(model, {})).rejects.toMatchObject({
      status: 400,
      message: expect.stringMatching(/^the body must be /),
    });
  } finally {
    await stop();
  }
  await expect(ask(model, pair)).rejects.toThrow("fetch failed");
});

test("the accuracy script measures a model beside the stand-in", async () => {
  const { code, stdout, stderr } = await node(
    "--import",
    "tsx",
    "samples/paraphrase/accuracy.ts",
    "--model",
    tiny.folder,
  );
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringMatching(/^150 of 150 pairs are answered\n$/m) });
  const [head, , all] = stdout.split("\n");
  expect(head).toBe("|  | pairs | stand-in: right | precision | model: right | precision |");
  expect(all).toMatch(/^\| all \| 150 \| \d+ % \| \d+ % \| \d+ % \| \d+ % \|$/);
});
