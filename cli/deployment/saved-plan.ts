import { createCipheriv, createDecipheriv, randomBytes, scryptSync } from "node:crypto";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { buffer } from "node:stream/consumers";
import { create, extract } from "tar";
import { z } from "zod";
import { parsedJson } from "../../contract/json-text";

/** The environment variable with the passphrase that saved plans are encrypted by. */
const keyVariable = "OFFLINE_INFERENCE_PLAN_KEY";
const shortestPassphrase = 20;

/**
 * The passphrase for saved plans.
 * @throws when there is none, or a short one
 */
export function planPassphrase(): string {
  const passphrase = process.env[keyVariable] ?? "";
  if (passphrase.length >= shortestPassphrase) return passphrase;
  const found = passphrase === "" ? "which is not set" : `which has ${passphrase.length}`;
  throw new Error(
    `A saved plan is encrypted, since it holds secrets, by a passphrase of ${shortestPassphrase} characters or more in ${keyVariable}, ${found}.`,
  );
}

/** The first line of the file, in the clear. What follows is encrypted, with the tag of AES-GCM at its end. */
const header = z.object({
  format: z.literal("offline-inference plan"),
  version: z.literal(1),
  stack: z.string(),
  salt: z.base64(),
  nonce: z.base64(),
});

const cipher = "aes-256-gcm";
const tagLength = 16;

/** Some 0.1 s and 32 MiB for each guess at the passphrase. */
const keyOf = (passphrase: string, salt: Buffer) =>
  scryptSync(passphrase, salt, 32, { N: 2 ** 15, r: 8, p: 1, maxmem: 2 ** 26 });

/**
 * Packs the folder in which a plan was made, the plan with it, into one encrypted file that its owner alone reads.
 * Without the functions' archives, which were written while planning, the plan could not be applied elsewhere.
 */
export async function savePlan(file: string, folder: string, stack: string, passphrase: string): Promise<void> {
  const isInstalled = (path: string) => /^(\.\/)?\.terraform(\/|$)/.test(path); // `init` brings it anywhere
  const options = { cwd: folder, gzip: true, portable: true, filter: (path: string) => !isInstalled(path) };
  const packed = await buffer(create(options, ["."]));

  const salt = randomBytes(16);
  const nonce = randomBytes(12);
  const about: z.infer<typeof header> = {
    format: "offline-inference plan",
    version: 1,
    stack,
    salt: salt.toString("base64"),
    nonce: nonce.toString("base64"),
  };
  const head = Buffer.from(`${JSON.stringify(about)}\n`);
  const encryption = createCipheriv(cipher, keyOf(passphrase, salt), nonce).setAAD(head);
  const content = [head, encryption.update(packed), encryption.final(), encryption.getAuthTag()];
  const partial = `${file}.${process.pid}.partial`; // a new file, for the mode of one that exists would stay
  writeFileSync(partial, Buffer.concat(content), { mode: 0o600, flag: "wx" });
  renameSync(partial, file);
}

/**
 * Unpacks a saved plan into an empty folder.
 * @throws when the file is none, is another stack's, was changed, or has another passphrase
 */
export async function openPlan(file: string, folder: string, stack: string, passphrase: string): Promise<void> {
  if (!existsSync(file)) throw new Error(`There is no file ${file}.`);
  const content = readFileSync(file);
  const end = content.indexOf("\n") + 1;
  const about = header.safeParse(parsedJson(content.subarray(0, end).toString("utf8"))).data;
  if (about === undefined) throw new Error(`${file} is no plan that \`diff --save\` of this version has written.`);
  if (about.stack !== stack) throw new Error(`${file} is a plan of ${about.stack}, not of ${stack}.`);
  const encrypted = content.subarray(end, -tagLength);
  const key = keyOf(passphrase, Buffer.from(about.salt, "base64"));
  let packed: Buffer;
  try {
    const decryption = createDecipheriv(cipher, key, Buffer.from(about.nonce, "base64"), { authTagLength: tagLength })
      .setAAD(content.subarray(0, end))
      .setAuthTag(content.subarray(-tagLength));
    packed = Buffer.concat([decryption.update(encrypted), decryption.final()]);
  } catch {
    throw new Error(`${file} does not open: ${keyVariable} is not what it was saved with, or the file was changed.`);
  }
  await new Promise<void>((resolve, reject) => {
    extract({ cwd: folder, strict: true }).on("close", resolve).on("error", reject).end(packed);
  });
}
