import { createHash, createHmac } from "node:crypto";
import { SignatureV4 } from "@smithy/signature-v4";
import { credentialsOf, operator } from "../../local/credentials";
import { startS3 } from "../../local/s3";
import { type SignedRequest, serveSigned } from "../../local/signature";
import { json, type StandIn } from "../../local/stand-in";

const Bucket = "answers";
let s3: StandIn;
let service: StandIn;
/** What the service was asked last. */
let asked: SignedRequest | undefined;
beforeAll(async () => {
  s3 = await startS3({ buckets: [Bucket] });
  service = await serveSigned((request) => {
    asked = request;
    return json({});
  });
});
afterAll(async () => {
  await s3.stop();
  await service.stop();
});

const { accessKeyId } = operator.credentials;

/** SHA-256 as AWS's signer asks for it. */
class Sha256 {
  private readonly hash;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.hash = secret === undefined ? createHash("sha256") : createHmac("sha256", bytesOf(secret));
  }

  update(data: string | ArrayBuffer | ArrayBufferView) {
    this.hash.update(bytesOf(data));
  }

  async digest(): Promise<Uint8Array> {
    return this.hash.digest();
  }
}

function bytesOf(data: string | ArrayBuffer | ArrayBufferView): string | Buffer {
  if (typeof data === "string") return data;
  return ArrayBuffer.isView(data) ? Buffer.from(data.buffer, data.byteOffset, data.byteLength) : Buffer.from(data);
}

const awsSigner = (of: { accessKeyId: string; region: string; service: string }) =>
  new SignatureV4({
    credentials: credentialsOf(of.accessKeyId),
    region: of.region,
    service: of.service,
    sha256: Sha256,
    uriEscapePath: of.service !== "s3",
    applyChecksum: false,
  });

/** A call that AWS's own signer signs, and what may be changed of it then. */
async function statusOf(
  given: { readonly method?: string; readonly path?: string; readonly body?: string; readonly at?: Date } = {},
  change: (call: { path: string; headers: Record<string, string> }) => void = () => {},
) {
  const { method = "POST", path = "/a%20b", body = "{}", at = new Date() } = given;
  const { host, hostname, protocol } = new URL(service.url);
  const signer = awsSigner({ accessKeyId: "someone", region: "eu-west-1", service: "sagemaker" });
  const headers = { host, "x-who": "me" };
  const signedRequest = await signer.sign({ method, path, protocol, hostname, headers, body }, { signingDate: at });
  const call = { path, headers: signedRequest.headers };
  change(call);
  const { host: _, ...sent } = call.headers;
  return (await fetch(service.url + call.path, { method, headers: sent, body })).status;
}

const ofAnother = ({ authorization = "" }: Record<string, string>) => authorization.replace("someone", accessKeyId);

test("a call that is signed with a secret of this run says by which access key", async () => {
  expect(await statusOf()).toBe(200);
  expect(asked).toMatchObject({ accessKeyId: "someone", method: "POST" });
});

test.each<[string, Parameters<typeof statusOf>[1]]>([
  ["no signature", ({ headers }) => Object.assign(headers, { authorization: "" })],
  ["a signature of something else", ({ headers }) => Object.assign(headers, { authorization: "Bearer of news" })],
  ["the access key of another", ({ headers }) => Object.assign(headers, { authorization: ofAnother(headers) })],
  ["another path than was signed", (call) => Object.assign(call, { path: "/else" })],
  ["a query that was not signed", (call) => Object.assign(call, { path: `${call.path}?more=1` })],
  ["another header than was signed", ({ headers }) => Object.assign(headers, { "x-who": "you" })],
  ["another time than was signed", ({ headers }) => Object.assign(headers, { "x-amz-date": "20260101T000000Z" })],
  ["no time", ({ headers }) => Object.assign(headers, { "x-amz-date": "now" })],
])("a call with %s is refused", async (_, change) => {
  expect(await statusOf({}, change)).toBe(403);
});

test("a call with another body is refused, where the body is signed by itself", async () => {
  const { host, hostname, protocol } = new URL(service.url);
  const signer = awsSigner({ accessKeyId, region: "us-east-1", service: "sts" });
  const request = { method: "POST", path: "/", protocol, hostname, headers: { host }, body: "Action=One" };
  const { host: _, ...headers } = (await signer.sign(request)).headers;
  const status = async (body: string) => (await fetch(service.url, { method: "POST", headers, body })).status;
  expect(await status("Action=One")).toBe(200);
  expect(await status("Action=Two")).toBe(403);
});

test("a signature holds for a quarter of an hour", async () => {
  const minutes = 60_000;
  expect(await statusOf({ at: new Date(Date.now() - 14 * minutes) })).toBe(200);
  expect(await statusOf({ at: new Date(Date.now() - 16 * minutes) })).toBe(403);
  expect(await statusOf({ at: new Date(Date.now() + 16 * minutes) })).toBe(403);
});

describe("an address of S3 that is signed", () => {
  const presigned = async (method: string, key: string, options: { expiresIn?: number; signingDate?: Date } = {}) => {
    const { protocol, host, hostname } = new URL(s3.url);
    const headers = { host, "x-amz-content-sha256": "UNSIGNED-PAYLOAD" };
    const signer = awsSigner({ accessKeyId, region: operator.region, service: "s3" });
    const request = { method, path: `/${Bucket}/${key}`, protocol, hostname, headers };
    const { query = {} } = await signer.presign(request, { ...options, expiresIn: options.expiresIn ?? 60 });
    return `${s3.url}/${Bucket}/${key}?${new URLSearchParams(Object.entries(query).map(([name, value]): [string, string] => [name, String(value)]))}`;
  };

  test("puts and gets an object, and is nobody's who changes it", async () => {
    const put = await fetch(await presigned("PUT", "mine.txt"), { method: "PUT", body: "mine" });
    expect(put.status).toBe(200);
    const address = await presigned("GET", "mine.txt");
    expect(await (await fetch(address)).text()).toBe("mine");
    expect((await fetch(address, { method: "DELETE" })).status).toBe(403);
    expect((await fetch(address.replace("mine.txt", "other.txt"))).status).toBe(403);
    expect((await fetch(address.replace("X-Amz-Expires=60", "X-Amz-Expires=600"))).status).toBe(403);
  });

  test("holds as long as it says", async () => {
    const signingDate = new Date(Date.now() - 61_000);
    const late = await fetch(await presigned("GET", "mine.txt", { signingDate }));
    expect(late.status).toBe(403);
    expect(await late.text()).toContain("<Code>SignatureDoesNotMatch</Code>");
    expect((await fetch(await presigned("GET", "mine.txt", { signingDate, expiresIn: 600 }))).status).toBe(200);
  });
});

test("secrets are another's for each access key, and of no use as one", () => {
  const secrets = ["operator", "loader", ""].map((key) => credentialsOf(key).secretAccessKey);
  expect(new Set(secrets).size).toBe(3);
});
