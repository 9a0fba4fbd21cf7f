import { describeName, describeRange, isName, isWithin, limits } from "../../aws/limits";

test("a range holds both its bounds, and says them", () => {
  const { messageRetentionSeconds } = limits.sqs;
  expect([59, 60, 1_209_600, 1_209_601].map((value) => isWithin(value, messageRetentionSeconds))).toEqual([
    false,
    true,
    true,
    false,
  ]);
  expect(describeRange(messageRetentionSeconds)).toBe("60 to 1209600 seconds");
});

test("refuses what is no whole number", () => {
  expect(isWithin(60.5, limits.sqs.messageRetentionSeconds)).toBe(false);
  expect(isWithin(Number.NaN, limits.sqs.messageRetentionSeconds)).toBe(false);
});

test("says a range without an upper bound so", () => {
  expect(describeRange(limits.sagemaker.instanceCount)).toBe("1 or more instances");
  expect(isWithin(1000, limits.sagemaker.instanceCount)).toBe(true);
});

test("a name says what is allowed", () => {
  expect(describeName(limits.sqs.queueName)).toBe("1 to 80 characters: letters, digits, hyphens and underscores");
});

test("says one length where a name has just one", () => {
  expect(describeName(limits.iam.accountId)).toMatch(/^12 characters: /);
});

test.each([
  ["sqs.queueName", limits.sqs.queueName, ["inference_queue", "A-1"], ["a.fifo", "a b"]],
  ["lambda.functionName", limits.lambda.functionName, ["bert-worker_tf"], ["a.b", "a/b"]],
  ["sagemaker.modelName", limits.sagemaker.modelName, ["a", "a--b"], ["-a", "a-", "a_b"]],
  ["sagemaker.variantName", limits.sagemaker.variantName, ["bert-en-conf"], ["a.b"]],
  ["featureStore.groupName", limits.featureStore.groupName, ["a_-b"], ["_a", "a_"]],
  ["redshift.clusterIdentifier", limits.redshift.clusterIdentifier, ["a-1"], ["1a", "a--b", "a-", "A"]],
  ["redshift.subnetGroupName", limits.redshift.subnetGroupName, ["defaults", "a-1"], ["default", "A"]],
  ["redshift.databaseName", limits.redshift.databaseName, ["predictions", "a_1"], ["Predictions", "1a", "a-b"]],
  ["redshift.adminUsername", limits.redshift.adminUsername, ["admin", "a.b@c"], ["public", "Admin", "a:b", "a/b"]],
  ["iam.roleName", limits.iam.roleName, ["a_+=,.@-B"], ["a'b", "a b", "a/b"]],
  ["iam.accountId", limits.iam.accountId, ["012345678901"], ["12345678901", "1234567890123", "x12345678901"]],
  ["apiGateway.stageName", limits.apiGateway.stageName, ["dev_1-a"], ["$default", "a b"]],
  [
    "s3.bucketName",
    limits.s3.bucketName,
    ["abc", "a.b-c", "0ab"],
    ["ab", "Abc", "a..b", "-ab", "ab-", "1.2.3.4", "xn--abc", "abc-s3alias", `${"a".repeat(62)}_`],
  ],
  ["s3.key", limits.s3.key, ["a/b.tar.gz"], ["/a", "a/", "a b"]],
  ["ec2.keyPairName", limits.ec2.keyPairName, ["a", "a key"], [" a", "a ", "é"]],
  ["tags.value", limits.tags.value, ["test@test.com", "École 1"], ["a;b"]],
])("knows which names %s allows", (_, limit, allowed, refused) => {
  expect(allowed.filter((name) => !isName(name, limit))).toEqual([]);
  expect(["", ...refused].filter((name) => isName(name, limit))).toEqual([]);
});
