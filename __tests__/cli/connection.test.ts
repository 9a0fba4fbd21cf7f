import { environmentOf, targetOf } from "../../cli/connection";
import { loadConfig } from "../../config";

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
