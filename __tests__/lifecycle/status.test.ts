import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { statusReport } from "../../cli/status-report";
import { Checkout, type Outcome } from "../setup/checkout";
import { allows, iamActionOf } from "../setup/iam-actions";
import { type Moto, startMoto } from "../setup/moto";
import { operatorPolicy } from "../setup/operator-policy";

const stack = "inference-dev";

let moto: Moto;
let checkout: Checkout;
beforeAll(async () => {
  moto = await startMoto();
  checkout = await Checkout.on(moto);
  succeeded(await checkout.run(process.execPath, ["scripts/build.mjs"]));
  succeeded(await checkout.run(process.execPath, ["--import", "tsx", "main.ts"]));
  const backend = { terraform: { backend: { local: { path: "test.tfstate" } } } };
  const override = join(checkout.folder, "cdktf.out", "stacks", stack, "backend_override.tf.json");
  await writeFile(override, JSON.stringify(backend));
  succeeded(await checkout.terraform(stack, "init", "-input=false", "-no-color"));
  succeeded(await checkout.terraform(stack, "apply", "-input=false", "-no-color", "-auto-approve"));
});
afterAll(async () => {
  await moto?.stop();
  await checkout?.remove();
});

function succeeded({ status, stdout, stderr }: Outcome) {
  if (status !== 0) throw new Error(`it ended with ${status}:\n${stdout}${stderr}`);
}

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
      configuration: expect.stringMatching(/^poc-dev-paraphrase-bert-en-conf-/),
      variants: [{ name: "paraphrase-bert-en-conf", instances: 1, wanted: 1 }],
    },
    worker: { state: "Active", lastUpdate: "Successful", modelRelease: expect.stringMatching(/^[0-9a-f]{8}$/) },
    warehouse: { status: "available", availability: "Available", nodeType: "ra3.large", nodes: 1 },
    predictions: { error: expect.stringMatching(/^Cannot count the predictions: /) }, // moto runs no SQL
    alarms: { total: 6, on: [] },
    lastDeploy: { at: expect.any(String) },
  });
});

test("names the alarms that ring and says why, and counts what CloudWatch has", async () => {
  const why = ["--state-value", "ALARM", "--state-reason", "Threshold Crossed: 1 datapoint was 3"];
  await moto.aws("cloudwatch", "set-alarm-state", "--alarm-name", "poc-dev-worker-fails", ...why);
  const dimensions = "FunctionName=poc-dev-bert-paraphrase-tf";
  const put = ["cloudwatch", "put-metric-data", "--namespace", "AWS/Lambda", "--dimensions", dimensions];
  await moto.aws(...put, "--metric-name", "Errors", "--value", "3");
  await moto.aws(...put, "--metric-name", "Errors", "--value", "2");
  const { report, status: code } = await status();
  expect(code).toBe(2);
  expect(report.alarms).toMatchObject({
    total: 6,
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
      mend: "aws logs tail /aws/lambda/poc-dev-bert-paraphrase-tf --since 15m",
    },
  ]);
});

test("asks for nothing that the policy in the documentation does not allow", async () => {
  const before = (await moto.calls()).length;
  await status();
  const { statements } = await operatorPolicy();
  const actions = new Set((await moto.calls()).slice(before).flatMap(iamActionOf));
  expect([...actions].filter((action) => !allows(statements, action))).toEqual([]);
  expect(actions.size).toBe(11);
});

test("says where there is nothing deployed, and how to deploy it", async () => {
  const { status, stdout, stderr } = await checkout.cli("status", "--env", "prod");
  expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  expect(stderr).toContain("Deploy it: npm run deploy -- inference-prod");
});
