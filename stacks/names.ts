import { S3Object } from "@cdktf/provider-aws/lib/s3-object";
import { SsmParameter } from "@cdktf/provider-aws/lib/ssm-parameter";
import { TerraformOutput } from "cdktf";
import type { Construct } from "constructs";
import type { Environment } from "../config";
import type { AnswersBucket } from "../constructs/answers-bucket";
import type { Bastion } from "../constructs/bastion";
import type { FeatureStore } from "../constructs/feature-store";
import type { KeyPair } from "../constructs/key-pair";
import type { Endpoint } from "../constructs/model-endpoint";
import type { PredictionApi } from "../constructs/prediction-api";
import type { QueueWorker } from "../constructs/queue-worker";
import type { ScheduledFunction } from "../constructs/scheduled-function";
import type { Warehouse } from "../constructs/warehouse";
import { contractKey } from "../contract/model-contract";

/** The parts of a pipeline that people and programs find by name. */
interface Parts {
  readonly features?: FeatureStore;
  readonly model: Endpoint;
  readonly inference: QueueWorker;
  readonly answers: AnswersBucket;
  readonly warehouse: Warehouse;
  readonly loader: ScheduledFunction;
  readonly starter: ScheduledFunction;
  readonly writer: ScheduledFunction;
  readonly api: PredictionApi;
  readonly bastion?: Bastion;
  readonly keyPair?: KeyPair;
}

/** What is an output of the stack, and a name in the parameter too. */
const namesOf = ({ features, model, inference, answers, warehouse, loader, starter, writer, api }: Parts) => ({
  queue_url: inference.queue.url,
  dead_letter_queue_url: inference.deadLetterQueue.url,
  worker_function_name: inference.worker.function.functionName,
  loader_function_name: loader.function.function.functionName,
  starter_function_name: starter.function.function.functionName,
  writer_function_name: writer.function.function.functionName,
  api_url: api.stage.invokeUrl,
  answers_bucket: answers.bucket.bucket,
  ...(features && { feature_group_name: features.group.featureGroupName }),
  endpoint_name: model.endpointName,
  ...warehouse.names,
  redshift_database_name: warehouse.databaseName,
});

/** How a tunnel to the warehouse is opened. */
const tunnelOf = ({ instance, endpoint }: Bastion, warehouse: Warehouse) => ({
  instance_id: instance.id,
  private_ip: instance.privateIp,
  endpoint_id: endpoint.id,
  endpoint_dns_name: endpoint.dnsName,
  leads_to: warehouse.address,
});

/**
 * Tells where the pipeline is: in a parameter, which whoever works with it reads without a right to read Terraform's state
 * and its secrets, and as the stack's outputs.
 * @param contractBucket where the contract is put: it may have thousands of features, and a parameter holds 4 KB
 */
export function tellNames(scope: Construct, environment: Environment, contractBucket: string, parts: Parts): void {
  const { model, warehouse, bastion, keyPair } = parts;
  const names = namesOf(parts);
  const contract = new S3Object(scope, "contract", {
    bucket: contractBucket,
    key: contractKey(environment.prefix),
    content: JSON.stringify(environment.model.contract),
    contentType: "application/json",
  });
  new SsmParameter(scope, "names", {
    name: environment.namesParameter,
    description: "Where offline-inference finds the pipeline",
    type: "String",
    insecureValue: JSON.stringify({
      ...names,
      contract_url: `s3://${contract.bucket}/${contract.key}`,
      ...warehouse.readers,
      redshift_unload_role_arn: warehouse.unloadRole.arn,
      ...(warehouse.unloadKeyId && { redshift_unload_kms_key_id: warehouse.unloadKeyId }),
      ...(bastion && { bastion: tunnelOf(bastion, warehouse) }),
      ...(environment.features && {
        record_identifier: environment.features.recordIdentifier,
        event_time: environment.features.eventTime,
      }),
    }),
  });

  const outputs = {
    ...names,
    ...(model.release !== undefined && { model_release: model.release }),
    ...(environment.capacity === "steady" && { redshift_cluster_url: warehouse.address }),
    ...(keyPair && { key_pair_name: keyPair.keyName }),
  };
  for (const [name, value] of Object.entries(outputs)) new TerraformOutput(scope, name, { value });
}
