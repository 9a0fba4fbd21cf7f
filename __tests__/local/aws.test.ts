import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import {
  DescribeStatementCommand,
  ExecuteStatementCommand,
  GetStatementResultCommand,
  RedshiftDataClient,
} from "@aws-sdk/client-redshift-data";
import { PutRecordCommand, SageMakerFeatureStoreRuntimeClient } from "@aws-sdk/client-sagemaker-featurestore-runtime";
import { GetQueueAttributesCommand, ReceiveMessageCommand, SendMessageCommand } from "@aws-sdk/client-sqs";
import { connect } from "../../cli/shared/connection";
import { type LocalAws, startAws, type Way } from "../../local/aws";
import { operator } from "../../local/credentials";
import type { OnTheWay } from "../../local/passage";
import { jsonModel } from "../../local/sagemaker-runtime";
import { signatureHeaders } from "../../local/signature";
import { dev } from "../setup/dev";
import { sqsClient } from "../setup/queues";

const project = process.cwd();
const desk = mkdtempSync(join(tmpdir(), "offline-inference-desk-"));
const answer = jest.fn(() => "It's good");
const model = jsonModel(answer);
/** Who called what, by what stood in the way. */
const called = new Set<Way>();
const onTheWay = Object.fromEntries(
  (["featureStore", "sageMaker", "redshiftData", "s3", "sqs", "warehouseToS3"] as const).map((way): [Way, OnTheWay] => [
    way,
    (_, forward) => {
      called.add(way);
      return forward();
    },
  ]),
);
let aws: LocalAws;

beforeAll(async () => {
  const synth = ["--import", "tsx", "main.ts"];
  execFileSync(process.execPath, synth, { env: { ...process.env, CDKTF_OUTDIR: join(desk, "cdktf.out") } });
  symlinkSync(join(project, "local"), join(desk, "local"));
  process.chdir(desk);
  aws = await startAws({ stack: "cdktf.out/stacks/inference-dev", dataDir: ".local", model, onTheWay });
});
afterAll(async () => {
  await aws?.stop();
  process.chdir(project);
  rmSync(desk, { recursive: true, force: true });
});

const sqs = () => sqsClient(aws.environment.AWS_ENDPOINT_URL_SQS);

async function select(Sql: string, DbUser?: string) {
  const client = new RedshiftDataClient({ ...operator, endpoint: aws.environment.AWS_ENDPOINT_URL_REDSHIFT_DATA });
  const { Id, Status } = await client.send(
    new ExecuteStatementCommand({
      ClusterIdentifier: aws.clusterId,
      Database: aws.databaseName,
      Sql,
      DbUser,
      WaitTimeSeconds: 30,
    }),
  );
  if (Status === "FAILED") {
    const { Error: reason } = await client.send(new DescribeStatementCommand({ Id }));
    throw new Error(reason);
  }
  const { Records = [] } = await client.send(new GetStatementResultCommand({ Id }));
  client.destroy();
  return Records.map((row) => row.map(({ stringValue, longValue }) => stringValue ?? longValue));
}

test("says how records are written", () => {
  expect(aws.featureGroup).toEqual({
    featureGroupName: dev.features.groupName,
    features: dev.model.contract.features,
    recordIdentifierType: "String",
    eventTime: { name: "event_time", type: "String" },
  });
});

test("has the names that the stack gives", () => {
  expect(aws).toMatchObject({
    queueUrl: expect.stringMatching(/\/poc-dev-inference_queue$/),
    deadLetterQueueUrl: expect.stringMatching(/\/poc-dev-inference_queue-dead-letters$/),
    databaseName: "predictions",
    answersBucket: "your-terraform-state-dev-answers",
    loaderFunctionName: expect.stringMatching(/-loader$/),
    apiUrl: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/dev$/),
    environment: { AWS_ACCESS_KEY_ID: "operator", AWS_SECRET_ACCESS_KEY: expect.stringMatching(/^[0-9a-f]{64}$/) },
  });
});

test("its queue has the attributes of the stack's", async () => {
  const client = sqs();
  const { Attributes = {} } = await client.send(
    new GetQueueAttributesCommand({ QueueUrl: aws.queueUrl, AttributeNames: ["All"] }),
  );
  expect(Number(Attributes.VisibilityTimeout)).toBeGreaterThanOrEqual(60);
  expect(Attributes.RedrivePolicy).toContain(":poc-dev-inference_queue-dead-letters");
  client.destroy();
});

test("its loader adds to the warehouse, and the functions of its API and of results only read", async () => {
  const may = ["results", "failures", "jobs"].flatMap((table) =>
    ["SELECT", "INSERT", "UPDATE", "DELETE"].map(
      (right) => `has_table_privilege(usename, 'prediction_${table}', '${right}')`,
    ),
  );
  const rights = await select(
    `SELECT usename, ${may.map((one) => `${one}::INT`).join(" || '' || ")} FROM pg_user WHERE usename LIKE 'IAMR:poc-dev-%' ORDER BY 2`,
  );
  expect(rights.map(([, found]) => found)).toEqual(["100010001000", "100010001000", "110011001110"]);
});

test("answers a request that is put on the queue, by the deployed bundles alone", async () => {
  const features = new SageMakerFeatureStoreRuntimeClient({
    ...operator,
    endpoint: aws.environment.AWS_ENDPOINT_URL_SAGEMAKER_FEATURESTORE_RUNTIME,
  });
  const input = Object.fromEntries(dev.model.contract.features.map(({ name }) => [name, `the ${name}`]));
  const record = { id: "asked", event_time: "2026-01-01T00:00:00Z", ...input };
  const Record = Object.entries(record).map(([FeatureName, ValueAsString]) => ({ FeatureName, ValueAsString }));
  await features.send(new PutRecordCommand({ FeatureGroupName: aws.featureGroup.featureGroupName, Record }));
  features.destroy();
  const client = sqs();
  await client.send(new SendMessageCommand({ QueueUrl: aws.queueUrl, MessageBody: '{"id":"asked"}' }));
  client.destroy();

  const url = new URL(`${aws.apiUrl}/predict/asked`);
  const found = async () =>
    fetch(url, { headers: signatureHeaders({ method: "GET", url }, operator.credentials.accessKeyId) });
  while ((await found()).status === 404) await aws.loader();
  expect(await (await found()).text()).toContain("It's good");
  expect(answer).toHaveBeenCalledWith(input);
});

test("a job's rows are asked at once, since the API invokes the starter", async () => {
  const { accessKeyId } = operator.credentials;
  const features = Object.fromEntries(dev.model.contract.features.map(({ name }) => [name, `carried ${name}`]));
  const body = JSON.stringify({ id: "nightly", input: { rows: [{ id: "1", features }] } });
  const jobs = new URL(`${aws.apiUrl}/jobs`);
  const headers = signatureHeaders({ method: "POST", url: jobs }, accessKeyId);
  const posted = await fetch(jobs, { method: "POST", body, headers });
  expect([posted.status, await posted.text()]).toEqual([201, expect.stringContaining('"validating"')]);
  const url = new URL(`${aws.apiUrl}/predict/1`);
  const found = () => fetch(url, { headers: signatureHeaders({ method: "GET", url }, accessKeyId) });
  while ((await found()).status === 404) await aws.loader();
  expect(answer).toHaveBeenCalledWith(features);
});

test("a request that can never succeed ends in the dead-letter queue", async () => {
  const client = sqs();
  await client.send(new SendMessageCommand({ QueueUrl: aws.queueUrl, MessageBody: "nobody" }));
  const { Messages } = await client.send(
    new ReceiveMessageCommand({ QueueUrl: aws.deadLetterQueueUrl, WaitTimeSeconds: 20 }),
  );
  expect(Messages).toMatchObject([{ Body: expect.stringContaining("nobody") }]);
  client.destroy();
});

test("its loader is invoked by name, as Lambda is asked to", async () => {
  const client = new LambdaClient({ ...operator, endpoint: aws.environment.AWS_ENDPOINT_URL_LAMBDA });
  const { FunctionError, Payload } = await client.send(new InvokeCommand({ FunctionName: aws.loaderFunctionName }));
  client.destroy();
  expect(FunctionError).toBeUndefined();
  expect(JSON.parse(Buffer.from(Payload ?? []).toString())).toMatchObject({ rejected: [], newer: 0, more: false });
});

test("every call of its functions, and of its warehouse to S3, can be hindered on its way", () => {
  expect([...called].sort()).toEqual(["featureStore", "redshiftData", "s3", "sageMaker", "sqs", "warehouseToS3"]);
});

test("keeps the warehouse and the functions' logs in its folder", () => {
  expect(readdirSync(join(desk, ".local")).sort()).toEqual(["logs", "postgres"]);
  expect(readdirSync(join(desk, ".local", "logs"))).toHaveLength(6);
});

test("keeps them for its own user alone", () => {
  const modeOf = (...path: string[]) => (statSync(join(desk, ".local", ...path)).mode & 0o777).toString(8);
  expect(["", "logs", "postgres"].map((folder) => modeOf(folder))).toEqual(["700", "700", "700"]);
  for (const log of readdirSync(join(desk, ".local", "logs"))) expect(modeOf("logs", log)).toBe("600");
});

describe("another process", () => {
  const endpoints = () => Object.entries(aws.environment).filter(([name]) => name.startsWith("AWS_ENDPOINT_URL_"));

  test("that signs nothing is refused by every stand-in", async () => {
    expect(endpoints()).toHaveLength(12);
    const all = [...endpoints(), ["the API", `${aws.apiUrl}/predict/asked`] as const];
    for (const [name, url] of all) expect([name, (await fetch(url)).status]).toEqual([name, 403]);
  });

  test("is refused with a wrong secret, and served with the run's", async () => {
    const script = `
      const { RedshiftDataClient, ExecuteStatementCommand } = require("@aws-sdk/client-redshift-data");
      const { SQSClient, ListQueuesCommand } = require("@aws-sdk/client-sqs");
      const { S3Client, ListObjectsV2Command } = require("@aws-sdk/client-s3");
      const [ClusterIdentifier, Database, Bucket] = process.argv.slice(1);
      const calls = [
        new RedshiftDataClient({}).send(new ExecuteStatementCommand({ ClusterIdentifier, Database, Sql: "SELECT 1" })),
        new SQSClient({}).send(new ListQueuesCommand({})),
        new S3Client({}).send(new ListObjectsV2Command({ Bucket })),
      ];
      Promise.allSettled(calls).then((all) => console.log(JSON.stringify(all.map(({ reason }) => reason?.name ?? "served"))));`;
    const run = async (environment: Record<string, string>): Promise<unknown> => {
      const args = ["-e", script, aws.clusterId, aws.databaseName, aws.answersBucket];
      const env = { PATH: process.env.PATH, ...aws.environment, ...environment };
      return JSON.parse((await promisify(execFile)(process.execPath, args, { cwd: project, env })).stdout);
    };
    const refused = ["InvalidSignatureException", "InvalidSignatureException", "SignatureDoesNotMatch"];
    expect(await run({ AWS_SECRET_ACCESS_KEY: "operator" })).toEqual(refused);
    expect(await run({ AWS_ACCESS_KEY_ID: "somebody" })).toEqual(refused);
    expect(await run({})).toEqual(["served", "served", "served"]);
  });
});

test("a stack that is not synthesized is refused", async () => {
  await expect(startAws({ stack: "cdktf.out/stacks/no-such-stack", dataDir: ".other", model })).rejects.toThrow(
    "no-such-stack",
  );
});

test("a second run does not take the folder of one that is still running", async () => {
  await expect(startAws({ stack: "cdktf.out/stacks/inference-dev", dataDir: ".local", model })).rejects.toThrow(
    ".local is in use",
  );
});

test("is found by the parameter that the stack writes, as a deployed pipeline is", async () => {
  Object.assign(process.env, aws.environment);
  const { commandFor, ...pipeline } = (await connect({ env: "dev" })).pipeline;
  expect(commandFor("failed")).toBe("npx offline-inference failed --env dev");
  expect(pipeline).toEqual({
    queueUrl: aws.queueUrl,
    deadLetterQueueUrl: aws.deadLetterQueueUrl,
    workerFunctionName: dev.inference.functionName,
    loaderFunctionName: aws.loaderFunctionName,
    writerFunctionName: aws.writerFunctionName,
    apiUrl: aws.apiUrl,
    answers: { bucket: aws.answersBucket, unloadRoleArn: expect.stringMatching(/:role\/poc-dev-WarehouseUnloadRole$/) },
    endpointName: aws.endpointName,
    contract: dev.model.contract,
    featureGroup: {
      name: aws.featureGroup.featureGroupName,
      features: dev.model.contract.features,
      recordIdentifier: { name: "id", type: "String" },
      eventTime: { name: "event_time", type: "String" },
    },
    warehouse: { clusterId: aws.clusterId, databaseName: "predictions", databaseUser: "predictions_reader" },
  });
  await expect(connect({ env: "prod" })).rejects.toThrow(
    'There is no pipeline "prod" in us-east-1: its stack has not written /poc-prod/names. Deploy it: npx offline-inference deploy inference-prod',
  );
});

test("lets the database user that people read as read predictions, and nothing else", async () => {
  const asReader = (sql: string) => select(sql, "predictions_reader");
  expect(await asReader("SELECT COUNT(*) >= 0 FROM prediction_results")).toHaveLength(1);
  await expect(asReader("DELETE FROM prediction_results")).rejects.toThrow("permission denied");
  await expect(asReader("INSERT INTO prediction_results_lock VALUES (1)")).rejects.toThrow("permission denied");
});
