import { z } from "zod";
import { parsePublicKey } from "../aws/public-key";
import { ConfigError, fault, faultsOf, refuse } from "./faults";
import { readJsonFile, writeJsonFile } from "./json-file";

/** The file with the public keys of all environments, beside config.ts and reviewed like it. */
export const keyPairsFile = "key-pairs.json";

/** The line of a .pub file, of a key that EC2 imports. A fault of it never repeats it: it may be a private key. */
export const publicKeySchema = z
  .string({ error: "got no text; allowed: the line of a .pub file" })
  .superRefine((value, context) => {
    try {
      parsePublicKey(value);
    } catch (error) {
      context.addIssue(fault([], `got ${error instanceof Error ? error.message : String(error)}`));
    }
  })
  .transform((value) => value.trim());

const keyPairsSchema = z.record(z.string(), publicKeySchema, {
  error: refuse("an object of public keys by the names of environments"),
});

/** The public keys of the environments that have one here, by the environments' names. */
export type KeyPairs = z.infer<typeof keyPairsSchema>;

/** What the file says, unchecked: nothing where there is no file. @throws ConfigError when it is no JSON */
export const writtenKeyPairs = (file = keyPairsFile) => readJsonFile(file);

/** Checks public keys. Gives them, or every fault there is, a line each. */
export function checkKeyPairs(
  written: unknown,
): { keyPairs: KeyPairs; faults?: undefined } | { keyPairs?: undefined; faults: string[] } {
  const { data, error } = keyPairsSchema.safeParse(written);
  if (data !== undefined) return { keyPairs: data };
  return { faults: faultsOf([], error).map((line) => `${keyPairsFile}: ${line.replace(/^settings: /, "")}`) };
}

/**
 * The public keys of every environment that has one in the file.
 * @throws ConfigError with every fault there is
 */
export function readKeyPairs(file = keyPairsFile): KeyPairs {
  const checked = checkKeyPairs(writtenKeyPairs(file));
  if (checked.faults) throw new ConfigError(checked.faults, [file]);
  return checked.keyPairs;
}

/** Writes the public keys, in one step. */
export const writeKeyPairs = (keyPairs: KeyPairs, file = keyPairsFile) =>
  writeJsonFile(file, keyPairsSchema.parse(keyPairs));
