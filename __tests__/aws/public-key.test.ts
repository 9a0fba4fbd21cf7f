import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { parsePublicKey } from "../../aws/public-key";

const field = (bytes: Buffer) => {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
};
const line = (type: string, ...fields: Buffer[]) =>
  `${type} ${Buffer.concat([Buffer.from(type), ...fields].map(field)).toString("base64")}`;
const numberOf = (key: KeyObject, name: "n" | "e" | "x") =>
  Buffer.from(key.export({ format: "jwk" })[name] ?? "", "base64url");

const rsa = (modulusLength: number) => {
  const { publicKey } = generateKeyPairSync("rsa", { modulusLength });
  const modulus = Buffer.concat([Buffer.from([0]), numberOf(publicKey, "n")]); // the sign bit, as ssh-keygen writes it
  return line("ssh-rsa", numberOf(publicKey, "e"), modulus);
};
const ed25519Pair = generateKeyPairSync("ed25519");
const ed25519 = line("ssh-ed25519", numberOf(ed25519Pair.publicKey, "x"));
const rsa2048 = rsa(2048);

test("accepts an ED25519 key", () => {
  expect(parsePublicKey(ed25519)).toEqual({ type: "ssh-ed25519", bits: 256 });
});

test("accepts an RSA key of 2048 bits", () => {
  expect(parsePublicKey(rsa2048)).toEqual({ type: "ssh-rsa", bits: 2048 });
});

test("accepts an RSA key of 4096 bits", () => {
  const modulus = Buffer.alloc(513, 0xff).fill(0, 0, 1);
  expect(parsePublicKey(line("ssh-rsa", Buffer.from([1, 0, 1]), modulus))).toEqual({ type: "ssh-rsa", bits: 4096 });
});

test("accepts a comment and a newline behind the key", () => {
  expect(parsePublicKey(`${ed25519} me@desk, my key\n`)).toEqual({ type: "ssh-ed25519", bits: 256 });
});

test.each([1024, 2047, 2049, 3072])("refuses an RSA key of %d bits, saying which EC2 imports", (bits) => {
  const modulus = Buffer.from(
    (1n << BigInt(bits - 1)).toString(16).padStart(2 * Math.ceil((bits + 1) / 8), "0"),
    "hex",
  );
  expect(() => parsePublicKey(line("ssh-rsa", Buffer.from([1, 0, 1]), modulus))).toThrow(
    `an RSA key of ${bits} bits: use 2048 or 4096 (EC2 imports 1024, 2048 and 4096, and 1024 is too weak), or ED25519 (https://`,
  );
});

test.each([
  ["PKCS #8", ed25519Pair.privateKey.export({ format: "pem", type: "pkcs8" }).toString()],
  [
    "PKCS #1",
    generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "pem", type: "pkcs1" }).toString(),
  ],
  [
    "OpenSSH",
    "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmU=\n-----END OPENSSH PRIVATE KEY-----",
  ],
])("refuses a private key in %s's format and never repeats it", (_, privateKey) => {
  expect(() => parsePublicKey(privateKey)).toThrow(
    /^a private key, which must stay secret: give the public one, the file whose name ends in \.pub$/,
  );
});

test("never repeats a private key that lost its first line", () => {
  const base64 = ed25519Pair.privateKey.export({ format: "pem", type: "pkcs8" }).toString().split("\n")[1] ?? "";
  expect(() => parsePublicKey(base64)).toThrow(/^text that is no public key/);
  expect(() => parsePublicKey(base64)).not.toThrow(base64.slice(0, 8));
});

test.each(["ssh-dss", "ecdsa-sha2-nistp256", "sk-ssh-ed25519@openssh.com"])("refuses a key of type %s", (type) => {
  expect(() => parsePublicKey(line(type, Buffer.alloc(32)))).toThrow(
    `a key of type ${type}: EC2 imports only RSA and ED25519`,
  );
});

test("refuses a key that is cut off", () => {
  expect(() => parsePublicKey(rsa2048.slice(0, 100))).toThrow(
    "an ssh-rsa key that is cut off: its base64 part ends too early",
  );
});

test("refuses a key whose base64 is damaged or missing", () => {
  expect(() => parsePublicKey(ed25519.replace("AAAA", "AA*A"))).toThrow(
    "an ssh-ed25519 key whose base64 part is missing or damaged",
  );
  expect(() => parsePublicKey("ssh-ed25519")).toThrow("an ssh-ed25519 key whose base64 part is missing or damaged");
});

test("refuses a key that holds another type than it says", () => {
  expect(() => parsePublicKey(ed25519.replace("ssh-ed25519", "ssh-rsa"))).toThrow(
    "a key that calls itself ssh-rsa but holds a key of another type",
  );
});

test("refuses keys of a wrong make-up", () => {
  expect(() => parsePublicKey(line("ssh-ed25519", Buffer.alloc(31)))).toThrow("not 32 bytes long");
  expect(() => parsePublicKey(line("ssh-rsa", Buffer.from([1, 0, 1])))).toThrow("without its two numbers");
});

test("refuses several keys at once, other formats and empty text, naming the one it needs", () => {
  expect(() => parsePublicKey(`${ed25519}\n${ed25519}`)).toThrow("more than one line; one line of OpenSSH's format");
  expect(() => parsePublicKey(ed25519Pair.publicKey.export({ format: "pem", type: "spki" }).toString())).toThrow(
    "a key in PEM format",
  );
  expect(() => parsePublicKey("---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n")).toThrow("a key in RFC 4716's format");
  expect(() => parsePublicKey("")).toThrow("text that is no public key");
});

test.each(["$", "%"])("refuses a comment in which Terraform would find a template that begins with %s", (sign) => {
  expect(() => parsePublicKey(`${ed25519} ${sign}{timestamp()}`)).toThrow("a key whose comment holds ${ or %{");
});
