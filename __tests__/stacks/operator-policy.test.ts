import { folders } from "../../contract/answers-bucket";
import { factsOf, jobFolders, openMark } from "../../contract/job";
import { dev as devEnvironment } from "../setup/dev";
import { bastionPolicy, erasurePolicy, jobsPolicy, operatorPolicy } from "../setup/operator-policy";
import { dev as devOf } from "../setup/settings";
import { synthesizedStacks } from "../setup/stacks";
import { onlyResource, resourcesOf } from "../setup/synth";

const { "inference-dev": dev = "" } = synthesizedStacks();
const onDemand = devOf({ capacity: "on-demand" });
const nameOf = (type: string, attribute = "name") => String(onlyResource(dev, type).attributes[attribute]);
const ofAccount = (service: string, rest: string) => `arn:aws:${service}:us-east-1:123456789012:${rest}`;
const routeArn = (route: string) => ofAccount("execute-api", `a1b2c3d4e5/${devEnvironment.api.stageName}/${route}`);
const routesOfJobs = ["GET/jobs", "POST/jobs", "GET/jobs/nightly", "POST/jobs/nightly/cancel"];

test("the policy in the documentation allows what its table names, and no more", async () => {
  const { statements, named } = await operatorPolicy();
  const allowed = statements.flatMap(({ Action }) => Action);
  expect([...named].sort()).toEqual([...new Set(allowed)].sort());
  expect(named.size).toBeGreaterThan(15);
});

test("its resources are those of the stack", async () => {
  const cluster = nameOf("aws_redshift_cluster", "cluster_identifier");
  const queues = resourcesOf(dev).filter(({ type }) => type === "aws_sqs_queue");
  const worker = resourcesOf(dev).find(({ address }) => address === "aws_lambda_function.inference_worker_function");
  const names = JSON.stringify(onlyResource(dev, "aws_ssm_parameter").attributes);
  const user = /"redshift_reader\\":\\"(\w+)/.exec(names)?.[1];
  const { answersBucket, jobs, loading } = devEnvironment;
  const expected = [
    ofAccount("ssm", `parameter${nameOf("aws_ssm_parameter")}`),
    ofAccount("lambda", `function:${worker?.attributes.function_name}`),
    ofAccount("lambda", `function:${loading.functionName}`),
    ofAccount("lambda", `function:${jobs.writerFunctionName}`),
    ...[devEnvironment.api.functionName, jobs.starterFunctionName, loading.functionName].map((name) =>
      ofAccount("logs", `log-group:/aws/lambda/${name}:log-stream:one`),
    ),
    ...routesOfJobs.map(routeArn),
    ...[folders.unloads, jobFolders.inputs, jobFolders.results].map(
      (folder) => `arn:aws:s3:::${answersBucket}/${folder}one`,
    ),
    ofAccount("sagemaker", `endpoint/${nameOf("aws_sagemaker_endpoint")}`),
    ofAccount("sagemaker", `feature-group/${nameOf("aws_sagemaker_feature_group", "feature_group_name")}`),
    `arn:aws:s3:::${nameOf("aws_s3_object", "bucket")}/${nameOf("aws_s3_object", "key")}`,
    ...queues.map(({ attributes }) => ofAccount("sqs", String(attributes.name))),
    ofAccount("redshift", `cluster:${cluster}`),
    ofAccount("redshift", `dbname:${cluster}/${nameOf("aws_redshift_cluster", "database_name")}`),
    ofAccount("redshift", `dbuser:${cluster}/${user}`),
    `arn:aws:iam::123456789012:role/${onDemand.warehouse.readerRoleName}`,
  ];
  const patterns = (await operatorPolicy()).statements
    .flatMap(({ Resource }) => Resource)
    .filter((resource) => resource !== "*")
    .map((resource) => new RegExp(`^${resource.replaceAll("*", "[^/]*")}$`));
  expect(expected.filter((arn) => !patterns.some((pattern) => pattern.test(arn)))).toEqual([]);
  expect(patterns.filter((pattern) => !expected.some((arn) => pattern.test(arn)))).toEqual([]);
});

test("no policy but that for who erases lets anybody sign in as the warehouse's admin, or delete a record", async () => {
  const erases = /DeleteRecord|:dbuser:.*\/(admin|\*)$/;
  const texts = (statements: { Action: string[]; Resource: string[] }[]) =>
    statements.flatMap(({ Action, Resource }) => [...Action, ...Resource]).filter((text) => erases.test(text));
  const others = [...(await operatorPolicy()).statements, ...(await jobsPolicy()), ...(await bastionPolicy())];
  expect(texts(others)).toEqual([]);
  expect(texts(await erasurePolicy())).toEqual([
    "sagemaker:DeleteRecord",
    `arn:aws:redshift:us-east-1:123456789012:dbuser:poc-dev-*/${devEnvironment.warehouse.adminUsername}`,
  ]);
});

test("the resources of the policy for who erases are those of the stack", async () => {
  const cluster = nameOf("aws_redshift_cluster", "cluster_identifier");
  const { answersBucket, warehouse } = devEnvironment;
  const expected = [
    ofAccount("ssm", `parameter${nameOf("aws_ssm_parameter")}`),
    `arn:aws:s3:::${nameOf("aws_s3_object", "bucket")}/${nameOf("aws_s3_object", "key")}`,
    ofAccount("sagemaker", `feature-group/${nameOf("aws_sagemaker_feature_group", "feature_group_name")}`),
    ...resourcesOf(dev).flatMap(({ type, attributes }) =>
      type === "aws_sqs_queue" ? [ofAccount("sqs", String(attributes.name))] : [],
    ),
    `arn:aws:s3:::${answersBucket}`,
    `arn:aws:s3:::${answersBucket}/one`,
    ofAccount("redshift", `cluster:${cluster}`),
    ofAccount("redshift", `dbname:${cluster}/${nameOf("aws_redshift_cluster", "database_name")}`),
    ofAccount("redshift", `dbuser:${cluster}/${warehouse.adminUsername}`),
  ];
  const patterns = (await erasurePolicy())
    .flatMap(({ Resource }) => Resource)
    .filter((resource) => resource !== "*")
    .map((resource) => new RegExp(`^${resource.replaceAll("*", "[^/]*")}$`));
  expect(expected.filter((arn) => !patterns.some((pattern) => pattern.test(arn)))).toEqual([]);
  expect(patterns.filter((pattern) => !expected.some((arn) => pattern.test(arn)))).toEqual([]);
});

describe("the policy for who comes in by a bastion", () => {
  test("leads to SSH of the environment's own endpoint, as which the stack tags it", async () => {
    const tunnel = (await bastionPolicy()).find(({ Action }) => Action.includes("ec2-instance-connect:OpenTunnel"));
    expect(tunnel?.Action).toHaveLength(1);
    expect(tunnel?.Condition).toEqual({
      StringEquals: {
        "aws:ResourceTag/Project": devEnvironment.tags.Project,
        "aws:ResourceTag/Environment": devEnvironment.tags.Environment,
      },
      NumericEquals: { "ec2-instance-connect:remotePort": "22" },
    });
  });

  test("lends its holder the reader that operators are lent, in the same pipeline", async () => {
    const ofOperators = (await operatorPolicy()).statements.flatMap(({ Resource }) => Resource);
    const resources = (await bastionPolicy()).flatMap(({ Resource }) => Resource);
    expect(resources.filter((resource) => !ofOperators.includes(resource))).toEqual([
      ofAccount("ec2", "instance-connect-endpoint/*"),
    ]);
  });
});

describe("the policy for a program that has jobs alone", () => {
  const objectArn = (key: string) => `arn:aws:s3:::${devEnvironment.answersBucket}/${key}`;
  /** Whether it allows an action on a resource. A * stands for slashes too, as IAM has it. */
  const allows = async (action: string, arn: string) =>
    (await jobsPolicy()).some(
      ({ Action, Resource }) =>
        Action.includes(action) && Resource.some((one) => new RegExp(`^${one.replaceAll("*", ".*")}$`).test(arn)),
    );

  test("names three actions, none of them of a queue or of Redshift", async () => {
    const actions = (await jobsPolicy()).flatMap(({ Action }) => Action);
    expect(actions.sort()).toEqual(["execute-api:Invoke", "s3:GetObject", "s3:PutObject"]);
  });

  test.each(routesOfJobs)("allows %s", async (route) => {
    expect(await allows("execute-api:Invoke", routeArn(route))).toBe(true);
  });

  test.each(["POST/predict", "GET/predict/7", "GET/", "DELETE/jobs/nightly"])("does not allow %s", async (route) => {
    expect(await allows("execute-api:Invoke", routeArn(route))).toBe(false);
  });

  test("lets its holder write inputs, read results, and touch nothing else of the bucket", async () => {
    const { request, counts, manifest } = factsOf("nightly");
    const others = [request, counts, openMark("nightly"), `${folders.staged}x`, `${folders.unloads}x`];
    const allowed = async (action: string) => {
      const keys = [`${jobFolders.inputs}rows.csv`, manifest, ...others];
      const may = await Promise.all(keys.map((key) => allows(action, objectArn(key))));
      return keys.filter((_, place) => may[place]);
    };
    expect(await allowed("s3:PutObject")).toEqual([`${jobFolders.inputs}rows.csv`]);
    expect(await allowed("s3:GetObject")).toEqual([manifest]);
  });
});
