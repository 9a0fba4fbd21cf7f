import { execFile } from "node:child_process";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import { operator } from "../../local/credentials";
import { json, serve } from "../../local/stand-in";

const run = promisify(execFile);

/** Credentials of the stand-ins, and an STS on this desk for the one call that the AWS provider makes. */
export const environment = {
  ...process.env,
  AWS_ACCESS_KEY_ID: operator.credentials.accessKeyId,
  AWS_SECRET_ACCESS_KEY: operator.credentials.secretAccessKey,
  AWS_ENDPOINT_URL_STS: process.env.TEST_SQS_URL,
  AWS_EC2_METADATA_DISABLED: "true",
  CHECKPOINT_DISABLE: "1",
  GOGC: "400", // Terraform and its provider collect garbage less often: a fifth less of the processor, for 200 MB
};

/** What AWS has for an image. */
export const newestImage = "ami-0123456789abcdef0";

const planJson = z.object({
  resource_changes: z.array(
    z.object({
      address: z.string(),
      mode: z.string(),
      type: z.string(),
      change: z.object({ actions: z.array(z.string()), after: z.record(z.string(), z.unknown()).nullable() }),
    }),
  ),
});

/** A resource of AWS in a state. */
export interface HeldResource {
  readonly type: string;
  readonly name: string;
  readonly attributes: unknown;
}

/** A state that holds these resources, as Terraform writes it. */
export const stateOf = (resources: readonly HeldResource[]) =>
  JSON.stringify({
    version: 4,
    terraform_version: "1.10.0",
    serial: 1,
    lineage: "a-test",
    outputs: {},
    resources: resources.map(({ type, name, attributes }) => ({
      mode: "managed",
      type,
      name,
      provider: 'provider["registry.terraform.io/hashicorp/aws"]',
      instances: [{ schema_version: 0, attributes }],
    })),
  });

const stateFile = "test.tfstate";

/** A synthesized stack with its state in a local file instead of S3, and Terraform to run in it. */
export class StackFolder {
  private constructor(readonly folder: string) {}

  /** A copy of one that `npm run synth` wrote. */
  static copyOf(stack: string, outdir = "cdktf.out"): Promise<StackFolder> {
    return StackFolder.copyOfFolder(join(outdir, "stacks", stack));
  }

  /** A copy of what a test wrote. */
  static copyOfFolder(written: string): Promise<StackFolder> {
    return StackFolder.filledBy((folder) => cp(written, folder, { recursive: true }));
  }

  /** One of Terraform JSON that a test synthesized, without archives. */
  static of(json: string): Promise<StackFolder> {
    return StackFolder.filledBy((folder) => writeFile(join(folder, "cdk.tf.json"), json));
  }

  private static async filledBy(fill: (folder: string) => Promise<void>): Promise<StackFolder> {
    const folder = await mkdtemp(join(tmpdir(), "stack-"));
    await fill(folder);
    const backend = { terraform: { backend: { local: { path: stateFile } } } };
    await writeFile(join(folder, "backend_override.tf.json"), JSON.stringify(backend));
    const copy = new StackFolder(folder);
    await copy.terraform("init", "-input=false", "-no-color");
    return copy;
  }

  async terraform(...args: string[]): Promise<string> {
    return this.terraformIn(environment, args);
  }

  private async terraformIn(env: NodeJS.ProcessEnv, args: string[]): Promise<string> {
    const { stdout } = await run("terraform", args, { cwd: this.folder, env, maxBuffer: 1 << 26 });
    return stdout;
  }

  /** Gives the stack a state that holds these resources. */
  holdState(resources: readonly HeldResource[]): Promise<void> {
    return writeFile(join(this.folder, stateFile), stateOf(resources));
  }

  /**
   * What Terraform would do to managed resources, to all or these. There is no AWS to ask how those in the state are, but
   * for an SSM whose every parameter is an image.
   */
  async plan(...addresses: string[]) {
    const targets = addresses.map((address) => `-target=${address}`);
    const ssm = await serve(({ body }) => {
      const { Name } = z.object({ Name: z.string() }).parse(JSON.parse(body.toString()));
      return json({ Parameter: { Name, Type: "String", Value: newestImage, Version: 1 } });
    });
    const args = ["plan", "-refresh=false", "-input=false", "-no-color", "-out=plan", ...targets];
    await this.terraformIn({ ...environment, AWS_ENDPOINT_URL_SSM: ssm.url }, args).finally(() => ssm.stop());
    const plan = planJson.parse(JSON.parse(await this.terraform("show", "-json", "plan")));
    return plan.resource_changes.filter(({ mode }) => mode === "managed");
  }

  remove(): Promise<void> {
    return rm(this.folder, { recursive: true, force: true });
  }
}
