import { ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { z } from "zod";
import { operator } from "../../local/credentials";
import { AwsError, json, parseBody, type StandIn, serve } from "../../local/stand-in";
import { bodyOfInvalid, parseNewRequests, parseRequest } from "../../pipeline/request-reader";
import { DeadLetterQueue, RequestQueue } from "../../pipeline/requests";
import { contract } from "../setup/contract";
import { createQueue, sqsClient } from "../setup/queues";

const sentAt = new Date("2026-01-31T12:00:00.123Z");
const message = (body: unknown) => ({
  messageId: "message-1",
  body: typeof body === "string" ? body : JSON.stringify(body),
  sentAt,
});

describe("a message", () => {
  test("is a request under the message's own id and time", () => {
    expect(parseRequest(message({ id: "7" }))).toMatchObject({
      requestId: "message-1",
      inputId: "7",
      requestedAt: sentAt,
    });
  });

  test("is a request under the id and time that its body has", () => {
    const body = { id: "7", requestId: "r", jobId: "j", requestedAt: "2025-12-31T23:00:00-01:00" };
    expect(parseRequest(message(body))).toMatchObject({
      requestId: "r",
      inputId: "7",
      jobId: "j",
      requestedAt: new Date("2026-01-01T00:00:00Z"),
    });
  });

  test("is the same request when it is put on a queue again", () => {
    const request = parseRequest(message({ id: "7", requestId: "r", jobId: "j" }));
    const again = { messageId: "message-2", body: request.body, sentAt: new Date() };
    expect(parseRequest(again)).toEqual(request);
  });

  test("may have ids up to the bytes of their columns", () => {
    const body = { id: "é".repeat(512), requestId: "r".repeat(128), jobId: "j".repeat(128) };
    expect(parseRequest(message(body))).toMatchObject({
      inputId: body.id,
      requestId: body.requestId,
      jobId: body.jobId,
    });
  });

  const rule = (bytes: string) =>
    `Unicode text of 1 to ${bytes} UTF-8 bytes, without NUL and without a space at its end`;
  test.each([
    ["", 'a request must be a JSON object such as {"id": "7"}, got ""'],
    ["null", 'a request must be a JSON object such as {"id": "7"}, got null'],
    ['"7"', 'a request must be a JSON object such as {"id": "7"}, got "7"'],
    ["{}", `id must be ${rule("1,024")}, got nothing`],
    ['{"id":7}', `id must be ${rule("1,024")}, got 7`],
    ['{"id":"7 "}', `id must be ${rule("1,024")}, got "7 "`],
    ['{"id":"\\ud800"}', `id must be ${rule("1,024")}, got "\\ud800"`],
    [`{"id":"${"é".repeat(513)}"}`, `id must be ${rule("1,024")}, got "${"é".repeat(79)}…`],
    [`{"id":"7","requestId":"${"r".repeat(129)}"}`, `requestId must be ${rule("128")}, got "${"r".repeat(79)}…`],
    [
      '{"id":"7","jobId":"","requestedAt":"yesterday"}',
      `jobId must be ${rule("128")}, got ""; requestedAt must be an ISO 8601 time from 1970 to 9999, such as 2026-01-31T12:00:00Z, got "yesterday"`,
    ],
    [
      '{"id":"7","requestedAt":"9999-12-31T23:59:59-14:00"}',
      'requestedAt must be an ISO 8601 time from 1970 to 9999, such as 2026-01-31T12:00:00Z, got "9999-12-31T23:59:59-14:00"',
    ],
  ])("is refused where it is %s", (body, reason) => {
    expect(() => parseRequest(message(body))).toThrow(
      expect.objectContaining({ name: "InvalidRequest", message: reason }),
    );
  });

  test.each(["{oops", '{"jobId":"j"}', '{"requestId":"r"}', '{"requestId":7,"id":"7"}'])(
    "that is refused keeps all it said, and the same id and time however often it comes: %s",
    (body) => {
      const once = bodyOfInvalid(message(body));
      const twice = bodyOfInvalid({ messageId: "message-2", body: once, sentAt: new Date() });
      expect(twice).toBe(once);
      const given = body.startsWith('{"') ? z.record(z.string(), z.unknown()).parse(JSON.parse(body)) : { body };
      expect(JSON.parse(once)).toEqual({ requestId: "message-1", requestedAt: sentAt.toISOString(), ...given });
      expect(() => parseRequest(message(once))).toThrow("must be");
    },
  );
});

describe("what a message carries", () => {
  const carried = { features: contract.features, required: false };
  const featuresOf = (features: string) => parseRequest(message(`{"id":"7","features":${features}}`), carried).features;

  test.each([
    ['{"age":36,"income":1.50,"city":"Köln"}', ["36", "1.50", "Köln"]],
    ['{"city":"a\\u0062","age":9223372036854775807}', ["9223372036854775807", null, "ab"]],
    ['{"age":"9007199254740993","income":null,"city":" "}', ["9007199254740993", null, " "]],
  ])("is read by the contract, to the digit: %s", (text, values) => {
    expect(featuresOf(text)).toEqual(values);
  });

  test.each([
    ["[36]", "features must be a JSON object with the contract's features, got a list of 1 number"],
    ["{}", "features must have age, city"],
    [
      '{"age":36.5,"income":"secret","city":["secret"],"town":"secret","town":1}',
      'features: age must be a whole number of 64 bits, got a number, income must be a number, got a string, city must be Unicode text of 1 to 358,400 UTF-8 bytes, got a list; features has "town" twice; features has no "town", only age, income, city',
    ],
    [
      '{"age":9223372036854775808,"city":null}',
      "features must have city; features: age must be a whole number of 64 bits, got a number",
    ],
  ])("is refused with all its faults, and none of its content: %s", (text, reason) => {
    expect(() => featuresOf(text)).toThrow(expect.objectContaining({ name: "InvalidRequest", message: reason }));
  });

  test("may be asked for of every message", () => {
    expect(() => parseRequest(message({ id: "7" }), { ...carried, required: true })).toThrow(
      "features is missing: there is no feature group, so every request carries its features",
    );
  });

  test("stays to the letter under which it is put on a queue again", () => {
    const features = '{ "age" : 036e0, "x" : 1.50 }'.replace("036e0", "36");
    expect(parseRequest(message(`\n{"id":"7", "features":${features}}`)).body).toBe(
      `{"requestId":"message-1","requestedAt":"${sentAt.toISOString()}","id":"7", "features":${features}}`,
    );
  });

  test("is never shown where the text around it is broken", () => {
    expect(() => parseRequest(message('{"id":"7","features":{"city":"secret"'))).toThrow(
      'a request must be a JSON object such as {"id": "7"}, got "{\\"id\\":\\"7\\",\\"…',
    );
  });

  test("of 2,498 features is named by as many as one reads", () => {
    const features = Array.from({ length: 2_498 }, (_, n) => ({
      name: `f${n}`,
      type: "Integral" as const,
      optional: false,
    }));
    const wide = { features, required: false };
    const text = JSON.stringify(Object.fromEntries(features.map(({ name }, n) => [name, n])));
    expect(parseRequest(message(`{"id":"7","features":${text}}`), wide).features).toHaveLength(2_498);
    expect(() => parseRequest(message('{"id":"7","features":{}}'), wide)).toThrow(
      "features must have f0, f1, f2, f3, f4, f5, f6, f7, f8, f9 and 2488 more",
    );
  });
});

describe("a message that is no request", () => {
  const reasonOf = (body: string) => {
    try {
      return parseRequest(message(body)).requestId;
    } catch (error) {
      return error instanceof Error ? error.message : "";
    }
  };

  test.each(["requestid", "request_id", "job-id", "Id", "feature", "other", "__proto__"])(
    "has a field that the API refuses too: %s",
    (name) => {
      const reason = `a request has no ${JSON.stringify(name)}, only id, requestId, jobId, tenant and features`;
      const body = `{"id":"7",${JSON.stringify(name)}:"x"}`;
      expect(reasonOf(body)).toBe(reason);
      const read = parseNewRequests(body, { features: contract.features, required: false });
      expect(read).toMatchObject({ message: reason });
    },
  );

  test.each([
    [
      { Type: "Notification", TopicArn: "arn:t", Message: '{"id":"7"}', id: "7" },
      /^this is an SNS notification: turn on raw message delivery$/,
    ],
    [
      { version: "0", id: "6a7e8feb", "detail-type": "Order", source: "shop", detail: { id: "7" } },
      /^this is an EventBridge event/,
    ],
    [{ Records: [{ eventSource: "aws:s3", s3: {} }] }, /^this is an S3 event notification/],
    [{ Service: "Amazon S3", Event: "s3:TestEvent", Bucket: "b" }, /^this is a test event of S3/],
    [{ messageId: "m", body: '{"id":"7"}', eventSource: "aws:sqs" }, /^this is a record of EventBridge Pipes/],
    [[{ eventID: "1", eventSource: "aws:dynamodb" }], /^this is a record of EventBridge Pipes/],
  ])("is an envelope, which is named: %j", (body, reason) => {
    expect(reasonOf(JSON.stringify(body))).toMatch(reason);
  });

  test("has a key twice", () => {
    expect(reasonOf('{"id":"7","id":"8"}')).toBe('a request has "id" twice');
  });

  test("has a number for its id, whose digits are shown", () => {
    expect(reasonOf('{"id":90071992547409931234567}')).toMatch(/, got 90071992547409931234567$/);
  });

  test.each([
    ["brackets", (n: number) => "[".repeat(n) + "]".repeat(n)],
    ["an id of brackets", (n: number) => `{"id":${"[".repeat(n)}${"]".repeat(n)}}`],
    ["objects", (n: number) => `${'{"id":'.repeat(n / 6)}7${"}".repeat(n / 6)}`],
    ["brackets that never end", (n: number) => "[".repeat(2 * n)],
  ])("is nested half a million deep, and kept to the letter: %s", (_, textOf) => {
    const body = textOf(500_000);
    expect(reasonOf(body)).toMatch(/must be/);
    const kept = bodyOfInvalid(message(body));
    expect(kept.length - body.length).toBeLessThan(200);
    expect(kept).toContain(body.slice(1));
  });

  test("is larger than can be set aside", () => {
    const body = `{"id":"7","features":{"city":"${"x".repeat(1_040_400)}"}}`;
    expect(() => parseRequest(message(body))).toThrow(expect.objectContaining({ code: "too_large" }));
    expect(reasonOf(body)).toMatch(/^a message must be at most 1,040,384 UTF-8 bytes .* got 1,040,4\d\d$/);
  });
});

const entriesSchema = z.object({
  Entries: z.array(z.object({ Id: z.string(), MessageBody: z.string() })),
});

describe("the queue", () => {
  let queue: StandIn | undefined;
  const batches: { Id: string; MessageBody: string }[][] = [];
  afterEach(async () => {
    await queue?.stop();
    batches.length = 0;
  });

  /** An SQS that answers each entry as it is told: with a code that it fails by, or with undefined. */
  const queueThat = async (
    codeOf: (body: string, attempt: number) => { Code: string; SenderFault: boolean } | undefined,
  ) => {
    queue = await serve((request) => {
      const { Entries } = parseBody(request, entriesSchema, "ValidationException");
      batches.push(Entries);
      const failures = Entries.map(({ Id, MessageBody }) => ({ Id, failure: codeOf(MessageBody, batches.length) }));
      return json({
        Successful: failures.flatMap(({ Id, failure }) =>
          failure ? [] : [{ Id, MessageId: Id, MD5OfMessageBody: "" }],
        ),
        Failed: failures.flatMap(({ Id, failure }) => (failure ? [{ Id, ...failure }] : [])),
      });
    });
    return new SQSClient({ ...operator, endpoint: queue.url, useQueueUrlAsEndpoint: false, md5: false });
  };

  test("takes requests, each with an id and a time of its own", async () => {
    const { url } = await createQueue();
    const client = sqsClient();
    const { accepted, refused } = await new RequestQueue(url, client).send([
      { id: "7" },
      { id: "8", requestId: "r", jobId: "j" },
    ]);
    expect(refused).toEqual([]);
    expect(accepted).toEqual([
      { id: "7", requestId: expect.stringMatching(/^[0-9a-f-]{36}$/) },
      { id: "8", requestId: "r" },
    ]);
    const { Messages = [] } = await client.send(
      new ReceiveMessageCommand({ QueueUrl: url, MaxNumberOfMessages: 10, WaitTimeSeconds: 20 }),
    );
    client.destroy();
    const requests = Messages.map(({ MessageId = "", Body = "" }) =>
      parseRequest({ messageId: MessageId, body: Body, sentAt }),
    );
    expect(requests.map(({ inputId, requestId, jobId }) => ({ inputId, requestId, jobId }))).toEqual([
      { inputId: "7", requestId: accepted[0]?.requestId, jobId: undefined },
      { inputId: "8", requestId: "r", jobId: "j" },
    ]);
    expect(requests.every(({ requestedAt }) => requestedAt > sentAt)).toBe(true);
  });

  test("knows a request's group by its tenant, or else its job, whatever that is called", async () => {
    const { url } = await createQueue();
    const client = sqsClient();
    const asked = [{ tenant: "a", jobId: "j" }, { jobId: "j" }, { jobId: "nightly run, é" }, { tenant: "a" }, {}];
    const requests = asked.map((one, place) => ({ id: "7", requestId: `${place}`, ...one }));
    expect((await new RequestQueue(url, client).send(requests)).refused).toEqual([]);
    const { Messages = [] } = await client.send(
      new ReceiveMessageCommand({
        QueueUrl: url,
        MaxNumberOfMessages: 10,
        WaitTimeSeconds: 20,
        MessageSystemAttributeNames: ["MessageGroupId"],
      }),
    );
    client.destroy();
    const groups = new Map(
      Messages.map(({ Body = "", Attributes }) => [parseRequest(message(Body)).requestId, Attributes?.MessageGroupId]),
    );
    const found = requests.map(({ requestId }) => groups.get(requestId));
    expect(found).toEqual(["a", "j", expect.stringMatching(/^[0-9a-f]{64}$/), "a", undefined]);
  });

  test("takes ids with the two characters that SQS refuses in a message", async () => {
    const { url } = await createQueue();
    const client = sqsClient();
    const id = "7\uFFFE\uFFFF";
    const { refused } = await new RequestQueue(url, client).send([{ id }]);
    expect(refused).toEqual([]);
    const { Messages = [] } = await client.send(new ReceiveMessageCommand({ QueueUrl: url, WaitTimeSeconds: 20 }));
    client.destroy();
    expect(Messages.map(({ Body = "" }) => parseRequest(message(Body)).inputId)).toEqual([id]);
  });

  test("gets ten requests a call", async () => {
    const client = await queueThat(() => undefined);
    const requests = Array.from({ length: 25 }, (_, n) => ({ id: `${n}`, requestId: `r${n}` }));
    const { accepted } = await new RequestQueue("q", client).send(requests);
    expect(accepted).toEqual(requests);
    expect(batches.map((batch) => batch.length).sort()).toEqual([10, 10, 5]);
  });

  test("gets no more than 1 MiB a call", async () => {
    const client = await queueThat(() => undefined);
    const letters = Array.from({ length: 4 }, () => ({
      body: "x".repeat(400_000),
      reason: "because",
      code: "malformed" as const,
    }));
    expect(await new DeadLetterQueue("q", client).send(letters)).toEqual([undefined, undefined, undefined, undefined]);
    expect(batches.map((batch) => batch.length)).toEqual([2, 2]);
  });

  const letterOf = async (text: string, reason = "because") => {
    const { url } = await createQueue();
    const client = sqsClient();
    const letter = { body: bodyOfInvalid(message(text)), text, reason, code: "malformed" as const };
    expect(await new DeadLetterQueue(url, client).send([letter])).toEqual([undefined]);
    const { Messages = [] } = await client.send(
      new ReceiveMessageCommand({ QueueUrl: url, WaitTimeSeconds: 20, MessageAttributeNames: ["All"] }),
    );
    client.destroy();
    const [{ Body = "", MessageAttributes = {} } = {}] = Messages;
    return { body: Body, reason: MessageAttributes.reason?.StringValue };
  };

  test("keeps a dead letter's text to the letter where its id and time have no room beside it", async () => {
    const text = '"'.repeat(1_048_000);
    expect(await letterOf(text)).toEqual({ body: text, reason: "because" });
  });

  test("keeps the beginning of one that fills a message by itself, in whole characters, and says so", async () => {
    const text = "é".repeat(524_288);
    const { body, reason } = await letterOf(text);
    expect(text.startsWith(body)).toBe(true);
    expect(body.length).toBeGreaterThan(524_000);
    expect(reason).toBe(
      `because; of its 1,048,576 UTF-8 bytes the first ${(2 * body.length).toLocaleString("en")} are kept, for SQS holds no more`,
    );
  });

  test("keeps of a reason what one reads", async () => {
    const { body, reason } = await letterOf("{oops", "x".repeat(1_000_000));
    expect(JSON.parse(body)).toMatchObject({ body: "{oops" });
    expect(reason).toHaveLength(4_000);
  });

  test("refuses a request that is larger than its message may be, with sizes", async () => {
    const client = await queueThat(() => undefined);
    const { refused } = await new RequestQueue("q", client).send([
      { id: "7", requestId: "a", features: `{"city":"${"x".repeat(1_048_576)}"}` },
    ]);
    expect(refused).toEqual([
      expect.objectContaining({
        reason: expect.stringMatching(
          /^a request must be at most 1,040,384 UTF-8 bytes as a message, got 1,048,6\d\d$/,
        ),
      }),
    ]);
    expect(batches).toEqual([]);
  });

  test("refuses for itself what is no request, and takes the rest", async () => {
    const client = await queueThat(() => undefined);
    const { accepted, refused } = await new RequestQueue("q", client).send([
      { id: "", requestId: "a" },
      { id: "7", requestId: "b" },
      { id: "8", requestId: "c".repeat(129) },
    ]);
    expect(accepted).toEqual([{ id: "7", requestId: "b" }]);
    expect(refused.map(({ reason }) => reason.slice(0, 17))).toEqual(["id must be Unicod", "requestId must be"]);
  });

  test("is asked again for what it failed at, and only for that", async () => {
    const client = await queueThat((body, attempt) =>
      body.includes('"r1"') && attempt === 1 ? { Code: "InternalError", SenderFault: false } : undefined,
    );
    const requests = ["r0", "r1", "r2"].map((requestId) => ({ id: "7", requestId }));
    expect(await new RequestQueue("q", client).send(requests)).toEqual({ accepted: requests, refused: [] });
    expect(batches.map((batch) => batch.map(({ Id }) => Id))).toEqual([["0", "1", "2"], ["1"]]);
  });

  test("says of each request why it did not take it", async () => {
    const client = await queueThat((body) => {
      if (body.includes('"r0"')) return { Code: "InvalidMessageContents", SenderFault: true };
      return body.includes('"r2"') ? { Code: "InternalError", SenderFault: false } : undefined;
    });
    const requests = ["r0", "r1", "r2"].map((requestId) => ({ id: "7", requestId }));
    expect(await new RequestQueue("q", client).send(requests)).toEqual({
      accepted: [{ id: "7", requestId: "r1" }],
      refused: [
        { id: "7", requestId: "r0", reason: "the queue refused it: InvalidMessageContents" },
        { id: "7", requestId: "r2", reason: "the queue refused it: InternalError" },
      ],
    });
    expect(batches.map((batch) => batch.length)).toEqual([3, 1, 1]);
  });

  test("that cannot be reached takes none, and that is said", async () => {
    queue = await serve(() => {
      throw new AwsError("AccessDenied", 403, "not you");
    });
    const client = sqsClient(queue.url);
    const { accepted, refused } = await new RequestQueue("q", client).send([{ id: "7", requestId: "r" }]);
    expect(accepted).toEqual([]);
    expect(refused).toEqual([
      { id: "7", requestId: "r", reason: "the queue could not be reached: AccessDenied: not you" },
    ]);
  });
});
