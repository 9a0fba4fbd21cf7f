import { generateKeyPairSync } from "node:crypto";
import { instanceTypes } from "../../aws/instance-types";
import { limits } from "../../aws/limits";
import type { ModelKind } from "../../aws/model-kinds";
import { type Config, ConfigError, type EnvironmentSettings, loadConfig, type Settings } from "../../config";
import { type Release, releaseId } from "../../config/releases";

const settings = (environment: unknown = {}, shared: object = {}) => ({
  project: "ai-deployment-bootcamp",
  owner: "test@test.com",
  prefix: "poc",
  region: "us-east-1",
  stateBucket: "our-terraform-state",
  ...shared,
  environments: { dev: environment },
});

const dev = (environment: EnvironmentSettings = {}, shared: Partial<Settings> = {}) => {
  const loaded = loadConfig(settings(environment, shared), {}).environments.dev;
  if (loaded === undefined) throw new Error("no environment dev");
  return loaded;
};

const faults = (given: unknown, usual: Record<string, string> = {}): readonly string[] => {
  try {
    loadConfig(given, usual);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
};

/** The faults of one field of dev, given by its path. */
const faultsWith = (path: string, value: unknown, others: EnvironmentSettings = {}) =>
  faults(settings(place(others, path.split("."), value)));

const place = (at: object, [field = "", ...rest]: string[], value: unknown): object => {
  const inner = Object.entries(at).find(([key]) => key === field)?.[1];
  return { ...at, [field]: rest.length === 0 ? value : place(inner ?? {}, rest, value) };
};

const ed25519 = () => {
  const { x = "" } = generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" });
  const fields = [Buffer.from("ssh-ed25519"), Buffer.from(x, "base64url")];
  const wire = fields.flatMap((bytes) => [Buffer.from([0, 0, 0, bytes.length]), bytes]);
  return `ssh-ed25519 ${Buffer.concat(wire).toString("base64")} me@desk`;
};

describe("defaults", () => {
  test("are the original's settings where it had good ones", () => {
    const { network, features, model, warehouse, api } = dev();

    expect(network.cidrBlock).toBe("10.0.0.0/16");
    expect(network.subnets[0]?.cidrBlock).toBe("10.0.2.0/24");
    expect(features.recordIdentifier.name).toBe("id");
    expect(model.instanceType).toBe("ml.inf1.xlarge");
    expect(model.instanceCount).toBe(1);
    expect(model.artifact.key).toBe("bert-seq-classification/traced_model.tar.gz");
    expect(warehouse.databaseName).toBe("predictions");
    expect(warehouse.adminUsername).toBe("admin");
    expect(warehouse.port).toBe(5439);
    expect(warehouse.numberOfNodes).toBe(1);
    expect(api.stageName).toBe("dev");
  });

  test("are better than the original's where it had bad ones", () => {
    const { network, features, model, inference, warehouse, api, ...environment } = dev();

    expect(network.subnets).toEqual([
      { cidrBlock: "10.0.2.0/24", availabilityZone: "us-east-1a" },
      { cidrBlock: "10.0.3.0/24", availabilityZone: "us-east-1b" },
    ]);
    expect(features).toEqual({
      groupName: "poc-dev-paraphrase-feature-group",
      roleName: "poc-dev-FeatureStoreRole",
      recordIdentifier: { name: "id", type: "String" },
      eventTime: { name: "event_time", type: "String" },
    });
    expect(model.artifact.bucket).toBe("our-terraform-state-models");
    expect(model).toMatchObject({ instancesPerCall: 25, concurrency: 8 });
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
      namesParameter: "/poc-dev/names",
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
      region: "us-east-1",
      stateBucket: "our-terraform-state",
      modelBucket: "our-terraform-state-models",
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
    expect(features.recordIdentifier).toEqual({ name: "id", type: "Fractional" });
    expect(features.eventTime).toEqual({ name: "id", type: "Fractional" });
    expect(features.roleName).toBe("poc-dev-SagemakerModelExecutionRole");
    expect(model.executionRoleName).toBe("poc-dev-ModelExecutionRole");
    expect(network.subnets.map(({ availabilityZone }) => availabilityZone)).toEqual([undefined, "us-east-1b"]);
    expect(warehouse.nodeType).toBe("dc2.large");
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

describe("numbers", () => {
  const smallBatches = { inference: { batchSize: 10 } }; // which need no window

  test.each([
    ["inference.messageRetentionSeconds", 60, 1_209_600, "60 to 1209600 seconds"],
    ["inference.memoryMegabytes", 128, 10_240, "128 to 10240 MB"],
    ["inference.timeoutSeconds", 10, 20, "10 to 20 seconds"],
    ["inference.batchSize", 1, 10_000, "1 to 10000 messages"],
    ["inference.batchWindowSeconds", 0, 300, "0 to 300 seconds"],
    ["inference.maximumConcurrency", 2, 1000, "2 to 1000 functions at once"],
    ["inference.survivedOutageSeconds", 0, 432_000, "0 to 432000 seconds"],
    ["model.instancesPerCall", 1, 1000, "1 to 1000 pairs"],
    ["model.concurrency", 1, 256, "1 to 256 calls in flight"],
    ["api.throttle.ratePerSecond", 1, 10_000, "1 to 10000 requests a second"],
    ["api.throttle.burst", 1, 5000, "1 to 5000 requests"],
    ["warehouse.numberOfNodes", 1, 16, "1 to 16 nodes of ra3.large"],
  ])("%s may be %d and %d and nothing beyond", (path, min, max, allowed) => {
    expect(faultsWith(path, min, smallBatches)).toEqual([]);
    expect(faultsWith(path, max, smallBatches)).toEqual([]);
    for (const value of [min - 1, max + 1, min + 0.5]) {
      const [fault, ...others] = faultsWith(path, value, smallBatches);
      expect(others).toEqual([]);
      expect(fault?.startsWith(`environments.dev.${path}: got ${value}; allowed: `)).toBe(true);
      if (Number.isInteger(value)) expect(fault).toContain(`allowed: ${allowed} (`);
    }
  });

  test("an endpoint has one instance or more", () => {
    expect(faultsWith("model.instanceCount", 1)).toEqual([]);
    expect(faultsWith("model.instanceCount", 0)).toEqual([
      expect.stringContaining("environments.dev.model.instanceCount: got 0; allowed: 1 or more instances (https://"),
    ]);
  });

  test.each([
    [5430, false],
    [5431, true],
    [5455, true],
    [5456, false],
    [8190, false],
    [8191, true],
    [8215, true],
    [8216, false],
  ])("port %d of an RA3 cluster is allowed: %s", (port, allowed) => {
    const expected = `environments.dev.warehouse.port: got ${port}; allowed: 5431 to 5455 or 8191 to 8215 (`;
    expect(faultsWith("warehouse.port", port)).toEqual(allowed ? [] : [expect.stringContaining(expected)]);
  });

  test.each([
    ["ra3.xlplus", 1, 32],
    ["ra3.4xlarge", 2, 64],
    ["ra3.16xlarge", 2, 128],
  ] as const)("a cluster of %s has %d to %d nodes", (nodeType, min, max) => {
    const outside = [min - 1, min, max, max + 1].filter(
      (numberOfNodes) => faults(settings({ warehouse: { nodeType, numberOfNodes } })).length > 0,
    );
    expect(outside).toEqual([min - 1, max + 1]);
  });

  test("a text is no number", () => {
    expect(faultsWith("inference.batchSize", "10")).toEqual([
      expect.stringContaining('environments.dev.inference.batchSize: got "10"; allowed: 1 to 10000 messages (https://'),
    ]);
  });

  test("logs are kept for one of the spans CloudWatch has", () => {
    expect(limits.cloudWatchLogs.retentionDays.flatMap((days) => faultsWith("logRetentionDays", days))).toEqual([]);
    for (const days of [0, 31, 366, 3654]) {
      expect(faultsWith("logRetentionDays", days)).toEqual([
        expect.stringContaining(`environments.dev.logRetentionDays: got ${days}; allowed: 1, 3, 5, 7, 14, 30, 60,`),
      ]);
    }
  });
});

describe("names", () => {
  test.each([
    ["inference.queueName", 80 - "-dead-letters".length],
    ["inference.functionName", 64],
    ["inference.roleName", 64],
    ["api.functionName", 64],
    ["api.roleName", 64],
    ["api.name", 256],
    ["network.name", 256],
    ["features.groupName", 64],
    ["features.roleName", 64],
    ["model.modelName", 54],
    ["model.endpointConfigurationName", 54],
    ["model.endpointName", 63],
    ["model.executionRoleName", 64],
    ["warehouse.clusterIdentifier", 63],
    ["warehouse.subnetGroupName", 255],
  ])("%s has %d characters at most, its prefix counted", (path, maximum) => {
    const longest = "a".repeat(maximum - "poc-dev-".length);
    expect(faultsWith(path, longest)).toEqual([]);
    expect(faultsWith(path, `${longest}a`)).toEqual([
      expect.stringMatching(
        new RegExp(
          `^environments\\.dev\\.${path}: got .*, in full "poc-dev-a.* \\(${maximum + 1} characters\\); allowed: in full 1 to ${maximum} characters`,
        ),
      ),
    ]);
    expect(faultsWith(path, "")).toHaveLength(1);
    expect(faultsWith(path, "a;b")).toHaveLength(1);
  });

  test.each([
    ["model.variantName", 63],
    ["api.stageName", 128],
    ["api.description", 1024],
    ["warehouse.databaseName", 64],
    ["warehouse.adminUsername", 128],
    ["features.recordIdentifier.name", 64],
    ["features.eventTime.name", 64],
    ["model.artifact.bucket", 63],
    ["stateKey", 1024 - ".tflock".length],
  ])("%s gets no prefix and has %d characters at most", (path, maximum) => {
    expect(faultsWith(path, "a".repeat(maximum))).toEqual([]);
    expect(faultsWith(path, "a".repeat(maximum + 1))).toEqual([
      expect.stringMatching(
        new RegExp(
          `^environments\\.dev\\.${path}: got "a+….*; allowed: .* ${maximum} characters|^environments\\.dev\\.${path}: got "a+"; allowed: .* ${maximum} characters`,
        ),
      ),
    ]);
    expect(faultsWith(path, "")).toHaveLength(1);
  });

  test("a default whose prefix makes it too long is a fault too", () => {
    const given = settings({}, { prefix: "a-prefix-of-thirty-characters0" });
    expect(faults(given)).toContainEqual(
      expect.stringContaining(
        'environments.dev.inference.roleName: got "BertParaphraseModelLambdaRoleTF", in full "a-prefix',
      ),
    );
  });

  test.each(["Poc", "-poc", "poc-", "p--oc", "1poc", "p_oc", "", "a".repeat(31)])("%j is no prefix", (prefix) => {
    expect(faults(settings({}, { prefix }))).toEqual([
      expect.stringContaining(`prefix: got ${JSON.stringify(prefix)}; allowed: 1 to 30 characters: lowercase letters`),
    ]);
  });

  test("an environment's name follows the same rule", () => {
    expect(faults({ ...settings(), environments: { Dev_1: {} } })).toEqual([
      expect.stringContaining('environments.Dev_1: got "Dev_1"; allowed: 1 to 30 characters: lowercase letters'),
    ]);
  });

  test("two functions, or two roles, of one environment may not share a name", () => {
    expect(
      faults(settings({ api: { functionName: "bert-paraphrase-tf", roleName: "BERTParaphraseModelLambdaRoleTF" } })),
    ).toEqual([
      'environments.dev.api.functionName: got "poc-dev-bert-paraphrase-tf"; allowed: another name than inference.functionName',
      expect.stringContaining(
        'environments.dev.api.roleName: got "poc-dev-BERTParaphraseModelLambdaRoleTF"; allowed: another name than inference.roleName',
      ),
    ]);
  });

  test("a feature may not take a name that is taken", () => {
    for (const name of ["seq_0", "seq_1", "write_time"]) {
      expect(faultsWith("features.recordIdentifier.name", name)).toEqual([
        expect.stringContaining(
          `environments.dev.features.recordIdentifier.name: got "${name}"; allowed: a name that is not taken`,
        ),
      ]);
    }
  });
});

describe("the shared part", () => {
  test.each([
    ["stateBucket", "ab", "3 to 63 characters"],
    ["stateBucket", "a".repeat(64), "3 to 63 characters"],
    ["stateBucket", "Our-State", "lowercase letters"],
    ["modelBucket", "our..models", "single dots"],
    ["modelBucket", "our-terraform-state", "another bucket than the state's"],
    ["account", "12345", "12 digits"],
    ["region", "us-east", 'a region\'s code such as "us-east-1"'],
    ["profile", " ", "the name of a profile"],
    ["owner", "a;b", "letters, digits, spaces"],
  ])("refuses the %s %j", (field, value, allowed) => {
    const [fault, ...others] = faults(settings({}, { [field]: value }));
    expect(others).toEqual([]);
    expect(fault).toContain(`${field}: got ${JSON.stringify(value)}; allowed: `);
    expect(fault).toContain(allowed);
  });

  test("refuses a state bucket whose name leaves no room for the default model bucket's", () => {
    expect(faults(settings({}, { stateBucket: "a".repeat(57) }))).toEqual([
      expect.stringContaining(`modelBucket: got "${"a".repeat(57)}-models"; allowed: 3 to 63 characters`),
    ]);
    expect(faults(settings({}, { stateBucket: "a".repeat(57), modelBucket: "our-models" }))).toEqual([]);
  });

  test("takes account and profile as they are", () => {
    const { shared } = loadConfig(settings({}, { account: "012345678901", profile: "sagemaker" }), {});
    expect(shared).toMatchObject({ account: "012345678901", profile: "sagemaker" });
  });

  test.each([
    [{ AWS_REGION: "eu-west-1", AWS_DEFAULT_REGION: "eu-west-2" }, "eu-west-1"],
    [{ AWS_DEFAULT_REGION: "eu-west-2" }, "eu-west-2"],
    [{ AWS_REGION: "", AWS_DEFAULT_REGION: "eu-west-2" }, "eu-west-2"],
  ])("takes the region from %j where the settings name none", (usual, region) => {
    const config = loadConfig(settings({}, { region: undefined }), usual);
    expect(config.shared.region).toBe(region);
    expect(config.environments.dev?.network.subnets[0]?.availabilityZone).toBe(`${region}a`);
    expect(config.environments.dev?.model.image).toContain(`.${region}.`);
  });

  test("takes it from there as well where the settings have no such field at all", () => {
    const { region: _, ...regionless } = settings();
    expect(loadConfig(regionless, { AWS_REGION: "eu-west-1" }).shared.region).toBe("eu-west-1");
  });

  test("prefers the settings' region to the environment's", () => {
    expect(loadConfig(settings(), { AWS_REGION: "eu-west-1" }).shared.region).toBe("us-east-1");
  });

  test("asks for a region where there is none, and blames nothing else", () => {
    expect(
      faults(
        settings(
          {
            network: {
              subnets: [{ cidrBlock: "10.0.0.0/24", availabilityZone: "eu-west-1a" }, { cidrBlock: "10.0.1.0/24" }],
            },
          },
          { region: undefined },
        ),
      ),
    ).toEqual([expect.stringContaining("region: got nothing; allowed:")]);
  });

  test("wants one environment or more, each with a state of its own", () => {
    expect(faults({ ...settings(), environments: {} })).toEqual([
      "environments: got {}; allowed: one environment or more",
    ]);
    expect(
      faults({ ...settings(), environments: { dev: {}, prod: { stateKey: "inference-dev/terraform.tfstate" } } }),
    ).toEqual([
      'environments.prod.stateKey: got "inference-dev/terraform.tfstate"; allowed: another key than that of environments.dev',
    ]);
  });

  test("an environment keeps its state where it says, as the original's is to be kept", () => {
    expect(dev({ stateKey: "sagemaker-deploy/terraform.tfstate" }).stateKey).toBe("sagemaker-deploy/terraform.tfstate");
  });
});

describe("GitHub", () => {
  const account = "123456789012";
  const oidcProviderArn = `arn:aws:iam::${account}:oidc-provider/token.actions.githubusercontent.com`;
  const faultsOfGitHub = (github: unknown, shared: object = { account }) => faults(settings({}, { github, ...shared }));

  test("may do nothing unless it is set", () => {
    expect(loadConfig(settings({}, { account }), {}).shared.github).toBeUndefined();
    expect(loadConfig(undefined, {}).shared.github).toBeUndefined();
  });

  test("may deploy every environment there is, in the one account", () => {
    const given = { ...settings({}, { account, github: { repository: "team/inference" } }) };
    const { github } = loadConfig({ ...given, environments: { dev: {}, prod: {} } }, {}).shared;
    expect(github).toEqual({ repository: "team/inference", account, environments: ["dev", "prod"] });
  });

  test.each(["team/inference", "a/b.c_d-e", "team-1/x", "emu_corp/x", "team@12/inference@345"])(
    "knows the repository %s",
    (repository) => {
      expect(faultsOfGitHub({ repository })).toEqual([]);
    },
  );

  test.each([
    "inference",
    "team/",
    "/inference",
    "team/inference/x",
    "team/*",
    "*/inference",
    "team/inference:environment:prod",
    "-team/x",
    "team--a/x",
    "team@12/inference",
    "team/inference@34",
    "team@x/inference@y",
    "https://github.com/team/inference",
    "team/inference ",
    `team/${"a".repeat(200)}`,
  ])("refuses the repository %s", (repository) => {
    expect(faultsOfGitHub({ repository })).toEqual([
      expect.stringMatching(/^github\.repository: got .+; allowed: 1 to 200 characters: "owner\/name", or "owner@id/),
    ]);
  });

  test("takes the provider that the account has, and no other", () => {
    expect(faultsOfGitHub({ repository: "team/inference", oidcProviderArn })).toEqual([]);
    for (const other of [
      oidcProviderArn.replace(account, "210987654321"),
      oidcProviderArn.replace("token.actions.githubusercontent.com", "accounts.google.com"),
      "",
    ]) {
      expect(faultsOfGitHub({ repository: "team/inference", oidcProviderArn: other })).toEqual([
        `github.oidcProviderArn: got "${other}"; allowed: "${oidcProviderArn}"`,
      ]);
    }
  });

  test("says at once that it needs the account and has no profiles", () => {
    expect(faultsOfGitHub({ repository: "team/inference" }, { profile: "desk" })).toEqual([
      "account: got nothing; allowed: 12 characters: 12 digits, in quotes so that leading zeros stay, for GitHub's roles are limited to it",
      'profile: got "desk"; allowed: nothing beside github, whose machines have no profiles: set AWS_PROFILE here',
    ]);
  });

  test("says what it does not know", () => {
    expect(faultsOfGitHub({ repositry: "team/inference" })).toEqual([
      expect.stringContaining("github.repository: got nothing"),
      "github.repositry: got a field that does not exist, did you mean repository?; allowed: repository, oidcProviderArn",
    ]);
    expect(faultsOfGitHub("team/inference")).toEqual([
      'github: got "team/inference"; allowed: an object with fields of repository, oidcProviderArn',
    ]);
  });
});

describe("the model's image", () => {
  test.each([
    ["ml.inf1.xlarge", "pytorch-inference-neuron:1.13.1-neuron-py310-sdk2.20.2-ubuntu20.04"],
    ["ml.inf2.xlarge", "pytorch-inference-neuronx:2.9.0-neuronx-py312-sdk2.31.1-ubuntu24.04"],
    ["ml.c6i.xlarge", "pytorch-inference:2.6.0-cpu-py312-ubuntu22.04-sagemaker"],
    ["ml.m5.xlarge", "pytorch-inference:2.6.0-cpu-py312-ubuntu22.04-sagemaker"],
  ])("follows from the instance type %s", (instanceType, image) => {
    expect(dev({ model: { instanceType } }).model.image).toBe(`763104351884.dkr.ecr.us-east-1.amazonaws.com/${image}`);
  });

  const original = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-inference:1.9.0-cpu-py38-ubuntu20.04";

  test("may not be a CPU image on Inferentia, as the original's was", () => {
    expect(faultsWith("model.image", original)).toEqual([
      `environments.dev.model.image: got "${original}" (cpu); allowed: an image of family inf1 for ml.inf1.xlarge, or leave it out for AWS's own (https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ContainerDefinition.html)`,
    ]);
  });

  test.each([
    ["pytorch-inference:1.9.0-cpu-py38-ubuntu20.04", "cpu", ["cpu"]],
    ["sagemaker-neo-pytorch:1.9-inf-py3", "inf1", ["inf1"]],
    ["pytorch-inference-neuronx:2.8.0-neuronx-py311-sdk2.26.1-ubuntu22.04", "inf2", ["inf2"]],
    ["pytorch-inference:2.6.0-gpu-py312-cu124-ubuntu22.04-sagemaker", "gpu", []],
    ["our-own/model:7", "unknown", ["inf1", "inf2", "cpu"]],
  ])("%s (%s) is accepted for %j alone", (image, _, families) => {
    const uri = `763104351884.dkr.ecr.us-east-1.amazonaws.com/${image}`;
    const accepted = [...instanceTypes].flatMap(([instanceType, family]) =>
      faultsWith("model.image", uri, { model: { instanceType } }).length === 0 ? [family] : [],
    );
    expect([...new Set(accepted)]).toEqual(families);
  });

  test("must be in the endpoint's region, and in ECR", () => {
    expect(faultsWith("model.image", "123456789012.dkr.ecr.eu-west-1.amazonaws.com/our-own:1")).toEqual([
      expect.stringContaining("allowed: an image in us-east-1, where the endpoint is"),
    ]);
    expect(faultsWith("model.image", "docker.io/our-own:1")).toEqual([
      expect.stringContaining("allowed: 1 to 255 characters: an image in ECR"),
    ]);
  });

  test("must be given where AWS publishes none", () => {
    expect(faults(settings({}, { region: "us-gov-west-1" }))).toEqual([
      expect.stringContaining(
        "environments.dev.model.image: got nothing, and AWS's own images are not in us-gov-west-1; allowed: an image in ECR",
      ),
    ]);
  });

  test("goes with an instance type that is known", () => {
    expect(faultsWith("model.instanceType", "ml.inf1.medium")).toEqual([
      expect.stringContaining(
        'environments.dev.model.instanceType: got "ml.inf1.medium"; allowed: ml.inf1.{xlarge,2xlarge,6xlarge,24xlarge}, ',
      ),
    ]);
  });

  test("has its artifact in a tar.gz", () => {
    expect(faultsWith("model.artifact.key", "model.zip")).toEqual([
      expect.stringContaining(
        'environments.dev.model.artifact.key: got "model.zip"; allowed: 1 to 1024 characters: a key in S3 that ends in .tar.gz',
      ),
    ]);
  });
});

describe("the queue", () => {
  test("may have a batch above 10 only with a window", () => {
    const batch = (batchSize: number, batchWindowSeconds: number) =>
      faults(settings({ inference: { batchSize, batchWindowSeconds } }));
    expect(batch(10, 0)).toEqual([]);
    expect(batch(11, 1)).toEqual([]);
    expect(batch(11, 0)).toEqual([
      expect.stringContaining(
        "environments.dev.inference.batchWindowSeconds: got 0; allowed: 1 second or more for a batchSize above 10, here 11",
      ),
    ]);
  });

  test("may not have a dead-letter queue that forgets sooner", () => {
    const retention = (messageRetentionSeconds: number, deadLetterRetentionSeconds: number) =>
      faults(settings({ inference: { messageRetentionSeconds, deadLetterRetentionSeconds } }));
    expect(retention(86_400, 86_400)).toEqual([]);
    expect(retention(86_400, 86_399)).toEqual([
      expect.stringContaining(
        "environments.dev.inference.deadLetterRetentionSeconds: got 86399; allowed: messageRetentionSeconds (86400) or more",
      ),
    ]);
  });
});

describe("the network", () => {
  const network = (cidrBlock: string, ...subnets: object[]) => faults(settings({ network: { cidrBlock, subnets } }));

  test("has its subnets inside the VPC", () => {
    expect(network("10.1.0.0/16", { cidrBlock: "10.1.255.0/24" }, { cidrBlock: "10.2.0.0/24" })).toEqual([
      expect.stringContaining(
        'environments.dev.network.subnets[1].cidrBlock: got "10.2.0.0/24"; allowed: a block inside the VPC\'s 10.1.0.0/16',
      ),
    ]);
  });

  test("has subnets that do not overlap", () => {
    expect(network("10.1.0.0/16", { cidrBlock: "10.1.0.0/24" }, { cidrBlock: "10.1.0.128/25" })).toEqual([
      expect.stringContaining(
        'environments.dev.network.subnets[1].cidrBlock: got "10.1.0.128/25"; allowed: a block that shares no address with 10.1.0.0/24',
      ),
    ]);
  });

  test("has subnets in different zones of the region", () => {
    expect(
      network(
        "10.1.0.0/16",
        { cidrBlock: "10.1.0.0/24", availabilityZone: "us-east-1b" },
        { cidrBlock: "10.1.1.0/24" },
      ),
    ).toEqual([
      expect.stringContaining(
        'subnets[1].availabilityZone: got "us-east-1b"; allowed: a zone that no other subnet is in',
      ),
    ]);
    for (const availabilityZone of ["eu-west-1a", "us-east-1", "us-east-1ab", "aus-east-1"]) {
      expect(
        network("10.1.0.0/16", { cidrBlock: "10.1.0.0/24", availabilityZone }, { cidrBlock: "10.1.1.0/24" }),
      ).toEqual([
        expect.stringContaining(`subnets[0].availabilityZone: got "${availabilityZone}"; allowed: a zone of us-east-1`),
      ]);
    }
  });

  test("has two to six subnets", () => {
    const subnets = (count: number) =>
      Array.from({ length: count }, (_, index) => ({ cidrBlock: `10.1.${index}.0/24` }));
    expect([1, 2, 6, 7].filter((count) => network("10.1.0.0/16", ...subnets(count)).length > 0)).toEqual([1, 7]);
  });

  test.each(["10.0.0.0/15", "10.0.0.0/29", "10.0.0.1/16", "10.0.0.0", "nonsense"])(
    "may not have the addresses %s",
    (cidrBlock) => {
      expect(faultsWith("network.cidrBlock", cidrBlock)).toEqual([
        expect.stringContaining(
          `environments.dev.network.cidrBlock: got "${cidrBlock}"; allowed: an IPv4 block such as "10.0.0.0/16", its first address and 16 to 28 bits (https://`,
        ),
      ]);
    },
  );
});

describe("the feature group", () => {
  test("may have the record identifier as its event time, as in the original", () => {
    const feature = { name: "id", type: "Fractional" } as const;
    expect(dev({ features: { recordIdentifier: feature, eventTime: feature } }).features).toMatchObject({
      recordIdentifier: feature,
      eventTime: feature,
    });
  });

  test("may not give one feature two types", () => {
    expect(
      faults(settings({ features: { recordIdentifier: { type: "Fractional" }, eventTime: { name: "id" } } })),
    ).toEqual([
      'environments.dev.features.eventTime.type: got "String"; allowed: "Fractional", for it is the same feature as the record identifier',
    ]);
  });

  test("knows the types Feature Store has", () => {
    expect(faultsWith("features.recordIdentifier.type", "Integral")).toEqual([]);
    expect(faultsWith("features.recordIdentifier.type", "Number")).toEqual([
      expect.stringContaining('got "Number"; allowed: "String", "Integral", "Fractional" (https://'),
    ]);
    expect(faultsWith("features.eventTime.type", "Integral")).toEqual([
      expect.stringContaining('got "Integral"; allowed: "String", "Fractional" (https://'),
    ]);
  });

  test("may have an offline store in S3", () => {
    expect(faultsWith("features.offlineStoreS3Uri", "s3://our-features/offline")).toEqual([]);
    expect(faultsWith("features.offlineStoreS3Uri", "https://our-features")).toHaveLength(1);
  });
});

describe("where the warehouse may unload to", () => {
  test("is a folder of a bucket", () => {
    expect(faultsWith("warehouse.unloadS3Uri", "s3://our-results/unloaded")).toEqual([]);
    for (const wrong of ["s3://our-results", "s3://our-results/unloaded/", "s3://our-results/it's"]) {
      expect(faultsWith("warehouse.unloadS3Uri", wrong)).toHaveLength(1);
    }
  });
});

describe("the key pair", () => {
  const publicKey = ed25519();

  test("is none unless asked for", () => {
    expect(dev().keyPair).toBeUndefined();
  });

  test("imports a public key under a name with the prefix", () => {
    expect(dev({ keyPair: { publicKey: `${publicKey}\n` } }).keyPair).toEqual({ name: "poc-dev-key-pair", publicKey });
    expect(dev({ keyPair: { name: "ours", publicKey } }).keyPair).toEqual({ name: "poc-dev-ours", publicKey });
  });

  test("refers to one that EC2 has by its full name", () => {
    expect(dev({ keyPair: { existing: "ours" } }).keyPair).toEqual({ name: "ours" });
  });

  test.each([
    [{}, "neither"],
    [{ name: "ours" }, "name"],
    [{ publicKey, existing: "ours" }, "publicKey and existing"],
    [{ name: "ours", existing: "ours" }, "name and existing"],
  ])("may not be both or neither: %j", (keyPair, given) => {
    expect(faultsWith("keyPair", keyPair)).toEqual([
      `environments.dev.keyPair: got ${given}; allowed: publicKey (and name) to import a key, or existing to use one that EC2 has`,
    ]);
  });

  test("is never a private key, and a private key is never shown", () => {
    const secret = generateKeyPairSync("ed25519").privateKey.export({ format: "pem", type: "pkcs8" }).toString();
    const [fault, ...others] = faultsWith("keyPair.publicKey", secret);
    expect(others).toEqual([]);
    expect(fault).toBe(
      "environments.dev.keyPair.publicKey: got a private key, which must stay secret: give the public one, the file whose name ends in .pub",
    );
    expect(faultsWith("keyPair.existing", secret).join()).not.toContain(secret.split("\n")[1]);
  });
});

describe("the default environment", () => {
  test("is one of those that there are", () => {
    expect(loadConfig(settings({}, { defaultEnvironment: "dev" }), {}).shared.defaultEnvironment).toBe("dev");
    expect(faults(settings({}, { defaultEnvironment: "staging" }))).toEqual([
      'defaultEnvironment: got "staging"; allowed: dev',
    ]);
  });
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
      "environments.dev.queue: got a field that does not exist; allowed: stateKey, takeOver, preventDestroy, keyPair, network, features, model, inference, warehouse, api, alarmTopicArn, logRetentionDays",
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
      "masterPassword: got a field that does not exist; allowed: project, owner, prefix, region, account, profile, stateBucket, modelBucket, github, defaultEnvironment, environments",
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
      'settings: got "nonsense"; allowed: an object with fields of project, owner, prefix, region, account, profile, stateBucket, modelBucket, github, defaultEnvironment, environments',
    ]);
  });
});

describe("a released model", () => {
  const release = (kind: ModelKind, more: Partial<Release> = {}): Release => ({
    artifact: { bucket: "our-models", key: `bert/${kind}.tar.gz`, sha256: "a".repeat(64) },
    kind,
    verified: true,
    ...more,
  });
  const neoImage = "763104351884.dkr.ecr.us-east-1.amazonaws.com/sagemaker-neo-pytorch:1.9-inf-py3";
  const read = (model: EnvironmentSettings["model"], releases: unknown) =>
    loadConfig(settings({ model }), {}, [], releases).environments.dev?.model;
  const faultsOf = (model: unknown, releases: unknown) => {
    try {
      loadConfig(settings({ model }), {}, [], releases);
      return [];
    } catch (error) {
      if (error instanceof ConfigError) return error.faults;
      throw error;
    }
  };

  test("is what the environment serves, in the place of what config.ts describes", () => {
    const current = release("inf2");
    const model = read({ instanceType: "ml.inf2.xlarge" }, { dev: { current } });
    expect(model).toMatchObject({
      id: releaseId(current),
      artifact: current.artifact,
      instanceType: "ml.inf2.xlarge",
      image: expect.stringContaining("/pytorch-inference-neuronx:"),
      environment: { NEURON_RT_NUM_CORES: "1", SAGEMAKER_MODEL_SERVER_WORKERS: "2" },
      previous: undefined,
    });
    const { id, previous, ...others } = dev({ model: { instanceType: "ml.inf2.xlarge" } }).model;
    expect([id, previous, others.environment]).toEqual([undefined, undefined, {}]);
  });

  test("of Neo runs in the image that its compilation job named", () => {
    expect(read({}, { dev: { current: release("inf1-neo", { image: neoImage }) } })).toMatchObject({
      image: neoImage,
      environment: { MMS_DEFAULT_RESPONSE_TIMEOUT: "500" },
    });
  });

  test("moves to other instances with the one before still on its own", () => {
    const current = release("inf2", { instanceType: "ml.inf2.xlarge" });
    const model = read({}, { dev: { current, previous: "config.ts" } });
    expect(model).toMatchObject({ instanceType: "ml.inf2.xlarge", previous: { instanceType: "ml.inf1.xlarge" } });
    expect(model?.previous).toMatchObject({ artifact: dev().model.artifact, image: dev().model.image });
  });

  test("must fit instances, image and contract, and so must the one before", () => {
    const releases = { dev: { current: release("inf1-neo"), previous: release("cpu") } };
    expect(faultsOf({ contract: "instances" }, releases)).toEqual([
      "environments.dev.model.image: got nothing; allowed: sagemaker-neo-pytorch:<version>-inf-py3, which the compilation job names as its InferenceImage, for the release of kind inf1-neo (releases.json: dev.current); or say it in that release (https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ContainerDefinition.html)",
      'environments.dev.model.contract: got "instances"; allowed: "pair" for the release of kind inf1-neo (releases.json: dev.current)',
      'environments.dev.model.instanceType: got "ml.inf1.xlarge"; allowed: one of family cpu for the release of kind cpu (releases.json: dev.previous); or say it in that release',
    ]);
  });

  test.each<[ModelKind, string]>([
    ["inf1-torch-neuron", "sagemaker-neo-pytorch:1.9-inf-py3"],
    ["inf1-neo", "pytorch-inference-neuron:1.13.1-neuron-py310-sdk2.20.2-ubuntu20.04"],
  ])("made by one of Inf1's compilers is refused in the image of the other: %s in %s", (kind, name) => {
    const image = `763104351884.dkr.ecr.us-east-1.amazonaws.com/${name}`;
    expect(faultsOf({}, { dev: { current: release(kind, { image }) } })).toEqual([
      expect.stringContaining(`environments.dev.model.image: got "${image}"; allowed: `),
    ]);
  });

  test("is refused in an image of another region", () => {
    const image = neoImage.replace("us-east-1", "eu-west-1");
    expect(faultsOf({}, { dev: { current: release("inf1-neo", { image }) } })).toEqual([
      expect.stringContaining("allowed: an image in us-east-1, where the endpoint is"),
    ]);
  });

  test("is refused with all faults of both files at once", () => {
    const given = () =>
      loadConfig(settings({ inference: { batchSize: 0 } }), {}, [], { dev: { current: "latest" }, staging: {} });
    expect(given).toThrow(
      /^config\.ts and releases\.json have 3 problems:\n {2}environments\.dev\.inference\.batchSize: /,
    );
    expect(given).toThrow('releases.json: dev.current: got "latest"; allowed: a release, or "config.ts"');
    const elsewhere = { staging: { current: release("cpu") } };
    expect(() => loadConfig(settings(), {}, [], elsewhere)).toThrow(
      "releases.json has 1 problem:\n  releases.json: staging: got an environment that does not exist; allowed: dev",
    );
  });
});

describe("captured requests", () => {
  test("go to a prefix in S3, a share of them", () => {
    const dataCapture = { s3Uri: "s3://samples/captured", samplingPercentage: 5 };
    expect(dev({ model: { dataCapture } }).model.dataCapture).toEqual(dataCapture);
    expect(dev().model.dataCapture).toBeUndefined();
  });

  test.each([
    ["s3Uri", "s3://samples", "s3://<bucket>/<prefix>, no slash last"],
    ["s3Uri", "s3://samples/captured/", "s3://<bucket>/<prefix>, no slash last"],
    ["samplingPercentage", 0, "1 to 100 percent"],
    ["samplingPercentage", 101, "1 to 100 percent"],
  ])("are refused with %s %j", (field, value, allowed) => {
    const others = { model: { dataCapture: { s3Uri: "s3://samples/captured", samplingPercentage: 5 } } };
    expect(faultsWith(`model.dataCapture.${field}`, value, others)).toEqual([
      expect.stringMatching(new RegExp(`^environments\\.dev\\.model\\.dataCapture\\.${field}: .*${allowed}`)),
    ]);
  });
});

describe("a key pair in key-pairs.json", () => {
  const publicKey = ed25519();
  const read = (keyPairs: unknown, environment: EnvironmentSettings = {}) =>
    loadConfig(settings(environment), {}, [], {}, keyPairs).environments.dev?.keyPair;

  test("is the environment's, under the usual name", () => {
    expect(read({ dev: `${publicKey}\n` })).toEqual({ name: "poc-dev-key-pair", publicKey });
    expect(read({})).toBeUndefined();
  });

  test("and another in config.ts are one too many, and both are named", () => {
    const both = () => read({ dev: publicKey }, { keyPair: { existing: "ours" } });
    expect(both).toThrow(
      "config.ts has 1 problem:\n  environments.dev.keyPair: got a key pair, and key-pairs.json has a public key for dev; allowed: one of the two",
    );
  });

  test("is refused with all faults at once, and a private key is never shown", () => {
    const secret = generateKeyPairSync("ed25519").privateKey.export({ format: "pem", type: "pkcs8" }).toString();
    const given = () => read({ dev: secret, prod: 5 }, { inference: { batchSize: 0 } });
    expect(given).toThrow(
      /^config\.ts and key-pairs\.json have 3 problems:\n {2}environments\.dev\.inference\.batchSize: /,
    );
    expect(given).toThrow(
      "key-pairs.json: dev: got a private key, which must stay secret: give the public one, the file whose name ends in .pub\n" +
        "  key-pairs.json: prod: got no text; allowed: the line of a .pub file",
    );
    expect(given).not.toThrow(secret.split("\n")[1]);
  });

  test("is refused where its environment does not exist", () => {
    expect(() => read({ staging: publicKey })).toThrow(
      "key-pairs.json has 1 problem:\n  key-pairs.json: staging: got an environment that does not exist; allowed: dev",
    );
    expect(() => read([])).toThrow(
      "key-pairs.json: got []; allowed: an object of public keys by the names of environments",
    );
  });
});
