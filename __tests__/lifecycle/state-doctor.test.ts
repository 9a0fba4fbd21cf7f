import { execFile, spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import {
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
async function program(args: string[], { environment = {}, answer }: { environment?: object; answer?: string } = {}) {
  const command = [process.execPath, "cli/offline-inference.mjs", ...args];
  const [file = "", ...rest] =
    answer === undefined
      ? command
      : ["python3", "-c", "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)", ...command];
  const child = spawn(file, rest, { cwd: checkout, env: { ...moto.environment, ...environment } });
  child.stdin.end(answer ?? "");
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

test("finds a state well: the bucket, the state, no lock, no drift; lists its versions, and no secret", async () => {
  await deploy("well", things("first"));
  await deploy("well", things("first", "second"));
  const [newest, oldest] = await versionsOf("well");
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
    "  ✔ Nothing has changed on AWS since the last apply.",
    "  ✔ The latest versions of it, newest first:",
    expect.stringMatching(/^ {6}version +written +size +serial +resources$/),
    expect.stringMatching(`^      ${newest}  .* UTC  \\d+ B +2 +2$`),
    expect.stringMatching(`^      ${oldest}  .* UTC  \\d+ B +1 +1$`),
    "      → npx offline-inference state doctor well --restore VERSION shows what one differs in, asks, and brings it back.",
    "",
  ]);
  expect(status).toBe(0);
  const written = (await moto.calls()).slice(calls).filter(({ operation }) => /^(Put|Delete|Create)/.test(operation));
  expect(written).toEqual([]);
});

test("names exactly what has changed on AWS since the last apply, by attributes, never by value", async () => {
  const bucket = "drifting-objects";
  await s3.send(new CreateBucketCommand({ Bucket: bucket }));
  const object = (key: string) => ({ bucket, key, content: `secret-of-${key}`, content_type: "text/plain" });
  await deploy("drifted", {
    provider: { aws: [{ region: "us-east-1" }] },
    resource: {
      aws_s3_object: {
        changed: object("changed"),
        deleted: object("deleted"),
        ignored: { ...object("ignored"), lifecycle: { ignore_changes: ["content_type"] } },
        same: object("same"),
      },
      aws_ssm_parameter: { same: { name: "same", type: "SecureString", value: "secret-parameter" } },
    },
  });
  for (const Key of ["changed", "ignored"]) {
    const put = { Bucket: bucket, Key, Body: `secret-of-${Key}`, ContentType: "text/html" };
    await s3.send(new PutObjectCommand({ ...put, CacheControl: Key === "changed" ? "no-store" : undefined }));
  }
  await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: "deleted" }));

  const { status, stdout, stderr } = await doctor("drifted");
  expect(stdout).toContain(
    [
      "  ✖ 2 resources changed on AWS since the last apply:",
      "      aws_s3_object.changed: cache_control, content_type",
      "      aws_s3_object.deleted: deleted",
      "      → npm run diff -- drifted ",
    ].join("\n"),
  );
  expect(status).toBe(1);
  expect(stdout + stderr).not.toContain("secret-");
});

test("restores a version after showing what differs, and back again", async () => {
  await deploy("changed", { ...things("kept", "old"), output: { tip: { value: "secret-tip" } } });
  await deploy("changed", {
    resource: { terraform_data: { kept: { input: "another-secret" }, new: {} } },
  });
  const [second, first = ""] = await versionsOf("changed");

  const { status, stdout, stderr } = await doctor("changed", "--restore", first, "--auto-approve");
  expect(stdout).toContain(`when version ${first} (serial 1, `);
  expect(stdout).toContain(` replaces version ${second} (serial 2, `);
  expect(stdout.split("\n").slice(1, 6)).toEqual([
    "  + terraform_data.old",
    "  - terraform_data.new",
    "  ~ terraform_data.kept: input, output",
    "  + output tip",
    expect.stringContaining("What goes (-) stays on AWS"),
  ]);
  expect(stdout + stderr).not.toContain("secret");
  expect(status).toBe(0);
  expect(await stateList("changed")).toEqual(["terraform_data.kept", "terraform_data.old"]);
  expect((await stateOf("changed")).serial).toBeGreaterThan(2);

  const plan = await terraform("changed", "plan", "-no-color", "-input=false");
  expect(plan).toContain("terraform_data.new will be created");
  expect(plan).toContain("terraform_data.old will be destroyed");
  expect(plan).toContain("Plan: 1 to add, 1 to change, 1 to destroy.");

  const [, back = ""] = /To go back: npx offline-inference (.*)/.exec(stdout) ?? [];
  expect(back).toBe(`state doctor changed --restore ${second}`);
  expect((await program([...back.split(" "), "--auto-approve"])).status).toBe(0);
  expect(await terraform("changed", "plan", "-no-color", "-input=false")).toContain("No changes.");
});

test("asks at a terminal, and restores nothing without a yes, nor where there is no terminal", async () => {
  await deploy("asked", things("first"));
  await deploy("asked", things("second"));
  const [, first = ""] = await versionsOf("asked");
  const restore = ["state", "doctor", "asked", "--restore", first];

  const alone = await program(restore);
  expect(alone).toMatchObject({ status: 1, stderr: expect.stringContaining("there is no terminal to ask at") });
  expect(alone.stdout).toContain("  + terraform_data.first");

  const refused = await program(restore, { answer: "n\n" });
  expect(refused).toMatchObject({ status: 1, stdout: expect.stringContaining("Nothing was restored.") });
  expect(await stateList("asked")).toEqual(["terraform_data.second"]);

  const agreed = await program(restore, { answer: "y\n" });
  expect(agreed).toMatchObject({ status: 0, stdout: expect.stringContaining("Restore it? y/N") });
  expect(await stateList("asked")).toEqual(["terraform_data.first"]);
});

test("tells who holds a lock, restores nothing meanwhile, and says how to release it", async () => {
  await deploy("locked", things("first"));
  await deploy("locked", things("second"));
  const [, first = ""] = await versionsOf("locked");
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
  expect(stdout).toContain("  ! What has changed on AWS is not looked for while it may be written.");
  expect(status).toBe(1);
  const restored = await doctor("locked", "--restore", first, "--auto-approve");
  expect(restored).toMatchObject({ status: 1, stdout: "", stderr: expect.stringContaining("is locked by ada@desk") });

  const [, release = ""] = /→ .*: (terraform .*)/.exec(stdout) ?? [];
  await run("sh", ["-ec", release.replace("force-unlock", "force-unlock -force")], {
    cwd: checkout,
    env: moto.environment,
  });
  expect(await doctor("locked")).toMatchObject({ status: 0, stdout: expect.stringContaining("✔ It is not locked.") });
});

test("tells that a state was deleted, and how to bring it back", async () => {
  await deploy("deleted", things("first"));
  const [version] = await versionsOf("deleted");
  await s3.send(new DeleteObjectCommand({ Bucket: "team-state", Key: keyOf("deleted") }));

  const { status, stdout } = await doctor("deleted");
  expect(stdout).toContain("  ✖ Its state was deleted.\n");
  expect(status).toBe(1);
  const [, back = ""] = /brought back: npx offline-inference (.*)/.exec(stdout) ?? [];
  expect(back).toBe(`state doctor deleted --restore ${version}`);
  const restored = await program([...back.split(" "), "--auto-approve"]);
  expect(restored.stdout).toContain("deleted has no current state.");
  expect(restored.status).toBe(0);
  expect(await stateList("deleted")).toEqual(["terraform_data.first"]);
  expect((await stateOf("deleted")).serial).toBe(1);
});

test("says so when the version to restore is of another history, and restores it all the same", async () => {
  await deploy("anew", things("first"));
  const [first = ""] = await versionsOf("anew");
  const { lineage } = await stateOf("anew");
  await s3.send(new DeleteObjectCommand({ Bucket: "team-state", Key: keyOf("anew") }));
  await deploy("anew", things("second"));
  expect((await stateOf("anew")).lineage).not.toBe(lineage);

  const { status, stdout } = await doctor("anew", "--restore", first, "--auto-approve");
  expect(stdout).toContain(`It is the state of another history: lineage ${lineage}`);
  expect(status).toBe(0);
  expect((await stateOf("anew")).lineage).toBe(lineage);
  expect(await stateList("anew")).toEqual(["terraform_data.first"]);
});

test("names a broken state, and how to restore an older version over it", async () => {
  await deploy("broken", things("first"));
  const [first = ""] = await versionsOf("broken");
  const object = { Bucket: "team-state", Key: keyOf("broken") };
  await s3.send(new PutObjectCommand({ ...object, Body: '{"version": 4, "secret": ' }));

  const { status, stdout } = await doctor("broken");
  expect(stdout).toContain("  ✖ Its state cannot be read: it is no state of Terraform's");
  expect(status).toBe(1);
  const refused = await doctor("broken", "--restore", first, "--auto-approve");
  expect(refused).toMatchObject({
    status: 1,
    stdout: "",
    stderr: expect.stringContaining("The current state is broken."),
  });
  expect(refused.stderr).toContain(`aws s3api delete-object --bucket team-state --key ${object.Key}`);

  await s3.send(new DeleteObjectCommand(object));
  expect((await doctor("broken", "--restore", first, "--auto-approve")).status).toBe(0);
  expect(await stateList("broken")).toEqual(["terraform_data.first"]);
});

test("tells all but the drift where Terraform cannot run, and leaves the current state", async () => {
  await deploy("alone", things("first"));
  await deploy("alone", things("second"));
  const [second, first = ""] = await versionsOf("alone");
  const environment = { TERRAFORM_BINARY_NAME: "no-such-terraform" };
  const why = "Terraform could not be started (spawn no-such-terraform ENOENT). Is it in PATH?";

  const { status, stdout } = await program(["state", "doctor", "alone"], { environment });
  expect(stdout).toContain("  ✔ Its state has 1 resource, ");
  expect(stdout).toContain(`  ✖ ${why}\n`);
  expect(status).toBe(1);
  const restored = await program(["state", "doctor", "alone", "--restore", first, "--auto-approve"], { environment });
  expect(restored).toMatchObject({ status: 1, stderr: `${why}\n` });
  expect(await versionsOf("alone")).toEqual([second, first]);
});

test("refuses a version that does not exist, with those that do, and a version of no stack", async () => {
  await deploy("mistaken", things("first"));
  const [first] = await versionsOf("mistaken");
  expect(await doctor("mistaken", "--restore", "nonsense")).toEqual({
    status: 1,
    stdout: "",
    stderr: expect.stringMatching(
      `^s3://team-state/mistaken/terraform.tfstate has no version "nonsense". The latest it has:\n  ${first}  .* UTC\n$`,
    ),
  });
  expect(await doctor("--restore", "nonsense")).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("A state is restored for one stack: name it"),
  });
  expect(await doctor("nowhere")).toMatchObject({
    status: 1,
    stdout: "",
    stderr: expect.stringMatching(/^There is no stack "nowhere". The stacks of config.ts: .*mistaken.*\n$/),
  });
});

test("names every fault of a bucket, and restores nothing in one that would lose the current state", async () => {
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
  expect(stdout.match(/→ npm run bootstrap sets it right\./g)).toHaveLength(5);
  expect(status).toBe(1);
  expect(await doctor("careless", "--restore", "null")).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("is not versioned: the current state would be lost"),
  });
});

test("tells that there is no bucket, and what makes it", async () => {
  await write("early", things("first"), "future-state");
  const { status, stdout } = await doctor("early");
  expect(stdout).toBe(
    "The bucket future-state in us-east-1\n  ✖ It does not exist.\n      → npm run bootstrap makes it.\n",
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
    environment: { AWS_ENDPOINT_URL: "http://127.0.0.1:9", AWS_MAX_ATTEMPTS: "1" },
  });
  expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  expect(stderr).toMatch(/^Cannot look for the bucket team-state: .*ECONNREFUSED.* AWS could not be reached: .*\n$/);
});
