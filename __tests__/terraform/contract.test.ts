import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { EnvironmentSettings } from "../../config";
import { modelContractSchema } from "../../contract/model-contract";
import { writtenStacks } from "../setup/stacks";
import { resourcesOf } from "../setup/synth";
import { StackFolder } from "./terraform";

type Model = NonNullable<EnvironmentSettings["model"]>;

const settings = { project: "p", owner: "o", prefix: "poc", region: "us-east-1", stateBucket: "team-state" };
/** As many features as a group has room for beside the record's identifier and event time. */
const largest = Object.fromEntries(Array.from({ length: 2_498 }, (_, place) => [`f${place}`, "Fractional" as const]));
const tabular = { features: { age: "Integral", city: "String" }, request: "csv" } as const;

/** The contract in the archive of each function, and what Terraform would make of an empty account: all, or these types. */
async function deployed(models: Record<string, Model>, ...types: string[]) {
  const environments = Object.fromEntries(Object.entries(models).map(([name, model]) => [name, { model }]));
  const stacks = await writtenStacks({ ...settings, environments });
  const found = await Promise.all(
    Object.keys(models).map(async (name) => {
      const archived = await Promise.all(
        ["inference_worker_code", "api_handler_code"].map((asset) =>
          readFile(join(stacks.folderOf(name), "assets", asset, "code", "contract.json"), "utf8"),
        ),
      );
      const stack = await StackFolder.copyOfFolder(stacks.folderOf(name));
      const synthesized = resourcesOf(await readFile(join(stack.folder, "cdk.tf.json"), "utf8"));
      const planned = synthesized.filter(({ type }) => types.includes(type)).map(({ address }) => address);
      const changes = await stack.plan(...planned);
      await stack.remove();
      return [
        name,
        { archived, made: new Map(changes.map(({ address, change }) => [address, change.after])) },
      ] as const;
    }),
  );
  await stacks.remove();
  return Object.fromEntries(found);
}

test("two environments of one configuration have two contracts, one of them as large as Feature Store allows", async () => {
  const answer = 'it\'s "so"\n${so} $${so} %{so}';
  const { small, large } = await deployed(
    {
      small: { contract: tabular, drift: { answer, share: { min: 0.1 } } },
      large: { contract: { features: largest, request: "csv" } },
    },
    "aws_s3_object",
    "aws_sagemaker_feature_group",
    "aws_cloudwatch_metric_alarm",
  );
  expect(small?.made.get("aws_cloudwatch_metric_alarm.alarms_answers_drift")?.alarm_description).toContain(
    JSON.stringify(answer), // what it is, whatever Terraform would make of it
  );
  expect([...(large?.made.keys() ?? [])]).not.toContain("aws_cloudwatch_metric_alarm.alarms_answers_drift");
  for (const [environment, count] of [
    [small, 2],
    [large, 2_498],
  ] as const) {
    const made = environment?.made ?? new Map();
    const content = made.get("aws_s3_object.contract")?.content;
    expect(environment?.archived).toEqual([content, content]); // as commands read it
    const { features } = modelContractSchema.parse(JSON.parse(String(content)));
    expect(features).toHaveLength(count);
    const groups = [...made].filter(([address]) => address.startsWith("aws_sagemaker_feature_group."));
    expect(groups.map(([, after]) => after?.feature_definition)).toEqual([
      [
        { collection_config: [], collection_type: null, feature_name: "id", feature_type: "String" },
        { collection_config: [], collection_type: null, feature_name: "event_time", feature_type: "String" },
        ...features.map(({ name, type }) => expect.objectContaining({ feature_name: name, feature_type: type })),
      ],
    ]);
  }
  expect(large?.made.get("aws_s3_object.contract")?.key).toBe("contracts/poc-large.json");
});

test("an unchanged contract changes nothing, and a changed one the object and the code of the functions that know it", async () => {
  const [before, again, changed] = await Promise.all(
    [tabular, tabular, { ...tabular, answer: "json" as const }].map(
      async (contract) => (await deployed({ dev: { contract } })).dev?.made,
    ),
  );
  expect(again).toEqual(before);
  const different = [...(changed ?? [])].flatMap(([address, after]) =>
    JSON.stringify(after) === JSON.stringify(before?.get(address)) ? [] : [address],
  );
  expect(different).toEqual([
    "aws_lambda_function.api_handler_function",
    "aws_lambda_function.inference_worker_function",
    "aws_lambda_function.starting_starter_function",
    "aws_lambda_function.writing_writer_function",
    "aws_s3_object.contract",
  ]);
});

test("the group that was there before other features is forgotten, and nothing is destroyed", async () => {
  const name = "poc-dev-group";
  const attributes = {
    id: name,
    arn: `arn:aws:sagemaker:us-east-1:123456789012:feature-group/${name}`,
    feature_group_name: name,
    record_identifier_feature_name: "id",
    event_time_feature_name: "event_time",
    role_arn: "arn:aws:iam::123456789012:role/poc-dev-role",
  };
  for (const dev of [{ model: { contract: tabular } }, { features: false as const }]) {
    const stacks = await writtenStacks({ ...settings, environments: { dev } }); // with `preventDestroy`, as by default
    const stack = await StackFolder.copyOfFolder(stacks.folderOf("dev"));
    await stack.holdState([{ type: "aws_sagemaker_feature_group", name: "features_group", attributes }]);
    const changes = await stack.plan();
    await Promise.all([stack.remove(), stacks.remove()]);
    expect(changes.filter(({ change }) => change.actions.join() !== "create")).toEqual([
      expect.objectContaining({
        address: "aws_sagemaker_feature_group.features_group",
        change: expect.objectContaining({ actions: ["forget"] }),
      }),
    ]);
  }
});
