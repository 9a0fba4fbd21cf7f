import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { credentialsOf, operator } from "./credentials";
import { type Answer, AwsError, errorAnswer, mustBeLocal, type Request, type StandIn, serve } from "./stand-in";

/** A request by whom has the secret of an access key. */
export interface SignedRequest extends Request {
  readonly accessKeyId: string;
}

/** Lets only those calls be answered that are signed with a secret of this run. The others get AWS's error. */
export const signed =
  (answer: (request: SignedRequest) => Promise<Answer> | Answer) =>
  async (request: Request): Promise<Answer> =>
    answer({ ...request, accessKeyId: signerOf(request) });

/** Serves as `serve` does, to who signs its calls with a secret of this run. */
export const serveSigned = (answer: (request: SignedRequest) => Promise<Answer> | Answer): Promise<StandIn> =>
  serve(signed(answer));

/**
 * What a server answers that asks nobody who he is, where `serve` and {@link signed} would refuse.
 * @default nothing
 * @public local/sqs-process.mjs loads it by tsImport
 */
export function refusalOf(request: Request): Answer | undefined {
  try {
    mustBeLocal(request.headers);
    signerOf(request);
    return undefined;
  } catch (error) {
    return errorAnswer(error);
  }
}

/**
 * Signs a call to a stand-in, whatever its body is.
 * @returns the headers to add
 */
export function signatureHeaders(
  { method, url, host = url.host }: Pick<Request, "method" | "url"> & { readonly host?: string },
  accessKeyId: string,
): Record<string, string> {
  const at = new Date();
  const date = at.toISOString().replace(/[-:]|\.\d{3}/g, "");
  const added = { [payloadHeader]: "UNSIGNED-PAYLOAD", "x-amz-date": date };
  const names = ["host", ...Object.keys(added)];
  const scope = { accessKeyId, region: operator.region, service: "s3" };
  const given = { ...scope, names, at, seconds: skewSeconds, isPresigned: false, signature: "" };
  const signature = signAgain({ method, url, headers: { host, ...added }, body: Buffer.of() }, given);
  const credential = `${accessKeyId}/${date.slice(0, 8)}/${scope.region}/${scope.service}/aws4_request`;
  const authorization = `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${names.join(";")}, Signature=${signature}`;
  return { ...added, authorization };
}

const payloadHeader = "x-amz-content-sha256";

/** What a request says of its signature. */
interface Signature {
  readonly accessKeyId: string;
  readonly region: string;
  readonly service: string;
  /** Of the headers that are signed. */
  readonly names: readonly string[];
  readonly signature: string;
  readonly at: Date;
  /** How long it holds. */
  readonly seconds: number;
  /** Whether it is in the address, so that anybody may be given it. */
  readonly isPresigned: boolean;
}

/** So far clocks may be apart. */
const skewSeconds = 15 * 60;

const refused = (message: string) => new AwsError("InvalidSignatureException", 403, message);

/**
 * The access key that a request is signed with, by Signature Version 4
 * (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html). The hash of the body is taken as the request says it.
 * @throws AwsError where it is not signed, or not with the secret of that key
 */
export function signerOf(request: Request): string {
  const given = signatureOf(request);
  if (given === undefined) throw new AwsError("AccessDeniedException", 403, "the request is not signed");
  const age = (Date.now() - given.at.getTime()) / 1000;
  if (!(age < given.seconds && age > -skewSeconds)) throw refused("Signature expired, or not yet current");
  if (!isSame(signAgain(request, given), given.signature)) {
    const hint = "Check your AWS Secret Access Key and signing method.";
    throw refused(`The request signature we calculated does not match the signature you provided. ${hint}`);
  }
  return given.accessKeyId;
}

function isSame(one: string, other: string): boolean {
  const [expected, found] = [Buffer.from(one), Buffer.from(other)];
  return expected.length === found.length && timingSafeEqual(expected, found);
}

const authorization = /^AWS4-HMAC-SHA256 Credential=([^,\s]+),\s*SignedHeaders=([^,\s]+),\s*Signature=(\w+)$/;

function signatureOf({ url, headers }: Request): Signature | undefined {
  const isPresigned = headers.authorization === undefined;
  const inQuery = (name: string) => url.searchParams.get(`X-Amz-${name}`) ?? "";
  const [, credential = "", names = "", signature = ""] = isPresigned
    ? ["", ...["Credential", "SignedHeaders", "Signature"].map(inQuery)]
    : (authorization.exec(headers.authorization ?? "") ?? []);
  const date = isPresigned ? inQuery("Date") : String(headers["x-amz-date"]);
  const seconds = isPresigned ? Number(inQuery("Expires")) : skewSeconds;
  const at = new Date(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z"));
  const [accessKeyId, , region, service] = credential.split("/");
  if (!accessKeyId || !region || !service || signature === "" || Number.isNaN(at.getTime())) return undefined;
  return { accessKeyId, region, service, names: names.split(";"), signature, at, seconds, isPresigned };
}

/** What a request is signed with, by the words of AWS: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html */
function signAgain({ method, url, headers, body }: Request, given: Signature): string {
  const { accessKeyId, region, service, names, at, isPresigned } = given;
  const date = at.toISOString().replace(/[-:]|\.\d{3}/g, "");
  const scope = [date.slice(0, 8), region, service, "aws4_request"];
  const query = [...url.searchParams]
    .filter(([name]) => name !== "X-Amz-Signature")
    .map(([name, value]): [string, string] => [encoded(name), encoded(value)])
    .sort(([one, first], [other, second]) => (one < other || (one === other && first < second) ? -1 : 1));
  const payload = headers[payloadHeader] ?? (isPresigned ? "UNSIGNED-PAYLOAD" : sha256(body));
  const canonical = [
    method,
    service === "s3" ? url.pathname : url.pathname.split("/").map(encoded).join("/"),
    query.map((pair) => pair.join("=")).join("&"),
    ...names.map(
      (name) =>
        `${name}:${String(headers[name] ?? "")
          .trim()
          .replace(/\s+/g, " ")}`,
    ),
    "",
    names.join(";"),
    payload,
  ];
  const text = ["AWS4-HMAC-SHA256", date, scope.join("/"), sha256(canonical.join("\n"))].join("\n");
  return hmac(signingKey(accessKeyId, scope), text).toString("hex");
}

const sha256 = (data: string | Buffer) => createHash("sha256").update(data).digest("hex");
const hmac = (key: string | Buffer, data: string) => createHmac("sha256", key).update(data).digest();

const encoded = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);

const signingKeys = new Map<string, string | Buffer>();

/** The key of a day, which is kept: it takes as long to make as all else. */
function signingKey(accessKeyId: string, scope: readonly string[]): string | Buffer {
  const name = [accessKeyId, ...scope].join("/");
  const known = signingKeys.get(name);
  if (known !== undefined) return known;
  if (signingKeys.size > 1_000) signingKeys.clear();
  const key = scope.reduce<string | Buffer>(hmac, `AWS4${credentialsOf(accessKeyId).secretAccessKey}`);
  signingKeys.set(name, key);
  return key;
}
