/** A public key that EC2 imports. */
export interface PublicKey {
  readonly type: "ssh-ed25519" | "ssh-rsa";
  /** The key's length. */
  readonly bits: number;
}

const source = "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/create-key-pairs.html";
const rsaBits = [2048, 4096];
const expected = 'one line of OpenSSH\'s format, "ssh-ed25519 AAAA… comment" or "ssh-rsa AAAA… comment"';

/**
 * Reads a public key in OpenSSH's format, as in `~/.ssh/id_ed25519.pub`.
 * @throws Error that says what is wrong, and never holds the text itself: it may be a private key
 */
export function parsePublicKey(text: string): PublicKey {
  const line = text.trim();
  if (/PRIVATE KEY|PuTTY-User-Key-File/.test(line)) {
    throw new Error("a private key, which must stay secret: give the public one, the file whose name ends in .pub");
  }
  if (line.startsWith("---- BEGIN SSH2 PUBLIC KEY")) {
    throw new Error(`a key in RFC 4716's format; ${expected} is needed: ssh-keygen -i -f <file> prints it`);
  }
  if (/^-----BEGIN [A-Z ]*PUBLIC KEY/.test(line)) {
    throw new Error(`a key in PEM format; ${expected} is needed: ssh-keygen -i -m PKCS8 -f <file> prints it`);
  }
  if (/[$%]\{/.test(line)) {
    throw new Error("a key whose comment holds ${ or %{, which Terraform would take for its own: change the comment");
  }
  if (/[\r\n]/.test(line)) throw new Error(`more than one line; ${expected} is needed`);

  const [type = "", base64 = ""] = line.split(/[ \t]+/, 2);
  if (/^(ssh-dss|ecdsa-|sk-)/.test(type))
    throw new Error(`a key of type ${type}: EC2 imports only RSA and ED25519 (${source})`);
  if (type !== "ssh-ed25519" && type !== "ssh-rsa")
    throw new Error(`text that is no public key; ${expected} is needed (${source})`);
  const wire = Buffer.from(base64, "base64");
  if (base64 === "" || wire.toString("base64").replace(/=+$/, "") !== base64.replace(/=+$/, "")) {
    throw new Error(`an ${type} key whose base64 part is missing or damaged`);
  }

  const [inner, ...numbers] = fieldsOf(wire, type);
  if (inner?.toString("latin1") !== type)
    throw new Error(`a key that calls itself ${type} but holds a key of another type`);
  if (type === "ssh-ed25519") {
    if (numbers.length !== 1 || numbers[0]?.length !== 32)
      throw new Error("an ssh-ed25519 key that is not 32 bytes long: it is damaged");
    return { type, bits: 256 };
  }
  const modulus = numbers[1];
  if (numbers.length !== 2 || modulus === undefined)
    throw new Error("an ssh-rsa key without its two numbers: it is damaged");
  const bits = bitLength(modulus);
  if (!rsaBits.includes(bits)) {
    throw new Error(
      `an RSA key of ${bits} bits: use ${rsaBits.join(" or ")} (EC2 imports 1024, 2048 and 4096, and 1024 is too weak), or ED25519 (${source})`,
    );
  }
  return { type, bits };
}

/** Takes the wire format apart: each field is its length in four bytes, then its bytes (RFC 4251, section 5). */
function fieldsOf(wire: Buffer, type: string): Buffer[] {
  const fields: Buffer[] = [];
  for (let at = 0; at < wire.length; ) {
    const start = at + 4;
    const end = start > wire.length ? Number.POSITIVE_INFINITY : start + wire.readUInt32BE(at);
    if (end > wire.length) throw new Error(`an ${type} key that is cut off: its base64 part ends too early`);
    fields.push(wire.subarray(start, end));
    at = end;
  }
  return fields;
}

function bitLength(number: Buffer): number {
  const hex = number.toString("hex").replace(/^0+/, "");
  return hex === "" ? 0 : BigInt(`0x${hex}`).toString(2).length;
}
