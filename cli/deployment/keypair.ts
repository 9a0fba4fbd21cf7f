import { Option } from "commander";
import { Command } from "../shared/command";
import { commandsFor, environmentOption } from "../shared/options";

interface CreateOptions {
  readonly env?: string;
  readonly type: "ed25519" | "rsa";
  readonly output?: string;
}

const nextStep = (environment: string) =>
  console.error(`What that changes on AWS: ${commandsFor({})(`diff inference-${environment}`)}`);

const createCommand = () =>
  new Command("create")
    .description("Makes a key pair here: the private key stays in a file, the public one goes into key-pairs.json.")
    .argument("<name>", "what the file is called, and the comment of the public key")
    .addOption(environmentOption())
    .addOption(new Option("--type <type>", "RSA has 4096 bits").choices(["ed25519", "rsa"]).default("ed25519"))
    .option("--output <file>", "where the private key goes (default: ~/.ssh/<name>)")
    .explanation(
      "\nThe private key is never sent, and no file is ever overwritten: only you can read it (mode 0400), and it has no\n" +
        "passphrase. Prints where it is. Exits with 1, with nothing changed, where the file is there or the environment\n" +
        "has a key pair.",
    )
    .examples(
      "offline-inference keypair create team --env dev",
      "offline-inference keypair create team --env prod --type rsa --output /mnt/safe/team",
    )
    .action(async (name: string, { env, type, output }: CreateOptions) => {
      const { createKeyPair } = await import("./keypair-change");
      const { environment, file } = createKeyPair(name, env, type, output);
      console.log(file);
      nextStep(environment);
    });

const importCommand = () =>
  new Command("import")
    .description("Writes a public key that you have into key-pairs.json. Refuses a private one.")
    .argument("<path>", "a public key in OpenSSH's format, ED25519 or RSA, such as ~/.ssh/id_rsa.pub")
    .addOption(environmentOption())
    .explanation("\nExits with 1, with nothing changed, where the environment has another key pair.")
    .examples("offline-inference keypair import ~/.ssh/id_rsa.pub --env dev")
    .action(async (path: string, { env }: { env?: string }) => {
      const { importPublicKey } = await import("./keypair-change");
      nextStep(importPublicKey(path, env));
    });

export const keypairCommand = () =>
  new Command("keypair")
    .description("Gives an environment the key pair that opens its instances: makes one, or imports a public key.")
    .examples("offline-inference keypair create team --env dev")
    .addCommand(createCommand())
    .addCommand(importCommand());
