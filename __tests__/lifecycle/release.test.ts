import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { labelOf } from "../../config/contract";
import { defaultContract } from "../../config/default-model";
import type { EnvironmentReleases, Release } from "../../config/releases";
import { modelStack } from "../setup/model-stack";
import { type Moto, startMoto } from "../setup/moto";

const run = promisify(execFile);
const release = (letter: string): Release => ({
  artifact: { bucket: "our-models", key: `${letter}.tar.gz`, sha256: letter.repeat(64) },
  kind: "inf1-torch-neuron",
  contract: labelOf(defaultContract),
  verified: true,
});
const [a, b, c, d] = [release("a"), release("b"), release("c"), release("d")];

let moto: Moto;
let folder: string;
beforeAll(async () => {
  moto = await startMoto();
  folder = await mkdtemp(join(tmpdir(), "stack-"));
  const backend = { terraform: { backend: { local: { path: "test.tfstate" } } } };
  await writeFile(join(folder, "backend_override.tf.json"), JSON.stringify(backend));
  await writeFile(join(folder, "cdk.tf.json"), modelStack(undefined));
  await terraform("init", "-input=false", "-no-color");
});
afterAll(async () => {
  await moto.stop();
  await rm(folder, { recursive: true, force: true });
});

const terraform = (...args: string[]) => run("terraform", args, { cwd: folder, env: moto.environment });

/** Deploys releases, and gives SageMaker's part of it: what was called to change something, in its order. */
async function deploy(dev: EnvironmentReleases | undefined): Promise<string[]> {
  const before = (await moto.calls()).length;
  await writeFile(join(folder, "cdk.tf.json"), modelStack(dev));
  await terraform("apply", "-input=false", "-no-color", "-auto-approve");
  const calls = (await moto.calls()).slice(before);
  return calls.flatMap(({ service, operation }) =>
    service === "sagemaker" && /^(Create|Update|Delete)/.test(operation) ? [operation] : [],
  );
}

const made = ["CreateModel", "CreateEndpointConfig", "UpdateEndpoint"];
const gone = ["DeleteEndpointConfig", "DeleteModel"];

test("the first deployment needs no release", async () => {
  expect(await deploy(undefined)).toEqual(["CreateModel", "CreateEndpointConfig", "CreateEndpoint"]);
});

test("releases follow one another, and what is deleted is never what is served or was served before", async () => {
  expect(await deploy({ current: a, previous: "config.ts" })).toEqual(made);
  const calls = await deploy({ current: b, previous: a });
  expect(calls.sort()).toEqual([...made, ...gone].sort());
  expect(await moto.holdings()).toMatchObject({ aws_sagemaker_model: 2, aws_sagemaker_endpoint_configuration: 2 });
});

test("the way back turns the endpoint, and nothing is made or deleted", async () => {
  expect(await deploy({ current: a, previous: b })).toEqual(["UpdateEndpoint"]);
});

test("where a release was left out, what is served goes only once the endpoint has moved on", async () => {
  expect((await deploy({ current: a })).sort()).toEqual(gone); // a alone is left, and is served
  const calls = await deploy({ current: d, previous: c });
  expect(calls.filter((call) => gone.includes(call))).toEqual(gone);
  expect(calls.indexOf("DeleteEndpointConfig")).toBeGreaterThan(calls.indexOf("UpdateEndpoint"));
});
