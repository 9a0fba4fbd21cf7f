import { z } from "zod";
import { AwsError, json, type StandIn, serve } from "../../local/stand-in";
import { Checkout } from "./checkout";
import { environment } from "./terraform";

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
      { aws_sagemaker_endpoint: { model_endpoint: { name: "classifier", endpoint_config_name } } },
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
      stderr: expect.stringMatching(
        /Apply complete! .*[\s\S]*\nclassifier serves first\.\nWhat classifier answers is not proven: .*\n$/,
      ),
    });
  });

  test("ends with 1 where SageMaker took it back, though Terraform says that it is applied", async () => {
    takesBack = true;
    const { status, stderr } = await deploy("second");
    expect(status).toBe(1);
    expect(stderr).toContain("Apply complete! Resources: 0 added, 1 changed, 0 destroyed.");
    expect(stderr).toContain(`classifier does not serve second: it is InService with first.
SageMaker says: The alarm was raised.
The release before is kept on AWS. The way back is \`npx offline-inference model release --rollback --env <environment>\` and to deploy that.
`);
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
  const arn = { EndpointArn: "arn:aws:sagemaker:us-east-1:123456789012:endpoint/classifier" };
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
        return json({ EndpointName: "classifier", ...arn, ...endpoint, CreationTime: 1, LastModifiedTime: 1 });
      case "SageMaker.ListTags":
        return json({ Tags: [] });
      default:
        throw new AwsError("UnknownOperationException", 400, String(headers["x-amz-target"]));
    }
  });
}
