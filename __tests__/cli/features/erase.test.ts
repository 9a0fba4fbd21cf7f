import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { DeleteObjectCommand, GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import type { SQSClient } from "@aws-sdk/client-sqs";
import { folders, sampleKey } from "../../../contract/answers-bucket";
import { openMark } from "../../../contract/job";
import type { Outcome } from "../../../contract/outcome";
import { operator } from "../../../local/credentials";
import { within } from "../../../pipeline/clients";
import { DeadLetters } from "../../../pipeline/dead-letters";
import { FeatureStore } from "../../../pipeline/features";
import { Jobs } from "../../../pipeline/jobs";
import { contentOf } from "../../../pipeline/outcomes";
import { DeadLetterQueue } from "../../../pipeline/requests";
import { Results } from "../../../pipeline/results";
import { type LocalPipeline, startLocalPipeline } from "../../setup/local-pipeline";
import { answered, failed, loadOutcomes } from "../../setup/outcomes";
import { atTerminal } from "../../setup/program";
import { sqsClient } from "../../setup/queues";

let pipeline: LocalPipeline;
let sqs: SQSClient;
let s3: S3Client;
beforeAll(async () => {
  pipeline = await startLocalPipeline();
  Object.assign(process.env, pipeline.aws.environment);
  sqs = sqsClient(pipeline.aws.environment.AWS_ENDPOINT_URL_SQS);
  s3 = new S3Client({ ...operator, endpoint: pipeline.aws.environment.AWS_ENDPOINT_URL_S3 });
});
afterAll(async () => {
  sqs.destroy();
  s3.destroy();
  await pipeline.stop();
});

const until = within(3_600_000);
const put = async (Key: string, Body: Uint8Array | string) => {
  await s3.send(new PutObjectCommand({ Bucket: pipeline.aws.answersBucket, Key, Body }));
};
const bytesOf = async (Key: string) => {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: pipeline.aws.answersBucket, Key }));
  return Buffer.from((await Body?.transformToByteArray()) ?? "");
};
const setAside = async (key: string, outcomes: readonly Outcome[]) => put(key, await contentOf(outcomes));
const idsIn = async (key: string) =>
  gunzipSync(await bytesOf(key))
    .toString()
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line).input_id);

const person = 'Ada, "the first"';
const other = "Charles";
const rejected = `${folders.rejected}2026013112/one.any.v1.ndjson.gz`;

const features = () => new FeatureStore(pipeline.aws.featureGroup);
const records = async () => {
  const found = await features().read([person, other]);
  return [...found].flatMap(([id, values]) => (Array.isArray(values) ? [id] : []));
};
const rows = async (inputId: string) => {
  const { clusterId, databaseName } = pipeline.aws;
  const found: string[] = [];
  const results = new Results({ clusterId, databaseName });
  for await (const page of results.select({ inputIds: [inputId] }, until))
    found.push(...page.map(({ inputId }) => inputId));
  return found;
};
const letters = async () => {
  const found: (string | undefined)[] = [];
  await new DeadLetters(pipeline.aws.deadLetterQueueUrl, sqs).look((some) => {
    found.push(...some.map(({ id }) => id));
  });
  return found.sort();
};

/** Puts data of both into every place. */
const spread = async () => {
  const values = ["A cat sat.", "A dog sat."];
  await features().write([person, other].map((id) => ({ id, values })));
  const both = [person, other].flatMap((inputId) => [
    answered({ inputId }),
    answered({ inputId }),
    failed({ inputId }),
  ]);
  await loadOutcomes(both);
  await setAside(rejected, [answered({ inputId: person }), answered({ inputId: other }), failed({ inputId: person })]);
  const buried = [person, other].map((id) => ({
    body: JSON.stringify({ id, requestId: `of ${id}` }),
    reason: "the model failed (500)",
    code: "endpoint_failed" as const,
  }));
  await new DeadLetterQueue(pipeline.aws.deadLetterQueueUrl, sqs).send(buried);
  await put(sampleKey, JSON.stringify({ features: ["seq_0", "seq_1"], values }));
};

const shown = [
  "        1  record of features",
  "        1  dead letters",
  "        2  answers and failures that are not loaded",
  "        2  answers in the warehouse",
  "        1  failures in the warehouse",
  "        1  sample of features, without an id",
]
  .map((line) => `  ${line}\n`)
  .join("");

describe("erase", () => {
  test("says what there is of an input, and takes nothing out where nobody says yes", async () => {
    await spread();
    const alone = await pipeline.run("erase", "--id", person);
    expect(alone).toMatchObject({
      status: 1,
      stdout: "",
      stderr: "Nobody can be asked here, since this is no terminal. With --yes nobody is asked.\n",
    });
    const asked = pipeline.start(["erase", "--id", person], { on: atTerminal });
    await asked.printed("stdout", "Take all of it out, for good? [y/N] ");
    asked.child.stdin.write("\n");
    const { status, stdout } = await asked.ended;
    expect(status).toBe(1);
    expect(stdout.replaceAll("\r", "")).toContain(`Of the input ${person} there is in dev:\n${shown}`);
    expect(stdout).toContain("That is no yes: nothing was taken out.");
    expect(await rows(person)).toHaveLength(2);
    expect(await records()).toEqual([person, other]);
    expect(await letters()).toEqual([person, other]);
    expect(await idsIn(rejected)).toEqual([person, other, person]);
  });

  test("takes all of one input out, and nothing of another, and says what it cannot take and when that lapses", async () => {
    const { status, stdout, stderr } = await pipeline.run("erase", "--id", person, "--yes");
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: `Of the input ${person} there is in dev:\n${shown}Taken out:\n${shown}`,
    });
    const inAWeek = new Date(Date.now() + 8 * 86_400_000).toISOString().slice(0, 10);
    expect(stderr).toContain(`${inAWeek}  old versions of objects in the bucket ${pipeline.aws.answersBucket}\n`);
    expect(stderr).toMatch(/\d{4}-\d\d-\d\d {2}automated snapshots of the warehouse/);
    expect(stderr).toMatch(/\d{4}-\d\d-\d\d {2}logs, which have ids/);
    expect(await rows(person)).toEqual([]);
    expect(await rows(other)).toEqual([other, other]);
    expect(await records()).toEqual([other]);
    expect(await letters()).toEqual([other]);
    expect(await idsIn(rejected)).toEqual([other]);
    await expect(bytesOf(sampleKey)).rejects.toMatchObject({ name: "NoSuchKey" });
  });

  test("finds nothing the next time, and goes on where something came anew", async () => {
    expect(await pipeline.run("erase", "--id", person, "--yes")).toMatchObject({
      status: 0,
      stdout: "",
      stderr: expect.stringContaining(`Nothing was found of the input ${person} in dev.\n`),
    });
    await loadOutcomes([answered({ inputId: person })]);
    expect(await pipeline.run("erase", "--id", person, "--yes")).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/Taken out:\n +1 {2}answers in the warehouse\n$/),
    });
  });

  test("leaves a job that has not ended what it needs, names it, and takes that out once it has ended", async () => {
    await loadOutcomes([
      answered({ inputId: person, jobId: "nightly" }),
      answered({ inputId: person, jobId: "other" }),
    ]);
    await setAside(rejected, [answered({ inputId: person, jobId: "nightly" }), answered({ inputId: person })]);
    await new Jobs(pipeline.aws.answersBucket, s3).mark(openMark("nightly"), until);
    const first = await pipeline.run("erase", "--id", person, "--yes");
    expect(first).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/\nIn the way:\n {2}The job nightly has not ended/),
    });
    expect(await rows(person)).toHaveLength(1);
    expect(await idsIn(rejected)).toEqual([person]);
    await s3.send(new DeleteObjectCommand({ Bucket: pipeline.aws.answersBucket, Key: openMark("nightly") }));
    expect(await pipeline.run("erase", "--id", person, "--yes")).toMatchObject({ status: 0 });
    expect(await rows(person)).toEqual([]);
    await expect(bytesOf(rejected)).rejects.toMatchObject({ name: "NoSuchKey" });
  });

  test("takes the rows of an input out of a job's file and of its result, which can be had without them", async () => {
    const file = join(pipeline.folder, "rows.csv");
    await writeFile(file, "id,seq_0,seq_1\nAda,a,b\nCharles,c,d\n");
    const result = join(pipeline.folder, "result.csv");
    expect(await pipeline.run("run", "--csv", file, "--job", "people", "--output", result)).toMatchObject({
      status: 0,
    });
    expect(await readFile(result, "utf8")).toMatch(/^Ada,|,Ada,/m);
    const erased = await pipeline.run("erase", "--id", "Ada", "--yes");
    expect(erased).toMatchObject({ status: 0, stdout: expect.stringContaining("Taken out:\n") });
    const [, taken = ""] = erased.stdout.split("Taken out:\n");
    for (const what of ["answers in the warehouse", "rows of inputs of jobs", "rows of results of jobs"]) {
      expect(taken).toContain(`          1  ${what}\n`);
    }
    const again = await pipeline.run("results", "--job", "people", "--format", "csv");
    expect(again.status).toBe(0);
    expect(again.stdout).toMatch(/^Charles,|,Charles,/m);
    expect(again.stdout).not.toContain("Ada");
  });

  test("is refused for what no input is called", async () => {
    expect(await pipeline.run("erase", "--id", "", "--yes")).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^id must be Unicode text of 1 to 1,024 UTF-8 bytes.*\n$/),
    });
  });
});
