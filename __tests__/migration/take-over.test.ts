import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CopyObjectCommand, CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { statefulTypes } from "../../aws/stateful-types";
import { readPlan } from "../../cli/deployment/plan";
import { reviewJson } from "../../cli/deployment/review";
import { originalResources } from "../../stacks/moved";
import { Checkout } from "../setup/checkout";
import { type Moto, startMoto } from "../setup/moto";
import { applyOriginal } from "../setup/original";
import { attributesIn } from "../setup/state";

const stack = "inference-dev";
const bucket = "sagemaker-endpoint-deploy-tf-state-vector";
const originalKey = "sagemaker-deploy/terraform.tfstate";

/** Where what holds something was in the original's state, and where it is in this project's. */
const stateful = Object.entries(originalResources).flatMap(([was, fate]) =>
  (was.split(".")[0] ?? "") in statefulTypes && "to" in fate ? [{ was, is: fate.to }] : [],
);

let moto: Moto;
let checkout: Checkout;
let s3: S3Client;
let original: Awaited<ReturnType<typeof applyOriginal>>;
beforeAll(async () => {
  moto = await startMoto();
  checkout = await Checkout.on(moto);
  const credentials = { accessKeyId: "test", secretAccessKey: "test" };
  s3 = new S3Client({ endpoint: moto.url, region: "us-east-1", credentials, forcePathStyle: true });
  // The bucket of the models is there since `bootstrap`, a step before.
  for (const Bucket of [bucket, `${bucket}-models`]) await s3.send(new CreateBucketCommand({ Bucket }));
  original = await applyOriginal(moto, join(checkout.folder, "original"), {
    s3: { bucket, key: originalKey, region: "us-east-1" },
  });
  // What else there is in the account: the log that the function made by itself, and another team's role.
  await moto.aws("logs", "create-log-group", "--log-group-name", "/aws/lambda/poc-dev-bert-paraphrase-tf");
  await moto.aws("iam", "create-role", "--role-name", "another-team", "--assume-role-policy-document", "{}");
  await moto.aws("iam", "attach-role-policy", "--role-name", "another-team", "--policy-arn", redshiftFullAccess);
});
afterAll(async () => {
  s3.destroy();
  await moto.stop();
  await checkout.remove();
});

const redshiftFullAccess = "arn:aws:iam::aws:policy/AmazonRedshiftFullAccess";

async function diff(...args: string[]) {
  const { status, stdout, stderr } = await checkout.cli("diff", stack, "--json", ...args);
  if (status === 1) throw new Error(stderr);
  return { status, ...reviewJson.parse(JSON.parse(stdout)) };
}

/** The attributes of everything in this project's state, by address. */
async function deployed() {
  const { stdout } = await checkout.terraform(stack, "state", "pull");
  return attributesIn(stdout, "managed");
}

const oldLog = "aws_cloudwatch_log_group.inference_worker_log";
const takeOver = () => checkout.cli("deploy", stack, "--take-over", "dev", "--allow-destroy", oldLog, "--auto-approve");

const attachedTo = (role: string) => moto.aws("iam", "list-attached-role-policies", "--role-name", role);

test("the plan from the original's own state destroys and replaces nothing stateful, and says what else it does", async () => {
  const copy = { Bucket: bucket, CopySource: `${bucket}/${originalKey}`, Key: `${stack}/terraform.tfstate` };
  await s3.send(new CopyObjectCommand(copy));
  const { losses, changes, counts } = await diff("--take-over", "dev");

  const ended = changes.filter(({ kind }) => kind === "destroy" || kind === "replace");
  const lost = ended.filter(({ type }) => type in statefulTypes);
  console.log(
    `${Object.keys(original.resources).length} of the original: ${counts.moved + 1} go on, ${counts.forgotten} forgotten, ` +
      `${counts.destroyed} destroyed, ${counts.replaced} replaced; ${lost.length} stateful ones among the destroyed and replaced`,
  );
  expect(lost).toEqual([]);
  const destroyed = Object.entries(originalResources).flatMap(([was, fate]) => ("destroyed" in fate ? [was] : []));
  expect(
    ended
      .filter(({ kind }) => kind === "destroy")
      .map(({ address }) => address)
      .sort(),
  ).toEqual(destroyed.sort());
  expect(ended.filter(({ kind }) => kind === "replace").map(({ address }) => address)).toEqual([
    "aws_sagemaker_endpoint_configuration.model_configuration", // SageMaker changes neither
    "aws_sagemaker_model.model_model",
  ]);
  expect(counts).toMatchObject({ moved: 22, forgotten: 8, destroyed: 7, replaced: 2, imported: 2 });
  const cluster = changes.find(({ address }) => address === "aws_redshift_cluster.warehouse_cluster");
  expect(cluster?.attributes.map(({ path }) => path)).toEqual(
    expect.arrayContaining(["encrypted", "publicly_accessible", "manage_master_password"]),
  );
  // In its way stand the function's old log, which gets an end, and the original's function, which loses what fails
  // while everything changes around it.
  expect(losses.map(({ address }) => address)).toEqual([oldLog, "aws_lambda_event_source_mapping.inference_delivery"]);
});

test("nothing is applied while the original's function takes requests", async () => {
  const refused = await takeOver();
  expect(refused).toMatchObject({ status: 2, stderr: expect.stringContaining("Nothing was applied.") });
});

test("with its requests waiting in the queue it is taken over, by one apply", async () => {
  const { uuid } = original.resources["aws_lambda_event_source_mapping.sqs_lambda_trigger"] ?? {};
  await moto.aws("lambda", "update-event-source-mapping", "--uuid", String(uuid), "--no-enabled");
  const deploy = await takeOver();
  expect(deploy).toMatchObject({ status: 0, stderr: expect.stringContaining("Apply complete!") });
  console.log(`${stack}: taken over (${deploy.seconds} s)`);
});

test("everything stateful is the very same as before", async () => {
  const now = await deployed();
  expect(stateful.map(({ is }) => is).sort()).toEqual([
    "aws_api_gateway_rest_api.api_rest_api",
    "aws_redshift_cluster.warehouse_cluster",
    "aws_redshift_subnet_group.warehouse_subnet_group",
    "aws_sagemaker_endpoint.model_endpoint",
    "aws_sagemaker_feature_group.features_group",
    "aws_sqs_queue.inference_queue",
    "aws_vpc.network_vpc",
  ]);
  const before = original.resources;
  for (const { was, is } of stateful) {
    expect([is, now[is]?.id, now[is]?.arn]).toEqual([is, before[was]?.id, before[was]?.arn]);
  }
  const cluster = now["aws_redshift_cluster.warehouse_cluster"];
  const originalCluster = before["aws_redshift_cluster.redshift_feature_store"];
  expect(cluster?.cluster_namespace_arn).toBe(originalCluster?.cluster_namespace_arn);
  expect(cluster).toMatchObject({ encrypted: true, publicly_accessible: false, node_type: "dc2.large" });
});

test("everything stateful answers", async () => {
  const { id } = original.resources["aws_api_gateway_rest_api.rest_api"] ?? {};
  expect(await moto.aws("apigateway", "get-stages", "--rest-api-id", String(id))).toMatchObject({
    item: [{ stageName: "dev" }],
  });
  const { url } = original.resources["aws_sqs_queue.inference_queue"] ?? {};
  await moto.aws("sqs", "send-message", "--queue-url", String(url), "--message-body", '{"id":"7"}');
  const endpoint = ["--endpoint-name", "poc-dev-paraphrase-bert-en-endpoint"];
  const served = await moto.aws("sagemaker", "describe-endpoint", ...endpoint);
  const configuration = (await deployed())["aws_sagemaker_endpoint_configuration.model_configuration"];
  expect(served).toMatchObject({ EndpointStatus: "InService", EndpointConfigName: configuration?.name });
  const group = await moto.aws(
    "sagemaker",
    "describe-feature-group",
    "--feature-group-name",
    "poc-dev-paraphrase-feature-group",
  );
  expect(group).toMatchObject({ FeatureGroupStatus: "Created", RecordIdentifierFeatureName: "id" });
});

test("requests are taken again, by this project's function, which has no right that it does not use", async () => {
  const mapping = (await deployed())["aws_lambda_event_source_mapping.inference_delivery"];
  expect(mapping).toMatchObject({ enabled: true, function_response_types: ["ReportBatchItemFailures"] });
  const role = "poc-dev-BertParaphraseModelLambdaRoleTF";
  expect(await attachedTo(role)).toMatchObject({ AttachedPolicies: [] });
  const inline = await moto.aws("iam", "list-role-policies", "--role-name", role);
  expect(inline).toMatchObject({ PolicyNames: ["poc-dev-bert-paraphrase-tf"] });
});

test("another team's role keeps the policy that the original's attachment held for the whole account", async () => {
  expect(await attachedTo("another-team")).toMatchObject({ AttachedPolicies: [{ PolicyArn: redshiftFullAccess }] });
});

test("the next plan is empty", async () => {
  const { changes, ...rest } = await diff("--take-over", "dev");
  console.log(`${stack}: ${changes.length} drift after the takeover`);
  expect({ changes, ...rest }).toMatchObject({ status: 0, empty: true, changes: [], outputs: [] });
});

test("the way back is open: the original's Terraform would replace nothing stateful either", async () => {
  await original.terraform("plan", "-input=false", "-no-color", "-out=back");
  const { changes } = readPlan(await original.terraform("show", "-json", "back"));
  const ended = changes.filter(({ kind }) => kind === "destroy" || kind === "replace");
  expect(ended.map(({ address, kind }) => [address, kind])).toEqual([
    ["aws_api_gateway_integration.api_integration", "replace"],
  ]);
});

test("the second apply resizes the cluster, and nothing else", async () => {
  const config = join(checkout.folder, "config.ts");
  const settings = await readFile(config, "utf8");
  const resized = settings.replace("warehouse: {", 'takeOver: true,\n      warehouse: { nodeType: "ra3.large",');
  expect(resized).not.toBe(settings);
  await writeFile(config, resized);
  const { changes, status } = await diff();
  expect(status).toBe(0);
  expect(changes.map(({ address, kind }) => [address, kind])).toEqual([
    ["aws_redshift_cluster.warehouse_cluster", "update"],
  ]);
  expect(changes[0]?.attributes).toEqual([{ path: "node_type", before: '"dc2.large"', after: '"ra3.large"' }]);
  expect(await checkout.cli("deploy", stack, "--auto-approve")).toMatchObject({ status: 0 });
  expect(await diff()).toMatchObject({ empty: true });
});
