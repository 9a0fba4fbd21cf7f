import { once } from "node:events";
import { DeleteObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { statefulTypes } from "../../../aws/stateful-types";
import { folders, stagedKey } from "../../../contract/answers-bucket";
import { factsOf } from "../../../contract/job";
import { outcomeVersion } from "../../../contract/outcome";
import { operator } from "../../../local/credentials";
import { startPassage } from "../../../local/passage";
import { startS3 } from "../../../local/s3";
import { json, type StandIn, serve } from "../../../local/stand-in";
import { newId } from "../../../pipeline/ids";
import { dev } from "../../setup/dev";
import { checkoutWithoutTerraform } from "../../setup/fake-terraform";
import { atTerminal, type Checkout } from "../../terraform/checkout";

const stack = "inference-dev";
const Bucket = dev.answersBucket;
const functionName = "the-loader";

let terraform: Awaited<ReturnType<typeof checkoutWithoutTerraform>>;
let checkout: Checkout;
let s3Service: StandIn;
let s3: S3Client;
let lambda: StandIn;
/** What the loader is called with. */
let invoked: unknown[];
/** What it does then. */
let loads: () => Promise<object>;
beforeAll(async () => {
  terraform = await checkoutWithoutTerraform(stack, {});
  checkout = terraform.checkout;
  lambda = await serve(async ({ url, body }) => {
    expect(url.pathname).toBe(`/2015-03-31/functions/${functionName}/invocations`);
    invoked.push(JSON.parse(body.toString()));
    try {
      return json(await loads());
    } catch (error) {
      const failure = { errorType: "StatementFailed", errorMessage: String(error) };
      return json(failure, 200, { "x-amz-function-error": "Unhandled" });
    }
  });
});
afterAll(async () => {
  await lambda.stop();
  await checkout.remove();
});
beforeEach(async () => {
  s3Service = await startS3({ buckets: [Bucket] });
  s3 = new S3Client({ ...operator, endpoint: s3Service.url });
  invoked = [];
  loads = async () => ({ objects: 0, rejected: [], more: false });
  await plans(
    { type: "aws_redshift_cluster", name: "warehouse_cluster", before: {} },
    { type: "aws_s3_bucket", name: "outcomes_bucket", before: { bucket: Bucket } },
    { type: "aws_scheduler_schedule", name: "loading_schedule", before: { name: functionName } },
  );
});
afterEach(async () => {
  s3.destroy();
  await s3Service.stop();
  expect(await checkout.plansLeft()).toEqual([]);
});

const plans = (...resources: { type: string; name: string; before: object }[]) =>
  terraform.plans(
    ...resources.map(({ type, name, before }) => ({ address: `${type}.${name}`, actions: ["delete"], before })),
  );

const start = (args: string[] = [stack, "--auto-approve"], above: Record<string, string> = {}, on: string[] = []) =>
  checkout.start(
    ["destroy", ...args],
    {
      AWS_ENDPOINT_URL_S3: s3Service.url,
      AWS_ENDPOINT_URL_LAMBDA: lambda.url,
      ...terraform.environment,
      ...above,
    },
    on,
  );
const destroy = (...args: Parameters<typeof start>) => start(...args).ended;

/** What Terraform was told. */
const told = async () => (await terraform.calls()).map((line) => line.split(" ")[0]);
const put = (Key: string) => s3.send(new PutObjectCommand({ Bucket, Key, Body: "outcomes" }));
const held = async () =>
  ((await s3.send(new ListObjectsV2Command({ Bucket }))).Contents ?? []).map(({ Key }) => Key ?? "");
const staged = (version = outcomeVersion) => stagedKey([newId()], version, newId(), new Date());

test("what is staged is loaded until nothing is left, then the bucket is emptied, then the plan applied", async () => {
  const keys = [staged(), staged()];
  for (const key of [...keys, `${folders.manifests}1.json`, "sample.json"]) await put(key);
  loads = async () => {
    const [key = ""] = keys.splice(0, 1);
    await s3.send(new DeleteObjectCommand({ Bucket, Key: key }));
    return { objects: 1, rejected: [], more: keys.length > 0 };
  };
  const { status, stdout, stderr } = await destroy();
  expect({ status, stderr }).toMatchObject({ status: 0 });
  expect(stdout).toBe(`${stack}: 3 destroyed

! aws_redshift_cluster.warehouse_cluster
    destroyed: it holds the predictions

! aws_s3_bucket.outcomes_bucket
    destroyed: ${statefulTypes.aws_s3_bucket}

It holds
  2 batches of answers that are in no table yet: they are loaded first

The bucket ${Bucket} is emptied, with all old versions, and deleted, for \`preventDestroy\` is false. The buckets for states and models, with the releases, stay.

What these hold is lost for good. 1 other resource can be made anew.
`);
  expect(invoked).toEqual([{ now: true }, { now: true }]);
  expect(await held()).toEqual([]);
  expect(await told()).toEqual(["init", "plan", "show", "apply"]);
  const [, planned, , applied] = await terraform.calls();
  expect(planned).toMatch(/^plan -destroy .*-out=plan$/);
  expect(applied).toMatch(/^apply .* plan$/);
});

describe("nothing is destroyed, and it ends with 2, while there are outcomes", () => {
  const refuses = async () => {
    const before = await held();
    const { status, stderr } = await destroy();
    expect(status).toBe(2);
    expect(stderr).toMatch(/Nothing of the stack was destroyed\.\n$/);
    expect(await told()).toEqual(["init", "plan", "show"]);
    expect(await held()).toEqual(before);
    return stderr;
  };

  test("that the loader cannot load, with what it says", async () => {
    await put(staged());
    loads = async () => {
      throw "the cluster is paused";
    };
    expect(await refuses()).toMatch(
      /staged\/ holds 1 object with answers and failures that are in no table; the oldest is of 20[-\dT:.]+Z\.\n {2}The function the-loader failed: the cluster is paused\n/,
    );
  });

  test("of a newer version, and those that were set aside", async () => {
    await put(staged(outcomeVersion + 1));
    await put(`${folders.rejected}1`);
    const said = await refuses();
    expect(said).toContain("A newer version of this project wrote 1 of them, and loads them.");
    expect(said).toContain(`s3://${Bucket}/rejected/ holds 1 object`);
    expect(said).toContain(`aws s3 rm --recursive s3://${Bucket}/rejected/`);
  });

  test("with which the loader comes no further", async () => {
    await put(staged());
    loads = async () => ({ objects: 0, rejected: [], more: true });
    expect(await refuses()).toContain("The loader comes no further: its log says why.");
    expect(invoked).toHaveLength(1);
  });
});

test("an outcome that is staged while the bucket is emptied stays, and nothing of the stack is destroyed", async () => {
  await put("sample.json");
  let late: string | undefined;
  const passage = await startPassage(s3Service.url, async (request, forward) => {
    if (late === undefined && request.url.searchParams.has("versions")) {
      late = staged();
      await put(late);
    }
    return forward();
  });
  const { status, stderr } = await destroy([stack, "--auto-approve"], { AWS_ENDPOINT_URL_S3: passage.url });
  await passage.stop();
  expect(status).toBe(2);
  expect(stderr).toContain("It was staged meanwhile: the workers still answer.");
  expect(await held()).toEqual([late]);
  expect(await told()).not.toContain("apply");
});

test("what an earlier run left is destroyed without the loader and the bucket that are gone", async () => {
  await plans({ type: "aws_redshift_cluster", name: "warehouse_cluster", before: {} });
  expect(await destroy()).toMatchObject({ status: 0 });
  expect([invoked, (await told()).at(-1)]).toEqual([[], "apply"]);
});

test("before anything is asked it says what is held, and what of it is kept", async () => {
  const cluster = { cluster_identifier: "the-warehouse", skip_final_snapshot: false };
  await plans(
    {
      type: "aws_redshift_cluster",
      name: "warehouse_cluster",
      before: { ...cluster, final_snapshot_identifier: "the-warehouse-final" },
    },
    { type: "aws_s3_bucket", name: "outcomes_bucket", before: { bucket: Bucket } },
    { type: "aws_sqs_queue", name: "inference_queue", before: { url: "http://127.0.0.1:9/1/requests" } },
  );
  await put(`${folders.rejected}1`);
  for (const id of ["nightly", "weekly"]) await put(factsOf(id).request);
  await put(factsOf("nightly").manifest);
  const { status, stdout } = await destroy();
  expect(status).toBe(2);
  expect(stdout).toContain("\n  1 batch of answers that were set aside: nothing is destroyed while they are there\n");
  expect(stdout).toContain("\n  2 jobs, 1 result of them: save what is needed by `results`\n");
  expect(stdout).toContain("\n  what could not be counted: Cannot look at the queue requests: ");
  expect(stdout).toContain("\nThe warehouse leaves the snapshot the-warehouse-final. It costs money until");
});

test("where nothing is deployed there is nothing to destroy", async () => {
  await plans();
  expect(await destroy()).toMatchObject({ status: 0, stderr: expect.stringMatching(/nothing to destroy\.\n$/) });
  expect([invoked, await told()]).toEqual([[], ["init", "plan", "show"]]);
});

test("where Terraform fails it is said that the same command goes on", async () => {
  const { status, stderr } = await destroy([stack, "--auto-approve"], { APPLY_ENDS: "1" });
  expect(status).toBe(1);
  expect(stderr).toContain(
    `What Terraform says is destroyed is gone. \`npx offline-inference destroy ${stack}\` goes on with what is left.\n`,
  );
});

test("Ctrl-C while the loader loads destroys nothing, and says so", async () => {
  await put(staged());
  let run: ReturnType<typeof start> | undefined;
  loads = () => {
    run?.child.kill("SIGINT");
    return new Promise(() => {}); // it loads on
  };
  run = start();
  const { status, stderr } = await run.ended;
  expect({ status, stderr }).toMatchObject({
    status: 130,
    stderr: expect.stringMatching(/\nNothing was destroyed\.\nInterrupted by SIGINT\.\n$/),
  });
  expect(await held()).toHaveLength(1);
  expect(await told()).not.toContain("apply");
});

test.each([
  ["its name", `${stack}\r`, 0],
  ["yes", "yes\r", 1],
  ["Ctrl-C", "\x03", 130],
])("at a terminal it is destroyed for its name alone: %s", async (_, keys, status) => {
  const run = start([stack], {}, atTerminal);
  const asked = async () => {
    while (!run.said.stdout.includes(`type ${stack}: `)) await once(run.child.stdout, "data");
  };
  await Promise.race([asked(), run.ended]);
  run.child.stdin.write(keys);
  expect(await run.ended).toMatchObject({ status });
  expect((await told()).includes("apply")).toBe(status === 0);
});

test.each([
  ["a guarded environment", "inference-prod", "`environments.prod.preventDestroy` in config.ts is true"],
  ["the state stack", "state", "Terraform refuses to. This destroys inference-dev, inference-prod."],
  ["another one", "mine", "mine is no stack of an environment"],
])("%s is refused at once, with what to do", async (_, name, said) => {
  expect(await destroy([name, "--auto-approve"])).toMatchObject({
    status: 1,
    stdout: "",
    stderr: expect.stringContaining(said),
  });
  expect(await told()).toEqual([]);
});

test("without a terminal nobody is asked, and nothing is planned", async () => {
  expect(await destroy([stack])).toMatchObject({ status: 1, stderr: expect.stringContaining("Nobody can be asked") });
  expect(await told()).toEqual([]);
});
