import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { parsedJson } from "../../contract/json-text";

const folder = join(".local", "verified-models");

const noteSchema = z.object({ golden: z.string(), at: z.string(), asked: z.number(), agreed: z.number() });

/** That an archive has given the golden answers of a file. */
export type Verification = z.infer<typeof noteSchema>;

/** How the archive with this hash has answered these golden requests here; undefined where it was not right, or not asked. */
export async function verificationOf(sha256: string, golden: string): Promise<Verification | undefined> {
  const written = await readFile(join(folder, sha256), "utf8").catch(() => "");
  const { data } = noteSchema.safeParse(parsedJson(written)); // an earlier version does not say which golden answers
  return data?.golden === golden ? data : undefined;
}

/** Keeps what `model verify` has found, for `model release`. @param found @default the archive is not right */
export async function noteVerification(sha256: string, found?: Verification): Promise<void> {
  if (found === undefined) return rm(join(folder, sha256), { force: true });
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, sha256), `${JSON.stringify(found)}\n`);
}
