import { GetFunctionConfigurationCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { operator } from "../../local/credentials";
import { startLambda } from "../../local/lambda-configuration";
import type { StandIn } from "../../local/stand-in";

const begin = Date.now();
let lambda: StandIn;
let client: LambdaClient;

beforeAll(async () => {
  lambda = await startLambda("us-east-1", [
    { name: "worker", timeoutSeconds: 20, memoryMegabytes: 512, variables: { MODEL_RELEASE: "7f3a" } },
  ]);
  client = new LambdaClient({ ...operator, endpoint: lambda.url });
});
afterAll(async () => {
  client.destroy();
  await lambda.stop();
});

test("GetFunctionConfiguration says how the function is, and since when", async () => {
  const found = await client.send(new GetFunctionConfigurationCommand({ FunctionName: "worker" }));
  expect(found).toMatchObject({
    FunctionName: "worker",
    Timeout: 20,
    MemorySize: 512,
    State: "Active",
    LastUpdateStatus: "Successful",
    Environment: { Variables: { MODEL_RELEASE: "7f3a" } },
  });
  expect(found.LastModified).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000$/);
  expect(Date.parse(found.LastModified ?? "")).toBeGreaterThanOrEqual(begin);
});

test("GetFunctionConfiguration of another name is ResourceNotFoundException", async () => {
  await expect(client.send(new GetFunctionConfigurationCommand({ FunctionName: "api" }))).rejects.toMatchObject({
    name: "ResourceNotFoundException",
  });
});
