import { inRole } from "../../cli/shared/reader-role";
import { operator } from "../../local/credentials";
import type { StandIn } from "../../local/stand-in";
import { startSts } from "../../local/sts";

const usual = { ...process.env };
let sts: StandIn;
beforeAll(async () => {
  sts = await startSts(["reader"]);
});
afterAll(() => sts.stop());
beforeEach(() => {
  const { accessKeyId, secretAccessKey } = operator.credentials;
  process.env = {
    ...usual,
    AWS_REGION: "us-east-1",
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_ENDPOINT_URL_STS: sts.url,
  };
});
afterAll(() => {
  process.env = usual;
});

const arn = (role: string) => `arn:aws:iam::000000000000:role/${role}`;

test("gives credentials of a role for an hour, by which its calls are known", async () => {
  const taken = await inRole(arn("reader"))();
  expect(taken).toMatchObject({ accessKeyId: "reader", sessionToken: expect.any(String) });
  const minutes = (taken.expiration.getTime() - Date.now()) / 60_000;
  expect(minutes).toBeGreaterThan(59);
  expect(minutes).toBeLessThanOrEqual(60);
});

test("refuses a role that is not for people, and the error names what is lacking", async () => {
  await expect(inRole(arn("loader"))()).rejects.toThrow(
    `Cannot take on the role ${arn("loader")}: AccessDenied, User is not authorized to perform: sts:AssumeRole on resource: ${arn("loader")}, HTTP 403. Who you are signed in as needs the permission sts:AssumeRole on ${arn("loader")}.`,
  );
  await expect(inRole("arn:aws:iam::123456789012:role/reader")()).rejects.toThrow("sts:AssumeRole");
});
