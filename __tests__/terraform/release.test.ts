import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { AwsError, json, type StandIn, serve } from "../../local/stand-in";
import { type EnvironmentReleases, type Release, releaseId } from "../../releases";
import { synthesizedStacks } from "../setup/stacks";
import { Checkout } from "./checkout";
import { environment, StackFolder } from "./terraform";

jest.setTimeout(300_000);

const release = (letter: string): Release => ({
  artifact: { bucket: "our-models", key: `${letter}.tar.gz`, sha256: letter.repeat(64) },
  kind: "inf1-torch-neuron",
  verified: true,
});
const [a, b, c] = [release("a"), release("b"), release("c")];

describe("the plan", () => {
  const plan = z.object({
    resource_changes: z.array(
      z.object({
        address: z.string(),
        mode: z.string(),
        type: z.string(),
        provider_name: z.string(),
        change: z.object({
          actions: z.array(z.string()),
          after: z.record(z.string(), z.unknown()).nullable(),
          after_unknown: z.record(z.string(), z.unknown()),
        }),
      }),
    ),
  });

  /** The part of inference-dev that is about the model, where this is released. */
  function modelOf(dev: EnvironmentReleases | undefined): string {
    const stack = z
      .looseObject({ resource: z.record(z.string(), z.record(z.string(), z.unknown())) })
      .parse(JSON.parse(synthesizedStacks(dev && { dev })["inference-dev"] ?? ""));
    const resource = Object.fromEntries(
      Object.entries(stack.resource).flatMap(([type, byName]) => {
        const kept = Object.entries(byName).filter(([name]) => name.startsWith("model_"));
        return kept.length > 0 ? [[type, Object.fromEntries(kept)]] : [];
      }),
    );
    const { terraform, provider, moved } = stack;
    return JSON.stringify({ terraform, provider, ...(moved !== undefined && { moved }), resource });
  }

  /** What Terraform would change from the one to the other, as if the first had just been applied. */
  async function changes(from: EnvironmentReleases | undefined, to: EnvironmentReleases) {
    const folder = await StackFolder.of(modelOf(from));
    const look = async (...more: string[]) => {
      await folder.terraform("plan", "-input=false", "-no-color", "-out=plan", ...more);
      return plan.parse(JSON.parse(await folder.terraform("show", "-json", "plan"))).resource_changes;
    };
    const applied = await look();
    const state = {
      version: 4,
      terraform_version: "1.10.0",
      serial: 1,
      lineage: "a-test",
      outputs: {},
      resources: applied.map(({ address, type, provider_name, change }) => ({
        mode: "managed",
        type,
        name: address.split(".")[1],
        provider: `provider["${provider_name}"]`,
        instances: [
          { schema_version: 0, attributes: { ...change.after, ...madeByAws(address, change.after_unknown) } },
        ],
      })),
    };
    await writeFile(join(folder.folder, "test.tfstate"), JSON.stringify(state));
    await writeFile(join(folder.folder, "cdk.tf.json"), modelOf(to));
    const planned = await look("-refresh=false");
    await folder.remove();
    return planned.flatMap(({ address, change }) =>
      change.actions.join() === "no-op" ? [] : [`${change.actions.join()} ${address}`],
    );
  }

  const madeByAws = (address: string, unknown: Record<string, unknown>) =>
    Object.fromEntries(
      ["id", "arn"].filter((name) => unknown[name] === true).map((name) => [name, `arn:aws:made::by:aws/${address}`]),
    );

  const both = (action: string, { artifact, ...rest }: Release) =>
    ["aws_sagemaker_endpoint_configuration.model_configuration", "aws_sagemaker_model.model_model"].map(
      (address) => `${action} ${address}_${releaseId({ artifact, ...rest })}`,
    );
  const turned = ["update aws_iam_role_policy.model_execution_policy", "update aws_sagemaker_endpoint.model_endpoint"];

  test("of the first release leaves what config.ts describes, which the endpoint serves", async () => {
    const planned = await changes(undefined, { current: a, previous: "config.ts" });
    expect(planned.sort()).toEqual([...both("create", a), ...turned].sort());
  });

  test("of the first release takes its place, where it was not said to be kept, once the endpoint has moved on", async () => {
    const planned = await changes(undefined, { current: a });
    expect(planned.sort()).toEqual([...both("create,delete", a), ...turned].sort());
  });

  test("of the next release is one model and one configuration more, and another one for the endpoint", async () => {
    const planned = await changes({ current: a }, { current: b, previous: a });
    expect(planned.sort()).toEqual([...both("create", b), ...turned].sort());
  });

  test("of one after that also ends the one before the one before, and nothing else", async () => {
    const planned = await changes({ current: b, previous: a }, { current: c, previous: b });
    expect(planned.sort()).toEqual([...both("create", c), ...both("delete", a), ...turned].sort());
  });

  test("of the way back turns the endpoint alone", async () => {
    const planned = await changes({ current: c, previous: b }, { current: b, previous: c });
    expect(planned).toEqual(["update aws_sagemaker_endpoint.model_endpoint"]);
  });
});

describe("a deployment of an endpoint", () => {
  let checkout: Checkout;
  let sagemaker: StandIn;
  /** Whether SageMaker takes an update back, when Terraform was told that it is on its way. */
  let takesBack: boolean;
  beforeAll(async () => {
    checkout = await Checkout.withTinyStack();
    sagemaker = await sageMaker(() => takesBack);
  });
  afterAll(async () => {
    await sagemaker.stop();
    await checkout.remove();
  });

  const deploy = async (endpoint_config_name: string) => {
    const provider = {
      aws: [{ region: "us-east-1", skip_requesting_account_id: true, skip_credentials_validation: true }],
    };
    await checkout.write(
      { aws_sagemaker_endpoint: { model_endpoint: { name: "paraphrase", endpoint_config_name } } },
      { provider },
    );
    const above = {
      AWS_ENDPOINT_URL_SAGEMAKER: sagemaker.url,
      AWS_ENDPOINT_URL_STS: environment.AWS_ENDPOINT_URL_STS ?? "",
    };
    return checkout.start(["deploy", "tiny", "--auto-approve"], above).ended;
  };

  test("ends with 0 where it serves what was deployed", async () => {
    takesBack = false;
    expect(await deploy("first")).toMatchObject({
      status: 0,
      stderr: expect.stringMatching(/Apply complete! .*[\s\S]*\nparaphrase serves first\.\n$/),
    });
  });

  test("ends with 1 where SageMaker took it back, though Terraform says that it is applied", async () => {
    takesBack = true;
    const { status, stderr } = await deploy("second");
    expect(status).toBe(1);
    expect(stderr).toContain("Apply complete! Resources: 0 added, 1 changed, 0 destroyed.");
    expect(stderr).toContain(`paraphrase does not serve second: it is InService with first.
SageMaker says: The alarm was raised.
The release before is kept on AWS. The way back is \`offline-inference model release --rollback\` and to deploy that.
`);
    expect(await readFile(checkout.state("tiny"), "utf8")).toContain('"second"'); // what Terraform takes for true
  });

  test("is not looked at where nothing of the endpoint changes", async () => {
    takesBack = false;
    await deploy("second");
    expect((await deploy("second")).stderr).toMatch(/There is nothing to apply\.\n$/);
  });
});

/** A SageMaker with one endpoint, as far as Terraform asks it. */
function sageMaker(takesBack: () => boolean): Promise<StandIn> {
  const asked = z.object({ EndpointName: z.string(), EndpointConfigName: z.string().optional() }).partial();
  let endpoint: { EndpointConfigName?: string; EndpointStatus: string; FailureReason?: string } | undefined;
  const arn = { EndpointArn: "arn:aws:sagemaker:us-east-1:123456789012:endpoint/paraphrase" };
  return serve(({ headers, body }) => {
    const { EndpointConfigName } = asked.parse(JSON.parse(body.toString() || "{}"));
    switch (headers["x-amz-target"]) {
      case "SageMaker.CreateEndpoint":
        endpoint = { EndpointConfigName, EndpointStatus: "InService" };
        return json(arn);
      case "SageMaker.UpdateEndpoint":
        endpoint = takesBack()
          ? { ...endpoint, EndpointStatus: "InService", FailureReason: "The alarm was raised." }
          : { EndpointConfigName, EndpointStatus: "InService" };
        return json(arn);
      case "SageMaker.DescribeEndpoint":
        if (endpoint === undefined) throw new AwsError("ValidationException", 400, "Could not find endpoint");
        return json({ EndpointName: "paraphrase", ...arn, ...endpoint, CreationTime: 1, LastModifiedTime: 1 });
      case "SageMaker.ListTags":
        return json({ Tags: [] });
      default:
        throw new AwsError("UnknownOperationException", 400, String(headers["x-amz-target"]));
    }
  });
}
