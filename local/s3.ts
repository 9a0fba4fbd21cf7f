import { createHash } from "node:crypto";
import { signed } from "./signature";
import { type Answer, AwsError, type Request, type StandIn, serve } from "./stand-in";

interface StoredObject {
  readonly body: Buffer;
  readonly etag: string;
  readonly contentType: string;
  readonly modifiedAt: Date;
  /** The checksum that it was sent with, as a header. */
  readonly checksum: Record<string, string>;
}

interface Bucket {
  readonly objects: Map<string, StoredObject>;
  /** The keys in the order of a listing. @default they are not sorted since the last change */
  sorted?: readonly string[];
}

class S3Error extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** What S3 answers to what it does not do, as XML. */
export const s3Error = (status: number, code: string, message: string): Answer =>
  xml(`<Error><Code>${code}</Code><Message>${escaped(message)}</Message></Error>`, status);

/**
 * Starts S3 with these buckets, in memory. It answers to the path of a bucket, which is how an SDK calls an address that
 * is a number. What it does not do, an operation, a parameter or a header, it answers with 501, never with success.
 * There are no versions, and a conditional write never conflicts with another one (409), since calls come one by one.
 */
export async function startS3({ buckets: names = [] }: { buckets?: readonly string[] } = {}): Promise<StandIn> {
  const buckets = new Map(names.map((name): [string, Bucket] => [name, { objects: new Map() }]));
  const answerSigned = signed((request) => answer(buckets, request));
  return serve(async (request) => {
    try {
      return await answerSigned(request);
    } catch (error) {
      if (error instanceof S3Error) return s3Error(error.status, error.code, error.message);
      if (error instanceof AwsError) return s3Error(error.status, codes[error.name] ?? error.name, error.message);
      return s3Error(500, "InternalError", String(error));
    }
  });
}

/** What S3 calls the errors of a signature that other services call otherwise. */
const codes: Record<string, string> = {
  AccessDeniedException: "AccessDenied",
  InvalidSignatureException: "SignatureDoesNotMatch",
};

/** Parameters that change nothing: the SDK's note of the operation, and a signature in the address. */
const ofAnyCall = /^(x-id|X-Amz-(Algorithm|Credential|Date|Expires|SignedHeaders|Signature|Content-Sha256))$/i;
const headersOfAll = [
  "x-amz-content-sha256",
  "x-amz-date",
  "x-amz-user-agent",
  "x-amz-security-token",
  "x-amz-checksum-mode",
];
const checksums = ["crc32", "crc32c", "crc64nvme", "sha1", "sha256"].map((name) => `x-amz-checksum-${name}`);
const headersOfBody = [...checksums, "x-amz-sdk-checksum-algorithm", "x-amz-trailer", "x-amz-decoded-content-length"];

/** Operations by method, whether they are on an object, and what the query must say; with what else each knows. */
const operations: readonly {
  readonly method: string;
  readonly on: "bucket" | "object";
  readonly query: readonly string[];
  readonly optional?: readonly string[];
  readonly headers: readonly string[];
  answer(buckets: Map<string, Bucket>, call: Call): Answer;
}[] = [
  { method: "PUT", on: "bucket", query: [], headers: headersOfBody, answer: createBucket },
  { method: "HEAD", on: "bucket", query: [], headers: [], answer: headBucket },
  {
    method: "GET",
    on: "bucket",
    query: ["list-type"],
    optional: ["prefix", "max-keys", "continuation-token", "start-after"],
    headers: [],
    answer: listObjects,
  },
  {
    method: "GET",
    on: "bucket",
    query: ["versions"],
    optional: ["prefix", "max-keys", "key-marker", "version-id-marker"],
    headers: [],
    answer: listObjectVersions,
  },
  { method: "POST", on: "bucket", query: ["delete"], headers: headersOfBody, answer: deleteObjects },
  { method: "GET", on: "object", query: [], headers: [], answer: getObject },
  { method: "HEAD", on: "object", query: [], headers: [], answer: getObject },
  { method: "DELETE", on: "object", query: [], headers: [], answer: deleteObject },
  { method: "PUT", on: "object", query: [], headers: [...headersOfBody, "x-amz-copy-source"], answer: putObject },
];

interface Call extends Request {
  readonly bucketName: string;
  readonly key: string;
}

function answer(buckets: Map<string, Bucket>, request: Request): Answer {
  const { method, url, headers } = request;
  const [, bucketName = "", encodedKey = ""] = /^\/([^/]*)\/?(.*)$/s.exec(url.pathname) ?? [];
  const key = decodeURIComponent(encodedKey);
  const on = key === "" ? "bucket" : "object";
  const given = [...url.searchParams.keys()].filter((name) => !ofAnyCall.test(name));
  const found = operations.find(
    (one) =>
      one.method === method &&
      one.on === on &&
      one.query.every((name) => given.includes(name)) &&
      given.every((name) => one.query.includes(name) || one.optional?.includes(name)),
  );
  const unknown = Object.keys(headers).find(
    (name) => name.startsWith("x-amz-") && !headersOfAll.includes(name) && !found?.headers.includes(name),
  );
  if (found === undefined) throw notImplemented(`${method} of a ${on} with the query ${url.search || "none"}`);
  if (unknown !== undefined) throw notImplemented(`${method} of a ${on} with the header ${unknown}`);
  return found.answer(buckets, { ...request, bucketName, key });
}

const notImplemented = (what: string) => new S3Error(501, "NotImplemented", `${what} is not known on this desk`);

function bucketOf(buckets: Map<string, Bucket>, { bucketName }: Call): Bucket {
  const found = buckets.get(bucketName);
  if (found === undefined) throw new S3Error(404, "NoSuchBucket", "The specified bucket does not exist");
  return found;
}

function objectOf(bucket: Bucket, key: string): StoredObject {
  const found = bucket.objects.get(key);
  if (found === undefined) throw new S3Error(404, "NoSuchKey", "The specified key does not exist.");
  return found;
}

function createBucket(buckets: Map<string, Bucket>, { bucketName }: Call): Answer {
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucketName))
    throw new S3Error(400, "InvalidBucketName", "The specified bucket is not valid.");
  if (buckets.has(bucketName)) throw new S3Error(409, "BucketAlreadyOwnedByYou", "You own this bucket already.");
  buckets.set(bucketName, { objects: new Map() });
  return { status: 200 };
}

function headBucket(buckets: Map<string, Bucket>, call: Call): Answer {
  bucketOf(buckets, call);
  return { status: 200 };
}

function listObjects(buckets: Map<string, Bucket>, call: Call): Answer {
  const bucket = bucketOf(buckets, call);
  const query = call.url.searchParams;
  if (query.get("list-type") !== "2") throw notImplemented("another list-type than 2");
  const after = query.get("continuation-token") ?? query.get("start-after") ?? "";
  const { prefix, most, keys, isTruncated } = pageOf(bucket, query, after);
  const contents = keys.map((key) => {
    const { etag, body, modifiedAt } = objectOf(bucket, key);
    return `<Contents><Key>${escaped(key)}</Key><LastModified>${modifiedAt.toISOString()}</LastModified><ETag>${escaped(etag)}</ETag><Size>${body.length}</Size><StorageClass>STANDARD</StorageClass></Contents>`;
  });
  const next = isTruncated ? `<NextContinuationToken>${escaped(keys.at(-1) ?? "")}</NextContinuationToken>` : "";
  const { bucketName } = call;
  return xml(
    `<ListBucketResult><Name>${bucketName}</Name><Prefix>${escaped(prefix)}</Prefix><KeyCount>${keys.length}</KeyCount><MaxKeys>${most}</MaxKeys><IsTruncated>${isTruncated}</IsTruncated>${contents.join("")}${next}</ListBucketResult>`,
  );
}

/** The keys of a listing's page, which comes after a key. */
function pageOf(bucket: Bucket, query: URLSearchParams, after: string) {
  const prefix = query.get("prefix") ?? "";
  const most = Math.min(1_000, Number(query.get("max-keys") ?? 1_000));
  bucket.sorted ??= [...bucket.objects.keys()].sort((one, other) =>
    Buffer.compare(Buffer.from(one), Buffer.from(other)),
  );
  const isAfter = (key: string) => after === "" || Buffer.compare(Buffer.from(key), Buffer.from(after)) > 0;
  const found: string[] = [];
  for (const key of bucket.sorted) {
    if (key.startsWith(prefix) && isAfter(key)) found.push(key);
    if (found.length > most) break;
  }
  const keys = found.slice(0, most);
  return { prefix, most, keys, isTruncated: found.length > keys.length };
}

/** The id of the only version of an object in a bucket without versions (https://docs.aws.amazon.com/AmazonS3/latest/userguide/versioning-workflows.html). */
const onlyVersion = "null";

function listObjectVersions(buckets: Map<string, Bucket>, call: Call): Answer {
  const bucket = bucketOf(buckets, call);
  const query = call.url.searchParams;
  const marker = query.get("version-id-marker");
  if (marker !== null && marker !== onlyVersion) throw notImplemented(`the version ${marker}`);
  const { prefix, most, keys, isTruncated } = pageOf(bucket, query, query.get("key-marker") ?? "");
  const found = keys.map((key) => {
    const { etag, body, modifiedAt } = objectOf(bucket, key);
    return `<Version><Key>${escaped(key)}</Key><VersionId>${onlyVersion}</VersionId><IsLatest>true</IsLatest><LastModified>${modifiedAt.toISOString()}</LastModified><ETag>${escaped(etag)}</ETag><Size>${body.length}</Size><StorageClass>STANDARD</StorageClass></Version>`;
  });
  const next = isTruncated
    ? `<NextKeyMarker>${escaped(keys.at(-1) ?? "")}</NextKeyMarker><NextVersionIdMarker>${onlyVersion}</NextVersionIdMarker>`
    : "";
  return xml(
    `<ListVersionsResult><Name>${call.bucketName}</Name><Prefix>${escaped(prefix)}</Prefix><MaxKeys>${most}</MaxKeys><IsTruncated>${isTruncated}</IsTruncated>${found.join("")}${next}</ListVersionsResult>`,
  );
}

function deleteObjects(buckets: Map<string, Bucket>, call: Call): Answer {
  const bucket = bucketOf(buckets, call);
  const body = bodyOf(call).toString();
  const keys = [...body.matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key = ""]) => unescaped(key));
  if (keys.length === 0 || keys.length > 1_000) {
    const text = "The XML you provided was not well-formed or did not validate against our published schema";
    throw new S3Error(400, "MalformedXML", text);
  }
  const version = [...body.matchAll(/<VersionId>([^<]*)<\/VersionId>/g)].find(([, id]) => id !== onlyVersion);
  if (version !== undefined) throw notImplemented(`the version ${version[1]}`);
  for (const key of keys) remove(bucket, key);
  const isQuiet = /<Quiet>true<\/Quiet>/.test(body);
  const deleted = isQuiet ? [] : keys.map((key) => `<Deleted><Key>${escaped(key)}</Key></Deleted>`);
  return xml(`<DeleteResult>${deleted.join("")}</DeleteResult>`);
}

function deleteObject(buckets: Map<string, Bucket>, call: Call): Answer {
  if (call.headers["if-match"] !== undefined) throw notImplemented("DELETE with If-Match");
  remove(bucketOf(buckets, call), call.key);
  return { status: 204 };
}

function remove(bucket: Bucket, key: string) {
  if (bucket.objects.delete(key)) bucket.sorted = undefined;
}

function getObject(buckets: Map<string, Bucket>, { method, headers, ...call }: Call): Answer {
  const { body, etag, contentType, modifiedAt, checksum } = objectOf(
    bucketOf(buckets, { method, headers, ...call }),
    call.key,
  );
  if (headers["if-match"] !== undefined && !isNamed(headers["if-match"], etag)) throw preconditionFailed();
  if (headers["if-none-match"] !== undefined && isNamed(headers["if-none-match"], etag))
    return { status: 304, headers: { etag } };
  const range = rangeOf(headers.range, body.length);
  const sent = range === undefined ? body : body.subarray(range.first, range.last + 1);
  return {
    status: range === undefined ? 200 : 206,
    headers: {
      etag,
      "content-type": contentType,
      "content-length": String(sent.length),
      "last-modified": modifiedAt.toUTCString(),
      "accept-ranges": "bytes",
      ...(range === undefined
        ? headers["x-amz-checksum-mode"] === "ENABLED" && checksum
        : { "content-range": `bytes ${range.first}-${range.last}/${body.length}` }),
    },
    ...(method === "GET" && { body: sent }),
  };
}

/** The bytes that a Range header names. @throws where there are none of them */
function rangeOf(header: string | undefined, size: number): { first: number; last: number } | undefined {
  if (header === undefined) return undefined;
  const [is, from = "", to = ""] = /^bytes=(\d*)-(\d*)$/.exec(header) ?? [];
  if (is === undefined || (from === "" && to === "")) throw notImplemented(`the range ${header}`);
  const first = from === "" ? Math.max(0, size - Number(to)) : Number(from);
  const last = from === "" || to === "" ? size - 1 : Math.min(Number(to), size - 1);
  if (first > last) throw new S3Error(416, "InvalidRange", "The requested range is not satisfiable");
  return { first, last };
}

function putObject(buckets: Map<string, Bucket>, call: Call): Answer {
  const bucket = bucketOf(buckets, call);
  const { headers, key } = call;
  mustHold(bucket.objects.get(key), headers);
  if (Buffer.byteLength(key) > 1_024) throw new S3Error(400, "KeyTooLongError", "Your key is too long");
  const source = headers["x-amz-copy-source"];
  const modifiedAt = new Date(Math.floor(Date.now() / 1000) * 1000); // S3 keeps seconds
  if (typeof source === "string") {
    const [, bucketName = "", sourceKey = ""] = /^\/?([^/]+)\/(.+)$/s.exec(decodeURIComponent(source)) ?? [];
    const copied = { ...objectOf(bucketOf(buckets, { ...call, bucketName }), sourceKey), modifiedAt };
    store(bucket, key, copied);
    const when = modifiedAt.toISOString();
    return xml(
      `<CopyObjectResult><ETag>${escaped(copied.etag)}</ETag><LastModified>${when}</LastModified></CopyObjectResult>`,
    );
  }
  const body = bodyOf(call);
  const etag = `"${createHash("md5").update(body).digest("hex")}"`;
  const contentType = headers["content-type"] ?? "application/octet-stream";
  const checksum = checksumOf(call);
  store(bucket, key, { body, etag, contentType, modifiedAt, checksum });
  return { status: 200, headers: { etag, ...checksum } };
}

function store(bucket: Bucket, key: string, object: StoredObject) {
  if (!bucket.objects.has(key)) bucket.sorted = undefined;
  bucket.objects.set(key, object);
}

/** Checks the condition of a write (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html). */
function mustHold(stored: StoredObject | undefined, headers: Request["headers"]) {
  const { "if-none-match": none, "if-match": match } = headers;
  if (none !== undefined && none !== "*") throw notImplemented(`a write with If-None-Match ${none}`);
  if (none !== undefined && stored !== undefined) throw preconditionFailed();
  if (match === undefined) return;
  if (stored === undefined) throw new S3Error(404, "NoSuchKey", "The specified key does not exist.");
  if (!isNamed(match, stored.etag)) throw preconditionFailed();
}

/** Whether a condition names an object's tag, which may stand without its quotes. */
const isNamed = (condition: string, etag: string) => condition === "*" || `"${condition.replaceAll('"', "")}"` === etag;

const preconditionFailed = () =>
  new S3Error(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold");

/** A body, taken out of the chunks that an SDK sends a stream in. */
function bodyOf({ headers, body }: Request): Buffer {
  const encoding = headers["content-encoding"];
  if (encoding === undefined) return body;
  if (encoding !== "aws-chunked") throw notImplemented(`a body in Content-Encoding ${encoding}`);
  return chunksOf(body).body;
}

function chunksOf(body: Buffer): { body: Buffer; trailer: string } {
  const chunks: Buffer[] = [];
  for (let at = 0; ; ) {
    const end = body.indexOf("\r\n", at);
    const size = Number.parseInt(body.toString("latin1", at, end), 16);
    if (end < 0 || Number.isNaN(size)) throw new S3Error(400, "IncompleteBody", "A chunk is cut off");
    if (size === 0) return { body: Buffer.concat(chunks), trailer: body.toString("latin1", end + 2) };
    chunks.push(body.subarray(end + 2, end + 2 + size));
    at = end + 2 + size + 2;
  }
}

/** The checksum that a body was sent with, before it or after it. */
function checksumOf({ headers, body }: Request): Record<string, string> {
  const trailer = headers["content-encoding"] === undefined ? "" : chunksOf(body).trailer;
  for (const name of checksums) {
    const value = headers[name] ?? new RegExp(`^${name}:(\\S+)`, "m").exec(trailer)?.[1];
    if (typeof value === "string") return { [name]: value };
  }
  return {};
}

const xml = (body: string, status = 200): Answer => ({
  status,
  headers: { "content-type": "application/xml" },
  body: `<?xml version="1.0" encoding="UTF-8"?>\n${body}`,
});

const entities = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;" } as const;
const escaped = (text: string) =>
  Object.entries(entities).reduce((sum, [character, entity]) => sum.replaceAll(character, entity), text);
const unescaped = (text: string) =>
  Object.entries(entities)
    .reverse()
    .reduce((sum, [character, entity]) => sum.replaceAll(entity, character), text);
