import { createHash } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import { CreateBucketCommand, DeleteObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { z } from "zod";
import { labelOf } from "../../../config/contract";
import { goldenKey, type Release } from "../../../config/releases";
import { stagedKey } from "../../../contract/answers-bucket";
import { factsOf, type JobRequest, openMark } from "../../../contract/job";
import { outcomeVersion } from "../../../contract/outcome";
import { operator } from "../../../local/credentials";
import { startS3 } from "../../../local/s3";
import { json, type Request, type StandIn, serve } from "../../../local/stand-in";
import { newId } from "../../../pipeline/ids";
import { dev } from "../../setup/dev";
import { checkoutWithoutTerraform } from "../../setup/fake-terraform";
import { goldenOfPair } from "../../setup/model-folder";
import { plainNames } from "../../setup/names";

const stack = "inference-dev";
const { answers_bucket: Bucket } = plainNames;
const golden = JSON.stringify(goldenOfPair);
const [{ request: goldenRequest, response: goldenAnswer } = { request: "", response: "" }] = goldenOfPair;
/** What is released, with golden requests. */
const release: Release = {
  artifact: { bucket: "team-models", key: "model.tar.gz", sha256: "a".repeat(64) },
  kind: "inf1-torch-neuron",
  contract: labelOf(dev.model.contract),
  speaks: { features: { seq_0: "String", seq_1: "String" }, request: ["json"], answer: "text" },
  verified: true,
  proof: { golden: createHash("sha256").update(golden).digest("hex") },
};
const hour = 3_600_000;
const day = 24 * hour;
const inHours = (hours: number) => new Date(Date.now() + hours * hour);

const batch = z.object({ Entries: z.array(z.object({ Id: z.string(), MessageBody: z.string() })) });

let terraform: Awaited<ReturnType<typeof checkoutWithoutTerraform>>;
let aws: StandIn;
let s3: StandIn;
let client: S3Client;
/** What was called that changes something, in its order. */
let calls: string[];
let cluster: string;
let mapping: string;
/** What the queue says of requests in flight, one look after another; the last stays. */
let inFlight: number[];
let waiting: number;
/** For how long the oldest request has waited, in seconds. */
let oldest: number | undefined;
let loads: () => Promise<object>;
let fault: string | undefined;
/** The messages that were sent, and what becomes of them, look after look; the last stays. */
let sent: string[];
let outcomes: unknown[];

beforeAll(async () => {
  const schedules = ["loading", "writing"].map((name) => [
    `${name}_schedule`,
    { name: plainNames[name === "loading" ? "loader_function_name" : "writer_function_name"] },
  ]);
  terraform = await checkoutWithoutTerraform(stack, {
    resource: {
      aws_scheduler_schedule: Object.fromEntries(schedules),
      aws_sagemaker_endpoint: { model_endpoint: { name: "theirs", endpoint_config_name: "configuration" } },
    },
  });
  aws = await serve(answer);
});
afterAll(async () => {
  await aws.stop();
  await terraform.checkout.remove();
});
beforeEach(async () => {
  [calls, cluster, mapping, inFlight, waiting, oldest, fault] = [
    [],
    "available",
    "Enabled",
    [0],
    0,
    undefined,
    undefined,
  ];
  [sent, outcomes] = [[], []];
  loads = async () => ({ objects: 0, rejected: [], more: false, paused: false });
  await rm(terraform.checkout.path("releases.json"), { force: true });
  await rm(terraform.checkout.path("paused.json"), { force: true });
  s3 = await startS3({ buckets: [Bucket] });
  client = new S3Client({ ...operator, endpoint: s3.url });
  await client.send(new CreateBucketCommand({ Bucket: "team-models" }));
  const contract = { Bucket: "team-models", Key: "contracts/poc-dev.json", Body: JSON.stringify(dev.model.contract) };
  await client.send(new PutObjectCommand(contract));
  await plans();
});
afterEach(async () => {
  client.destroy();
  await s3.stop();
  expect(await terraform.checkout.plansLeft()).toEqual([]);
});

/** A deployed environment, as far as it is looked at and changed. */
async function answer({ method, url, headers, body }: Request) {
  const operation = String(headers["x-amz-target"] ?? "").replace(/.*\./, "");
  const text = body.toString();
  if (operation === "GetParameter") {
    return json({ Parameter: { Name: dev.namesParameter, Value: JSON.stringify(plainNames) } });
  }
  if (operation === "DescribeEndpoint") {
    calls.push("endpoint");
    return json({
      EndpointName: "theirs",
      EndpointStatus: "InService",
      EndpointConfigName: "configuration",
      ProductionVariants: [{ VariantName: "first" }],
    });
  }
  if (operation === "DescribeEndpointConfig") return json({ ProductionVariants: [{ ModelName: "model" }] });
  if (operation === "DescribeModel") {
    return json({ PrimaryContainer: { ModelDataUrl: `s3://${release.artifact.bucket}/${release.artifact.key}` } });
  }
  if (url.pathname === "/endpoints/theirs/invocations") return { status: 200, body: goldenAnswer };
  if (operation === "SendMessageBatch") {
    const { Entries } = batch.parse(JSON.parse(text));
    sent.push(...Entries.map(({ MessageBody }) => MessageBody));
    const md5 = (body: string) => createHash("md5").update(body).digest("hex");
    const Successful = Entries.map(({ Id, MessageBody }) => ({
      Id,
      MessageId: Id,
      MD5OfMessageBody: md5(MessageBody),
    }));
    return json({ Successful });
  }
  if (operation === "GetQueueAttributes") {
    const [now = 0] = inFlight.length > 1 ? inFlight.splice(0, 1) : inFlight;
    const counts = { "": waiting, NotVisible: now, Delayed: 0 };
    const named = Object.entries(counts).map(([name, count]) => [`ApproximateNumberOfMessages${name}`, String(count)]);
    return json({ Attributes: Object.fromEntries(named) });
  }
  if (operation === "GetMetricData") {
    const Values = oldest === undefined ? [] : [oldest];
    return json({
      MetricDataResults: [{ Id: "oldest", StatusCode: "Complete", Values, Timestamps: Values.map(() => 1) }],
    });
  }
  if (url.pathname.startsWith("/2015-03-31/event-source-mappings")) {
    if (method === "PUT") {
      mapping = JSON.parse(text).Enabled ? "Enabled" : "Disabled";
      calls.push(`deliveries ${mapping}`);
      return json({ UUID: "one", State: mapping });
    }
    return json({ EventSourceMappings: [{ UUID: "one", State: mapping }] });
  }
  const [, functionName] = /^\/2015-03-31\/functions\/(\w+)\/invocations$/.exec(url.pathname) ?? [];
  if (functionName !== undefined) {
    const { canary, requestId } = JSON.parse(text);
    if (requestId !== undefined) {
      const [outcome] = outcomes.length > 1 ? outcomes.splice(0, 1) : outcomes;
      return json({ outcome });
    }
    calls.push(`${functionName}${canary ? " canary" : ""}`);
    if (canary && fault !== undefined) {
      const failure = { errorType: "CanaryFailed", errorMessage: fault };
      return json(failure, 200, { "x-amz-function-error": "Unhandled" });
    }
    return json(canary ? { passed: ["it works."] } : functionName === "loader" ? await loads() : {});
  }
  const action = new URLSearchParams(text).get("Action") ?? "";
  if (action === "PauseCluster") cluster = "paused";
  if (action === "ResumeCluster") cluster = "available";
  if (action !== "DescribeClusters") calls.push(action);
  const found = `<ClusterIdentifier>warehouse</ClusterIdentifier><ClusterStatus>${cluster}</ClusterStatus>`;
  const result =
    action === "DescribeClusters" ? `<Clusters><Cluster>${found}</Cluster></Clusters>` : `<Cluster>${found}</Cluster>`;
  return {
    status: 200,
    headers: { "content-type": "text/xml" },
    body: `<${action}Response><${action}Result>${result}</${action}Result></${action}Response>`,
  };
}

const endpoint = { address: "aws_sagemaker_endpoint.model_endpoint", actions: ["delete"], before: { name: "theirs" } };
const plans = (...changes: Parameters<typeof terraform.plans>) =>
  terraform.plans(...(changes.length > 0 ? changes : [endpoint]));

const usual = () => ({
  AWS_ENDPOINT_URL: aws.url,
  AWS_ENDPOINT_URL_S3: s3.url,
  AWS_ACCESS_KEY_ID: operator.credentials.accessKeyId,
  AWS_SECRET_ACCESS_KEY: operator.credentials.secretAccessKey,
  ...terraform.environment,
});
const start = (args: string[], above: Record<string, string> = {}) =>
  terraform.checkout.start([...args, "--env", "dev", "--auto-approve"], { ...usual(), ...above });
const pause = (...args: string[]) => start(["pause", ...args]).ended;
const resume = () => start(["resume"]).ended;

const written = async () =>
  JSON.parse(await readFile(terraform.checkout.path("paused.json"), "utf8").catch(() => "{}"));
const applied = async () => (await terraform.calls()).filter((line) => line.startsWith("apply")).length;

const stage = async () => {
  const Key = stagedKey([newId()], outcomeVersion, newId(), new Date());
  await client.send(new PutObjectCommand({ Bucket, Key, Body: "outcomes" }));
  return Key;
};

/** A job that has not ended. */
const job = async (id: string, deadline: Date) => {
  const input = { key: "inputs/rows.csv", etag: '"e"', bytes: 1 };
  const settings = { format: "csv", columns: {}, deadlineSeconds: 3_600, result: "ndjson" } as const;
  const request: JobRequest = { v: 1, id, fingerprint: "f", createdAt: new Date(), deadline, input, settings };
  await client.send(new PutObjectCommand({ Bucket, Key: factsOf(id).request, Body: JSON.stringify(request) }));
  await client.send(new PutObjectCommand({ Bucket, Key: openMark(id), Body: "{}" }));
};

describe("pause", () => {
  test("stops deliveries, waits for what is in flight, loads what is staged, applies, and then pauses the cluster", async () => {
    inFlight = [1, 1, 0];
    waiting = 3;
    oldest = 3_600;
    const key = await stage();
    loads = async () => {
      await client.send(new DeleteObjectCommand({ Bucket, Key: key }));
      return { objects: 1, rejected: [], more: false, paused: false };
    };
    const { status, stderr } = await pause();
    expect({ status, stderr }).toMatchObject({ status: 0 });
    expect(calls).toEqual(["deliveries Disabled", "loader", "writer", "PauseCluster"]);
    expect(stderr).toMatch(/1 requests are in flight \.\.\.\nloader loads what is staged \.\.\.\n1 objects are loaded/);
    expect(await applied()).toBe(1);
    const { since, ...others } = (await written()).dev;
    expect(Math.abs(Date.now() - Date.parse(since))).toBeLessThan(60_000);
    expect(others).toEqual({});
    const [, at = ""] = /at (\S+) the oldest request expires in the queue/.exec(stderr) ?? [];
    // In flight when it was looked at: it may have waited for half of its time.
    expect(Date.parse(at) - Date.now()).toBeGreaterThan(1.9 * day);
    expect(Date.parse(at) - Date.now()).toBeLessThan(2 * day);
    expect(stderr).toContain(`dev is paused since ${since}. It costs `);
    expect(stderr).toContain("paused.json says so: commit it");
  });

  test("until a time is refused where the oldest request would expire before, and changes nothing", async () => {
    [waiting, oldest] = [1, 4 * 86_400 - 3_600];
    const refused = await pause("--until", "2h");
    expect(refused).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(
        /dev cannot be paused until .*\n {2}\S+: the oldest request expires in the queue\n/,
      ),
    });
    expect([calls, await written(), await terraform.calls()]).toEqual([[], {}, []]);
  });

  test("until a time is refused where a job's deadline passes before, and else tells which is the first", async () => {
    const [first, second] = [inHours(5), inHours(50)];
    await job("later", second);
    await job("nightly", first);
    const refused = await pause("--until", inHours(6).toISOString());
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain(`  ${first.toISOString()}: the deadline of the job nightly passes\n`);
    expect(refused.stderr).not.toContain("later");
    expect(await written()).toEqual({});

    const until = inHours(4).toISOString();
    const { status, stderr } = await pause("--until", until);
    expect({ status, stderr }).toMatchObject({ status: 0 });
    expect((await written()).dev).toMatchObject({ until, firstDeadline: { job: "nightly", at: first.toISOString() } });
  });

  test("hands requests out again, and pauses nothing, where answers cannot be loaded", async () => {
    await stage();
    loads = async () => ({ objects: 0, rejected: [], more: true, paused: false });
    const { status, stderr } = await pause();
    expect(status).toBe(1);
    expect(stderr).toContain("1 objects with answers stay staged. The loader comes no further: its log says why.\n");
    expect(calls).toEqual(["deliveries Disabled", "loader", "deliveries Enabled"]);
    expect([await written(), await applied()]).toEqual([{}, 0]);
  });

  test("pauses nothing where its plan would lose something else than the endpoint", async () => {
    await plans(endpoint, { address: "aws_sqs_queue.inference_queue", actions: ["delete"], before: {} });
    expect(await pause()).toMatchObject({ status: 2, stderr: expect.stringMatching(/Nothing was applied\.\n$/) });
    expect([calls, await written()]).toEqual([[], {}]);
  });

  test("that was killed while requests were in flight, and one whose apply failed, end right when run again", async () => {
    inFlight = [1];
    const killed = start(["pause"]);
    const watch = setInterval(() => killed.said.stderr.includes("are in flight") && killed.child.kill("SIGKILL"), 20);
    await killed.ended.finally(() => clearInterval(watch));
    expect([mapping, Object.keys(await written())]).toEqual(["Disabled", ["dev"]]);

    inFlight = [0];
    const { since } = (await written()).dev;
    expect(await start(["pause"], { APPLY_ENDS: "1" }).ended).toMatchObject({ status: 1 });
    expect([cluster, (await written()).dev.since]).toEqual(["available", since]);
    await rm(terraform.checkout.path("cdktf.out", "stacks", stack, "plan"), { force: true }); // of the one that was killed
    expect(await pause()).toMatchObject({ status: 0 });
    expect([cluster, mapping, (await written()).dev.since]).toEqual(["paused", "Disabled", since]);
  });
});

describe("a paused environment", () => {
  const since = "2026-11-27T18:00:00.000Z";
  beforeEach(async () => {
    [cluster, mapping] = ["paused", "Disabled"];
    await writeFile(terraform.checkout.path("paused.json"), JSON.stringify({ dev: { since } }));
    await plans({ address: endpoint.address, actions: ["create"], after: { name: "theirs" } });
  });

  test("is resumed: first the cluster, then the plan, and it ends when the canaries are answered", async () => {
    const { status, stderr } = await resume();
    expect({ status, stderr }).toMatchObject({ status: 0 });
    expect(calls.slice(0, 2)).toEqual(["ResumeCluster", "deliveries Enabled"]);
    expect(calls.slice(2).sort()).toEqual(["endpoint", "loader canary", "writer canary"]);
    expect(stderr).toContain("theirs serves configuration.\n");
    expect([await applied(), await written()]).toEqual([1, {}]);
    expect(stderr).toContain("The warehouse does what is asked of it:\n  it works.\n  it works.\n");
    expect(stderr).toContain("No request was sent through the queue: no golden request of dev is known");
    expect(stderr).toMatch(/dev is resumed, and answers\. paused\.json no longer has it: commit that\.\n$/);
  });

  describe("whose release has golden requests", () => {
    beforeEach(async () => {
      await writeFile(terraform.checkout.path("releases.json"), JSON.stringify({ dev: { current: release } }));
      const Key = goldenKey(release.proof?.golden ?? "");
      await client.send(new PutObjectCommand({ Bucket: "team-models", Key, Body: golden }));
    });

    test("is resumed once one of them has come through the queue to the warehouse", async () => {
      outcomes = [undefined, "answered"];
      const { status, stderr } = await resume();
      expect({ status, stderr }).toMatchObject({ status: 0 });
      const { id, features, deadline, jobId } = JSON.parse(sent[0] ?? "");
      expect({ id, features, jobId }).toEqual({ id: "canary", features: JSON.parse(goldenRequest), jobId: undefined });
      expect(Date.parse(deadline)).toBeGreaterThan(Date.now());
      expect(stderr).toMatch(
        /went through queue, worker and loader, and the warehouse has its answer\.\ndev is resumed/,
      );
      expect(sent).toHaveLength(1);
    });

    test("is not said to be resumed where that one fails, and tells why", async () => {
      outcomes = [{ code: "endpoint_failed", reason: "the endpoint failed: no" }];
      const { status, stderr } = await resume();
      expect(status).toBe(1);
      expect(stderr).toMatch(
        /The canary \S+ failed: the endpoint failed: no\. What was applied stays so\. `npx offline-inference resume --env dev` asks again\.\n$/,
      );
      expect(stderr).not.toContain("is resumed");
    });
  });

  test("is not said to be resumed where a canary fails, and is when it is run again", async () => {
    fault = "the loader loads an answer and a failure: no.";
    expect(await resume()).toMatchObject({ status: 1, stderr: expect.not.stringContaining("is resumed") });
    fault = undefined;
    await terraform.plans(); // all is applied
    expect(await resume()).toMatchObject({ status: 0, stderr: expect.stringContaining("dev is resumed") });
    expect(calls.filter((call) => call === "ResumeCluster")).toHaveLength(1);
  });

  test("is deployed as it is, and nothing of it is proven", async () => {
    await plans({ address: "aws_iam_role.new", actions: ["create"] });
    const { status, stderr } = await terraform.checkout.start(["deploy", stack, "--auto-approve"], usual()).ended;
    expect({ status, stderr }).toMatchObject({ status: 0 });
    expect(stderr).toContain(`dev is paused since ${since}: this leaves it so.`);
    expect(await applied()).toBe(1);
  });

  test("is not deployed where the cluster would have to be there", async () => {
    await plans({ address: "aws_lambda_invocation.warehouse_schema_made" });
    const { status, stderr } = await terraform.checkout.start(["deploy", stack, "--auto-approve"], usual()).ended;
    expect(status).toBe(1);
    expect(stderr).toContain(
      "the plan changes aws_lambda_invocation.warehouse_schema_made, for which the cluster must be there",
    );
    expect(await applied()).toBe(0);
  });

  test("is told of by whatever reads of it", async () => {
    const said = await terraform.checkout.start(["results", "7", "--env", "dev"], usual()).ended;
    expect(said.stderr).toContain(
      `dev is paused since ${since}: requests and jobs are taken and wait, and no prediction can be read.\n`,
    );
  });
});

test.each(["yesterday", "2026-01-01T00:00Z", "5m", "2h ago"])("pause knows no time %s", async (time) => {
  expect(await pause("--until", time)).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("It is a time to come"),
  });
});
