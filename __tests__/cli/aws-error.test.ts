import { awsError } from "../../cli/aws-error";

const failure = (name: string, message: string, more: object = {}) => Object.assign(new Error(message), { name }, more);

test.each([
  [failure("CredentialsProviderError", "Could not load credentials from any providers"), "Sign in to AWS"],
  [failure("ExpiredToken", "The provided token has expired"), "Sign in to AWS"],
  [failure("AccessDenied", "not authorized to perform: s3:GetBucketPolicy"), "has no permission for this"],
  [failure("403", "UnknownError", { $metadata: { httpStatusCode: 403 } }), "It belongs to another account, or"],
  [failure("PermanentRedirect", "use another endpoint", { $metadata: { httpStatusCode: 301 } }), "in another region"],
  [failure("Error", "connect ECONNREFUSED 127.0.0.1:9", { code: "ECONNREFUSED" }), "AWS could not be reached"],
])("says what was tried, what AWS said, and what to do: %s", (error, advice) => {
  const { message } = awsError("look for the bucket team-state", error);
  expect(message).toMatch(/^Cannot look for the bucket team-state: /);
  expect(message).toContain(error.message === "UnknownError" ? "HTTP 403" : error.message);
  expect(message).toContain(advice);
  expect(message).not.toContain("\n");
});

test("gives no advice on what it does not know", () => {
  expect(awsError("read it", failure("SlowDown", "Reduce your request rate.")).message).toBe(
    "Cannot read it: SlowDown, Reduce your request rate.",
  );
});
