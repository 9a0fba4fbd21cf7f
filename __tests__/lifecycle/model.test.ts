import { chmod, mkdir, mkdtemp, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CreateBucketCommand, HeadObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { list } from "tar";
import { loadConfig } from "../../config";
import { Checkout } from "../setup/checkout";
import { type Moto, startMoto } from "../setup/moto";

const { modelBucket: Bucket } = loadConfig().shared;
let moto: Moto;
let s3: S3Client;
let checkout: Checkout;
/** The SHA-256 of `model.tar.gz` in the checkout. */
let sha256: string;

/** Puts a model's folder into the checkout, with weights of a size in bytes. */
async function writeModel(name: string, size: number) {
  const folder = join(checkout.folder, name);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "paraphrase_bert.pt"), Buffer.alloc(size, "weights"));
  for (const file of ["config.json", "tokenizer.json", "tokenizer_config.json"]) {
    await writeFile(join(folder, file), `{"of": "${name}"}`);
  }
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

test("a folder that lacks something is not packaged, and all that it lacks is told by name", async () => {
  const folder = await mkdtemp(join(tmpdir(), "model-"));
  await writeFile(join(folder, "config.json"), "{");
  await writeFile(join(folder, "tokenizer.json"), "");
  const { status, stdout, stderr } = await checkout.cli("model", "package", folder);
  await rm(folder, { recursive: true });
  expect([status, stdout]).toEqual([1, ""]);
  expect(stderr.split("\n").map((line) => line.replace(/JSON: .*/, "JSON"))).toEqual([
    `${folder} cannot be packaged:`,
    "  config.json is no JSON",
    "  paraphrase_bert.pt is missing: model/trace.py makes it",
    "  tokenizer.json is empty",
    "  tokenizer_config.json is missing",
    "",
  ]);
});

test("the archive of the same model is the same, whenever and by whomever its files were written", async () => {
  const folder = await writeModel("model-folder", 40_000_000);
  const first = await checkout.cli("model", "package", "model-folder");
  expect(first).toMatchObject({ status: 0, stdout: expect.stringMatching(/^[0-9a-f]{64} {2}model\.tar\.gz\n$/) });
  for (const file of ["config.json", "paraphrase_bert.pt"]) {
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
    expect.arrayContaining(["code/inference.py", "code/requirements.txt", "code/tokenizers/__init__.py"]),
  );
  expect(names.filter((name) => !code.includes(name))).toEqual([
    "config.json",
    "paraphrase_bert.pt",
    "tokenizer.json",
    "tokenizer_config.json",
  ]);
});

test("without its bucket an archive is not uploaded, and what makes the bucket is told", async () => {
  const { status, stderr } = await checkout.cli("model", "upload", "model.tar.gz", "--env", "dev");
  expect(status).toBe(1);
  expect(stderr).toContain(`The bucket ${Bucket} does not exist: npm run bootstrap makes it.`);
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
