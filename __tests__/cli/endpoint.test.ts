import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { endpointOf, endpointServes } from "../../cli/endpoint";
import { AwsError, json, type StandIn, serve } from "../../local/stand-in";
import { synthesizedStacks } from "../setup/stacks";

const endpoint = { endpointName: "paraphrase", configurationName: "new", region: "us-east-1" };
const status = (EndpointStatus: string, EndpointConfigName: string, more: object = {}) =>
  json({ EndpointName: "paraphrase", EndpointStatus, EndpointConfigName, ...more });

const environment = process.env;
let sagemaker: StandIn;
let asked: string[];
let said: jest.SpyInstance;

/** A SageMaker that gives these answers, one to each question, and the last one for ever. */
async function answering(...answers: ReturnType<typeof json>[]) {
  sagemaker = await serve(({ headers, body }) => {
    asked.push(`${headers["x-amz-target"]} ${body}`);
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    if (answer === undefined) throw new AwsError("ValidationException", 400, 'Could not find endpoint "paraphrase".');
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
  expect(asked).toEqual(Array(3).fill('SageMaker.DescribeEndpoint {"EndpointName":"paraphrase"}'));
  expect(said.mock.calls).toEqual([["paraphrase is Updating ..."]]); // once, and not at every look
});

test("an update that SageMaker takes back is a failure, with why and with the way back", async () => {
  const why = { FailureReason: "The alarm paraphrase-rollback was raised." };
  await answering(status("Updating", "old"), status("RollingBack", "old"), status("InService", "old", why));
  await expect(look()).rejects.toThrow(
    "paraphrase does not serve new: it is InService with old.\n" +
      "SageMaker says: The alarm paraphrase-rollback was raised.\n" +
      "The release before is kept on AWS. The way back is `offline-inference model release --rollback` and to deploy that.",
  );
  expect(asked).toHaveLength(3);
});

test.each(["Failed", "OutOfService", "UpdateRollbackFailed", "Deleting"])(
  "an endpoint that is %s is a failure, whatever its configuration",
  async (state) => {
    await answering(status(state, "new"));
    await expect(look()).rejects.toThrow(`paraphrase does not serve new: it is ${state} with new.`);
    expect(asked).toHaveLength(1);
  },
);

test("an endpoint that cannot be looked at is a failure, with what AWS says", async () => {
  await answering();
  await expect(look()).rejects.toThrow(
    'Cannot look at the endpoint paraphrase: ValidationException, Could not find endpoint "paraphrase"',
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

test("what is to be served is the current release's configuration, by its name on AWS", () => {
  const release = (letter: string) => ({
    artifact: { bucket: "our-models", key: `${letter}.tar.gz`, sha256: letter.repeat(64) },
    kind: "inf1-torch-neuron" as const,
    verified: true,
  });
  const folder = mkdtempSync(join(tmpdir(), "stack-"));
  const servedIn = (dev: Parameters<typeof synthesizedStacks>[0]) => {
    writeFileSync(join(folder, "cdk.tf.json"), synthesizedStacks(dev)["inference-dev"] ?? "");
    return endpointOf(folder);
  };
  const [a, b] = [release("a"), release("b")];
  const before = servedIn({ dev: { current: a } });
  const after = servedIn({ dev: { current: b, previous: a } });
  const back = servedIn({ dev: { current: a, previous: b } });
  rmSync(folder, { recursive: true });
  expect(before).toEqual({
    endpointName: "poc-dev-paraphrase-bert-en-endpoint",
    configurationName: expect.stringMatching(/^poc-dev-paraphrase-bert-en-conf-tf-[0-9a-f]{8}$/),
    region: "us-east-1",
    profile: undefined,
  });
  expect(after.configurationName).not.toBe(before.configurationName);
  expect(back).toEqual(before);
});
