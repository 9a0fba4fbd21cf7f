import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { GetQueueAttributesCommand, SendMessageCommand, type SQSClient } from "@aws-sdk/client-sqs";
import { read, statusReport } from "../../../cli/status/status-report";
import { AwsError, type StandIn, serve } from "../../../local/stand-in";
import { FeatureStore } from "../../../pipeline/features";
import { RequestQueue } from "../../../pipeline/requests";
import { dev } from "../../setup/dev";
import { type LocalPipeline, startLocalPipeline } from "../../setup/local-pipeline";
import { loadOutcomes } from "../../setup/outcomes";
import { atTerminal, type Ended } from "../../setup/program";
import { sqsClient } from "../../setup/queues";

let pipeline: LocalPipeline;
let sqs: SQSClient;
const standIns: StandIn[] = [];

beforeAll(async () => {
  pipeline = await startLocalPipeline();
  const { environment, queueUrl, featureGroup } = pipeline.aws;
  Object.assign(process.env, environment);
  sqs = sqsClient(environment.AWS_ENDPOINT_URL_SQS);
  await new FeatureStore(featureGroup).write([
    { id: "1", values: ["One and the same.", "One and the same."] },
    { id: "2", values: ["One.", "Other."] },
  ]);
  const { accepted } = await new RequestQueue(queueUrl).send([{ id: "1" }, { id: "2" }]);
  expect(accepted).toHaveLength(2);
  await sqs.send(new SendMessageCommand({ QueueUrl: queueUrl, MessageBody: "no request" }));
  while (!(await isEmpty(queueUrl))); // each has its outcome
  await loadOutcomes([]);
});
afterAll(async () => {
  sqs.destroy();
  await Promise.all(standIns.map((one) => one.stop()));
  await pipeline.stop();
});

async function isEmpty(QueueUrl: string): Promise<boolean> {
  const { Attributes = {} } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["All"] }));
  const { ApproximateNumberOfMessages: waiting, ApproximateNumberOfMessagesNotVisible: inFlight } = Attributes;
  return Number(waiting) + Number(inFlight) === 0;
}

const deadLetter = () =>
  sqs.send(new SendMessageCommand({ QueueUrl: pipeline.aws.deadLetterQueueUrl, MessageBody: randomUUID() }));

/** What a terminal is, and nothing that says what to think of colours. */
const terminal = { TERM: "xterm", NO_COLOR: undefined, FORCE_COLOR: undefined, CI: undefined };

/** A service that answers as told, for as long as the tests run. */
async function standIn(...answer: Parameters<typeof serve>): Promise<string> {
  const started = await serve(...answer);
  standIns.push(started);
  return started.url;
}

const run = (args: string[], environment: Record<string, string>): Promise<Ended> =>
  pipeline.start(args, { environment }).ended;

test("says as data how everything is, with what asks for a person", async () => {
  const { status, stdout, stderr } = await pipeline.run("status", "--env", "dev", "--json");
  expect({ status, stderr }).toEqual({ status: 2, stderr: "" });
  const report = statusReport.parse(JSON.parse(stdout));
  expect(report).toMatchObject({
    environment: "dev",
    region: "us-east-1",
    queue: { waiting: 0, inFlight: 0, delayed: 0 },
    deadLetters: { waiting: 1, inFlight: 0, delayed: 0 },
    metrics: {
      minutes: 15,
      oldestRequestSeconds: 0,
      worker: { errors: 0, throttles: 0 },
      endpoint: { serverErrors: 0 },
    },
    endpoint: {
      status: "InService",
      configuration: expect.stringContaining(dev.model.endpointConfigurationName),
      failure: null,
      variants: [{ name: dev.model.variantName, instances: 1, wanted: 1 }],
    },
    worker: { state: "Active", lastUpdate: "Successful", modelRelease: expect.stringMatching(/^[0-9a-f]{8}$/) },
    warehouse: { status: "available", availability: "Available", nodeType: "ra3.large", nodes: 1 },
    predictions: { lastHour: 2, failedLastHour: 1, perMinute: 0.4 },
    alarms: { total: 12, withoutData: 12, on: [] },
    emptyInSeconds: 0,
    lastDeploy: { of: expect.stringMatching(/^(endpoint|worker)$/) },
    attention: [
      {
        part: "deadLetters",
        mark: "problem",
        text: "A request was given up.",
        mend: "npx offline-inference failed --env dev",
      },
    ],
  });
  const { worker, endpoint } = read(report.metrics) ?? {};
  expect(worker?.invocations).toBeGreaterThan(0);
  expect(worker?.concurrency).toBeGreaterThan(0);
  expect(endpoint?.invocations).toBeGreaterThan(0);
});

test("is one screen of plain text where no terminal is", async () => {
  const { status, stdout } = await pipeline.run("status");
  expect(status).toBe(2);
  const lines = stdout.trimEnd().split("\n");
  expect(lines[0]).toMatch(/^dev in us-east-1 {2}\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/);
  expect(lines.length).toBeLessThanOrEqual(24);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  expect(stdout).not.toContain("\x1b");
  const place = lines.indexOf("  ✖ dead letters 1");
  expect(lines[place + 1]).toBe(`${" ".repeat(17)}→ npx offline-inference failed --env dev`);
  expect(stdout).toMatch(/^ {2}✔ queue {8}0 waiting, 0 in flight$/m);
  expect(stdout).toMatch(/^ {2}✔ alarms {7}none of 12 on, all without data$/m);
  expect(stdout).toMatch(/^ {2}✔ last deploy {2}the (endpoint|worker), (just now|\d+ (s|min) ago) \(.* UTC\)$/m);
});

test("has colours on a terminal", async () => {
  const { status, stdout } = await pipeline.start(["status"], { on: atTerminal, environment: terminal }).ended;
  expect(status).toBe(2);
  expect(stdout).toContain("\x1b[31m✖\x1b[39m dead letters \x1b[31m1\x1b[39m");
  expect(stdout).toContain("\x1b[32m✔\x1b[39m queue");
  expect(stdout).not.toContain("\x1b[?"); // and leaves the terminal as it is
});

test("says in its place what may not be read or does not answer, and hides nothing else", async () => {
  const denied = await standIn((request) => {
    const action = String(request.headers["x-amz-target"]).split(".").at(-1);
    const message = `User: arn:aws:iam::000000000000:user/me is not authorized to perform: cloudwatch:${action}`;
    throw new AwsError("AccessDeniedException", 400, message);
  });
  const silent = await standIn(() => new Promise(() => {}));
  const gone = await serve(() => ({ status: 200 }));
  await gone.stop();
  const environment = {
    AWS_ENDPOINT_URL_CLOUDWATCH: denied,
    AWS_ENDPOINT_URL_LAMBDA: silent,
    AWS_ENDPOINT_URL_SAGEMAKER: gone.url,
  };
  const [{ status, stdout, stderr }, screen] = await Promise.all([
    run(["status", "--json"], environment),
    run(["status"], environment),
  ]);
  expect({ status, stderr }).toEqual({ status: 2, stderr: "" });
  const report = statusReport.parse(JSON.parse(stdout));
  expect(report).toMatchObject({
    metrics: { error: "Cannot read the metrics: you have no permission for cloudwatch:GetMetricData." },
    alarms: { error: "Cannot read the alarms: you have no permission for cloudwatch:DescribeAlarms." },
    worker: { error: `Cannot look at the function ${dev.inference.functionName}: no answer in 10 s.` },
    endpoint: { error: expect.stringMatching(/^Cannot look at the endpoint .*ECONNREFUSED/) },
    queue: { waiting: 0 },
    deadLetters: { waiting: 1 },
    warehouse: { status: "available" },
    predictions: { lastHour: 2 },
    lastDeploy: null,
  });
  const marks = report.attention.map(({ part, mark }) => `${part} ${mark}`);
  expect(marks).toEqual([
    "deadLetters problem",
    "endpoint unknown",
    "worker unknown",
    "alarms unknown",
    "metrics unknown",
  ]);
  expect(screen.status).toBe(2);
  expect(screen.stdout.trimEnd().split("\n").length).toBeLessThanOrEqual(24);
  expect(screen.stdout).toContain("  ? alarms       Cannot read the alarms: you have no permission for");
  expect(screen.stdout).toContain("cloudwatch:DescribeAlarms.");
  expect(screen.stdout).toContain("  ✔ warehouse    available, 1 × ra3.large");
  expect(screen.stdout).toContain("  ✔ last deploy  not known");
});

test("watches in one place on a terminal, and gives the terminal back at Ctrl-C", async () => {
  const watch = pipeline.start(["status", "--watch", "1"], { on: atTerminal, environment: terminal });
  await watch.printed("stdout", "dead letters \x1b[31m1\x1b[39m");
  await deadLetter();
  await watch.printed("stdout", "dead letters \x1b[31m2\x1b[39m");
  watch.child.stdin.write("\x03");
  const { status, stdout } = await watch.ended;
  expect(status).toBe(0);
  const [before = "", rest = ""] = stdout.split("\x1b[?1049h");
  const [shown = "", after = ""] = rest.split("\x1b[?1049l");
  expect(before).toBe("");
  expect(shown.startsWith("\x1b[?25l\x1b[H")).toBe(true);
  expect(shown.split("\x1b[H").length).toBeGreaterThan(2);
  expect(shown).toContain("Looks again every 1 s. Ctrl-C ends it.");
  expect(shown.endsWith("\x1b[?25h")).toBe(true);
  expect(after).toContain("dead letters \x1b[31m2\x1b[39m"); // what was seen last stays
});

test("watches with a line a look where no terminal is, and ends with 0 at Ctrl-C", async () => {
  const watch = pipeline.start(["status", "--watch", "1"]);
  await watch.printed("stdout", "2 dead letters");
  await deadLetter();
  await watch.printed("stdout", "3 dead letters");
  watch.child.kill("SIGINT");
  const { status, stdout, stderr } = await watch.ended;
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  for (const line of stdout.trimEnd().split("\n")) {
    expect(line).toMatch(
      /^[\d-]+ [\d:]+ UTC {2}0 waiting, 0 in flight, \d dead letters, 0 alarms on {2}problem: \d requests were given up\.$/,
    );
  }
});

test("watches as data, a report a line", async () => {
  const watch = pipeline.start(["status", "--watch", "1", "--json"]);
  for (let text = ""; text.split("\n").length < 3; ) text += String((await once(watch.child.stdout, "data"))[0]);
  watch.child.kill("SIGINT");
  const { status, stdout } = await watch.ended;
  expect(status).toBe(0);
  const reports = stdout
    .trimEnd()
    .split("\n")
    .map((line) => statusReport.parse(JSON.parse(line)));
  expect(reports.length).toBeGreaterThanOrEqual(2);
});

test.each(["0", "1.5", "soon"])("refuses to watch every %s seconds", async (seconds) => {
  const { status, stderr } = await pipeline.run("status", "--watch", seconds);
  expect(status).toBe(1);
  expect(stderr).toContain("Allowed: a whole number of seconds from 1 to 3600.");
});
