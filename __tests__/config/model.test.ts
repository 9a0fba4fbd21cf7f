import { instanceTypes } from "../../aws/instance-types";
import type { ModelKind } from "../../aws/model-kinds";
import { ConfigError, type EnvironmentSettings, loadConfig } from "../../config";
import { labelOf } from "../../config/contract";
import { defaultContract, defaultModelName, defaultNamesOf } from "../../config/default-model";
import { type Release, releaseId } from "../../config/releases";
import { dev, faults, faultsWith, settings } from "../setup/settings";

describe("the model's image", () => {
  test.each([
    ["ml.inf1.xlarge", "pytorch-inference-neuron:1.13.1-neuron-py310-sdk2.20.2-ubuntu20.04"],
    ["ml.inf2.xlarge", "pytorch-inference-neuronx:2.9.0-neuronx-py312-sdk2.31.1-ubuntu24.04"],
    ["ml.c6i.xlarge", "pytorch-inference:2.6.0-cpu-py312-ubuntu22.04-sagemaker"],
    ["ml.m5.xlarge", "pytorch-inference:2.6.0-cpu-py312-ubuntu22.04-sagemaker"],
    ["ml.g6.xlarge", "pytorch-inference:2.6.0-gpu-py312-cu124-ubuntu22.04-sagemaker"],
    ["ml.c7g.xlarge", "pytorch-inference-arm64:2.6.0-cpu-py312-ubuntu22.04-sagemaker"],
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
    ["pytorch-inference:2.6.0-gpu-py312-cu124-ubuntu22.04-sagemaker", "gpu", ["gpu"]],
    ["pytorch-inference-arm64:2.6.0-cpu-py312-ubuntu22.04-sagemaker", "graviton", ["graviton"]],
    ["our-own/model:7", "unknown", ["inf1", "inf2", "gpu", "cpu", "graviton"]],
  ])("%s (%s) is accepted for %j alone", (image, _, families) => {
    const uri = `763104351884.dkr.ecr.us-east-1.amazonaws.com/${image}`;
    const oneOfEach = new Map([...instanceTypes].map(([instanceType, { family }]) => [family, instanceType]));
    const accepted = [...oneOfEach].flatMap(([family, instanceType]) =>
      faultsWith("model.image", uri, { model: { instanceType } }).length === 0 ? [family] : [],
    );
    expect(accepted).toEqual(families);
  });

  test.each([[7], [{}], [[]], [null], [true]])("is a text, and %j is a fault of that field alone", (value) => {
    for (const others of [{}, { capacity: "on-demand" as const }, { model: { instanceType: "ml.m5.xlarge" } }])
      expect(faultsWith("model.image", value, others)).toEqual([
        expect.stringMatching(/^environments\.dev\.model\.image: got /),
      ]);
  });

  test("must be in the endpoint's region, and in ECR", () => {
    expect(faultsWith("model.image", "123456789012.dkr.ecr.eu-west-1.amazonaws.com/our-own:1")).toEqual([
      expect.stringContaining("allowed: an image in us-east-1, where the endpoint is"),
    ]);
    expect(faultsWith("model.image", "docker.io/our-own:1")).toEqual([
      expect.stringContaining("allowed: 1 to 255 characters: an image in ECR"),
    ]);
  });

  test.each([
    ["cn-north-1", "amazonaws.com.cn", "amazonaws.com"],
    ["us-gov-west-1", "amazonaws.com", "amazonaws.com.cn"],
  ])("must be in a registry of the partition of %s", (region, domain, other) => {
    const faultsOf = (domain: string) =>
      faults(settings({ model: { image: `123456789012.dkr.ecr.${region}.${domain}/our-own:1` } }, { region }));
    expect(faultsOf(domain)).toEqual([]);
    expect(faultsOf(other)).toEqual([expect.stringContaining(`allowed: an image in ${region}, where the endpoint is`)]);
  });

  test("must be given where AWS publishes none", () => {
    expect(faults(settings({}, { region: "me-west-1" }))).toEqual([
      expect.stringContaining(
        "environments.dev.model.image: got nothing, and AWS's own images are not in me-west-1; allowed: an image in ECR",
      ),
    ]);
  });

  test("follows from an instance type that is known, and serves any other where it is named", () => {
    expect(faultsWith("model.instanceType", "ml.inf1.medium")).toEqual([
      expect.stringMatching(
        /^environments\.dev\.model\.instanceType: got "ml\.inf1\.medium"; allowed: ml\.inf1\.\{xlarge,2xlarge,6xlarge,24xlarge\}, .*; any other with an image that model\.image names$/,
      ),
    ]);
    const image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/our-own/model:7";
    expect(dev({ model: { instanceType: "ml.p5.48xlarge", image } }).model).toMatchObject({
      instanceType: "ml.p5.48xlarge",
      image,
      environment: {},
    });
    expect(faultsWith("model.instanceType", "p5.48xlarge", { model: { image } })).toEqual([
      expect.stringContaining(
        'got "p5.48xlarge"; allowed: 1 to 63 characters: an instance type of SageMaker\'s, ml.<group>.<size> (',
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

describe("a released model", () => {
  const release = (kind: ModelKind, more: Partial<Release> = {}): Release => ({
    artifact: { bucket: "our-models", key: `bert/${kind}.tar.gz`, sha256: "a".repeat(64) },
    kind,
    contract: labelOf(defaultContract),
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
    const configured = dev({ model: { instanceType: "ml.inf2.xlarge" } }).model;
    expect(configured).toMatchObject({ previous: undefined, environment: model?.environment });
    expect(configured).not.toHaveProperty("id");
  });

  test("is served by the digest that its image's tag had, as long as the image is named so", () => {
    const registry = "763104351884.dkr.ecr.us-east-1.amazonaws.com";
    const tag = `${registry}/pytorch-inference:2.6.0-cpu-py312-ubuntu22.04-sagemaker`;
    const resolved = { image: tag, digest: `sha256:${"d".repeat(64)}` };
    const releases = { dev: { current: release("cpu", { resolved }) } };
    expect(read({ instanceType: "ml.c7i.large" }, releases)).toMatchObject({
      image: `${registry}/pytorch-inference@${resolved.digest}`,
      environment: { OMP_NUM_THREADS: "1", SAGEMAKER_MODEL_SERVER_WORKERS: "2" },
    });
    const image = `${registry}/our-own:7`;
    expect(read({ instanceType: "ml.c7i.large", image }, releases)).toMatchObject({ image });
    expect(releaseId(release("cpu", { resolved }))).not.toBe(releaseId(release("cpu")));
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
    const contract = labelOf({ ...defaultContract, request: "instances" });
    const releases = { dev: { current: release("inf1-neo", { contract }), previous: release("cpu") } };
    expect(faultsOf({ contract: { request: "instances" } }, releases)).toEqual([
      "environments.dev.model.image: got nothing; allowed: sagemaker-neo-pytorch:<version>-inf-py3, which the compilation job names as its InferenceImage, for the release of kind inf1-neo (releases.json: dev.current); or say it in that release (https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ContainerDefinition.html)",
      'environments.dev.model.contract.request: got "instances"; allowed: "json", "raw" for the release of kind inf1-neo (releases.json: dev.current)',
      'environments.dev.model.instanceType: got "ml.inf1.xlarge"; allowed: one of family cpu for the release of kind cpu (releases.json: dev.previous); or say it in that release',
    ]);
  });

  test("of the kind other runs on any instances by an image that is named, which no kind but it needs", () => {
    const image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/our-own/model:7";
    const current = release("other", { instanceType: "ml.trn1.2xlarge" });
    expect(read({ image }, { dev: { current } })).toMatchObject({ instanceType: "ml.trn1.2xlarge", image });
    expect(faultsOf({}, { dev: { current } })).toEqual([
      expect.stringContaining(
        "environments.dev.model.image: got nothing; allowed: an image that serves it, for the release",
      ),
    ]);
    expect(faultsOf({ instanceType: "ml.c5d.large" }, { dev: { current: release("cpu") } })).toEqual([
      expect.stringMatching(/got "ml\.c5d\.large"; allowed: ml\.inf1\.\{.* any other with an image that/),
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
    ["s3Uri", "s3://samples/${path.module}", "s3://<bucket>/<prefix>, no slash last"],
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

describe("a release of another contract", () => {
  const made = labelOf(defaultContract);
  const current = {
    artifact: { bucket: "our-models", key: "a.tar.gz", sha256: "a".repeat(64) },
    kind: "inf1-torch-neuron",
    contract: made,
    verified: true,
  };

  test("is refused as the current one, with both contracts and what to do", () => {
    const contract = { features: { age: "Integral" } } as const;
    const read = () => loadConfig(settings({ model: { contract } }), {}, [], { dev: { current } });
    expect(read).toThrow(
      `environments.dev.model.contract: got ${labelOf(dev({ model: { contract } }).model.contract)}; allowed: ${made}, for which the current release is made (releases.json: dev.current); or release a model that is made for the new contract: offline-inference model release`,
    );
  });

  const speaks = { features: { seq_0: "String", seq_1: "String" }, request: ["json", "instances"], answer: "text" };

  test("is refused with the lines for config.ts where it says what it speaks", () => {
    const contract = { features: { age: "Integral" } } as const;
    const read = () =>
      loadConfig(settings({ model: { contract } }), {}, [], { dev: { current: { ...current, speaks } } });
    expect(read).toThrow(
      `(releases.json: dev.current), model: { contract: { features: { seq_0: "String", seq_1: "String" }, request: "json", answer: "text", }, }; or release a model`,
    );
  });

  test("is none where the model speaks another of its formats", () => {
    const contract = { request: "instances" } as const;
    expect(() =>
      loadConfig(settings({ model: { contract } }), {}, [], { dev: { current: { ...current, speaks } } }),
    ).not.toThrow();
    expect(() => loadConfig(settings({ model: { contract } }), {}, [], { dev: { current } })).toThrow("made for");
  });

  test("may be the one before: the way back to it is refused elsewhere", () => {
    const { contract, ...artifact } = current;
    const before = {
      ...artifact,
      artifact: { ...artifact.artifact, key: "b.tar.gz" },
      contract: "csv of a, answered by json (01234567)",
    };
    expect(() => loadConfig(settings(), {}, [], { dev: { current, previous: before } })).not.toThrow();
  });

  test("is refused where it says none, with what to write", () => {
    const { contract, ...old } = current;
    expect(() => loadConfig(settings(), {}, [], { dev: { current: old } })).toThrow(
      `releases.json: dev.current.contract: got nothing; allowed: 1 to 400 characters: what model.contract was for it, such as "${made}" where it was never set (\`offline-inference model release\` writes it)`,
    );
  });
});

describe("an endpoint that exists", () => {
  const endpoint = { existing: "their-endpoint" };

  test("is asked as the contract says, and nothing is made for it", () => {
    const { model } = dev({ model: { endpoint: { ...endpoint, variant: "blue" }, instancesPerCall: 4 } });
    expect(model).toMatchObject({
      endpoint: { existing: "their-endpoint", variant: "blue" },
      contract: defaultContract,
      instancesPerCall: 4,
      concurrency: 8,
    });
    expect(model).not.toHaveProperty("artifact");
    expect(model).not.toHaveProperty("endpointName");
  });

  test.each([
    ["artifact", { key: "model.tar.gz" }, "whose model has an artifact, an image and variables already"],
    ["image", "our-own:1", "whose model has"],
    ["environment", { A: "b" }, "whose model has"],
    ["instanceType", "ml.m5.large", "which runs on instances already"],
    ["instanceCount", 1, "which runs on instances already"],
    ["deadlineSeconds", 7_200, "which whoever makes it scales"],
    ["workingHours", { min: 2, from: 8, to: 18, timeZone: "UTC" }, "which whoever makes it scales"],
    ["dataCapture", { s3Uri: "s3://a/b" }, "whose own configuration says what is captured"],
    ["modelName", "a", "which has its names already"],
    ["endpointName", "a", "which has its names already"],
    ["variantName", "a", "where endpoint.variant names the variant"],
    ["executionRoleName", "a", "whose container has a role already"],
  ])("has no %s beside it", (field, value, why) => {
    expect(faultsWith("model", { endpoint, [field]: value })).toEqual([
      expect.stringMatching(
        `^environments.dev.model.${field}: got .+; allowed: nothing beside endpoint.existing, ${why}`,
      ),
    ]);
  });

  test("is told by all its faults at once", () => {
    const model = { endpoint: { existing: "a_b", variant: "c_d" }, image: "our-own:1", contract: { request: "xml" } };
    expect(faultsWith("model", model).map((fault) => fault.split(":")[0])).toEqual([
      "environments.dev.model.contract.request",
      "environments.dev.model.endpoint.existing",
      "environments.dev.model.endpoint.variant",
      "environments.dev.model.image",
    ]);
  });

  test("is not the one that Terraform makes here, nor one beside a takeover or a release", () => {
    expect(faultsWith("model.endpoint", { existing: `poc-dev-${defaultNamesOf(defaultModelName).endpoint}` })).toEqual([
      expect.stringContaining(
        "allowed: another endpoint than the one that is made here by default: Terraform would destroy it",
      ),
    ]);
    expect(faultsWith("model.endpoint", endpoint, { takeOver: true })).toEqual([
      expect.stringContaining(
        "allowed: nothing beside takeOver: the original's endpoint is taken over, and would be destroyed",
      ),
    ]);
    expect(() => loadConfig(settings({ model: { endpoint } }), {}, [], { dev: { current: "config.ts" } })).toThrow(
      "allowed: nothing while releases.json has a release of dev: it is of an endpoint that is made here",
    );
  });
});

describe("the container's environment variables", () => {
  const image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/our-own:1";

  test("go with an image of one's own", () => {
    const model = dev({ model: { image, environment: { HF_TASK: "text-classification" } } }).model;
    expect(model).toMatchObject({ image, environment: { HF_TASK: "text-classification" } });
  });

  test.each([
    ["1A", "b", 'got "1A"; allowed: 1 to 1024 characters: letters, digits and underscores, no digit first (https://'],
    ["SAGEMAKER_PROGRAM", "a.py", 'got "SAGEMAKER_PROGRAM"; allowed: another name than SAGEMAKER_CONTAINER_LOG_LEVEL,'],
    ["A", "é".repeat(513), "got a longer text; allowed: 0 to 1024 bytes (https://"],
    ["A", 1, "got 1; allowed: a text"],
  ])("have names and values that SageMaker takes: not %s=%j", (name, value, fault) => {
    expect(faultsWith("model.environment", { [name]: value })).toEqual([expect.stringContaining(fault)]);
  });

  test("are added to those that follow from the instances, and go before them", () => {
    const model = dev({
      model: { instanceType: "ml.c7i.4xlarge", environment: { A: "b", SAGEMAKER_MODEL_SERVER_WORKERS: "4" } },
    }).model;
    expect(model).toMatchObject({
      environment: { OMP_NUM_THREADS: "1", SAGEMAKER_MODEL_SERVER_WORKERS: "4", A: "b" },
      variables: { A: "b", SAGEMAKER_MODEL_SERVER_WORKERS: "4" },
    });
  });

  test("are as many as SageMaker takes", () => {
    const many = (count: number, value = "") =>
      faultsWith(
        "model.environment",
        Object.fromEntries(Array.from({ length: count }, (_, place) => [`A${place}`, value])),
      );
    expect(many(94)).toEqual([]);
    expect(many(95)).toEqual([
      expect.stringContaining(
        "environments.dev.model.environment: got 95 variables; allowed: 94 beside the 6 that are set in any case (https://",
      ),
    ]);
    expect(many(32, "a".repeat(1024))).toEqual([
      expect.stringContaining(
        "got 32854 bytes of names and values; allowed: 0 to 32768 bytes with those that are set in any case (https://",
      ),
    ]);
  });
});

test("a comparison's least parts are numbers from 0 to 1", () => {
  for (const value of [0, 0.95, 1]) expect(faultsWith("model.gate.accuracy", value)).toEqual([]);
  for (const value of [-0.1, 95, "1"]) {
    expect(faultsWith("model.gate.agreement", value)).toEqual([
      `environments.dev.model.gate.agreement: got ${JSON.stringify(value)}; allowed: a number from 0 to 1`,
    ]);
  }
});

describe("an answer that is watched", () => {
  const faultsOf = (drift: unknown) => faultsWith("model.drift", drift);

  test("has a share of a day's answers, and a least number of these", () => {
    expect(dev().model.drift).toBeUndefined();
    expect(dev({ model: { drift: { answer: "yes\n", share: { max: 0.4 } } } }).model.drift).toEqual({
      answer: "yes\n",
      share: { min: 0, max: 0.4 },
      minimumAnswers: 100,
    });
    const endpoint = { existing: "theirs" };
    expect(faultsOf({ answer: "é".repeat(128), share: { min: 0.2, max: 0.2 }, minimumAnswers: 1 })).toEqual([]);
    expect(dev({ model: { endpoint, drift: { answer: "yes", share: { min: 0.1 } } } }).model.drift).toMatchObject({
      share: { min: 0.1, max: 1 },
    });
  });

  test.each([
    ["", '""'],
    ["a\0b", '"a\\u0000b"'],
    ["a\ud800", '"a\\ud800"'],
    [7, "7"],
    [`${"é".repeat(128)}x`, `"${"é".repeat(128)}x"`],
  ])("is a text that can be stored and is counted: not %j", (answer, got) => {
    expect(faultsOf({ answer, share: { min: 0.1 } })).toEqual([
      `environments.dev.model.drift.answer: got ${got}; allowed: a text of 1 to 256 bytes of UTF-8, without NUL (prediction_shares)`,
    ]);
  });

  test.each([
    [{}, '{"min":0,"max":1}'],
    [{ min: 0.5, max: 0.4 }, '{"min":0.5,"max":0.4}'],
  ])("has a share that some may be out of: not %j", (share, got) => {
    expect(faultsOf({ answer: "yes", share })).toEqual([
      `environments.dev.model.drift.share: got ${got}; allowed: a min above 0, a max below 1, or both, and no min above the max`,
    ]);
  });

  test("has all its faults told at once", () => {
    expect(faultsOf({ answer: "yes", share: { min: 20 }, minimumAnswers: 0, answers: 1 })).toEqual([
      "environments.dev.model.drift.share.min: got 20; allowed: a number from 0 to 1",
      expect.stringContaining("environments.dev.model.drift.minimumAnswers: got 0; allowed: 1 to 1000000000 answers"),
      "environments.dev.model.drift.answers: got a field that does not exist, did you mean answer?; allowed: answer, share, minimumAnswers",
    ]);
    expect(faultsOf("yes")).toEqual([
      'environments.dev.model.drift: got "yes"; allowed: an object with fields of answer, share, minimumAnswers',
    ]);
  });
});

describe("the statuses by which a model tells of its own faults", () => {
  const registry = "763104351884.dkr.ecr.us-east-1.amazonaws.com";
  const huggingFace = `${registry}/huggingface-pytorch-inference:2.6.0-transformers5.5.3-cpu-py312-ubuntu22.04`;
  const generator = `${registry}/huggingface-pytorch-tgi-inference:2.7.0-tgi3.3.6-gpu-py311-cu124-ubuntu22.04`;

  test.each<[string, EnvironmentSettings["model"], readonly number[]]>([
    ["AWS's own image", {}, []],
    ["an image with Hugging Face's toolkit", { instanceType: "ml.c7i.large", image: huggingFace }, [400]],
    ["another image of Hugging Face's", { instanceType: "ml.g5.xlarge", image: generator }, []],
    ["an endpoint that exists", { endpoint: { existing: "theirs" } }, []],
    [
      "the format of Hugging Face's toolkit",
      { endpoint: { existing: "theirs" }, contract: { request: "inputs" } },
      [400],
    ],
    ["what is set", { endpoint: { existing: "theirs" }, contract: { request: "inputs" }, faultStatuses: [422] }, [422]],
  ])("follow from %s", (_, model, statuses) => {
    expect(dev({ model }).model.faultStatuses).toEqual(statuses);
  });

  test("are from 400 to 499", () => {
    expect(faultsWith("model.faultStatuses", [399])).toEqual([
      "environments.dev.model.faultStatuses[0]: got 399; allowed: 400 to 499 as a status (all others tell of a fault in any case)",
    ]);
    expect(faultsWith("model.faultStatuses", 400)).toEqual([
      "environments.dev.model.faultStatuses: got 400; allowed: a list of statuses",
    ]);
  });
});

describe("instances that follow the backlog", () => {
  const range = { instanceCount: { min: 1, max: 4 }, predictionsPerSecond: 25, deadlineSeconds: 7_200 };
  const of = (model: object) =>
    faults(settings({ model })).map((fault) => fault.replace("environments.dev.model.", ""));

  test("have a range, a speed that was measured and a deadline; workers follow from the most of them", () => {
    const { model, inference } = dev({ model: range });
    expect(model.scaling).toEqual({ min: 1, max: 4, predictionsPerSecond: 25, deadlineSeconds: 7_200 });
    expect(inference.maximumConcurrency).toBe(12);
    expect(dev({ model: range, inference: { maximumConcurrency: 5 } }).inference.maximumConcurrency).toBe(5);
    expect(dev({ model: { instanceCount: 2 } }).inference.maximumConcurrency).toBe(6);
    expect(dev({ model: { instanceCount: 1_000 } }).inference.maximumConcurrency).toBe(1_000);
    expect(dev().model.scaling).toBeUndefined();
  });

  test("need a speed that nobody guesses, and a deadline: how to measure it is said", () => {
    expect(of({ instanceCount: { min: 1, max: 4 } })).toEqual([
      expect.stringMatching(
        /^predictionsPerSecond: got nothing; allowed: what one instance gives a second, .*never a guess \(.*bench:model/,
      ),
      expect.stringMatching(/^deadlineSeconds: got nothing; allowed: 1800 to 1209600 seconds/),
    ]);
  });

  test.each([
    [{ instanceCount: { min: 4, max: 4 } }, 'instanceCount: got {"min":4,"max":4}; allowed: a max above the min'],
    [{ instanceCount: { min: 0, max: 4 } }, "instanceCount.min: got 0; allowed: 1 or more instances"],
    [{ instanceCount: { min: 1 } }, "instanceCount.max: got nothing; allowed: 1 or more instances"],
    [{ instanceCount: "many" }, 'instanceCount: got "many"; allowed: 1 or more instances, or { min, max } of them'],
    [{ deadlineSeconds: 60 }, "deadlineSeconds: got 60; allowed: 1800 to 1209600 seconds"],
    [{ instanceCount: 2 }, "deadlineSeconds: got 7200; allowed: nothing beside a fixed instanceCount"],
    [
      { deadlineSeconds: 345_600 },
      "deadlineSeconds: got 345600; allowed: less than inference.messageRetentionSeconds (345600)",
    ],
  ])("are refused where they cannot be: %j", (model, told) => {
    expect(of({ ...range, ...model })).toEqual([expect.stringContaining(told)]);
  });

  const hours = { min: 2, from: 8, to: 18, timeZone: "Europe/Berlin" };

  test("may be more in working hours, which are of weekdays where nothing else is said", () => {
    const { model } = dev({ model: { ...range, workingHours: hours } });
    expect(model.endpoint ? undefined : model.workingHours).toEqual({ ...hours, days: "weekdays" });
  });

  test.each([
    [{ min: 1 }, "workingHours.min: got 1; allowed: more than instanceCount.min (1), and instanceCount.max at most"],
    [{ min: 5 }, "workingHours.min: got 5; allowed: more than instanceCount.min (1), and instanceCount.max at most"],
    [{ to: 8 }, "workingHours.to: got 8; allowed: an hour after from (8), on the same day"],
    [{ days: "MON-FRI" }, 'workingHours.days: got "MON-FRI"; allowed: "weekdays", "every day"'],
  ])("have hours that there can be: %j", (written, told) => {
    expect(of({ ...range, workingHours: { ...hours, ...written } })).toEqual([expect.stringContaining(told)]);
  });

  test("have no hours beside a fixed number", () => {
    expect(of({ instanceCount: 2, workingHours: hours })).toEqual([
      expect.stringContaining("; allowed: nothing beside a fixed instanceCount"),
    ]);
  });
});
