import { json, type StandIn, serve } from "../../../local/stand-in";
import { checkoutWithoutTerraform } from "../../setup/fake-terraform";

const stack = "inference-dev";
let terraform: Awaited<ReturnType<typeof checkoutWithoutTerraform>>;
let lambda: StandIn;
let invoked: unknown[];
/** Redshift's words against what is tried. */
let fault: string | undefined;
beforeAll(async () => {
  terraform = await checkoutWithoutTerraform(stack, {
    resource: {
      aws_scheduler_schedule: {
        loading_schedule: { name: "the-loader" },
        starting_schedule: { name: "the-starter" },
        writing_schedule: { name: "the-writer" },
      },
    },
  });
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
  await terraform.checkout.remove();
});

const deploy = () => {
  const above = { AWS_ENDPOINT_URL_LAMBDA: lambda.url, ...terraform.environment };
  return terraform.checkout.start(["deploy", stack, "--auto-approve"], above).ended;
};
const told = async () => (await terraform.calls()).map((line) => line.split(" ")[0]);
const change = { address: "aws_iam_role.new", actions: ["create"] };

test("what is applied is proved by the canary, and what was tried is said", async () => {
  await terraform.plans(change);
  const { status, stderr } = await deploy();
  expect({ status, stderr }).toEqual({
    status: 0,
    stderr: expect.stringMatching(
      /the-loader tries out the warehouse \.\.\.\nthe-writer tries out the warehouse \.\.\.\nThe warehouse does what is asked of it:\n( {2}people may UNLOAD to the bucket\.\n){2}$/,
    ),
  });
  expect(invoked).toEqual(
    ["loader", "writer"].map((name) => [`/2015-03-31/functions/the-${name}/invocations`, { canary: true }]),
  );
  expect((await told()).at(-1)).toBe("apply");
});

test("where the canary fails it ends with 1 and Redshift's own words, and with what to do", async () => {
  await terraform.plans(change);
  fault = "ERROR: permission denied for relation canary_results_lock";
  const { status, stderr } = await deploy();
  expect(status).toBe(1);
  expect(stderr).toContain(
    `The plan is applied, and stays so; but the canary failed. The function the-loader failed: the loader loads an answer and a failure: no. ${fault}\n`,
  );
  expect(stderr).toMatch(/`npx offline-inference doctor --canary --env dev` tries again\.\n$/);
  expect((await told()).at(-1)).toBe("apply");
});

test("where nothing is applied nothing is invoked", async () => {
  await terraform.plans();
  expect(await deploy()).toMatchObject({ status: 0, stderr: expect.stringMatching(/There is nothing to apply\.\n$/) });
  expect(invoked).toEqual([]);
});
