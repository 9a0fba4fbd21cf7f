import { serve } from "../../../local/stand-in";
import { checkoutWithoutTerraform } from "../../setup/fake-terraform";

const stack = "inference-dev";
let terraform: Awaited<ReturnType<typeof checkoutWithoutTerraform>>;
beforeAll(async () => {
  terraform = await checkoutWithoutTerraform(stack, {});
});
afterAll(() => terraform.checkout.remove());

const diff = (args: string[] = [], above: Record<string, string> = {}) =>
  terraform.checkout.start(["diff", stack, ...args], { ...terraform.environment, ...above }).ended;

test("ends with the command that applies what was shown", async () => {
  const address = "aws_redshift_cluster.old";
  await terraform.plans({ address, actions: ["delete"], before: {} });
  expect(await diff(["--allow-destroy", address])).toMatchObject({
    status: 0,
    stderr: expect.stringMatching(
      `\nTo apply it: npx offline-inference deploy ${stack} --allow-destroy '${address}'\n$`,
    ),
  });
});

test("names no command where it is not safe, or nothing changes", async () => {
  await terraform.plans();
  expect((await diff()).stderr).not.toContain("To apply it");
  await terraform.plans({ address: "aws_redshift_cluster.old", actions: ["delete"], before: {} });
  const { status, stderr } = await diff();
  expect({ status, stderr }).toEqual({ status: 2, stderr: expect.not.stringContaining("To apply it") });
});

test("says that nobody is signed in before it synthesizes or plans anything", async () => {
  await terraform.plans();
  const sts = await serve(() => ({
    status: 403,
    headers: { "content-type": "text/xml" },
    body: "<ErrorResponse><Error><Code>ExpiredToken</Code><Message>The token is expired</Message></Error></ErrorResponse>",
  }));
  const { status, stdout, stderr } = await diff([], { AWS_ENDPOINT_URL_STS: sts.url });
  await sts.stop();
  expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  expect(stderr).toMatch(/^Cannot ask AWS who is signed in: ExpiredToken.*\naws sso login signs in again/);
  expect(await terraform.calls()).toEqual([]);
});
