import { readFileSync } from "node:fs";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "tar";
import { z } from "zod";
import { startModelServer, unpackArchive } from "../../local/model-server";
import { tinyModel } from "../setup/tiny-model";

/** Requests and answers byte for byte, which the tests of model/ read too. */
const golden = <Schema extends z.ZodType>(name: string, schema: Schema) =>
  z
    .array(schema)
    .min(1)
    .parse(JSON.parse(readFileSync(`model/golden/${name}.json`, "utf8")));
const answered = z.object({ request: z.string(), response: z.string() });
const refused = z.object({ contentType: z.string(), request: z.string(), status: z.number(), message: z.string() });

let model: Awaited<ReturnType<typeof tinyModel>>;
let folder: string;
beforeAll(async () => {
  model = await tinyModel();
  folder = await mkdtemp(join(tmpdir(), "archives-"));
});
afterAll(async () => {
  await model?.remove();
  await rm(folder, { recursive: true });
});

const invoke = (url: string, body: string, contentType = "application/json") =>
  fetch(`${url}/invocations`, { method: "POST", body, headers: { "content-type": contentType } });

test("a model answers from its packed archive as the golden answers have it", async () => {
  const file = join(folder, "model.tar.gz");
  await create({ file, gzip: true, cwd: model.folder }, await readdir(model.folder));
  const modelDir = await unpackArchive(file);
  const server = await startModelServer({ modelDir, environment: { SAGEMAKER_MODEL_SERVER_WORKERS: "2" } });
  try {
    expect((await fetch(`${server.url}/ping`)).status).toBe(200);
    for (const { request, response } of [...golden("predictions", answered), ...golden("instances", answered)]) {
      const answer = await invoke(server.url, request);
      expect([answer.status, await answer.text()]).toEqual([200, response]);
    }
    for (const { contentType, request, status, message } of golden("refusals", refused)) {
      const answer = await invoke(server.url, request, contentType);
      const [first] = (await answer.text()).split("\n");
      expect([answer.status, first]).toEqual([status, message]);
    }
  } finally {
    await server.stop();
    await rm(modelDir, { recursive: true });
  }
  await expect(fetch(`${server.url}/ping`)).rejects.toThrow("fetch failed");
});

test("a model that cannot be loaded is not served, and it is said why", async () => {
  const broken = await mkdtemp(join(folder, "broken-"));
  await expect(startModelServer({ modelDir: broken })).rejects.toThrow(
    /^The model could not be served\. .*there is no code\/inference\.py in /s,
  );
});

test("what is no archive is not unpacked", async () => {
  const file = join(folder, "no.tar.gz");
  await writeFile(file, "no archive");
  await expect(unpackArchive(file)).rejects.toThrow(`${file} could not be unpacked (`);
  const missing = join(folder, "missing.tar.gz");
  await expect(unpackArchive(missing)).rejects.toThrow(`${missing} could not be unpacked (ENOENT`);
});
