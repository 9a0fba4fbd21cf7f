import { DescribeEndpointCommand, SageMakerClient } from "@aws-sdk/client-sagemaker";
import { operator } from "../../local/credentials";
import { startSageMaker } from "../../local/sagemaker";
import type { StandIn } from "../../local/stand-in";

const begin = Date.now();
let sageMaker: StandIn;
let client: SageMakerClient;

beforeAll(async () => {
  sageMaker = await startSageMaker({
    endpointName: "classifier",
    configurationName: "classifier-7f3a",
    variantName: "first",
    instanceCount: 2,
  });
  client = new SageMakerClient({ ...operator, endpoint: sageMaker.url });
});
afterAll(async () => {
  client.destroy();
  await sageMaker.stop();
});

test("DescribeEndpoint says what the endpoint serves, with how many instances, since when", async () => {
  const endpoint = await client.send(new DescribeEndpointCommand({ EndpointName: "classifier" }));
  expect(endpoint).toMatchObject({
    EndpointName: "classifier",
    EndpointConfigName: "classifier-7f3a",
    EndpointStatus: "InService",
    ProductionVariants: [{ VariantName: "first", CurrentInstanceCount: 2, DesiredInstanceCount: 2 }],
  });
  expect(endpoint.FailureReason).toBeUndefined();
  const since = endpoint.LastModifiedTime?.getTime();
  expect(since).toBeGreaterThanOrEqual(begin);
  expect(since).toBeLessThanOrEqual(Date.now());
});

test("DescribeEndpoint of another name is a ValidationException, as SageMaker has it", async () => {
  await expect(client.send(new DescribeEndpointCommand({ EndpointName: "others" }))).rejects.toMatchObject({
    name: "ValidationException",
    message: 'Could not find endpoint "others".',
  });
});
