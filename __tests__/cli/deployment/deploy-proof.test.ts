import { createHash, randomBytes } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { create } from "tar";
import { checkNamedArchive } from "../../../cli/model/deployed-archive";
import { labelOf } from "../../../config/contract";
import { defaultContract } from "../../../config/default-model";
import type { Release } from "../../../config/releases";
import { json, type StandIn, serve } from "../../../local/stand-in";
import { checkoutWithoutTerraform } from "../../setup/fake-terraform";
import { goldenOfPair, modelOfPairs, writeModelFolder } from "../../setup/model-folder";

const stack = "inference-dev";
const url = "s3://our-models/classifier/model.tar.gz";
const image = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-inference:2.6.0-cpu-py312-ubuntu22.04-sagemaker";
const golden = JSON.stringify(goldenOfPair);
const [{ response: right = "" } = {}] = goldenOfPair;
const wrong = JSON.stringify("It's a paraphrase");
const goldenHash = createHash("sha256").update(golden).digest("hex");

/** The stack, as far as a deployment looks at it. */
const served = {
  resource: {
    aws_sagemaker_endpoint: { endpoint: { name: "classifier", endpoint_config_name: "configuration" } },
    aws_sagemaker_endpoint_configuration: {
      other: { name: "other", production_variants: [{ model_name: "of another" }] },
      it: { name: "configuration", production_variants: [{ model_name: "${aws_sagemaker_model.model.name}" }] },
    },
    aws_sagemaker_model: { model: { name: "model", container: [{ image, model_data_url: url }] } },
    aws_s3_object: { contract: { content: JSON.stringify(defaultContract) } },
    aws_appautoscaling_target: {
      scaled: {
        resource_id: "endpoint/${aws_sagemaker_endpoint.endpoint.name}/variant/first",
        max_capacity: 4,
      },
    },
  },
};

let terraform: Awaited<ReturnType<typeof checkoutWithoutTerraform>>;
let sagemaker: StandIn;
let runtime: StandIn;
let s3: StandIn;
/** What the endpoint answers to each golden request, and when it was changed, in seconds. */
let answer: string;
let changedAt: number;
let asked: string[];
/** What lies at the artifact's key, and which parts of it were asked for. */
let archive: Buffer | undefined;
let denied: boolean;
let ranges: unknown[];
/** How many instances the endpoint is to have, look by look and then for good, and what it was scaled to. */
let counts: number[];
let scaledTo: unknown[];

beforeAll(async () => {
  terraform = await checkoutWithoutTerraform(stack, served);
  sagemaker = await serve(({ headers, body }) => {
    const operation = String(headers["x-amz-target"]).replace("SageMaker.", "");
    if (operation === "UpdateEndpointWeightsAndCapacities") scaledTo.push(JSON.parse(String(body)));
    const isLook = operation === "DescribeEndpoint";
    const answers: Record<string, object> = {
      DescribeEndpoint: {
        EndpointName: "classifier",
        EndpointStatus: "InService",
        EndpointConfigName: "configuration",
        ProductionVariants: [
          { VariantName: "first", DesiredInstanceCount: isLook && counts.length > 1 ? counts.shift() : counts[0] },
        ],
        LastModifiedTime: changedAt,
      },
      DescribeEndpointConfig: { ProductionVariants: [{ ModelName: "model" }] },
      DescribeModel: { Containers: [{ ModelDataUrl: url }] },
    };
    return json(answers[operation] ?? {});
  });
  runtime = await serve(({ body }) => {
    asked.push(String(body));
    return { status: 200, headers: { "content-type": "application/json" }, body: answer };
  });
  s3 = await serve(({ url: { pathname }, headers }) => {
    if (pathname.endsWith(`/golden/${goldenHash}.json`)) return { status: 200, body: golden };
    if (denied) return { status: 403, body: "<Error><Code>AccessDenied</Code><Message>no</Message></Error>" };
    ranges.push(headers.range);
    if (archive !== undefined && pathname.endsWith("/classifier/model.tar.gz")) return { status: 206, body: archive };
    return { status: 404, body: "<Error><Code>NoSuchKey</Code></Error>" };
  });
});
beforeEach(async () => {
  [answer, changedAt, asked, archive, denied, ranges] = [right, 1, [], undefined, false, []];
  [counts, scaledTo] = [[1], []];
  await rm(terraform.checkout.path("releases.json"), { force: true });
});
afterAll(async () => {
  await Promise.all([sagemaker.stop(), runtime.stop(), s3.stop()]);
  await terraform.checkout.remove();
});

/** Deploys where these are planned: whether it was applied, and what was said. */
const deploy = async (...changes: Parameters<typeof terraform.plans>) => {
  await terraform.plans(...changes);
  asked = [];
  const above = {
    AWS_ENDPOINT_URL_SAGEMAKER: sagemaker.url,
    AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME: runtime.url,
    AWS_ENDPOINT_URL_S3: s3.url,
    ...terraform.environment,
  };
  const { status, stderr } = await terraform.checkout.start(["deploy", stack, "--auto-approve"], above).ended;
  return { status, stderr, isApplied: (await terraform.calls()).some((line) => line.startsWith("apply")) };
};
const endpointChange = { address: "aws_sagemaker_endpoint.endpoint" };
const otherChange = { address: "aws_iam_role.new", actions: ["create"] };

describe("an endpoint that is scaled", () => {
  const scalings = (count: number) => [
    {
      EndpointName: "classifier",
      DesiredWeightsAndCapacities: [{ VariantName: "first", DesiredInstanceCount: count }],
    },
  ];

  test("has as many instances after a deployment as before, and no more than it may have", async () => {
    counts = [3, 1];
    const { stderr } = await deploy(endpointChange);
    expect(scaledTo).toEqual(scalings(3));
    expect(stderr).toContain(
      "classifier serves configuration.\nclassifier is scaled to 3 instances again, as it was.\n",
    );

    [counts, scaledTo] = [[9, 1], []]; // more are no longer allowed
    await deploy(endpointChange);
    expect(scaledTo).toEqual(scalings(4));
  });

  test("is left alone where it has as many, or where it is not changed", async () => {
    counts = [3];
    await deploy(endpointChange);
    counts = [3, 1];
    await deploy(otherChange);
    expect(scaledTo).toEqual([]);
  });
});

describe("a release that has golden requests", () => {
  const release: Release = {
    artifact: { bucket: "our-models", key: "classifier/model.tar.gz", sha256: "a".repeat(64) },
    kind: "inf1-torch-neuron",
    contract: labelOf(defaultContract),
    speaks: { features: { seq_0: "String", seq_1: "String" }, request: ["json"], answer: "text" },
    verified: true,
    proof: { golden: goldenHash },
  };
  beforeEach(() => writeFile(terraform.checkout.path("releases.json"), JSON.stringify({ dev: { current: release } })));

  test("that has not answered them right since it was changed is asked again, whatever is deployed", async () => {
    answer = wrong;
    for (const changes of [[endpointChange], []]) {
      const { status, stderr } = await deploy(...changes);
      expect(stderr).toContain("classifier gives 0 of 1 golden answers by its variant first.\n");
      expect(stderr).toMatch(/The way back is `npx offline-inference model release .*\n$/);
      expect({ status, asked: asked.length }).toEqual({ status: 1, asked: 1 });
    }
    answer = right;
    expect(await deploy(otherChange)).toMatchObject({ status: 0, isApplied: true });
    expect(asked).toHaveLength(1);
    expect(await deploy()).toMatchObject({
      status: 0,
      stderr: expect.stringMatching(/There is nothing to apply\.\n$/),
    });
    expect(asked).toEqual([]);

    changedAt = Date.now() / 1000 + 60;
    answer = wrong;
    expect(await deploy()).toMatchObject({ status: 1, isApplied: false });
    expect(ranges).toEqual([]); // a release was held against config.ts when it was released
  });
});

describe("an archive that config.ts alone names", () => {
  /** An archive whose model.json differs in this from the usual one, or that has none. */
  const archived = async (model: object | undefined, weights = Buffer.from("w")) => {
    const folder = terraform.checkout.path("model");
    await rm(folder, { recursive: true, force: true });
    await writeModelFolder(folder, { model, files: { "model.pt": weights } });
    await mkdir(join(folder, "code"));
    await writeFile(join(folder, "code", "inference.py"), "");
    const names = ["code/inference.py", "golden.json", ...(model ? ["model.json"] : []), "model.pt"];
    const file = terraform.checkout.path("model.tar.gz");
    await create({ file, cwd: folder, gzip: true }, names);
    return readFile(file);
  };

  test("is held against the contract of config.ts before anything is applied", async () => {
    archive = await archived({ contract: { ...modelOfPairs.contract, answer: "json" } });
    const { status, stderr, isApplied } = await deploy(otherChange);
    expect({ status, isApplied }).toEqual({ status: 1, isApplied: false });
    expect(stderr).toContain(`${url} does not speak the contract of config.ts, `);
    expect(stderr).toMatch(/These lines of it fit the model:\n {2}model: \{\n[\s\S]* {6}answer: "json",\n/);
    expect(ranges).toEqual(["bytes=0-67108863"]);
  });

  test("is asked its golden requests until the answers are right", async () => {
    archive = await archived({});
    answer = wrong;
    expect(await deploy(endpointChange)).toMatchObject({ status: 1, isApplied: true });
    expect(await deploy()).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("classifier gives 0 of 1 golden answers by its variant first.\n"),
    });
    answer = right;
    expect(await deploy()).toMatchObject({
      status: 0,
      stderr: expect.stringMatching(/\nAll answers of classifier are the golden ones\.\n$/),
    });
    expect(asked).toEqual(goldenOfPair.map(({ request }) => request));
  });

  describe("as its beginning has it", () => {
    const environment = process.env;
    let said: jest.SpyInstance;
    beforeEach(() => {
      process.env = {
        ...environment,
        AWS_ACCESS_KEY_ID: "test",
        AWS_SECRET_ACCESS_KEY: "test",
        AWS_ENDPOINT_URL_S3: s3.url,
      };
      said = jest.spyOn(console, "error").mockImplementation();
    });
    afterEach(() => {
      said.mockRestore();
      process.env = environment;
    });
    const check = async () => {
      const folder = terraform.checkout.path("stack");
      await mkdir(folder, { recursive: true });
      const provider = { aws: [{ region: "us-east-1" }] };
      await writeFile(join(folder, "cdk.tf.json"), JSON.stringify({ provider, ...served }));
      return checkNamedArchive(folder, "dev");
    };

    test("is read without its weights", async () => {
      archive = (await archived({}, randomBytes(3_000_000))).subarray(0, 100_000);
      expect(await check()).toMatchObject({ model: modelOfPairs, golden: { pairs: goldenOfPair, sha256: goldenHash } });
      expect(said).not.toHaveBeenCalled();
    });

    test.each([
      ["another image", { image: "scikit-learn" }, /made for an image of scikit-learn, and config\.ts has /],
      ["labels that are none", { labels: [1] }, /model\.json: labels\[0\]: got 1; allowed: a text/],
    ])("is refused with %s", async (_, model, why) => {
      archive = await archived(model);
      await expect(check()).rejects.toThrow(why);
    });

    test("is no fault where it cannot be read or says nothing of itself, and that is told", async () => {
      expect(await check()).toBeUndefined();
      archive = await archived(undefined);
      expect(await check()).toBeUndefined();
      archive = gzipSync("no archive at all").fill(0, 10);
      expect(await check()).toBeUndefined();
      denied = true;
      expect(await check()).toBeUndefined();
      const unheld = `${url} is not held against the contract of config.ts`;
      expect(said.mock.calls.flat()).toEqual([
        `${unheld}: it is not there, and SageMaker makes no model without it.`,
        `${unheld}: its first 64 MB have no model.json at the top.`,
        expect.stringContaining(`${unheld}: it is no tar.gz: `),
        expect.stringMatching(/s3:GetObject/),
      ]);
    });
  });
});
