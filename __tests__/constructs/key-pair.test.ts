import { generateKeyPairSync } from "node:crypto";
import { KeyPair as Ec2KeyPair } from "@cdktf/provider-aws/lib/key-pair";
import { KeyPair } from "../../constructs/key-pair";
import { resourcesOf, synth } from "../setup/synth";

/** An ED25519 public key as OpenSSH writes it. */
function ed25519PublicKey(): string {
  const raw = generateKeyPairSync("ed25519").publicKey.export({ type: "spki", format: "der" }).subarray(-32);
  const field = (bytes: Buffer) => Buffer.concat([Buffer.from([0, 0, 0, bytes.length]), bytes]);
  return `ssh-ed25519 ${Buffer.concat([field(Buffer.from("ssh-ed25519")), field(raw)]).toString("base64")} me@desk`;
}

test("imports a public key under its name", () => {
  const publicKey = ed25519PublicKey();
  const json = synth((scope) => {
    const { keyName } = new KeyPair(scope, "access", { name: "team", publicKey });
    expect(keyName).toContain("${");
  });
  expect(json).toHaveResourceWithProperties(Ec2KeyPair, { key_name: "team", public_key: publicKey });
});

test("refers to a key pair that exists without touching it", () => {
  const json = synth((scope) => {
    expect(new KeyPair(scope, "access", { name: "team" }).keyName).toBe("team");
  });
  expect(resourcesOf(json)).toEqual([]);
});
