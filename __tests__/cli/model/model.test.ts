import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { create, list } from "tar";
import { endpointOf } from "../../../cli/deployment/endpoint";
import { labelOf } from "../../../config/contract";
import { defaultContract } from "../../../config/default-model";
import type { EnvironmentReleases, Release } from "../../../config/releases";
import { json, type StandIn, serve } from "../../../local/stand-in";
import { dev } from "../../setup/dev";
import { goldenOfPair, modelOfPairs, plainModel, writeModelFolder } from "../../setup/model-folder";
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

test("packages the same archive of the same files, and fetches what goes with it once", async () => {
  await writeModelFolder(join(desk, "same"));
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
  expect(await readFile(join(desk, "python-calls"), "utf8")).toBe("called\n".repeat(2)); // for each kind of machine
});

test("packages nothing of a folder that lacks something, and names all of it", async () => {
  const files = { "config.json": "{", "tokenizer.json": "", "code/requirements.txt": "numpy\n" };
  const named = ["config.json", "tokenizer.json", "weights.bin", "code/requirements.txt"];
  await writeModelFolder(join(desk, "lacking"), { model: { files: named }, files });
  const { status, stdout, stderr } = await model("package", "lacking", "--output", "lacking.tar.gz");
  expect([status, stdout]).toEqual([1, ""]);
  expect(stderr.replace(/JSON: .*/, "JSON")).toBe(`lacking cannot be packaged:
  config.json is no JSON
  tokenizer.json is empty
  weights.bin is missing
  its code/requirements.txt is not empty: SageMaker would run pip, and the model has no network
  code/inference.py is not among the files of model.json, and the image needs it
`);
  await expect(readFile(join(desk, "lacking.tar.gz"))).rejects.toThrow("ENOENT");
});

test("says what to do with a folder or an archive of an earlier version, which has no model.json", async () => {
  await writeModelFolder(join(desk, "earlier"));
  await rm(join(desk, "earlier", "model.json"));
  await create({ file: join(desk, "earlier.tar.gz"), gzip: true, cwd: join(desk, "earlier") }, ["model.pt"]);
  const what =
    "it lacks model.json, which says what it speaks, as one of an earlier version does: make its folder anew by model/trace.py, or write it as docs/your-model.md has it, and package that";
  expect(await model("package", "earlier")).toMatchObject({
    status: 1,
    stderr: `earlier cannot be packaged:\n  ${what}\n`,
  });
  expect(await model("release", "earlier.tar.gz", "--env", "dev")).toMatchObject({
    status: 1,
    stderr: `earlier.tar.gz is no archive for SageMaker:\n  ${what}\n`,
  });
});

test("says everything that is wrong with a model.json", async () => {
  const wrong = { version: 2, golden: "../golden.json", image: "tensorflow", files: [] };
  await writeModelFolder(join(desk, "wrong"), { model: wrong });
  expect(await model("package", "wrong")).toMatchObject({
    status: 1,
    stderr: `wrong cannot be packaged:
  model.json: version: got 2; allowed: 1, the version that this program reads
  model.json: files: got []; allowed: one file or more
  model.json: image: got "tensorflow"; allowed: "pytorch", "scikit-learn", "other" (cli/model/model-file.ts)
  model.json: golden: got "../golden.json"; allowed: the path of a file below the folder, such as code/inference.py
`,
  });
});

test("an archive holds what model.json names, and asks nothing that its image does not need", async () => {
  await writeModelFolder(join(desk, "own"), {
    model: { files: ["weights.bin"], image: "other", golden: "asked.json" },
    files: { "weights.bin": "weights", "asked.json": JSON.stringify(goldenOfPair) },
  });
  expect(await model("package", "own", "--output", "own.tar.gz")).toMatchObject({ status: 0, stderr: "" });
  const names: string[] = [];
  await list({ file: join(desk, "own.tar.gz"), onReadEntry: ({ path }) => names.push(path) });
  expect(names).toEqual(["asked.json", "model.json", "weights.bin"]);
});

test("releases no archive that was not verified", async () => {
  await writeModelFolder(join(desk, "unverified"));
  await model("package", "unverified", "--output", "unverified.tar.gz");
  const { status, stdout, stderr } = await model("release", "unverified.tar.gz", "--env", "dev");
  expect([status, stdout]).toEqual([1, ""]);
  expect(stderr).toBe(
    "unverified.tar.gz has not been verified: npx offline-inference model verify unverified.tar.gz. " +
      "With --unverified it is released all the same, and the release says so.\n",
  );
  await expect(readFile(join(desk, "releases.json"))).rejects.toThrow("ENOENT");
});

describe("a model that does not speak the contract of config.ts", () => {
  const contract = { features: { review: "String", stars: "Integral" }, request: ["jsonlines", "csv"], answer: "json" };
  const said = `does not speak the contract of config.ts, ${labelOf(dev.model.contract)}: it speaks jsonlines or csv of review, stars, answered by json.
config.ts decides. These lines of it fit the model:
  model: {
    contract: {
      features: { review: "String", stars: "Integral" },
      request: "jsonlines",
      answer: "json",
    },
  },
`;
  beforeAll(async () => {
    await writeModelFolder(join(desk, "other"), { model: { contract } });
    await model("package", "other", "--output", "other.tar.gz");
  });

  test.each([
    ["release", "other.tar.gz"],
    ["ship", "other"],
  ])("is refused by %s, with the lines for config.ts", async (command, what) => {
    const { status, stderr } = await model(command, what, "--env", "dev");
    expect([status, stderr]).toEqual([1, expect.stringContaining(`${what} ${said}`)]);
  });
});

test("a model that is made for another image than config.ts has is not released", async () => {
  await writeModelFolder(join(desk, "plain"), plainModel("one == other"));
  expect(await model("package", "plain", "--output", "plain.tar.gz")).toMatchObject({ status: 0 });
  const { status, stderr } = await model("release", "plain.tar.gz", "--env", "dev");
  expect([status, stderr]).toEqual([
    1,
    expect.stringMatching(
      /^plain\.tar\.gz is made for an image of scikit-learn, and config\.ts has \S+pytorch\S+: set model\.image /,
    ),
  ]);
});

test("asks for an archive or an endpoint to verify", async () => {
  expect(await model("verify")).toMatchObject({
    status: 1,
    stderr: "Name an archive or --endpoint, as in model verify model.tar.gz\n",
  });
});

test.each([["upload"], ["compile"], ["release"], ["ship"]])(
  "%s refuses an environment that there is not",
  async (command) => {
    const { status, stdout, stderr } = await model(command, "model.tar.gz", "--env", "stage");
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toBe('There is no environment "stage". The environments of config.ts: dev, prod\n');
  },
);

test("ships nothing of a folder that is not there or holds no model, and installs and asks nothing before", async () => {
  await writeFile(join(desk, "python-calls"), "");
  await mkdir(join(desk, "empty"), { recursive: true });
  const ended = await Promise.all(["nofolder", "empty"].map((folder) => model("ship", folder, "--env", "dev")));
  expect(ended).toEqual([
    { status: 1, stdout: "", stderr: "There is no folder nofolder.\n" },
    { status: 1, stdout: "", stderr: expect.stringMatching(/^empty holds no model: .* model\.json .*config\.json/) },
  ]);
  expect(await readFile(join(desk, "python-calls"), "utf8")).toBe("");
});

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
The release before is kept on AWS. The way back is \`npx offline-inference model release --rollback --env <environment>\``);
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

  describe("and has golden requests", () => {
    const golden = JSON.stringify(goldenOfPair);
    const goldenHash = createHash("sha256").update(golden).digest("hex");
    const proof = {
      golden: goldenHash,
      archive: { sha256: "a".repeat(64), at: "2026-01-01T00:00:00.000Z", asked: 1, agreed: 1 },
    };
    const proven = { ...release("a"), speaks: modelOfPairs.contract, verified: false, proof };
    const [{ response = "" } = {}] = goldenOfPair;
    const first = dev.model.variantName;
    let servedUrl: string;
    let answerOf: (variant: string) => string | undefined;
    let asked: string[];
    let s3: StandIn;
    let runtime: StandIn;
    beforeEach(async () => {
      asked = [];
      servedUrl = "s3://our-models/a.tar.gz";
      answerOf = () => response;
      await sagemaker.stop();
      sagemaker = await serve(({ headers }) => {
        const variants = [first, "second"].map((VariantName) => ({ VariantName, ModelName: VariantName }));
        const answers: Record<string, object> = {
          DescribeEndpoint: { ...endpoint, ProductionVariants: variants, LastModifiedTime: 1 },
          DescribeEndpointConfig: { ProductionVariants: variants },
          DescribeModel: { Containers: [{ ModelDataUrl: servedUrl }] },
        };
        return json(answers[String(headers["x-amz-target"]).replace("SageMaker.", "")] ?? {});
      });
      s3 = await serve(({ url }) => {
        if (url.pathname.endsWith(`/golden/${goldenHash}.json`)) return { status: 200, body: golden };
        return { status: 404, body: "<Error><Code>NoSuchKey</Code></Error>" };
      });
      runtime = await serve(({ headers, body }) => {
        const variant = String(headers["x-amzn-sagemaker-target-variant"]);
        asked.push(`${variant} ${headers["content-type"]} ${body}`);
        const answer = answerOf(variant);
        if (answer === undefined) return new Promise<never>(() => {}); // it pings healthy, and answers nothing
        return { status: 200, headers: { "content-type": "application/json" }, body: answer };
      });
      endpoint = {
        EndpointStatus: "InService",
        EndpointConfigName: await servedOf({ current: release("a"), previous: release("b") }),
      };
      const releases = { dev: { current: release("b"), previous: proven } };
      await writeFile(join(desk, "releases.json"), JSON.stringify(releases));
    });
    afterEach(async () => {
      await Promise.all([s3.stop(), runtime.stop()]);
    });

    const onAws = (...args: string[]) =>
      start(args, {
        AWS_ENDPOINT_URL_SAGEMAKER: sagemaker.url,
        AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME: runtime.url,
        AWS_ENDPOINT_URL_S3: s3.url,
      }).ended;
    const releaseAndWait = () => onAws("release", "--rollback", "--env", "dev", "--wait");
    const verifyEndpoint = (...options: string[]) => {
      return onAws("verify", "--endpoint", dev.model.endpointName, "--env", "dev", ...options);
    };
    const ofEndpoint = (asked: number, agreed: number) => ({
      sha256: "a".repeat(64),
      at: expect.stringMatching(/^\d{4}-.*Z$/),
      name: dev.model.endpointName,
      asked,
      agreed,
    });

    test("is asked them by each variant, and releases.json says how many of the answers are right", async () => {
      const { status, stderr } = await releaseAndWait();
      expect({ status, stderr }).toEqual({ status: 0, stderr: expect.stringContaining("2 of 2 answers of ") });
      const [{ request = "" } = {}] = goldenOfPair;
      expect(asked.sort()).toEqual([first, "second"].map((variant) => `${variant} application/json ${request}`).sort());
      expect((await written()).dev.current).toEqual({
        ...proven,
        verified: true,
        proof: { ...proof, endpoint: ofEndpoint(2, 2) },
      });
    });

    test("ends with 1 and the way back where one variant answers wrong, and does not say what", async () => {
      answerOf = (variant) => (variant === "second" ? '"It\'s a paraphrase"' : response);
      const { status, stderr } = await releaseAndWait();
      expect(status).toBe(1);
      expect(stderr).toMatch(
        / gives 0 of 1 golden answers by its variant second\.\n.*model verify --endpoint .* shows the others\.\nThe release before is kept on AWS\. /,
      );
      expect(stderr).not.toContain("It's a paraphrase");
      expect((await written()).dev.current).toMatchObject({
        verified: false,
        proof: { endpoint: { asked: 2, agreed: 1 } },
      });
    });

    test("is not proven by an endpoint that serves another artifact", async () => {
      servedUrl = "s3://our-models/b.tar.gz";
      const { status, stderr } = await releaseAndWait();
      expect([status, stderr]).toEqual([
        1,
        expect.stringContaining(
          "serves s3://our-models/b.tar.gz, s3://our-models/b.tar.gz, and the release of dev is s3://our-models/a.tar.gz.\n",
        ),
      ]);
      expect(asked).toEqual([]);
    });

    test("of an endpoint that is in service and answers nothing, what is missing is wrong once the deadline is over", async () => {
      await writeFile(join(desk, "releases.json"), JSON.stringify({ dev: { current: proven } }));
      answerOf = () => undefined;
      const { status, stdout } = await verifyEndpoint("--deadline", "0.5");
      expect(status).toBe(1);
      expect(stdout).toContain(", variant second, are the golden ones.\n");
      expect(stdout.match(/got {6}nothing within 0\.5 seconds/g)).toHaveLength(2);
      expect((await written()).dev.current.proof).toEqual({ ...proof, endpoint: ofEndpoint(2, 0) });
    });

    test("can be asked others, of an archive or a file, and then nothing is written", async () => {
      await writeModelFolder(join(desk, "asking"));
      await model("package", "asking", "--output", "asking.tar.gz");
      const before = await written();
      expect(await onAws("verify", "asking.tar.gz", "--endpoint", "another", "--env", "dev")).toMatchObject({
        status: 0,
        stdout: `1 of 1 answers of another, variant ${first}, are the golden ones.\n1 of 1 answers of another, variant second, are the golden ones.\n`,
      });
      expect(
        await onAws("verify", "--golden", "asking/golden.json", "--endpoint", "another", "--env", "dev"),
      ).toMatchObject({ status: 0 });
      expect(await onAws("verify", "--endpoint", "another", "--env", "dev")).toMatchObject({
        status: 1,
        stderr:
          "another is not the endpoint that is made for dev: name an archive, or --golden, for what it is to be asked.\n",
      });
      expect(await written()).toEqual(before);
    });
  });
});
