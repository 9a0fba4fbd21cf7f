import { chmod, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Answer, type StandIn, serve } from "../../../local/stand-in";
import { Checkout, teamConfig } from "../../setup/checkout";

const { shared, environments } = teamConfig;
const { stateBucket, modelBucket } = shared;
const answersBuckets = Object.values(environments).map(({ answersBucket }) => answersBucket);
const stateObject = `/${stateBucket}/state/terraform.tfstate`;

let s3: StandIn;
let checkout: Checkout;
/** What S3 answers, by path; anything else is not there. */
let answers: Record<string, Answer>;
let asked: string[];

const noSuchKey = "<Error><Code>NoSuchKey</Code><Message>It is not there.</Message></Error>";

/** Stands for Terraform: it writes down what it is told, and nothing is ever wrong. */
const terraform = `#!/bin/sh\necho "$1" >> "$(dirname "$0")/terraform-runs"\n`;

beforeAll(async () => {
  s3 = await serve(({ method, url }) => {
    const path = url.pathname.replace(/\/$/, "");
    asked.push(`${method} ${path}`);
    return answers[path] ?? { status: 404, body: method === "GET" ? noSuchKey : undefined };
  });
  const environment: Record<string, string | undefined> = {
    ...process.env,
    AWS_ENDPOINT_URL: s3.url,
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
    AWS_PROFILE: undefined,
  };
  checkout = await Checkout.on({ environment });
  environment.TERRAFORM_BINARY_NAME = join(checkout.folder, "terraform");
  await writeFile(environment.TERRAFORM_BINARY_NAME, terraform);
  await chmod(environment.TERRAFORM_BINARY_NAME, 0o755);
});
afterAll(async () => {
  await checkout.remove();
  await s3.stop();
});
beforeEach(async () => {
  answers = {};
  asked = [];
  for (const file of ["terraform-runs", "terraform.state.tfstate"]) {
    await rm(join(checkout.folder, file), { force: true });
  }
});

const bootstrap = () => checkout.cli("bootstrap", "--auto-approve");
const terraformRuns = async () => {
  const lines = await readFile(join(checkout.folder, "terraform-runs"), "utf8").catch(() => "");
  return lines.split("\n").filter((line) => line !== "");
};

/** A state of Terraform's in which it made these buckets. */
const stateOf = (buckets: Record<string, string>) =>
  JSON.stringify({
    version: 4,
    terraform_version: "1.11.4",
    serial: 1,
    lineage: "a-test",
    resources: Object.entries(buckets).map(([name, bucket]) => ({
      mode: "managed",
      type: "aws_s3_bucket",
      name,
      instances: [{ attributes: { bucket } }],
    })),
  });

test("names that nobody has are no reason to stop", async () => {
  expect(await bootstrap()).toMatchObject({ status: 0 });
  const buckets = [stateBucket, modelBucket, `${stateBucket}-logs`, ...answersBuckets];
  expect(asked.sort()).toEqual(buckets.map((bucket) => `HEAD /${bucket}`).sort());
  expect(await terraformRuns()).toContain("apply");
});

test("every name that is taken is told at once with what to do, before Terraform is run", async () => {
  answers = {
    [`/${stateBucket}`]: { status: 403 },
    [`/${modelBucket}`]: { status: 301, headers: { "x-amz-bucket-region": "eu-west-1" } },
  };
  const { status, stdout, stderr } = await bootstrap();
  expect([status, stdout]).toEqual([1, ""]);
  expect(stderr).toBe(
    `The name ${stateBucket} (stateBucket in config.ts) is taken, and not by a bucket of this project's stacks: it belongs to another account, or is closed to who you are signed in as.\n` +
      "S3's names are the whole world's: choose another stateBucket in config.ts. If the bucket is yours, sign in as who may list it: AWS_PROFILE,\n" +
      "or `profile` in config.ts.\n\n" +
      `The name ${modelBucket} (modelBucket in config.ts) is taken, and not by a bucket of this project's stacks: it is in eu-west-1, and config.ts says us-east-1.\n` +
      "S3's names are the whole world's: choose another modelBucket in config.ts. If the bucket is yours and was made there, set `region`.\n",
  );
  expect(await terraformRuns()).toEqual([]);
});

test("buckets of ours that the state does not know are told with the way to import them", async () => {
  answers = { [`/${stateBucket}`]: { status: 200 }, [`/${modelBucket}`]: { status: 200 } };
  const { status, stderr } = await bootstrap();
  expect(status).toBe(1);
  for (const [address, name] of [
    ["state_bucket", stateBucket],
    ["models_bucket", modelBucket],
  ]) {
    expect(stderr).toContain(
      "  terraform -chdir=cdktf.out/stacks/state init -reconfigure\n" +
        `  terraform -chdir=cdktf.out/stacks/state import aws_s3_bucket.${address} ${name}`,
    );
  }
  expect(await terraformRuns()).toEqual([]);
});

test("a bucket of models that is there before the state's cannot be imported", async () => {
  answers = { [`/${modelBucket}`]: { status: 200 } };
  const { status, stderr } = await bootstrap();
  expect(status).toBe(1);
  expect(stderr).toContain(
    "Either choose another modelBucket in config.ts, or delete that bucket, if nobody needs it.",
  );
  expect(stderr).not.toContain("stateBucket");
  expect(await terraformRuns()).toEqual([]);
});

describe("a bucket for answers", () => {
  const dev = environments.dev?.answersBucket ?? "";
  const stateOfDev = `/${stateBucket}/${environments.dev?.stateKey}`;
  beforeEach(() => {
    answers = {
      ...Object.fromEntries([stateBucket, modelBucket, dev].map((bucket) => [`/${bucket}`, { status: 200 }])),
      [stateObject]: { status: 200, body: stateOf({ state_bucket: stateBucket, models_bucket: modelBucket }) },
    };
  });

  test("that the environment's stack has made is its own", async () => {
    answers[stateOfDev] = { status: 200, body: stateOf({ outcomes_bucket: dev }) };
    expect(await bootstrap()).toMatchObject({ status: 0 });
  });

  test("that it has not made is told before anything is, with the way to import it", async () => {
    const { status, stderr } = await bootstrap();
    expect(status).toBe(1);
    expect(stderr).toContain(`The name ${dev} (stateBucket and environment in config.ts) is taken, and`);
    expect(stderr).toContain("Either choose another stateBucket or environment in config.ts, or let Terraform go on");
    expect(stderr).toContain(
      `  terraform -chdir=cdktf.out/stacks/inference-dev import aws_s3_bucket.outcomes_bucket ${dev}`,
    );
    expect(await terraformRuns()).toEqual([]);
  });
});

describe("buckets that bootstrap has made", () => {
  const both = { state_bucket: stateBucket, models_bucket: modelBucket };
  beforeEach(() => {
    answers = { [`/${stateBucket}`]: { status: 200 }, [`/${modelBucket}`]: { status: 200 } };
  });

  test("are its own when it is run again", async () => {
    answers[stateObject] = { status: 200, body: stateOf(both) };
    expect(await bootstrap()).toMatchObject({ status: 0 });
    expect(await terraformRuns()).toContain("apply");
  });

  test("are its own where it was interrupted before their state was moved", async () => {
    await writeFile(join(checkout.folder, "terraform.state.tfstate"), stateOf(both));
    expect(await bootstrap()).toMatchObject({ status: 0 });
    expect(await terraformRuns()).toContain("apply");
  });

  test("do not cover for one that it has not made", async () => {
    answers[stateObject] = { status: 200, body: stateOf({ state_bucket: stateBucket }) };
    const refused = await bootstrap();
    expect(refused).toMatchObject({ status: 1, stderr: expect.stringContaining(`The name ${modelBucket}`) });
    expect(refused.stderr).not.toContain(`The name ${stateBucket} `);
  });
});

test("what keeps S3 from being asked is told, with what is known of the other name", async () => {
  answers = { [`/${stateBucket}`]: { status: 400 }, [`/${modelBucket}`]: { status: 403 } };
  const { status, stderr } = await bootstrap();
  expect(status).toBe(1);
  expect(stderr).toContain(`Cannot look for the bucket ${stateBucket}: `);
  expect(stderr).toContain(`The name ${modelBucket} (modelBucket in config.ts) is taken`);
  expect(await terraformRuns()).toEqual([]);
});
