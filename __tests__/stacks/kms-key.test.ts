import { Testing } from "cdktf";
import { z } from "zod";
import { type EnvironmentSettings, loadConfig } from "../../config";
import { InferenceStack } from "../../stacks/inference-stack";
import { StateStack } from "../../stacks/state-stack";
import { faults, settings } from "../setup/settings";
import { keyArn, synthesizedStacks } from "../setup/stacks";
import { onlyResource, resourcesOf, roleStatementsOf } from "../setup/synth";

const [shared, own] = [keyArn("shared"), keyArn("own")];

function stacksWith(environment: EnvironmentSettings, kmsKeyArn?: string) {
  const { shared, environments } = loadConfig(settings(environment, { kmsKeyArn }), {});
  if (environments.dev === undefined) throw new Error("no environment dev");
  return {
    state: Testing.synth(new StateStack(Testing.app(), "state", shared)),
    dev: Testing.synth(new InferenceStack(Testing.app(), "inference-dev", shared, environments.dev)),
  };
}

/** The key of each resource that has one, by type. */
function keysOf(json: string): Record<string, unknown[]> {
  const encryption = z.array(
    z.object({
      apply_server_side_encryption_by_default: z.object({ kms_master_key_id: z.string().optional() }),
    }),
  );
  const keys: Record<string, unknown[]> = {};
  for (const { type, attributes } of resourcesOf(json)) {
    const key = {
      aws_sqs_queue: () => attributes.kms_master_key_id,
      aws_cloudwatch_log_group: () => attributes.kms_key_id,
      aws_redshift_cluster: () => attributes.kms_key_id,
      aws_s3_bucket_server_side_encryption_configuration: () =>
        encryption.parse(attributes.rule)[0]?.apply_server_side_encryption_by_default.kms_master_key_id,
    }[type];
    if (key) keys[type] = [...(keys[type] ?? []), key()];
  }
  return keys;
}

const ofAll = (key: string | undefined) => ({
  aws_sqs_queue: Array(2).fill(key),
  aws_cloudwatch_log_group: Array(10).fill(key),
  aws_redshift_cluster: [key],
  aws_s3_bucket_server_side_encryption_configuration: [key],
});

test.each([
  ["its own", {}, own, own],
  ["that of all", { kmsKeyArn: shared }, undefined, shared],
  ["none", {}, undefined, undefined],
])("an environment encrypts queues, bucket, logs and warehouse with %s", (_, all, mine, key) => {
  const { dev } = stacksWith(
    mine === undefined ? {} : { kmsKeyArn: mine },
    "kmsKeyArn" in all ? all.kmsKeyArn : undefined,
  );
  expect(keysOf(dev)).toEqual(ofAll(key));
});

test("an environment's own key goes before that of all, which the buckets of state and models have, and what is read of these", () => {
  const { state, dev } = stacksWith({ kmsKeyArn: own }, shared);
  expect(keysOf(dev)).toEqual(ofAll(own));
  // S3 writes access logs into no bucket with another key than its own.
  expect(keysOf(state)).toEqual({ aws_s3_bucket_server_side_encryption_configuration: [undefined, shared, shared] });
  const backends = [state, dev].map((json) => JSON.parse(json).terraform.backend.s3);
  expect(backends).toEqual(Array(2).fill(expect.objectContaining({ encrypt: true, kms_key_id: shared })));
  const uses = roleStatementsOf(dev).filter(({ Action }) => Action.some((action) => action.startsWith("kms:")));
  const ofModel = uses.filter(({ address }) => address === "aws_iam_role_policy.model_execution_policy");
  expect(ofModel.map(({ Action, Resource }) => [Action, Resource])).toEqual([[["kms:Decrypt"], [shared]]]);
  expect(new Set(uses.filter((use) => !ofModel.includes(use)).flatMap(({ Resource }) => Resource))).toEqual(
    new Set([own]),
  );
});

test("who puts a message may encrypt it, who takes it may decrypt, and each right stands once", () => {
  const { dev } = stacksWith({ kmsKeyArn: own });
  const usesOf = (policy: string) =>
    roleStatementsOf(dev)
      .filter(({ address, Action }) => address.endsWith(`.${policy}`) && Action[0]?.startsWith("kms:"))
      .map(({ Action, Condition }) => [Action, Condition]);
  const encrypt = [["kms:Decrypt", "kms:GenerateDataKey"], undefined];
  const lend = [
    [["kms:DescribeKey"], undefined],
    [["kms:CreateGrant"], { Bool: { "kms:GrantIsForAWSResource": "true" } }],
  ];
  expect(usesOf("inference_worker_policy")).toEqual([encrypt]);
  expect(usesOf("starting_starter_policy")).toEqual([encrypt]);
  expect(usesOf("api_handler_policy")).toEqual(expect.arrayContaining([encrypt, ...lend]));
  expect(usesOf("api_handler_policy")).toHaveLength(3);
  expect(usesOf("warehouse_schema_policy")).toEqual(lend);
  expect(usesOf("warehouse_copy_policy")).toEqual([[["kms:Decrypt"], undefined]]);
  expect(usesOf("warehouse_unload_policy")).toEqual([encrypt]);
});

test("whoever unloads is told the key, which Redshift would not look up: loader, writer and people", () => {
  const { dev } = stacksWith({ kmsKeyArn: own });
  const told = resourcesOf(dev).flatMap(({ type, attributes }) =>
    type === "aws_lambda_function" && JSON.stringify(attributes.environment).includes('"UNLOAD_KMS_KEY_ID":"own"')
      ? [attributes.function_name]
      : [],
  );
  expect(told.sort()).toEqual(["poc-dev-bert-paraphrase-loader", "poc-dev-job-writer"]);
  const { insecure_value } = onlyResource(dev, "aws_ssm_parameter").attributes;
  expect(JSON.parse(String(insecure_value)).redshift_unload_kms_key_id).toBe("own");
});

test("without a key nothing in any stack knows one", () => {
  expect(JSON.stringify(synthesizedStacks())).not.toMatch(/kms/i);
});

test.each([
  "alias/ours",
  "arn:aws:kms:us-east-1:123456789012:alias/ours",
  "1234abcd-12ab-34cd-56ef-1234567890ab",
  "arn:aws:kms:us-east-1:123456789012:key/*",
])("a key is named by its own ARN, and not as %s", (kmsKeyArn) => {
  const allowed = `got ${JSON.stringify(kmsKeyArn)}; allowed: 1 to 256 characters: the ARN of a KMS key itself, arn:<partition>:kms:<region>:<account>:key/<id>, for roles are allowed no alias`;
  expect(faults(settings({ kmsKeyArn }))).toEqual([expect.stringContaining(`environments.dev.kmsKeyArn: ${allowed}`)]);
  expect(faults(settings({}, { kmsKeyArn }))).toEqual([expect.stringContaining(`kmsKeyArn: ${allowed}`)]);
});

test("a key is of the region where the data is", () => {
  const kmsKeyArn = keyArn("elsewhere", "eu-west-1");
  const allowed = `got "${kmsKeyArn}"; allowed: a key in us-east-1, where what it encrypts is`;
  expect(faults(settings({ kmsKeyArn }))).toEqual([expect.stringContaining(`environments.dev.kmsKeyArn: ${allowed}`)]);
  expect(faults(settings({}, { kmsKeyArn }))).toEqual([expect.stringContaining(`kmsKeyArn: ${allowed}`)]);
});
