import { bastion } from "./deploy-permissions/bastion";
import { backend, s3 } from "./deploy-permissions/buckets";
import { applicationAutoScaling, sageMaker } from "./deploy-permissions/endpoint";
import { apiGateway, lambda, scheduler, sqs, ssm } from "./deploy-permissions/functions";
import { ec2 } from "./deploy-permissions/network";
import { iam } from "./deploy-permissions/roles";
import { redshift, redshiftServerless } from "./deploy-permissions/warehouse";
import { cloudWatch, logs } from "./deploy-permissions/watching";
import { reachOf, type Scope, type ServicePermissions } from "./permission";

/**
 * What Terraform needs in AWS to plan the stacks of environments, and to apply and destroy them: as data, an action at a
 * time, limited to one project or environment wherever AWS can limit. The stack `state` is not among them: a person
 * deploys it, and it makes what limits the others. AWS lists each action with the resources and conditions that it knows:
 * https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
 */

const services = [
  ...[backend, s3, iam, ec2, bastion, sqs, lambda, apiGateway, logs, cloudWatch, scheduler, ssm],
  ...[sageMaker, applicationAutoScaling, redshift, redshiftServerless],
];

/** What Terraform needs, service by service. */
export function deployPermissions(scope: Scope): ServicePermissions[] {
  const reach = reachOf(scope);
  return services.map((service) => service(reach));
}
