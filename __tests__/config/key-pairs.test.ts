import { generateKeyPairSync } from "node:crypto";
import { type EnvironmentSettings, loadConfig } from "../../config";
import { dev, faultsWith, settings } from "../setup/settings";

const ed25519 = () => {
  const { x = "" } = generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" });
  const fields = [Buffer.from("ssh-ed25519"), Buffer.from(x, "base64url")];
  const wire = fields.flatMap((bytes) => [Buffer.from([0, 0, 0, bytes.length]), bytes]);
  return `ssh-ed25519 ${Buffer.concat(wire).toString("base64")} me@desk`;
};

describe("the key pair", () => {
  const publicKey = ed25519();

  test("is none unless asked for", () => {
    expect(dev().keyPair).toBeUndefined();
  });

  test("imports a public key under a name with the prefix", () => {
    expect(dev({ keyPair: { publicKey: `${publicKey}\n` } }).keyPair).toEqual({ name: "poc-dev-key-pair", publicKey });
    expect(dev({ keyPair: { name: "ours", publicKey } }).keyPair).toEqual({ name: "poc-dev-ours", publicKey });
  });

  test("refers to one that EC2 has by its full name", () => {
    expect(dev({ keyPair: { existing: "ours" } }).keyPair).toEqual({ name: "ours" });
  });

  test.each([
    [{}, "neither"],
    [{ name: "ours" }, "name"],
    [{ publicKey, existing: "ours" }, "publicKey and existing"],
    [{ name: "ours", existing: "ours" }, "name and existing"],
  ])("may not be both or neither: %j", (keyPair, given) => {
    expect(faultsWith("keyPair", keyPair)).toEqual([
      `environments.dev.keyPair: got ${given}; allowed: publicKey (and name) to import a key, or existing to use one that EC2 has`,
    ]);
  });

  test("is never a private key, and a private key is never shown", () => {
    const secret = generateKeyPairSync("ed25519").privateKey.export({ format: "pem", type: "pkcs8" }).toString();
    const [fault, ...others] = faultsWith("keyPair.publicKey", secret);
    expect(others).toEqual([]);
    expect(fault).toBe(
      "environments.dev.keyPair.publicKey: got a private key, which must stay secret: give the public one, the file whose name ends in .pub",
    );
    expect(faultsWith("keyPair.existing", secret).join()).not.toContain(secret.split("\n")[1]);
  });
});

describe("a key pair in key-pairs.json", () => {
  const publicKey = ed25519();
  const read = (keyPairs: unknown, environment: EnvironmentSettings = {}) =>
    loadConfig(settings(environment), {}, [], {}, keyPairs).environments.dev?.keyPair;

  test("is the environment's, under the usual name", () => {
    expect(read({ dev: `${publicKey}\n` })).toEqual({ name: "poc-dev-key-pair", publicKey });
    expect(read({})).toBeUndefined();
  });

  test("and another in config.ts are one too many, and both are named", () => {
    const both = () => read({ dev: publicKey }, { keyPair: { existing: "ours" } });
    expect(both).toThrow(
      "config.ts has 1 problem:\n  environments.dev.keyPair: got a key pair, and key-pairs.json has a public key for dev; allowed: one of the two",
    );
  });

  test("is refused with all faults at once, and a private key is never shown", () => {
    const secret = generateKeyPairSync("ed25519").privateKey.export({ format: "pem", type: "pkcs8" }).toString();
    const given = () => read({ dev: secret, prod: 5 }, { inference: { batchSize: 0 } });
    expect(given).toThrow(
      /^config\.ts and key-pairs\.json have 3 problems:\n {2}environments\.dev\.inference\.batchSize: /,
    );
    expect(given).toThrow(
      "key-pairs.json: dev: got a private key, which must stay secret: give the public one, the file whose name ends in .pub\n" +
        "  key-pairs.json: prod: got no text; allowed: the line of a .pub file",
    );
    expect(given).not.toThrow(secret.split("\n")[1]);
  });

  test("is refused where its environment does not exist", () => {
    expect(() => read({ staging: publicKey })).toThrow(
      "key-pairs.json has 1 problem:\n  key-pairs.json: staging: got an environment that does not exist; allowed: dev",
    );
    expect(() => read([])).toThrow(
      "key-pairs.json: got []; allowed: an object of public keys by the names of environments",
    );
  });
});

describe("a bastion", () => {
  const publicKey = ed25519();

  test("is none unless asked for, with a key pair too", () => {
    expect([dev().access, dev({ keyPair: { publicKey } }).access]).toEqual(Array(2).fill({ bastion: false }));
    expect(dev({ keyPair: { publicKey }, access: { bastion: true } }).access).toEqual({ bastion: true });
  });

  test("opens by the key pair in key-pairs.json as by one in config.ts", () => {
    const { environments } = loadConfig(settings({ access: { bastion: true } }), {}, [], {}, { dev: publicKey });
    expect(environments.dev?.access).toEqual({ bastion: true });
  });

  test("is refused without a key pair to open it by, and with how to have one", () => {
    expect(faultsWith("access.bastion", true)).toEqual([
      "environments.dev.access.bastion: got true; allowed: false until dev has a key pair to open it by: npx offline-inference keypair create NAME --env dev",
    ]);
  });

  test("is not blamed for a key pair at fault", () => {
    const [fault, ...others] = faultsWith("keyPair.publicKey", "nonsense", { access: { bastion: true } });
    expect([fault, others]).toEqual([expect.stringContaining("environments.dev.keyPair.publicKey: "), []]);
  });

  test("is asked for by true or false", () => {
    expect(faultsWith("access.bastion", "yes")).toEqual([
      'environments.dev.access.bastion: got "yes"; allowed: true or false',
    ]);
  });
});
