import { CloudwatchLogGroup } from "@cdktf/provider-aws/lib/cloudwatch-log-group";
import { RedshiftCluster } from "@cdktf/provider-aws/lib/redshift-cluster";
import { SqsQueue } from "@cdktf/provider-aws/lib/sqs-queue";
import { Testing } from "cdktf";
import { z } from "zod";
import { loadConfig } from "../../config";
import { labelOf } from "../../config/contract";
import { defaultContract } from "../../config/default-model";
import { type EnvironmentReleases, type Release, type Releases, releaseId } from "../../config/releases";
import { ReadableStack } from "../../constructs/addresses";
import { InferenceStack } from "../../stacks/inference-stack";
import { originalResources, writeMoves } from "../../stacks/moved";
import { resourcesOf } from "../setup/synth";

function synthesized(takeOver: string[], releases: Releases = {}) {
  const { shared, environments } = loadConfig(undefined, {}, takeOver, releases);
  const { dev } = environments;
  if (!dev) throw new Error("no environment dev");
  return Testing.synth(new InferenceStack(Testing.app(), "inference-dev", shared, dev));
}

const blocks = z.object({
  moved: z.array(z.object({ from: z.string(), to: z.string() })).default([]),
  removed: z.array(z.object({ from: z.string(), lifecycle: z.object({ destroy: z.boolean() }) })).default([]),
  import: z.array(z.object({ to: z.string(), id: z.string(), for_each: z.string().optional() })).default([]),
});
const takenOver = synthesized(["dev"]);
const { moved, removed, import: imported } = blocks.parse(JSON.parse(takenOver));
const addresses = resourcesOf(takenOver).map(({ address }) => address);

test("nothing is moved, forgotten or imported in an environment of its own", () => {
  expect(blocks.parse(JSON.parse(synthesized([])))).toEqual({ moved: [], removed: [], import: [] });
});

test("each of the original's 38 resources goes on here, or it is said why not", () => {
  const fates = Object.values(originalResources);
  const count = (fate: string) => fates.filter((it) => fate in it).length;
  expect([fates.length, count("to"), count("destroyed"), count("forgotten")]).toEqual([38, 23, 7, 8]);
});

test("moves lead to resources of the same type, one to each, and none to itself", () => {
  expect(moved).toHaveLength(22); // the queue has the same address in both
  for (const { from, to } of moved) {
    expect(addresses).toContain(to);
    expect(to.split(".")[0]).toBe(from.split(".")[0]);
    expect(to).not.toBe(from);
  }
  expect(new Set(moved.map(({ to }) => to)).size).toBe(moved.length);
  expect(addresses).toContain("aws_sqs_queue.inference_queue");
});

describe("where a model was released", () => {
  const release = (letter: string): Release => ({
    artifact: { bucket: "our-models", key: `${letter}.tar.gz`, sha256: letter.repeat(64) },
    kind: "inf1-torch-neuron",
    contract: labelOf(defaultContract),
    verified: true,
  });
  const [a, b] = [release("a"), release("b")];
  const movedIn = (json: string) =>
    blocks.parse(JSON.parse(json)).moved.filter(({ to }) => /^aws_sagemaker_(model|endpoint_configuration)\./.test(to));
  const withoutRelease = [
    "aws_sagemaker_model.model_model",
    "aws_sagemaker_endpoint_configuration.model_configuration",
  ];
  const of = (release: Release) => withoutRelease.map((address) => `${address}_${releaseId(release)}`);
  const originals = ["aws_sagemaker_model.paraphrase_model", "aws_sagemaker_endpoint_configuration.ec"];
  const pairs = (from: string[], to: string[]) => from.map((address, index) => ({ from: address, to: to[index] }));

  test("the first one takes the place of what config.ts describes", () => {
    expect(movedIn(synthesized([], { dev: { current: a } }))).toEqual(pairs(withoutRelease, of(a)));
  });

  test("nothing moves where the one before stays, be it what config.ts describes", () => {
    expect(movedIn(synthesized([], { dev: { current: a, previous: "config.ts" } }))).toEqual([]);
    expect(movedIn(synthesized([], { dev: { current: b, previous: a } }))).toEqual([]);
  });

  test.each<[string, EnvironmentReleases, { from: string; to: string | undefined }[]]>([
    ["the first", { current: a }, [...pairs(withoutRelease, of(a)), ...pairs(originals, withoutRelease)]],
    ["one beside what config.ts describes", { current: a, previous: "config.ts" }, pairs(originals, withoutRelease)],
    ["one beside another", { current: b, previous: a }, pairs(originals, of(b))],
  ])("the original's model and endpoint configuration go on: %s", (_, dev, expected) => {
    const found = movedIn(synthesized(["dev"], { dev }));
    expect(found).toHaveLength(expected.length);
    expect(found).toEqual(expect.arrayContaining(expected));
  });
});

test("what Terraform would break by destroying it leaves the state and stays on AWS", () => {
  expect(removed).toEqual(
    [
      "aws_api_gateway_integration.api_integration",
      "aws_api_gateway_deployment.stage",
      "aws_iam_role_policy.cloudwatch_put_metric_data_policy",
      "aws_iam_role_policy.lambda_logs_policy",
      "aws_iam_role_policy.lambda_sagemaker_featurestore_policy",
      "aws_iam_role_policy.lambda_sagemaker_policy",
      "aws_iam_role_policy.lambda_sqs_policy",
      "aws_iam_policy_attachment.redshift_data_access",
    ].map((from) => ({ from, lifecycle: { destroy: false } })),
  );
});

test("the stage is imported, and so are the logs that are there", () => {
  expect(imported).toEqual([
    { to: "aws_api_gateway_stage.api_stage", id: "${aws_api_gateway_rest_api.api_rest_api.id}/dev" },
    ...["model", "inference_worker"].map((owner) => ({
      to: `aws_cloudwatch_log_group.${owner}_log`,
      for_each: expect.stringContaining(`data.aws_cloudwatch_log_groups.${owner}_log_found.log_group_names`),
      id: "${each.value}",
    })),
  ]);
  expect(takenOver).toHaveResourceWithProperties(CloudwatchLogGroup, {
    name: "/aws/lambda/poc-dev-bert-paraphrase-tf",
  });
});

test("the cluster keeps its nodes at first, and the queue its name", () => {
  expect(takenOver).toHaveResourceWithProperties(RedshiftCluster, {
    number_of_nodes: 1,
    lifecycle: expect.objectContaining({ ignore_changes: ["database_name", "node_type"] }),
  });
  expect(takenOver).toHaveResourceWithProperties(SqsQueue, { name: "poc-dev-inference_queue" });
});

describe("the moved table", () => {
  const stack = () => {
    const made = new ReadableStack(Testing.app(), "small");
    new SqsQueue(made, "requests", {});
    return made;
  };

  test("leads on where a resource was renamed more than once", () => {
    const made = stack();
    writeMoves(made, {
      "aws_sqs_queue.first": "aws_sqs_queue.second",
      "aws_sqs_queue.second": "aws_sqs_queue.requests",
    });
    expect(blocks.parse(JSON.parse(Testing.synth(made))).moved).toEqual([
      { from: "aws_sqs_queue.first", to: "aws_sqs_queue.second" },
      { from: "aws_sqs_queue.second", to: "aws_sqs_queue.requests" },
    ]);
  });

  test("is refused where it leads to nothing", () => {
    expect(() => writeMoves(stack(), { "aws_sqs_queue.first": "aws_sqs_queue.gone" })).toThrow(
      "stacks/moved.ts moves aws_sqs_queue.first to aws_sqs_queue.gone, which small does not have",
    );
  });
});
