import { execFile } from "node:child_process";
import { chmod, readFile, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { CreateBucketCommand, HeadObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { list } from "tar";
import { labelOf } from "../../config/contract";
import { defaultContract } from "../../config/default-model";
import { modelPython } from "../../local/model-server";
import { Checkout, teamConfig } from "../setup/checkout";
import { writeModelFolder } from "../setup/model-folder";
import { type Moto, startMoto } from "../setup/moto";

const run = promisify(execFile);
const { modelBucket: Bucket, stateBucket } = teamConfig.shared;
let moto: Moto;
let s3: S3Client;
let checkout: Checkout;
/** The SHA-256 of `model.tar.gz` in the checkout. */
let sha256: string;

/** Puts a model's folder into the checkout, with weights of a size in bytes. */
async function writeModel(name: string, size: number) {
  const folder = join(checkout.folder, name);
  await writeModelFolder(folder, {
    files: { "model.pt": Buffer.alloc(size, "weights"), "config.json": `{"of": "${name}"}` },
  });
  return folder;
}

const partsSent = async () =>
  (await moto.calls()).filter(({ operation }) => /^(PutObject|UploadPart)$/.test(operation));

beforeAll(async () => {
  moto = await startMoto();
  checkout = await Checkout.on(moto);
  const credentials = { accessKeyId: "test", secretAccessKey: "test" };
  s3 = new S3Client({ region: "us-east-1", endpoint: moto.url, credentials });
});
afterAll(async () => {
  s3.destroy();
  await checkout.remove();
  await moto.stop();
});

test("the archive of the same model is the same, whenever and by whomever its files were written", async () => {
  const folder = await writeModel("model-folder", 40_000_000);
  const first = await checkout.cli("model", "package", "model-folder");
  expect(first).toMatchObject({ status: 0, stdout: expect.stringMatching(/^[0-9a-f]{64} {2}model\.tar\.gz\n$/) });
  for (const file of ["config.json", "model.pt"]) {
    await chmod(join(folder, file), 0o755);
    await utimes(join(folder, file), 1, 1);
  }
  const again = await checkout.cli("model", "package", "model-folder", "--output", "again.tar.gz");
  [sha256 = ""] = first.stdout.split(" ");
  expect(again.stdout).toBe(`${sha256}  again.tar.gz\n`);

  const names: string[] = [];
  await list({ file: join(checkout.folder, "model.tar.gz"), onReadEntry: ({ path }) => names.push(path) });
  const code = names.filter((name) => name.startsWith("code/"));
  expect(code).toEqual(
    expect.arrayContaining(["code/inference.py", "code/tokenizers/__init__.py", "code/aarch64/tokenizers/__init__.py"]),
  );
  expect(names.filter((name) => !code.includes(name))).toEqual([
    "config.json",
    "golden.json",
    "model.json",
    "model.pt",
    "tokenizer.json",
    "tokenizer_config.json",
  ]);
});

test("without its bucket an archive is not uploaded, and what makes the bucket is told", async () => {
  const { status, stderr } = await checkout.cli("model", "upload", "model.tar.gz", "--env", "dev");
  expect(status).toBe(1);
  expect(stderr).toContain(`The bucket ${Bucket} does not exist: npx offline-inference bootstrap makes it.`);
});

test("an archive goes to the bucket in parts under its hash, once, and again where another lies there", async () => {
  await s3.send(new CreateBucketCommand({ Bucket }));
  const upload = () => checkout.cli("model", "upload", "model.tar.gz", "--env", "dev");
  const Key = `models/${sha256}.tar.gz`;
  const before = (await partsSent()).length;

  const first = await upload();
  expect(first).toMatchObject({ status: 0, stdout: `s3://${Bucket}/${Key}\n` });
  expect(first.stderr).toContain("S3 has the same checksum.");
  expect((await partsSent()).length - before).toBe(4);

  const second = await upload();
  expect(second).toMatchObject({ status: 0, stdout: first.stdout, stderr: "model.tar.gz is in the bucket already.\n" });
  expect((await partsSent()).length - before).toBe(4);

  await s3.send(new PutObjectCommand({ Bucket, Key, Body: "another", ChecksumAlgorithm: "SHA256" }));
  expect(await upload()).toMatchObject({ status: 0, stdout: first.stdout });
  const { ContentLength } = await s3.send(new HeadObjectCommand({ Bucket, Key }));
  expect(ContentLength).toBeGreaterThan(40_000_000);
});

test("what SageMaker could not start from is not uploaded", async () => {
  const file = join(checkout.folder, "notes.tar.gz");
  await writeFile(file, "no archive at all");
  const { status, stderr } = await checkout.cli("model", "upload", "notes.tar.gz", "--env", "dev");
  expect(status).toBe(1);
  expect(stderr).toMatch(/^notes\.tar\.gz is no tar\.gz: .+\n$/);
});

test("an unknown environment is refused with those that there are", async () => {
  const { status, stderr } = await checkout.cli("model", "upload", "model.tar.gz", "--env", "stage");
  expect(status).toBe(1);
  expect(stderr).toBe('There is no environment "stage". The environments of config.ts: dev, prod\n');
});

/** What releases.json in the checkout says of dev. */
const releasesOfDev = async () => JSON.parse(await readFile(join(checkout.folder, "releases.json"), "utf8")).dev;

test("a model goes from its Hugging Face folder to a plan with it in one command, and what is done is skipped", async () => {
  await run(await modelPython(), [join("model", "tests", "tiny.py"), join(checkout.folder, "tiny")]);
  const file = join(checkout.folder, "config.ts");
  const config = await readFile(file, "utf8");
  const onCpu = config.replace("    dev: {\n", '    dev: {\n      model: { instanceType: "ml.c6i.xlarge" },\n');
  expect(onCpu).not.toBe(config);
  await writeFile(file, onCpu);
  await s3.send(new CreateBucketCommand({ Bucket: stateBucket }));

  const first = await checkout.cli("model", "ship", "tiny", "--env", "dev");
  expect(first.stderr).toContain("6 of 6 answers are the golden ones.\n");
  expect(first.stderr).toContain("S3 has the same checksum.\n");
  expect(first.stdout).toMatch(/\+ model +\d.*aws_sagemaker_endpoint\.model_endpoint/);
  const { current, previous } = await releasesOfDev();
  const key = expect.stringMatching(/^models\/[0-9a-f]{64}\.tar\.gz$/);
  expect(current).toEqual({
    artifact: { bucket: Bucket, key, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
    kind: "cpu",
    resolved: {
      image: expect.stringMatching(/\/pytorch-inference:2\.6\.0-cpu-/),
      digest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
    },
    contract: labelOf(defaultContract),
    speaks: {
      features: { seq_0: "String", seq_1: "String" },
      request: ["json", "instances"],
      answer: "text",
      outputs: {},
    },
    verified: true,
    proof: {
      golden: expect.stringMatching(/^[0-9a-f]{64}$/),
      archive: { sha256: current.artifact.sha256, at: expect.stringMatching(/^\d{4}-.*Z$/), asked: 6, agreed: 6 },
    },
    source: { id: "tiny", revision: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) },
    made: {
      by: "model/trace.py",
      versions: Object.fromEntries(
        ["python", "torch", "transformers", "tokenizers"].map((name) => [name, expect.stringMatching(/^\d+\.\d+/)]),
      ),
    },
  });
  await s3.send(new HeadObjectCommand({ Bucket, Key: `golden/${current.proof.golden}.json` }));
  expect(previous).toBeUndefined();
  expect(first.status).toBe(0);

  const again = await checkout.cli("model", "ship", "tiny", "--env", "dev");
  expect(again).toMatchObject({ status: 0, stdout: first.stdout });
  for (const skipped of [
    "tiny/model.pt is there already.",
    "model.tar.gz has been verified already.",
    "model.tar.gz is in the bucket already.",
  ]) {
    expect(again.stderr).toContain(`${skipped}\n`);
  }
  expect(await releasesOfDev()).toEqual({ current });
});

test("wrong answers are told, and such an archive is not released unless told otherwise", async () => {
  const golden = [{ request: '{"one": 2}', response: '"yes"' }];
  await writeFile(join(checkout.folder, "tiny", "golden.json"), JSON.stringify(golden));
  await checkout.cli("model", "package", "tiny", "--output", "wrong.tar.gz");
  const verified = await checkout.cli("model", "verify", "wrong.tar.gz");
  expect(verified.status).toBe(1);
  expect(verified.stdout).toMatch(
    /^0 of 1 answers of wrong\.tar\.gz are the golden ones\.\n {2}\{"one": 2\}\n {4}expected "yes"\n {4}got {6}HTTP 400 /,
  );
  await checkout.cli("model", "upload", "wrong.tar.gz", "--env", "dev");
  const before = await releasesOfDev();
  const refused = await checkout.cli("model", "release", "wrong.tar.gz", "--env", "dev");
  expect(refused.status).toBe(1);
  expect(refused.stderr).toContain(
    "wrong.tar.gz has not been verified: npx offline-inference model verify wrong.tar.gz.",
  );
  expect(await releasesOfDev()).toEqual(before);

  expect(await checkout.cli("model", "release", "wrong.tar.gz", "--env", "dev", "--unverified")).toMatchObject({
    status: 0,
  });
  expect(await releasesOfDev()).toMatchObject({ current: { verified: false }, previous: before.current });
});

test("the release before is current again after a rollback", async () => {
  const before = await releasesOfDev();
  expect(await checkout.cli("model", "release", "--rollback", "--env", "dev")).toMatchObject({ status: 0 });
  expect(await releasesOfDev()).toEqual({ current: before.previous, previous: before.current });
  const prod = await checkout.cli("model", "release", "--rollback", "--env", "prod");
  expect([prod.status, prod.stderr]).toEqual([
    1,
    "releases.json has no release of prod before the current one to go back to.\n",
  ]);
});

test("what is not in the bucket is not released", async () => {
  await checkout.cli("model", "package", "model-folder");
  const { status, stderr } = await checkout.cli("model", "release", "model.tar.gz", "--env", "prod", "--unverified");
  expect(status).toBe(1);
  expect(stderr).toContain("ml.inf1.xlarge runs no model that is not compiled for it");
  await writeModel("other", 1000);
  await checkout.cli("model", "package", "other", "--output", "other.tar.gz");
  const other = await checkout.cli("model", "release", "other.tar.gz", "--env", "dev", "--unverified");
  expect(other.status).toBe(1);
  expect(other.stderr).toMatch(/ is not there: npx offline-inference model upload other\.tar\.gz --env dev\n$/);
});
