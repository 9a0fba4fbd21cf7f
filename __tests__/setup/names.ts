/** What a stack writes of a plain pipeline, which looks no features up. */
export const plainNames = {
  queue_url: "https://sqs/requests",
  dead_letter_queue_url: "https://sqs/dead",
  worker_function_name: "worker",
  loader_function_name: "loader",
  starter_function_name: "starter",
  writer_function_name: "writer",
  api_url: "https://api.execute-api.us-east-1.amazonaws.com/dev",
  answers_bucket: "team-state-dev-answers",
  endpoint_name: "theirs",
  contract_url: "s3://team-models/contracts/poc-dev.json",
  redshift_cluster_identifier: "warehouse",
  redshift_database_name: "predictions",
  redshift_reader: "reader",
  redshift_unload_role_arn: "arn:aws:iam::123456789012:role/unload",
};
