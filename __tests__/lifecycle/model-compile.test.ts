import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { list } from "tar";
import { z } from "zod";
import { labelOf } from "../../config/contract";
import { defaultContract } from "../../config/default-model";
import { AwsError, json, type StandIn, serve } from "../../local/stand-in";
import { Checkout, teamConfig } from "../setup/checkout";
import { modelOfPairs, writeModelFolder } from "../setup/model-folder";
import { type Moto, startMoto } from "../setup/moto";

const run = promisify(execFile);
const { modelBucket: Bucket, stateBucket } = teamConfig.shared;
const roleArn = "arn:aws:iam::123456789012:role/poc-model-compilation";

/** A job as it was asked for, and what SageMaker says of it one time after the other. */
interface Job {
  readonly asked: Record<string, unknown>;
  readonly states: object[];
}

let moto: Moto;
let s3: S3Client;
let sagemaker: StandIn;
let checkout: Checkout;
/** SageMaker's jobs by their names. */
const jobs = new Map<string, Job>();
/** What SageMaker will say of the jobs that are started. */
let statesOf: (asked: Record<string, unknown>) => Promise<object[]> | object[];

const sent = z.looseObject({ CompilationJobName: z.string().optional(), ProcessingJobName: z.string().optional() });

beforeAll(async () => {
  moto = await startMoto();
  s3 = new S3Client({
    region: "us-east-1",
    endpoint: moto.url,
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
  });
  sagemaker = await serve(async ({ headers, body }) => {
    const operation = String(headers["x-amz-target"]).replace("SageMaker.", "");
    const asked = sent.parse(JSON.parse(body.toString()));
    const name = asked.CompilationJobName ?? asked.ProcessingJobName ?? "";
    if (operation.startsWith("Create")) {
      jobs.set(name, { asked, states: await statesOf(asked) });
      return json({});
    }
    const states = jobs.get(name)?.states;
    if (states === undefined) throw new AwsError("ResourceNotFound", 400, `Could not find job "${name}".`);
    return json(states.length > 1 ? (states.shift() ?? {}) : (states[0] ?? {}));
  });
  const environment = { ...moto.environment, AWS_ENDPOINT_URL_SAGEMAKER: sagemaker.url };
  checkout = await Checkout.on({ ...moto, environment });
  await s3.send(new CreateBucketCommand({ Bucket }));
  await s3.send(new CreateBucketCommand({ Bucket: stateBucket }));
});
beforeEach(() => {
  jobs.clear();
  statesOf = () => {
    throw new Error("no job may be started");
  };
});
afterAll(async () => {
  s3.destroy();
  await sagemaker.stop();
  await checkout.remove();
  await moto.stop();
});

const traced = {
  ".data/version": "3",
  "data.pkl": "ctorch\nFloatStorage\n",
  "code/__torch__.py": "_0 = torch.softmax(torch.matmul(a, b), -1)",
};

/** Packs what TorchScript would write into an archive of the checkout. */
async function archiveOf(name: string, parts: Record<string, string> = {}) {
  const folder = join(checkout.folder, name);
  await writeModelFolder(folder, { files: { "config.json": JSON.stringify({ name }) } });
  const file = join(folder, "model.pt");
  const program =
    "import json, sys, zipfile\n" +
    "with zipfile.ZipFile(sys.argv[1], 'w') as zip:\n" +
    "    for name, text in json.loads(sys.argv[2]).items(): zip.writestr('model/' + name, text)";
  await run("python3", ["-c", program, file, JSON.stringify({ ...traced, ...parts })]);
  const archive = `${name}.tar.gz`;
  expect(await checkout.cli("model", "package", name, "--output", archive)).toMatchObject({ status: 0 });
  return archive;
}

const compile = (archive: string, ...options: string[]) =>
  checkout.cli("model", "compile", archive, "--env", "dev", ...options);

/** What is at an address in S3, in an archive's file. */
async function read(url: string) {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key: url.replace(`s3://${Bucket}/`, "") }));
  return Buffer.from((await Body?.transformToByteArray()) ?? []);
}

async function put(url: string, body: Buffer | string) {
  await s3.send(new PutObjectCommand({ Bucket, Key: url.replace(`s3://${Bucket}/`, ""), Body: body }));
}

/** The files of an archive at an address, by their names. */
async function unpacked(url: string): Promise<Map<string, string>> {
  const file = join(checkout.folder, "unpacked.tar.gz");
  await writeFile(file, await read(url));
  const files = new Map<string, string>();
  const reading: Promise<unknown>[] = [];
  await list({
    file,
    onReadEntry: (entry) => {
      if (/^code\/(aarch64\/)?tokenizers\//.test(entry.path)) entry.resume();
      else reading.push(text(entry).then((content) => files.set(entry.path, content)));
    },
  });
  await Promise.all(reading);
  return files;
}

const neoOutput = z.object({ OutputConfig: z.object({ S3OutputLocation: z.string() }) });
const neuronOutput = z.object({
  ProcessingOutputConfig: z.object({
    Outputs: z.tuple([z.object({ S3Output: z.object({ S3Uri: z.string() }) })]),
  }),
});

test("no job is started without the role that the state stack makes for it", async () => {
  const { status, stderr } = await compile(await archiveOf("roleless"));
  expect(status).toBe(1);
  expect(stderr).toContain("names no role for compiling models: npx offline-inference bootstrap makes it.");
  const Body = JSON.stringify({
    version: 4,
    terraform_version: "1.11.4",
    serial: 1,
    lineage: "ours",
    outputs: { model_compilation_role_arn: { value: roleArn } },
  });
  await s3.send(new PutObjectCommand({ Bucket: stateBucket, Key: "state/terraform.tfstate", Body }));
});

test("what a target cannot run is refused before any job, with all reasons", async () => {
  const archive = await archiveOf("modern", {
    ".data/version": "10",
    "data.pkl": "ctorch\nHalfStorage\n",
    "extra/shape.json": JSON.stringify({ batch: 8, length: 128, others: false }),
    "code/__torch__.py": "_0 = torch.scaled_dot_product_attention(q, k, v)",
  });
  const neo = await compile(archive, "--recipe", "neo");
  expect([neo.status, neo.stdout]).toEqual([1, ""]);
  expect(neo.stderr.split("\n")).toEqual([
    "modern.tar.gz cannot be compiled by neo:",
    "  its format of TorchScript is 10, and PyTorch 1.9 reads 6 at most: trace it with an older PyTorch",
    "  it calls scaled_dot_product_attention, which PyTorch 1.9 does not have: delete model.pt and trace it again by model/trace.py --eager-attention",
    "  its parameters are Half; allowed: Float, which is float32",
    "  its shape is [8,128]; allowed: [1,512], with which inference.py asks what Neo has made",
    "",
  ]);
  expect(jobs.size).toBe(0);
});

test("a recipe for other instances is refused", async () => {
  const { status, stderr } = await compile("modern.tar.gz", "--recipe", "torch-neuronx");
  expect([status, stderr]).toEqual([
    1,
    'The recipe must fit ml.inf1.xlarge: got "torch-neuronx"; allowed: torch-neuron, neo.\n',
  ]);
});

test("Neo compiles what the original compiled, its failure is told, and the next try is another job", async () => {
  const shape = { batch: 1, length: 512, inputs: { input_ids: 0, attention_mask: 0, token_type_ids: 0 } };
  const labels = { labels: ["no", "yes"], answer: "scores" };
  const archive = await archiveOf("neo", { "extra/shape.json": JSON.stringify({ ...shape, others: true, ...labels }) });
  statesOf = () => [
    { CompilationJobStatus: "INPROGRESS" },
    { CompilationJobStatus: "FAILED", FailureReason: "ClientError: no such operator" },
  ];
  const failed = await compile(archive, "--recipe", "neo");
  expect(failed.status).toBe(1);
  expect(failed.stderr).toMatch(/-1 has ended as FAILED: ClientError: no such operator\n$/);

  statesOf = async (asked) => {
    const { S3OutputLocation } = neoOutput.parse(asked).OutputConfig;
    const S3ModelArtifacts = `${S3OutputLocation}traced-ml_inf1.tar.gz`;
    await writeFile(join(checkout.folder, "model_neuron.pt"), "compiled by Neo");
    await run("tar", ["-czf", "neo-out.tar.gz", "model_neuron.pt"], { cwd: checkout.folder });
    await put(S3ModelArtifacts, await readFile(join(checkout.folder, "neo-out.tar.gz")));
    return [
      { CompilationJobStatus: "STARTING" },
      { CompilationJobStatus: "INPROGRESS" },
      {
        CompilationJobStatus: "COMPLETED",
        ModelArtifacts: { S3ModelArtifacts },
        InferenceImage: "785573368785.dkr.ecr.us-east-1.amazonaws.com/sagemaker-neo-pytorch:1.9-inf-py3",
      },
    ];
  };
  const { status, stdout, stderr } = await compile(archive, "--recipe", "neo");
  expect([status, stderr]).toEqual([0, expect.stringMatching(/-2: STARTING\n.+-2: INPROGRESS\n.+-2: COMPLETED\n/)]);
  const [, second] = [...jobs];
  expect(second?.[1].asked).toEqual({
    CompilationJobName: second?.[0],
    RoleArn: roleArn,
    InputConfig: {
      S3Uri: expect.stringMatching(/\/input\/traced\.tar\.gz$/),
      DataInputConfig: '{"input_ids":[1,512],"attention_mask":[1,512],"token_type_ids":[1,512]}',
      Framework: "PYTORCH",
      FrameworkVersion: "1.9",
    },
    OutputConfig: {
      S3OutputLocation: expect.stringMatching(/\/output-2\/$/),
      TargetDevice: "ml_inf1",
      CompilerOptions: '"--dtype int64"',
    },
    StoppingCondition: { MaxRuntimeInSeconds: 900 },
  });
  const files = await unpacked(stdout.trim());
  expect([...files.keys()].sort()).toEqual([
    "code/inference.py",
    "config.json",
    "golden.json",
    "model.json",
    "model.pt",
    "shape.json",
    "tokenizer.json",
    "tokenizer_config.json",
  ]);
  expect(files.get("model.pt")).toBe("compiled by Neo");
  expect(JSON.parse(files.get("shape.json") ?? "")).toEqual({ ...shape, others: false, ...labels });
  expect(files.get("config.json")).toBe('{"name":"neo"}');
});

test("torch-neuron compiles inside the image that serves, and what is compiled is not compiled again", async () => {
  const archive = await archiveOf("neuron");
  statesOf = async (asked) => {
    const [{ S3Output }] = neuronOutput.parse(asked).ProcessingOutputConfig.Outputs;
    await put(`${S3Output.S3Uri}/model.pt`, "compiled by torch-neuron");
    return [{ ProcessingJobStatus: "InProgress" }, { ProcessingJobStatus: "Completed" }];
  };
  const first = await compile(archive);
  expect(first).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/^s3:\/\/\S+\/models\/[0-9a-f]{64}\.tar\.gz\n$/),
  });
  const [job] = [...jobs.values()];
  expect(job?.asked).toMatchObject({
    RoleArn: roleArn,
    AppSpecification: {
      ImageUri: expect.stringContaining("/pytorch-inference-neuron:1.13.1-"),
      ContainerEntrypoint: ["python3", "/opt/ml/processing/input/compile_neuron.py", "inf1"],
    },
    NetworkConfig: { EnableNetworkIsolation: true },
  });
  expect((await unpacked(first.stdout.trim())).get("model.pt")).toBe("compiled by torch-neuron");

  jobs.clear();
  const again = await compile(archive);
  expect(again).toMatchObject({ status: 0, stdout: first.stdout });
  expect(again.stderr).toBe("neuron.tar.gz has been compiled by torch-neuron already.\n");
});

test("a job that is under way is followed, not started again", async () => {
  const archive = await archiveOf("interrupted");
  const states = [{ ProcessingJobStatus: "Failed", FailureReason: "AlgorithmError: out of memory", ExitMessage: "" }];
  statesOf = () => states;
  await compile(archive);
  const [name = ""] = [...jobs.keys()];
  jobs.set(name, { asked: {}, states: [{ ProcessingJobStatus: "InProgress" }, ...states] });
  statesOf = () => {
    throw new Error("no job may be started");
  };
  const { status, stderr } = await compile(archive);
  expect(status).toBe(1);
  expect(stderr).toContain(`${name}: InProgress\n`);
  expect(stderr).toMatch(/has ended as Failed: AlgorithmError: out of memory\n$/);
  expect([...jobs.keys()]).toEqual([name]);
});

test("what is compiled for an environment is what is released there", async () => {
  const early = await checkout.cli("model", "release", "neo.tar.gz", "--env", "dev", "--unverified");
  expect(early.status).toBe(1);
  expect(early.stderr).toContain(
    "ml.inf1.xlarge runs no model that is not compiled for it: npx offline-inference model compile",
  );

  const release = await checkout.cli(
    "model",
    "release",
    "neo.tar.gz",
    "--env",
    "dev",
    "--unverified",
    "--recipe",
    "neo",
  );
  expect(release).toMatchObject({ status: 0 });
  const { dev } = JSON.parse(await readFile(join(checkout.folder, "releases.json"), "utf8"));
  const image = "785573368785.dkr.ecr.us-east-1.amazonaws.com/sagemaker-neo-pytorch:1.9-inf-py3";
  expect(dev).toEqual({
    current: {
      artifact: {
        bucket: Bucket,
        key: expect.stringMatching(/^models\//),
        sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      },
      kind: "inf1-neo",
      image,
      resolved: { image, digest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) },
      contract: labelOf(defaultContract),
      speaks: modelOfPairs.contract,
      verified: false,
      proof: { golden: expect.stringMatching(/^[0-9a-f]{64}$/) },
    },
  });
});
