import { execFile, spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectVersionsCommand,
  PutBucketEncryptionCommand,
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutPublicAccessBlockCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { z } from "zod";
import { VersionedBucket } from "../../constructs/versioned-bucket";
import { type Moto, startMoto } from "../setup/moto";
import { onlyResource, synth } from "../setup/synth";

const run = promisify(execFile);
const credentials = { accessKeyId: "test", secretAccessKey: "test" };

let moto: Moto;
let s3: S3Client;
/** A checkout of its own, whose stacks are those that the tests have put into it. */
let checkout: string;

beforeAll(async () => {
  checkout = await mkdtemp(join(tmpdir(), "checkout-"));
  for (const name of ["node_modules", "package.json", "cli", "scripts"]) {
    await symlink(resolve(name), join(checkout, name));
  }
  await mkdir(join(checkout, "lambda-src"));
  await writeFile(join(checkout, "main.ts"), ""); // a test writes the stacks
  moto = await startMoto();
  const { AWS_REGION: region } = moto.environment;
  s3 = new S3Client({ region, endpoint: moto.url, credentials });
  await makeBucket("team-state");
});
afterAll(async () => {
  s3.destroy();
  await moto.stop();
  await rm(checkout, { recursive: true, force: true });
});

/** A bucket with the settings of the project's own, but for the expiry of old versions, which takes a minute to make. */
async function makeBucket(Bucket: string) {
  await s3.send(new CreateBucketCommand({ Bucket }));
  await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: "Enabled" } }));
  const ServerSideEncryptionConfiguration = {
    Rules: [{ ApplyServerSideEncryptionByDefault: { SSEAlgorithm: "AES256" as const } }],
  };
  await s3.send(new PutBucketEncryptionCommand({ Bucket, ServerSideEncryptionConfiguration }));
  const PublicAccessBlockConfiguration = {
    BlockPublicAcls: true,
    BlockPublicPolicy: true,
    IgnorePublicAcls: true,
    RestrictPublicBuckets: true,
  };
  await s3.send(new PutPublicAccessBlockCommand({ Bucket, PublicAccessBlockConfiguration }));
  const stack = synth((scope) => new VersionedBucket(scope, "state", { bucket: Bucket }));
  const policy = z.string().parse(onlyResource(stack, "aws_s3_bucket_policy").attributes.policy);
  const Policy = policy.replaceAll("${aws_s3_bucket.state_bucket.arn}", `arn:aws:s3:::${Bucket}`);
  await s3.send(new PutBucketPolicyCommand({ Bucket, Policy }));
}

const keyOf = (stack: string) => `${stack}/terraform.tfstate`;

/** Puts a stack into the checkout, in the place of what it was. */
async function write(stack: string, configuration: object, bucket = "team-state") {
  const folder = join(checkout, "cdktf.out/stacks", stack);
  await mkdir(folder, { recursive: true });
  const backend = { s3: { bucket, key: keyOf(stack), region: "us-east-1", encrypt: true, use_lockfile: true } };
  await writeFile(join(folder, "cdk.tf.json"), JSON.stringify({ terraform: { backend }, ...configuration }));
}

const things = (...names: string[]) => ({
  resource: { terraform_data: Object.fromEntries(names.map((name) => [name, { input: `secret-of-${name}` }])) },
});

async function terraform(stack: string, ...args: string[]) {
  const cwd = join(checkout, "cdktf.out/stacks", stack);
  const { stdout } = await run("terraform", args, { cwd, env: moto.environment });
  return stdout;
}

/** Puts a stack into the checkout and deploys it. */
async function deploy(stack: string, configuration: object) {
  await write(stack, configuration);
  await terraform(stack, "init", "-input=false");
  await terraform(stack, "apply", "-auto-approve", "-input=false");
}

/** Runs the program until it ends. */
async function program(args: string[], environment: object = {}) {
  const child = spawn(process.execPath, ["cli/offline-inference.mjs", ...args], {
    cwd: checkout,
    env: { ...moto.environment, ...environment },
  });
  const [stdout, stderr, status] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise((ended) => child.once("close", ended)),
  ]);
  return { status, stdout, stderr };
}

const doctor = (...args: string[]) => program(["state", "doctor", ...args]);

/** The ids of the versions of a stack's state, newest first. */
async function versionsOf(stack: string): Promise<string[]> {
  const { Versions = [] } = await s3.send(
    new ListObjectVersionsCommand({ Bucket: "team-state", Prefix: keyOf(stack) }),
  );
  return Versions.flatMap(({ Key, VersionId }) => (Key === keyOf(stack) && VersionId ? [VersionId] : []));
}

const stateOf = async (stack: string) => {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: "team-state", Key: keyOf(stack) }));
  const written = JSON.parse((await Body?.transformToString()) ?? "");
  return z.object({ serial: z.number(), lineage: z.string() }).parse(written);
};

const stateList = async (stack: string) => (await terraform(stack, "state", "list")).trim().split("\n");

test("finds a state well: the bucket, the state, no lock; and no secret", async () => {
  await deploy("well", things("first"));
  await deploy("well", things("first", "second"));
  const { lineage } = await stateOf("well");
  const calls = (await moto.calls()).length;

  const { status, stdout } = await doctor("well");
  expect(stdout.split("\n")).toEqual([
    "The bucket team-state in us-east-1",
    "  ✔ It is versioned: a state that is overwritten or deleted can be brought back.",
    "  ✔ It encrypts by default (AES256).",
    "  ✔ It is closed to the public.",
    "  ✔ It refuses plain HTTP.",
    "  ✔ It refuses to be emptied.",
    "",
    "well, in s3://team-state/well/terraform.tfstate",
    expect.stringMatching(
      `^  ✔ Its state has 2 resources, written 20[-0-9]+ [:0-9]+ UTC by Terraform 1[.0-9]+: serial 2 of lineage ${lineage}\\.$`,
    ),
    "  ✔ It is not locked.",
    "",
  ]);
  expect(status).toBe(0);
  const written = (await moto.calls()).slice(calls).filter(({ operation }) => /^(Put|Delete|Create)/.test(operation));
  expect(written).toEqual([]);
});

test("an old version that is copied over the current one is the state, as docs/state.md says", async () => {
  await deploy("restored", things("first"));
  await deploy("restored", things("second"));
  const [, first = ""] = await versionsOf("restored");
  const Key = keyOf("restored");
  await s3.send(
    new CopyObjectCommand({ Bucket: "team-state", Key, CopySource: `team-state/${Key}?versionId=${first}` }),
  );
  expect(await stateList("restored")).toEqual(["terraform_data.first"]);
  expect(await doctor("restored")).toMatchObject({ status: 0, stdout: expect.stringContaining("serial 1 of lineage") });
  await deploy("restored", things("second"));
  expect(await stateList("restored")).toEqual(["terraform_data.second"]);
});

test("tells who holds a lock, and how to release it", async () => {
  await deploy("locked", things("first"));
  const lock = {
    ID: "6ec1a4e5-6f7c-0f4d-a8a3-3a2c3c9a1a11",
    Operation: "OperationTypeApply",
    Info: "",
    Who: "ada@desk",
    Version: "1.11.4",
    Created: "2026-11-02T10:20:30.123456789Z",
    Path: `team-state/${keyOf("locked")}`,
  };
  const Key = `${keyOf("locked")}.tflock`;
  await s3.send(new PutObjectCommand({ Bucket: "team-state", Key, Body: JSON.stringify(lock) }));

  const { status, stdout } = await doctor("locked");
  expect(stdout).toContain("  ✖ It is locked by ada@desk, since 2026-11-02 10:20:30 UTC, for apply.");
  expect(status).toBe(1);
  const [, release = ""] = /→ .*: (terraform .*)/.exec(stdout) ?? [];
  await run("sh", ["-ec", release.replace("force-unlock", "force-unlock -force")], {
    cwd: checkout,
    env: moto.environment,
  });
  expect(await doctor("locked")).toMatchObject({ status: 0, stdout: expect.stringContaining("✔ It is not locked.") });
});

test("tells that a state was deleted, or is broken, and where it stands how to bring it back", async () => {
  await deploy("lost", things("first"));
  const object = { Bucket: "team-state", Key: keyOf("lost") };
  const back = "\n      → Bring an old version back: docs/state.md\n";
  await s3.send(new PutObjectCommand({ ...object, Body: '{"version": 4, "secret": ' }));
  const broken = await doctor("lost");
  expect(broken).toMatchObject({ status: 1, stdout: expect.stringContaining(back) });
  expect(broken.stdout).toContain("  ✖ Its state cannot be read: it is no state of Terraform's");
  await s3.send(new DeleteObjectCommand(object));
  const deleted = await doctor("lost");
  expect(deleted).toMatchObject({ status: 1, stdout: expect.stringContaining(`  ✖ Its state was deleted.${back}`) });
});

test("knows no stack that config.ts has not", async () => {
  await write("known", things("first"));
  expect(await doctor("nowhere")).toMatchObject({
    status: 1,
    stdout: "",
    stderr: expect.stringMatching(/^There is no stack "nowhere". The stacks of config.ts: .*known.*\n$/),
  });
});

test("names every fault of a bucket", async () => {
  await s3.send(new CreateBucketCommand({ Bucket: "careless-state" }));
  const VersioningConfiguration = { Status: "Suspended" as const };
  await s3.send(new PutBucketVersioningCommand({ Bucket: "careless-state", VersioningConfiguration }));
  await write("careless", things("first"), "careless-state");

  const { status, stdout } = await doctor("careless");
  expect(stdout.split("\n").filter((line) => !line.includes("→"))).toEqual([
    "The bucket careless-state in us-east-1",
    "  ✖ It is not versioned (Suspended): a state that is overwritten or deleted is lost.",
    "  ✖ It does not encrypt by default.",
    "  ✖ It can be opened to the public.",
    "  ✖ It does not refuse plain HTTP.",
    "  ✖ It does not refuse to be emptied.",
    "",
    "careless, in s3://careless-state/careless/terraform.tfstate",
    "  ! It has no state yet: nothing of it is deployed.",
    "  ✔ It is not locked.",
    "",
  ]);
  expect(stdout.match(/→ npx offline-inference bootstrap sets it right\./g)).toHaveLength(5);
  expect(status).toBe(1);
});

test("tells that there is no bucket, and what makes it", async () => {
  await write("early", things("first"), "future-state");
  const { status, stdout } = await doctor("early");
  expect(stdout).toBe(
    "The bucket future-state in us-east-1\n  ✖ It does not exist.\n      → npx offline-inference bootstrap makes it.\n",
  );
  expect(status).toBe(1);
});

test("looks at all stacks when none is named, and at their bucket once", async () => {
  await rm(join(checkout, "cdktf.out"), { recursive: true });
  await write("dev", things("first"));
  await write("prod", things("first"));
  const { status, stdout } = await doctor();
  expect(stdout.split("\n").filter((line) => !line.startsWith("  "))).toEqual([
    "The bucket team-state in us-east-1",
    "",
    "dev, in s3://team-state/dev/terraform.tfstate",
    "",
    "prod, in s3://team-state/prod/terraform.tfstate",
    "",
  ]);
  expect(stdout.match(/ {2}! It has no state yet: nothing of it is deployed\./g)).toHaveLength(2);
  expect(status).toBe(0);
});

test("says what to do when AWS cannot be reached, without a stack trace", async () => {
  await write("cut", things("first"));
  const { status, stdout, stderr } = await program(["state", "doctor", "cut"], {
    AWS_ENDPOINT_URL: "http://127.0.0.1:9",
    AWS_MAX_ATTEMPTS: "1",
  });
  expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  expect(stderr).toMatch(/^Cannot look for the bucket team-state: .*ECONNREFUSED.* AWS could not be reached: .*\n$/);
});
