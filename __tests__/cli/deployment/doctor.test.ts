import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { loadConfig } from "../../../config";
import { type Answer, AwsError, ConnectionCut, json, type Request, type StandIn, serve } from "../../../local/stand-in";
import { Checkout } from "../../setup/checkout";
import { dev } from "../../setup/dev";
import { startLocalPipeline } from "../../setup/local-pipeline";
import { type ProgramOptions, runProgram } from "../../setup/program";

const { shared } = loadConfig();
const { bucket: modelBucket, key: modelKey } = dev.model.artifact;
const arn = "arn:aws:iam::123456789012:user/us";
const quotaName = "ml.inf1.xlarge for endpoint usage";
const askForInstances =
  "aws service-quotas request-service-quota-increase --service-code sagemaker --quota-code L-INF1 --desired-value 2 --region us-east-1";
const askToCompile =
  "aws service-quotas request-service-quota-increase --service-code sagemaker --quota-code L-C5 --desired-value 1 --region us-east-1";
const askForFunctions =
  "aws service-quotas request-service-quota-increase --service-code lambda --quota-code L-B99A9384 --desired-value 1000 --region us-east-1";

type Answers = Record<string, (request: Request) => Answer | Promise<Answer>>;

let folder: string;
let aws: StandIn;
let answers: Answers;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "doctor-"));
  aws = await serve((request) => {
    const operation = operationOf(request);
    const answer = answers[operation];
    if (answer === undefined) throw new AwsError("UnknownOperationException", 404, `no operation ${operation}`);
    return answer(request);
  });
});
afterAll(async () => {
  await aws.stop();
  await rm(folder, { recursive: true });
});
beforeEach(() => {
  answers = allWell();
});

/** What is asked for, in each of AWS's protocols. */
function operationOf({ method, url, headers, body }: Request): string {
  const target = headers["x-amz-target"];
  if (typeof target === "string") return target.replace(/.*\./, "");
  if (url.pathname === "/2016-08-19/account-settings") return "GetAccountSettings";
  const action = new URLSearchParams(body.toString()).get("Action");
  if (action !== null) return action;
  const path = url.pathname.replace(/\/$/, "");
  if (method === "HEAD" && path === `/${shared.stateBucket}`) return "HeadBucket";
  if (method === "GET" && path === `/${shared.stateBucket}` && url.searchParams.has("versioning")) {
    return "GetBucketVersioning";
  }
  return `${method} ${path}`;
}

const names = {
  queue_url: "https://sqs.us-east-1.amazonaws.com/123456789012/poc-dev-inference_queue",
  dead_letter_queue_url: "https://sqs.us-east-1.amazonaws.com/123456789012/poc-dev-inference_queue-dead-letters",
  worker_function_name: "the-worker",
  loader_function_name: "the-loader",
  starter_function_name: "the-starter",
  writer_function_name: "the-writer",
  api_url: "https://api.execute-api.us-east-1.amazonaws.com/dev",
  answers_bucket: "the-answers",
  redshift_unload_role_arn: "arn:aws:iam::123456789012:role/unload",
  endpoint_name: "the-endpoint",
  contract_url: `s3://${modelBucket}/contracts/poc-dev.json`,
  feature_group_name: "the-features",
  record_identifier: { name: "id", type: "String" },
  event_time: { name: "event_time", type: "String" },
  redshift_cluster_identifier: "the-warehouse",
  redshift_database_name: "predictions",
  redshift_reader: "reader",
};

/** What is said of the image of Inf1, which AWS no longer patches. */
const imageLines = `  ! ${dev.model.image} gets no security patches any more: its line ended on 2025-01-14, and Neuron 2.20 is the last for Inf1.
      → docs/your-model.md says what else serves a model, an image of your own among it.
  ✔ The tag of the image stands for sha256:1234 now. A release would keep to that.`;

const identity = `<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>${arn}</Arn><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`;
const versioned = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
const quota = (Value: number, QuotaName = quotaName) => ({ QuotaName, QuotaCode: "L-INF1", Value });
const compiling = (Value: number) => ({
  QuotaName: "ml.c5.4xlarge for processing job usage",
  QuotaCode: "L-C5",
  Value,
});
const quotas = (...Quotas: object[]) => json({ Quotas });
const concurrency = (free: number, all = free) =>
  json({ AccountLimit: { ConcurrentExecutions: all, UnreservedConcurrentExecutions: free } });

const theirRole = "arn:aws:iam::123456789012:role/theirs";
const ourRole = "arn:aws:iam::123456789012:role/poc-api-gateway-logging";
const modelObject = `HEAD /${modelBucket}/${modelKey}`;

const allWell = (): Answers => ({
  GetCallerIdentity: () => ({ status: 200, headers: { "content-type": "text/xml" }, body: identity }),
  ListServiceQuotas: () => quotas(quota(0, "ml.inf1.xlarge for training job usage"), quota(4)),
  ListAWSDefaultServiceQuotas: () => quotas(quota(0), compiling(1)),
  GetAccountSettings: () => concurrency(1000),
  "GET /account": () => json({ cloudwatchRoleArn: ourRole }),
  HeadBucket: () => ({ status: 200 }),
  GetBucketVersioning: () => ({ status: 200, headers: { "content-type": "application/xml" }, body: versioned }),
  [modelObject]: () => ({ status: 200 }),
  BatchGetImage: () => json({ images: [{ imageId: { imageDigest: "sha256:1234" } }], failures: [] }),
  [`GET /${modelBucket}/contracts/poc-dev.json`]: () => json(dev.model.contract),
  GetParameter: () => json({ Parameter: { Name: dev.namesParameter, Value: JSON.stringify(names) } }),
  DescribeEndpoint: () => json({ EndpointName: "the-endpoint", EndpointStatus: "InService" }),
  DescribeClusters: () => clusterThatIs("available"),
});

const clusterThatIs = (status: string): Answer => {
  const clusters = `<Clusters><Cluster><ClusterStatus>${status}</ClusterStatus></Cluster></Clusters>`;
  const body = `<DescribeClustersResponse><DescribeClustersResult>${clusters}</DescribeClustersResult></DescribeClustersResponse>`;
  return { status: 200, headers: { "content-type": "text/xml" }, body };
};

const refuse = () => {
  throw new AwsError("AccessDeniedException", 400, "You may not.");
};

/** A Terraform that is of this version, and does nothing else. */
async function terraform(version: string): Promise<string> {
  const file = join(folder, `terraform-${version}`);
  await writeFile(file, `#!/bin/sh\n[ "$*" = "version -json" ] && echo '{"terraform_version":"${version}"}'\n`);
  await chmod(file, 0o755);
  return file;
}

const signedIn = async (): Promise<Record<string, string | undefined>> => ({
  AWS_ENDPOINT_URL: aws.url,
  AWS_ACCESS_KEY_ID: "test",
  AWS_SECRET_ACCESS_KEY: "test",
  AWS_PROFILE: undefined,
  OFFLINE_INFERENCE_ENV: undefined,
  TERRAFORM_BINARY_NAME: await terraform("1.10.0"),
});

async function doctor(args: string[] = [], environment: ProgramOptions["environment"] = {}) {
  return runProgram(["doctor", "--env", "dev", ...args], { environment: { ...(await signedIn()), ...environment } });
}

const findings = z.array(
  z.object({
    group: z.string(),
    check: z.string(),
    mark: z.enum(["ok", "warning", "problem"]),
    text: z.string(),
    details: z.array(z.string()).optional(),
    mend: z.string().optional(),
  }),
);

/** What was found as data, by what was looked at. */
async function found(...call: Parameters<typeof doctor>) {
  const [args = [], environment] = call;
  const { status, stdout, stderr } = await doctor([...args, "--json"], environment);
  expect(stderr).toBe("");
  const list = findings.parse(JSON.parse(stdout));
  const isWell = list.every(({ mark }) => mark !== "problem");
  expect(status).toBe(isWell ? 0 : 1);
  return Object.fromEntries(list.map(({ check, ...finding }) => [check, finding]));
}

test("when all is well it says so of each thing, and ends with 0", async () => {
  expect(await doctor()).toEqual({
    status: 0,
    signal: null,
    stderr: "",
    stdout: `Account
  ✔ You are signed in as ${arn}.
  ✔ The region is us-east-1, by config.ts. AWS has images for models there.
  ✔ SageMaker allows 4 instances of ml.inf1.xlarge for endpoints: this one takes 1, and 2 while it is updated.
  ✔ SageMaker allows 1 instance of ml.c5.4xlarge for processing jobs: to compile a model takes one.
  ✔ Lambda runs 1000 functions at once: enough for 3 workers and the loader, and 100 requests at the API.
  ✔ API Gateway writes access logs as ${ourRole}.

Tools
  ✔ Terraform is 1.10.0; 1.10 or newer will do.
  ✔ Node.js is ${process.versions.node}; 20.9 or newer will do.

Deployment
  ✔ The state bucket ${shared.stateBucket} is there, and versioned.
  ✔ The model artifact is there: s3://${modelBucket}/${modelKey}
${imageLines}
  ✔ The pipeline is deployed, and /poc-dev/names says where it is:
      queue          ${names.queue_url}
      worker         the-worker
      endpoint       the-endpoint
      feature group  the-features
      warehouse      the-warehouse, database predictions
  ✔ The endpoint the-endpoint is in service.
  ✔ The cluster the-warehouse is available.
`,
  });
});

describe("that an environment is paused", () => {
  const since = "2026-11-27T18:00:00.000Z";
  const noEndpoint = () => {
    throw new AwsError("ValidationException", 400, 'Could not find endpoint "the-endpoint".');
  };
  /** What is found of endpoint and cluster in a checkout whose paused.json says this. */
  const foundWhere = async (paused: object) => {
    const checkout = await mkdtemp(join(folder, "paused-"));
    await writeFile(join(checkout, "paused.json"), JSON.stringify(paused));
    const options = { environment: await signedIn(), folder: checkout };
    const { stdout } = await runProgram(["doctor", "--env", "dev", "--json"], options);
    const list = findings.parse(JSON.parse(stdout));
    return ["endpoint", "pause"].map((name) => list.find(({ check }) => check === name));
  };

  test("is compared with AWS, which is right where endpoint and nodes are gone", async () => {
    answers = { ...answers, DescribeEndpoint: noEndpoint, DescribeClusters: () => clusterThatIs("paused") };
    expect(await foundWhere({ dev: { since } })).toMatchObject([
      { mark: "ok", text: `The endpoint the-endpoint is not there, for dev is paused since ${since}.` },
      { mark: "ok", text: `The cluster the-warehouse is paused, for dev is paused since ${since}.` },
    ]);
    expect(await foundWhere({})).toMatchObject([
      { mark: "problem", text: "The endpoint the-endpoint does not exist." },
      { mark: "problem", text: "The cluster the-warehouse is paused, and paused.json does not say so." },
    ]);
  });

  test("is a problem where AWS still has what is paid for", async () => {
    const goesOn = expect.stringMatching(
      /^npx offline-inference pause --env dev goes on; npx .* resume --env dev takes/,
    );
    expect(await foundWhere({ dev: { since } })).toMatchObject([
      {
        mark: "problem",
        text: expect.stringContaining("is InService, and paid for, but paused.json says"),
        mend: goesOn,
      },
      { mark: "problem", text: expect.stringContaining("is available, but paused.json says"), mend: goesOn },
    ]);
  });
});

test("in a new account with nothing in it every lack is shown at once, with how to mend it, and it ends with 1", async () => {
  answers = {
    ...answers,
    ListServiceQuotas: () => quotas(quota(0), compiling(0)),
    GetAccountSettings: () => concurrency(3),
    "GET /account": () => json({}),
    HeadBucket: () => ({ status: 404 }),
    [modelObject]: () => ({ status: 404 }),
    GetParameter: () => {
      throw new AwsError("ParameterNotFound", 400, "It is not there.");
    },
  };
  const { status, stdout, stderr } = await doctor([], { TERRAFORM_BINARY_NAME: await terraform("1.9.8") });
  expect({ status, stderr }).toEqual({ status: 1, stderr: "" });
  expect(stdout).toBe(`Account
  ✔ You are signed in as ${arn}.
  ✔ The region is us-east-1, by config.ts. AWS has images for models there.
  ✖ SageMaker allows 0 instances of ml.inf1.xlarge for endpoints, and this one needs 1.
      → Ask AWS for more, which may take days: ${askForInstances}
  ✖ SageMaker allows 0 instances of ml.c5.4xlarge for processing jobs, and to compile a model takes one.
      → Ask AWS for more, which may take days: ${askToCompile}
  ✖ Lambda runs 3 functions at once, and 3 workers and the loader would leave none to the API.
      → AWS raises it as a new account is used. Ask AWS for more, which may take days: ${askForFunctions}
  ✔ API Gateway has no role to write access logs with. The stack state gives it poc-api-gateway-logging.

Tools
  ✖ Terraform is 1.9.8, which is too old for the stacks.
      → Install 1.10 or newer: https://developer.hashicorp.com/terraform/install
  ✔ Node.js is ${process.versions.node}; 20.9 or newer will do.

Deployment
  ✖ The state bucket ${shared.stateBucket} does not exist.
      → It is the placeholder that config.ts is shipped with: npx offline-inference init asks for yours.
  ✖ The model artifact is not there: s3://${modelBucket}/${modelKey}
      → npx offline-inference model ship FOLDER --env dev makes one of a Hugging Face model and brings it there.
${imageLines}
  ✖ There is no pipeline "dev" in us-east-1: its stack has not written /poc-dev/names. Deploy it: npx offline-inference deploy inference-dev
  ! The endpoint was not looked at: no pipeline was found.
  ! The cluster was not looked at: no pipeline was found.
`);
});

test("what is enough to begin with and not for long is a warning, and no reason to fail", async () => {
  answers = {
    ...answers,
    ListServiceQuotas: () => quotas(quota(1)),
    GetAccountSettings: () => concurrency(10),
    DescribeEndpoint: () => json({ EndpointName: "the-endpoint", EndpointStatus: "Updating" }),
  };
  expect(await found()).toMatchObject({
    "instance-quota": {
      group: "Account",
      mark: "warning",
      text: "SageMaker allows 1 instance of ml.inf1.xlarge for endpoints: enough for this one to start, and not for an update, which takes 2.",
      mend: `Ask AWS for more, which may take days: ${askForInstances}`,
    },
    "lambda-concurrency": {
      mark: "warning",
      text: "Lambda runs 10 functions at once: 3 workers and the loader leave 6 to the API, which lets 100 requests in at once.",
      mend: `AWS raises it as a new account is used. Ask AWS for more, which may take days: ${askForFunctions}`,
    },
    endpoint: {
      group: "Deployment",
      mark: "warning",
      text: "The endpoint the-endpoint is Updating.",
      mend: "npx offline-inference status --watch --env dev shows when it is done.",
    },
  });
});

describe("the quota of instances", () => {
  test("is found on whichever page it is", async () => {
    const pages = [
      { Quotas: [], NextToken: "2" },
      { Quotas: [quota(0, "ml.inf1.2xlarge for endpoint usage")], NextToken: "3" },
    ];
    answers.ListServiceQuotas = () => json(pages.shift() ?? { Quotas: [quota(7)] });
    expect((await found())["instance-quota"]?.text).toContain("allows 7 instances");
  });

  test("is AWS's own for everybody, where the account has none", async () => {
    answers.ListServiceQuotas = () => quotas();
    answers.ListAWSDefaultServiceQuotas = () => quotas(quota(0));
    expect((await found())["instance-quota"]).toMatchObject({
      mark: "problem",
      mend: expect.stringContaining("L-INF1"),
    });
  });

  test("that AWS does not know at all says where to read which instances there are", async () => {
    answers.ListServiceQuotas = answers.ListAWSDefaultServiceQuotas = () => quotas();
    expect((await found())["instance-quota"]).toMatchObject({
      mark: "warning",
      text: `Service Quotas knows no "${quotaName}" in us-east-1: SageMaker may not have such instances there.`,
      mend: expect.stringContaining("https://aws.amazon.com/sagemaker/pricing/"),
    });
  });
});

test("what others have reserved of Lambda's concurrency is not there for this pipeline", async () => {
  answers.GetAccountSettings = () => concurrency(100, 1000);
  expect((await found())["lambda-concurrency"]).toMatchObject({
    mark: "warning",
    text: expect.stringContaining("leave 96 to the API"),
    mend: expect.stringMatching(/^Ask AWS .* --desired-value 1004 /),
  });
});

describe("the quota for compiling", () => {
  test("is found beside that of endpoints, in one walk of all pages", async () => {
    const pages = [{ Quotas: [compiling(3)], NextToken: "2" }, { Quotas: [quota(7)], NextToken: "3" }, { Quotas: [] }];
    let asked = 0;
    answers.ListServiceQuotas = () => json(pages[asked++]);
    const checks = await found();
    expect(checks["compiling-quota"]).toMatchObject({
      mark: "ok",
      text: expect.stringContaining("allows 3 instances"),
    });
    expect(checks["instance-quota"]?.text).toContain("allows 7 instances");
    expect(asked).toBe(2);
  });

  test("that AWS does not know says what there is beside compiling", async () => {
    answers.ListAWSDefaultServiceQuotas = () => quotas();
    expect((await found())["compiling-quota"]).toMatchObject({
      mark: "warning",
      text: expect.stringContaining('knows no "ml.c5.4xlarge for processing job usage" in us-east-1'),
      mend: expect.stringContaining(
        "`npx offline-inference model release ARCHIVE --env dev` takes what was compiled elsewhere.",
      ),
    });
  });
});

describe("the one role of API Gateway's", () => {
  test("that is another team's is a problem before the stack state overwrites it", async () => {
    answers["GET /account"] = () => json({ cloudwatchRoleArn: theirRole });
    expect((await found())["api-gateway-role"]).toEqual({
      group: "Account",
      mark: "problem",
      text: `API Gateway writes access logs as ${theirRole}, for all APIs of this account in us-east-1, and the stack state would put poc-api-gateway-logging in its place.`,
      mend: "Leave it as it is, and this project's logs to it: `apiGatewayRole: false` in config.ts.",
    });
  });
});

test("a state bucket that keeps no old versions is a problem", async () => {
  answers.GetBucketVersioning = () => ({ status: 200, body: "<VersioningConfiguration/>" });
  expect((await found())["state-bucket"]).toEqual({
    group: "Deployment",
    mark: "problem",
    text: `The state bucket ${shared.stateBucket} is not versioned.`,
    mend: "npx offline-inference bootstrap sets it right.",
  });
});

describe("the canary", () => {
  const invocation = "POST /2015-03-31/functions/the-loader/invocations";

  test("is not tried where nobody asks for it, and else by loader and writer", async () => {
    const invoked: unknown[] = [];
    for (const [address, passed] of [
      [invocation, "people may not COPY from it."],
      [invocation.replace("loader", "writer"), "the writer may change no row."],
    ] as const) {
      answers[address] = ({ body }) => {
        invoked.push(JSON.parse(body.toString()));
        return json({ passed: [passed] });
      };
    }
    expect(await found()).not.toHaveProperty("canary");
    expect(invoked).toEqual([]);
    expect((await found(["--canary"])).canary).toEqual({
      group: "Deployment",
      mark: "ok",
      text: "The warehouse does what is asked of it:",
      details: ["people may not COPY from it.", "the writer may change no row."],
    });
    expect(invoked).toEqual([{ canary: true }, { canary: true }]);
  });

  test("that fails is a problem, in Redshift's own words", async () => {
    const errorMessage = "the same again writes nothing: no. ERROR: permission denied for relation canary_results_lock";
    answers[invocation] = () =>
      json({ errorType: "CanaryFailed", errorMessage }, 200, { "x-amz-function-error": "Unhandled" });
    expect((await found(["--canary"])).canary).toMatchObject({
      mark: "problem",
      text: `The canary failed. The function the-loader failed: ${errorMessage}`,
      mend: expect.stringContaining("aws logs tail /aws/lambda/the-loader --since 1h"),
    });
  });

  test.each([
    ["that may not be invoked", refuse, "needs the permission lambda:InvokeFunction on it"],
    [
      "of an earlier version",
      () => json({ more: false }),
      "the-loader tried nothing: it is of a version before this one.",
    ],
    ["whose failure has no words", () => json({}, 200, { "x-amz-function-error": "Unhandled" }), "Its log says why."],
  ])("of a loader %s is a problem", async (_, answer, said) => {
    answers[invocation] = answer;
    expect((await found(["--canary"])).canary).toMatchObject({ mark: "problem", text: expect.stringContaining(said) });
  });

  test("is not tried where there is no pipeline", async () => {
    answers.GetParameter = () => {
      throw new AwsError("ParameterNotFound", 400, "It is not there.");
    };
    expect((await found(["--canary"])).canary).toMatchObject({
      mark: "warning",
      text: "The warehouse was not tried out: no pipeline was found.",
    });
  });
});

test("an image that is not there is a problem, with what ECR says", async () => {
  const failureReason = "Requested image not found";
  answers.BatchGetImage = () => json({ images: [], failures: [{ failureCode: "ImageNotFound", failureReason }] });
  expect((await found())["image-digest"]).toMatchObject({
    mark: "problem",
    text: `Cannot look up the image ${dev.model.image}: Requested image not found.`,
  });
});

test("an endpoint that failed says why, and where there is more", async () => {
  const FailureReason = "The container did not start.";
  answers.DescribeEndpoint = () => json({ EndpointName: "the-endpoint", EndpointStatus: "Failed", FailureReason });
  expect((await found()).endpoint).toMatchObject({
    mark: "problem",
    text: "The endpoint the-endpoint is Failed. SageMaker says: The container did not start.",
    mend: "Its log says more: aws logs tail /aws/sagemaker/Endpoints/the-endpoint --since 1d. Once it is mended: npx offline-inference deploy inference-dev",
  });
});

test("an endpoint that somebody has deleted is to be deployed again", async () => {
  answers.DescribeEndpoint = () => {
    throw new AwsError("ValidationException", 400, 'Could not find endpoint "the-endpoint".');
  };
  expect((await found()).endpoint).toMatchObject({
    mark: "problem",
    text: "The endpoint the-endpoint does not exist.",
    mend: "Deploy it again: npx offline-inference deploy inference-dev",
  });
});

test("Terraform that is not there says where to get it", async () => {
  const { terraform: tool } = await found([], { TERRAFORM_BINARY_NAME: join(folder, "no-terraform") });
  expect(tool).toMatchObject({
    mark: "problem",
    text: expect.stringMatching(/^Terraform could not be started .*ENOENT.* Is it in PATH\?$/),
    mend: "Install 1.10 or newer: https://developer.hashicorp.com/terraform/install",
  });
});

test("whoever may not look is told in each place which permission is missing", async () => {
  answers = {
    ...answers,
    ListServiceQuotas: refuse,
    GetAccountSettings: refuse,
    "GET /account": refuse,
    HeadBucket: () => ({ status: 403 }),
    [modelObject]: () => ({ status: 403 }),
    BatchGetImage: refuse,
    DescribeEndpoint: refuse,
  };
  const { credentials, pipeline, ...denied } = await found();
  expect([credentials?.mark, pipeline?.mark]).toEqual(["ok", "ok"]);
  const permissions = {
    "instance-quota": "servicequotas:ListServiceQuotas",
    "compiling-quota": "servicequotas:ListServiceQuotas",
    "api-gateway-role": "apigateway:GET",
    "lambda-concurrency": "lambda:GetAccountSettings",
    "state-bucket": "s3:ListBucket",
    "model-artifact": "s3:GetObject",
    "image-digest": "ecr:BatchGetImage",
    endpoint: "sagemaker:DescribeEndpoint",
  };
  for (const [check, permission] of Object.entries(permissions)) {
    expect(denied[check]).toMatchObject({
      mark: "problem",
      text: expect.stringContaining(`permission ${permission} `),
    });
  }
  answers.GetParameter = refuse;
  expect((await found()).pipeline?.text).toContain("needs the permission ssm:GetParameter on it");
});

const onAws = [
  "instance-quota",
  "compiling-quota",
  "lambda-concurrency",
  "api-gateway-role",
  "state-bucket",
  "model-artifact",
  "image-digest",
  "pipeline",
  "endpoint",
];

describe("nobody who is signed in", () => {
  test("is one problem, and says how to sign in; what AWS alone knows is not looked at", async () => {
    const nobody = {
      AWS_ACCESS_KEY_ID: undefined,
      AWS_SECRET_ACCESS_KEY: undefined,
      AWS_EC2_METADATA_DISABLED: "true",
    };
    const { credentials, terraform, ...others } = await found([], { ...nobody, HOME: folder });
    expect(credentials).toMatchObject({
      mark: "problem",
      text: expect.stringContaining("CredentialsProviderError"),
      mend: "aws sso login signs in again; aws configure sso or aws configure makes a profile.",
    });
    expect(terraform?.mark).toBe("ok");
    for (const check of onAws) {
      expect(others[check]).toMatchObject({
        mark: "warning",
        text: expect.stringMatching(/ was not looked at: nobody is signed in\.$/),
      });
    }
  });

  test("for AWS may be somebody in a region that the account has not enabled", async () => {
    const unknown =
      "<ErrorResponse><Error><Code>InvalidClientTokenId</Code><Message>The security token included in the request is invalid.</Message></Error></ErrorResponse>";
    answers.GetCallerIdentity = () => ({ status: 403, headers: { "content-type": "text/xml" }, body: unknown });
    expect((await found()).credentials).toMatchObject({
      mark: "problem",
      mend: expect.stringContaining("Or the account has yet to enable the region us-east-1."),
    });
  });
});

describe("without a network", () => {
  test("each thing that AWS was to be asked says so, and the tools are looked at all the same", async () => {
    const unreachable = await serve(() => json({}));
    await unreachable.stop(); // nothing listens there now
    const looked = await found([], { AWS_ENDPOINT_URL: unreachable.url });
    const { credentials, region, terraform, node, endpoint, pause, "image-patches": patches, ...others } = looked;
    expect([region, terraform, node, patches].map((one) => one?.mark)).toEqual(["ok", "ok", "ok", "warning"]);
    expect(endpoint).toMatchObject({ mark: "warning", text: "The endpoint was not looked at: no pipeline was found." });
    expect(pause).toMatchObject({ mark: "warning", text: "The cluster was not looked at: no pipeline was found." });
    expect(Object.keys(others)).toHaveLength(8);
    for (const one of [credentials, ...Object.values(others)]) {
      expect(one).toMatchObject({ mark: "problem", text: expect.stringContaining("AWS could not be reached") });
    }
  });

  test("where connections are cut, and where no answer ever comes, it ends", async () => {
    const never = new Promise<Answer>(() => {});
    for (const operation of Object.keys(answers)) answers[operation] = () => never;
    answers.GetCallerIdentity = () => {
      throw new ConnectionCut();
    };
    const { credentials, terraform, "state-bucket": bucket, ...others } = await found();
    expect(terraform?.mark).toBe("ok");
    for (const one of [credentials, bucket, ...["instance-quota", "model-artifact"].map((check) => others[check])]) {
      expect(one).toMatchObject({ mark: "problem", text: expect.stringContaining("AWS could not be reached") });
    }
  });
});

test("another region than that of config.ts is looked at, and said to be another", async () => {
  expect((await found(["--region", "eu-west-1"])).region).toMatchObject({
    mark: "warning",
    text: "The region is eu-west-1, by --region, and config.ts deploys to us-east-1.",
  });
});

describe("what config.ts says", () => {
  let checkout: Checkout;
  let written: string;
  const environment: Record<string, string | undefined> = {};
  beforeAll(async () => {
    Object.assign(environment, process.env, await signedIn(), { AWS_REGION: "eu-west-1" });
    checkout = await Checkout.on({ environment });
    written = await readFile("config.ts", "utf8");
  });
  afterAll(() => checkout.remove());

  async function foundWith(from: string, to: string) {
    expect(written).toContain(from);
    await writeFile(join(checkout.folder, "config.ts"), written.replace(from, to));
    const { status, stdout } = await checkout.cli("doctor", "--json");
    return { status, found: findings.parse(JSON.parse(stdout)) };
  }

  test("of the account is compared with the one that is signed in to, and without a region the shell names it", async () => {
    const { status, found } = await foundWith('region: "us-east-1",', 'account: "999999999999",');
    expect(status).toBe(1);
    expect(found[0]).toMatchObject({
      check: "credentials",
      mark: "problem",
      text: `You are signed in as ${arn}, and config.ts deploys to the account 999999999999 only.`,
      mend: "Sign in to that account, or name a profile that does: AWS_PROFILE, or `profile` in config.ts.",
    });
    expect(found[1]?.text).toBe("The region is eu-west-1, by AWS_REGION. AWS has images for models there.");
  });

  const existing = [
    "preventDestroy: false,",
    'preventDestroy: false, model: { endpoint: { existing: "theirs" } },',
  ] as const;

  test("of an endpoint that exists is looked at before anything is deployed, and nothing of a model", async () => {
    answers.GetParameter = () => {
      throw new AwsError("ParameterNotFound", 400, "It is not there.");
    };
    const { found } = await foundWith(...existing);
    const checks = Object.fromEntries(found.map(({ check, text }) => [check, text]));
    expect(checks).toMatchObject({
      "instance-quota": "No instance is asked for: the endpoint theirs is not made here.",
      "compiling-quota": "No model is compiled: the endpoint theirs is not made here.",
      "model-artifact": "No model artifact is needed: the endpoint theirs has its own.",
      "image-patches": "No image is chosen: the endpoint theirs has its own.",
      endpoint: "The endpoint theirs is in service.",
    });
  });

  test.each([
    [10, "ok", "SageMaker allows 10 calls at once of all serverless endpoints together: this one takes 4."],
    [3, "problem", "SageMaker allows 3 calls at once of all serverless endpoints together, and this one takes 4 ("],
  ])("on demand asks for calls at once, of which the account has %d", async (value, mark, text) => {
    const calls = "Maximum total concurrency that can be allocated across all serverless endpoints";
    answers.ListServiceQuotas = () => quotas(quota(value, calls));
    const { found } = await foundWith("warehouse: { finalSnapshot: false },", 'capacity: "on-demand",');
    const checks = Object.fromEntries(found.map(({ check, ...finding }) => [check, finding]));
    expect(checks["instance-quota"]).toMatchObject({ mark, text: expect.stringContaining(text) });
    expect(checks["compiling-quota"]?.text).toBe("No model is compiled: Serverless Inference runs it as it is.");
  });

  test("of a CPU needs no quota for compiling", async () => {
    const cpu = 'preventDestroy: false, model: { instanceType: "ml.c7i.xlarge" },';
    const { found } = await foundWith("preventDestroy: false,", cpu);
    expect(found.find(({ check }) => check === "compiling-quota")).toMatchObject({
      mark: "ok",
      text: "No model is compiled: ml.c7i.xlarge runs it as it is.",
    });
  });

  test.each([
    [theirRole, "ok", `API Gateway writes access logs as ${theirRole}, which \`apiGatewayRole: false\` leaves so.`],
    [ourRole, "warning", `API Gateway writes access logs as ${ourRole}, which the stack state takes away: `],
    [undefined, "problem", "API Gateway has no role to write access logs with in us-east-1, "],
  ])("of the role that is another team's: where API Gateway has %s it is %s", async (role, mark, text) => {
    answers["GET /account"] = () => json({ cloudwatchRoleArn: role });
    const { found } = await foundWith('prefix: "poc",', 'prefix: "poc", apiGatewayRole: false,');
    expect(found.find(({ check }) => check === "api-gateway-role")).toMatchObject({
      mark,
      text: expect.stringContaining(text),
    });
  });

  test("of an endpoint that does not exist is a problem of whoever makes it", async () => {
    answers.DescribeEndpoint = () => {
      throw new AwsError("ValidationException", 400, 'Could not find endpoint "theirs".');
    };
    const { status, found } = await foundWith(...existing);
    expect(status).toBe(1);
    expect(found.find(({ check }) => check === "endpoint")).toMatchObject({
      mark: "problem",
      text: "The endpoint theirs does not exist.",
      mend: "`model.endpoint` in config.ts names it: ask whoever makes it, or name another.",
    });
  });

  test("and is wrong is a problem with every fault, beside what the tools are", async () => {
    const { status, found } = await foundWith('prefix: "poc",', 'prefix: "POC", modelBucket: "A",');
    expect(status).toBe(1);
    expect(found.map(({ group, check, mark }) => [group, check, mark])).toEqual([
      ["Configuration", "configuration", "problem"],
      ["Tools", "terraform", "ok"],
      ["Tools", "node", "ok"],
    ]);
    expect(found[0]?.text).toMatch(/^config\.ts has 2 problems:\n.*prefix: got "POC".*\n.*modelBucket: got "A"/);
  });
});

describe("of local mode", () => {
  const others = "What else there is to look at is AWS's: local mode needs none of it.\n";
  let checkout: Checkout;
  beforeAll(async () => {
    checkout = await Checkout.on({ environment: { ...process.env } });
  });
  afterAll(() => checkout.remove());

  test("it looks at the pipeline and its endpoint, and says that the rest is AWS's", async () => {
    const pipeline = await startLocalPipeline();
    await rm(join(checkout.folder, ".local"), { recursive: true, force: true });
    await mkdir(join(checkout.folder, ".local"));
    const { configuration, environment: variables } = pipeline.aws;
    const running = { environment: "dev", namesParameter: configuration.namesParameter, variables };
    await writeFile(join(checkout.folder, ".local", "environment.json"), JSON.stringify(running));
    const { status, stdout, stderr } = await checkout.cli("doctor", "--local");
    await pipeline.stop();
    expect({ status, stderr }).toEqual({ status: 0, stderr: others });
    expect(stdout).toMatch(
      /^Local mode\n {2}✔ The pipeline is deployed, .*\n( {6}.*\n){5} {2}✔ The endpoint \S+ is in service\.\n$/,
    );
  });

  test("where none runs it says how to start one", async () => {
    await rm(join(checkout.folder, ".local"), { recursive: true, force: true });
    const { status, stdout, stderr } = await checkout.cli("doctor", "--local");
    expect({ status, stderr }).toEqual({ status: 1, stderr: others });
    expect(stdout).toBe(
      "Local mode\n  ✖ No pipeline runs on this machine. Start one, and leave it running: npm start -- --keep\n",
    );
  });
});
