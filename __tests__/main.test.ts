import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A checkout of its own, but for the files that a test writes into it. */
async function checkout(written: Record<string, string> = {}): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "checkout-"));
  const names = [
    "node_modules",
    "package.json",
    "cdktf.json",
    "dist",
    "aws",
    "config",
    "contract",
    "constructs",
    "stacks",
  ];
  for (const name of [...names, "config.ts", "main.ts"]) {
    if (!(name in written)) await symlink(resolve(name), join(folder, name));
  }
  // What is written stands beside links, so Node must not follow those to the files that they stand for.
  for (const [name, text] of Object.entries(written)) await writeFile(join(folder, name), text);
  return folder;
}

/** Synthesizes, with nothing in PATH but a shell. */
async function synthesize(folder: string) {
  const bin = join(folder, "bin");
  await run("mkdir", [bin]);
  await symlink("/bin/sh", join(bin, "sh"));
  const args = ["--preserve-symlinks", "--preserve-symlinks-main", "--import", "tsx", "main.ts"];
  return run(process.execPath, args, { cwd: folder, env: { PATH: bin } });
}

test("synthesizes every stack without Terraform, the same in whatever folder", async () => {
  const folders = [await checkout(), await checkout()];
  const [first, second] = await Promise.all(
    folders.map(async (folder) => {
      await synthesize(folder);
      const stacks = await readdir(join(folder, "cdktf.out", "stacks"));
      const files = stacks.map((stack) => readFile(join(folder, "cdktf.out", "stacks", stack, "cdk.tf.json"), "utf8"));
      await Promise.all(files);
      await rm(folder, { recursive: true });
      return { stacks, json: await Promise.all(files) };
    }),
  );
  expect(first?.stacks).toEqual(["inference-dev", "inference-prod", "state"]);
  expect(second).toEqual(first);
});

test("refuses a faulty configuration with all its faults, and no stack trace", async () => {
  const config = `
    import { readConfig } from "./config/schema";
    export { ConfigError } from "./config/faults";
    export const loadConfig = () => readConfig(
      { project: "p", owner: "o", prefix: "poc", region: "us-east-1", stateBucket: "team-state",
        environments: { dev: { inference: { messageRetentionSeconds: 59 }, network: { cidrBlock: "10.0.0.0/33" } } } }, {});`;
  const folder = await checkout({ "config.ts": config });
  const failure = await synthesize(folder).catch((error) => error);
  await rm(folder, { recursive: true });
  expect(failure).toMatchObject({ code: 1, stdout: "" });
  expect(failure.stderr).toMatch(/^config\.ts has \d problems:\n/);
  expect(failure.stderr).toContain(
    "environments.dev.inference.messageRetentionSeconds: got 59; allowed: 60 to 1209600",
  );
  expect(failure.stderr).toContain('environments.dev.network.cidrBlock: got "10.0.0.0/33"');
  expect(failure.stderr).not.toContain("    at ");
});

test("warns of images that AWS no longer patches, and of no other", async () => {
  const config = `
    import { readConfig } from "./config/schema";
    export { ConfigError } from "./config/faults";
    const image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/our-own/model:7";
    export const loadConfig = () => readConfig(
      { project: "p", owner: "o", prefix: "poc", region: "us-east-1", stateBucket: "team-state",
        environments: {
          ours: { model: { instanceType: "ml.c7i.large", image } }, theirs: { model: { instanceType: "ml.c7i.large" } },
          existing: { model: { endpoint: { existing: "their-endpoint" } } },
        } }, {});`;
  const folder = await checkout({ "config.ts": config });
  const { stderr } = await synthesize(folder);
  await rm(folder, { recursive: true });
  expect(stderr).toBe(
    "inference-theirs: 763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-inference:2.6.0-cpu-py312-ubuntu22.04-sagemaker " +
      "gets no security patches any more: its line ended on 2026-06-30, and PyTorch 2.6 is the last that AWS serves by an " +
      "image of its own. What else there is: docs/your-model.md\n",
  );
});
