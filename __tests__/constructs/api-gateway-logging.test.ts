import { ApiGatewayAccount } from "@cdktf/provider-aws/lib/api-gateway-account";
import { IamRole } from "@cdktf/provider-aws/lib/iam-role";
import { ApiGatewayLogging } from "../../constructs/api-gateway-logging";
import { onlyResource, synth } from "../setup/synth";

const logging = synth(
  (scope) => new ApiGatewayLogging(scope, "logging", { region: "eu-west-1", roleName: "logging-role" }),
);

test("API Gateway may write logs, in a role that nobody else takes on", () => {
  expect(logging).toHaveResourceWithProperties(IamRole, {
    name: "logging-role",
    assume_role_policy: expect.stringContaining('"Principal":{"Service":"apigateway.amazonaws.com"}'),
  });
  expect(logging).toHaveResourceWithProperties(ApiGatewayAccount, {
    cloudwatch_role_arn: "${aws_iam_role.logging_role.arn}",
  });
});

test("the account is told of the role when it may write, not before", () => {
  expect(onlyResource(logging, "aws_api_gateway_account").attributes.depends_on).toEqual([
    "aws_iam_role_policy_attachment.logging_policy",
  ]);
});
