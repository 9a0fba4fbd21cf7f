import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { CopyObjectCommand, CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { z } from "zod";
import { type Moto, startMoto } from "../setup/moto";
import { applyOriginal } from "../setup/original";

const run = promisify(execFile);

const bucket = "sagemaker-endpoint-deploy-tf-state-vector";
const originalKey = "sagemaker-deploy/terraform.tfstate";

let moto: Moto;
let original: Awaited<ReturnType<typeof applyOriginal>>;
let root: string;
let checkout: string;
const sh = async (command: string, args: string[], cwd = checkout) =>
  run(command, args, { cwd, env: moto.environment, maxBuffer: 1 << 26 });

beforeAll(async () => {
  moto = await startMoto();
  root = await mkdtemp(join(tmpdir(), "take-over-"));
  Object.assign(process.env, moto.environment);
  const s3 = new S3Client({ forcePathStyle: true });
  await s3.send(new CreateBucketCommand({ Bucket: bucket }));
  original = await applyOriginal(moto, join(root, "original"), {
    s3: { bucket, key: originalKey, region: "us-east-1" },
  } as never);
  await s3.send(
    new CopyObjectCommand({
      Bucket: bucket,
      CopySource: `${bucket}/${originalKey}`,
      Key: "inference-dev/terraform.tfstate",
    }),
  );
  checkout = join(root, "checkout");
  await run("mkdir", [checkout]);
  for (const name of [
    "node_modules",
    "package.json",
    "cdktf.json",
    "dist",
    "aws",
    "config-schema.ts",
    "constructs",
    "stacks",
    "config.ts",
    "main.ts",
  ])
    await symlink(resolve(name), join(checkout, name));
});
afterAll(async () => {
  await moto.stop();
});

test("take over", async () => {
  await sh(process.execPath, ["--import", "tsx", "main.ts", "--take-over", "dev"]);
  const folder = join(checkout, "cdktf.out/stacks/inference-dev");
  const tf = async (...args: string[]) => (await sh("terraform", args, folder)).stdout;
  await tf("init", "-input=false");
  console.log("init");
  await tf("plan", "-input=false", "-out=plan");
  const p = JSON.parse(await tf("show", "-json", "plan"));
  const counts: Record<string, number> = {};
  for (const c of p.resource_changes) counts[c.change.actions.join()] = (counts[c.change.actions.join()] ?? 0) + 1;
  console.log(counts);
  const t = Date.now();
  try {
    console.log((await tf("apply", "-no-color", "plan")).slice(-6000));
  } catch (e: any) {
    console.log(e.stdout.slice(-3000), e.stderr);
    throw e;
  }
  console.log("applied", (Date.now() - t) / 1000);
  const again = await sh("terraform", ["plan", "-no-color", "-detailed-exitcode"], folder).catch((e) => e);
  console.log(again.code, again.stdout.slice(-5000), again.stderr);
});
