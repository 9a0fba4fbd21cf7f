import { appendFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { gzipSync } from "node:zlib";
import { DeleteObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { z } from "zod";
import { Checkout, type Outcome, teamConfig } from "../setup/checkout";
import { dev, madeIn } from "../setup/dev";
import { allows, iamActionOf } from "../setup/iam-actions";
import { scriptIn } from "../setup/markdown";
import { type AwsCall, type Moto, startMoto } from "../setup/moto";
import { actionsIn } from "../setup/operator-policy";
import { stateStackWithGitHub } from "../setup/stacks";
import { attributesIn } from "../setup/state";
import { attachedStatementsOf, resourcesOf } from "../setup/synth";

const stack = "inference-dev";
const { stateBucket } = teamConfig.shared;
const { answersBucket } = madeIn(teamConfig.environments.dev);

/** What config.ts has of dev here: instances that follow the backlog, and hours in which the cluster is there. */
const scaledByTheClock = `
      model: {
        instanceCount: { min: 1, max: 3 },
        predictionsPerSecond: 25,
        deadlineSeconds: 7_200,
        workingHours: { min: 2, from: 8, to: 18, timeZone: "Europe/Berlin" },
      },
      warehouse: { finalSnapshot: false, hours: { from: 8, to: 18, timeZone: "Europe/Berlin" } },
`;

const planJson = z.object({
  resource_changes: z.array(z.object({ address: z.string(), change: z.object({ actions: z.array(z.string()) }) })),
});

let moto: Moto;
let checkout: Checkout;
let s3: S3Client;
/** What moto holds once the state stack is deployed. */
let foundation: Record<string, number>;
/** What was called by then: a person deploys that stack. */
let callsOfBootstrap: number;
/** What a plan calls where all is deployed. */
let callsOfPlan: AwsCall[];
/** Where among all calls those of the runbook begin and end: a person makes them too. */
let runbook: { readonly begin: number; readonly end: number };
beforeAll(async () => {
  moto = await startMoto();
  checkout = await Checkout.on(moto);
  const file = join(checkout.folder, "config.ts");
  const config = await readFile(file, "utf8");
  const written = config.replace(/^ +warehouse: \{ finalSnapshot: false \},$/m, scaledByTheClock);
  expect(written).not.toBe(config);
  await writeFile(file, written);
  const credentials = { accessKeyId: "test", secretAccessKey: "test" };
  s3 = new S3Client({ endpoint: moto.url, region: "us-east-1", credentials, forcePathStyle: true });
});
afterAll(async () => {
  s3.destroy();
  await moto.stop();
  await checkout.remove();
});

/** What a command that must succeed printed, without colours and spinners. */
function printed({ status, stdout, stderr }: Outcome): string {
  const text = stripVTControlCharacters(stdout + stderr).replace(/^[\u2800-\u28ff].*\n+/gm, "");
  if (status !== 0) throw new Error(`it ended with ${status}:\n${text.split("\n").slice(-40).join("\n")}`);
  return text;
}

/** For CI's log: what was counted, and how long it took. */
const report = (what: string, { seconds }: Outcome) => console.log(`${what} (${seconds} s)`);

const objectsInStateBucket = async () => {
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: stateBucket }));
  return Contents.map(({ Key }) => Key);
};

/** How often a lock was taken and given back. */
const locks = async () => {
  const onLock = (await moto.calls()).filter(
    ({ path }) => path === `/${stateBucket}/${stack}/terraform.tfstate.tflock`,
  );
  const count = (operation: string) => onLock.filter((call) => call.operation === operation).length;
  return { taken: count("PutObject"), givenBack: count("DeleteObject") };
};

const addressesIn = async (name: string) => {
  const json = await readFile(join(checkout.folder, "cdktf.out", "stacks", name, "cdk.tf.json"), "utf8");
  return resourcesOf(json).map(({ address }) => address);
};

/** The archives of the functions' sources in the state, each with its hash. */
const archives = async () => {
  const sources = attributesIn(printed(await checkout.terraform(stack, "state", "pull")), "data");
  const archived = Object.entries(sources).filter(([address]) => address.startsWith("data.archive_file."));
  return Object.fromEntries(archived.map(([address, source]) => [address, source.output_base64sha256]));
};

test("bootstrap deploys the state stack, and moves its state into the bucket that it made", async () => {
  const bootstrap = await checkout.cli("bootstrap", "--auto-approve");
  const said = printed(bootstrap);
  const { length } = await addressesIn("state");
  expect(said).toContain(`Apply complete! Resources: ${length} added, 0 changed, 0 destroyed.`);
  expect(await objectsInStateBucket()).toEqual(["state/terraform.tfstate"]);
  const listed = printed(await checkout.terraform("state", "state", "list"));
  const resources = listed.split("\n").filter((address) => address !== "" && !address.startsWith("data."));
  expect(resources.sort()).toEqual((await addressesIn("state")).sort());
  foundation = await moto.holdings();
  callsOfBootstrap = (await moto.calls()).length;
  expect(foundation).toEqual({ aws_iam_role: 2, aws_s3_bucket: 3 });
  report(`state: ${length} applied`, bootstrap);
});

test("cdktf deploy applies it, with its state in that bucket, under a lock that is gone afterwards", async () => {
  const before = await locks();
  const deploy = await checkout.cdktf("deploy", stack, "--auto-approve");
  const said = printed(deploy);
  const { length } = await addressesIn(stack);
  expect(said).toContain(`Apply complete! Resources: ${length} added, 0 changed, 0 destroyed.`);
  expect(await objectsInStateBucket()).toEqual([`${stack}/terraform.tfstate`, "state/terraform.tfstate"]);
  const { taken, givenBack } = await locks();
  expect(taken).toBeGreaterThan(before.taken);
  expect(givenBack).toBe(taken);
  report(`${stack}: ${length} applied`, deploy);
});

test("moto knows every call that it was sent by its name in AWS", async () => {
  const calls = (await moto.calls()).map(({ service, operation }) => `${service}:${operation}`);
  expect(calls.filter((call) => call.endsWith("?"))).toEqual([]);
  expect(calls).toEqual(
    expect.arrayContaining([
      "apigateway:PutIntegration",
      "application-autoscaling:PutScheduledAction",
      "cloudwatch:PutCompositeAlarm",
      "cloudwatch:PutDashboard",
      "cloudwatch:PutMetricAlarm",
      "ec2:CreateVpc",
      "iam:PutRolePolicy",
      "lambda:CreateFunction",
      "lambda:Invoke",
      "logs:CreateLogGroup",
      "redshift:CreateCluster",
      "s3:PutBucketVersioning",
      "scheduler:CreateSchedule",
      "sagemaker:CreateFeatureGroup",
      "sqs:CreateQueue",
    ]),
  );
});

test("the next plan is empty", async () => {
  const before = (await moto.calls()).length;
  const plan = await checkout.terraform(stack, "plan", "-detailed-exitcode", "-input=false");
  expect(printed(plan)).toContain("No changes."); // -detailed-exitcode: it would have ended with 2
  callsOfPlan = (await moto.calls()).slice(before);
  // The Data API shows a statement to nobody but who ran it, and for a day: anybody may plan, at any time.
  expect(
    callsOfPlan.filter(({ service, operation }) => service === "redshift-data" || operation.startsWith("Invoke")),
  ).toEqual([]);
  report(`${stack}: 0 drift`, plan);
});

test("the commands of the runbook that are AWS's run on what is deployed, and mend what was set aside", async () => {
  const page = await readFile("docs/runbook.md", "utf8");
  const [beginning = "", ...logs] = scriptIn(page).split(/^(?=log )/m);
  const once = logs.map((text, place) => (place === 0 ? text : text.replace(/^log .*\n/, ""))); // each takes a second
  const script = [beginning, ...once].join("").replaceAll(dev.answersBucket, answersBucket);
  const [, object = ""] = /^object=(\S+)/m.exec(script) ?? [];
  const place = { Bucket: answersBucket, Key: `rejected/${object}` };
  await s3.send(new PutObjectCommand({ ...place, Body: gzipSync("{}\n") }));
  const others = ["npx", "npm"].map((name) => `${name}() { :; }`);
  const begin = (await moto.calls()).length;
  const { stdout, stderr } = await moto.bash([...others, script].join("\n"), checkout.folder);
  const calls = await moto.calls();
  runbook = { begin, end: calls.length };
  expect(stderr).toBe("");
  expect(stdout).toContain(object);
  const needed = new Set(
    calls
      .slice(begin)
      .flatMap(iamActionOf)
      .flatMap((either) => either.split(" | ")[0] ?? []),
  );
  expect(actionsIn(page)).toEqual(expect.arrayContaining([...needed]));
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: answersBucket }));
  expect(Contents.map(({ Key }) => Key)).toEqual([`staged/${object}`]);
  await s3.send(new DeleteObjectCommand({ ...place, Key: `staged/${object}` }));
});

/** How many of what a pause takes away there are. */
const pausable = async () => {
  const { aws_appautoscaling_target, aws_sagemaker_endpoint, aws_scheduler_schedule } = await moto.holdings();
  return { aws_appautoscaling_target, aws_sagemaker_endpoint, aws_scheduler_schedule };
};

/** Whether the cluster is available, and requests are handed out. */
const isAwake = async () => {
  const { Clusters } = clusters.parse(await moto.aws("redshift", "describe-clusters"));
  const { EventSourceMappings } = mappings.parse(await moto.aws("lambda", "list-event-source-mappings"));
  return [...Clusters.map(({ ClusterStatus }) => ClusterStatus), ...EventSourceMappings.map(({ State }) => State)];
};
const clusters = z.object({ Clusters: z.array(z.object({ ClusterStatus: z.string() })) });
const mappings = z.object({ EventSourceMappings: z.array(z.object({ State: z.string() })) });

test("pause takes away the endpoint with what scales it, and what wakes the cluster, and cdktf diff finds no change then", async () => {
  const all = { aws_appautoscaling_target: 1, aws_sagemaker_endpoint: 1, aws_scheduler_schedule: 5 };
  expect(await pausable()).toEqual(all);
  const pause = await checkout.cli("pause", "--env", "dev", "--auto-approve");
  expect(printed(pause)).toMatch(/\nAt rest it costs about \$[\d.]+ a month less \(\$[\d.]+ an hour\)\.\n/);
  expect(await pausable()).toEqual({ aws_scheduler_schedule: 3 });
  expect(await isAwake()).toEqual(["paused", "Disabled"]);
  const diff = await checkout.cdktf("diff", stack);
  expect(printed(diff)).toContain("No changes.");
  report(`${stack}: paused, 0 drift`, pause);
});

test("resume brings all of it back", async () => {
  const resume = await checkout.cli("resume", "--env", "dev", "--auto-approve");
  expect(printed(resume)).toContain("dev is resumed");
  expect(await pausable()).toEqual({
    aws_appautoscaling_target: 1,
    aws_sagemaker_endpoint: 1,
    aws_scheduler_schedule: 5,
  });
  expect(await isAwake()).toEqual(["available", "Enabled"]);
  report(`${stack}: resumed`, resume);
});

test("a changed source of a function changes its archive and that function, and nothing else", async () => {
  const before = await archives();
  await appendFile(join(checkout.folder, "lambda-src", "worker", "index.ts"), 'console.debug("changed");\n');
  printed(await checkout.run("npm", ["run", "synth"]));
  printed(await checkout.terraform(stack, "init", "-input=false"));
  printed(await checkout.terraform(stack, "plan", "-input=false", "-out=plan"));
  const plan = planJson.parse(JSON.parse(printed(await checkout.terraform(stack, "show", "-json", "plan"))));
  expect(plan.resource_changes.filter(({ change }) => change.actions.join() !== "no-op")).toEqual([
    { address: "aws_lambda_function.inference_worker_function", change: { actions: ["update"] } },
  ]);

  const apply = await checkout.terraform(stack, "apply", "-input=false", "plan");
  expect(printed(apply)).toContain("Apply complete! Resources: 0 added, 1 changed, 0 destroyed.");
  const after = await archives();
  expect(Object.keys(before).sort()).toEqual([
    "data.archive_file.api_handler_archive",
    "data.archive_file.inference_worker_archive",
    "data.archive_file.loading_loader_archive",
    "data.archive_file.starting_starter_archive",
    "data.archive_file.warehouse_schema_archive",
    "data.archive_file.writing_writer_archive",
  ]);
  expect(Object.keys(before).filter((address) => after[address] !== before[address])).toEqual([
    "data.archive_file.inference_worker_archive",
  ]);
  report(`${stack}: 1 changed`, apply);
});

test("destroy resumes the cluster, empties the bucket for answers, and leaves nothing behind, in the state or in the account", async () => {
  const Bucket = answersBucket;
  for (const Key of ["staged/loaded", "manifests/1.json", "manifests/1.json"]) {
    await s3.send(new PutObjectCommand({ Bucket, Key, Body: "outcomes" }));
  }
  await s3.send(new DeleteObjectCommand({ Bucket, Key: "staged/loaded" })); // leaves a version and a marker
  await moto.aws("redshift", "pause-cluster", "--cluster-identifier", dev.warehouse.clusterIdentifier ?? ""); // as its hours do
  const before = (await moto.calls()).length;
  const destroy = await checkout.cli("destroy", stack, "--auto-approve");
  const ofCluster = /^(ResumeCluster|DeleteCluster)$/;
  const calls = (await moto.calls()).slice(before).flatMap(({ operation }) => operation.match(ofCluster)?.[0] ?? []);
  expect(calls).toEqual(["ResumeCluster", "DeleteCluster"]);
  const said = printed(destroy);
  const { length } = await addressesIn(stack);
  expect(said).toContain("8 versions are deleted ..."); // of these and of the runbook's
  expect(said).toContain(`Apply complete! Resources: 0 added, 0 changed, ${length} destroyed.`);
  expect(printed(await checkout.terraform(stack, "state", "list"))).toBe("");
  expect(await moto.holdings()).toEqual(foundation);
  expect(await objectsInStateBucket()).toEqual([`${stack}/terraform.tfstate`, "state/terraform.tfstate"]);
  report(`${stack}: ${length} destroyed`, destroy);
});

describe("GitHub's roles", () => {
  const state = stateStackWithGitHub();
  const refused = (role: "plan" | "deploy_dev", calls: AwsCall[]) => {
    const statements = attachedStatementsOf(state, `aws_iam_role.github_${role}_role`);
    const actions = new Set(calls.flatMap(iamActionOf));
    expect(actions.size).toBeGreaterThan(30);
    return [...actions].filter((action) => !allows(statements, action));
  };

  test("may make every call that was made for a plan, with the plan role", () => {
    expect(refused("plan", callsOfPlan)).toEqual([]);
  });

  test("may make every call that was made to deploy, change and destroy, with the deploy role", async () => {
    const calls = await moto.calls();
    const deploying = [...calls.slice(callsOfBootstrap, runbook.begin), ...calls.slice(runbook.end)];
    expect(refused("deploy_dev", deploying)).toEqual([]);
  });
});
