import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { endpointOf } from "../../../cli/deployment/endpoint";
import { labelOf } from "../../../config/contract";
import { defaultContract } from "../../../config/default-model";
import type { EnvironmentReleases, Release } from "../../../config/releases";
import { json, type StandIn, serve } from "../../../local/stand-in";
import { dev } from "../../setup/dev";
import { synthesizedStacks } from "../../setup/stacks";

const linked = ["node_modules", "package.json", "cdktf.json", "main.ts", "cli", "scripts", "lambda-src", "model"];

/** Takes the place of Python, whose pip is to unpack a package: it says what it was called with. */
const python = `#!/bin/sh
echo called >> python-calls
while [ "$1" != --target ]; do shift; done
mkdir -p "$2/tokenizers" && echo pass > "$2/tokenizers/__init__.py"
`;

/** A checkout of its own. */
let desk: string;
beforeAll(async () => {
  desk = await mkdtemp(join(tmpdir(), "desk-"));
  for (const name of linked) await symlink(resolve(name), join(desk, name));
  await mkdir(join(desk, "bin"));
  await writeFile(join(desk, "bin", "python3"), python, { mode: 0o755 });
});
afterAll(() => rm(desk, { recursive: true, force: true }));

function start(args: string[], above: Record<string, string> = {}) {
  const child = spawn(process.execPath, ["cli/offline-inference.mjs", "model", ...args], {
    cwd: desk,
    env: {
      ...process.env,
      PATH: `${join(desk, "bin")}:${process.env.PATH}`,
      AWS_ACCESS_KEY_ID: "test",
      AWS_SECRET_ACCESS_KEY: "test",
      ...above,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].setEncoding("utf8").on("data", (chunk: string) => {
      said[stream] += chunk;
    });
  }
  return { child, ended: once(child, "close").then(([status]) => ({ status, ...said })) };
}
const model = (...args: string[]) => start(args).ended;

/** Puts a model's folder into the checkout. */
async function writeModel(name: string) {
  await mkdir(join(desk, name));
  await writeFile(join(desk, name, "model.pt"), "weights");
  for (const file of ["config.json", "tokenizer.json", "tokenizer_config.json"]) {
    await writeFile(join(desk, name, file), "{}");
  }
}

test("packages the same archive of the same files, and fetches what goes with it once", async () => {
  await writeModel("same");
  const first = await model("package", "same");
  const file = await readFile(join(desk, "model.tar.gz"));
  expect(first).toEqual({
    status: 0,
    stdout: `${createHash("sha256").update(file).digest("hex")}  model.tar.gz\n`,
    stderr: "Fetching the packages of model/requirements.txt ...\n",
  });
  await chmod(join(desk, "same", "config.json"), 0o600);
  await utimes(join(desk, "same", "model.pt"), 1, 1);
  expect(await model("package", "same", "--output", "again.tar.gz")).toMatchObject({ status: 0, stderr: "" });
  expect(file.equals(await readFile(join(desk, "again.tar.gz")))).toBe(true);
  expect(await readFile(join(desk, "python-calls"), "utf8")).toBe("called\n");
});

test("packages nothing of a folder that lacks something, and names all of it", async () => {
  await mkdir(join(desk, "lacking"));
  await writeFile(join(desk, "lacking", "config.json"), "{}");
  await writeFile(join(desk, "lacking", "tokenizer.json"), "");
  expect(await model("package", "lacking", "--output", "lacking.tar.gz")).toEqual({
    status: 1,
    stdout: "",
    stderr: `lacking cannot be packaged:
  model.pt is missing: model/trace.py makes it
  tokenizer.json is empty
  tokenizer_config.json is missing
`,
  });
  await expect(readFile(join(desk, "lacking.tar.gz"))).rejects.toThrow("ENOENT");
});

test("releases no archive that was not verified", async () => {
  await writeFile(join(desk, "unverified.tar.gz"), "an archive");
  const { status, stdout, stderr } = await model("release", "unverified.tar.gz", "--env", "dev");
  expect([status, stdout]).toEqual([1, ""]);
  expect(stderr).toBe(
    "unverified.tar.gz has not been verified: offline-inference model verify unverified.tar.gz. " +
      "With --unverified it is released all the same, and the release says so.\n",
  );
  await expect(readFile(join(desk, "releases.json"))).rejects.toThrow("ENOENT");
});

test.each([["upload"], ["compile"], ["release"], ["ship"]])(
  "%s refuses an environment that there is not",
  async (command) => {
    const { status, stdout, stderr } = await model(command, "model.tar.gz", "--env", "stage");
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toBe('There is no environment "stage". The environments of config.ts: dev, prod\n');
  },
);

test("a release is an archive or the one before, and not both", async () => {
  for (const args of [[], ["model.tar.gz", "--rollback"]]) {
    expect(await model("release", ...args, "--env", "dev")).toMatchObject({
      status: 1,
      stderr: "Name either an archive or --rollback, as in model release model.tar.gz --env dev\n",
    });
  }
});

describe("a release that is waited for", () => {
  const release = (letter: string): Release => ({
    artifact: { bucket: "our-models", key: `${letter}.tar.gz`, sha256: letter.repeat(64) },
    kind: "inf1-torch-neuron",
    contract: labelOf(defaultContract),
    verified: true,
  });
  const before: EnvironmentReleases = { current: release("b"), previous: release("a") };
  const after: EnvironmentReleases = { current: release("a"), previous: release("b") };
  /** What the endpoint serves of releases, by its name on AWS. */
  const servedOf = async (dev: EnvironmentReleases) => {
    const folder = await mkdtemp(join(tmpdir(), "stack-"));
    await writeFile(join(folder, "cdk.tf.json"), synthesizedStacks({ dev })["inference-dev"] ?? "");
    const { configurationName } = endpointOf(folder);
    await rm(folder, { recursive: true });
    return configurationName;
  };

  let sagemaker: StandIn;
  let endpoint: Record<string, unknown>;
  /** Called when the endpoint is looked at. */
  let onLook: () => void;
  beforeEach(async () => {
    onLook = () => {};
    sagemaker = await serve(() => {
      onLook();
      return json({ EndpointName: dev.model.endpointName, LastModifiedTime: 1, ...endpoint });
    });
    await writeFile(join(desk, "releases.json"), JSON.stringify({ dev: before }));
  });
  afterEach(() => sagemaker.stop());

  const waiting = () =>
    start(["release", "--rollback", "--env", "dev", "--wait"], { AWS_ENDPOINT_URL_SAGEMAKER: sagemaker.url });
  const written = async () => JSON.parse(await readFile(join(desk, "releases.json"), "utf8"));

  test("ends with 0 once the endpoint serves it", async () => {
    const EndpointConfigName = await servedOf(after);
    endpoint = { EndpointStatus: "InService", EndpointConfigName };
    const { status, stdout, stderr } = await waiting().ended;
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: "The release before is the one of dev again in releases.json.\n",
    });
    expect(stderr).toMatch(`\n${dev.model.endpointName} serves ${EndpointConfigName}.\n`);
    expect(await written()).toEqual({ dev: after });
  });

  test("ends with 1 and the way back where it fails", async () => {
    const EndpointConfigName = await servedOf(after);
    endpoint = { EndpointStatus: "Failed", EndpointConfigName, FailureReason: "The container did not answer." };
    const { status, stderr } = await waiting().ended;
    expect(status).toBe(1);
    expect(stderr).toContain(`does not serve ${EndpointConfigName}: it is Failed with ${EndpointConfigName}.
SageMaker says: The container did not answer.
The release before is kept on AWS. The way back is \`offline-inference model release --env <environment> --rollback\``);
  });

  test("stays a release where the waiting is interrupted", async () => {
    endpoint = { EndpointStatus: "InService", EndpointConfigName: await servedOf(before) };
    const { child, ended } = waiting();
    onLook = () => child.kill("SIGINT");
    const { status, stderr } = await ended;
    expect(status).toBe(130);
    expect(stderr).toMatch(/\nInterrupted by SIGINT\.\n$/);
    expect(await written()).toEqual({ dev: after });
  });
});
