import type { ApiGatewayStage } from "@cdktf/provider-aws/lib/api-gateway-stage";
import type { CloudwatchLogGroup } from "@cdktf/provider-aws/lib/cloudwatch-log-group";
import { DataAwsCloudwatchLogGroups } from "@cdktf/provider-aws/lib/data-aws-cloudwatch-log-groups";
import { TerraformResource, type TerraformStack } from "cdktf";

/** Old addresses by the new ones they got. */
type Moves = Readonly<Record<string, string>>;

/**
 * The moved table: where a resource that was renamed here was before, by stack. A renamed construct id is another
 * address, and Terraform would destroy the one resource and make another; an entry here tells it that they are the same.
 * Entries stay, since somewhere a state may still have the old address.
 */
export const renamed: Readonly<Record<"state" | "inference", Moves>> = { state: {}, inference: {} };

/** What becomes of a resource of the original: it goes on under an address of this project, or else for what reason not. */
export type Fate =
  | { readonly to: string }
  /** Nothing is lost by it. */
  | { readonly destroyed: string }
  /** It leaves the state without being destroyed. */
  | { readonly forgotten: string };

/** The address of a feature group whose name carries no contract. */
export const featureGroup = "aws_sagemaker_feature_group.features_group";

/**
 * Who changes a role reads its inline policies, first their names and then each: the provider fails where one is
 * destroyed in between. So they are taken off after the role has changed.
 */
const noPermission =
  "the function is handed just the permissions that it uses, in one policy of its role's; " +
  "aws_iam_role_policies_exclusive takes off all others";

/** Every resource of the original, and what becomes of it. */
export const originalResources: Readonly<Record<string, Fate>> = {
  "aws_api_gateway_rest_api.rest_api": { to: "aws_api_gateway_rest_api.api_rest_api" },
  "aws_api_gateway_resource.api_resource": { to: "aws_api_gateway_resource.api_proxy" },
  "aws_api_gateway_resource.predict_resource": { to: "aws_api_gateway_resource.api_predict" },
  "aws_api_gateway_resource.predict_id_resource": { to: "aws_api_gateway_resource.api_predict_id" },
  "aws_api_gateway_method.api_method": { to: "aws_api_gateway_method.api_any_proxy" },
  "aws_api_gateway_method.predict_id_get": { to: "aws_api_gateway_method.api_get_predict_id" },
  "aws_api_gateway_integration.api_integration": {
    forgotten:
      "its method towards Lambda must change, for which Terraform would make the new one and then destroy it as the " +
      "old; aws_api_gateway_integration.api_any_proxy_integration overwrites it",
  },
  "aws_api_gateway_integration.predict_id_integration": {
    to: "aws_api_gateway_integration.api_get_predict_id_integration",
  },
  "aws_api_gateway_deployment.stage": {
    forgotten: "it made the stage, and the provider would delete the stage with it; the stage is imported instead",
  },
  "aws_lambda_permission.apigw_lambda": { destroyed: "the API has a function of its own, and the right to call it" },
  "aws_lambda_permission.apigw_lambda_predict_id": {
    destroyed: "the API has a function of its own, and the right to call it",
  },
  "aws_lambda_function.inference_lambda_function": { to: "aws_lambda_function.inference_worker_function" },
  "aws_lambda_event_source_mapping.sqs_lambda_trigger": { to: "aws_lambda_event_source_mapping.inference_delivery" },
  "aws_sqs_queue.inference_queue": { to: "aws_sqs_queue.inference_queue" },
  "aws_iam_role.lambda_role": { to: "aws_iam_role.inference_worker_role" },
  "aws_iam_role_policy.cloudwatch_put_metric_data_policy": { forgotten: noPermission },
  "aws_iam_role_policy.lambda_logs_policy": { forgotten: noPermission },
  "aws_iam_role_policy.lambda_sagemaker_featurestore_policy": { forgotten: noPermission },
  "aws_iam_role_policy.lambda_sagemaker_policy": { forgotten: noPermission },
  "aws_iam_role_policy.lambda_sqs_policy": { forgotten: noPermission },
  "aws_iam_policy_attachment.redshift_data_access": {
    forgotten:
      "it holds every role of the account that has AmazonRedshiftFullAccess, and destroying it would take the policy " +
      "from all of them; the worker's role alone is rid of it, by aws_iam_role_policy_attachments_exclusive",
  },
  "aws_sagemaker_feature_group.paraphrase_fg": { to: featureGroup },
  "aws_iam_role.sagemaker_execution_role": { to: "aws_iam_role.features_role" }, // another role would replace the group
  "aws_iam_policy.sagemaker_execution_role_policy": { destroyed: "Feature Store needs none without an offline store" },
  "aws_iam_role_policy_attachment.sagemaker_execution_role_policy_attachment": {
    destroyed: "its policy is, and the model has a role of its own",
  },
  "aws_sagemaker_model.paraphrase_model": { to: "aws_sagemaker_model.model_model" },
  "aws_sagemaker_endpoint_configuration.ec": { to: "aws_sagemaker_endpoint_configuration.model_configuration" },
  "aws_sagemaker_endpoint.paraphrase_endpoint": { to: "aws_sagemaker_endpoint.model_endpoint" },
  "aws_redshift_cluster.redshift_feature_store": { to: "aws_redshift_cluster.warehouse_cluster" },
  "aws_redshift_subnet_group.redshift_subnet_group": { to: "aws_redshift_subnet_group.warehouse_subnet_group" },
  "aws_security_group.redshift_sg": { to: "aws_security_group.warehouse_security_group" },
  "aws_iam_role.redshift_role": { destroyed: "it had no permission" },
  "aws_redshift_cluster_iam_roles.redshift_cluster_role": { destroyed: "the role that it lends had no permission" },
  "aws_vpc.deployment_vpc": { to: "aws_vpc.network_vpc" },
  "aws_subnet.public_subnet": { to: "aws_subnet.network_private_subnet_1" },
  "aws_route_table.public_route_table": { to: "aws_route_table.network_route_table" },
  "aws_route_table_association.public_subnet_association": {
    to: "aws_route_table_association.network_private_subnet_1_routes",
  },
  "aws_internet_gateway.igw": { destroyed: "the network is private" },
};

/** What a takeover needs to know of the stack. */
export interface TakenOver {
  /** Where something is that the table above has elsewhere, by that address: a released model has another. */
  readonly elsewhere: Moves;
  /** Ids of the constructs that the stack does without: what the original has of them is destroyed, or forgotten. */
  readonly without: readonly string[];
  /** Exists, and the original's state did not hold it, since its deployment made it. */
  readonly stage: ApiGatewayStage;
  /** Exist if the endpoint and the function ever ran, which made them. */
  readonly logs: readonly CloudwatchLogGroup[];
}

/**
 * Tells Terraform what was renamed and, where the original is taken over, what becomes of its resources and what else
 * is there. All of it may stay for good: what is in the state by then is left alone.
 * @param forgotten addresses that leave the state while AWS keeps what is there, unless the stack has them
 * @throws when something would move to an address that the stack does not have
 */
export function writeMoves(
  stack: TerraformStack,
  renames: Moves,
  original?: TakenOver,
  forgotten: readonly string[] = [],
) {
  const fates = Object.entries(original ? originalResources : {});
  const moves = Object.entries(renames);
  const addresses = stack.node.findAll().filter(TerraformResource.isTerraformResource).map(addressOf);
  const left = new Set(forgotten.filter((address) => !addresses.includes(address)));
  const leadsOn = (to: string) => addresses.includes(to) || to in renames;
  for (const [from, fate] of fates) {
    if (!("to" in fate)) continue;
    const to = leadsOn(fate.to) ? fate.to : (original?.elsewhere[fate.to] ?? fate.to);
    const isLeftOut = !leadsOn(to) && original?.without.some((id) => to.includes(`.${id}_`));
    if (left.has(to)) left.add(from);
    else if (to !== from && !isLeftOut) moves.push([from, to]);
  }
  for (const [from, to] of moves) {
    if (leadsOn(to)) continue;
    throw new Error(`stacks/moved.ts moves ${from} to ${to}, which ${stack.node.id} does not have`);
  }
  for (const [from, fate] of fates) if ("forgotten" in fate) left.add(from);
  const blocks = {
    moved: moves.map(([from, to]) => ({ from, to })),
    removed: [...left].map((from) => ({ from, lifecycle: { destroy: false } })),
    import: original ? importsOf(stack, original) : [],
  };
  for (const [block, all] of Object.entries(blocks)) if (all.length > 0) stack.addOverride(block, all);
}

function importsOf(stack: TerraformStack, { stage, logs }: TakenOver) {
  const ifThere = logs.map((log) => {
    const found = new DataAwsCloudwatchLogGroups(stack, `${log.friendlyUniqueId}_found`, {
      logGroupNamePrefix: log.nameInput,
    });
    const names = `data.aws_cloudwatch_log_groups.${found.friendlyUniqueId}.log_group_names`;
    const itself = `\${toset([for name in ${names} : name if name == "${log.nameInput}"])}`;
    return { to: addressOf(log), for_each: itself, id: "${each.value}" };
  });
  return [{ to: addressOf(stage), id: `${stage.restApiIdInput}/${stage.stageNameInput}` }, ...ifThere];
}

const addressOf = (resource: TerraformResource) => `${resource.terraformResourceType}.${resource.friendlyUniqueId}`;
