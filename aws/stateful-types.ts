/** What a plan may lose, as data: `npm run diff` reads it. */

const docs = "https://docs.aws.amazon.com";

/**
 * The types of resources whose loss is final or hurts, each with what is lost. Destroying or replacing one must be
 * allowed by name.
 */
export const statefulTypes: Readonly<Record<string, string>> = {
  // Data
  aws_redshift_cluster: "it holds the predictions",
  aws_redshift_subnet_group: "its cluster, with the predictions, cannot do without: another one is another cluster",
  aws_redshift_cluster_snapshot: "it is a copy of the predictions",
  aws_redshiftserverless_namespace: "it holds the predictions",
  aws_redshiftserverless_workgroup: "its address is what readers of the predictions use",
  aws_sqs_queue: "the requests or dead letters in it are gone, and its URL is what senders use",
  aws_sagemaker_feature_group: "it holds the features of every input",
  aws_s3_bucket: "it holds objects, and its name may be another's afterwards",
  aws_s3_bucket_versioning: "without it nothing that is overwritten or deleted can be brought back",
  aws_s3_object: "its content is gone, unless the bucket keeps versions",
  aws_cloudwatch_log_group: "it holds what was logged",
  aws_dynamodb_table: "it holds data",
  aws_db_instance: "it holds data",
  aws_rds_cluster: "it holds data",
  aws_ebs_volume: "it holds data",
  aws_efs_file_system: "it holds data",
  aws_kinesis_stream: "the records in it are gone",
  aws_ecr_repository: "it holds the images that models run in",
  // Keys and secrets
  aws_kms_key: "what it encrypted can never be read again",
  aws_key_pair: "who holds its private key no longer gets into new instances",
  aws_secretsmanager_secret: "the secret is gone",
  aws_cognito_user_pool: "its users are gone",
  // What others have the address of
  aws_sagemaker_endpoint: "nothing is predicted until it is made anew, which takes minutes",
  aws_api_gateway_rest_api: "its URL is what callers use",
  aws_api_gateway_stage: "its URL is what callers use",
  aws_vpc: "everything in it goes with it, the cluster too",
  aws_eip: "the address may be another's afterwards",
  aws_sns_topic: "its subscriptions are gone, each of which a person confirmed",
  aws_route53_zone: "its name servers are what the domain names",
};

/** The types whose resources Terraform makes anew, just as they were. */
export const statelessTypes: readonly string[] = [
  "aws_api_gateway_account",
  "aws_api_gateway_deployment", // but see the rules below
  "aws_api_gateway_integration",
  "aws_api_gateway_integration_response",
  "aws_api_gateway_method",
  "aws_api_gateway_method_response",
  "aws_api_gateway_method_settings",
  "aws_api_gateway_model",
  "aws_api_gateway_request_validator",
  "aws_api_gateway_resource",
  "aws_appautoscaling_policy",
  "aws_appautoscaling_scheduled_action",
  "aws_appautoscaling_target",
  "aws_budgets_budget",
  "aws_cloudwatch_composite_alarm",
  "aws_cloudwatch_dashboard",
  "aws_cloudwatch_event_rule",
  "aws_cloudwatch_event_target",
  "aws_cloudwatch_log_metric_filter",
  "aws_cloudwatch_metric_alarm",
  "aws_default_security_group",
  "aws_ec2_instance_connect_endpoint",
  "aws_iam_instance_profile",
  "aws_iam_openid_connect_provider",
  "aws_iam_policy",
  "aws_iam_policy_attachment",
  "aws_iam_role",
  "aws_iam_role_policies_exclusive",
  "aws_iam_role_policy",
  "aws_iam_role_policy_attachment",
  "aws_iam_role_policy_attachments_exclusive",
  "aws_instance", // a bastion, which keeps nothing
  "aws_internet_gateway",
  "aws_kms_alias",
  "aws_lambda_alias",
  "aws_lambda_event_source_mapping", // but see the rules below
  "aws_lambda_function",
  "aws_lambda_function_event_invoke_config",
  "aws_lambda_invocation", // what it made stays, and may be made again
  "aws_lambda_permission",
  "aws_nat_gateway",
  "aws_redshift_cluster_iam_roles",
  "aws_redshift_logging",
  "aws_redshift_parameter_group",
  "aws_redshift_snapshot_schedule",
  "aws_redshift_snapshot_schedule_association",
  "aws_redshiftdata_statement",
  "aws_redshiftserverless_usage_limit",
  "aws_route",
  "aws_route_table",
  "aws_route_table_association",
  "aws_s3_bucket_lifecycle_configuration",
  "aws_s3_bucket_logging",
  "aws_s3_bucket_ownership_controls",
  "aws_s3_bucket_policy",
  "aws_s3_bucket_public_access_block",
  "aws_s3_bucket_server_side_encryption_configuration",
  "aws_sagemaker_endpoint_configuration",
  "aws_sagemaker_model",
  "aws_scheduler_schedule",
  "aws_security_group",
  "aws_security_group_rule",
  "aws_sns_topic_policy",
  "aws_sqs_queue_policy",
  "aws_sqs_queue_redrive_allow_policy",
  "aws_sqs_queue_redrive_policy",
  "aws_ssm_parameter", // a deployment writes it anew
  "aws_subnet",
  "aws_vpc_endpoint",
  "aws_vpc_security_group_egress_rule",
  "aws_vpc_security_group_ingress_rule",
  "terraform_data",
];

/** A change that loses something though no stateful resource is destroyed. */
export type LossRule = {
  readonly type: string;
  /** Names joined by dots. Lists on the way are gone through, and the smallest of several numbers counts. */
  readonly attribute: string;
  /** What is lost. */
  readonly why: string;
} & (
  | {
      /** It changes in place to less than it was. */
      readonly when: "lowered";
      /** The attribute's values, least first. @default they are numbers */
      readonly order?: readonly string[];
      /** The value that means no end: 0, or `null` where it is left out. @default none does */
      readonly forever?: 0 | null;
    }
  /** It changes in place to a value. */
  | { readonly when: "becomes"; readonly value: string | boolean }
  /** It changes in place to nothing. */
  | { readonly when: "removed" }
  /** The resource is destroyed or replaced while the attribute has a value. */
  | { readonly when: "destroyed" }
  /** The resource is taken over from another address while the attribute has a value, changed or not. */
  | { readonly when: "moved"; readonly from: string; readonly value: string | boolean }
);

const modifyCluster = `${docs}/redshift/latest/APIReference/API_ModifyCluster.html`;
const deletesStage = "the provider deletes the live stage of that name with it, and the API with its URL is gone";

export const lossRules: readonly LossRule[] = [
  {
    type: "aws_redshift_cluster",
    attribute: "number_of_nodes",
    when: "lowered",
    why: "fewer nodes may not hold the data, and answer more slowly; the cluster is read-only meanwhile",
  },
  {
    type: "aws_redshift_cluster",
    attribute: "node_type",
    when: "lowered",
    // From DC2, which AWS retires, every RA3 is a step up: its data lies in S3 and not on the nodes.
    order: ["dc2.large", "dc2.8xlarge", "ra3.large", "ra3.xlplus", "ra3.4xlarge", "ra3.16xlarge"],
    why: "smaller nodes may not hold the data, and answer more slowly; the cluster is read-only meanwhile",
  },
  {
    type: "aws_redshift_cluster",
    attribute: "automated_snapshot_retention_period",
    when: "lowered",
    why: `AWS deletes older snapshots at once (${modifyCluster})`,
  },
  {
    type: "aws_redshift_cluster",
    attribute: "skip_final_snapshot",
    when: "becomes",
    value: true,
    why: "destroying the cluster would then leave nothing",
  },
  {
    type: "aws_sqs_queue",
    attribute: "message_retention_seconds",
    when: "lowered",
    why: `SQS deletes the messages that are older (${docs}/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html)`,
  },
  {
    type: "aws_sqs_queue",
    attribute: "redrive_policy",
    when: "removed",
    why: "what keeps failing is no longer kept apart: it ends when it expires",
  },
  {
    type: "aws_cloudwatch_log_group",
    attribute: "retention_in_days",
    when: "lowered",
    forever: 0,
    why: "older entries of the log are deleted",
  },
  {
    type: "aws_s3_bucket",
    attribute: "force_destroy",
    when: "becomes",
    value: true,
    why: "destroying the bucket would then delete every object in it",
  },
  {
    type: "aws_s3_bucket_versioning",
    attribute: "versioning_configuration.status",
    when: "becomes",
    value: "Suspended",
    why: "what is overwritten or deleted from then on cannot be brought back",
  },
  {
    type: "aws_s3_bucket_lifecycle_configuration",
    attribute: "rule.noncurrent_version_expiration.noncurrent_days",
    when: "lowered",
    forever: null,
    why: "older versions of objects are deleted",
  },
  {
    type: "aws_s3_bucket_lifecycle_configuration",
    attribute: "rule.expiration.days",
    when: "lowered",
    forever: null,
    why: "older objects are deleted",
  },
  {
    type: "aws_dynamodb_table",
    attribute: "point_in_time_recovery.enabled",
    when: "becomes",
    value: false,
    why: "the table can no longer be brought back as it was at an earlier time",
  },
  {
    type: "aws_db_instance",
    attribute: "backup_retention_period",
    when: "lowered",
    why: "older backups are deleted",
  },
  {
    type: "aws_db_instance",
    attribute: "skip_final_snapshot",
    when: "becomes",
    value: true,
    why: "destroying the database would then leave nothing",
  },
  { type: "aws_api_gateway_deployment", attribute: "stage_name", when: "destroyed", why: deletesStage },
  { type: "aws_api_gateway_deployment", attribute: "stage_name", when: "removed", why: deletesStage },
  {
    type: "aws_lambda_event_source_mapping",
    attribute: "enabled",
    when: "moved",
    from: "aws_lambda_event_source_mapping.sqs_lambda_trigger",
    value: true,
    why: "the original's function still takes requests and loses those that fail: disable the mapping before",
  },
];

/** Attributes and blocks that only types which hold something have, in the schema of a type that is in no list. */
export const signsOfState: readonly string[] = [
  "automatic_backup_retention_days",
  "backup_policy",
  "backup_retention_period",
  "delete_protection",
  "deletion_protected",
  "deletion_protection",
  "deletion_protection_enabled",
  "deletion_window_in_days",
  "enable_deletion_protection",
  "final_snapshot",
  "final_snapshot_identifier",
  "final_snapshot_name",
  "force_delete",
  "force_destroy",
  "point_in_time_recovery",
  "recovery_window_in_days",
  "restore_to_point_in_time",
  "retention_in_days",
  "retention_period",
  "skip_final_backup",
  "skip_final_snapshot",
  "snapshot_identifier",
  "snapshot_retention_limit",
  "termination_protection",
  "termination_protection_enabled",
];
