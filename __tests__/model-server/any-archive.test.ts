import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { Log } from "../../local/model-server";
import { serveModel } from "../../local/served-model";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "archives-"));
});
afterAll(() => rm(folder, { recursive: true }));

const usual = {
  model_fn: "def model_fn(model_dir):\n    return 2",
  input_fn: "def input_fn(body, content_type):\n    return body, content_type",
  predict_fn: "def predict_fn(asked, model):\n    return asked",
  output_fn: "def output_fn(answer, accept):\n    return answer[0], 'text/csv'",
};

/** An unpacked archive whose code needs nothing but Python. */
async function archive(functions: Partial<Record<keyof typeof usual, string>> = {}) {
  const made = await mkdtemp(join(folder, "model-"));
  await mkdir(join(made, "code"));
  await writeFile(join(made, "code", "inference.py"), Object.values({ ...usual, ...functions }).join("\n\n"));
  return made;
}

/** Serves an archive for as long as `use` takes, and keeps its log. */
async function served<T>(model: string, use: (served: Awaited<ReturnType<typeof serveModel>>) => Promise<T>) {
  let log = "";
  const hear = (text: string) => {
    log += text;
  };
  const running = await serveModel(model, { log: new Log(hear) });
  try {
    return { result: await use(running), log };
  } finally {
    await running.stop();
  }
}

const csv = { body: Buffer.from("1,2.5,é\n3,,x"), contentType: "text/csv", accept: "text/csv" };

test("an archive without PyTorch answers any content type, and installs nothing", async () => {
  const model = await archive({
    output_fn:
      "def output_fn(answer, accept):\n    body, kind = answer\n    return f'{type(body).__name__} {kind} {accept} {len(body)}', 'text/x-own'",
  });
  const answers = await served(model, async ({ model: ask }) => [
    await ask(csv),
    await ask({ body: Buffer.from([0, 255, 128]), contentType: "image/png", accept: "application/json" }),
  ]);
  expect(answers.result.map(({ body, contentType }) => [body.toString(), contentType])).toEqual([
    ["str text/csv text/csv 12", "text/x-own"],
    ["bytes image/png application/json 3", "text/x-own"],
  ]);
});

test("a model's process is told what one on a CPU is, and what is added goes before", async () => {
  const model = await archive({
    output_fn:
      "import os\ndef output_fn(answer, accept):\n    return ' '.join(os.environ.get(name, '') for name in ('OMP_NUM_THREADS', 'SAGEMAKER_MODEL_SERVER_WORKERS', 'OWN'))",
  });
  const said = async (environment?: Record<string, string>) => {
    const running = await serveModel(model, { log: new Log(() => {}), environment });
    try {
      return (await running.model(csv)).body.toString();
    } finally {
      await running.stop();
    }
  };
  expect(await said()).toBe(`1 ${availableParallelism()} `);
  expect(await said({ SAGEMAKER_MODEL_SERVER_WORKERS: "1", OWN: "x" })).toBe("1 1 x");
});

test("bytes that are no text come back as they are", async () => {
  const model = await archive({ output_fn: "def output_fn(answer, accept):\n    return bytes([0, 255]), 'image/png'" });
  const { result } = await served(model, async ({ model: ask }) => ask(csv));
  expect(result).toEqual({ body: Buffer.from([0, 255]), contentType: "image/png" });
});

test("what an output_fn returns must be text or bytes", async () => {
  const model = await archive({ output_fn: "def output_fn(answer, accept):\n    return [1.0]" });
  await served(model, ({ model: ask }) =>
    expect(ask(csv)).rejects.toMatchObject({ status: 500, message: expect.stringContaining("got list") }),
  );
});

test("functions that are missing are named", async () => {
  const model = await archive({ input_fn: "", output_fn: "output_fn = None" });
  const starting = serveModel(model, { log: new Log(() => {}) });
  await expect(starting).rejects.toThrow(
    "code/inference.py must have model_fn, input_fn, predict_fn, output_fn; it lacks input_fn, output_fn.",
  );
});

test("a model that cannot be loaded says so with the end of its own log", async () => {
  const model = await archive({
    model_fn: "print('reading weights')\ndef model_fn(model_dir):\n    raise KeyError('w1')",
  });
  await expect(serveModel(model, { log: new Log(() => {}) })).rejects.toThrow(
    /^The model could not be served\. Its log ends:\n[\s\S]*reading weights[\s\S]*KeyError: 'w1'/,
  );
});

test("a model that hangs while it is loaded can be given up, and leaves no process", async () => {
  const model = await archive({
    model_fn:
      "import threading\ndef model_fn(model_dir):\n    print('at work', flush=True)\n    threading.Event().wait()",
  });
  const giveUp = new AbortController();
  const log = new Log((text) => text.includes("at work") && giveUp.abort(new Error("given up")));
  await expect(serveModel(model, { log, signal: giveUp.signal })).rejects.toThrow("given up");
});

test("the end of a model that dies is told with its log", async () => {
  const model = await archive({
    predict_fn:
      "import os, sys\ndef predict_fn(asked, model):\n    print('out of memory', flush=True)\n    os._exit(9)",
  });
  await served(model, async ({ model: ask, died }) => {
    await expect(ask(csv)).rejects.toThrow();
    expect(await died).toMatch(/^The model has ended\. Its log ends:\n[\s\S]*out of memory[\s\S]*A worker died/);
  });
});
