import { once } from "node:events";
import { createServer } from "node:http";
import { GetObjectCommand, HeadBucketCommand, HeadObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { DescribeEndpointCommand, SageMakerClient } from "@aws-sdk/client-sagemaker";
import { SendMessageBatchCommand, SQSClient } from "@aws-sdk/client-sqs";
import { z } from "zod";
import { awsError, isSignInFailure, namingActions } from "../../../cli/shared/aws-error";

const failure = (name: string, message: string, more: object = {}) => Object.assign(new Error(message), { name }, more);

test.each([
  [failure("CredentialsProviderError", "Could not load credentials from any providers"), "Sign in to AWS"],
  [failure("ExpiredToken", "The provided token has expired"), "Sign in to AWS"],
  [
    failure("AccessDenied", "Access to the resource https://sqs.us-east-1.amazonaws.com/ is denied."),
    "has no permission",
  ],
  [failure("403", "UnknownError", { $metadata: { httpStatusCode: 403 } }), "It belongs to another account, or"],
  [failure("PermanentRedirect", "use another endpoint", { $metadata: { httpStatusCode: 301 } }), "in another region"],
  [failure("Error", "connect ECONNREFUSED 127.0.0.1:9", { code: "ECONNREFUSED" }), "AWS could not be reached"],
])("says what was tried, what AWS said, and what to do: %s", (error, advice) => {
  const { message } = awsError("look for the bucket team-state", error);
  expect(message).toMatch(/^Cannot look for the bucket team-state: /);
  expect(message).toContain(error.message === "UnknownError" ? "HTTP 403" : error.message.replace(/\.$/, ""));
  expect(message).toContain(advice);
  expect(message).not.toContain("\n");
});

test("gives no advice on what it does not know", () => {
  expect(awsError("read it", failure("SlowDown", "Reduce your request rate.")).message).toBe(
    "Cannot read it: SlowDown, Reduce your request rate.",
  );
});

test("an answer that is no JSON is no reason to sign in", () => {
  const page = failure("SyntaxError", `Unexpected token '<', "<html>" is not valid JSON`);
  expect(awsError("read it", page).message).not.toContain("Sign in");
  expect(isSignInFailure(awsError("read it", page))).toBe(false);
});

test.each([
  "CredentialsProviderError",
  "ExpiredToken",
  "ExpiredTokenException",
  "InvalidClientTokenId",
  "InvalidToken",
  "MissingAuthenticationTokenException",
  "SignatureDoesNotMatch",
])("%s is a failure to sign in, by itself and in words", (name) => {
  const error = failure(name, "It cannot be.");
  expect([isSignInFailure(error), isSignInFailure(awsError("read it", error))]).toEqual([true, true]);
  expect(awsError("read it", error).message).toContain("Sign in to AWS");
});

describe("of a call that was not allowed", () => {
  const user = "User: arn:aws:sts::123456789012:assumed-role/operator/me is not authorized to perform:";
  const no = "because no identity-based policy allows the";

  // as AWS words it
  test.each([
    [
      "SQS",
      `${user} sqs:sendmessage on resource: arn:aws:sqs:eu-west-1:123456789012:requests ${no} sqs:sendmessage action`,
      "sqs:sendmessage on arn:aws:sqs:eu-west-1:123456789012:requests",
    ],
    [
      "S3",
      `${user} s3:GetObject on resource: "arn:aws:s3:::team-state/prod/terraform.tfstate" ${no} s3:GetObject action`,
      "s3:GetObject on arn:aws:s3:::team-state/prod/terraform.tfstate",
    ],
    [
      "SSM",
      `${user} ssm:GetParametersByPath on resource: arn:aws:ssm:eu-west-1:123456789012:parameter/poc/dev/ ${no} ssm:GetParametersByPath action`,
      "ssm:GetParametersByPath on arn:aws:ssm:eu-west-1:123456789012:parameter/poc/dev/",
    ],
    [
      "Redshift's Data API",
      `${user} redshift-data:ExecuteStatement on resource: arn:aws:redshift:us-east-1:123456789012:cluster:poc ${no} redshift-data:ExecuteStatement action`,
      "redshift-data:ExecuteStatement on arn:aws:redshift:us-east-1:123456789012:cluster:poc",
    ],
    [
      "Redshift",
      `${user} redshift:GetClusterCredentials on resource: arn:aws:redshift:us-east-1:123456789012:dbuser:poc/admin ${no} redshift:GetClusterCredentials action`,
      "redshift:GetClusterCredentials on arn:aws:redshift:us-east-1:123456789012:dbuser:poc/admin",
    ],
    [
      "SageMaker",
      `${user} sagemaker:InvokeEndpoint on resource: arn:aws:sagemaker:us-east-1:123456789012:endpoint/poc ${no} sagemaker:InvokeEndpoint action`,
      "sagemaker:InvokeEndpoint on arn:aws:sagemaker:us-east-1:123456789012:endpoint/poc",
    ],
    [
      "a service that names no resource",
      `${user} servicequotas:ListServiceQuotas`,
      "servicequotas:ListServiceQuotas on it",
    ],
  ])("names the permission that is missing as %s says it", (_service, said, permission) => {
    const { message } = awsError("ask it", failure("AccessDeniedException", said));
    expect(message).toMatch(/Who you are signed in as needs the permission \S+ on \S+\.$/);
    expect(message).toContain(`needs the permission ${permission}.`);
  });

  test("tells a denial from a permission that is missing", () => {
    const said = `${user} sagemaker:CreateEndpointConfig on resource: arn:aws:sagemaker:us-west-2:123456789012:endpoint-config/poc with an explicit deny in a service control policy`;
    expect(awsError("ask it", failure("AccessDeniedException", said)).message).toMatch(
      /A service control policy denies sagemaker:CreateEndpointConfig on arn:\S+, whatever else allows it\.$/,
    );
  });

  describe("where AWS does not say which", () => {
    let said: { status: number; body: string };
    const server = createServer((request, response) => {
      request.resume().on("end", () => response.writeHead(said.status).end(said.body));
    });
    beforeAll(() => once(server.listen(0, "127.0.0.1"), "listening"));
    afterAll(() => server.close());
    beforeEach(() => {
      said = { status: 403, body: "" };
    });

    const options = () => {
      const { port } = z.object({ port: z.number() }).parse(server.address());
      const credentials = { accessKeyId: "a", secretAccessKey: "s" };
      return { endpoint: `http://127.0.0.1:${port}`, region: "us-east-1", credentials, maxAttempts: 1 };
    };
    const s3 = () => namingActions(new S3Client({ ...options(), forcePathStyle: true }));
    const failureOf = (call: Promise<unknown>) =>
      call.then(
        () => "",
        (error: unknown) => awsError("ask it", error).message,
      );

    test.each([
      ["a bucket", new HeadBucketCommand({ Bucket: "b" }), "s3:ListBucket"],
      ["an object", new HeadObjectCommand({ Bucket: "b", Key: "k" }), "s3:GetObject"],
    ])("names the one that looking for %s needs", async (_what, command, permission) => {
      const client: { send(command: object): Promise<unknown> } = s3();
      expect(await failureOf(client.send(command))).toMatch(`needs the permission ${permission} on it.`);
    });

    test("names the one for an old version", async () => {
      said.body = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
      const call = s3().send(new GetObjectCommand({ Bucket: "b", Key: "k", VersionId: "v" }));
      expect(await failureOf(call)).toBe(
        "Cannot ask it: AccessDenied, Access Denied, HTTP 403. It belongs to another account, or who you are signed in as needs the permission s3:GetObjectVersion on it.",
      );
    });

    test("names the one that a call of several messages needs, as IAM writes it", async () => {
      const resource = "arn:aws:sqs:us-east-1:123456789012:requests";
      said = {
        status: 403,
        body: JSON.stringify({
          __type: "com.amazon.coral.service#AccessDeniedException",
          message: `${user} sqs:sendmessage on resource: ${resource} ${no} sqs:sendmessage action`,
        }),
      };
      const sqs = namingActions(new SQSClient(options()));
      const Entries = [{ Id: "1", MessageBody: "{}" }];
      const call = sqs.send(new SendMessageBatchCommand({ QueueUrl: `${options().endpoint}/1/requests`, Entries }));
      expect(await failureOf(call)).toMatch(new RegExp(`needs the permission sqs:SendMessage on ${resource}\\.$`));
    });

    test("names the call's own for another service", async () => {
      said = { status: 400, body: '{"__type":"AccessDeniedException"}' };
      const call = namingActions(new SageMakerClient(options())).send(
        new DescribeEndpointCommand({ EndpointName: "e" }),
      );
      expect(await failureOf(call)).toContain("needs the permission sagemaker:DescribeEndpoint on it.");
    });
  });
});
