import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ChangeMessageVisibilityCommand, SQSClient } from "@aws-sdk/client-sqs";
import { z } from "zod";
import { type ReceiptEntry, readReceipt, receiptHeader, receiptLine } from "../../../cli/jobs/receipt";
import { operator } from "../../../local/credentials";
import { type OnTheWay, startPassage } from "../../../local/passage";
import { ConnectionCut, type StandIn } from "../../../local/stand-in";
import { FeatureStore } from "../../../pipeline/features";
import { QueueWalk } from "../../../pipeline/queue-walk";
import { DeadLetterQueue, type NewRequest, RequestQueue } from "../../../pipeline/requests";
import { type Prediction, Results } from "../../../pipeline/results";
import { type LocalPipeline, startLocalPipeline } from "../../setup/local-pipeline";
import { createQueue } from "../../setup/queues";

let pipeline: LocalPipeline;
let results: Results;
let sqs: SQSClient;
beforeAll(async () => {
  pipeline = await startLocalPipeline();
  Object.assign(process.env, pipeline.aws.environment);
  const { clusterId, databaseName } = pipeline.aws;
  results = new Results({ clusterId, databaseName });
  sqs = new SQSClient({ useQueueUrlAsEndpoint: false });
});
afterAll(async () => {
  sqs.destroy();
  await pipeline.stop();
});
const passages: StandIn[] = [];
afterEach(async () => {
  await Promise.all(passages.splice(0).map((one) => one.stop()));
});

const prediction = (jobId: string, requestId: string): Prediction => ({
  requestId,
  jobId,
  inputId: "7",
  output: "a city",
  endpoint: "cities",
  variant: "first",
  modelRelease: "2026-01",
  requestedAt: new Date(),
  predictedAt: new Date(),
});
const bury = async (jobId: string, requestId: string) => {
  const body = JSON.stringify({ id: "8", requestId, jobId });
  const letter = { body, reason: "the feature group has no such input", code: "unknown_input" } as const;
  expect(await new DeadLetterQueue(pipeline.aws.deadLetterQueueUrl).send([letter])).toEqual([undefined]);
};
const writeReceipt = async (name: string, jobId: string, requestIds: readonly string[], secondsAgo = 0) => {
  const path = join(pipeline.folder, name);
  const lines = requestIds.map((requestId, n) => receiptLine({ id: String(n), requestId, jobId }));
  await writeFile(path, [receiptHeader, ...lines].join(""));
  const at = Date.now() / 1000 - secondsAgo;
  await utimes(path, at, at);
  return path;
};
const entriesOf = async (path: string) => {
  const entries: ReceiptEntry[] = [];
  for await (const entry of readReceipt(path)) entries.push(entry);
  return entries;
};

describe("job", () => {
  test("says how many of a receipt's requests are done, wait and failed, and how fast it goes", async () => {
    const run = randomUUID();
    await results.save([1, 2, 3].map((n) => prediction("counted", `${run}.${n}`)));
    await bury("counted", `${run}.4`);
    await bury("counted", `${run}.3`); // a copy of what has been answered since
    const ids = [1, 2, 3, 4, 5, 6].map((n) => `${run}.${n}`);
    const receipt = await writeReceipt("counted.csv", "counted", ids);
    const { status, stdout, stderr } = await pipeline.run("job", "counted", "--receipt", receipt);
    expect(stdout).toMatch(
      /^done {7}3\nwaiting {4}2\nfailed {5}1\ntotal {6}6\nfirst {6}\S+\nlast {7}\S+\nrate {7}\S+\/s in the last minute\ntime left {2}\d+ s\n$/,
    );
    expect({ status, stderr }).toEqual({
      status: 0,
      stderr:
        "  1 × unknown_input: the feature group has no such input (8)\n" +
        "In the dead-letter queue, from where they can go back: offline-inference failed redrive\n",
    });
  });

  test("without a receipt says what there is, and that the total is not known", async () => {
    await results.save(["a", "b"].map((id) => prediction("no receipt", `no receipt ${id}`)));
    await bury("no receipt", "no receipt c");
    const { status, stdout, stderr } = await pipeline.run("job", "no receipt");
    expect(status).toBe(0);
    expect(stdout).toMatch(/^done {7}2\nfailed {5}1\nfirst/);
    expect(stdout).not.toContain("waiting");
    expect(stderr).toContain("How many wait is not known here: no receipt names a request of this job.");
    expect(await pipeline.run("job", "no receipt", "--wait")).toMatchObject({
      status: 1,
      stderr: 'How much is the job "no receipt"? No receipt here names a request of it: name one by --receipt.\n',
    });
  });

  test("that nobody knows is an error", async () => {
    expect(await pipeline.run("job", "unknown")).toMatchObject({
      status: 1,
      stdout: "",
      stderr: 'Nobody knows a job "unknown": it has no prediction, no dead letter, and no receipt here.\n',
    });
  });

  test("does not wait for what was cancelled, unless it was published again since", async () => {
    const run = randomUUID();
    await results.save([prediction("off", `${run}.1`)]);
    const first = await writeReceipt("off.csv", "off", [`${run}.1`, `${run}.2`, `${run}.3`], 30);
    const cancelled = await writeReceipt("off-cancelled.csv", "off", [`${run}.2`, `${run}.3`], 20);
    const both = ["--receipt", cancelled, "--receipt", first];
    expect(await pipeline.run("job", "off", "--wait", ...both)).toMatchObject({
      status: 2,
      stdout: expect.stringMatching(/^done {7}1\nwaiting {4}0\nfailed {5}0\ncancelled {2}2\ntotal {6}3\n/),
    });
    const again = await writeReceipt("off-again.csv", "off", [`${run}.3`], 10);
    expect((await pipeline.run("job", "off", ...both, "--receipt", again)).stdout).toMatch(
      /^done {7}1\nwaiting {4}1\nfailed {5}0\ncancelled {2}1\ntotal {6}3\n/,
    );
  });

  test("--wait ends when all of it is done, with 0", async () => {
    const run = randomUUID();
    const ids = Array.from({ length: 20 }, (_, n) => `waited ${n}`);
    await new FeatureStore(pipeline.aws.featureGroup).write(ids.map((id) => ({ id, values: ["A cat.", "A cat."] })));
    const requests = ids.map((id, n) => ({ id, requestId: `${run}.${n}`, jobId: "waited" }));
    const receipt = await writeReceipt(
      "waited.csv",
      "waited",
      requests.map(({ requestId }) => requestId),
    );
    await new RequestQueue(pipeline.aws.queueUrl).send(requests);
    expect(await pipeline.run("job", "waited", "--wait", "--receipt", receipt)).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^done {7}20\nwaiting {4}0\nfailed {5}0\ntotal {6}20\n/),
      stderr: expect.stringContaining("20 of 20 requests"),
    });
  });

  test("without an id lists them", async () => {
    await results.save([prediction("listed", "listed 1")]);
    expect(await pipeline.run("job")).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/│ job +│ done +│ first +│ last +│[\s\S]*│ listed +│ 1 +│/),
    });
  });
});

describe("job --cancel", () => {
  /** Puts requests on a queue that nothing works, and hands the program this queue instead of the pipeline's. */
  const unworked = async (requests: readonly NewRequest[], more?: OnTheWay) => {
    const { url } = await createQueue();
    const passage = await startPassage(process.env.TEST_SQS_URL ?? "", async (request, forward) => {
      const text = request.body.toString();
      const { QueueUrl } = z.looseObject({ QueueUrl: z.string() }).parse(JSON.parse(text));
      const body = Buffer.from(text.replace(QueueUrl, url));
      return more === undefined ? forward(body) : more({ ...request, body }, () => forward(body));
    });
    passages.push(passage);
    const client = new SQSClient({ endpoint: process.env.TEST_SQS_URL, ...operator, useQueueUrlAsEndpoint: false });
    const { refused } = await new RequestQueue(url, client).send(requests);
    expect(refused).toEqual([]);
    const bodies = async () => {
      const all: string[] = [];
      await new QueueWalk(url, client).walk(async (messages) => {
        all.push(...messages.map(({ body }) => body));
        return messages;
      });
      return all;
    };
    const left = async () =>
      (await bodies()).map((body) => z.looseObject({ requestId: z.string() }).parse(JSON.parse(body)).requestId).sort();
    const reappear = async (handles: readonly string[]) => {
      for (const ReceiptHandle of handles) {
        await client.send(new ChangeMessageVisibilityCommand({ QueueUrl: url, ReceiptHandle, VisibilityTimeout: 0 }));
      }
    };
    return { options: { environment: { AWS_ENDPOINT_URL_SQS: passage.url } }, left, bodies, reappear };
  };
  const numbered = (jobId: string, count: number) =>
    Array.from({ length: count }, (_, n) => ({ id: `input ${n}`, requestId: `${jobId} ${n}`, jobId }));
  const idsOf = (requests: readonly { requestId: string }[]) => requests.map(({ requestId }) => requestId).sort();

  test("takes just what is of the job off the queue, and keeps it in a receipt", async () => {
    const ours = numbered("ours, quoted", 33);
    const others = numbered("others", 27);
    const { options, left } = await unworked([...ours, ...others]);
    const file = join(pipeline.folder, "ours-cancelled.csv");
    const { status, stdout, stderr } = await pipeline.start(
      ["job", "ours, quoted", "--cancel", "--output", file],
      options,
    ).ended;
    expect({ status, stdout }).toEqual({ status: 0, stdout: `${file}\n` });
    expect(stderr).toContain('33 requests of the job "ours, quoted" taken off the queue.\n');
    expect(stderr).toContain(`Put back what was taken off: offline-inference requests publish --csv ${file}\n`);
    expect((await entriesOf(file)).sort((a, b) => a.requestId.localeCompare(b.requestId))).toEqual(
      ours.sort((a, b) => a.requestId.localeCompare(b.requestId)),
    );
    expect(await left()).toEqual(idsOf(others));
  });

  test("leaves requests that carry their features on the queue, with them", async () => {
    const carrying = numbered("mixed", 13).map((one) => ({ ...one, features: '{"age": 1.50}' }));
    const looking = [20, 21].map((n) => ({ id: "7", requestId: `mixed ${n}`, jobId: "mixed" }));
    const { options, left, bodies } = await unworked([...carrying, ...looking]);
    const file = join(pipeline.folder, "mixed-cancelled.csv");
    const { status, stdout, stderr } = await pipeline.start(["job", "mixed", "--cancel", "--output", file], options)
      .ended;
    expect({ status, stdout }).toEqual({ status: 2, stdout: `${file}\n` });
    expect(stderr).toContain('2 requests of the job "mixed" taken off the queue.\n');
    expect(stderr).toContain(
      "13 requests carry their features, which a receipt does not hold: not cancelled, and still on the queue.\n",
    );
    expect((await entriesOf(file)).map(({ requestId }) => requestId).sort()).toEqual(idsOf(looking));
    expect(await left()).toEqual(idsOf(carrying));
    expect((await bodies()).every((body) => body.includes('"features":{"age": 1.50}'))).toBe(true);
  });

  test("a job whose requests all carry their features is left as it is, and no file is made", async () => {
    const carrying = numbered("carrying", 1).map((one) => ({ ...one, features: "{}" }));
    const { options, left } = await unworked(carrying);
    const file = join(pipeline.folder, "carrying-cancelled.csv");
    expect(await pipeline.start(["job", "carrying", "--cancel", "--output", file], options).ended).toMatchObject({
      status: 2,
      stdout: "",
      stderr: expect.stringContaining(
        "1 request carries its features, which a receipt does not hold: not cancelled, and still on the queue.\n",
      ),
    });
    expect(existsSync(file)).toBe(false);
    expect(await left()).toEqual(idsOf(carrying));
  });

  test("a job that has nothing there leaves no file", async () => {
    const { options, left } = await unworked(numbered("others", 3));
    expect(await pipeline.start(["job", "absent", "--cancel"], options).ended).toMatchObject({
      status: 0,
      stdout: "",
      stderr: 'There is no request of the job "absent" on the queue.\n',
    });
    expect(await left()).toHaveLength(3);
  });

  test("killed before it has deleted, it has lost nothing, and goes on in the same file", async () => {
    const ours = numbered("killed", 30);
    const handles: string[] = [];
    let kill = () => {};
    let isFirst = true;
    const received = z.object({ Messages: z.array(z.object({ ReceiptHandle: z.string() })).optional() });
    const { options, left, reappear } = await unworked(ours, async (request, forward) => {
      const operation = String(request.headers["x-amz-target"]);
      if (isFirst && operation.endsWith("DeleteMessageBatch")) {
        kill();
        throw new ConnectionCut();
      }
      const answer = await forward();
      if (isFirst && operation.endsWith("ReceiveMessage")) {
        handles.push(
          ...(received.parse(JSON.parse(String(answer.body))).Messages ?? []).map((one) => one.ReceiptHandle),
        );
      }
      return answer;
    });
    const args = ["job", "killed", "--cancel", "--output", join(pipeline.folder, "killed-cancelled.csv")];
    const { child, ended } = pipeline.start(args, options);
    kill = () => child.kill("SIGKILL");
    expect(await ended).toMatchObject({ signal: "SIGKILL" });
    isFirst = false;
    await reappear(handles); // which it does by itself after a while
    expect(await left()).toEqual(idsOf(ours));

    expect(await pipeline.start(args, options).ended).toMatchObject({ status: 0 });
    expect(await left()).toEqual([]);
    const kept = await entriesOf(join(pipeline.folder, "killed-cancelled.csv"));
    expect([...new Set(kept.map(({ requestId }) => requestId))].sort()).toEqual(idsOf(ours));
  });

  test("a file that is no receipt is left as it is, and the queue too", async () => {
    const { options, left } = await unworked(numbered("careful", 2));
    const file = join(pipeline.folder, "notes.txt");
    await writeFile(file, "my notes");
    expect(await pipeline.start(["job", "careful", "--cancel", "--output", file], options).ended).toMatchObject({
      status: 1,
      stderr: expect.stringContaining(`${file} is no receipt: it is left as it is. Name another file by --output.`),
    });
    expect(await readFile(file, "utf8")).toBe("my notes");
    expect(await left()).toHaveLength(2);
  });

  test("while the worker works, each request is answered or in the file", async () => {
    const run = randomUUID();
    await new FeatureStore(pipeline.aws.featureGroup).write([{ id: "worked", values: ["A cat.", "A cat."] }]);
    const args = ["job", "worked", "--cancel", "--output", join(pipeline.folder, "worked-cancelled.csv")];
    const cancelling = pipeline.start(args).ended;
    const requestIds: string[] = [];
    const queue = new RequestQueue(pipeline.aws.queueUrl);
    let isOver = false;
    void cancelling.then(() => {
      isOver = true;
    });
    while (!isOver && requestIds.length < 2_000) {
      const requests = Array.from({ length: 50 }, (_, n) => {
        return { id: "worked", requestId: `${run}.${requestIds.length + n}`, jobId: "worked" };
      });
      requestIds.push(...(await queue.send(requests)).accepted.map(({ requestId }) => requestId));
    }
    const ends = [await cancelling, await pipeline.run(...args)];
    expect(ends.map(({ status }) => status)).toEqual([0, 0]);
    const file = ends.map(({ stdout }) => stdout.trim()).find((path) => path !== "");
    const kept = new Set((file === undefined ? [] : await entriesOf(file)).map(({ requestId }) => requestId));
    const answered = async () => new Set((await results.ofJob("worked")).map(({ requestId }) => requestId));
    const missing = async () => {
      const known = await answered();
      return requestIds.filter((requestId) => !kept.has(requestId) && !known.has(requestId));
    };
    while ((await missing()).length > 0) await new Promise((resolve) => setImmediate(resolve));
    expect(await missing()).toEqual([]);
  });

  test("goes on behind the last whole line of its file", async () => {
    const { options } = await unworked(numbered("torn", 1));
    const file = join(pipeline.folder, "torn-cancelled.csv");
    const whole = `${receiptHeader}${receiptLine({ id: "two\nlines", requestId: "a", jobId: "torn" })}`;
    await writeFile(file, `${whole}"two\nlines of which`);
    expect(await pipeline.start(["job", "torn", "--cancel", "--output", file], options).ended).toMatchObject({
      status: 0,
    });
    expect((await entriesOf(file)).map(({ requestId }) => requestId)).toEqual(["a", "torn 0"]);
  });
});

test.each([
  [["--wait"], "Which job? Name it."],
  [["nightly", "--output", "file.csv"], "--output is where --cancel keeps what it takes off the queue."],
  [["nightly", "--cancel", "--wait"], "cannot be used with"],
])("%j is refused", async (args, why) => {
  expect(await pipeline.run("job", ...args)).toMatchObject({
    status: 1,
    stdout: "",
    stderr: expect.stringContaining(why),
  });
});
