import { connect, environmentOf, targetOf } from "../../../cli/shared/connection";
import { loadConfig } from "../../../config";
import type { ModelContract } from "../../../contract/model-contract";
import { type Answer, json, serve } from "../../../local/stand-in";
import { plainNames } from "../../setup/names";

const usual = { ...process.env };
beforeEach(() => {
  process.env = { ...usual, AWS_ACCESS_KEY_ID: "key", AWS_SECRET_ACCESS_KEY: "secret", AWS_PROFILE: "usual" };
});
afterAll(() => {
  process.env = usual;
});

test("without a name it is the default environment of the configuration", () => {
  const { environment, shared } = targetOf({});
  expect([environment.name, shared.region]).toEqual(["dev", "us-east-1"]);
  expect(process.env).toMatchObject({ AWS_REGION: "us-east-1", AWS_PROFILE: "usual", AWS_ACCESS_KEY_ID: "key" });
});

test("a profile and a region that are named go before the configuration and the shell", () => {
  const { shared } = targetOf({ env: "prod", profile: "theirs", region: "eu-west-1" });
  expect(shared).toMatchObject({ region: "eu-west-1", profile: "theirs" });
  expect(process.env).toMatchObject({ AWS_REGION: "eu-west-1", AWS_PROFILE: "theirs" });
  expect(process.env.AWS_ACCESS_KEY_ID).toBeUndefined();
});

test("an environment that does not exist is refused, with those that do", () => {
  expect(() => targetOf({ env: "staging" })).toThrow(
    'There is no environment "staging". The environments of config.ts: dev, prod',
  );
});

test("where nothing names one, it says how to", () => {
  expect(() => environmentOf(loadConfig(), undefined)).toThrow(
    "Which environment? Name it by --env, OFFLINE_INFERENCE_ENV or `defaultEnvironment` in config.ts. There are: dev, prod",
  );
});

test("local mode that does not run says how to start it", () => {
  const folder = process.cwd();
  process.chdir("__tests__");
  try {
    expect(() => targetOf({ local: true })).toThrow("npm start -- --keep");
  } finally {
    process.chdir(folder);
  }
});

describe("a deployed pipeline", () => {
  const contract: ModelContract = {
    features: [{ name: "age", type: "Integral", optional: false }],
    request: "csv",
    answer: "json",
    outputs: [],
  };
  const group = {
    feature_group_name: "applicants",
    record_identifier: { name: "id", type: "String" },
    event_time: { name: "event_time", type: "String" },
  };

  /** Connects where SSM has this parameter, and S3 answers so to whoever asks for the contract. */
  async function connected(parameter: object, answer: () => Answer = () => json(contract)) {
    const aws = await serve(({ headers, url }) => {
      if (headers["x-amz-target"]) return json({ Parameter: { Value: JSON.stringify(parameter) } });
      return url.pathname === "/team-models/contracts/poc-dev.json" ? answer() : { status: 404 };
    });
    process.env = { ...usual, AWS_ACCESS_KEY_ID: "key", AWS_SECRET_ACCESS_KEY: "secret", AWS_ENDPOINT_URL: aws.url };
    return connect({ env: "dev" }).finally(() => aws.stop());
  }

  test("is found with its contract, and with the group whose features are the contract's", async () => {
    const { pipeline } = await connected({ ...plainNames, ...group });
    expect(pipeline.contract).toEqual(contract);
    expect(pipeline.featureGroup).toEqual({
      name: "applicants",
      features: contract.features,
      recordIdentifier: group.record_identifier,
      eventTime: group.event_time,
    });
  });

  test("may have no feature group", async () => {
    expect((await connected(plainNames)).pipeline.featureGroup).toBeUndefined();
  });

  test("may have a workgroup, whose readers take on a role, in the place of a cluster that lends them a name", async () => {
    expect((await connected(plainNames)).pipeline.warehouse).toEqual({
      clusterId: "warehouse",
      databaseName: "predictions",
      databaseUser: "reader",
    });
    const { redshift_cluster_identifier: _, redshift_reader: __, ...others } = plainNames;
    const onDemand = {
      redshift_workgroup_name: "poc-dev",
      redshift_reader_role_arn: "arn:aws:iam::123456789012:role/reader",
      redshift_admin_secret_arn: "arn:aws:secretsmanager:us-east-1:123456789012:secret:admin",
    };
    expect((await connected({ ...others, ...onDemand })).pipeline.warehouse).toEqual({
      workgroupName: "poc-dev",
      databaseName: "predictions",
      readerRoleArn: onDemand.redshift_reader_role_arn,
      adminSecretArn: onDemand.redshift_admin_secret_arn,
    });
  });

  test("whose contract may not be read says where it is", async () => {
    const denied = () => ({ status: 403, body: "<Error><Code>AccessDenied</Code><Message>No.</Message></Error>" });
    await expect(connected(plainNames, denied)).rejects.toThrow(
      /model's contract s3:\/\/team-models\/contracts\/poc-dev\.json/,
    );
  });
});
