import { ApiGatewayAccount } from "@cdktf/provider-aws/lib/api-gateway-account";
import { IamRole } from "@cdktf/provider-aws/lib/iam-role";
import { IamRolePolicyAttachment } from "@cdktf/provider-aws/lib/iam-role-policy-attachment";
import { Construct } from "constructs";
import { arnIn } from "../aws/partitions";
import { trustPolicy } from "./access";

/**
 * Lets API Gateway write access logs. There is one such setting for an account in a region, so it must be made once,
 * by the stack that is deployed once, and only where no other team has made it. It stays set where this is taken away.
 */
export class ApiGatewayLogging extends Construct {
  constructor(scope: Construct, id: string, props: { readonly region: string; readonly roleName: string }) {
    super(scope, id);
    const role = new IamRole(this, "role", {
      name: props.roleName,
      assumeRolePolicy: trustPolicy("apigateway.amazonaws.com"),
    });
    const attachment = new IamRolePolicyAttachment(this, "policy", {
      role: role.name,
      // AWS's own policy for just this (https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html).
      policyArn: arnIn(props.region, "iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"),
    });
    new ApiGatewayAccount(this, "account", { cloudwatchRoleArn: role.arn, dependsOn: [attachment] });
  }
}
