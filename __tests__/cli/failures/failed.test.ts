import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ChangeMessageVisibilityCommand, SendMessageCommand, type SQSClient } from "@aws-sdk/client-sqs";
import { parse } from "csv-parse/sync";
import fc from "fast-check";
import { z } from "zod";
import type { FailureCode } from "../../../contract/failure-table";
import { type OnTheWay, startPassage } from "../../../local/passage";
import { AwsError, ConnectionCut, type StandIn } from "../../../local/stand-in";
import { within } from "../../../pipeline/clients";
import { DeadLetters, type LyingLetter } from "../../../pipeline/dead-letters";
import { FeatureStore } from "../../../pipeline/features";
import { QueueWalk } from "../../../pipeline/queue-walk";
import { DeadLetterQueue } from "../../../pipeline/requests";
import { type Prediction, Results } from "../../../pipeline/results";
import { anyBody } from "../../setup/any-body";
import { type LocalPipeline, startLocalPipeline } from "../../setup/local-pipeline";
import { loadOutcomes } from "../../setup/outcomes";
import { atTerminal } from "../../setup/program";
import { sqsClient } from "../../setup/queues";

let pipeline: LocalPipeline;
let sqs: SQSClient;
beforeAll(async () => {
  pipeline = await startLocalPipeline();
  Object.assign(process.env, pipeline.aws.environment);
  sqs = sqsClient(pipeline.aws.environment.AWS_ENDPOINT_URL_SQS);
  const rows = Array.from({ length: 40 }, (_, n) => ({ id: String(n), values: ["A cat sat.", "A cat sat."] }));
  await new FeatureStore(pipeline.aws.featureGroup).write(rows);
});
afterAll(async () => {
  sqs.destroy();
  await pipeline.stop();
});

const bodyOf = (requestId: string, id: string, jobId = "job") =>
  JSON.stringify({ id, requestId, jobId, requestedAt: "2026-01-31T12:00:00.000Z" });
const bury = async (body: string, reason: string, code: FailureCode) => {
  expect(await new DeadLetterQueue(pipeline.aws.deadLetterQueueUrl, sqs).send([{ body, reason, code }])).toEqual([
    undefined,
  ]);
};
const deadLetters = () => new DeadLetters(pipeline.aws.deadLetterQueueUrl, sqs);
const lying = async () => {
  const found: LyingLetter[] = [];
  await deadLetters().look((letters) => {
    found.push(...letters);
  });
  return found;
};
/** Empties the dead-letter queue. */
const clear = async () => {
  const walk = new QueueWalk(pipeline.aws.deadLetterQueueUrl, sqs);
  const { Queue } = await import("../../../pipeline/queues");
  const queue = new Queue(pipeline.aws.deadLetterQueueUrl, sqs);
  await walk.walk(async (messages) => {
    await queue.delete(messages);
    return [];
  });
};
beforeEach(clear);

/** The predictions of a job, once the loader has loaded what is staged. */
const predictionsOf = async (jobId: string) => {
  await loadOutcomes([]);
  const { clusterId, databaseName } = pipeline.aws;
  const predictions: Prediction[] = [];
  for await (const page of new Results({ clusterId, databaseName }).select({ jobId }, within(60_000)))
    predictions.push(...page);
  return predictions;
};
const rowsOf = async (jobId: string) => (await predictionsOf(jobId)).map(({ requestId }) => requestId).sort();
/** Waits until a job has so many predictions. */
const answered = async (jobId: string, count: number) => {
  for (;;) {
    const requestIds = await rowsOf(jobId); // each look takes its time
    if (requestIds.length >= count) return requestIds;
  }
};

describe("failed", () => {
  test("shows the dead letters grouped by why, with the inputs, and leaves them there", async () => {
    for (let n = 0; n < 12; n++)
      await bury(bodyOf(`u${n}`, `x${n}`), "the feature group has no such input", "unknown_input");
    await bury(bodyOf("m", "7"), "the model failed (500)", "endpoint_failed");
    await bury("no request", 'a request must be a JSON object such as {"id": "7"}', "malformed");
    await sqs.send(
      new SendMessageCommand({ QueueUrl: pipeline.aws.deadLetterQueueUrl, MessageBody: bodyOf("moved", "8") }),
    );
    for (let round = 0; round < 2; round++) {
      const { status, stdout, stderr } = await pipeline.run("failed");
      expect({ status, stderr }).toEqual({
        status: 0,
        stderr: [
          "unknown_input: write their features first: npx offline-inference features ingest FILE --env dev",
          "endpoint_failed: see that the endpoint works again: npx offline-inference status --env dev",
          "malformed: mend them, and ask again: npx offline-inference failed export FILE --env dev",
          "15 dead letters. They can go back to the queue: npx offline-inference failed redrive --env dev",
          "",
        ].join("\n"),
      });
      expect(stdout).toMatch(/^12 +unknown_input +the feature group has no such input +x\d+ x\d+ x\d+ x\d+ x\d+ …/m);
      expect(stdout).toMatch(/^1 +endpoint_failed +the model failed \(500\) +7$/m);
      expect(stdout).toMatch(/^1 +deliveries_exhausted +every delivery/m);
      expect(stdout).toMatch(/^1 +malformed +/m);
    }
    const { stdout } = await pipeline.run("failed", "--json");
    const { groups } = z
      .object({ groups: z.array(z.object({ code: z.string(), count: z.number(), requests: z.array(z.unknown()) })) })
      .parse(JSON.parse(stdout));
    expect(groups.map(({ code, count }) => [code, count])[0]).toEqual(["unknown_input", 12]);
    expect(groups.find(({ code }) => code === "endpoint_failed")?.requests).toEqual([
      { id: "7", request_id: "m", job_id: "job" },
    ]);
    expect(groups[0]?.requests).toHaveLength(12);
  });

  test("shows each group in a few lines, however long its code, reason and ids are", async () => {
    const long = "w".repeat(900);
    for (let n = 0; n < 6; n++) await bury(bodyOf(`long-${n}`, `${n}${long}`), `${long} went wrong`, "endpoint_failed");
    const { stdout } = await pipeline.run("failed");
    expect(stdout).toMatch(/^6 +endpoint_failed +w+…? +0w+…/m);
    expect(stdout.split("\n").length).toBeLessThan(16);
  });

  test("says that there is none", async () => {
    expect(await pipeline.run("failed")).toMatchObject({ status: 0, stdout: "", stderr: "There is no dead letter.\n" });
  });

  test("shows, exports and leaves whatever lies there", async () => {
    const bodies = [
      `${"[".repeat(100_000)}${"]".repeat(100_000)}`,
      `{"id":${"[".repeat(100_000)}${"]".repeat(100_000)},"requestId":"nested"}`,
      ...fc.sample(anyBody, { numRuns: 30, seed: 12 }),
    ];
    for (const body of bodies) {
      await sqs.send(new SendMessageCommand({ QueueUrl: pipeline.aws.deadLetterQueueUrl, MessageBody: body || " " }));
    }
    expect(await pipeline.run("failed")).toMatchObject({
      status: 0,
      stderr: expect.stringContaining("32 dead letters"),
    });
    const { status, stdout } = await pipeline.run("failed", "export", "--format", "ndjson");
    expect(status).toBe(0);
    const exported = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).body);
    expect(exported.sort()).toEqual(bodies.map((body) => body || " ").sort());
    const redriven = await pipeline.run("failed", "redrive");
    expect(redriven).toMatchObject({ status: 2, stderr: expect.stringContaining("being no request") });
  });

  test("says how many are hidden, since another command looks at them", async () => {
    for (const id of ["1", "2"]) await bury(bodyOf(`hidden ${id}`, id), "reason", "endpoint_failed");
    let ended: Awaited<ReturnType<typeof pipeline.run>> | undefined;
    await deadLetters().look(async () => {
      ended ??= await pipeline.run("failed");
    });
    expect(ended).toMatchObject({ status: 0, stdout: "", stderr: expect.stringContaining("2 more are hidden") });
  });
});

describe("failed redrive", () => {
  test("sends letters back under their own request ids and times, and keeps what is no request", async () => {
    for (let n = 0; n < 25; n++)
      await bury(bodyOf(`back-${n}`, String(n), "back"), "the model failed (500)", "endpoint_failed");
    await bury("no request", "no request", "malformed");
    expect(await pipeline.run("failed", "redrive")).toMatchObject({
      status: 2,
      stdout: "",
      stderr: expect.stringContaining(
        "25 dead letters went back to the queue.\n1 dead letter stays, being no request: failed export shows them.\n",
      ),
    });
    expect(await answered("back", 25)).toEqual(Array.from({ length: 25 }, (_, n) => `back-${n}`).sort());
    const [prediction] = await predictionsOf("back");
    expect(prediction?.requestedAt).toEqual(new Date("2026-01-31T12:00:00.000Z"));
    expect((await lying()).map(({ body }) => body)).toEqual(["no request"]);
  });

  test("sends back to the letter what a request carries", async () => {
    const features = '{ "seq_0" : "A cat sat.", "seq_1":"A c\\u0061t sat." }';
    await bury(`{"id":"none","requestId":"carried","jobId":"carried","features":${features}}`, "r", "endpoint_failed");
    expect(await pipeline.run("failed", "redrive")).toMatchObject({ status: 0 });
    expect(await answered("carried", 1)).toEqual(["carried"]);
  });

  test.each([
    ["endpoint_failed", "a code"],
    ["FAILED (500)", "a part of the reason"],
  ])("sends just those with a reason: %s, %s", async (reason) => {
    const job = `by ${reason}`;
    await bury(bodyOf(`${job} 1`, "1", job), "the model failed (500)", "endpoint_failed");
    await bury(bodyOf(`${job} 2`, "2", job), "S3 was away", "answers_failed");
    expect(await pipeline.run("failed", "--env", "dev", "redrive", "--reason", reason)).toMatchObject({
      status: 0,
      stderr: "1 dead letter went back to the queue.\n",
    });
    expect(await answered(job, 1)).toEqual([`${job} 1`]);
    expect((await lying()).map(({ requestId }) => requestId)).toEqual([`${job} 2`]);
  });

  test("leaves what fails again, where it ends", async () => {
    await new FeatureStore(pipeline.aws.featureGroup).write([{ id: "half", values: ["A cat sat.", null] }]);
    const bad = (n: number) => ({ id: "half", requestId: `again-${n}` });
    for (let n = 0; n < 3; n++) await bury(JSON.stringify(bad(n)), "reason", "endpoint_failed");
    expect(await pipeline.run("failed", "redrive")).toMatchObject({ status: 0 });
    while ((await lying()).length < 3) await new Promise((resolve) => setImmediate(resolve));
    expect((await lying()).map(({ requestId }) => requestId).sort()).toEqual(["again-0", "again-1", "again-2"]);
  });

  /** The program with a hindrance before SQS. */
  const hindered = async (onTheWay: OnTheWay) => {
    const passage = await startPassage(pipeline.aws.environment.AWS_ENDPOINT_URL_SQS ?? "", onTheWay);
    passages.push(passage);
    return { environment: { AWS_ENDPOINT_URL_SQS: passage.url } };
  };
  const passages: StandIn[] = [];
  afterEach(async () => {
    await Promise.all(passages.splice(0).map((one) => one.stop()));
  });
  const operationOf = ({ headers }: Parameters<OnTheWay>[0]) =>
    String(headers["x-amz-target"]).replace("AmazonSQS.", "");
  const received = z.object({ Messages: z.array(z.object({ ReceiptHandle: z.string() })).optional() });

  test("killed after it has sent and before it has deleted, it has lost nothing, and the next one doubles nothing", async () => {
    for (let n = 0; n < 30; n++) await bury(bodyOf(`kill-${n}`, String(n), "kill"), "reason", "endpoint_failed");
    const handles: string[] = [];
    let kill = () => {};
    const options = await hindered(async (request, forward) => {
      const operation = operationOf(request);
      if (operation === "DeleteMessageBatch") {
        kill();
        throw new ConnectionCut();
      }
      const answer = await forward();
      if (operation === "ReceiveMessage") {
        const { Messages = [] } = received.parse(JSON.parse(String(answer.body)));
        handles.push(...Messages.map(({ ReceiptHandle }) => ReceiptHandle));
      }
      return answer;
    });
    const { child, ended } = pipeline.start(["failed", "redrive"], options);
    kill = () => child.kill("SIGKILL");
    expect(await ended).toMatchObject({ signal: "SIGKILL" });

    // What it held comes back after a while; here at once.
    for (const ReceiptHandle of handles) {
      const QueueUrl = pipeline.aws.deadLetterQueueUrl;
      await sqs.send(new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle, VisibilityTimeout: 0 }));
    }
    expect(await lying()).toHaveLength(30);
    expect(await pipeline.run("failed", "redrive")).toMatchObject({ status: 0 });
    expect(await answered("kill", 30)).toEqual(Array.from({ length: 30 }, (_, n) => `kill-${n}`).sort());
    expect(await lying()).toEqual([]);
  });

  test("throttled, and with connections that are cut, it sends each", async () => {
    for (let n = 0; n < 30; n++)
      await bury(bodyOf(`throttled-${n}`, String(n), "throttled"), "reason", "endpoint_failed");
    const calls = new Map<string, number>();
    const options = await hindered((request, forward) => {
      const operation = operationOf(request);
      const call = (calls.get(operation) ?? 0) + 1;
      calls.set(operation, call);
      if (call === 1 && operation !== "ReceiveMessage") throw new AwsError("ThrottlingException", 400, "slow down");
      if (call === 2 && operation === "SendMessageBatch") throw new ConnectionCut();
      return forward();
    });
    expect(await pipeline.start(["failed", "redrive"], options).ended).toMatchObject({
      status: 0,
      stderr: expect.stringContaining("30 dead letters went back to the queue.\n"),
    });
    expect(await answered("throttled", 30)).toHaveLength(30);
    expect(await lying()).toEqual([]);
  });

  test("interrupted, it says how many went back, and leaves the others where they are seen at once", async () => {
    for (let n = 0; n < 3; n++) await bury(bodyOf(`int-${n}`, String(n), "int"), "reason", "endpoint_failed");
    let interrupt = () => {};
    const options = await hindered((request, forward) => {
      if (operationOf(request) !== "SendMessageBatch") return forward();
      interrupt();
      return new Promise(() => {}); // the answer never comes
    });
    const { child, ended } = pipeline.start(["failed", "redrive"], options);
    interrupt = () => child.kill("SIGINT");
    expect(await ended).toMatchObject({
      status: 130,
      stderr: expect.stringContaining(
        "0 dead letters went back to the queue before this. The others stay: run it again.",
      ),
    });
    expect(await lying()).toHaveLength(3);
  });
});

describe("failed export", () => {
  const awkward = 'says "no",\nand more';
  beforeEach(async () => {
    await bury(bodyOf("e1", "1", "export"), awkward, "endpoint_failed");
    await bury("no request, at all", "malformed it is", "malformed");
  });

  test("writes a CSV that reads back, and leaves the letters", async () => {
    const file = join(pipeline.folder, "failed.csv");
    await writeFile(file, "an older one");
    expect(await pipeline.run("failed", "export", file)).toMatchObject({
      status: 0,
      stdout: "",
      stderr: `2 dead letters in ${file}. They stay in their queue.\n`,
    });
    const rows: unknown[] = parse(await readFile(file), { columns: true });
    expect(rows).toEqual(
      expect.arrayContaining([
        {
          id: "1",
          request_id: "e1",
          job_id: "export",
          code: "endpoint_failed",
          reason: awkward,
          requested_at: "2026-01-31T12:00:00.000Z",
          body: bodyOf("e1", "1", "export"),
        },
        expect.objectContaining({ id: "", request_id: "", code: "malformed", body: "no request, at all" }),
      ]),
    );
    expect(rows).toHaveLength(2);
    expect(await lying()).toHaveLength(2);
  });

  test("writes NDJSON to standard output, a line each", async () => {
    const { status, stdout } = await pipeline.run("failed", "export", "--format", "ndjson");
    expect(status).toBe(0);
    const rows = stdout
      .trimEnd()
      .split("\n")
      .map((line) => z.looseObject({ code: z.string() }).parse(JSON.parse(line)));
    expect(rows.map(({ code }) => code).sort()).toEqual(["endpoint_failed", "malformed"]);
    expect(rows.find(({ code }) => code === "malformed")).toMatchObject({ id: null, body: "no request, at all" });
  });

  test("a file that cannot be written leaves the letters, seen at once", async () => {
    expect(await pipeline.run("failed", "export", join(pipeline.folder, "none", "failed.csv"))).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("no such file or directory"),
    });
    expect(await lying()).toHaveLength(2);
  });
});

test("at a terminal redrive shows how far it is", async () => {
  await bury(bodyOf("tty", "1", "tty"), "reason", "endpoint_failed");
  const { stdout } = await pipeline.start(["failed", "redrive"], { on: atTerminal }).ended;
  expect(stdout).toContain("1/1 dead letters");
});
