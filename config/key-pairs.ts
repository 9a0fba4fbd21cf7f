import { z } from "zod";
import { limits } from "../aws/limits";
import { parsePublicKey } from "../aws/public-key";
import { fault, group, refuse, ruled, text } from "./faults";
import { readJsonFile, reviewedFile } from "./json-file";
import { prefixed, type Surroundings } from "./surroundings";

/** The file with the public keys of all environments, beside config.ts and reviewed like it. */
export const keyPairsFile = "key-pairs.json";

/** The line of a .pub file, of a key that EC2 imports. A fault of it never repeats it: it may be a private key. */
const publicKeySchema = z
  .string({ error: "got no text; allowed: the line of a .pub file" })
  .superRefine((value, context) => {
    try {
      parsePublicKey(value);
    } catch (error) {
      context.addIssue(fault([], `got ${error instanceof Error ? error.message : String(error)}`));
    }
  })
  .transform((value) => value.trim());

/** A key pair to import into EC2, or one that is there. */
export const keyPairSection = (around: Surroundings) =>
  ruled(
    group({
      /** What the imported key is called. @default key-pair */
      name: prefixed(around, limits.ec2.keyPairName).optional(),
      /** A public key to import, the line of a .pub file: ED25519, or RSA of 2048 or 4096 bits. */
      publicKey: publicKeySchema.optional(),
      /** Instead of a public key: the full name of a key pair that EC2 has already. */
      existing: text(limits.ec2.keyPairName).optional(),
    }),
    [
      {
        of: ["", "name", "publicKey", "existing"],
        holds: ({ name, publicKey, existing }) =>
          existing === undefined ? publicKey !== undefined : name === undefined && publicKey === undefined,
        given: (keyPair) => Object.keys(keyPair).join(" and ") || "neither",
        allowed: "publicKey (and name) to import a key, or existing to use one that EC2 has",
      },
    ],
  ).transform(({ name, publicKey, existing }): { name: string; publicKey?: string } =>
    existing === undefined ? { name: name ?? `${around.prefix}-key-pair`, publicKey } : { name: existing },
  );

const keyPairsSchema = z.record(z.string(), publicKeySchema, {
  error: refuse("an object of public keys by the names of environments"),
});

/** What the file says, unchecked: nothing where there is no file. @throws ConfigError when it is no JSON */
export const writtenKeyPairs = () => readJsonFile(keyPairsFile);

/** The public keys of every environment that has one in the file. */
export const {
  check: checkKeyPairs,
  read: readKeyPairs,
  change: changeKeyPairs,
} = reviewedFile(keyPairsFile, keyPairsSchema);
