import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import {
  DescribeEndpointCommand,
  SageMakerClient,
  UpdateEndpointWeightsAndCapacitiesCommand,
} from "@aws-sdk/client-sagemaker";
import { labelOf } from "../../config/contract";
import { defaultContract } from "../../config/default-model";
import type { EnvironmentReleases, Release } from "../../config/releases";
import { dev } from "../setup/dev";
import { modelStack, scaledModelStack } from "../setup/model-stack";
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

const credentials = { accessKeyId: "test", secretAccessKey: "test" };
const terraform = (...args: string[]) => run("terraform", args, { cwd: folder, env: moto.environment });

/** Applies a stack, and gives what was called of services to change something, in its order. */
async function apply(json: string, ...services: string[]): Promise<string[]> {
  const before = (await moto.calls()).length;
  await writeFile(join(folder, "cdk.tf.json"), json);
  await terraform("apply", "-input=false", "-no-color", "-auto-approve");
  const calls = (await moto.calls()).slice(before);
  return calls.flatMap(({ service, operation }) =>
    services.includes(service) && /^(Create|Update|Delete|Put|Register|Deregister)/.test(operation) ? [operation] : [],
  );
}

/** Deploys releases, and gives SageMaker's part of it. */
const deploy = (dev: EnvironmentReleases | undefined) => apply(modelStack(dev), "sagemaker");

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

describe("an endpoint that is scaled", () => {
  const scaled = (instanceType: string) =>
    apply(scaledModelStack(instanceType), "sagemaker", "application-autoscaling");

  test("has a target, two policies and its working hours once it is there", async () => {
    const calls = await scaled("ml.inf1.xlarge");
    expect(calls.indexOf("RegisterScalableTarget")).toBeGreaterThan(calls.indexOf("UpdateEndpoint"));
    expect(calls.filter((call) => /ScalingPolicy|ScheduledAction/.test(call)).sort()).toEqual([
      ...Array(2).fill("PutScalingPolicy"),
      ...Array(2).fill("PutScheduledAction"),
    ]);
    expect(await moto.holdings()).toMatchObject({ aws_appautoscaling_target: 1 });
  });

  test("is no drift for Terraform, however many instances it has, nor in its working hours", async () => {
    const { endpointName: EndpointName, variantName: VariantName } = dev.model;
    const sagemaker = new SageMakerClient({ region: "us-east-1", endpoint: moto.url, credentials });
    const DesiredWeightsAndCapacities = [{ VariantName, DesiredInstanceCount: 3 }];
    await sagemaker.send(new UpdateEndpointWeightsAndCapacitiesCommand({ EndpointName, DesiredWeightsAndCapacities }));
    const target = `--resource-id endpoint/${EndpointName}/variant/${VariantName} --scalable-dimension sagemaker:variant:DesiredInstanceCount`;
    await moto.bash(
      `aws application-autoscaling register-scalable-target --service-namespace sagemaker ${target} --min-capacity 2`,
      folder,
    );
    const { stdout } = await terraform("plan", "-input=false", "-no-color", "-detailed-exitcode");
    expect(stdout).toContain("No changes.");
    const { ProductionVariants } = await sagemaker.send(new DescribeEndpointCommand({ EndpointName }));
    sagemaker.destroy();
    expect(ProductionVariants).toMatchObject([{ VariantName, DesiredInstanceCount: 3 }]);
  });

  test("gets other instances after its target has gone, for SageMaker refuses them before, and then has it again", async () => {
    const calls = await scaled("ml.inf1.2xlarge");
    const [gone, updated, again] = ["DeregisterScalableTarget", "UpdateEndpoint", "RegisterScalableTarget"].map(
      (call) => calls.indexOf(call),
    );
    expect(gone).toBeGreaterThanOrEqual(0);
    expect([gone, updated, again]).toEqual([gone, updated, again].sort((one = 0, other = 0) => one - other));
    const { stdout } = await terraform("plan", "-input=false", "-no-color", "-detailed-exitcode");
    expect(stdout).toContain("No changes.");
  });

  test("goes with all that scales it", async () => {
    await terraform("destroy", "-input=false", "-no-color", "-auto-approve");
    expect(await moto.holdings()).toEqual({});
  });
});
