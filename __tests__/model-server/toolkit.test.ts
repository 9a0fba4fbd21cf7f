import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { hasToolkit, startToolkit } from "../../bench/toolkit";

/** Stands for AWS's toolkit, and says how it was started. */
const serving = `
import http.server, json, os
from . import torchserve

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        names = ("OMP_NUM_THREADS", "SAGEMAKER_MODEL_SERVER_WORKERS", "SAGEMAKER_PROGRAM", "SAGEMAKER_SUBMIT_DIRECTORY")
        said = {"told": [os.environ[name] for name in names], "files": os.listdir("model"), "config": torchserve.TS_CONFIG_FILE}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(said).encode())

def main():
    if os.path.exists("model/broken"):
        raise SystemExit("the model is broken")
    http.server.HTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
`;

const { PYTHONPATH } = process.env;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "toolkit-"));
  const toolkit = join(folder, "sagemaker_pytorch_serving_container");
  await mkdir(toolkit);
  const modules = { "torch.py": "", "ts.py": "" };
  for (const [name, text] of Object.entries(modules)) await writeFile(join(folder, name), text);
  const files = { "__init__.py": "", "torchserve.py": "TS_CONFIG_FILE = '/etc/ts.properties'", "serving.py": serving };
  for (const [name, text] of Object.entries(files)) await writeFile(join(toolkit, name), text);
  await mkdir(join(folder, "model"));
  await writeFile(join(folder, "model", "model.pt"), "");
});
beforeEach(() => {
  process.env.PYTHONPATH = folder;
});
afterEach(() => {
  if (PYTHONPATH === undefined) delete process.env.PYTHONPATH;
  else process.env.PYTHONPATH = PYTHONPATH;
});
afterAll(() => rm(folder, { recursive: true }));

const saidSchema = z.object({ told: z.array(z.string()), files: z.array(z.string()), config: z.string() });

test("AWS's stack serves an archive as a container on a CPU does, with files of its own that go when it ends", async () => {
  expect(await hasToolkit("python3")).toBe(true);
  const { url, stop } = await startToolkit(join(folder, "model"), "python3", {});
  const { told, files, config } = saidSchema.parse(await (await fetch(`${url}/said`)).json());
  await stop();
  const base = join(config, "..");
  expect(files).toEqual(["model.pt"]);
  expect(told).toEqual(["1", String(availableParallelism()), "inference.py", join(base, "model", "code")]);
  expect(await readdir(tmpdir())).not.toContain(base.split("/").at(-1));
  await expect(fetch(`${url}/ping`)).rejects.toThrow("fetch failed");
  expect(await readdir(join(folder, "model"))).toEqual(["model.pt"]);
});

test("that it does not start is told with the end of its log", async () => {
  const broken = await mkdtemp(join(folder, "broken-"));
  await writeFile(join(broken, "broken"), "");
  await expect(startToolkit(broken, "python3", {})).rejects.toThrow(
    /^AWS's serving stack did not start\. Its log ends:\n[\s\S]*the model is broken$/,
  );
});

test("a Python without it has none", async () => {
  delete process.env.PYTHONPATH;
  expect(await hasToolkit("python3")).toBe(false);
  expect(await hasToolkit(join(folder, "no-python"))).toBe(false);
});
