import { generateKeyPairSync } from "node:crypto";
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { parsePrivateKey } from "sshpk";
import { describeName, isName, type NameLimit } from "../../aws/limits";
import { parsePublicKey } from "../../aws/public-key";
import type { Environment } from "../../config";
import { got } from "../../config/faults";
import { changeKeyPairs, keyPairsFile, readKeyPairs } from "../../config/key-pairs";
import { targetOf } from "../shared/connection";
import { messageOf } from "../shared/findings";
import { commandsFor } from "../shared/options";

const keyName: NameLimit = {
  pattern: /^(?!(config|environment|rc|(known_hosts|authorized_keys).*)$)[A-Za-z0-9][\w.-]*(?<!\.pub)$/,
  maximumLength: 64,
  allowed: "letters, digits and . _ -, a letter or digit first, no .pub last, no file of OpenSSH's own",
  source: "it is the name of a file in ~/.ssh",
};

/** A public key has some 800 characters at most, and a comment. */
const longestPublicKey = 16_384;

/**
 * Makes a key pair, and gives an environment its public half. The private one comes first: interrupted between the two,
 * this leaves a private key that nothing knows.
 * @param env one of config.ts @default the usual one
 * @returns the environment's name, and where the private key is
 * @throws with nothing changed, when that file exists or the environment has a key pair
 */
export function createKeyPair(
  name: string,
  env: string | undefined,
  type: "ed25519" | "rsa",
  file = join(homedir(), ".ssh", name),
): { readonly environment: string; readonly file: string } {
  if (!isName(name, keyName)) throw new Error(`NAME: ${got(name, describeName(keyName), keyName.source)}`);
  const { environment } = targetOf({ env });
  refuseAnother(environment);
  const { privateKey, publicKey } = makeKeyPair(type, name);
  writePrivateKey(file, privateKey, environment.name);
  try {
    giveKeyPair(environment, publicKey);
  } catch (error) {
    rmSync(file, { force: true }); // nobody has its other half
    throw error;
  }
  console.error(`${file} is the private key, for you alone: there is no copy of it.`);
  return { environment: environment.name, file };
}

/**
 * Gives an environment a public key.
 * @param env one of config.ts @default the usual one
 * @returns the environment's name
 * @throws with nothing changed, when it is none that EC2 imports, or the environment has another key pair
 */
export function importPublicKey(path: string, env: string | undefined): string {
  const { environment } = targetOf({ env });
  const publicKey = readPublicKey(path);
  if (bareKey(environment.keyPair?.publicKey) === bareKey(publicKey)) {
    console.error(`${environment.name} has this key pair already.`);
    return environment.name;
  }
  refuseAnother(environment);
  giveKeyPair(environment, publicKey);
  return environment.name;
}

/** Both halves in OpenSSH's format, with a comment. */
function makeKeyPair(type: "ed25519" | "rsa", comment: string) {
  const privateKeyEncoding = { format: "pem", type: "pkcs8" } as const;
  const publicKeyEncoding = { format: "pem", type: "spki" } as const;
  const pem =
    type === "rsa"
      ? generateKeyPairSync("rsa", { modulusLength: 4096, privateKeyEncoding, publicKeyEncoding }).privateKey
      : generateKeyPairSync("ed25519", { privateKeyEncoding, publicKeyEncoding }).privateKey;
  const privateKey = parsePrivateKey(pem, "pem");
  privateKey.comment = comment;
  const publicKey = privateKey.toPublic();
  publicKey.comment = comment;
  return { privateKey: privateKey.toString("openssh"), publicKey: publicKey.toString("ssh") };
}

/** Writes a private key into a file that is not there yet, and that at no moment another user can read. */
function writePrivateKey(file: string, privateKey: string, environmentName: string) {
  let opened: number;
  try {
    if (!existsSync(dirname(file))) mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    opened = openSync(file, "wx", 0o400);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw unwritable(file, error);
    throw new Error(
      [
        `${file} exists already, and is not overwritten. Name another file with --output; or, if it is the private key`,
        `that ${environmentName} is to have:`,
        `  ssh-keygen -y -f ${file} > ${file}.pub`,
        `  ${commandsFor({ env: environmentName })(`keypair import ${file}.pub`)}`,
      ].join("\n"),
    );
  }
  try {
    writeFileSync(opened, privateKey);
    fsyncSync(opened);
  } catch (error) {
    rmSync(file, { force: true });
    throw unwritable(file, error);
  } finally {
    closeSync(opened);
  }
}

const unwritable = (file: string, error: unknown) =>
  new Error(`The private key cannot be written to ${file}: ${messageOf(error)}`);

/** The public key in a file. @throws when there is none, without a word of what is there instead */
function readPublicKey(path: string): string {
  try {
    if (statSync(path).size > longestPublicKey) throw new Error("got a file that is too long to be one");
    const text = readFileSync(path, "utf8");
    try {
      parsePublicKey(text);
    } catch (error) {
      throw new Error(`got ${messageOf(error)}`);
    }
    return text.trim();
  } catch (error) {
    throw new Error(`No public key can be read from ${path}: ${messageOf(error)}`);
  }
}

/** A public key without its comment, which is no part of the key. */
const bareKey = (publicKey = "") => publicKey.trim().split(/\s+/, 2).join(" ");

/** @throws when an environment has a key pair, with how to change it on purpose */
function refuseAnother({ name, keyPair }: Environment) {
  if (keyPair === undefined) return;
  const file = name in readKeyPairs() ? keyPairsFile : "config.ts";
  throw new Error(
    `${name} has a key pair already, ${keyPair.name} in ${file}. Another key would replace it on AWS, and what is started\n` +
      `with it from then on opens by the new key alone. If that is meant, take it out of ${file}, run this again, and see\n` +
      `with ${commandsFor({})(`diff inference-${name}`)} what is replaced.`,
  );
}

function giveKeyPair({ name }: Environment, publicKey: string) {
  changeKeyPairs((keyPairs) => {
    if (name in keyPairs) throw new Error(`${name} has got another key pair in ${keyPairsFile} meanwhile.`);
    return { ...keyPairs, [name]: publicKey };
  });
  console.error(`The public key is that of ${name} in ${keyPairsFile}, to be reviewed and committed like code.`);
}
