import { json, type StandIn, serve } from "../../local/stand-in";
import { Checkout } from "./checkout";
import { environment } from "./terraform";

describe("a deployment of a loader", () => {
  let checkout: Checkout;
  let lambda: StandIn;
  let invoked: unknown[];
  /** Redshift's words against it. */
  let fault: string | undefined;
  beforeAll(async () => {
    checkout = await Checkout.withTinyStack();
    lambda = await serve(({ url, body }) => {
      invoked.push([url.pathname, JSON.parse(body.toString())]);
      if (fault === undefined) return json({ passed: ["people may UNLOAD to the bucket."] });
      const failure = {
        errorType: "CanaryFailed",
        errorMessage: `the loader loads an answer and a failure: no. ${fault}`,
      };
      return json(failure, 200, { "x-amz-function-error": "Unhandled" });
    });
  });
  beforeEach(() => {
    invoked = [];
    fault = undefined;
  });
  afterAll(async () => {
    await lambda.stop();
    await checkout.remove();
  });

  /** Deploys a stack that says which loader there is, and makes it nowhere. */
  const deploy = async (input: string) => {
    const provider = {
      aws: [{ region: "us-east-1", skip_requesting_account_id: true, skip_credentials_validation: true }],
    };
    const schedule = {
      count: 0,
      name: "the-loader",
      schedule_expression: "rate(1 minute)",
      flexible_time_window: { mode: "OFF" },
      target: {
        arn: "arn:aws:lambda:us-east-1:123456789012:function:the-loader",
        role_arn: "arn:aws:iam::123456789012:role/r",
      },
    };
    await checkout.write(
      { terraform_data: { a: { input } }, aws_scheduler_schedule: { loading_schedule: schedule } },
      { provider },
    );
    const above = { AWS_ENDPOINT_URL_LAMBDA: lambda.url, AWS_ENDPOINT_URL_STS: environment.AWS_ENDPOINT_URL_STS ?? "" };
    return checkout.start(["deploy", "tiny", "--auto-approve"], above).ended;
  };

  test("ends with 0 where the warehouse does what is asked of it, and says what was tried", async () => {
    expect(await deploy("1")).toMatchObject({
      status: 0,
      stderr: expect.stringMatching(
        /Apply complete! .*[\s\S]*\nthe-loader tries out the warehouse \.\.\.\nThe warehouse does what is asked of it:\n {2}people may UNLOAD to the bucket\.\n$/,
      ),
    });
    expect(invoked).toEqual([["/2015-03-31/functions/the-loader/invocations", { canary: true }]]);
    expect((await deploy("1")).stderr).toMatch(/There is nothing to apply\.\n$/);
    expect(invoked).toHaveLength(1);
  });

  test("ends with 1 where it does not, with Redshift's own words, and stays applied", async () => {
    fault = "ERROR: permission denied for relation canary_results_lock";
    const { status, stderr } = await deploy("2");
    expect(status).toBe(1);
    expect(stderr).toContain("Apply complete! Resources: 0 added, 1 changed, 0 destroyed.");
    expect(stderr).toContain(
      `The plan is applied, and stays so; but the canary failed. The function the-loader failed: the loader loads an answer and a failure: no. ${fault}\n`,
    );
    expect(stderr).toMatch(/`offline-inference doctor --env tiny --canary` tries again\.\n$/);
    expect((await deploy("2")).stderr).toMatch(/There is nothing to apply\.\n$/);
  });
});
