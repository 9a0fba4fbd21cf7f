import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { endpointOf, endpointServes, endpointWillServe } from "../../../cli/deployment/endpoint";
import { labelOf } from "../../../config/contract";
import { AwsError, json, type StandIn, serve } from "../../../local/stand-in";
import { dev } from "../../setup/dev";
import { synthesizedStacks } from "../../setup/stacks";

const endpoint = { endpointName: "classifier", configurationName: "new", region: "us-east-1" };
const status = (EndpointStatus: string, EndpointConfigName: string, more: object = {}) =>
  json({ EndpointName: "classifier", EndpointStatus, EndpointConfigName, ...more });

const environment = process.env;
let sagemaker: StandIn;
let asked: string[];
let said: jest.SpyInstance;

/** A SageMaker that gives these answers, one to each question, and the last one for ever. */
async function answering(...answers: ReturnType<typeof json>[]) {
  sagemaker = await serve(({ headers, body }) => {
    asked.push(`${headers["x-amz-target"]} ${body}`);
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    if (answer === undefined) throw new AwsError("ValidationException", 400, 'Could not find endpoint "classifier".');
    return answer;
  });
  process.env.AWS_ENDPOINT_URL_SAGEMAKER = sagemaker.url;
}

beforeEach(() => {
  asked = [];
  process.env = { ...environment, AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "test" };
  said = jest.spyOn(console, "error").mockImplementation();
});
afterEach(async () => {
  said.mockRestore();
  process.env = environment;
  await sagemaker?.stop();
});

const look = () => endpointServes(endpoint, { intervalSeconds: 0.01 });

test("an endpoint that is updated is waited for, until it serves the new configuration", async () => {
  await answering(status("Updating", "old"), status("Updating", "old"), status("InService", "new"));
  await look();
  expect(asked).toEqual(Array(3).fill('SageMaker.DescribeEndpoint {"EndpointName":"classifier"}'));
  expect(said.mock.calls).toEqual([["classifier is Updating ..."]]); // once, and not at every look
});

test("an update that SageMaker takes back is a failure, with why and with the way back", async () => {
  const why = { FailureReason: "The alarm classifier-rollback was raised." };
  await answering(status("Updating", "old"), status("RollingBack", "old"), status("InService", "old", why));
  await expect(look()).rejects.toThrow(
    "classifier does not serve new: it is InService with old.\n" +
      "SageMaker says: The alarm classifier-rollback was raised.\n" +
      "The release before is kept on AWS. The way back is `npx offline-inference model release --rollback --env <environment>` and to deploy that.",
  );
  expect(asked).toHaveLength(3);
});

test.each(["Failed", "OutOfService", "UpdateRollbackFailed", "Deleting"])(
  "an endpoint that is %s is a failure, whatever its configuration",
  async (state) => {
    await answering(status(state, "new"));
    await expect(look()).rejects.toThrow(`classifier does not serve new: it is ${state} with new.`);
    expect(asked).toHaveLength(1);
  },
);

test("an endpoint that cannot be looked at is a failure, with what AWS says", async () => {
  await answering();
  await expect(look()).rejects.toThrow(
    'Cannot look at the endpoint classifier: ValidationException, Could not find endpoint "classifier"',
  );
});

test("the waiting ends at once when the process is told to end", async () => {
  await answering(status("Updating", "old"));
  const interruption = new AbortController();
  said.mockImplementation(() => interruption.abort(new Error("Interrupted by SIGINT.")));
  await expect(endpointServes(endpoint, { signal: interruption.signal, intervalSeconds: 3600 })).rejects.toThrow(
    "Interrupted by SIGINT.",
  );
});

describe("before a deployment", () => {
  const look = () => endpointWillServe(endpoint, { intervalSeconds: 0.01 });
  const at = (LastModifiedTime: number) => ({ LastModifiedTime });
  const absent = json({ __type: "ValidationException", Message: 'Could not find endpoint "classifier".' }, 400);

  test("an endpoint that serves another configuration is waited for until one is deployed", async () => {
    const old = status("InService", "old", at(1));
    await answering(old, old, old, status("Updating", "old", at(2)), status("InService", "new", at(3)));
    await look();
    expect(said.mock.calls).toEqual([["classifier is InService with old. Waiting for new to be deployed ..."]]);
    expect(asked).toHaveLength(5);
  });

  test("an endpoint that is not there is waited for", async () => {
    await answering(absent, absent, status("Creating", "new"), status("Creating", "new"), status("InService", "new"));
    await look();
    expect(said.mock.calls).toEqual([
      ["There is no classifier. Waiting for new to be deployed ..."],
      ["classifier is Creating ..."],
    ]);
  });

  test("one that serves the configuration already, or is on its way to it, is not waited for to change", async () => {
    await answering(status("InService", "new"));
    await look();
    expect(asked).toHaveLength(2);
    await sagemaker.stop();
    await answering(status("Updating", "old"), status("InService", "new"));
    await look();
    expect(said.mock.calls).toEqual([]);
  });

  test("what SageMaker takes back is a failure with the way back, even where no look fell into the update", async () => {
    const why = { FailureReason: "The alarm classifier-rollback was raised." };
    const old = status("InService", "old", at(1));
    await answering(old, old, status("InService", "old", { ...at(2), ...why }));
    await expect(look()).rejects.toThrow(
      /^classifier does not serve new: it is InService with old\.\nSageMaker says: The alarm .*\nThe release before /,
    );
  });

  test("what failed before is waited for to be mended, and what fails after is a failure", async () => {
    await answering(status("Failed", "old", at(1)), status("Failed", "old", at(1)), status("Failed", "new", at(2)));
    await expect(look()).rejects.toThrow("classifier does not serve new: it is Failed with new.");
    expect(said.mock.calls).toEqual([["classifier is Failed with old. Waiting for new to be deployed ..."]]);
  });

  test("the waiting ends at once when the process is told to end", async () => {
    await answering(status("InService", "old"));
    const interruption = new AbortController();
    said.mockImplementation(() => interruption.abort(new Error("Interrupted by SIGINT.")));
    await expect(endpointWillServe(endpoint, { signal: interruption.signal, intervalSeconds: 3600 })).rejects.toThrow(
      "Interrupted by SIGINT.",
    );
  });
});

test("what is to be served is the current release's configuration, by its name on AWS", () => {
  const release = (letter: string) => ({
    artifact: { bucket: "our-models", key: `${letter}.tar.gz`, sha256: letter.repeat(64) },
    kind: "inf1-torch-neuron" as const,
    contract: labelOf(dev.model.contract),
    verified: true,
  });
  const folder = mkdtempSync(join(tmpdir(), "stack-"));
  const servedIn = (releases: Parameters<typeof synthesizedStacks>[0]) => {
    writeFileSync(join(folder, "cdk.tf.json"), synthesizedStacks(releases)["inference-dev"] ?? "");
    return endpointOf(folder);
  };
  const [a, b] = [release("a"), release("b")];
  const before = servedIn({ dev: { current: a } });
  const after = servedIn({ dev: { current: b, previous: a } });
  const back = servedIn({ dev: { current: a, previous: b } });
  rmSync(folder, { recursive: true });
  expect(before).toEqual({
    endpointName: dev.model.endpointName,
    configurationName: expect.stringMatching(new RegExp(`^${dev.model.endpointConfigurationName}-[0-9a-f]{8}$`)),
    region: "us-east-1",
    profile: undefined,
  });
  expect(after.configurationName).not.toBe(before.configurationName);
  expect(back).toEqual(before);
});

test("nothing is to be served where the stack makes no endpoint, and it is said why", () => {
  const folder = mkdtempSync(join(tmpdir(), "stack-"));
  const stack = z.looseObject({ resource: z.record(z.string(), z.unknown()) });
  const { resource, ...rest } = stack.parse(JSON.parse(synthesizedStacks()["inference-dev"] ?? ""));
  const { aws_sagemaker_endpoint: _, ...others } = resource;
  writeFileSync(join(folder, "cdk.tf.json"), JSON.stringify({ ...rest, resource: others }));
  expect(() => endpointOf(folder)).toThrow("`model.endpoint` in config.ts names an endpoint that exists");
  rmSync(folder, { recursive: true });
});
