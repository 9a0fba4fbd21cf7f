import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

const folder = join(".local", "verified-models");

/** Whether the archive with this hash has given the golden answers on this machine, the last time that it was asked. */
export const isVerified = (sha256: string) => existsSync(join(folder, sha256));

/** Keeps what `model verify` has found, for `model release`. */
export async function noteVerification(sha256: string, isRight: boolean): Promise<void> {
  if (!isRight) return rm(join(folder, sha256), { force: true });
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, sha256), `${new Date().toISOString()}\n`);
}
