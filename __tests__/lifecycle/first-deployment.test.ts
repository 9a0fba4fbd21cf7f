import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import { statusReport } from "../../cli/status/status-report";
import { configText, placeholders } from "../../config/starter";
import { modelPython } from "../../local/model-server";
import { json, type StandIn, serve } from "../../local/stand-in";
import { sampleRows } from "../../samples";
import { paraphrases } from "../../samples/paraphrase/lexical-model";
import { Checkout } from "../setup/checkout";
import { dev } from "../setup/dev";
import { allows, iamActionOf } from "../setup/iam-actions";
import { type LocalPipeline, startLocalPipeline } from "../setup/local-pipeline";
import { type Moto, startMoto } from "../setup/moto";
import { operatorPolicy } from "../setup/operator-policy";

/** What only a person can answer at a terminal. */
const answers: Record<string, string[]> = {
  init: [
    ...["--project", "poc", "--owner", "team@team.test", "--region", "us-east-1"],
    ...["--state-bucket", "first-deployment-state"],
  ],
  bootstrap: ["--auto-approve"],
  deploy: ["--auto-approve"],
};

const keyPairs = z.object({ KeyPairs: z.array(z.unknown()) });

let moto: Moto;
let home: string;
/** The checkout while AWS is moto, which makes all there is and answers no request. */
let checkout: Checkout;
/** What answers at the endpoint: moto runs no container. */
let answering: StandIn;
let pipeline: LocalPipeline;
const pair = z.object({ seq_0: z.string(), seq_1: z.string() });
beforeAll(async () => {
  moto = await startMoto();
  home = await mkdtemp(join(tmpdir(), "home-"));
  answering = await serve(({ body }) => json(paraphrases(pair.parse(JSON.parse(body.toString())))));
  checkout = (await Checkout.on(moto)).with({ HOME: home, AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME: answering.url });
  await promisify(execFile)(await modelPython(), [
    join("model", "tests", "tiny.py"),
    join(checkout.folder, "my-model"),
  ]);
  await writeFile(join(checkout.folder, "config.ts"), configText(placeholders));
  pipeline = await startLocalPipeline();
});
afterAll(async () => {
  await pipeline?.stop();
  await moto?.stop();
  await answering?.stop();
  await checkout?.remove();
  await rm(home, { recursive: true, force: true });
});

/** Has config.ts ask for a processor: moto compiles no model for Inferentia. */
async function takeCpu() {
  const file = join(checkout.folder, "config.ts");
  const config = await readFile(file, "utf8");
  const onCpu = config.replace("    dev: {\n", '    dev: {\n      model: { instanceType: "ml.c7i.xlarge" },\n');
  expect(onCpu).not.toBe(config);
  await writeFile(file, onCpu);
}

/** The commands that README lists under "Deploy it", word by word, without comments. */
async function listed(): Promise<string[][]> {
  const readme = await readFile("README.md", "utf8");
  const [, block = ""] = /^## Deploy it\n[\s\S]*?^```sh\n([\s\S]*?)^```$/m.exec(readme) ?? [];
  const lines = block.split("\n").map((line) => line.replace(/ +#.*$/, ""));
  return lines.filter((line) => line.startsWith("npx offline-inference ")).map((line) => line.split(/ +/).slice(2));
}

test("the commands of the README lead from an empty account to results in a file, and no id is copied", async () => {
  const commands = await listed();
  expect(commands.map(([name]) => name)).toEqual(["init", "keypair", "bootstrap", "model", "deploy", "run"]);
  // The pipeline itself runs on this machine, and what is deployed in moto stands still.
  const asking = checkout.with({ ...pipeline.aws.environment, AWS_ENDPOINT_URL: undefined });
  for (const [name = "", ...rest] of commands) {
    const on = name === "run" ? asking : checkout;
    const { status, stdout, stderr, seconds } = await on.cli(name, ...rest, ...(answers[name] ?? []));
    if (status !== 0) throw new Error(`${name} ${rest.join(" ")} ended with ${status}:\n${stdout}${stderr}`);
    console.log(`${name} ${rest.join(" ")} (${seconds} s)`);
    if (name === "init") await takeCpu();
  }
  const { current } = JSON.parse(await readFile(join(checkout.folder, "releases.json"), "utf8")).dev;
  expect(current.proof.endpoint).toMatchObject({ sha256: current.artifact.sha256, asked: 6, agreed: 6 });

  const privateKey = await stat(join(home, ".ssh", "pipeline"));
  expect(privateKey.mode & 0o777).toBe(0o400);
  expect(await moto.holdings()).toMatchObject({ aws_s3_bucket: 4, aws_sagemaker_endpoint: 1 });
  const { KeyPairs } = keyPairs.parse(await moto.aws("ec2", "describe-key-pairs"));
  expect(KeyPairs).toEqual([expect.objectContaining({ KeyName: "poc-dev-key-pair", KeyType: "ed25519" })]);
  const rowsIn = async (file: string) => (await readFile(file, "utf8")).trim().split("\n").length - 1;
  expect(await rowsIn(join(checkout.folder, "first.csv"))).toBe(await rowsIn(sampleRows));
});

describe("status of what is deployed", () => {
  async function status(...args: string[]) {
    const outcome = await checkout.cli("status", "--env", "dev", "--json", ...args);
    return { ...outcome, report: statusReport.parse(JSON.parse(outcome.stdout)) };
  }

  test("reads a deployed stack as AWS tells of it", async () => {
    const { report, stderr } = await status();
    expect(stderr).toBe("");
    expect(report).toMatchObject({
      environment: "dev",
      region: "us-east-1",
      queue: { waiting: 0, inFlight: 0, delayed: 0 },
      deadLetters: { waiting: 0, inFlight: 0, delayed: 0 },
      metrics: { oldestRequestSeconds: null, worker: { invocations: 0, errors: 0 }, endpoint: { invocations: 0 } },
      endpoint: {
        status: "InService",
        configuration: expect.stringContaining(dev.model.endpointConfigurationName),
        variants: [{ name: dev.model.variantName, instances: 1, wanted: 1 }],
      },
      worker: { state: "Active", lastUpdate: "Successful", modelRelease: expect.stringMatching(/^[0-9a-f]{8}$/) },
      warehouse: { status: "available", availability: "Available", nodeType: "ra3.large", nodes: 1 },
      predictions: { error: expect.stringMatching(/^Cannot count the predictions: /) }, // moto runs no SQL
      alarms: { total: 13, on: [] },
      lastDeploy: { at: expect.any(String) },
    });
  });

  test("names the alarms that ring and says why, and counts what CloudWatch has", async () => {
    const why = ["--state-value", "ALARM", "--state-reason", "Threshold Crossed: 1 datapoint was 3"];
    await moto.aws("cloudwatch", "set-alarm-state", "--alarm-name", "poc-dev-worker-fails", ...why);
    const dimensions = `FunctionName=${dev.inference.functionName}`;
    const put = ["cloudwatch", "put-metric-data", "--namespace", "AWS/Lambda", "--dimensions", dimensions];
    await moto.aws(...put, "--metric-name", "Errors", "--value", "3");
    await moto.aws(...put, "--metric-name", "Errors", "--value", "2");
    const { report, status: code } = await status();
    expect(code).toBe(2);
    expect(report.alarms).toMatchObject({
      total: 13,
      on: [{ name: "poc-dev-worker-fails", reason: "Threshold Crossed: 1 datapoint was 3" }],
    });
    expect(report.metrics).toMatchObject({ worker: { errors: 5 } });
    expect(report.attention.slice(0, 2)).toEqual([
      {
        part: "alarms",
        mark: "problem",
        text: "poc-dev-worker-fails rings: Threshold Crossed: 1 datapoint was 3",
      },
      {
        part: "worker",
        mark: "warning",
        text: "The worker failed 5 times in 15 min.",
        mend: `aws logs tail /aws/lambda/${dev.inference.functionName} --since 15m`,
      },
    ]);
  });

  test("asks for nothing that the policy in the documentation does not allow", async () => {
    const before = (await moto.calls()).length;
    await status();
    const { statements } = await operatorPolicy();
    const actions = new Set((await moto.calls()).slice(before).flatMap(iamActionOf));
    expect([...actions].filter((action) => !allows(statements, action))).toEqual([]);
    expect(actions.size).toBe(12);
  });

  test("says where there is nothing deployed, and how to deploy it", async () => {
    const { status, stdout, stderr } = await checkout.cli("status", "--env", "prod");
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toContain("Deploy it: npx offline-inference deploy inference-prod");
  });
});
