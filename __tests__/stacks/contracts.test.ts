import { Testing } from "cdktf";
import { z } from "zod";
import { type EnvironmentSettings, loadConfig } from "../../config";
import { InferenceStack } from "../../stacks/inference-stack";
import { inventoryOf, onlyResource, resourcesOf, roleStatementsOf } from "../setup/synth";

const contract = {
  features: { age: "Integral", income: { type: "Fractional", optional: true }, city: "String" },
  request: "csv",
  answer: "json",
  outputs: { label: "text" },
} as const;
const modelBucket = "team-models";

/** The stack of an environment, told to forget addresses. */
function stackOf(dev: EnvironmentSettings = {}, forget: string[] = []): string {
  const settings = {
    project: "p",
    owner: "o",
    prefix: "poc",
    region: "us-east-1",
    stateBucket: "team-state",
    modelBucket,
  };
  const { shared, environments } = loadConfig({ ...settings, environments: { dev } });
  if (environments.dev === undefined) throw new Error("the environment must be there");
  return Testing.synth(new InferenceStack(Testing.app(), "inference-dev", shared, environments.dev, forget));
}

const blocks = z.object({
  moved: z.array(z.object({ from: z.string(), to: z.string() })).default([]),
  removed: z.array(z.object({ from: z.string(), lifecycle: z.object({ destroy: z.literal(false) }) })).default([]),
});
const leavesStateIn = (json: string) => blocks.parse(JSON.parse(json)).removed.map(({ from }) => from);
const movedIn = (json: string) => blocks.parse(JSON.parse(json)).moved.map(({ from }) => from);
const namesIn = (json: string): unknown =>
  JSON.parse(String(onlyResource(json, "aws_ssm_parameter").attributes.insecure_value));
const workerVariables = (json: string) => {
  const worker = "aws_lambda_function.inference_worker_function";
  const { environment } = resourcesOf(json).find(({ address }) => address === worker)?.attributes ?? {};
  return z.object({ variables: z.record(z.string(), z.string()) }).parse(environment).variables;
};
const groupIn = (json: string) => onlyResource(json, "aws_sagemaker_feature_group");
const group = "aws_sagemaker_feature_group.features_group";

test("commands find the contract in the bucket for models, by the parameter that names the pipeline", () => {
  const json = stackOf({ model: { contract } });
  const { bucket, key, content } = onlyResource(json, "aws_s3_object").attributes;
  expect([bucket, key]).toEqual([modelBucket, "contracts/poc-dev.json"]);
  expect(JSON.parse(String(content))).toMatchObject({
    features: [
      { name: "age", type: "Integral", optional: false },
      { name: "income", type: "Fractional", optional: true },
      { name: "city", type: "String", optional: false },
    ],
    request: "csv",
  });
  expect(namesIn(json)).toMatchObject({
    contract_url: "s3://${aws_s3_object.contract.bucket}/${aws_s3_object.contract.key}",
    feature_group_name: expect.stringContaining(`\${${group}_`),
    record_identifier: { name: "id", type: "String" },
  });
});

describe("a group of other features", () => {
  const other = stackOf({ model: { contract } });

  test("stands beside the one that was there first, which leaves the state and stays on AWS", () => {
    const { address, attributes } = groupIn(other);
    expect(address).toMatch(/\.features_group_[0-9a-f]{8}$/);
    expect(attributes.feature_group_name).toMatch(/-[0-9a-f]{8}$/);
    expect(leavesStateIn(other)).toEqual([group]);
    expect(resourcesOf(other).map((resource) => resource.address)).toContain("aws_iam_role.features_role");
  });

  test("stays where the contract changes in all but its features", () => {
    const changed = { ...contract, request: "json", answer: "text", outputs: {} } as const;
    const json = stackOf({ model: { contract: changed } });
    expect(groupIn(json)).toEqual(groupIn(other));
    expect(onlyResource(json, "aws_s3_object")).not.toEqual(onlyResource(other, "aws_s3_object"));
  });

  test("forgets what it is told to, but for what it has itself", () => {
    const forget = [groupIn(other).address, `${group}_0badcafe`];
    expect(leavesStateIn(stackOf({ model: { contract } }, forget))).toEqual([group, `${group}_0badcafe`]);
    expect(leavesStateIn(stackOf({}, forget))).toEqual(forget);
  });

  test("leaves the original's on AWS too, where that is taken over", () => {
    const json = stackOf({ takeOver: true, model: { contract } });
    expect(leavesStateIn(json)).toEqual(expect.arrayContaining([group, "aws_sagemaker_feature_group.paraphrase_fg"]));
    expect(movedIn(json)).not.toContain("aws_sagemaker_feature_group.paraphrase_fg");
  });
});

describe("without a feature group", () => {
  const json = stackOf({ features: false });

  test("there is no group and no role of one, and the one that was there stays on AWS", () => {
    const addresses = resourcesOf(json).map(({ address }) => address);
    expect(addresses.filter((address) => /features/.test(address))).toEqual([]);
    expect(leavesStateIn(json)).toEqual([group]);
  });

  test("neither worker nor commands are told of one", () => {
    const told = Object.keys(workerVariables(json));
    expect(told.filter((name) => ["FEATURE_GROUP_NAME", "RECORD_IDENTIFIER_TYPE"].includes(name))).toEqual([]);
    expect(roleStatementsOf(json).flatMap(({ Action }) => Action)).not.toContain("sagemaker:BatchGetRecord");
    expect(namesIn(json)).not.toHaveProperty("feature_group_name");
    expect(namesIn(json)).not.toHaveProperty("record_identifier");
    expect(namesIn(json)).toHaveProperty("contract_url");
    expect(JSON.parse(json).output).not.toHaveProperty("feature_group_name");
  });

  test("the original can be taken over", () => {
    const taken = stackOf({ features: false, takeOver: true });
    expect(leavesStateIn(taken)).toContain("aws_sagemaker_feature_group.paraphrase_fg");
    expect(movedIn(taken)).not.toContain("aws_iam_role.sagemaker_execution_role");
  });
});

describe("an endpoint that exists", () => {
  const existing = (variant?: string) => stackOf({ model: { contract, endpoint: { existing: "theirs", variant } } });

  test("is asked, and nothing of it is made", () => {
    const json = existing();
    expect(Object.keys(inventoryOf(json)).filter((type) => /sagemaker/.test(type))).toEqual([
      "aws_sagemaker_feature_group",
    ]);
    expect(resourcesOf(json).filter(({ address }) => /\.model_/.test(address))).toEqual([]);
    expect(workerVariables(json)).toMatchObject({ ENDPOINT_NAME: "theirs" });
    expect(workerVariables(json)).not.toHaveProperty("MODEL_RELEASE");
    expect(namesIn(json)).toMatchObject({ endpoint_name: "theirs" });
    expect(JSON.parse(json).output).not.toHaveProperty("model_release");
  });

  test("has an alarm where its variant is named, by which alone SageMaker counts", () => {
    const dimensionsIn = (json: string) =>
      resourcesOf(json)
        .filter(({ address }) => address === "aws_cloudwatch_metric_alarm.alarms_endpoint_fails")
        .map(({ attributes }) => attributes.dimensions);
    expect(dimensionsIn(existing())).toEqual([]);
    expect(dimensionsIn(existing("blue"))).toEqual([{ EndpointName: "theirs", VariantName: "blue" }]);
  });
});

test("two environments have each its own contract, group and object", () => {
  const settings = { project: "p", owner: "o", prefix: "poc", region: "us-east-1", stateBucket: "team-state" };
  const { shared, environments } = loadConfig({
    ...settings,
    environments: { dev: {}, tabular: { model: { contract } } },
  });
  const found = Object.values(environments).map((environment) => {
    const json = Testing.synth(new InferenceStack(Testing.app(), `inference-${environment.name}`, shared, environment));
    const { key, content } = onlyResource(json, "aws_s3_object").attributes;
    const defined = z.array(z.object({ feature_name: z.string() })).parse(groupIn(json).attributes.feature_definition);
    const { features } = z
      .object({ features: z.array(z.object({ name: z.string() })) })
      .parse(JSON.parse(String(content)));
    expect(defined.slice(2).map(({ feature_name }) => feature_name)).toEqual(features.map(({ name }) => name));
    return key;
  });
  expect(found).toEqual(["contracts/poc-dev.json", "contracts/poc-tabular.json"]);
});
