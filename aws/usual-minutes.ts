/**
 * How long AWS usually takes to make or replace what takes it longest, in minutes, by type; assumed, since AWS promises
 * none. What is in no entry takes seconds.
 */
export const usualMinutes: Readonly<Record<string, number>> = {
  aws_redshift_cluster: 10,
  aws_redshiftserverless_namespace: 2,
  aws_redshiftserverless_workgroup: 5,
  aws_sagemaker_endpoint: 10,
  aws_sagemaker_feature_group: 2,
  aws_vpc_endpoint: 3,
  aws_ec2_instance_connect_endpoint: 5,
  aws_instance: 2,
};
