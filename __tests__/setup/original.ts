import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Moto } from "./moto";
import { attributesIn } from "./state";

const run = promisify(execFile);

/** A zip with nothing in it, which is all that a function needs to exist on moto. */
const emptyZip = Buffer.from([0x50, 0x4b, 5, 6, ...Array.from({ length: 18 }, () => 0)]);

/**
 * The deployment that this project takes over, made on a moto by Terraform: its 38 resources, and their state.
 * @param folder where its Terraform lies from now on, made if need be
 * @param backend where its state is kept, as a block of Terraform. @default a file in the folder, as Terraform has it
 */
export async function applyOriginal(moto: Moto, folder: string, backend?: { s3: object } | { local: object }) {
  const environment = { ...moto.environment, TF_VAR_master_password: `A1${randomBytes(12).toString("hex")}` };
  const terraform = async (...args: string[]) =>
    (await run("terraform", args, { cwd: folder, env: environment, maxBuffer: 1 << 26 })).stdout;

  await mkdir(folder, { recursive: true });
  await copyFile("__tests__/fixtures/original/main.tf", join(folder, "main.tf"));
  await writeFile(join(folder, "lambda.zip"), emptyZip);
  if (backend) await writeFile(join(folder, "backend_override.tf.json"), JSON.stringify({ terraform: { backend } }));
  await terraform("init", "-input=false", "-no-color");
  await terraform("apply", "-input=false", "-no-color", "-auto-approve");

  return {
    folder,
    /** Runs Terraform in the folder, and gives what it writes to standard output. */
    terraform,
    /** The attributes of each resource by its address. */
    resources: attributesIn(await terraform("state", "pull"), "managed"),
  };
}
