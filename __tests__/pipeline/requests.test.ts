import { ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { z } from "zod";
import { operator } from "../../local/credentials";
import { AwsError, json, parseBody, type StandIn, serve } from "../../local/stand-in";
import { bodyOf, bodyOfInvalid, DeadLetterQueue, parseRequest, RequestQueue } from "../../pipeline/requests";
import { createQueue, sqsClient } from "../setup/queues";

const sentAt = new Date("2026-01-31T12:00:00.123Z");
const message = (body: unknown) => ({
  messageId: "message-1",
  body: typeof body === "string" ? body : JSON.stringify(body),
  sentAt,
});

describe("a message", () => {
  test("is a request under the message's own id and time", () => {
    expect(parseRequest(message({ id: "7" }))).toEqual({ requestId: "message-1", inputId: "7", requestedAt: sentAt });
  });

  test("is a request under the id and time that its body has", () => {
    const body = { id: "7", requestId: "r", jobId: "j", requestedAt: "2025-12-31T23:00:00-01:00", other: 1 };
    expect(parseRequest(message(body))).toEqual({
      requestId: "r",
      inputId: "7",
      jobId: "j",
      requestedAt: new Date("2026-01-01T00:00:00Z"),
    });
  });

  test("is the same request when it is put on a queue again", () => {
    const request = parseRequest(message({ id: "7", requestId: "r", jobId: "j" }));
    const again = { messageId: "message-2", body: bodyOf(request), sentAt: new Date() };
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
    const client = new SQSClient({ ...operator, endpoint: queue.url, useQueueUrlAsEndpoint: false });
    const { accepted, refused } = await new RequestQueue("q", client).send([{ id: "7", requestId: "r" }]);
    expect(accepted).toEqual([]);
    expect(refused).toEqual([
      { id: "7", requestId: "r", reason: "the queue could not be reached: AccessDenied: not you" },
    ]);
  });
});
