import { loadConfig } from "../../config";
import { dev, faults, settings } from "../setup/settings";

describe("the shared part", () => {
  test.each([
    ["stateBucket", "ab", "3 to 63 characters"],
    ["stateBucket", "a".repeat(64), "3 to 63 characters"],
    ["stateBucket", "Our-State", "lowercase letters"],
    ["modelBucket", "our..models", "single dots"],
    ["modelBucket", "our-terraform-state", "another bucket than the state's, and than that of its log"],
    ["modelBucket", "our-terraform-state-logs", "another bucket than the state's, and than that of its log"],
    ["account", "12345", "12 digits"],
    ["region", "us-east", 'a region\'s code such as "us-east-1"'],
    ["profile", " ", "the name of a profile"],
    ["apiGatewayRole", "theirs", "true or false"],
    ["owner", "a;b", "letters, digits, spaces"],
  ])("refuses the %s %j", (field, value, allowed) => {
    const [fault, ...others] = faults(settings({}, { [field]: value }));
    expect(others).toEqual([]);
    expect(fault).toContain(`${field}: got ${JSON.stringify(value)}; allowed: `);
    expect(fault).toContain(allowed);
  });

  test("refuses a state bucket whose name leaves no room for those of the buckets beside it", () => {
    const [longest, longer] = ["a".repeat(51), "a".repeat(52)];
    expect(dev({}, { stateBucket: longest }).answersBucket).toBe(`${longest}-dev-answers`);
    expect(faults(settings({}, { stateBucket: longer }))).toEqual([
      expect.stringMatching(
        `^environments\\.dev: got a bucket for answers "${longer}-dev-answers", .*; allowed: 3 to 63 characters: .* \\(https://`,
      ),
    ]);
  });

  test("refuses to keep models where an environment's answers are", () => {
    expect(faults(settings({}, { modelBucket: "our-terraform-state-dev-answers" }))).toEqual([
      'environments.dev: got a bucket for answers "our-terraform-state-dev-answers"; allowed: another bucket than modelBucket',
    ]);
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
    expect(github).toMatchObject({ repository: "team/inference", account });
    expect(github?.environments.map(({ name }) => name)).toEqual(["dev", "prod"]);
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

  test("keeps environments apart whose names would be one another's", () => {
    const faultsOfNames = (...names: string[]) => {
      const environments = Object.fromEntries(names.map((name) => [name, {}]));
      return faults({ ...settings({}, { account, github: { repository: "team/inference" } }), environments });
    };
    expect(faultsOfNames("dev", "dev2", "two-dev")).toEqual([]);
    expect(faultsOfNames("dev", "dev-two")).toEqual([
      expect.stringMatching(/^environments\.dev: got "dev"; allowed: another beside dev-two, which it begins/),
    ]);
    const long = { ...settings({}, { account, github: { repository: "team/inference" }, prefix: "p".repeat(30) }) };
    expect(faults({ ...long, environments: { ["e".repeat(30)]: {} } })).toContainEqual(
      expect.stringMatching(/: got "e+"; allowed: a shorter one, for GitHub's role "p+-e+-deploy" is to have 1 to 64 /),
    );
    expect(faultsOfNames("model")).toEqual([expect.stringContaining("another beside model-compilation")]);
    expect(faults({ ...settings(), environments: { dev: {}, "dev-two": {} } })).toEqual([]);
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

describe("the default environment", () => {
  test("is one of those that there are", () => {
    expect(loadConfig(settings({}, { defaultEnvironment: "dev" }), {}).shared.defaultEnvironment).toBe("dev");
    expect(faults(settings({}, { defaultEnvironment: "staging" }))).toEqual([
      'defaultEnvironment: got "staging"; allowed: dev',
    ]);
  });
});
