import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ChangeMessageVisibilityCommand, SQSClient } from "@aws-sdk/client-sqs";
import { z } from "zod";
import { type ReceiptEntry, readReceipt, receiptHeader, receiptLine } from "../../../cli/jobs/receipt";
import { operator } from "../../../local/credentials";
import { type OnTheWay, startPassage } from "../../../local/passage";
import { AwsError, ConnectionCut, type StandIn } from "../../../local/stand-in";
import { within } from "../../../pipeline/clients";
import { FeatureStore } from "../../../pipeline/features";
import { QueueWalk } from "../../../pipeline/queue-walk";
import { type NewRequest, RequestQueue } from "../../../pipeline/requests";
import { Results } from "../../../pipeline/results";
import { type LocalPipeline, startLocalPipeline } from "../../setup/local-pipeline";
import { answered, failed, loadOutcomes } from "../../setup/outcomes";
import { createQueue } from "../../setup/queues";

let pipeline: LocalPipeline;
let sqs: SQSClient;
beforeAll(async () => {
  pipeline = await startLocalPipeline();
  Object.assign(process.env, pipeline.aws.environment);
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

const prediction = (jobId: string, requestId: string, inputId: string) =>
  answered({ jobId, requestId, inputId, predictedAt: new Date() });
const failure = (jobId: string, requestId: string, inputId: string) =>
  failed({ jobId, requestId, inputId, failedAt: new Date() });
const writeReceipt = async (name: string, jobId: string, requestIds: readonly string[], secondsAgo = 0) => {
  const path = join(pipeline.folder, name);
  const lines = requestIds.map((requestId, n) => receiptLine({ id: `input ${n}`, requestId, jobId }));
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
  test("says how many of a receipt's requests are answered, failed and wait, and how fast it went", async () => {
    const run = randomUUID();
    await loadOutcomes([
      ...[0, 1, 2].map((n) => prediction("counted", `${run}.${n}`, `input ${n}`)),
      failure("counted", `${run}.3`, "input 3"),
      failure("counted", `${run}.2`, "input 2"), // was answered after all
    ]);
    const ids = [0, 1, 2, 3, 4, 5].map((n) => `${run}.${n}`);
    const receipt = await writeReceipt("counted.csv", "counted", ids);
    const { status, stdout, stderr } = await pipeline.run("job", "counted", "--receipt", receipt);
    expect(stdout).toMatch(
      /^answered {3}3\nfailed {5}1\n {2}unknown_input 1\nwaiting {4}2\ntotal {6}6\nfirst {6}\S+\nlast {7}\S+\nrate {7}\S+\/s from first to last\ntime left {2}\d+ s at that rate\n$/,
    );
    expect({ status, stderr }).toEqual({
      status: 0,
      stderr:
        "  1 × unknown_input: the feature group has no such input (input 3)\n" +
        "What can go back to the queue lies among the dead letters: offline-inference failed\n",
    });
  });

  test("counts as answered what was answered for the input that was asked about, and for no other", async () => {
    await loadOutcomes([
      prediction("joined", "joined 0", "another"),
      failed({ ...failure("joined", "joined 0", "input 0"), code: "conflict" }),
      prediction("joined", "joined 1", "another"),
      prediction("joined", "joined 2", "input 2"),
    ]);
    const receipt = await writeReceipt("joined.csv", "joined", ["joined 0", "joined 1", "joined 2"]);
    const { stdout } = await pipeline.run("job", "joined", "--receipt", receipt);
    expect(stdout).toMatch(/^answered {3}1\nfailed {5}1\n {2}conflict 1\nwaiting {4}1\ntotal {6}3\n/);
    const printed = await pipeline.run("results", "--receipt", receipt, "--format", "ndjson");
    expect(
      printed.stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line).id),
    ).toEqual(["input 2"]);
  });

  test("asks no dead letters", async () => {
    const passage = await startPassage(pipeline.aws.environment.AWS_ENDPOINT_URL_SQS ?? "", () => {
      throw new AwsError("AccessDenied", 403, "no");
    });
    passages.push(passage);
    await loadOutcomes([
      prediction("letterless", "letterless 0", "input 0"),
      failure("letterless", "letterless 1", "x"),
    ]);
    const environment = { AWS_ENDPOINT_URL_SQS: passage.url };
    expect(await pipeline.start(["job", "letterless"], { environment }).ended).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^answered {3}1\nfailed {5}1\n/),
    });
  });

  test("without a receipt says what there is, and that the total is not known", async () => {
    await loadOutcomes([
      ...["a", "b"].map((id) => prediction("no receipt", `no receipt ${id}`, id)),
      failure("no receipt", "no receipt c", "c"),
    ]);
    const { status, stdout, stderr } = await pipeline.run("job", "no receipt");
    expect(status).toBe(0);
    expect(stdout).toMatch(/^answered {3}2\nfailed {5}1\n {2}unknown_input 1\nfirst/);
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
      stderr:
        'There is no job "unknown" here: none of its requests is answered or has failed, and no receipt names one.\n',
    });
  });

  test("does not wait for what was cancelled, unless it was published again since", async () => {
    const run = randomUUID();
    await loadOutcomes([prediction("off", `${run}.1`, "input 0")]);
    const first = await writeReceipt("off.csv", "off", [`${run}.1`, `${run}.2`, `${run}.3`], 30);
    const cancelled = await writeReceipt("off-cancelled.csv", "off", [`${run}.2`, `${run}.3`], 20);
    const both = ["--receipt", cancelled, "--receipt", first];
    expect(await pipeline.run("job", "off", "--wait", ...both)).toMatchObject({
      status: 2,
      stdout: expect.stringMatching(/^answered {3}1\nfailed {5}0\nwaiting {4}0\ncancelled {2}2\ntotal {6}3\n/),
    });
    const again = await writeReceipt("off-again.csv", "off", [`${run}.3`], 10);
    expect((await pipeline.run("job", "off", ...both, "--receipt", again)).stdout).toMatch(
      /^answered {3}1\nfailed {5}0\nwaiting {4}1\ncancelled {2}1\ntotal {6}3\n/,
    );
  });

  test("--wait runs the loader, and ends when all of it is answered, with 0", async () => {
    const run = randomUUID();
    const ids = Array.from({ length: 20 }, (_, n) => `input ${n}`);
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
      stdout: expect.stringMatching(/^answered {3}20\nfailed {5}0\nwaiting {4}0\ntotal {6}20\n/),
      stderr: expect.stringContaining("20 of 20 outcomes"),
    });
  });

  test("--wait tells once that it may not run the loader, asks it no more, and goes on without", async () => {
    let asked = 0;
    const passage = await startPassage(pipeline.aws.environment.AWS_ENDPOINT_URL_LAMBDA ?? "", () => {
      asked++;
      throw new AwsError("AccessDeniedException", 403, "no identity-based policy allows it");
    });
    passages.push(passage);
    const run = randomUUID();
    const receipt = await writeReceipt("unloaded.csv", "unloaded", [`${run}.0`, `${run}.1`]);
    const environment = { AWS_ENDPOINT_URL_LAMBDA: passage.url };
    const { printed, ended } = pipeline.start(["job", "unloaded", "--wait", "--receipt", receipt], { environment });
    await printed("stderr", "Answers are seen once its schedule has loaded them.");
    for (const n of [0, 1]) {
      await loadOutcomes([prediction("unloaded", `${run}.${n}`, `input ${n}`)]);
      await printed("stderr", `${n + 1} of 2 outcomes`);
    }
    const { status, stderr } = await ended;
    expect({ status, asked }).toEqual({ status: 0, asked: 1 });
    expect(stderr.split("Answers are seen once").length).toBe(2);
  });

  test("without an id lists them", async () => {
    await loadOutcomes([prediction("listed", "listed 1", "7"), failure("listed", "listed 2", "8")]);
    expect(await pipeline.run("job")).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/│ job +│ answered +│ failed +│ first +│ last +│[\s\S]*│ listed +│ 1 +│ 1 +│/),
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
    const { clusterId, databaseName } = pipeline.aws;
    const results = new Results({ clusterId, databaseName });
    const missing = async () => {
      await loadOutcomes([]);
      const known = new Set<string>();
      for await (const page of results.requests("answered", { jobId: "worked" }, within(60_000)))
        for (const { requestId } of page) known.add(requestId);
      return requestIds.filter((requestId) => !kept.has(requestId) && !known.has(requestId));
    };
    while ((await missing()).length > 0); // each look takes its time
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
