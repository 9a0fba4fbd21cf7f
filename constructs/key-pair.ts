import { KeyPair as Ec2KeyPair } from "@cdktf/provider-aws/lib/key-pair";
import { Construct } from "constructs";

export interface KeyPairProps {
  readonly name: string;
  /** An RSA or ED25519 public key in OpenSSH's format, imported under the name. @default the key pair exists already */
  readonly publicKey?: string;
}

/** The key pair that gives access to instances: a public key that is imported, or a key pair that exists. */
export class KeyPair extends Construct {
  /** What an instance is given as its `key_name`. */
  readonly keyName: string;

  constructor(scope: Construct, id: string, { name, publicKey }: KeyPairProps) {
    super(scope, id);
    if (publicKey === undefined) {
      this.keyName = name;
      return;
    }
    this.keyName = new Ec2KeyPair(this, "key_pair", { keyName: name, publicKey }).keyName;
  }
}
