import fc from "fast-check";

/** Text that the stand-in of SQS takes as a message's body: it knows no character beyond 16 bits, which AWS takes. */
const text = fc
  .string({ unit: "binary", maxLength: 2_000 })
  .map((one) => one.replace(/[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}]/gu, "?"));

const deep = fc
  .tuple(fc.constantFrom('{"id":', "[", '{"features":', '{"id":"7","features":'), fc.integer({ min: 1, max: 60_000 }))
  .map(([open, depth]) => `${open.repeat(depth)}1${(open.startsWith("{") ? "}" : "]").repeat(depth)}`);

const fields = ["id", "requestId", "request_id", "jobId", "features", "requestedAt", "Type", "Records", "__proto__"];

const wide = fc
  .array(fc.tuple(fc.oneof(fc.constantFrom(...fields), text), fc.json({ maxDepth: 3 })), { maxLength: 200 })
  .map((members) => `{${members.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(",")}}`);

const number = fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }).map((id) => `{"id":${id}}`);

const huge = fc
  .tuple(text, fc.integer({ min: 900_000, max: 1_040_000 }))
  .map(([one, length]) => JSON.stringify({ id: one.repeat(Math.ceil(length / Math.max(1, one.length))) }))
  .map((one) => (Buffer.byteLength(one) > 1_048_576 ? one.slice(0, 340_000) : one));

/** Any JSON that is no request. */
export const anyJson = fc.oneof(fc.json(), deep, wide, number);

/** Anything that may lie in a queue and is no request. */
export const anyBody = fc.oneof({ weight: 3, arbitrary: fc.oneof(text, anyJson) }, { weight: 1, arbitrary: huge });
