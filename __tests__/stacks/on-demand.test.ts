import { Testing } from "cdktf";
import { z } from "zod";
import { loadConfig } from "../../config";
import { atRest, costOf, perMillion, trickle, wakeUp } from "../../config/cost";
import { InferenceStack } from "../../stacks/inference-stack";
import { faults, settings } from "../setup/settings";
import { synthesizedStacks } from "../setup/stacks";
import { inventoryOf, onlyResource, resourcesOf, roleStatementsOf } from "../setup/synth";

const environmentOf = (environment: object = {}, shared: object = {}) => {
  const loaded = loadConfig(settings({ capacity: "on-demand", ...environment }, shared), {});
  const { dev } = loaded.environments;
  if (dev === undefined) throw new Error("no environment dev");
  return { shared: loaded.shared, dev };
};
const synthesized = (environment?: object, shared?: object) => {
  const { shared: all, dev } = environmentOf(environment, shared);
  return Testing.synth(new InferenceStack(Testing.app(), "inference-dev", all, dev));
};
const json = synthesized();
const only = (type: string) => onlyResource(json, type).attributes;
const variablesOf = (address: string) => {
  const { attributes } = resourcesOf(json).find((resource) => resource.address === address) ?? {};
  return z.object({ variables: z.record(z.string(), z.string()) }).parse(attributes?.environment).variables;
};

describe("an environment on demand", () => {
  test("has Redshift Serverless in the place of a cluster, a third subnet, and people's role; all else is the same", () => {
    const {
      aws_redshift_cluster,
      aws_redshift_logging,
      aws_redshift_parameter_group,
      aws_redshift_subnet_group,
      ...rest
    } = inventoryOf(synthesizedStacks()["inference-dev"] ?? "{}");
    expect(inventoryOf(json)).toEqual({
      ...rest,
      aws_redshiftserverless_namespace: 1,
      aws_redshiftserverless_workgroup: 1,
      aws_redshiftserverless_usage_limit: 1,
      aws_subnet: 3,
      aws_route_table_association: 3,
      aws_iam_role: Number(rest.aws_iam_role) + 1,
      aws_iam_role_policy: Number(rest.aws_iam_role_policy) + 1,
    });
  });

  test("answers by SageMaker Serverless Inference, without what that cannot do", () => {
    expect(only("aws_sagemaker_endpoint_configuration")).toMatchObject({
      name: expect.stringMatching(/-on-demand-[0-9a-f]{8}$/),
      production_variants: [{ serverless_config: { memory_size_in_mb: 4096, max_concurrency: 4 } }],
    });
    const text = JSON.stringify(only("aws_sagemaker_endpoint_configuration"));
    expect(text).not.toMatch(/instance|data_capture/);
    expect(only("aws_sagemaker_endpoint").name).toBe("poc-dev-paraphrase-bert-en-endpoint-on-demand");
    expect(only("aws_sagemaker_endpoint")).not.toHaveProperty("deployment_config");
    expect(only("aws_sagemaker_model")).not.toHaveProperty("enable_network_isolation");
    expect(JSON.stringify(only("aws_sagemaker_model"))).toContain('"SAGEMAKER_MODEL_SERVER_WORKERS":"1"');
  });

  test("keeps predictions in a private workgroup of the least size, with a fuse", () => {
    expect(only("aws_redshiftserverless_namespace")).toMatchObject({
      namespace_name: "poc-dev-predictions-on-demand",
      db_name: "predictions",
      admin_username: "admin",
      manage_admin_password: true,
      log_exports: ["connectionlog", "userlog"],
    });
    expect(only("aws_redshiftserverless_workgroup")).toMatchObject({
      workgroup_name: "poc-dev-predictions-on-demand",
      base_capacity: 4,
      publicly_accessible: false,
      enhanced_vpc_routing: true,
      subnet_ids: [1, 2, 3].map((place) => `\${aws_subnet.network_private_subnet_${place}.id}`),
    });
    expect(only("aws_security_group")).toMatchObject({ ingress: [] });
    expect(only("aws_redshiftserverless_usage_limit")).toMatchObject({
      usage_type: "serverless-compute",
      amount: 100,
      period: "monthly",
      breach_action: "deactivate",
    });
    const logs = resourcesOf(json).filter(({ address }) => /_log_group\.warehouse_(connection|user)log$/.test(address));
    expect(logs.map(({ attributes }) => attributes.name)).toEqual(
      ["connectionlog", "userlog"].map((log) => `/aws/redshift/poc-dev-predictions-on-demand/${log}`),
    );
    const [frankfurt] = resourcesOf(synthesized({}, { region: "eu-central-1" })).filter(
      ({ type }) => type === "aws_redshiftserverless_workgroup",
    );
    expect(frankfurt?.attributes.base_capacity).toBe(8); // which has no 4
  });

  test("tells its functions of a workgroup and never of a cluster", () => {
    const told = resourcesOf(json).flatMap(({ type, address }) =>
      type === "aws_lambda_function" && /api|loader|writer|schema/.test(address) ? [variablesOf(address)] : [],
    );
    expect(told).toHaveLength(4);
    for (const variables of told) {
      expect(variables.WORKGROUP_NAME).toBe("${aws_redshiftserverless_workgroup.warehouse_workgroup.workgroup_name}");
      expect(variables).not.toHaveProperty("CLUSTER_ID");
    }
    const schema = variablesOf("aws_lambda_function.warehouse_schema_function");
    expect(schema).not.toHaveProperty("ADMIN_USER");
    expect(schema.ADMIN_SECRET_ARN).toBe(
      "${aws_redshiftserverless_namespace.warehouse_namespace.admin_password_secret_arn}",
    );
    const loader = variablesOf("aws_lambda_function.loading_loader_function");
    expect([loader.LOAD_EVERY_MINUTES, loader.READER]).toEqual(["60", undefined]);
    expect(variablesOf("aws_lambda_function.inference_worker_function")).toMatchObject({
      ENDPOINT_CALL_SECONDS: "60",
      ENDPOINT_CONCURRENCY: "2",
      LARGEST_BODY_BYTES: "4194304",
    });
  });

  test("lets people read by a role, which is the database user that may unload", () => {
    const { attributes } = resourcesOf(json).find(({ address }) => address.endsWith("warehouse_reader_role")) ?? {};
    expect(JSON.parse(String(attributes?.assume_role_policy)).Statement).toEqual([
      {
        Effect: "Allow",
        Action: "sts:AssumeRole",
        Principal: { AWS: "arn:aws:iam::${data.aws_caller_identity.account.account_id}:root" },
      },
    ]);
    const workgroup = ["${aws_redshiftserverless_workgroup.warehouse_workgroup.arn}"];
    expect(roleStatementsOf(json).filter(({ address }) => address.endsWith("warehouse_reader_policy"))).toMatchObject([
      { Action: ["redshift-data:ExecuteStatement"], Resource: workgroup },
      { Action: ["redshift-serverless:GetCredentials"], Resource: workgroup },
      { Action: expect.arrayContaining(["redshift-data:GetStatementResult"]), Condition: expect.anything() },
    ]);
    const { statements } = z
      .object({ statements: z.array(z.string()) })
      .parse(JSON.parse(String(only("aws_lambda_invocation").input)));
    expect(statements).toContain("CALL admit_user('IAMR:poc-dev-WarehouseReaderRole', FALSE)");
    expect(statements.find((sql) => sql.includes('"IAMR:poc-dev-WarehouseReaderRole" FOR UNLOAD'))).toBeDefined();
    expect(statements.join()).not.toContain("predictions_reader");
    expect(JSON.stringify(only("aws_ssm_parameter"))).toContain("redshift_reader_role_arn");
  });

  test("hides a message for six times as long as a worker may wait for a model that starts", () => {
    const worker = resourcesOf(json).find(({ address }) => address === "aws_lambda_function.inference_worker_function");
    const queue = resourcesOf(json).find(({ address }) => address === "aws_sqs_queue.inference_queue");
    expect([worker?.attributes.timeout, queue?.attributes.visibility_timeout_seconds]).toEqual([400, 2_400]);
  });

  test("looks for work every third minute", () => {
    const rates = resourcesOf(json).flatMap(({ type, attributes }) =>
      type === "aws_scheduler_schedule" ? [attributes.schedule_expression] : [],
    );
    expect(rates).toEqual(Array(3).fill("rate(3 minutes)"));
  });
});

describe("what cannot be on demand is refused, with the reason", () => {
  const faultsOf = (environment: object) => faults(settings({ capacity: "on-demand", ...environment }));

  test("all at once", () => {
    const given = faultsOf({
      takeOver: true,
      access: { bastion: true },
      network: { subnets: [{ cidrBlock: "10.0.2.0/24" }, { cidrBlock: "10.0.3.0/24" }] },
      model: {
        instanceType: "ml.g5.xlarge",
        instanceCount: 2,
        concurrency: 8,
        dataCapture: { s3Uri: "s3://samples/captured", samplingPercentage: 5 },
      },
      inference: { maximumConcurrency: 3, timeoutSeconds: 20 },
      warehouse: {
        nodeType: "ra3.large",
        numberOfNodes: 2,
        clusterIdentifier: "mine",
        port: 5439,
        finalSnapshot: true,
      },
    });
    const said = given.map((fault) => fault.replace("environments.dev.", ""));
    expect(said.map((fault) => fault.slice(0, fault.indexOf(":")))).toEqual([
      "access.bastion",
      "network.subnets",
      "model.concurrency",
      "model.instanceType",
      "model.instanceCount",
      "model.dataCapture",
      "inference.timeoutSeconds",
      "inference.maximumConcurrency",
      "warehouse.clusterIdentifier",
      "warehouse.nodeType",
      "warehouse.numberOfNodes",
      "warehouse.port",
      "warehouse.finalSnapshot",
      "takeOver",
    ]);
    expect(said.find((fault) => fault.startsWith("model.instanceType"))).toMatch(
      /got "ml.g5.xlarge"; allowed: nothing on demand, which has no Inferentia, no GPU and no instances.*\(https:/,
    );
    expect(said.find((fault) => fault.startsWith("takeOver"))).toContain(
      "AWS makes no endpoint of instances serverless",
    );
  });

  test("and so is what steady has no use for", () => {
    const only = 'nothing but where capacity is "on-demand"';
    expect(
      faults(settings({ model: { memoryGigabytes: 4, maxConcurrency: 4 }, warehouse: { monthlyRpuHours: 9 } })),
    ).toEqual(
      ["model.memoryGigabytes: got 4", "model.maxConcurrency: got 4", "warehouse.monthlyRpuHours: got 9"].map(
        (fault) => `environments.dev.${fault}; allowed: ${only}`,
      ),
    );
  });

  test.each([
    ["memoryGigabytes", 1, 6],
    ["maxConcurrency", 2, 200],
  ])("model.%s may be %d to %d", (field, min, max) => {
    const faultsAt = [min - 1, min, max, max + 1].map((value) => faultsOf({ model: { [field]: value } }).length);
    expect(faultsAt).toEqual([1, 0, 0, 1]);
  });

  test("a batch may take no longer than a worker, and a minute for the model's start", () => {
    expect(faultsOf({ model: { slowestCallSeconds: 8 } })).toEqual([]);
    expect(faultsOf({ model: { slowestCallSeconds: 9 } })).toEqual([
      expect.stringContaining("environments.dev.inference.batchSize: got 50; allowed: 44 at most"),
    ]);
  });
});

test.each([
  [2, 2, 1],
  [4, 2, 2],
  [200, 25, 8],
])("%d calls at once are spread over %d workers of %d", (maxConcurrency, workers, calls) => {
  const { model, inference } = environmentOf({ model: { maxConcurrency } }).dev;
  expect([inference.maximumConcurrency, model.concurrency]).toEqual([workers, calls]);
});

describe("its cost", () => {
  const region = "us-east-1";
  const { dev } = environmentOf({ model: { predictionsPerSecond: 10 } });

  test("is at most five dollars a month at rest", () => {
    const { usd, isAtLeast } = costOf(atRest(dev));
    expect({ isAtLeast, isLittle: usd <= 5 }).toEqual({ isAtLeast: false, isLittle: true });
  });

  test("has what the model takes, by its memory, and is not known where its speed is not", () => {
    const modelOf = (environment: typeof dev) =>
      perMillion(environment, region).find(({ of }) => of === "serverless time")?.amount;
    expect(modelOf(dev)).toBe((1e6 / 10) * 4);
    const { dev: unmeasured } = environmentOf();
    expect([modelOf(unmeasured), costOf(perMillion(unmeasured, region)).isAtLeast]).toEqual([undefined, true]);
  });

  test("is that of waking the warehouse each hour where few requests come all day", () => {
    const wake = costOf([wakeUp(dev, region) ?? { part: "", of: "" }]).usd;
    expect(wake).toBeCloseTo((4 / 60) * 0.375, 10);
    const woken = (requestsPerDay: number) =>
      costOf(trickle(dev, region, requestsPerDay).filter(({ of }) => of === "RPU hours")).usd / wake / (365 / 12);
    expect(woken(24_000)).toBeCloseTo(24, 0);
    expect(woken(3)).toBeCloseTo(3, 0);
  });
});
