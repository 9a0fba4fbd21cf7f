import { limits } from "../../aws/limits";
import { faults, faultsWith, settings } from "../setup/settings";

describe("numbers", () => {
  // Small batches need no window, and a job may be forgotten as soon as the queue forgets its messages.
  const smallBatches = { inference: { batchSize: 10, messageRetentionSeconds: 86_400 } };

  test.each([
    ["inference.messageRetentionSeconds", 60, 1_209_600, "60 to 1209600 seconds"],
    ["inference.memoryMegabytes", 128, 10_240, "128 to 10240 MB"],
    ["inference.timeoutSeconds", 10, 120, "10 to 120 seconds"],
    ["inference.batchWindowSeconds", 0, 300, "0 to 300 seconds"],
    ["inference.maximumConcurrency", 2, 1000, "2 to 1000 functions at once"],
    ["inference.survivedOutageSeconds", 0, 432_000, "0 to 432000 seconds"],
    ["model.instancesPerCall", 1, 1000, "1 to 1000 inputs"],
    ["model.concurrency", 1, 256, "1 to 256 calls in flight"],
    ["loading.everyMinutes", 1, 60, "1 to 60 minutes"],
    ["jobs.keepDays", 1, 3_650, "1 to 3650 days"],
    ["jobs.maxRows", 1, 20_000_000, "1 to 20000000 rows"],
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

  test("inference.batchSize may be 1 and 10000 and nothing beyond", () => {
    const fast = {
      model: { concurrency: 256, contract: { features: { age: "Integral" as const }, request: "csv" as const } },
    };
    const of = (batchSize: number) =>
      faultsWith("inference.batchSize", batchSize, { ...fast, inference: { timeoutSeconds: 120 } });
    expect([...of(1), ...of(10_000)]).toEqual([]);
    for (const batchSize of [0, 10_001, 1.5]) {
      expect(of(batchSize)).toEqual([
        expect.stringContaining(
          `environments.dev.inference.batchSize: got ${batchSize}; allowed: 1 to 10000 messages (`,
        ),
      ]);
    }
  });

  test("inputs are kept at least as long as the queue keeps a message of them", () => {
    const kept = { inference: { messageRetentionSeconds: 1_209_600 } };
    expect(faultsWith("jobs.keepDays", 14, kept)).toEqual([]);
    expect(faultsWith("jobs.keepDays", 13, kept)).toEqual([
      "environments.dev.jobs.keepDays: got 13; allowed: 14 days or more, for a job may last as long as inference.messageRetentionSeconds (1209600), and its input is needed until its end",
    ]);
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

describe("the topic that alarms tell", () => {
  const topicIn = (region: string, partition: string) => `arn:${partition}:sns:${region}:123456789012:alarms`;

  test.each([
    ["us-east-1", "aws"],
    ["cn-north-1", "aws-cn"],
    ["us-gov-west-1", "aws-us-gov"],
  ])("is one in %s, where the alarms are", (region, partition) => {
    const faultsOf = (alarmTopicArn: string) => faults(settings({ alarmTopicArn }, { region }));
    expect(faultsOf(topicIn(region, partition))).toEqual([]);
    for (const other of [topicIn(region, "aws-iso"), topicIn("eu-west-1", "aws")]) {
      expect(faultsOf(other)).toEqual([
        expect.stringContaining(
          `environments.dev.alarmTopicArn: got "${other}"; allowed: a topic in ${region}, where the alarms are, arn:${partition}:sns:${region}:… (https://`,
        ),
      ]);
    }
    expect(faultsOf("alarms")).toEqual([expect.stringContaining("the ARN of an SNS topic")]);
  });
});

describe("names", () => {
  test.each([
    ["inference.queueName", 80 - "-dead-letters".length],
    ["inference.functionName", 64],
    ["inference.roleName", 64],
    ["loading.functionName", 64],
    ["loading.roleName", 64],
    ["loading.scheduleRoleName", 64],
    ["jobs.starterFunctionName", 64],
    ["jobs.starterRoleName", 64],
    ["jobs.starterScheduleRoleName", 64],
    ["jobs.writerFunctionName", 64],
    ["jobs.writerRoleName", 64],
    ["jobs.writerScheduleRoleName", 64],
    ["warehouse.copyRoleName", 64],
    ["warehouse.unloadRoleName", 64],
    ["warehouse.schemaFunctionName", 64],
    ["warehouse.schemaRoleName", 64],
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
      faults(
        settings({
          inference: { functionName: "ours", roleName: "OurRole" },
          api: { functionName: "ours", roleName: "ourROLE" },
        }),
      ),
    ).toEqual([
      expect.stringContaining(
        'environments.dev.api.functionName: got "poc-dev-ours"; allowed: another name than inference.functionName (',
      ),
      expect.stringContaining(
        'environments.dev.api.roleName: got "poc-dev-ourROLE"; allowed: another name than inference.roleName',
      ),
    ]);
  });

  test.each([
    ["warehouse.schemaFunctionName", "Ours", "loading.functionName"],
    ["warehouse.unloadRoleName", "ours", "loading.roleName"],
  ])("%s may not be %s", (path, name, taken) => {
    expect(faultsWith(path, name, { loading: { functionName: "Ours", roleName: "OURS" } })).toEqual([
      expect.stringContaining(`environments.dev.${path}: got "poc-dev-${name}"; allowed: another name than ${taken}`),
    ]);
  });

  test("a feature may not take a name that is taken", () => {
    for (const name of ["is_deleted", "write_time"]) {
      expect(faultsWith("features.recordIdentifier.name", name)).toEqual([
        expect.stringContaining(
          `environments.dev.features.recordIdentifier.name: got "${name}"; allowed: a name that is not taken`,
        ),
      ]);
    }
  });
});
