import { type Config, loadConfig } from "../../config";
import { defaultModelName, defaultNamesOf } from "../../config/default-model";
import { dev, faults, faultsWith, settings } from "../setup/settings";

describe("defaults", () => {
  test("are the original's settings where it had good ones", () => {
    const { network, features, model, warehouse, api } = dev();

    expect(network.cidrBlock).toBe("10.0.0.0/16");
    expect(network.subnets[0]?.cidrBlock).toBe("10.0.2.0/24");
    expect(features).toHaveProperty("recordIdentifier.name", "id");
    expect(model.instanceType).toBe("ml.inf1.xlarge");
    expect(model.instanceCount).toBe(1);
    expect(model.artifact?.key).toBe("bert-seq-classification/traced_model.tar.gz");
    expect(warehouse.databaseName).toBe("predictions");
    expect(warehouse.adminUsername).toBe("admin");
    expect(warehouse.port).toBe(5439);
    expect(warehouse.numberOfNodes).toBe(1);
    expect(api.stageName).toBe("dev");
  });

  test("are better than the original's where it had bad ones", () => {
    const { network, features, model, inference, loading, jobs, warehouse, api, ...environment } = dev();

    expect(network.subnets).toEqual([
      { cidrBlock: "10.0.2.0/24", availabilityZone: "us-east-1a" },
      { cidrBlock: "10.0.3.0/24", availabilityZone: "us-east-1b" },
    ]);
    expect(features).toEqual({
      groupName: `poc-dev-${defaultNamesOf(defaultModelName).featureGroup}`,
      roleName: "poc-dev-FeatureStoreRole",
      recordIdentifier: { name: "id", type: "String" },
      eventTime: { name: "event_time", type: "String" },
    });
    expect(model.artifact?.bucket).toBe("our-terraform-state-models");
    expect(model).toMatchObject({ instancesPerCall: 25, concurrency: 8, slowestCallSeconds: 1.8 });
    expect(inference).toMatchObject({
      memoryMegabytes: 512,
      timeoutSeconds: 20,
      batchWindowSeconds: 1,
      batchSize: 50,
      maximumConcurrency: 3,
      survivedOutageSeconds: 43_200,
      messageRetentionSeconds: 345_600,
      deadLetterRetentionSeconds: 1_209_600,
    });
    expect(loading).toMatchObject({ everyMinutes: 1 });
    expect(jobs).toMatchObject({ keepDays: 30, maxRows: 10_000_000 });
    expect(warehouse).toMatchObject({ nodeType: "ra3.large", finalSnapshot: true });
    expect(api).toMatchObject({
      functionName: "poc-dev-prediction-api",
      roleName: "poc-dev-PredictionApiRole",
      authorization: "AWS_IAM",
      throttle: { ratePerSecond: 50, burst: 100 },
    });
    expect(environment).toEqual({
      name: "dev",
      prefix: "poc-dev",
      capacity: "steady",
      namesParameter: "/poc-dev/names",
      access: { bastion: false },
      answersBucket: "our-terraform-state-dev-answers",
      stateKey: "inference-dev/terraform.tfstate",
      takeOver: false,
      preventDestroy: true,
      logRetentionDays: 30,
      tags: {
        Environment: "dev",
        Project: "ai-deployment-bootcamp",
        Owner: "test@test.com",
        ManagedBy: "Terraform",
      },
    });
  });

  test("hold for the shared part", () => {
    expect(loadConfig(settings(), {}).shared).toEqual({
      project: "ai-deployment-bootcamp",
      owner: "test@test.com",
      prefix: "poc",
      prices: {},
      region: "us-east-1",
      stateBucket: "our-terraform-state",
      modelBucket: "our-terraform-state-models",
      apiGatewayRole: true,
      logBucket: "our-terraform-state-logs",
      apiGatewayRoleName: "poc-api-gateway-logging",
      tags: {
        Environment: "shared",
        Project: "ai-deployment-bootcamp",
        Owner: "test@test.com",
        ManagedBy: "Terraform",
      },
    });
  });
});

describe("an environment that takes the original over", () => {
  test("has what the original has, where AWS would replace what changes", () => {
    const { features, model, network, warehouse } = dev({ takeOver: true });
    expect(features).toMatchObject({
      recordIdentifier: { name: "id", type: "Fractional" },
      eventTime: { name: "id", type: "Fractional" },
      roleName: "poc-dev-SagemakerModelExecutionRole",
    });
    expect(model.executionRoleName).toBe("poc-dev-ModelExecutionRole");
    expect(network.subnets.map(({ availabilityZone }) => availabilityZone)).toEqual([undefined, "us-east-1b"]);
    expect(warehouse.nodeType).toBeUndefined(); // whatever it has
  });

  test("can be resized, or say something else of everything", () => {
    const { warehouse, network } = dev({
      takeOver: true,
      warehouse: { nodeType: "ra3.large" },
      network: {
        subnets: [{ cidrBlock: "10.0.2.0/24", availabilityZone: "us-east-1f" }, { cidrBlock: "10.0.3.0/24" }],
      },
    });
    expect(warehouse.nodeType).toBe("ra3.large");
    expect(network.subnets.map(({ availabilityZone }) => availabilityZone)).toEqual(["us-east-1f", "us-east-1b"]);
  });

  test("is the only one that may have a retired node type", () => {
    expect(faultsWith("warehouse.nodeType", "dc2.large")).toEqual([
      expect.stringContaining('environments.dev.warehouse.nodeType: got "dc2.large"; allowed: "ra3.large"'),
    ]);
    expect(faultsWith("warehouse.nodeType", "dc2.8xlarge", { takeOver: true })).toEqual([
      expect.stringContaining(
        "environments.dev.warehouse.numberOfNodes: got 1; allowed: 2 to 128 nodes of dc2.8xlarge",
      ),
    ]);
  });

  test("can be tried without an edit", () => {
    const tried = loadConfig(settings(), {}, ["dev"]).environments.dev;
    expect(tried).toEqual(dev({ takeOver: true }));
  });

  test("must exist", () => {
    expect(() => loadConfig(settings(), {}, ["test"])).toThrow(
      'environments: cannot take over into "test"; allowed: dev',
    );
  });
});

describe("this project's own configuration", () => {
  test("is sound, and needs no environment variable", () => {
    const config: Config = loadConfig(undefined, {});
    expect(Object.keys(config.environments)).toEqual(["dev", "prod"]);
    expect(config.environments.prod?.inference.queueName).toBe("poc-prod-inference_queue");
  });

  test("keeps prod's data and logs longer than dev's", () => {
    const { dev, prod } = loadConfig(undefined, {}).environments;
    expect([dev?.warehouse.finalSnapshot, prod?.warehouse.finalSnapshot]).toEqual([false, true]);
    expect([dev?.logRetentionDays, prod?.logRetentionDays]).toEqual([30, 365]);
    expect([dev?.preventDestroy, prod?.preventDestroy]).toEqual([false, true]);
  });
});

test("a capacity is steady or on-demand, and says how often the loader loads", () => {
  const everyMinutes = (capacity?: "steady" | "on-demand") =>
    loadConfig(settings({ capacity })).environments.dev?.loading.everyMinutes;
  expect([everyMinutes(), everyMinutes("steady"), everyMinutes("on-demand")]).toEqual([1, 1, 60]);
  expect(faultsWith("capacity", "serverless")).toEqual([
    expect.stringContaining('environments.dev.capacity: got "serverless"; allowed: "steady", "on-demand" ('),
  ]);
});

describe("unknown fields", () => {
  test("are refused with the one that was meant", () => {
    expect(faultsWith("inference.batchsize", 5)).toEqual([
      expect.stringContaining(
        "environments.dev.inference.batchsize: got a field that does not exist, did you mean batchSize?; allowed: functionName, roleName, queueName,",
      ),
    ]);
  });

  test("are refused with the list of those there are", () => {
    expect(faultsWith("queue", {})).toEqual([
      "environments.dev.queue: got a field that does not exist; allowed: stateKey, takeOver, capacity, preventDestroy, keyPair, access, network, features, model, inference, loading, jobs, warehouse, api, kmsKeyArn, alarmTopicArn, logRetentionDays",
    ]);
  });

  test.each(["warehouse.password", "warehouse.adminPassword", "password", "api.secretKey", "model.artifact.accessKey"])(
    "such as a secret at %s are refused, and their value is not shown",
    (path) => {
      const [fault, ...others] = faultsWith(path, "hunter2");
      expect(others).toEqual([]);
      expect(fault).toContain(`environments.dev.${path}: got a field that does not exist`);
      expect(fault).not.toContain("hunter2");
    },
  );

  test("are refused in the shared part too", () => {
    expect(faults(settings({}, { masterPassword: "hunter2" }))).toEqual([
      "masterPassword: got a field that does not exist; allowed: project, owner, prefix, region, account, profile, stateBucket, modelBucket, kmsKeyArn, apiGatewayRole, github, prices, defaultEnvironment, environments",
    ]);
  });
});

describe("all faults", () => {
  test("are told at once, those between fields among them", () => {
    const given = {
      ...settings(),
      owner: "",
      prefix: "Poc",
      environments: {
        dev: {
          network: {
            cidrBlock: "10.1.0.0/16",
            subnets: [{ cidrBlock: "10.1.0.0/24" }, { cidrBlock: "10.0.0.0/24" }],
            zone: 1,
          },
          model: {
            instanceCount: 0,
            image: "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-inference:1.9.0-cpu-py38-ubuntu20.04",
          },
          inference: {
            timeoutSeconds: 300,
            memoryMegabytes: "512",
            batchSize: 100,
            batchWindowSeconds: 0,
            messageRetentionSeconds: 30,
            deadLetterRetentionSeconds: 86_400,
          },
          keyPair: { publicKey: "nonsense" },
        },
        prod: {
          logRetentionDays: 31,
          warehouse: { nodeType: "dc2.large", port: 80 },
          inference: { deadLetterRetentionSeconds: 60 },
        },
        test: 5,
      },
    };

    expect(faults(given).map((fault) => fault.slice(0, fault.indexOf(":")))).toEqual([
      "owner",
      "prefix",
      "environments.dev.keyPair.publicKey",
      "environments.dev.network.zone",
      "environments.dev.network.subnets[1].cidrBlock",
      "environments.dev.model.instanceCount",
      "environments.dev.model.image",
      "environments.dev.inference.memoryMegabytes",
      "environments.dev.inference.timeoutSeconds",
      "environments.dev.inference.messageRetentionSeconds",
      "environments.dev.inference.batchWindowSeconds",
      "environments.prod.inference.deadLetterRetentionSeconds",
      "environments.prod.warehouse.nodeType",
      "environments.prod.warehouse.port",
      "environments.prod.logRetentionDays",
      "environments.test",
    ]);
  });

  test("are told once: a field at fault is not blamed again by a rule it takes part in", () => {
    expect(faults(settings({ inference: { batchSize: 20_000, batchWindowSeconds: 0 } }))).toEqual([
      expect.stringContaining("environments.dev.inference.batchSize: got 20000; allowed: 1 to 10000 messages"),
    ]);
  });

  test("make one message, a line each", () => {
    const given = settings({ inference: { messageRetentionSeconds: 30 }, warehouse: { nodeType: "dc2.large" } });
    expect(() => loadConfig(given, {})).toThrow(
      [
        "config.ts has 2 problems:",
        "  environments.dev.inference.messageRetentionSeconds: got 30; allowed: 60 to 1209600 seconds (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html)",
        '  environments.dev.warehouse.nodeType: got "dc2.large"; allowed: "ra3.large", "ra3.xlplus", "ra3.4xlarge", "ra3.16xlarge" (AWS retired dc2, https://docs.aws.amazon.com/redshift/latest/mgmt/working-with-clusters.html)',
      ].join("\n"),
    );
  });

  test("name what is missing", () => {
    expect(faults({}).map((fault) => fault.split(";")[0])).toEqual([
      "project: got nothing",
      "owner: got nothing",
      "prefix: got nothing",
      "region: got nothing",
      "stateBucket: got nothing",
      "environments: got nothing",
    ]);
  });

  test("are told where the settings are nothing of the kind", () => {
    expect(faults("nonsense")).toEqual([
      'settings: got "nonsense"; allowed: an object with fields of project, owner, prefix, region, account, profile, stateBucket, modelBucket, kmsKeyArn, apiGatewayRole, github, prices, defaultEnvironment, environments',
    ]);
  });
});
